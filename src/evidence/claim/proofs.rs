//! OpenTimestamps proofs and Bitcoin headers.

use crate::domain::{BlockHash, BlockHeight, Digest32};

/// The `ots` member of an envelope (FORMATS 9.2). A convenience: only the proof counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtsMember {
    /// `pending` or `confirmed`.
    pub status: String,
    /// The proof, detached or bare.
    pub proof: Vec<u8>,
    /// Named calendars.
    pub calendars: Vec<String>,
    /// Declared height.
    pub block_height: Option<BlockHeight>,
    /// Declared hash.
    pub block_hash: Option<BlockHash>,
}

/// A proof about a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtsClaim {
    /// The digest the carrier says it is about: from the file name, or the envelope id.
    pub about: Option<Digest32>,
    /// The proof's bytes, pre-checked: magic or bare, bounded.
    pub proof: Vec<u8>,
    /// For a calendar reply: the commitment it starts from (not 32 bytes).
    pub commitment: Option<Vec<u8>>,
    /// For a calendar reply: the host that gave it.
    pub calendar: Option<String>,
}

/// Consecutive headers as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRun {
    /// Claimed height of the first.
    pub start: Option<BlockHeight>,
    /// 80 bytes each.
    pub headers: Vec<[u8; 80]>,
}
