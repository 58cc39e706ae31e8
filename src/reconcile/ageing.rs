//! How old what is open is, by count and by money (TREASURY 6.2).

use std::collections::BTreeMap;

use crate::domain::{Code, Digest32, Divergence, EnvelopeId, State, UnixSeconds};

use super::reconciler::Input;

/// Upper ends of the buckets, in seconds.
const BUCKETS: [(&str, i64); 5] = [
    ("<=15m", 15 * 60),
    ("<=24h", 24 * 3600),
    ("<=7d", 7 * 24 * 3600),
    ("<=14d", 14 * 24 * 3600),
    ("<=93d", 93 * 24 * 3600),
];

/// Open divergences by the age of what they are about.
#[derive(Debug, Default)]
pub(super) struct Ages {
    /// How many.
    pub(super) counts: BTreeMap<String, u64>,
    /// Satoshi at stake, rounded down once a bucket. Only buckets with something at stake.
    pub(super) sats: BTreeMap<String, i128>,
}

pub(super) fn by_age(input: &Input<'_>, divergences: &[Divergence]) -> Ages {
    let mut counts = BTreeMap::new();
    let mut msat: BTreeMap<String, i128> = BTreeMap::new();
    for divergence in divergences.iter().filter(|divergence| divergence.state == State::Open) {
        let bucket = match time_of(input, divergence) {
            None => "unknown",
            Some(at) => {
                let age = input.as_of.time.0.saturating_sub(at.0);
                BUCKETS.iter().find(|(_, limit)| age <= *limit).map_or(">93d", |(name, _)| name)
            }
        };
        *counts.entry(bucket.to_owned()).or_insert(0_u64) += 1;
        if let Some(stake) = divergence.at_stake {
            let sum = msat.entry(bucket.to_owned()).or_default();
            *sum = sum.saturating_add(stake.0);
        }
    }
    Ages { counts, sats: in_sats(msat) }
}

/// Satoshi at stake by code, over divergences of every state: what is acknowledged is not subtracted.
pub(super) fn stakes(divergences: &[Divergence]) -> BTreeMap<Code, i128> {
    let mut msat: BTreeMap<Code, i128> = BTreeMap::new();
    for divergence in divergences {
        if let Some(stake) = divergence.at_stake {
            let sum = msat.entry(divergence.code).or_default();
            *sum = sum.saturating_add(stake.0);
        }
    }
    in_sats(msat)
}

fn in_sats<K: Ord>(msat: BTreeMap<K, i128>) -> BTreeMap<K, i128> {
    msat.into_iter().map(|(name, msat)| (name, msat.div_euclid(1000))).collect()
}

/// When the thing happened that a divergence is about: its envelope, its settlement, its instant, else its oldest
/// carrier.
fn time_of(input: &Input<'_>, divergence: &Divergence) -> Option<UnixSeconds> {
    let digest = |name: &str| divergence.subject.get(name).and_then(|text| text.parse::<Digest32>().ok());
    if let Some(id) = digest("envelope").map(EnvelopeId) {
        let billed = input.ledgers.envelope.entries.get(&id).and_then(|entry| entry.claimed);
        let rebound = || input.ledgers.rebind.entries.get(&id).map(|entry| entry.rebind.at);
        if let Some(at) = billed.or_else(rebound) {
            return Some(at.seconds());
        }
    }
    if let Some(settlement) = digest("settlement").and_then(|digest| input.set.settlements.get(&digest)) {
        return Some(settlement.fact().event.settled_at);
    }
    if let Some(at) = divergence.subject.get("at").and_then(|at| at.parse().ok()) {
        return Some(UnixSeconds(at));
    }
    let carriers = divergence.evidence.iter().filter_map(|evidence| input.set.events.get(&evidence.id));
    carriers.map(|event| event.at).min()
}
