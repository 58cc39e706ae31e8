//! Proofs about balances among the files that are to be judged.

use std::path::PathBuf;

use super::error::AppError;
use super::meant::Meant;
use crate::domain::{Digest32, SumClaim, SumProof, inert, sha256};
use crate::seal::{BALANCE_PROOF_BYTES_MAX, check_balance_proof};

/// What the name of a proof's schema begins with.
const SCHEMA: &str = "reledger/balance-proof/";
/// How a canonical proof begins, and what follows soon: enough to know one that is damaged.
const BEGINNING: &[u8] = br#"{"balance_sats":"#;
const CLAIM: &[u8] = br#","claim":""#;

/// One judged proof about a balance.
#[derive(Debug, Clone)]
pub struct JudgedBalanceProof {
    /// The file's name.
    pub place: String,
    /// sha256 of the file.
    pub id: Digest32,
    /// What it shows, or why it does not hold. Foreign text is made inert.
    pub verdict: Result<String, String>,
}

/// Takes the proofs out of a list of files and folders: what is left, folders as the files below them, and the proofs.
pub(super) fn split(files: &[PathBuf]) -> Result<(Vec<PathBuf>, Vec<JudgedBalanceProof>), AppError> {
    Meant { bytes_max: BALANCE_PROOF_BYTES_MAX, is_meant }.split(files, judge)
}

/// True for the bytes, or the beginning of them, that are meant for a proof.
pub(super) fn is_meant(bytes: &[u8]) -> bool {
    let has = |part: &[u8], mark: &[u8]| part.windows(mark.len()).any(|window| window == mark);
    let begins = bytes.starts_with(BEGINNING) && has(bytes.get(..128).unwrap_or(bytes), CLAIM);
    begins || has(bytes, SCHEMA.as_bytes()) && is_named(bytes)
}

/// True for one document that calls itself a proof: not for a list of records of which one speaks of proofs.
fn is_named(bytes: &[u8]) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    value.is_some_and(|value| value["schema"].as_str().is_some_and(|schema| schema.starts_with(SCHEMA)))
}

/// Judges what is meant for a proof.
pub(super) fn judge(place: String, bytes: &[u8]) -> JudgedBalanceProof {
    let verdict = check_balance_proof(bytes).map(|proof| said(&proof)).map_err(|error| inert(&error.to_string()));
    JudgedBalanceProof { place, id: sha256(bytes), verdict }
}

fn said(proof: &SumProof) -> String {
    let what = match proof.claim {
        SumClaim::Included(sats) => format!("is owed {sats} sats"),
        SumClaim::Absent => "is not there".to_owned(),
    };
    let (node, count) = (proof.root.node, proof.root.count);
    format!("`{}` {what}, by root {} of {count} users and {} sats", inert(&proof.user), node.hash, node.sum)
}
