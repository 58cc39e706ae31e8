//! Findings of all rooms become divergences: one per fingerprint, in one order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::domain::{Code, Digest32, Divergence, Finding, Severity, State, Step};

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
    let best = digest.and_then(|digest| input.set.anchors.get(&digest)?.best().copied());
    finding.explained_by = best.map(|anchor| format!("anchored again at height {}", anchor.height));
}

/// INV-9: what is open stays open whatever else was explained, and the worse severity stands.
fn unite(held: &mut Divergence, other: Divergence) {
    if held.state == State::Explained && other.state == State::Open {
        held.state = State::Open;
        held.explanation.clone_from(&other.explanation);
        held.expected.clone_from(&other.expected);
        held.observed.clone_from(&other.observed);
        held.values_sha256 = other.values_sha256;
    }
    held.severity = held.severity.max(other.severity);
    held.at_stake = held.at_stake.max(other.at_stake);
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
