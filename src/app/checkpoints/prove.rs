//! Proofs out of a run's checkpoints, for who does not hold the log.

use std::path::{Path, PathBuf};

use super::file::{ADMITTED_FILE, Admitted, CHAIN_FILE, ChainFile, Line};
use super::judge::{SealTerms, judged, sound};
use crate::app::error::AppError;
use crate::app::plan::config_error;
use crate::domain::{Digest32, EvidenceId, consistency_path, inclusion_path, inert_limited, leaf_hash};
use crate::seal::{CheckpointProof, CheckpointProofKind, SealTrust, check_checkpoint_proof, write_checkpoint_proof};

/// Digits of an id that are enough to name it.
const ID_DIGITS_MIN: usize = 8;

/// What is to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofWanted {
    /// That the item of this id, or of an id that begins so, is below the checkpoint; `None` is the newest.
    Inclusion {
        /// 8 to 64 hex digits.
        item: String,
        /// Which checkpoint.
        at: Option<u64>,
    },
    /// That the later checkpoint extends the earlier one; `None` is the newest.
    Consistency {
        /// The earlier one.
        from: u64,
        /// The later one.
        to: Option<u64>,
    },
}

/// The proof as canonical JSON, drawn from the run's chain and list of admissions.
///
/// # Errors
/// [`AppError::Config`] for a run without checkpoints, or an item or checkpoint that is not there; [`AppError::Untrusted`] when
/// chain and list do not hold.
pub fn prove_checkpoint(run: &Path, wanted: &ProofWanted, jobs: usize) -> Result<Vec<u8>, AppError> {
    let paths: [PathBuf; 2] = [CHAIN_FILE, ADMITTED_FILE].map(|name| run.join(name));
    let (chain, admitted) = (ChainFile::read(&paths[0])?, Admitted::read(&paths[1])?);
    sound(&chain, &judged(&chain, Some(&admitted), &SealTerms::default(), jobs)?, CHAIN_FILE)?;
    let proof = match wanted {
        ProofWanted::Inclusion { item, at } => {
            let checkpoint = checkpoint(&chain, *at)?;
            let leaves = leaves(&admitted, checkpoint)?;
            let (item, index) = item_of(&admitted, item, leaves.len())?;
            CheckpointProof {
                path: inclusion_path(&leaves, index).unwrap_or_default(),
                // A place in a list always fits 64 bits.
                kind: CheckpointProofKind::Inclusion {
                    checkpoint: checkpoint.claim.clone().into(),
                    item,
                    index: index as u64,
                },
            }
        }
        ProofWanted::Consistency { from, to } => {
            let (older, newer) = (checkpoint(&chain, Some(*from))?, checkpoint(&chain, *to)?);
            if older.claim.seq > newer.claim.seq {
                return Err(config_error(
                    format!("checkpoint {from} is not before {}", newer.claim.seq),
                    "name the earlier one with --from",
                ));
            }
            let leaves = leaves(&admitted, newer)?;
            let size = usize::try_from(older.claim.tree_size).unwrap_or(usize::MAX);
            CheckpointProof {
                path: consistency_path(&leaves, size).unwrap_or_default(),
                kind: CheckpointProofKind::Consistency {
                    older: older.claim.clone().into(),
                    newer: newer.claim.clone().into(),
                },
            }
        }
    };
    let bytes = write_checkpoint_proof(&proof);
    // What does not hold for us is handed to nobody.
    check_checkpoint_proof(&bytes, SealTrust::Anyone)
        .map_err(|error| AppError::Internal(format!("a proof of ours does not hold: {error}")))?;
    Ok([bytes.as_slice(), b"\n"].concat())
}

fn checkpoint(chain: &ChainFile, seq: Option<u64>) -> Result<&Line, AppError> {
    let last = chain.last().ok_or_else(|| config_error("there is no checkpoint".to_owned(), "create one first"))?;
    let Some(seq) = seq else { return Ok(last) };
    let found = chain.lines.iter().find(|line| line.claim.seq == seq);
    found.ok_or_else(|| {
        let what = format!("there is no checkpoint {seq}: the chain ends at {}", last.claim.seq);
        config_error(what, "`reledger checkpoint list` shows them")
    })
}

fn leaves(admitted: &Admitted, line: &Line) -> Result<Vec<Digest32>, AppError> {
    let size = usize::try_from(line.claim.tree_size).unwrap_or(usize::MAX);
    let below = admitted.0.get(..size).ok_or_else(|| AppError::Untrusted {
        what: format!("checksum_error: {ADMITTED_FILE} ends before checkpoint {}", line.claim.seq),
    })?;
    Ok(below.iter().map(|id| leaf_hash(id.as_bytes())).collect())
}

fn item_of(admitted: &Admitted, text: &str, size: usize) -> Result<(EvidenceId, usize), AppError> {
    let text = text.to_ascii_lowercase();
    let shown = inert_limited(&text, 80);
    if text.len() < ID_DIGITS_MIN || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(config_error(format!("`{shown}` is no id"), "give 8 to 64 hex digits of an evidence id"));
    }
    let mut found = admitted.0.iter().enumerate().filter(|(_, id)| id.to_string().starts_with(&text));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(config_error(format!("several items begin with `{shown}`"), "give more digits")),
        (Some((index, id)), None) if index < size => Ok((*id, index)),
        (Some((index, _)), None) => Err(config_error(
            format!("`{shown}` was admitted as number {index}, after that checkpoint, which has {size}"),
            "name a later checkpoint with --at",
        )),
        (None, _) => {
            let hint = "`reledger explain ID` names the evidence behind an event or envelope";
            Err(config_error(format!("nothing that was admitted begins with `{shown}`"), hint))
        }
    }
}
