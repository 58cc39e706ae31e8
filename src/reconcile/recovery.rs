//! Could the state be rebuilt from what is public, and how old is the newest thing that would survive?

use crate::domain::{EnvelopeId, EvidenceId, SourceId, UnixMicros, relay_spelling};
use crate::ledger::Standing;

use super::reconciler::Input;
use super::result::{Reconstructible, Recovery};

pub(super) fn reconstructible(input: &Input<'_>) -> Reconstructible {
    let operator: Vec<String> = input.policy.operator_relays.iter().map(|url| relay_spelling(url)).collect();
    let is_operator = |source: &SourceId| operator.contains(&relay_spelling(&source.0));
    let mut result = Reconstructible::default();
    for envelope in input.set.envelopes.values() {
        let seen = |counts: &dyn Fn(&SourceId) -> bool| {
            let held = |id: EvidenceId| input.sightings.get(&id).is_some_and(|sources| sources.iter().any(counts));
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

/// Two recovery points, over the same envelopes: those that count. The claimed one rests on what they say of themselves, the
/// provable one on blocks whose headers chain to something trusted; a header alone is only a claim too.
pub(super) fn recovery(input: &Input<'_>) -> Recovery {
    let as_of = input.as_of.time;
    let billed = input.ledgers.envelope.entries.values().filter(|entry| entry.counts());
    let rebound = input.ledgers.rebind.entries.values().filter(|entry| entry.standing == Standing::Counted);
    let counted: Vec<(EnvelopeId, Option<UnixMicros>)> = billed
        .map(|entry| (entry.id, entry.claimed))
        .chain(rebound.map(|entry| (entry.id, Some(entry.rebind.at))))
        .collect();
    let claimed = counted.iter().filter_map(|(_, claimed)| claimed.map(UnixMicros::seconds));
    let newest_envelope = claimed.filter(|at| *at <= as_of).max();
    let proven = counted.iter().filter_map(|(id, _)| {
        let mut anchors = input.set.anchors.get(&id.0)?.confirmed.iter();
        anchors.find(|anchor| anchor.is_placed()).map(|anchor| anchor.time)
    });
    let newest_anchor = proven.filter(|at| *at <= as_of).max();
    Recovery {
        rpo_claimed_seconds: newest_envelope.map(|at| as_of.0.saturating_sub(at.0)),
        rpo_provable_seconds: newest_anchor.map(|at| as_of.0.saturating_sub(at.0)),
        newest_envelope,
        newest_anchor,
    }
}
