//! Graduations and rotations: forks, invariants, and custody of an address at an instant (FORMATS 8.4 to 8.6).

use std::collections::BTreeMap;

use crate::domain::{BlockHeight, Code, DescriptorId, Digest32, EvidenceId, Finding, Subject, UnixMicros, UnixSeconds};
use crate::ledger::canonical::Leaf;
use crate::ledger::scope::{BLOCK_TIME_SLACK_SECONDS, Scope};

use super::roll::RebindLedger;

/// Who can sign for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Custody {
    /// The address' own key.
    SingleKey,
    /// The guardians of this descriptor.
    Federation(DescriptorId),
    /// Nothing is held about this address, or more than one beginning is possible.
    Unknown,
}

/// A graduation or rotation: custody leaves one descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) id: Digest32,
    pub(super) address: String,
    pub(super) from: DescriptorId,
    /// Where a graduation says it goes; `None` for a rotation.
    pub(super) graduates_to: Option<String>,
    /// Descriptor entered; `None` for a graduation to a single key.
    pub(super) to: Option<DescriptorId>,
    pub(super) at: UnixSeconds,
    pub(super) anchor: Option<BlockHeight>,
    pub(super) profile: &'static str,
    pub(super) carrier: EvidenceId,
}

impl Step {
    pub(super) fn kind(&self) -> &'static str {
        if self.graduates_to.is_some() { "graduation" } else { "rotation" }
    }

    pub(super) fn leaf(&self) -> Vec<u8> {
        Leaf::new(self.kind())
            .text("id", self.id)
            .text("address", &self.address)
            .text("from", self.from)
            .text_or_null("graduates_to", self.graduates_to.as_ref())
            .text_or_null("to", self.to)
            .int("at", self.at.0)
            .int_or_null("anchor_height", self.anchor.map(|height| height.0))
            .text("profile", self.profile)
            .bytes()
    }

    fn finding(&self, code: Code) -> Finding {
        Finding::new(code, Subject::new(self.kind(), self.id)).with_evidence(self.carrier, "carrier")
    }
}

/// Gathers the steps up to the as-of by address, in order of (claimed time, anchor height, id).
pub(super) fn steps(scope: Scope<'_>, findings: &mut Vec<Finding>) -> BTreeMap<String, Vec<Step>> {
    let height = |id: &Digest32| scope.anchor(id).map(|anchor| anchor.height);
    let graduations = scope.set.graduations.values().map(|verified| {
        let fact = verified.fact();
        Step {
            id: fact.id,
            address: fact.address.clone(),
            from: fact.from,
            graduates_to: Some(fact.to.clone()),
            to: fact.to_federation,
            at: fact.at,
            anchor: height(&fact.id),
            profile: fact.profile,
            carrier: verified.first_carrier(),
        }
    });
    let rotations = scope.set.rotations.values().map(|verified| {
        let fact = verified.fact();
        Step {
            id: fact.id,
            address: fact.address.clone(),
            from: fact.from,
            graduates_to: None,
            to: Some(fact.to),
            at: fact.at,
            anchor: height(&fact.id),
            profile: fact.profile,
            carrier: verified.first_carrier(),
        }
    });
    let mut by_address: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for step in graduations.chain(rotations) {
        if !scope.has_happened(UnixMicros::from(step.at)) {
            findings.push(step.finding(Code::EnvTime).with_values(format!("not after {}", scope.as_of.time), step.at));
            continue;
        }
        findings.extend(after_its_anchor(scope, &step));
        by_address.entry(step.address.clone()).or_default().push(step);
    }
    for steps in by_address.values_mut() {
        steps.sort_by_key(|step| (step.at, step.anchor.is_none(), step.anchor, step.id));
    }
    by_address
}

fn after_its_anchor(scope: Scope<'_>, step: &Step) -> Option<Finding> {
    let anchor = scope.anchor(&step.id)?;
    let limit = anchor.time.plus(BLOCK_TIME_SLACK_SECONDS);
    (step.at > limit).then(|| {
        step.finding(Code::RebAnchorTime)
            .with_values(format!("not after {limit}"), step.at)
            .with_evidence(anchor.proof, "proof")
            .with_explanation("The claimed time is later than the block that already commits to the step.")
    })
}

/// REB_FORK and REB_INVARIANT over the gathered steps.
pub(super) fn check(ledger: &RebindLedger, findings: &mut Vec<Finding>) {
    let mut leaving: BTreeMap<(DescriptorId, &str), Vec<&Step>> = BTreeMap::new();
    for step in ledger.steps.values().flatten() {
        if step.graduates_to.is_none() {
            leaving.entry((step.from, &step.address)).or_default().push(step);
        }
        findings.extend(address_changed(ledger, step));
    }
    for ((descriptor, address), mut steps) in leaving.into_iter().filter(|(_, steps)| steps.len() > 1) {
        steps.sort_by_key(|step| step.id);
        let ids: Vec<String> = steps.iter().map(|step| step.id.to_string()).collect();
        let finding = Finding::new(Code::RebFork, Subject::new("descriptor", descriptor).and("user", address))
            .with_values("one rotation", ids.join(", "))
            .with_explanation(
                "Several valid rotations leave one descriptor; the first by time, anchor and id is followed.",
            );
        findings.push(steps.iter().fold(finding, |finding, step| finding.with_evidence(step.carrier, "rotation")));
    }
    for entry in ledger.entries.values().filter(|entry| entry.standing == crate::ledger::Standing::Counted) {
        let named = |step: &&Step| entry.rebind.graduation == Some(step.id) && step.graduates_to.is_some();
        let Some(step) = ledger.steps.values().flatten().find(named) else { continue };
        // A decentralised id says nothing about the address; an address must be the one that graduated.
        if !entry.rebind.user.as_str().starts_with("did:") && entry.rebind.user.as_str() != step.address {
            findings.push(
                Finding::new(Code::RebInvariant, Subject::new("envelope", entry.id).and("user", &entry.rebind.user))
                    .with_values(&step.address, &entry.rebind.user)
                    .with_evidence(entry.carrier, "carrier")
                    .with_evidence(step.carrier, "graduation")
                    .with_explanation("The transition names a graduation of another address."),
            );
        }
    }
}

/// A custody descriptor carries its user's address: both ends of a step must be of the same one.
fn address_changed(ledger: &RebindLedger, step: &Step) -> Option<Finding> {
    let other = [Some(step.from), step.to]
        .into_iter()
        .flatten()
        .filter_map(|id| ledger.descriptors.get(&id)?.address.as_ref())
        .find(|address| **address != step.address)?;
    Some(
        step.finding(Code::RebInvariant)
            .with_values(&step.address, other)
            .with_explanation("The address of a descriptor differs from the address of the step."),
    )
}

impl RebindLedger {
    /// Resolves who can sign for an address at an instant. A step counts from its own second on.
    ///
    /// Of two steps that leave one descriptor the first in order of (claimed time, anchor height, id) is followed.
    pub fn custody_at(&self, address: &str, at: UnixSeconds) -> Custody {
        let steps = self.steps.get(address).map(Vec::as_slice).unwrap_or_default();
        let mut custody = match steps.first() {
            Some(first) => Custody::Federation(first.from),
            None => self.only_descriptor(address),
        };
        for step in steps.iter().filter(|step| step.at <= at) {
            if custody == Custody::Federation(step.from) {
                custody = step.to.map_or(Custody::SingleKey, Custody::Federation);
            }
        }
        custody
    }

    fn only_descriptor(&self, address: &str) -> Custody {
        let mut ids =
            self.descriptors.values().filter(|known| known.address.as_deref() == Some(address)).map(|known| known.id);
        match (ids.next(), ids.next()) {
            (Some(id), None) => Custody::Federation(id),
            _ => Custody::Unknown,
        }
    }
}
