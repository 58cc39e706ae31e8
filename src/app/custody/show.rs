//! Custody as text for people and as JSON (docs/custody.md).

use serde_json::{Value, json};

use super::{CustodyFound, FoundTransition};
use crate::domain::{DescriptorId, Divergence, UnixMicros, UserKey, inert, inert_limited};
use crate::evidence::DescriptorForm;
use crate::ledger::{Change, CustodyAt, TrustLevel};
use crate::report::Pseudonyms;
use crate::verify::{Anchor, KnownDescriptor};

const SCHEMA: &str = "reledger/custody/1";

/// How names stand in an answer: the one that was asked about as it was asked, others as in a report.
struct Names<'a> {
    found: &'a CustodyFound,
    pseudonyms: Pseudonyms,
}

impl<'a> Names<'a> {
    fn of(found: &'a CustodyFound, reveal: bool) -> Self {
        Self { found, pseudonyms: Pseudonyms::new(found.evidence_root, reveal) }
    }

    fn name(&self, name: &str) -> String {
        let is_asked = self.found.is_revealed && self.found.asked.as_str() == name;
        if is_asked { name.to_owned() } else { self.pseudonyms.name(name) }
    }

    /// As in a report, and without the principal's other names.
    fn divergence(&self, divergence: &Divergence) -> Divergence {
        let mut shown = self.pseudonyms.apply(divergence);
        for name in self.found.names.iter().chain([&self.found.asked, &self.found.principal]) {
            for text in [&mut shown.expected, &mut shown.observed] {
                *text = text.replace(name.as_str(), &self.name(name.as_str()));
            }
        }
        shown
    }
}

/// The answer or the history for people; other names than the one asked about only when users are revealed. Foreign text
/// in it is inert.
pub fn custody_text(found: &CustodyFound, reveal: bool) -> String {
    let names = Names::of(found, reveal);
    let mut text = String::new();
    let mut row = |label: &str, value: &str| text.push_str(&format!("{label:<12} {value}\n"));
    row("custody of", &inert(&names.name(found.asked.as_str())));
    if found.principal != found.asked {
        row("principal", &inert(&names.name(found.principal.as_str())));
    }
    for name in found.names.iter().filter(|name| **name != found.principal) {
        row("also", &inert(&names.name(name.as_str())));
    }
    if let Some(at) = &found.at {
        let block = found.height.map(|height| format!(" (block {height})")).unwrap_or_default();
        row("at", &format!("{}{block}", time(at.at)));
        row("state", at.state.map_or("unknown", |state| state.name()));
        if at.state.is_some_and(|state| state != crate::evidence::CustodyState::Bip322) {
            row("guardians", &guardians(at.descriptor, found.descriptor.as_ref()));
            for guardian in found.descriptor.iter().flat_map(|held| &held.guardians) {
                row("", &inert(guardian));
            }
        }
        row("trust", &format!("{}: {}", at.trust.name(), why(at)));
        row("rests on", &count(found.transitions.len(), "transition"));
    } else {
        row("history", &count(found.transitions.len(), "transition"));
    }
    for one in &found.transitions {
        text.push_str(&transition_text(one, &names));
    }
    let only_disputed =
        |one: &&FoundTransition| !found.transitions.iter().any(|own| own.transition.id == one.transition.id);
    for (number, one) in found.disputed.iter().filter(only_disputed).enumerate() {
        if number == 0 {
            text.push_str("against it\n");
        }
        text.push_str(&transition_text(one, &names));
    }
    for (id, standing) in &found.excluded {
        text.push_str(&format!("not counted  {id} {}\n", standing.name()));
    }
    let shown =
        |place: &usize| found.transitions.iter().chain(&found.disputed).any(|one| one.divergences.contains(place));
    for (_, divergence) in found.divergences.iter().enumerate().filter(|(place, _)| !shown(place)) {
        text.push_str(&format!("divergence   {}\n", divergence_text(divergence)));
    }
    text
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn guardians(active: Option<DescriptorId>, held: Option<&KnownDescriptor>) -> String {
    match (active, held) {
        (None, _) => "not established".to_owned(),
        (Some(id), None) => format!("fed:{id}, of which no descriptor is held"),
        (Some(id), Some(held)) => format!("{} of fed:{id}", threshold(held)),
    }
}

fn threshold(held: &KnownDescriptor) -> String {
    format!("{}-of-{}", held.threshold, held.guardians.len())
}

fn why(at: &CustodyAt) -> &'static str {
    match at.trust {
        _ if at.state.is_none() => "nothing is held that counts",
        TrustLevel::Contested if at.forked => "one of two rotations out of one descriptor was followed",
        TrustLevel::Contested => "signed statements contradict each other, or one is missing",
        TrustLevel::Assumed if at.support.is_empty() => {
            "no transition up to then; what the first one left, or the default"
        }
        TrustLevel::Assumed => "no signed statement of the operator or the user names the descriptor",
        TrustLevel::Signed => "every statement is signed, and not all are anchored by then",
        TrustLevel::BitcoinProven => "every statement is signed, and in a final Bitcoin block by then",
    }
}

fn transition_text(one: &FoundTransition, names: &Names<'_>) -> String {
    let it = &one.transition;
    let followed = if it.followed { "" } else { ", not followed" };
    let mut text = format!("  {:<10} {}{followed}\n", it.change.name(), it.id);
    let mut row = |label: &str, value: &str| text.push_str(&format!("    {label:<11}{value}\n"));
    row("change", &change_text(&it.change));
    row("named", &inert_limited(&names.name(&it.who), 120));
    row("claimed", &time(it.dated.claimed));
    if it.dated.effective != it.dated.claimed {
        row("effective", &format!("{}, the time of its block", time(it.dated.effective)));
    }
    row("anchor", &one.anchor.as_ref().map_or_else(|| "none".to_owned(), anchor_text));
    let active = it.descriptor.map(|id| format!(", fed:{id}")).unwrap_or_default();
    row(
        "then",
        &format!(
            "{}{active}{}",
            it.state.name(),
            if it.presumed { ", which neither operator nor user names" } else { "" }
        ),
    );
    for doubt in &it.doubts {
        row("in dispute", doubt.name());
    }
    for divergence in one.divergences.iter().filter_map(|place| names.found.divergences.get(*place)) {
        row("divergence", &divergence_text(divergence));
    }
    text
}

fn divergence_text(divergence: &Divergence) -> String {
    let (severity, state) = (divergence.severity, divergence.state.name());
    format!("{} {severity} {state} {}", divergence.code, divergence.fingerprint)
}

fn change_text(change: &Change) -> String {
    match change {
        Change::Rebind { from, to, from_federation, to_federation } => {
            let at = |federation: &Option<String>| {
                federation.as_ref().map(|name| format!(" ({})", inert_limited(name, 80))).unwrap_or_default()
            };
            format!("{}{} to {}{}", from.name(), at(from_federation), to.name(), at(to_federation))
        }
        Change::Graduation { from, to, to_federation, profile } => {
            let entered = to_federation.map(|id| format!(" fed:{id}")).unwrap_or_default();
            format!("fed:{from} to {}{entered} (profile {profile})", inert_limited(to, 40))
        }
        Change::Rotation { from, to, profile } => format!("fed:{from} to fed:{to} (profile {profile})"),
    }
}

/// With its fraction, so that it can be asked about.
pub(super) fn time(at: UnixMicros) -> String {
    let (seconds, fraction) = (at.seconds().to_string(), at.0.rem_euclid(1_000_000));
    match fraction {
        0 => seconds,
        _ => format!("{}.{fraction:06}Z", seconds.trim_end_matches('Z')),
    }
}

fn anchor_text(anchor: &Anchor) -> String {
    let finality = if anchor.is_final { "final" } else { "not final" };
    format!(
        "block {} {} at {}, header trust {}, {finality}, proof {}",
        anchor.height,
        anchor.hash,
        anchor.time,
        anchor.trust.name(),
        anchor.proof
    )
}

/// The answer or the history as JSON. Foreign text in it stays raw.
/// Other names than the one asked about stand in it only when users are revealed.
pub fn custody_value(found: &CustodyFound, reveal: bool, exit_code: u8) -> Value {
    let names = Names::of(found, reveal);
    let name = |name: &UserKey| names.name(name.as_str());
    let transitions =
        |all: &[FoundTransition]| -> Vec<Value> { all.iter().map(|one| transition_value(one, &names)).collect() };
    let mut value = json!({
        "schema": SCHEMA, "asked": name(&found.asked), "principal": name(&found.principal),
        "names": found.names.iter().map(name).collect::<Vec<_>>(), "established": found.is_established(),
        "as_of": found.as_of.0, "exit_code": exit_code, "transitions": transitions(&found.transitions),
        "excluded": found.excluded.iter().map(|(id, standing)| json!({
            "id": id.to_hex(), "standing": standing.name(),
        })).collect::<Vec<_>>(),
        "divergences": found.divergences.iter().map(|divergence| names.divergence(divergence)).map(|divergence| json!({
            "code": divergence.code.name(), "severity": divergence.severity.name(), "state": divergence.state.name(),
            "fingerprint": divergence.fingerprint, "subject": divergence.subject, "expected": divergence.expected,
            "observed": divergence.observed,
        })).collect::<Vec<_>>(),
    });
    if let Some(at) = &found.at {
        value["at"] =
            json!({"time": at.at.seconds().0, "time_micros": at.at.0, "height": found.height.map(|height| height.0)});
        value["state"] = at.state.map_or("unknown", |state| state.name()).into();
        value["descriptor"] = at.descriptor.map_or(Value::Null, |id| descriptor_value(id, &names));
        value["trust"] = at.trust.name().into();
        value["forked"] = at.forked.into();
        value["disputed"] = transitions(&found.disputed).into();
    }
    value
}

fn descriptor_value(id: DescriptorId, names: &Names<'_>) -> Value {
    let held = names.found.descriptor.as_ref();
    json!({
        "id": format!("fed:{id}"), "held": held.is_some(), "threshold": held.map(threshold),
        "form": held.map(|held| match held.form {
            DescriptorForm::Custody => "custody",
            DescriptorForm::Agent => "agent",
        }),
        "address": held.and_then(|held| held.address.as_deref().map(|address| names.name(address))),
        "guardians": held.map(|held| held.guardians.clone()).unwrap_or_default(),
    })
}

fn transition_value(one: &FoundTransition, names: &Names<'_>) -> Value {
    let it = &one.transition;
    let fingerprints = one.divergences.iter().filter_map(|place| names.found.divergences.get(*place));
    json!({
        "id": it.id.to_hex(), "kind": it.change.name(), "who": names.name(&it.who), "change": change_value(&it.change),
        "claimed_micros": it.dated.claimed.0, "effective_micros": it.dated.effective.0,
        "not_after": it.dated.not_after().map(|time| time.0), "anchor": one.anchor.as_ref().map(anchor_value),
        "followed": it.followed, "doubts": it.doubts.iter().map(|doubt| doubt.name()).collect::<Vec<_>>(),
        "state": it.state.name(), "descriptor": it.descriptor.map(|id| format!("fed:{id}")), "presumed": it.presumed,
        "divergences": fingerprints.map(|divergence| divergence.fingerprint).collect::<Vec<_>>(),
    })
}

fn change_value(change: &Change) -> Value {
    match change {
        Change::Rebind { from, to, from_federation, to_federation } => json!({
            "from": from.name(), "to": to.name(), "from_federation": from_federation, "to_federation": to_federation,
        }),
        Change::Graduation { from, to, to_federation, profile } => json!({
            "from": format!("fed:{from}"), "to": to, "profile": profile,
            "to_federation": to_federation.map(|id| format!("fed:{id}")),
        }),
        Change::Rotation { from, to, profile } => {
            json!({"from": format!("fed:{from}"), "to": format!("fed:{to}"), "profile": profile})
        }
    }
}

fn anchor_value(anchor: &Anchor) -> Value {
    json!({
        "height": anchor.height.0, "hash": anchor.hash, "time": anchor.time.0, "header_trust": anchor.trust.name(),
        "final": anchor.is_final, "proof": anchor.proof,
    })
}
