//! Lists of the configuration against what a run's evidence holds, and the clock against its headers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use serde::Deserialize;
use serde_json::Value;

use super::Patient;
use super::check::Check;
use crate::app::coverage::Survey;
use crate::domain::{Code, EvidenceId, Finding, Media, UnixSeconds, relay_spelling};
use crate::reconcile::reconcile;
use crate::store::EvidenceStore as _;

/// Beyond it two clocks do not tell the same time (CAPTURE, Bitcoin's own rule for headers).
pub(super) const SKEW_SECONDS: i64 = 2 * 3600;
/// A chain this old lacks some hundred and forty blocks.
const TIP_SECONDS: i64 = 24 * 3600;
/// Kinds of the family without an assignment (FORMATS 1).
const UNASSIGNED: std::ops::RangeInclusive<u16> = 30_088..=30_099;
/// Relay lists of users (NIP-65).
const RELAY_LIST: u16 = 10_002;
/// Published documents that may name relays.
const PUBLISHED: [Media; 3] = [Media::ProjectConfig, Media::FederationDirectory, Media::Charter];
/// At most so many names in one line.
const NAMED_MAX: usize = 8;

pub(super) fn checks(patient: &Patient<'_>, survey: &Survey) -> Vec<Check> {
    let config = patient.config;
    let mut checks = Vec::new();
    if config.nostr.is_some() {
        checks.push(kinds(patient, survey));
    }
    if !patient.plan.relays.is_empty() {
        checks.push(relays(patient, survey));
    }
    let asked = |name, found, hint: &str| drift(name, &found).with_hint(if found.is_empty() { "" } else { hint });
    let of = |codes: &[Code], subject: Option<&str>| named(&survey.set.findings, codes, subject);
    checks.push(asked(
        "drift.keys.evidence",
        of(&[Code::KeyUnknown, Code::KeyWrongSet], None),
        "envelopes name key ids that no captured key set of the envelope host has: add its key sets to keys.jwks",
    ));
    checks.push(asked(
        "drift.keys.rewritten",
        of(&[Code::KeySetRewritten], Some("kid")),
        "a published key was replaced under the same id: ask the envelope host, and list the key under keys.compromised",
    ));
    checks.push(key_hosts(patient, survey));
    checks.push(asked(
        "drift.federations.evidence",
        federations(patient, survey),
        "settlements name federations without a section: add [federations.<slug>] with its settlement_keys",
    ));
    checks.push(asked(
        "drift.federations.published",
        published(patient, survey),
        "the federation directory and charters say otherwise: compare them with [federations], and ask who changed",
    ));
    checks.push(asked(
        "drift.federations.keys",
        of(&[Code::SigKeyUnknown], Some("key")),
        "settlements are signed by keys that nobody pinned: check them, and add them to settlement_keys",
    ));
    checks.push(asked(
        "drift.calendars.evidence",
        of(&[Code::OtsCalendar], Some("calendar")),
        "proofs name calendars outside the allow-list: add those that you trust to ots.calendars",
    ));
    if config.headers.is_some() {
        checks.extend(headers(patient, survey));
    }
    checks
}

/// Nothing is ok; whatever else stands in the set is a drift.
fn drift(name: &'static str, found: &BTreeSet<String>) -> Check {
    if found.is_empty() { Check::ok(name, "", "agrees") } else { Check::failed(name, "", listing(found)) }
}

pub(super) fn listing(found: &BTreeSet<String>) -> String {
    let some: Vec<&str> = found.iter().take(NAMED_MAX).map(String::as_str).collect();
    let more = found.len().saturating_sub(NAMED_MAX);
    if more > 0 { format!("{} and {more} more", some.join(", ")) } else { some.join(", ") }
}

/// What findings of these codes name: a member of their subject, or what was observed.
fn named(findings: &[Finding], codes: &[Code], subject: Option<&str>) -> BTreeSet<String> {
    let of_code = findings.iter().filter(|finding| codes.contains(&finding.code));
    let name = |finding: &Finding| match subject {
        Some(member) => finding.subject.get(member).unwrap_or_default().to_owned(),
        None => finding.observed.clone(),
    };
    of_code.map(name).collect()
}

/// What an event says beside its content.
#[derive(Deserialize)]
struct Header {
    pubkey: String,
    tags: Vec<Vec<String>>,
    content: String,
}

impl Header {
    fn of(survey: &Survey, id: EvidenceId) -> Option<Self> {
        serde_json::from_slice(&survey.raw(id)?.bytes).ok()
    }

    fn tag_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Vec<String>> {
        self.tags.iter().filter(move |tag| tag.first().is_some_and(|first| first == name) && tag.len() > 1)
    }
}

/// Verified events of the family that nobody asked for: archives hold them, and relays were not asked.
fn kinds(patient: &Patient<'_>, survey: &Survey) -> Check {
    const NAME: &str = "drift.kinds.evidence";
    let asked = &patient.plan.policy.kinds;
    let mut seen: BTreeMap<u16, u64> = BTreeMap::new();
    for (id, event) in survey.set.events.iter().filter(|(_, event)| !asked.contains(&event.kind)) {
        let is_family = UNASSIGNED.contains(&event.kind)
            || Header::of(survey, id)
                .is_some_and(|header| header.tag_values("d").next().is_some_and(|tag| tag[1].starts_with("oc-")));
        if is_family {
            *seen.entry(event.kind).or_default() += 1;
        }
    }
    let found = seen.iter().map(|(kind, count)| format!("kind {kind} ({count} events)")).collect();
    let hint = if seen.is_empty() { "" } else { "add these kinds to nostr.kinds: relays were not asked for them" };
    drift(NAME, &found).with_hint(hint)
}

/// Relay lists in price configs, and in the NIP-65 lists of those who publish envelopes, against the relays that are asked.
fn relays(patient: &Patient<'_>, survey: &Survey) -> Check {
    const NAME: &str = "drift.relays.published";
    let asked: BTreeSet<String> = patient.plan.relays.iter().map(|url| relay_spelling(url)).collect();
    let mut listed = BTreeSet::new();
    let scanned = survey.store.scan(&PUBLISHED, &mut |_, evidence| {
        if let Ok(document) = serde_json::from_slice::<Value>(&evidence.bytes) {
            relay_lists(&document, false, &mut listed);
        }
        ControlFlow::Continue(())
    });
    if let Err(error) = scanned {
        return Check::skipped(NAME, "", error.to_string(), true);
    }
    let lists: Vec<EvidenceId> =
        survey.set.events.iter().filter(|(_, event)| event.kind == RELAY_LIST).map(|(id, _)| id).collect();
    if !lists.is_empty() {
        // Anybody can publish a list of relays; those of publishers count.
        let carriers =
            survey.set.envelopes.values().flat_map(|verified| verified.carriers().iter().collect::<Vec<_>>());
        let publishers: BTreeSet<String> =
            carriers.filter_map(|id| Header::of(survey, id)).map(|header| header.pubkey).collect();
        for header in lists.into_iter().filter_map(|id| Header::of(survey, id)) {
            if publishers.contains(&header.pubkey) {
                let written = header.tag_values("r").filter(|tag| tag.get(2).is_none_or(|use_| use_ == "write"));
                listed.extend(written.map(|tag| tag[1].clone()));
            }
        }
    }
    let is_relay = |url: &String| url.starts_with("wss://") || url.starts_with("ws://");
    let found = listed.into_iter().filter(|url| is_relay(url) && !asked.contains(&relay_spelling(url))).collect();
    let check = drift(NAME, &found);
    if found.is_empty() {
        check
    } else {
        check.with_hint("published lists name these relays: add them to nostr.relays")
    }
}

/// Texts below members whose name speaks of relays. The reader of JSON bounds the depth.
fn relay_lists(value: &Value, named: bool, listed: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if named => drop(listed.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| relay_lists(item, named, listed)),
        Value::Object(members) => {
            for (name, member) in members {
                relay_lists(member, named || name.contains("relay"), listed);
            }
        }
        _ => {}
    }
}

/// The host that envelopes are said to be verified at against the hosts that keys come from. Those who republish may name
/// others, so one host in common is agreement.
fn key_hosts(patient: &Patient<'_>, survey: &Survey) -> Check {
    const NAME: &str = "drift.keys.hosts";
    let configured: BTreeSet<String> = patient
        .plan
        .documents
        .iter()
        .filter(|(media, _)| *media == Media::Jwks)
        .filter_map(|(_, url)| host(url))
        .collect();
    let mut seen = BTreeSet::new();
    if !configured.is_empty() {
        let carriers = survey.set.envelopes.values().map(|verified| verified.first_carrier());
        for header in carriers.filter_map(|id| Header::of(survey, id)) {
            let content = serde_json::from_str::<Value>(&header.content).unwrap_or_default();
            let places = [&content, &content["envelope"], &content["event"]];
            seen.extend(places.into_iter().filter_map(|place| host(place.get("verify_url")?.as_str()?)));
        }
    }
    if seen.is_empty() || seen.iter().any(|host| configured.contains(host)) {
        return Check::ok(NAME, "", "agrees");
    }
    Check::failed(NAME, "", format!("envelopes name {}, keys come from {}", listing(&seen), listing(&configured)))
        .with_hint("take the key set of the host that envelopes name, or ask who moved it")
}

/// The host of an address, without its port.
fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// Federations of settlements that the configuration does not know.
fn federations(patient: &Patient<'_>, survey: &Survey) -> BTreeSet<String> {
    let known = &patient.plan.policy.settlement_keys;
    let unknown = named(&survey.set.findings, &[Code::SigKeyUnknown], Some("federation"));
    unknown.into_iter().filter(|slug| !known.keys().any(|known| known.as_str() == *slug)).collect()
}

/// Lists that the report would find to disagree with published documents, beyond those of the configuration by itself.
fn published(patient: &Patient<'_>, survey: &Survey) -> BTreeSet<String> {
    let own: Vec<&str> = patient.plan.declared.drift.iter().map(|drift| drift.list.as_str()).collect();
    let judged = reconcile(&survey.input());
    let drifts = judged.divergences.into_iter().filter(|one| one.code == Code::SrcDrift);
    let told = drifts.filter_map(|one| {
        let list = one.subject.get("list").filter(|list| !own.contains(list))?;
        Some(format!("{list}: {}, expected {}", one.observed, one.expected))
    });
    told.collect()
}

/// The newest header against the clock: older than a day, or from the future.
fn headers(patient: &Patient<'_>, survey: &Survey) -> Vec<Check> {
    match survey.set.tip {
        None => vec![
            Check::failed("headers.age", "", "no chain of headers reaches from the checkpoint")
                .with_hint("give headers from the checkpoint on under [headers]"),
        ],
        Some(tip) => tip_checks("the run's headers", tip.time, patient.now, TIP_SECONDS),
    }
}

/// A tip's age, and whether the clock can be right: no node takes a header from more than two hours ahead of its clock.
pub(super) fn tip_checks(about: &str, tip: UnixSeconds, now: UnixSeconds, age_max: i64) -> Vec<Check> {
    let (ahead, old) = (tip.0.saturating_sub(now.0), now.0.saturating_sub(tip.0));
    let clock = if ahead > SKEW_SECONDS {
        Check::warned("clock.headers", about, format!("the newest header says {tip}, the clock {now}"))
            .with_hint("set this machine's clock")
    } else {
        Check::ok("clock.headers", about, "the clock is not behind the newest header")
    };
    let age = if old > age_max {
        Check::warned("headers.age", about, format!("the newest header is of {tip}, {} h ago", old / 3600))
            .with_hint("bring the headers up to date: what was anchored since can't be established")
    } else {
        Check::ok("headers.age", about, format!("the newest header is of {tip}"))
    };
    vec![clock, age]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::check::Health;

    #[test]
    fn a_tip_may_be_two_hours_ahead_and_a_day_old_and_no_more() {
        let now = UnixSeconds(1_790_812_800);
        let health = |offset: i64| {
            tip_checks("", now.plus(offset), now, TIP_SECONDS).iter().map(|check| check.health).collect::<Vec<_>>()
        };
        assert_eq!(health(0), [Health::Ok, Health::Ok]);
        assert_eq!(health(7_200), [Health::Ok, Health::Ok]);
        assert_eq!(health(7_201), [Health::Warn, Health::Ok]);
        assert_eq!(health(-86_400), [Health::Ok, Health::Ok]);
        assert_eq!(health(-86_401), [Health::Ok, Health::Warn]);
        assert_eq!(tip_checks("", UnixSeconds(i64::MIN), UnixSeconds(i64::MAX), TIP_SECONDS)[1].health, Health::Warn);
    }

    #[test]
    fn relays_are_found_wherever_a_document_names_them() {
        let document = serde_json::json!({
            "project_key": "wss://not.a.list", "nostr": {"relays": ["wss://a.example", {"url": "wss://b.example"}]},
            "relay": "wss://c.example",
        });
        let mut listed = BTreeSet::new();
        relay_lists(&document, false, &mut listed);
        assert_eq!(listed, ["wss://a.example", "wss://b.example", "wss://c.example"].map(str::to_owned).into());
    }

    #[test]
    fn a_host_is_read_without_port_and_path() {
        assert_eq!(host("https://Me.ochk.io:443/verify/00"), Some("me.ochk.io".to_owned()));
        assert_eq!(host("me.ochk.io"), None);
        assert_eq!(host("https://"), None);
    }
}
