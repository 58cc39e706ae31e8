//! How old what is open is, by count and by money, in all and by project (TREASURY 6.2).

use std::collections::BTreeMap;

use crate::domain::{Code, Digest32, Divergence, EnvelopeId, ProjectKey, State, UnixSeconds};
use crate::evidence::OcMeBody;

use super::reconciler::Input;
use super::result::Ages;

/// Upper ends of the buckets, in seconds.
const BUCKETS: [(&str, i64); 5] = [
    ("<=15m", 15 * 60),
    ("<=24h", 24 * 3600),
    ("<=7d", 7 * 24 * 3600),
    ("<=14d", 14 * 24 * 3600),
    ("<=93d", 93 * 24 * 3600),
];

/// Counts, and millisatoshi that are rounded down once at the end.
#[derive(Default)]
struct Sums {
    counts: BTreeMap<String, u64>,
    msat: BTreeMap<String, i128>,
}

impl Sums {
    fn add(&mut self, bucket: &str, divergence: &Divergence) {
        *self.counts.entry(bucket.to_owned()).or_default() += 1;
        if let Some(stake) = divergence.at_stake {
            let sum = self.msat.entry(bucket.to_owned()).or_default();
            *sum = sum.saturating_add(stake.0);
        }
    }

    fn finish(self) -> Ages {
        Ages { counts: self.counts, sats: in_sats(self.msat) }
    }
}

/// Says of each divergence when the thing happened that it is about.
pub(super) fn date(input: &Input<'_>, divergences: &mut [Divergence]) {
    for divergence in divergences {
        divergence.at = time_of(input, divergence);
    }
}

/// Open divergences by the age of what they are about, in all and by the project that they are about. What is about a user, a
/// federation or a proof is about no one project.
pub(super) fn ages(input: &Input<'_>, divergences: &[Divergence]) -> (Ages, BTreeMap<ProjectKey, Ages>) {
    let (mut all, mut projects) = (Sums::default(), BTreeMap::<ProjectKey, Sums>::new());
    for divergence in divergences.iter().filter(|divergence| divergence.state == State::Open) {
        let bucket = bucket(input.as_of.time, divergence);
        all.add(bucket, divergence);
        if let Some(project) = project_of(input, divergence) {
            projects.entry(project).or_default().add(bucket, divergence);
        }
    }
    (all.finish(), projects.into_iter().map(|(project, sums)| (project, sums.finish())).collect())
}

fn bucket(as_of: UnixSeconds, divergence: &Divergence) -> &'static str {
    let Some(at) = divergence.at else { return "unknown" };
    let age = as_of.0.saturating_sub(at.0);
    BUCKETS.iter().find(|(_, limit)| age <= *limit).map_or(">93d", |(name, _)| name)
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

fn digest(divergence: &Divergence, name: &str) -> Option<Digest32> {
    divergence.subject.get(name)?.parse().ok()
}

/// The project of the subject, of its envelope or of its settlement.
fn project_of(input: &Input<'_>, divergence: &Divergence) -> Option<ProjectKey> {
    if let Some(project) = divergence.subject.get("project") {
        return Some(project.into());
    }
    let entry = digest(divergence, "envelope").and_then(|id| input.ledgers.envelope.entry(&EnvelopeId(id)));
    if let Some(OcMeBody::Event(event)) = entry.as_ref().map(|entry| &*entry.body) {
        return event.project.clone();
    }
    let settlement = digest(divergence, "settlement").and_then(|digest| input.set.settlements.get(&digest))?;
    settlement.fact().event.project.clone()
}

/// When the thing happened that a divergence is about: its envelope, its settlement, its instant, else its oldest
/// carrier.
fn time_of(input: &Input<'_>, divergence: &Divergence) -> Option<UnixSeconds> {
    if let Some(id) = digest(divergence, "envelope").map(EnvelopeId) {
        let billed = input.ledgers.envelope.entry(&id).and_then(|entry| entry.claimed);
        let rebound = || input.ledgers.rebind.entries.get(&id).map(|entry| entry.rebind.at);
        if let Some(at) = billed.or_else(rebound) {
            return Some(at.seconds());
        }
    }
    let settlement = digest(divergence, "settlement").and_then(|digest| input.set.settlements.get(&digest));
    if let Some(settlement) = settlement {
        return Some(settlement.fact().event.settled_at);
    }
    if let Some(at) = divergence.subject.get("at").and_then(|at| at.parse().ok()) {
        return Some(UnixSeconds(at));
    }
    let carriers = divergence.evidence.iter().filter_map(|evidence| input.set.events.get(&evidence.id));
    carriers.map(|event| event.at).min()
}
