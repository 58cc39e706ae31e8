//! Replays each user's transitions over the three states of FORMATS 3.4.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, EnvelopeId, Finding, Subject, UnixMicros, UserKey};
use crate::evidence::CustodyState;
use crate::ledger::envelope::Standing;
use crate::ledger::scope::{BLOCK_TIME_SLACK_SECONDS, Scope};

use crate::verify::Verified;

use super::roll::{RebindEntry, RebindLedger};

pub(super) fn replay(scope: Scope<'_>, ledger: &mut RebindLedger, findings: &mut Vec<Finding>) {
    let mut by_user: BTreeMap<UserKey, Vec<RebindEntry>> = BTreeMap::new();
    for entry in ledger.entries.values().filter(|entry| entry.standing == Standing::Counted) {
        by_user.entry(entry.rebind.user.clone()).or_default().push(entry.clone());
    }
    for (user, mut entries) in by_user {
        // An unanchored transition sorts after an anchored one of the same instant: the anchor is the stronger witness.
        entries.sort_by_key(|entry| (entry.rebind.at, entry.anchor.is_none(), entry.anchor, entry.id));
        let shared = equivocations(&user, &entries, findings);
        let mut before: Option<&RebindEntry> = None;
        for entry in &entries {
            if let Some((expected, observed)) = gap(before, entry, &shared) {
                ledger.gaps.insert(entry.id);
                findings.push(
                    Finding::new(Code::RebGap, Subject::new("envelope", entry.id).and("user", &user))
                        .with_values(expected, observed)
                        .with_evidence(entry.carrier, "carrier")
                        .with_explanation("The transition does not start from the replayed state: one is missing."),
                );
            }
            findings.extend(after_its_anchor(scope, entry));
            findings.extend(without_graduation(scope, entry));
            before = Some(entry);
        }
        if let Some(last) = before {
            ledger.states.insert(user, last.rebind.to);
        }
    }
}

/// Why the transition does not follow from what came before it.
fn gap(before: Option<&RebindEntry>, entry: &RebindEntry, shared: &BTreeSet<EnvelopeId>) -> Option<(String, String)> {
    let rebind = &entry.rebind;
    let federation_changes = rebind.from_federation.is_some()
        && rebind.to_federation.is_some()
        && rebind.from_federation != rebind.to_federation;
    if rebind.from == rebind.to && !federation_changes {
        return Some(("a change of state or federation".to_owned(), format!("{0} to {0}", rebind.from.name())));
    }
    match before {
        // A user begins under the operator's federation or in self-custody; a federation of choice is picked later.
        None if rebind.from == CustodyState::FedimintClient => {
            Some(("fedimint_threshold or bip322 as the first state".to_owned(), rebind.from.name().to_owned()))
        }
        None => rebind.prev.map(|prev| ("a held predecessor".to_owned(), prev.to_string())),
        Some(before) if before.rebind.to != rebind.from => {
            Some((before.rebind.to.name().to_owned(), rebind.from.name().to_owned()))
        }
        Some(before) => {
            let (reached, left) = (&before.rebind.to_federation, &rebind.from_federation);
            if reached.is_some() && left.is_some() && reached != left {
                return Some((format!("{reached:?}"), format!("{left:?}")));
            }
            match rebind.prev {
                Some(prev) if prev != before.id && !shared.contains(&entry.id) => {
                    Some((before.id.to_string(), prev.to_string()))
                }
                _ => None,
            }
        }
    }
}

/// ENV_EQUIVOCATION: two rebinds with one predecessor, or of one instant. Returns those that share a predecessor.
fn equivocations(user: &UserKey, entries: &[RebindEntry], findings: &mut Vec<Finding>) -> BTreeSet<EnvelopeId> {
    let mut by_prev: BTreeMap<EnvelopeId, Vec<&RebindEntry>> = BTreeMap::new();
    let mut by_time: BTreeMap<UnixMicros, Vec<&RebindEntry>> = BTreeMap::new();
    for entry in entries {
        by_time.entry(entry.rebind.at).or_default().push(entry);
        if let Some(prev) = entry.rebind.prev {
            by_prev.entry(prev).or_default().push(entry);
        }
    }
    let mut shared = BTreeSet::new();
    let subject = || Subject::new("user", user);
    for (prev, group) in by_prev.into_iter().filter(|(_, group)| group.len() > 1) {
        shared.extend(group.iter().map(|entry| entry.id));
        findings.push(equivocation(subject().and("prev", prev), &group));
    }
    for (at, group) in by_time.into_iter().filter(|(_, group)| group.len() > 1) {
        findings.push(equivocation(subject().and("at_micros", at.0), &group));
    }
    shared
}

fn equivocation(subject: Subject, group: &[&RebindEntry]) -> Finding {
    let ids: Vec<String> = group.iter().map(|entry| entry.id.to_string()).collect();
    let finding = Finding::new(Code::EnvEquivocation, subject)
        .with_values("one transition", ids.join(", "))
        .with_explanation("Several signed transitions claim one place in a user's chain.");
    group.iter().fold(finding, |finding, entry| finding.with_evidence(entry.carrier, "transition"))
}

fn after_its_anchor(scope: Scope<'_>, entry: &RebindEntry) -> Option<Finding> {
    let anchor = scope.anchor(&entry.id.0)?;
    let limit = anchor.time.plus(BLOCK_TIME_SLACK_SECONDS);
    (entry.rebind.at > UnixMicros::from(limit)).then(|| {
        Finding::new(Code::RebAnchorTime, Subject::new("envelope", entry.id).and("user", &entry.rebind.user))
            .with_values(format!("not after {limit}"), entry.rebind.at.seconds())
            .with_evidence(entry.carrier, "carrier")
            .with_evidence(anchor.proof, "proof")
            .with_explanation("The claimed time is later than the block that already commits to the transition.")
    })
}

/// REB_GRADUATION_MISSING: leaving a federation for self-custody without an accepted graduation that goes with it.
fn without_graduation(scope: Scope<'_>, entry: &RebindEntry) -> Option<Finding> {
    let rebind = &entry.rebind;
    if rebind.from == CustodyState::Bip322 || rebind.to != CustodyState::Bip322 {
        return None;
    }
    let graduations = &scope.set.graduations;
    let held = match rebind.graduation {
        Some(id) => graduations.contains_key(&id),
        None => graduations.values().map(Verified::fact).any(|graduation| {
            graduation.address == rebind.user.as_str()
                && graduation.to == "single-key"
                && UnixMicros::from(graduation.at) <= rebind.at
        }),
    };
    (!held).then(|| {
        let named = rebind.graduation.map_or_else(|| "none named".to_owned(), |id| id.to_string());
        Finding::new(Code::RebGraduationMissing, Subject::new("envelope", entry.id).and("user", &rebind.user))
            .with_values("an accepted graduation", named)
            .with_evidence(entry.carrier, "carrier")
            .with_explanation("Custody left a federation for a single key without an accepted graduation envelope.")
    })
}
