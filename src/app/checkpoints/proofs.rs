//! Proofs out of checkpoints among the files that are to be judged.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::app::error::AppError;
use crate::app::meant::Meant;
use crate::domain::{Digest32, PublicKey32, inert_limited, sha256};
use crate::seal::{CHECKPOINT_PROOF_BYTES_MAX, CheckpointProofKind, JudgedProof, SealTrust, check_checkpoint_proof};

/// What the names of their schemas begin with.
const SCHEMAS: [&str; 2] = ["reledger/inclusion-proof/", "reledger/consistency-proof/"];

/// One judged proof.
#[derive(Debug, Clone)]
pub struct JudgedCheckpointProof {
    /// The file's name.
    pub place: String,
    /// sha256 of the file.
    pub id: Digest32,
    /// What it shows, or why it does not hold. Foreign text is made inert.
    pub verdict: Result<String, String>,
    /// True when somebody was named who may seal.
    pub vouched: bool,
}

/// Takes the proofs out of a list of files and folders: what is left, folders as the files below them, and the proofs.
pub(in crate::app) fn split(
    files: &[PathBuf],
    keys: &BTreeSet<PublicKey32>,
) -> Result<(Vec<PathBuf>, Vec<JudgedCheckpointProof>), AppError> {
    Meant { bytes_max: CHECKPOINT_PROOF_BYTES_MAX, is_meant }.split(files, |place, bytes| judge(place, bytes, keys))
}

/// True for one document that calls itself such a proof, or was one before it was damaged: it begins as one and is no JSON.
pub(in crate::app) fn is_meant(bytes: &[u8]) -> bool {
    let named = |text: &str| SCHEMAS.iter().any(|schema| text.starts_with(schema));
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(value) => value["schema"].as_str().is_some_and(named),
        Err(_) => [b"{\"checkpoint\":{\"body\":".as_slice(), b"{\"newer\":{\"body\":"]
            .iter()
            .any(|start| bytes.starts_with(start)),
    }
}

/// Judges what is meant for a proof. Without keys, checkpoints count by whoever sealed them, and the verdict says less.
pub(in crate::app) fn judge(place: String, bytes: &[u8], keys: &BTreeSet<PublicKey32>) -> JudgedCheckpointProof {
    let trust = SealTrust::of(keys);
    let verdict = check_checkpoint_proof(bytes, trust);
    let verdict = verdict.map(|judged| said(&judged)).map_err(|error| inert_limited(&error.to_string(), 300));
    JudgedCheckpointProof { place, id: sha256(bytes), verdict, vouched: trust.vouches() }
}

fn said(judged: &JudgedProof) -> String {
    let by = |key: &PublicKey32| {
        let standing = if judged.vouched { "trusted" } else { "vouched for by nobody" };
        format!("key {key} ({standing})")
    };
    match &judged.proof.kind {
        CheckpointProofKind::Inclusion { checkpoint, item, index } => format!(
            "item {item} is number {index} of the {} below checkpoint {}, root {}, {}",
            checkpoint.tree_size,
            checkpoint.seq,
            checkpoint.root,
            by(&checkpoint.key)
        ),
        CheckpointProofKind::Consistency { older, newer } => format!(
            "checkpoint {} with {} items extends checkpoint {} with {}, root {}, {}",
            newer.seq,
            newer.tree_size,
            older.seq,
            older.tree_size,
            newer.root,
            by(&newer.key)
        ),
    }
}
