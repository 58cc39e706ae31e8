//! The room's door for what others sealed: checkpoints and snapshots in any order, then findings and counts.

use super::chain::Chain;
use super::signature::{BadSeal, SealTrust};
use super::snapshots::Snapshots;
use crate::domain::{Counts, EvidenceId, Finding};
use crate::evidence::checkpoint::CheckpointClaim;
use crate::evidence::snapshot::SnapshotOutline;

/// What judging gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SealJudgement {
    /// `CHK_*` and `SNAP_*`, sorted.
    pub findings: Vec<Finding>,
    /// Checkpoints by their signature; `pending` when nobody was named who may sign.
    pub checkpoints: Counts,
    /// Snapshots by all that was found about each; `pending` as for checkpoints, and when their members were not read.
    pub snapshots: Counts,
}

/// Judges seals together. Order and repetition change nothing.
#[derive(Debug)]
pub struct SealJudge<'k> {
    chain: Chain<'k>,
    snapshots: Snapshots<'k>,
}

impl<'k> SealJudge<'k> {
    /// A judge who trusts these keys.
    pub fn new(trust: SealTrust<'k>) -> Self {
        Self { chain: Chain::new(trust), snapshots: Snapshots::new(trust) }
    }

    /// Takes one checkpoint.
    pub fn checkpoint(&mut self, evidence: EvidenceId, claim: &CheckpointClaim) {
        self.chain.take(evidence, claim);
    }

    /// Takes one checkpoint whose signature was judged already: by [`check_checkpoint`](super::check_checkpoint), or by who knows
    /// for how long the key was to sign.
    pub fn checkpoint_checked(&mut self, evidence: EvidenceId, claim: &CheckpointClaim, seal: Result<(), BadSeal>) {
        self.chain.take_checked(evidence, claim, seal);
    }

    /// Takes what was read of one snapshot.
    pub fn snapshot(&mut self, evidence: EvidenceId, outline: &SnapshotOutline) {
        self.snapshots.take(evidence, outline);
    }

    /// The verdict over all of them.
    pub fn finish(self) -> SealJudgement {
        let (mut findings, checkpoints) = self.chain.finish();
        let (others, snapshots) = self.snapshots.finish();
        findings.extend(others);
        findings.sort();
        findings.dedup();
        SealJudgement { findings, checkpoints, snapshots }
    }
}
