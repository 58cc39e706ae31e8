//! Does a verified envelope count?

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, EnvelopeId, Finding, KeyId, Packed, Subject, UnixMicros, UnixSeconds, packed_choice};
use crate::evidence::{OcMeBody, OcMeKind};
use crate::ledger::operations::kept_settlements;
use crate::ledger::scope::Scope;
use crate::verify::{SignedEnvelope, Verified};

/// Whether an entry enters the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It counts.
    Counted,
    /// It is listed and summed apart.
    Excluded(Exclusion),
}

/// Why an entry does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exclusion {
    /// Claimed after the as-of.
    AfterAsOf,
    /// Signed under a leaked key and not proven older than the leak.
    KeyCompromised,
}

impl Packed for Standing {
    fn pack(&self, out: &mut Vec<u8>) {
        let excluded = match self {
            Self::Counted => None,
            Self::Excluded(why) => Some(*why),
        };
        excluded.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Option::unpack(from)?.map_or(Self::Counted, Self::Excluded))
    }
}

packed_choice!(Exclusion { AfterAsOf, KeyCompromised });

impl Standing {
    /// The name used in leaves.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Excluded(Exclusion::AfterAsOf) => "excluded:after-as-of",
            Self::Excluded(Exclusion::KeyCompromised) => "excluded:key-compromised",
        }
    }
}

/// The time an artifact claims for itself; a trust attestation's schema is not known.
pub(crate) fn claimed_time(body: &OcMeBody) -> Option<UnixMicros> {
    match body {
        OcMeBody::Event(event) => Some(event.occurred_at),
        OcMeBody::Payment(payment) => Some(payment.occurred_at),
        OcMeBody::Rebind(rebind) => Some(rebind.at),
        OcMeBody::Trust => None,
        OcMeBody::PayoutBinding(binding) => Some(binding.created_at),
        OcMeBody::Distribution(distribution) => Some(distribution.created_at),
        OcMeBody::Drop(drop) => Some(drop.sealed_at),
        OcMeBody::Activity(activity) => Some(activity.computed_at),
    }
}

/// The court of standings: leaks and what settlements name, indexed once for all envelopes.
pub(crate) struct Standings<'a> {
    scope: Scope<'a>,
    leaked_at: BTreeMap<&'a KeyId, UnixSeconds>,
    /// Distributions and drop manifests that a settlement names by content id.
    distributions: BTreeSet<String>,
    /// Payout bindings that a settlement names by content id.
    bindings: BTreeSet<String>,
}

impl<'a> Standings<'a> {
    pub(crate) fn of(scope: Scope<'a>) -> Self {
        let (mut leaked_at, mut distributions, mut bindings) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        for leak in &scope.policy.compromised {
            let at = leaked_at.entry(&leak.kid).or_insert(leak.at);
            *at = leak.at.min(*at);
        }
        // Settlements are asked only about leaked keys.
        if !leaked_at.is_empty() {
            for event in kept_settlements(scope) {
                distributions.extend(event.distribution);
                bindings.extend(event.payout_binding);
            }
        }
        Self { scope, leaked_at, distributions, bindings }
    }

    /// Decides the standing of one envelope and says why when it does not count.
    pub(crate) fn judge(&self, verified: &Verified<SignedEnvelope>) -> (Standing, Option<Finding>) {
        let envelope = verified.fact();
        // Most envelopes count, and nothing is said of them.
        let subject = || Subject::new("envelope", envelope.id);
        let evidence = verified.first_carrier();
        if let Some(claimed) = claimed_time(&envelope.body)
            && !self.scope.has_happened(claimed)
        {
            let finding = Finding::new(Code::EnvTime, subject())
                .with_values(format!("not after {}", self.scope.as_of.time), claimed.seconds())
                .with_evidence(evidence, "carrier")
                .with_explanation("The envelope claims a time after the as-of; it is not counted.");
            return (Standing::Excluded(Exclusion::AfterAsOf), Some(finding));
        }
        let Some(leaked_at) = self.leaked_at.get(&envelope.kid).copied() else {
            return (Standing::Counted, None);
        };
        if self.is_anchored_before(leaked_at, &envelope.id) || self.is_named_by_a_settlement(envelope) {
            return (Standing::Counted, None);
        }
        let finding = Finding::new(Code::KeyCompromised, subject())
            .with_values(format!("anchored before {leaked_at} or matched by a settlement"), "neither")
            .with_evidence(evidence, "carrier")
            .with_explanation(
                "Whoever holds the leaked key could have signed this envelope; it is excluded from the sums.",
            );
        (Standing::Excluded(Exclusion::KeyCompromised), Some(finding))
    }

    /// Any block will do, not only the lowest: heights and header times need not agree. An isolated header proves work but
    /// not a place in time: whoever holds a leaked key could mine one at low difficulty.
    fn is_anchored_before(&self, leaked_at: UnixSeconds, id: &EnvelopeId) -> bool {
        let state = self.scope.set.anchors.get(&id.0);
        state.into_iter().flat_map(|state| state.confirmed).any(|anchor| anchor.is_placed() && anchor.time < leaked_at)
    }

    /// Settlements are signed by another key, and the id they name commits to the bytes. They name distributions or drop
    /// manifests and payout bindings (TREASURY 2.1, 2.6 R4), never a billable event or a transition (TREASURY 0.8).
    fn is_named_by_a_settlement(&self, envelope: &SignedEnvelope) -> bool {
        match envelope.kind {
            OcMeKind::Distribution | OcMeKind::Drop => self.distributions.contains(envelope.id.to_string().as_str()),
            OcMeKind::PayoutBinding => self.bindings.contains(envelope.id.to_string().as_str()),
            OcMeKind::Event | OcMeKind::Payment | OcMeKind::Rebind | OcMeKind::Trust | OcMeKind::Activity => false,
        }
    }
}
