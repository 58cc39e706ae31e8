//! What is known of a digest's anchoring: blocks, what waits for one, what a reorganisation took away.

use std::sync::Arc;

use super::carriers::Pieces;
use crate::domain::{BlockHash, BlockHeight, EvidenceId, Few, UnixSeconds, packed_choice, packed_struct};

/// How far a header may be trusted, strongest last (OTS 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderTrust {
    /// Stands alone: its own proof of work is met, and its bits are those pinned for its epoch where known.
    Isolated,
    /// Chains into a pinned epoch-end hash.
    PinnedEpoch,
    /// Chains to the checkpoint under all rules.
    Chain,
}

packed_choice!(HeaderTrust { Isolated, PinnedEpoch, Chain });

impl HeaderTrust {
    /// The kebab-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Isolated => "isolated",
            Self::PinnedEpoch => "pinned-epoch",
            Self::Chain => "chain",
        }
    }
}

/// A Bitcoin block that commits to a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor {
    /// Height.
    pub height: BlockHeight,
    /// Header's own time.
    pub time: UnixSeconds,
    /// Block hash.
    pub hash: BlockHash,
    /// How the header is trusted.
    pub trust: HeaderTrust,
    /// Deep enough below the tip (policy `min_depth`); always true for `PinnedEpoch`, false when no tip is known above it.
    pub is_final: bool,
    /// The proof.
    pub proof: EvidenceId,
}

packed_struct!(Anchor { height, time, hash, trust, is_final, proof });

impl Anchor {
    /// True when the header has a place in time: an isolated one proves work, and its height is only a claim.
    pub fn is_placed(&self) -> bool {
        self.trust > HeaderTrust::Isolated
    }
}

/// A pending attestation inside a proof.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingAnchor {
    /// Calendar URI as written in the proof. Foreign text.
    pub uri: Arc<str>,
    /// The message at the pending attestation: what a calendar is asked for.
    pub commitment: Box<[u8]>,
    /// The commitment's own submit time (first four bytes, OTS 2.3), when it has the calendars' shape.
    pub submitted_at: Option<UnixSeconds>,
    /// The proof.
    pub proof: EvidenceId,
}

packed_struct!(PendingAnchor { uri, commitment, submitted_at, proof });

/// A block that commits to a digest and left the most-work chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StaleAnchor {
    /// The height that another block has now.
    pub height: BlockHeight,
    /// Block hash.
    pub hash: BlockHash,
    /// The proof.
    pub proof: EvidenceId,
}

packed_struct!(StaleAnchor { height, hash, proof });

/// All that is known about the anchoring of one digest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnchorState {
    /// Blocks whose Merkle root the proof reaches, lowest first.
    pub confirmed: Vec<Anchor>,
    /// Heights that the proof names and no known header answers for.
    pub header_missing: Few<BlockHeight>,
    /// Blocks that anchored it until a reorganisation (HDR_REORG).
    pub stale: Few<StaleAnchor>,
    /// Pending attestations.
    pub pending: Few<PendingAnchor>,
    /// Commitments of pending attestations whose answer the proof holds already: it leads on from them to a block, or to
    /// one whose header is missing.
    pub answered: Few<Box<[u8]>>,
    /// Proofs that were refused.
    pub refused: Few<EvidenceId>,
    /// Every proof seen about this digest.
    pub proofs: Pieces,
}

packed_struct!(AnchorState { confirmed, header_missing, stale, pending, answered, refused, proofs });

impl AnchorState {
    /// The lowest verified block.
    pub fn best(&self) -> Option<&Anchor> {
        self.confirmed.first()
    }

    /// True when a final block with a place in time, of that instant or an earlier one, commits to the digest.
    pub fn is_proven_by(&self, at: UnixSeconds) -> bool {
        self.confirmed.iter().any(|anchor| anchor.is_final && anchor.is_placed() && anchor.time <= at)
    }
}
