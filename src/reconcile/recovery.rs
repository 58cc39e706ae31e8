//! Could the state be rebuilt from what is public, and how old is the newest thing that would survive?

use std::collections::BTreeMap;

use crate::domain::{EnvelopeId, EvidenceId, SourceId, UnixMicros, relay_spelling};
use crate::ledger::Standing;
use crate::scratch::{Ascending, Sorter};
use crate::verify::Anchor;

use super::reconciler::Input;
use super::result::{Reconstructible, Recovery};

pub(super) fn reconstructible<'i>(input: &Input<'i>) -> Reconstructible {
    // Sources are few, and envelopes see the same ones over and over.
    let mut by_source: BTreeMap<&SourceId, bool> = BTreeMap::new();
    let mut result = Reconstructible::default();
    let mut count = |sources: &mut dyn Iterator<Item = &'i SourceId>, times: u64| {
        let (mut seen, mut elsewhere) = (false, false);
        for source in sources {
            seen = true;
            elsewhere = elsewhere || !*by_source.entry(source).or_insert_with(|| is_operator(input, source));
        }
        result.with_operator += times * u64::from(seen);
        result.without_operator += times * u64::from(elsewhere);
    };
    // Most have one carrier: those are sorted by it, and looked up side by side.
    let mut alone: Sorter<EvidenceId, u64> = input.set.envelopes.sorter();
    for envelope in input.set.envelopes.values() {
        let carriers = envelope.carriers();
        if carriers.len() == 1 {
            alone.push(&carriers.first(), &1);
        } else {
            count(&mut carriers.iter().filter_map(|id| input.sightings.get(&id)).flatten(), 1);
        }
    }
    let mut sightings = input.sightings.beside();
    alone.each(|sum, times| *sum += times, |id, times| count(&mut sightings.get(&id).into_iter().flatten(), times));
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
    let (mut newest_envelope, mut newest_anchor) = (None, None);
    let mut note = |counted: &mut dyn Iterator<Item = (EnvelopeId, Option<UnixMicros>)>| {
        let mut anchors = Ascending::over(&input.set.anchors);
        for (id, claimed) in counted {
            let claimed = claimed.map(UnixMicros::seconds).filter(|at| *at <= as_of);
            let placed = anchors.get(&id.0).and_then(|state| state.confirmed.into_iter().find(Anchor::is_placed));
            newest_envelope = claimed.max(newest_envelope);
            newest_anchor = placed.map(|anchor| anchor.time).filter(|at| *at <= as_of).max(newest_anchor);
        }
    };
    let billed = input.ledgers.envelope.listed().filter(|entry| entry.standing == Standing::Counted);
    note(&mut billed.map(|entry| (entry.id, entry.claimed)));
    let rebound = input.ledgers.rebind.entries.values().filter(|entry| entry.standing == Standing::Counted);
    note(&mut rebound.map(|entry| (entry.id, Some(entry.rebind.at))));
    Recovery {
        rpo_claimed_seconds: newest_envelope.map(|at| as_of.0.saturating_sub(at.0)),
        rpo_provable_seconds: newest_anchor.map(|at| as_of.0.saturating_sub(at.0)),
        newest_envelope,
        newest_anchor,
    }
}
