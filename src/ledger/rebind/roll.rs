//! All custody artifacts in canonical order.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    BlockHeight, Code, DescriptorId, Digest32, EnvelopeId, EvidenceId, Finding, KeyId, Subject, UserKey,
};
use crate::evidence::{CustodyState, DescriptorForm, OcMeBody, Rebind};
use crate::ledger::canonical::Leaf;
use crate::ledger::envelope::{Exclusion, Standing, Standings};
use crate::ledger::scope::Scope;
use crate::ledger::view::{LeafKind, LedgerView, NamedLeaf};
use crate::verify::{KnownDescriptor, SignedEnvelope, Verified};

use super::chain::{self, Chains};
use super::dated::Dated;
use super::steps::{self, Step};

/// One custody transition envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebindEntry {
    /// Content id.
    pub id: EnvelopeId,
    /// The key that signed.
    pub kid: KeyId,
    /// What it says.
    pub rebind: Rebind,
    /// Whether it enters the replay.
    pub standing: Standing,
    /// Height of the lowest verified anchor.
    pub anchor: Option<BlockHeight>,
    /// Claimed and effective time. The effective one orders the replay and is no part of a leaf: it follows from the rest.
    pub dated: Dated,
    /// A carrier, for findings. Never part of a leaf.
    pub carrier: EvidenceId,
}

impl RebindEntry {
    pub(super) fn finding(&self, code: Code) -> Finding {
        let subject = Subject::new("envelope", self.id).and("user", &self.rebind.user);
        Finding::new(code, subject).with_evidence(self.carrier, "carrier")
    }
}

/// Rebinds, graduations, rotations and descriptors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RebindLedger {
    /// Every verified rebind, by content id.
    pub entries: BTreeMap<EnvelopeId, RebindEntry>,
    /// Rebinds that do not start from the replayed state.
    pub gaps: BTreeSet<EnvelopeId>,
    /// The replayed state of each principal.
    pub states: BTreeMap<UserKey, CustodyState>,
    /// The rebinds that count, by principal, in order of (effective time, anchored first, anchor height, id).
    pub(super) chains: BTreeMap<UserKey, Vec<EnvelopeId>>,
    /// Rebinds that claim another's place in a chain.
    pub(super) equivocal: BTreeSet<EnvelopeId>,
    /// Graduations and rotations by address, in the order of [`Self::chains`].
    pub(super) steps: BTreeMap<String, Vec<Step>>,
    /// Rotations that leave a descriptor which another rotation leaves too.
    pub(super) forked: BTreeSet<Digest32>,
    /// The custody descriptors of each address.
    pub(super) guarded: BTreeMap<String, BTreeSet<DescriptorId>>,
    /// Descriptors whose id is their hash.
    pub(super) descriptors: BTreeMap<DescriptorId, KnownDescriptor>,
}

impl RebindLedger {
    pub(crate) fn fold(
        scope: Scope<'_>,
        standings: &Standings<'_>,
        rebinds: &[Verified<SignedEnvelope>],
        findings: &mut Vec<Finding>,
    ) -> Self {
        let mut ledger = Self::default();
        for verified in rebinds {
            let (id, envelope) = (verified.fact().id, verified.fact());
            let OcMeBody::Rebind(rebind) = &*envelope.body else { continue };
            let (standing, finding) = standings.judge(verified);
            findings.extend(finding);
            let entry = RebindEntry {
                id,
                kid: envelope.kid.clone(),
                rebind: rebind.clone(),
                standing,
                anchor: scope.anchor(&id.0).map(|anchor| anchor.height),
                dated: Dated::of(scope, &id.0, rebind.at),
                carrier: verified.first_carrier(),
            };
            ledger.entries.insert(id, entry);
        }
        ledger.descriptors =
            scope.set.descriptors.iter().map(|(id, descriptor)| (*id, descriptor.fact().clone())).collect();
        for (id, descriptor) in &ledger.descriptors {
            if let (DescriptorForm::Custody, Some(address)) = (descriptor.form, &descriptor.address) {
                ledger.guarded.entry(address.clone()).or_default().insert(*id);
            }
        }
        ledger.steps = steps::gather(scope, findings);
        let Chains { by_principal, gaps, equivocal, states } =
            chain::replay(scope, (&ledger.entries, &ledger.steps), findings);
        (ledger.chains, ledger.gaps, ledger.equivocal, ledger.states) = (by_principal, gaps, equivocal, states);
        ledger.forked = steps::check(scope, &ledger, findings);
        ledger
    }

    /// A descriptor whose id is its hash, when it is held.
    pub fn descriptor(&self, id: &DescriptorId) -> Option<&KnownDescriptor> {
        self.descriptors.get(id)
    }

    /// The ledger's leaves: rebinds, then graduations and rotations, then descriptors, each in order of id.
    pub(in crate::ledger) fn leaves(&self) -> impl Iterator<Item = Vec<u8>> {
        self.named_leaves().map(|leaf| leaf.bytes)
    }

    /// As [`Self::leaves`], named by id.
    pub(in crate::ledger) fn named_leaves(&self) -> impl Iterator<Item = NamedLeaf> {
        let rebinds = self.entries.values().map(|entry| {
            let leaf = Leaf::new("rebind")
                .text("id", entry.id)
                .text("kid", &entry.kid)
                .text("standing", entry.standing.name())
                .text("user", &entry.rebind.user)
                .text("from", entry.rebind.from.name())
                .text("to", entry.rebind.to.name())
                .text_or_null("from_federation", entry.rebind.from_federation.as_ref())
                .text_or_null("to_federation", entry.rebind.to_federation.as_ref())
                .text_or_null("prev", entry.rebind.prev)
                .int("claimed_micros", entry.rebind.at.0)
                .int_or_null("anchor_height", entry.anchor.map(|height| height.0))
                .flag("gap", self.gaps.contains(&entry.id));
            NamedLeaf::new(LeafKind::Rebind, &entry.id, leaf.bytes())
        });
        let steps = self.steps_by_kind().into_values().map(|step| {
            let kind = if step.graduates_to.is_some() { LeafKind::Graduation } else { LeafKind::Rotation };
            NamedLeaf::new(kind, &step.id, step.leaf())
        });
        let descriptors = self.descriptors.values().map(|descriptor| {
            let leaf = Leaf::new("descriptor")
                .text("id", descriptor.id)
                .text_or_null("address", descriptor.address.as_ref())
                .int("threshold", descriptor.threshold)
                .texts("guardians", &descriptor.guardians);
            NamedLeaf::new(LeafKind::Descriptor, &descriptor.id, leaf.bytes())
        });
        rebinds.chain(steps).chain(descriptors)
    }

    fn steps_by_kind(&self) -> BTreeMap<(&str, Digest32), &Step> {
        self.steps.values().flatten().map(|step| ((step.kind(), step.id), step)).collect()
    }

    /// The root over the leaves, and totals.
    pub fn view(&self) -> LedgerView {
        let steps = self.steps_by_kind();
        let count = |n: usize| i128::try_from(n).unwrap_or(i128::MAX);
        let of_kind = |kind: &str| count(steps.values().filter(|step| step.kind() == kind).count());
        let standing = |wanted| count(self.entries.values().filter(|entry| entry.standing == wanted).count());
        LedgerView {
            totals: BTreeMap::from([
                ("rebinds".to_owned(), count(self.entries.len())),
                ("counted".to_owned(), standing(Standing::Counted)),
                ("key_compromised".to_owned(), standing(Standing::Excluded(Exclusion::KeyCompromised))),
                ("gaps".to_owned(), count(self.gaps.len())),
                ("users".to_owned(), count(self.states.len())),
                ("graduations".to_owned(), of_kind("graduation")),
                ("rotations".to_owned(), of_kind("rotation")),
                ("descriptors".to_owned(), count(self.descriptors.len())),
            ]),
            ..LedgerView::of("rebind", self.leaves())
        }
    }
}
