//! `reledger/inclusion-proof/1` and `reledger/consistency-proof/1`: what a checkpoint shows to who does not hold the log
//! (docs/checkpoint.md, section 7).

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use super::chain::check_checkpoint;
use super::signature::{BadSeal, SealTrust};
use crate::domain::{Digest32, EvidenceId, MERKLE_PATH_MAX, is_consistent, is_included, leaf_hash, sha256};
use crate::evidence::checkpoint::CheckpointClaim;

/// The schema name of a proof that an item is below a checkpoint.
const INCLUSION_PROOF_SCHEMA: &str = "reledger/inclusion-proof/1";
/// The schema name of a proof that a checkpoint extends another.
const CONSISTENCY_PROOF_SCHEMA: &str = "reledger/consistency-proof/1";
/// Bytes of a proof that are read: two checkpoints and a path, with room for another layout.
pub const CHECKPOINT_PROOF_BYTES_MAX: usize = 64 * 1024;

/// What a proof is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckpointProofKind {
    /// The item stands at `index` below `checkpoint`.
    Inclusion {
        /// The checkpoint.
        checkpoint: Box<CheckpointClaim>,
        /// The item.
        item: EvidenceId,
        /// Its number.
        index: u64,
    },
    /// Everything below `older` is, in its order, the beginning of what is below `newer`.
    Consistency {
        /// The earlier checkpoint.
        older: Box<CheckpointClaim>,
        /// The later one.
        newer: Box<CheckpointClaim>,
    },
}

/// A proof, which nobody has checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointProof {
    /// What it is about.
    pub kind: CheckpointProofKind,
    /// Siblings, lowest first.
    pub path: Vec<Digest32>,
}

/// A proof whose paths hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedProof {
    /// What it shows.
    pub proof: CheckpointProof,
    /// True when somebody was named who may seal, and did: else it shows that nothing was changed, and not who says so.
    pub vouched: bool,
}

/// Why bytes are no proof.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CheckpointProofError {
    /// Not this schema, or not its members.
    #[error("it can't be read: {0}")]
    Unreadable(String),
    /// The seal of a checkpoint does not count.
    #[error("{} (checkpoint {seq})", bad.words())]
    Seal {
        /// Which.
        seq: u64,
        /// Why.
        bad: BadSeal,
    },
    /// It does not hold.
    #[error("{0}")]
    Fault(&'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inclusion<'b> {
    #[serde(borrow)]
    checkpoint: &'b RawValue,
    index: u64,
    item: String,
    path: Vec<String>,
    #[serde(rename = "schema")]
    _schema: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consistency<'b> {
    #[serde(borrow)]
    newer: &'b RawValue,
    #[serde(borrow)]
    older: &'b RawValue,
    path: Vec<String>,
    #[serde(rename = "schema")]
    _schema: String,
}

#[derive(Deserialize)]
struct Named {
    schema: String,
}

/// The proof as canonical JSON without a line feed.
pub fn write_checkpoint_proof(proof: &CheckpointProof) -> Vec<u8> {
    let path: Vec<String> = proof.path.iter().map(|node| format!("\"{node}\"")).collect();
    let path = path.join(",");
    match &proof.kind {
        CheckpointProofKind::Inclusion { checkpoint, item, index } => format!(
            "{{\"checkpoint\":{},\"index\":{index},\"item\":\"{item}\",\"path\":[{path}],\"schema\":\"{INCLUSION_PROOF_SCHEMA}\"}}",
            line(checkpoint)
        ),
        CheckpointProofKind::Consistency { older, newer } => format!(
            "{{\"newer\":{},\"older\":{},\"path\":[{path}],\"schema\":\"{CONSISTENCY_PROOF_SCHEMA}\"}}",
            line(newer),
            line(older)
        ),
    }
    .into_bytes()
}

/// The line again, members in order. A claim holds its body as it was transported, which is canonical.
fn line(claim: &CheckpointClaim) -> String {
    let (body, sig) = (String::from_utf8_lossy(&claim.body), faster_hex::hex_string(&claim.sig));
    format!("{{\"body\":{body},\"key_id\":\"{}\",\"sig\":\"{sig}\"}}", claim.key)
}

/// Reads and checks a proof: checkpoints as in a chain, their seals, and the path. White space between members may be other
/// than what is written, but inside a checkpoint's body; a member twice or one more is refused.
///
/// # Errors
/// [`CheckpointProofError`] when it is none, a seal does not count, or it does not hold.
pub fn check_checkpoint_proof(bytes: &[u8], trust: SealTrust<'_>) -> Result<JudgedProof, CheckpointProofError> {
    let proof = read(bytes)?;
    let sealed = |claim: &CheckpointClaim| {
        check_checkpoint(trust, claim).map_err(|bad| CheckpointProofError::Seal { seq: claim.seq, bad })
    };
    match &proof.kind {
        CheckpointProofKind::Inclusion { checkpoint, item, index } => {
            sealed(checkpoint)?;
            let place = (*index, checkpoint.tree_size);
            if !is_included(leaf_hash(item.as_bytes()), place, &proof.path, checkpoint.root) {
                return Err(CheckpointProofError::Fault(
                    "the path does not lead from the item to the checkpoint's root",
                ));
            }
        }
        CheckpointProofKind::Consistency { older, newer } => {
            sealed(older)?;
            sealed(newer)?;
            consistent(older, newer, &proof.path).map_err(CheckpointProofError::Fault)?;
        }
    }
    Ok(JudgedProof { proof, vouched: trust.vouches() })
}

fn consistent(older: &CheckpointClaim, newer: &CheckpointClaim, path: &[Digest32]) -> Result<(), &'static str> {
    if older.seq > newer.seq {
        return Err("the older checkpoint has the higher sequence number");
    }
    if older.seq == newer.seq && older.body != newer.body {
        return Err("one sequence number was sealed with two contents");
    }
    if older.seq.checked_add(1) == Some(newer.seq) && newer.previous != Some(sha256(&older.body)) {
        return Err("the newer checkpoint does not name the older one");
    }
    if is_consistent((older.tree_size, older.root), (newer.tree_size, newer.root), path) {
        Ok(())
    } else {
        Err("the path does not show that the newer tree extends the older one")
    }
}

fn unreadable(error: impl std::fmt::Display) -> CheckpointProofError {
    CheckpointProofError::Unreadable(error.to_string())
}

fn read(bytes: &[u8]) -> Result<CheckpointProof, CheckpointProofError> {
    if bytes.len() > CHECKPOINT_PROOF_BYTES_MAX {
        return Err(unreadable("it is too long"));
    }
    let named: Named = serde_json::from_slice(bytes).map_err(unreadable)?;
    let claim = |raw: &RawValue| CheckpointClaim::parse(raw.get().as_bytes()).map(Box::new).map_err(unreadable);
    let (kind, path) = match named.schema.as_str() {
        INCLUSION_PROOF_SCHEMA => {
            let read: Inclusion<'_> = serde_json::from_slice(bytes).map_err(unreadable)?;
            let (checkpoint, item) = (claim(read.checkpoint)?, EvidenceId(lower(&read.item)?));
            (CheckpointProofKind::Inclusion { checkpoint, item, index: read.index }, read.path)
        }
        CONSISTENCY_PROOF_SCHEMA => {
            let read: Consistency<'_> = serde_json::from_slice(bytes).map_err(unreadable)?;
            let (older, newer) = (claim(read.older)?, claim(read.newer)?);
            (CheckpointProofKind::Consistency { older, newer }, read.path)
        }
        _ => return Err(unreadable("it has another schema")),
    };
    if path.len() > MERKLE_PATH_MAX {
        return Err(unreadable("its path is too long"));
    }
    let path = path.iter().map(|node| lower(node)).collect::<Result<_, _>>()?;
    Ok(CheckpointProof { kind, path })
}

/// One digest has one text.
fn lower(text: &str) -> Result<Digest32, CheckpointProofError> {
    let digest = Digest32::from_hex(text).ok().filter(|digest| digest.to_hex() == text);
    digest.ok_or_else(|| unreadable("a digest is not 64 hex digits in lower case"))
}
