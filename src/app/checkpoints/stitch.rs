//! Going on with a published chain after a restore, so that who verifies sees one chain without a seam.

use std::collections::BTreeSet;
use std::path::Path;

use super::file::{Admitted, CHAIN_FILE, ChainFile, write};
use super::judge::{SealTerms, judged, sound};
use crate::app::audit::sealed_store;
use crate::app::error::AppError;
use crate::app::finished::FinishedRun;
use crate::app::run::RunFolder;
use crate::domain::EvidenceId;
use crate::store::{EvidenceStore as _, RunLock};

/// What was taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stitched {
    /// Checkpoints that the run had not.
    pub checkpoints: u64,
    /// Items that they admitted.
    pub items: u64,
    /// The number of the last one; `None` for an empty chain.
    pub last: Option<u64>,
}

/// Takes over a chain and its list of admissions that go further than the run's own, after everything in them was held
/// against each other, the keys, and the run's evidence.
///
/// # Errors
/// [`AppError::Untrusted`] when chain or list do not hold; [`AppError::Refused`] when the run's own chain is no beginning of
/// it, which would hide one of the two; [`AppError::Unestablished`] when the run lacks evidence that was admitted.
pub fn stitch_chain(
    run: &Path,
    (chain_path, admitted_path): (&Path, &Path),
    terms: &SealTerms,
    jobs: usize,
    dry_run: bool,
) -> Result<Stitched, AppError> {
    FinishedRun::read(run)?;
    let _held = RunLock::take(&RunFolder::at(run).state())?;
    let (chain, mut admitted) = (ChainFile::read(chain_path)?, Admitted::read(admitted_path)?);
    let verdict = judged(&chain, Some(&admitted), terms, jobs)?;
    sound(&chain, &verdict, &chain_path.display().to_string())?;
    let size = chain.last().map_or(0, |last| last.claim.tree_size);
    // A slice's length always fits 64 bits.
    if (admitted.0.len() as u64) < size {
        let what = format!("{} ends before the last checkpoint of the chain", admitted_path.display());
        return Err(AppError::Untrusted { what: format!("checksum_error: {what}") });
    }
    admitted.0.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    let own = ChainFile::of_run(run)?;
    let (ours, theirs) = (own.bodies(), chain.bodies());
    if let Some((seq, digest)) = ours.keys().find(|key| !theirs.contains_key(key)) {
        return Err(AppError::Refused {
            what: format!("checkpoint {seq} of the run, {digest}, is not in {}", chain_path.display()),
            hint: format!("two chains part here: keep both, and say so in public; the run's own is {CHAIN_FILE}"),
        });
    }
    holds(run, &admitted)?;
    let begin = own.last().map_or(0, |last| last.claim.tree_size);
    let stitched = Stitched {
        checkpoints: (theirs.len() - ours.len()) as u64,
        items: size.saturating_sub(begin),
        last: chain.last().map(|last| last.claim.seq),
    };
    if !dry_run {
        let mut joined = chain;
        let known: BTreeSet<Vec<u8>> = joined.lines.iter().map(|line| line.bytes.clone()).collect();
        joined.lines.extend(own.lines.into_iter().filter(|line| !known.contains(&line.bytes)));
        write(run, &joined, &admitted)?;
    }
    Ok(stitched)
}

fn holds(run: &Path, admitted: &Admitted) -> Result<(), AppError> {
    let held: Vec<EvidenceId> = sealed_store(run)?.0.ids()?;
    let mut lost = admitted.0.iter().enumerate().filter(|(_, id)| held.binary_search(id).is_err());
    let Some((at, id)) = lost.next() else { return Ok(()) };
    Err(AppError::Unestablished {
        what: format!("the run lacks {} of {} items: first number {at}, {id}", lost.count() + 1, admitted.0.len()),
        hint: "replay what came after the snapshot first, then stitch".to_owned(),
    })
}
