//! ENV_DOUBLE_BILLING and ENV_EQUIVOCATION: what is unique, claimed twice.

use std::collections::BTreeMap;

use crate::domain::{Code, Digest32, EnvelopeId, Few, Finding, Subject, TaggedHasher};
use crate::evidence::{BillableEvent, OcMeBody};
use crate::ledger::scope::Scope;
use crate::scratch::Sorter;
use crate::verify::{SignedEnvelope, Verified};

use super::survey::{Signed, Survey};

/// ((`project` or `site`, its name), idempotency key).
type Claim<'a> = ((&'static str, &'a str), &'a str);

/// Events with an idempotency key, by a digest of who claims which key.
pub(super) type Claims = Sorter<Digest32, Few<EnvelopeId>>;

/// Notes who claims which key, when the event has one.
pub(super) fn note(signed: Signed, event: &BillableEvent, claims: &mut Claims) {
    if let Some(((owner, name), key)) = claim(event) {
        let mut hasher = TaggedHasher::new("reledger/claim/1");
        hasher.field(owner.as_bytes()).field(name.as_bytes()).field(key.as_bytes());
        claims.push(&hasher.finish(), &[signed.id].into());
    }
}

pub(super) fn check(scope: Scope<'_>, claims: Claims, survey: &Survey, findings: &mut Vec<Finding>) {
    idempotency_keys(scope, claims, findings);
    windows(survey, findings);
}

/// Two ids under one key of a project. All of them were signed, so all of them count: what was billed twice stays billed
/// twice in the sums until a signed correction says otherwise.
fn idempotency_keys(scope: Scope<'_>, claims: Claims, findings: &mut Vec<Finding>) {
    let mut shared = Vec::new();
    claims.each(Few::extend, |_, claimants| shared.extend((claimants.len() > 1).then_some(claimants)));
    for claimants in shared {
        let held: Vec<Verified<SignedEnvelope>> =
            claimants.iter().filter_map(|id| scope.set.envelopes.get(id)).collect();
        let members = held.iter().filter_map(|verified| match &*verified.fact().body {
            OcMeBody::Event(event) => Some((Signed::of(verified), event)),
            _ => None,
        });
        let mut members: Vec<(Signed, &BillableEvent)> = members.collect();
        let Some(((owner, name), key)) = members.first().and_then(|(_, event)| claim(event)) else { continue };
        members.sort_by_key(|(signed, event)| (event.occurred_at, signed.id));
        let Some(((first, first_event), others)) = members.split_first() else { continue };
        if others.is_empty() {
            continue;
        }
        let subject = Subject::new(owner, name).and("idempotency_key", key);
        let ids: Vec<String> = members.iter().map(|(signed, _)| signed.id.to_string()).collect();
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

fn claim(event: &BillableEvent) -> Option<Claim<'_>> {
    let key = event.idempotency_key.as_deref()?;
    let owner = match &event.project {
        Some(project) => ("project", project.as_str()),
        None => ("site", event.site.as_str()),
    };
    Some((owner, key))
}

fn with_members(finding: Finding, first: &Signed, others: &[(Signed, &BillableEvent)]) -> Finding {
    let finding = finding.with_evidence(first.carrier, "first");
    others.iter().fold(finding, |finding, (signed, _)| finding.with_evidence(signed.carrier, "other"))
}

/// The content of an event without the claimed time, which a retry may move.
fn what_is_billed(event: &BillableEvent) -> BillableEvent {
    BillableEvent { occurred_at: crate::domain::UnixMicros(0), v: 0, ..event.clone() }
}

fn windows(survey: &Survey, findings: &mut Vec<Finding>) {
    let mut sealed: BTreeMap<&str, Vec<Signed>> = BTreeMap::new();
    for (signed, manifest) in survey.manifests() {
        sealed.entry(manifest.window.as_str()).or_default().push(signed);
    }
    for (window, entries) in sealed.into_iter().filter(|(_, entries)| entries.len() > 1) {
        let ids: Vec<String> = entries.iter().map(|signed| signed.id.to_string()).collect();
        let finding = Finding::new(Code::EnvEquivocation, Subject::new("window", window))
            .with_values("one manifest", ids.join(", "))
            .with_explanation("Several signed manifests seal one drop window.");
        findings
            .push(entries.iter().fold(finding, |finding, signed| finding.with_evidence(signed.carrier, "manifest")));
    }
}
