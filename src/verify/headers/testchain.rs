//! Mines tiny chains for tests: at bits `207fffff` a header costs two hashes.

use bitcoin::hashes::Hash as _;
use bitcoin::{BlockHash as Hash, CompactTarget, Target};

use crate::domain::{BlockHash, BlockHeight, Checkpoint, EvidenceId, HeaderPolicy, Media, RawEvidence, sha256};
use crate::evidence::HeaderRun;

/// The easiest target of these chains.
pub(in crate::verify) const EASY: u32 = 0x207f_ffff;
/// Time of every test genesis.
pub(in crate::verify) const GENESIS_TIME: u32 = 1_700_000_000;

pub(in crate::verify) type Raw = [u8; 80];

pub(in crate::verify) fn hash(raw: &Raw) -> [u8; 32] {
    sha256(sha256(raw).as_bytes()).0
}

/// A header that meets its bits.
pub(in crate::verify) fn mine(prev: [u8; 32], root: [u8; 32], time: u32, bits: u32) -> Raw {
    let target = Target::from_compact(CompactTarget::from_consensus(bits));
    let mut raw = [0; 80];
    raw[0] = 4;
    raw[4..36].copy_from_slice(&prev);
    raw[36..68].copy_from_slice(&root);
    raw[68..72].copy_from_slice(&time.to_le_bytes());
    raw[72..76].copy_from_slice(&bits.to_le_bytes());
    for nonce in 0_u32.. {
        raw[76..].copy_from_slice(&nonce.to_le_bytes());
        if target.is_met_by(Hash::from_byte_array(hash(&raw))) {
            break;
        }
    }
    raw
}

/// A Merkle root that tells the branches of a fork apart.
pub(in crate::verify) fn root(label: u32) -> [u8; 32] {
    sha256(&label.to_be_bytes()).0
}

/// `count` headers, ten minutes apart, on top of `prev`.
pub(in crate::verify) fn extend(prev: &Raw, count: u32, label: u32) -> Vec<Raw> {
    extend_paced(prev, count, label, 600)
}

/// `count` headers, that many seconds apart, on top of `prev`.
pub(in crate::verify) fn extend_paced(prev: &Raw, count: u32, label: u32, seconds: u32) -> Vec<Raw> {
    let mut headers: Vec<Raw> = Vec::new();
    for step in 1..=count {
        let last = headers.last().unwrap_or(prev);
        let time = u32::from_le_bytes(last[68..72].try_into().unwrap()) + seconds;
        headers.push(mine(hash(last), root(label + step), time, EASY));
    }
    headers
}

/// A genesis header and `count` more.
pub(in crate::verify) fn chain(count: u32) -> Vec<Raw> {
    let genesis = mine([0; 32], root(0), GENESIS_TIME, EASY);
    let mut headers = vec![genesis];
    headers.extend(extend(&genesis, count, 0));
    headers
}

/// Trusts that header at that height.
pub(in crate::verify) fn policy(height: u32, checkpoint: &Raw) -> HeaderPolicy {
    let checkpoint = Checkpoint { height: BlockHeight(height), hash: BlockHash(hash(checkpoint)) };
    HeaderPolicy { checkpoint, min_depth: 6, pow_limit: EASY }
}

/// The headers as evidence.
pub(in crate::verify) fn run(start: Option<u32>, headers: &[Raw]) -> (EvidenceId, HeaderRun) {
    let about = start.map_or_else(String::new, |start| start.to_string());
    let id = RawEvidence::id_of(Media::Headers, &about, headers.as_flattened());
    (id, HeaderRun { start: start.map(BlockHeight), headers: headers.to_vec() })
}
