//! Does a verified envelope count?

use crate::domain::{Code, Finding, Subject, UnixMicros};
use crate::evidence::{OcMeBody, OcMeKind};
use crate::ledger::scope::Scope;
use crate::verify::{HeaderTrust, SignedEnvelope, Verified};

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

/// Decides the standing of one envelope and says why when it does not count.
pub(crate) fn judge(scope: Scope<'_>, verified: &Verified<SignedEnvelope>) -> (Standing, Option<Finding>) {
    let envelope = verified.fact();
    let subject = Subject::new("envelope", envelope.id);
    let evidence = verified.first_carrier();
    if let Some(claimed) = claimed_time(&envelope.body)
        && !scope.has_happened(claimed)
    {
        let finding = Finding::new(Code::EnvTime, subject)
            .with_values(format!("not after {}", scope.as_of.time), claimed.seconds())
            .with_evidence(evidence, "carrier")
            .with_explanation("The envelope claims a time after the as-of; it is not counted.");
        return (Standing::Excluded(Exclusion::AfterAsOf), Some(finding));
    }
    let Some(leaked_at) = scope.leaked_at(&envelope.kid) else {
        return (Standing::Counted, None);
    };
    // An isolated header proves work but not a place in time: whoever holds a leaked key could mine one at low difficulty.
    let anchored_before = scope
        .anchor(&envelope.id.0)
        .is_some_and(|anchor| anchor.trust > HeaderTrust::Isolated && anchor.time < leaked_at);
    if anchored_before || is_named_by_a_settlement(scope, envelope) {
        return (Standing::Counted, None);
    }
    let finding = Finding::new(Code::KeyCompromised, subject)
        .with_values(format!("anchored before {leaked_at} or matched by a settlement"), "neither")
        .with_evidence(evidence, "carrier")
        .with_explanation(
            "Whoever holds the leaked key could have signed this envelope; it is excluded from the sums.",
        );
    (Standing::Excluded(Exclusion::KeyCompromised), Some(finding))
}

/// Settlements are signed by another key. They name distributions and payout bindings, never a billable event (TREASURY 0.8).
fn is_named_by_a_settlement(scope: Scope<'_>, envelope: &SignedEnvelope) -> bool {
    if !matches!(envelope.kind, OcMeKind::Distribution | OcMeKind::PayoutBinding) {
        return false;
    }
    let id = envelope.id.to_string();
    scope.set.settlements.values().any(|settlement| {
        let event = &settlement.fact().event;
        event.settled_at <= scope.as_of.time
            && (event.distribution.as_deref() == Some(&id) || event.payout_binding.as_deref() == Some(&id))
    })
}
