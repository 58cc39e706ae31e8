//! Graduations and rotations: their order, forks, invariants (FORMATS 8.4 to 8.6).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    BlockHeight, Code, DescriptorId, Digest32, EvidenceId, Finding, Subject, UnixMicros, UnixSeconds, UserKey,
};
use crate::evidence::custody::federation_id;
use crate::evidence::{Changed, DescriptorForm};
use crate::ledger::canonical::Leaf;
use crate::ledger::envelope::Standing;
use crate::ledger::scope::Scope;

use super::dated::{Dated, after_its_anchor};
use super::roll::{RebindEntry, RebindLedger};

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
    pub(super) dated: Dated,
    /// What it says to be another than before.
    pub(super) changed: Vec<Changed>,
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

/// Gathers the steps up to the as-of by address, in order of (effective time, anchored first, anchor height, id).
pub(super) fn gather(scope: Scope<'_>, findings: &mut Vec<Finding>) -> BTreeMap<String, Vec<Step>> {
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
            dated: Dated::of(scope, &fact.id, UnixMicros::from(fact.at)),
            changed: fact.changed.clone(),
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
            dated: Dated::of(scope, &fact.id, UnixMicros::from(fact.at)),
            changed: Vec::new(),
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
        findings.extend(after_its_anchor(scope, &step.id, &step.dated, "step", || step.finding(Code::RebAnchorTime)));
        by_address.entry(step.address.clone()).or_default().push(step);
    }
    for steps in by_address.values_mut() {
        steps.sort_by_key(|step| (step.dated.place(), step.id));
    }
    by_address
}

/// REB_FORK and REB_INVARIANT over the gathered steps. Returns the rotations that fork.
pub(super) fn check(scope: Scope<'_>, ledger: &RebindLedger, findings: &mut Vec<Finding>) -> BTreeSet<Digest32> {
    let mut graduations: BTreeMap<Digest32, &Step> = BTreeMap::new();
    for step in ledger.steps.values().flatten() {
        if step.graduates_to.is_some() {
            graduations.insert(step.id, step);
        }
        findings.extend(address_changed(ledger, step));
        findings.extend(step.changed.iter().map(|one| invariant(step.finding(Code::RebInvariant), one)));
    }
    let mut forked = BTreeSet::new();
    let forks = ledger.steps.values().flat_map(|steps| forks(steps));
    for ((descriptor, address), mut steps) in forks {
        steps.sort_by_key(|step| step.id);
        forked.extend(steps.iter().map(|step| step.id));
        let ids: Vec<String> = steps.iter().map(|step| step.id.to_string()).collect();
        let finding = Finding::new(Code::RebFork, Subject::new("descriptor", descriptor).and("user", address))
            .with_values("one rotation", ids.join(", "))
            .with_explanation(
                "Several valid rotations leave one descriptor; the first by time, anchor and id is followed.",
            );
        findings.push(steps.iter().fold(finding, |finding, step| finding.with_evidence(step.carrier, "rotation")));
    }
    for entry in ledger.entries.values().filter(|entry| entry.standing == Standing::Counted) {
        findings.extend(foreign_federation(scope, ledger, entry));
        if entry.rebind.graduates() {
            findings.extend(entry.rebind.changed.iter().map(|one| invariant(entry.finding(Code::RebInvariant), one)));
        }
        let Some(step) = entry.rebind.graduation.and_then(|id| graduations.get(&id)) else { continue };
        let (user, address) = (&entry.rebind.user, UserKey::from(step.address.as_str()));
        // A decentralised id says nothing about the address; an address must be the one that graduated, or the same
        // person's.
        let is_same = scope.people.principal_of(user) == scope.people.principal_of(&address);
        if !user.as_str().starts_with("did:") && !is_same {
            findings.push(
                entry
                    .finding(Code::RebInvariant)
                    .with_values(&step.address, user)
                    .with_evidence(step.carrier, "graduation")
                    .with_explanation("The transition names a graduation of another address."),
            );
        }
    }
    forked
}

/// Rotations of one address that leave a descriptor which another has left, unless custody returned to it in between, by a
/// rotation or a graduation: from A to B, from B to A, and from A once more is a round trip.
fn forks(steps: &[Step]) -> BTreeMap<(DescriptorId, &str), Vec<&Step>> {
    let mut forks: BTreeMap<(DescriptorId, &str), Vec<&Step>> = BTreeMap::new();
    let left: BTreeSet<DescriptorId> =
        steps.iter().filter(|step| step.graduates_to.is_none()).map(|step| step.from).collect();
    for descriptor in left {
        // Rotations since custody last returned to the descriptor, and where the first of them and its followers lead.
        let (mut since, mut led): (Vec<&Step>, Option<DescriptorId>) = (Vec::new(), Some(descriptor));
        let mut forking: Vec<&Step> = Vec::new();
        for step in steps {
            let is_rotation = step.graduates_to.is_none();
            if is_rotation && step.from == descriptor {
                since.push(step);
                if since.len() == 2 {
                    forking.extend(&since);
                } else if since.len() > 2 {
                    forking.push(step);
                }
            }
            if !is_rotation || led == Some(step.from) {
                led = step.to;
                if led == Some(descriptor) {
                    since.clear();
                }
            }
        }
        if let Some(first) = forking.first() {
            forks.insert((descriptor, &first.address), forking);
        }
    }
    forks
}

/// A custody descriptor carries its user's address: a rebind into it must be of that user, as far as addresses are known.
fn foreign_federation(scope: Scope<'_>, ledger: &RebindLedger, entry: &RebindEntry) -> Option<Finding> {
    let id = federation_id(entry.rebind.to_federation.as_ref()?).ok()?;
    let descriptor = ledger.descriptors.get(&id).filter(|held| held.form == DescriptorForm::Custody)?;
    let governed = descriptor.address.as_deref()?;
    let principal = scope.people.principal_of(&entry.rebind.user);
    let names = scope.people.names_of(principal).chain([principal, &entry.rebind.user]);
    let addresses: BTreeSet<&str> = names.map(UserKey::as_str).filter(|name| is_address(name)).collect();
    if addresses.is_empty() || addresses.contains(governed) {
        return None;
    }
    let own: Vec<&str> = addresses.into_iter().collect();
    let mut finding = entry
        .finding(Code::RebInvariant)
        .with_values(own.join(", "), governed)
        .with_explanation("The transition enters a descriptor of another address.");
    finding.subject = finding.subject.and("member", "to_federation");
    Some(finding)
}

/// Segwit and base58 addresses by their beginning; keys in hex are longer than base58 addresses.
fn is_address(name: &str) -> bool {
    name.starts_with("bc1") || name.starts_with(['1', '3']) && name.len() < 40
}

/// Tier, rate and history go with the user.
fn invariant(finding: Finding, changed: &Changed) -> Finding {
    let mut finding = finding
        .with_values(&changed.before, &changed.after)
        .with_explanation(format!("The {} is another after the graduation than before it.", changed.name));
    finding.subject = finding.subject.and("member", changed.name);
    finding
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
