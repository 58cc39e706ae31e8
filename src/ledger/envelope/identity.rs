//! ENV_DOUBLE_BILLING and ENV_EQUIVOCATION: what is unique, claimed twice.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::domain::{Code, Finding, Subject};
use crate::evidence::BillableEvent;

use super::survey::{Billed, Signed, Survey};

/// ((`project` or `site`, its name), idempotency key).
type Claim<'a> = ((&'static str, &'a str), &'a str);

pub(super) fn check(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    idempotency_keys(survey, findings);
    windows(survey, findings);
}

/// Two ids under one key of a project. All of them were signed, so all of them count: what was billed twice stays billed
/// twice in the sums until a signed correction says otherwise.
fn idempotency_keys(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let mut groups: BTreeMap<Claim<'_>, Vec<(Signed<'_>, &BillableEvent)>> = BTreeMap::new();
    for (signed, event) in suspects(survey) {
        if let Some(claim) = claim(event) {
            groups.entry(claim).or_default().push((signed, event));
        }
    }
    for (((owner, name), key), mut members) in groups {
        members.sort_by_key(|(signed, event)| (event.occurred_at, signed.fact().id));
        let Some(((first, first_event), others)) = members.split_first() else { continue };
        if others.is_empty() {
            continue;
        }
        let subject = Subject::new(owner, name).and("idempotency_key", key);
        let ids: Vec<String> = members.iter().map(|(signed, _)| signed.fact().id.to_string()).collect();
        let observed = ids.join(", ");
        let finding = Finding::new(Code::EnvDoubleBilling, subject.clone())
            .with_values("one envelope", &observed)
            .with_explanation("Several envelopes bill one idempotency key. All are counted, none is netted.");
        findings.push(with_members(finding, first, others));
        if others.iter().any(|(_, event)| what_is_billed(event) != what_is_billed(first_event)) {
            let finding = Finding::new(Code::EnvEquivocation, subject)
                .with_values("one content for one idempotency key", &observed)
                .with_explanation("The envelopes under one idempotency key bill different things.");
            findings.push(with_members(finding, first, others));
        }
    }
}

/// The events whose claims have equal hashes: whoever is not among them shares a key with nobody. Sorting numbers is what
/// keeps millions of keys cheap; that two claims may share a hash by chance or by design only makes this list longer.
fn suspects<'l>(survey: &Survey<'l>) -> Vec<Billed<'l>> {
    let mut hashes: Vec<(u64, usize)> = survey.claims.iter().enumerate().map(|(at, (hash, _))| (*hash, at)).collect();
    hashes.sort_unstable();
    let shared = hashes.chunk_by(|one, next| one.0 == next.0).filter(|group| group.len() > 1).flatten();
    shared.filter_map(|(_, at)| survey.claims.get(*at).map(|(_, billed)| *billed)).collect()
}

/// A hash of who claims which key; `None` for an event without one.
pub(super) fn hash_of_claim(event: &BillableEvent) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    claim(event)?.hash(&mut hasher);
    Some(hasher.finish())
}

fn claim(event: &BillableEvent) -> Option<Claim<'_>> {
    let key = event.idempotency_key.as_deref()?;
    let owner = match &event.project {
        Some(project) => ("project", project.as_str()),
        None => ("site", event.site.as_str()),
    };
    Some((owner, key))
}

fn with_members(finding: Finding, first: Signed<'_>, others: &[(Signed<'_>, &BillableEvent)]) -> Finding {
    let finding = finding.with_evidence(first.first_carrier(), "first");
    others.iter().fold(finding, |finding, (signed, _)| finding.with_evidence(signed.first_carrier(), "other"))
}

/// The content of an event without the claimed time, which a retry may move.
fn what_is_billed(event: &BillableEvent) -> BillableEvent {
    BillableEvent { occurred_at: crate::domain::UnixMicros(0), v: 0, ..event.clone() }
}

fn windows(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let mut sealed: BTreeMap<&str, Vec<Signed<'_>>> = BTreeMap::new();
    for (signed, manifest) in &survey.manifests {
        sealed.entry(manifest.window.as_str()).or_default().push(signed);
    }
    for (window, entries) in sealed.into_iter().filter(|(_, entries)| entries.len() > 1) {
        let ids: Vec<String> = entries.iter().map(|signed| signed.fact().id.to_string()).collect();
        let finding = Finding::new(Code::EnvEquivocation, Subject::new("window", window))
            .with_values("one manifest", ids.join(", "))
            .with_explanation("Several signed manifests seal one drop window.");
        findings.push(
            entries.iter().fold(finding, |finding, signed| finding.with_evidence(signed.first_carrier(), "manifest")),
        );
    }
}
