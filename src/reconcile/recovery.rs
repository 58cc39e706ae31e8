//! Could the state be rebuilt from what is public, and how old is the newest thing that would survive?

use crate::domain::{EvidenceId, SourceId, UnixMicros, relay_spelling};

use super::reconciler::Input;
use super::result::{Reconstructible, Recovery};

pub(super) fn reconstructible(input: &Input<'_>) -> Reconstructible {
    let operator: Vec<String> = input.policy.operator_relays.iter().map(|url| relay_spelling(url)).collect();
    let is_operator = |source: &SourceId| operator.contains(&relay_spelling(&source.0));
    let mut result = Reconstructible::default();
    for envelope in input.set.envelopes.values() {
        let seen = |counts: &dyn Fn(&SourceId) -> bool| {
            let held = |id: &EvidenceId| input.sightings.get(id).is_some_and(|sources| sources.iter().any(counts));
            envelope.carriers().iter().any(held)
        };
        result.with_operator += u64::from(seen(&|_| true));
        result.without_operator += u64::from(seen(&|source| !is_operator(source)));
    }
    result
}

/// True for a relay that the operator runs, however its address is spelled.
pub(super) fn is_operator(input: &Input<'_>, source: &SourceId) -> bool {
    let address = relay_spelling(&source.0);
    input.policy.operator_relays.iter().any(|url| relay_spelling(url) == address)
}

pub(super) fn recovery(input: &Input<'_>) -> Recovery {
    let as_of = input.as_of.time;
    let envelope = &input.ledgers.envelope.entries;
    let rebinds = input.ledgers.rebind.entries.values().map(|entry| entry.rebind.at);
    let claimed = envelope.values().filter(|entry| entry.counts()).filter_map(|entry| entry.claimed).chain(rebinds);
    let newest_envelope = claimed.map(UnixMicros::seconds).filter(|at| *at <= as_of).max();
    let anchors = input.set.envelopes.keys().filter_map(|id| input.set.anchors.get(&id.0)?.best());
    let newest_anchor = anchors.map(|anchor| anchor.time).filter(|at| *at <= as_of).max();
    Recovery {
        rpo_claimed_seconds: newest_envelope.map(|at| as_of.0.saturating_sub(at.0)),
        rpo_provable_seconds: newest_anchor.map(|at| as_of.0.saturating_sub(at.0)),
        newest_envelope,
        newest_anchor,
    }
}
