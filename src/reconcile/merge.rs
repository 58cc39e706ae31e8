//! Findings of all rooms become divergences: one per fingerprint, in one order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::domain::{Code, Digest32, Divergence, EnvelopeId, Finding, Severity, State, Step, UnixSeconds};

use super::reconciler::Input;

/// Unites the findings of verification, ledgers and reconciliation. Sorted by (severity descending, code, fingerprint).
pub(super) fn divergences(input: &Input<'_>, own: Vec<Finding>) -> Vec<Divergence> {
    let mut all: Vec<Finding> = input.set.findings.iter().chain(&input.ledgers.findings).cloned().chain(own).collect();
    for finding in all.iter_mut().filter(|finding| finding.code == Code::HdrReorg) {
        anchored_again(input, finding);
    }
    // Sorted first, so that which text represents a fingerprint depends on no order of arrival.
    all.sort();
    all.dedup();
    let mut merged: BTreeMap<Digest32, Divergence> = BTreeMap::new();
    for divergence in all.into_iter().map(Finding::into_divergence) {
        match merged.get_mut(&divergence.fingerprint) {
            None => {
                merged.insert(divergence.fingerprint, divergence);
            }
            Some(held) => unite(held, divergence),
        }
    }
    let mut divergences: Vec<Divergence> = merged.into_values().collect();
    divergences.sort_by_key(|divergence| (Reverse(divergence.severity), divergence.code, divergence.fingerprint));
    divergences
}

/// A reorganisation took one anchor away; another proof of the digest stands in the most-work chain.
fn anchored_again(input: &Input<'_>, finding: &mut Finding) {
    let digest = finding.subject.get("digest").and_then(|digest| Digest32::from_hex(digest).ok());
    let best = digest.and_then(|digest| input.set.anchors.get(&digest)?.best());
    finding.explained_by = best.map(|anchor| format!("anchored again at height {}", anchor.height));
}

/// INV-9: what is open stays open whatever else was explained, and the worse severity stands.
fn unite(held: &mut Divergence, other: Divergence) {
    if held.state == State::Explained && other.state == State::Open {
        held.state = State::Open;
        held.explanation.clone_from(&other.explanation);
        held.expected.clone_from(&other.expected);
        held.observed.clone_from(&other.observed);
    }
    held.severity = held.severity.max(other.severity);
    held.evidence.extend(other.evidence);
    held.evidence.sort();
    held.evidence.dedup();
}

/// Open divergences that ask for a person: whatever blocks, and every open difference with the federation (runbook step 4).
pub(super) fn needs_review(divergences: &[Divergence]) -> u64 {
    let asks = |divergence: &&Divergence| {
        let threshold = if divergence.step == Step::Settlement { Severity::Warn } else { Severity::Error };
        divergence.fails(threshold)
    };
    super::audit::wide(divergences.iter().filter(asks).count())
}

/// Counts open divergences by the age of what they are about (TREASURY 6.2).
pub(super) fn by_age(input: &Input<'_>, divergences: &[Divergence]) -> BTreeMap<String, u64> {
    const BUCKETS: [(&str, i64); 5] = [
        ("<=15m", 15 * 60),
        ("<=24h", 24 * 3600),
        ("<=7d", 7 * 24 * 3600),
        ("<=14d", 14 * 24 * 3600),
        ("<=93d", 93 * 24 * 3600),
    ];
    let mut counts = BTreeMap::new();
    for divergence in divergences.iter().filter(|divergence| divergence.state == State::Open) {
        let bucket = match time_of(input, divergence) {
            None => "unknown",
            Some(at) => {
                let age = input.as_of.time.0.saturating_sub(at.0);
                BUCKETS.iter().find(|(_, limit)| age <= *limit).map_or(">93d", |(name, _)| name)
            }
        };
        *counts.entry(bucket.to_owned()).or_insert(0_u64) += 1;
    }
    counts
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
