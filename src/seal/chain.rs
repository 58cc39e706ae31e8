//! The checkpoint chain: signatures, one body a sequence number, each extending its predecessor (docs/checkpoint.md, 4).

use std::collections::BTreeMap;

use super::signature::{self, BadSeal, SealTrust};
use crate::domain::{Code, Counts, Digest32, EvidenceId, Finding, Subject, sha256};
use crate::evidence::checkpoint::{CHECKPOINT_SCHEMA, CheckpointClaim};

/// Checkpoints by sequence number and digest of their bodies.
#[derive(Debug)]
pub(super) struct Chain<'k> {
    trust: SealTrust<'k>,
    links: BTreeMap<u64, BTreeMap<Digest32, Link>>,
    findings: Vec<Finding>,
    counts: Counts,
    seen: std::collections::BTreeSet<EvidenceId>,
}

/// One body.
#[derive(Debug, Clone)]
struct Link {
    evidence: EvidenceId,
    /// At least one line of this body is signed by a trusted key.
    sealed: bool,
    from: u64,
    until: u64,
    tree_size: u64,
    root: Digest32,
    previous: Option<Digest32>,
}

impl<'k> Chain<'k> {
    pub(super) fn new(trust: SealTrust<'k>) -> Self {
        Self {
            trust,
            links: BTreeMap::new(),
            findings: Vec::new(),
            counts: Counts::default(),
            seen: std::collections::BTreeSet::new(),
        }
    }

    pub(super) fn take(&mut self, evidence: EvidenceId, claim: &CheckpointClaim) {
        if !self.seen.contains(&evidence) {
            self.take_checked(evidence, claim, check_checkpoint(self.trust, claim));
        }
    }

    /// As [`Self::take`], by who has looked at the signature already.
    pub(super) fn take_checked(&mut self, evidence: EvidenceId, claim: &CheckpointClaim, seal: Result<(), BadSeal>) {
        if !self.seen.insert(evidence) {
            return;
        }
        self.counts.unique += 1;
        match seal {
            Ok(()) if self.trust.vouches() => self.counts.accepted += 1,
            Ok(()) => self.counts.pending += 1,
            Err(bad) => {
                self.counts.rejected += 1;
                self.findings.push(
                    about(Code::ChkChain, claim.seq, evidence)
                        .with_values("a signature by a trusted key over the body", bad.words())
                        .with_explanation(format!("checkpoint {} names the key {}", claim.seq, claim.key)),
                );
            }
        }
        let link = Link {
            evidence,
            sealed: seal.is_ok(),
            from: claim.from,
            until: claim.until,
            tree_size: claim.tree_size,
            root: claim.root,
            previous: claim.previous,
        };
        let held = self.links.entry(claim.seq).or_default().entry(sha256(&claim.body)).or_insert_with(|| link.clone());
        // One body under two lines: a sealed one decides, and of equals the lower evidence id.
        if (link.sealed, std::cmp::Reverse(link.evidence)) > (held.sealed, std::cmp::Reverse(held.evidence)) {
            *held = link;
        }
    }

    pub(super) fn finish(mut self) -> (Vec<Finding>, Counts) {
        // The last sealed body before the present sequence number; of several the one with the lowest digest.
        let mut before: Option<&Link> = None;
        for (seq, bodies) in &self.links {
            let sealed: Vec<&Link> = bodies.values().filter(|link| link.sealed).collect();
            if sealed.len() > 1 {
                self.findings.extend(sealed.iter().map(|link| {
                    about(Code::ChkChain, *seq, link.evidence)
                        .with_values("one body", format!("{} signed bodies", sealed.len()))
                        .with_explanation(format!("checkpoint {seq} was signed with two contents"))
                }));
            }
            for link in &sealed {
                // What a predecessor's own signature does not vouch for, the successor does that names its digest.
                let named = seq.checked_sub(1).and_then(|at| self.links.get(&at)?.get(&link.previous?));
                self.findings.extend(extends(*seq, link, named));
                self.findings.extend(range(*seq, link, named.or(before)));
            }
            before = sealed.first().copied().or(before);
        }
        (self.findings, self.counts)
    }
}

/// Whether a checkpoint is signed by somebody who is trusted.
///
/// # Errors
/// Why its seal does not count.
pub fn check_checkpoint(trust: SealTrust<'_>, claim: &CheckpointClaim) -> Result<(), BadSeal> {
    signature::check(trust, CHECKPOINT_SCHEMA, &claim.body, &claim.key, &claim.sig)
}

/// Whether the body names the one before it, and keeps its tree where nothing was added.
fn extends(seq: u64, link: &Link, named: Option<&Link>) -> Option<Finding> {
    let found = |expected: String, observed: String| {
        about(Code::ChkChain, seq, link.evidence)
            .with_values(expected, observed)
            .with_explanation(format!("checkpoint {seq} does not extend the one before it"))
    };
    let previous = link.previous.map_or_else(|| "null".to_owned(), |digest| digest.to_hex());
    match (seq, named) {
        (0, _) if link.previous.is_none() => None,
        (0, _) => Some(found("null: the first has no predecessor".to_owned(), previous)),
        (_, None) => Some(found(format!("the digest of checkpoint {}", seq - 1), previous)),
        (_, Some(named)) if named.tree_size == link.tree_size && named.root != link.root => {
            Some(found(named.root.to_hex(), link.root.to_hex()))
        }
        (_, Some(_)) => None,
    }
}

/// Whether the range begins where the neighbour's ends, and the tree ends where the range does.
fn range(seq: u64, link: &Link, neighbour: Option<&Link>) -> Option<Finding> {
    let begin = neighbour.map_or(0, |neighbour| neighbour.until);
    let why = if link.from < begin {
        "its range overlaps the one before it"
    } else if link.from > begin {
        "its range leaves a hole before it"
    } else if link.until < link.from {
        "its range ends before it begins"
    } else if link.tree_size != link.until {
        "its tree has another size than its range ends at"
    } else {
        return None;
    };
    let observed = format!("{}..{} with {} leaves", link.from, link.until, link.tree_size);
    Some(
        about(Code::ChkRange, seq, link.evidence)
            .with_values(format!("a range from {begin} with as many leaves as its end"), observed)
            .with_explanation(format!("checkpoint {seq}: {why}")),
    )
}

fn about(code: Code, seq: u64, evidence: EvidenceId) -> Finding {
    Finding::new(code, Subject::new("seq", seq)).with_evidence(evidence, "checkpoint")
}
