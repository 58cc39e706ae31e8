//! Proofs about balances among the files that are to be judged.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::error::AppError;
use super::inspect::regular_files;
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
    let (mut rest, mut proofs) = (Vec::new(), Vec::new());
    for file in files {
        let mut below = vec![file.clone()];
        if file.is_dir() {
            below.clear();
            regular_files(file, 0, &mut below)?;
        }
        for file in below {
            match read(&file)? {
                Some(bytes) => proofs.push(judge(file.display().to_string(), &bytes)),
                None => rest.push(file),
            }
        }
    }
    Ok((rest, proofs))
}

/// The bytes of a file that is meant for a proof. What can't be read, or only once, is for the others to tell.
fn read(path: &Path) -> Result<Option<Vec<u8>>, AppError> {
    let small = |file: &std::fs::Metadata| {
        file.is_file() && usize::try_from(file.len()).is_ok_and(|length| length <= BALANCE_PROOF_BYTES_MAX)
    };
    if !std::fs::metadata(path).is_ok_and(|file| small(&file)) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(BALANCE_PROOF_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let file = File::open(path).map_err(AppError::io("open", path))?;
    file.take(limit).read_to_end(&mut bytes).map_err(AppError::io("read", path))?;
    Ok(is_meant(&bytes).then_some(bytes))
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
