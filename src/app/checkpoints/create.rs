//! Making the next checkpoint of a finished run.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::file::{ADMITTED_FILE, Admitted, CHAIN_FILE, ChainFile, Line, write, write_latest};
use super::judge::{SealTerms, judged, sound};
use crate::app::audit::{audit, sealed_store};
use crate::app::error::AppError;
use crate::app::finished::FinishedRun;
use crate::app::links::member;
use crate::app::observer::{Cancel, Observer};
use crate::app::pen::Pen;
use crate::app::run::RunFolder;
use crate::domain::{Digest32, EvidenceId, MerkleTree, PublicKey32, UnixSeconds, inert_limited};
use crate::evidence::checkpoint::CheckpointClaim;
use crate::seal::{CheckpointBody, checkpoint_line};
use crate::store::{EvidenceStore as _, RunLock};
use crate::verify::Checks;

/// What the caller decides.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags, as the command line has them")]
pub struct CheckpointOptions {
    /// The run's folder.
    pub run: PathBuf,
    /// Draw the report again from the evidence first.
    pub audit: bool,
    /// The key is another than the last checkpoint's on purpose.
    pub rotate: bool,
    /// Seal a state that is of an earlier instant than the last one.
    pub yes: bool,
    /// Say what would be sealed, and write nothing.
    pub dry_run: bool,
    /// Worker threads; 0 is one per core.
    pub jobs: usize,
}

/// The newest checkpoint of the run.
#[derive(Debug, Clone)]
pub struct CreatedCheckpoint {
    /// Its line, without a line feed.
    pub line: Vec<u8>,
    /// What it says.
    pub claim: CheckpointClaim,
    /// Its digest, which the next one names.
    pub sha256: Digest32,
    /// False when nothing has changed since the last one, which this is then.
    pub is_new: bool,
}

/// Admits what the run's evidence holds beyond the last checkpoint, and seals it with the state that its report came to.
///
/// # Errors
/// [`AppError::Config`] for a folder without a finished run; [`AppError::Untrusted`] when a member of the run is not what the
/// manifest says, the report does not follow from the evidence, or the chain at hand does not hold; [`AppError::Refused`] for
/// evidence that was admitted and is gone, another key without `rotate`, or an earlier instant without `yes`.
pub fn create_checkpoint(
    options: &CheckpointOptions,
    pen: &Pen,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<CreatedCheckpoint, AppError> {
    let run = &options.run;
    // A folder that is none is told before a lock is left in it.
    FinishedRun::read(run)?;
    let _held = RunLock::take(&RunFolder::at(run).state())?;
    let finished = FinishedRun::read(run)?;
    let (store, _) = sealed_store(run)?;
    if options.audit {
        follows(options, observer, cancel)?;
    }
    let chain = ChainFile::of_run(run)?;
    let mut admitted = Admitted::of_run(run)?;
    // Whoever sealed it is for a verifier; here it must be whole.
    let verdict = judged(&chain, Some(&admitted), &SealTerms::default(), options.jobs)?;
    sound(&chain, &verdict, CHAIN_FILE)?;
    let last = chain.last();
    let begin = usize::try_from(last.map_or(0, |last| last.claim.until)).unwrap_or(usize::MAX);
    if admitted.0.len() < begin {
        let what = format!("{ADMITTED_FILE} ends at {}, and the last checkpoint has {begin}", admitted.0.len());
        return Err(AppError::Untrusted { what: format!("checksum_error: {what}") });
    }
    admitted.0.truncate(begin);
    let added = admit(&mut admitted, &store.ids()?)?;
    let body = body(&finished, &admitted, last)?;
    may_seal(options, &chain, &body, pen.key())?;
    if let Some(last) = last.filter(|last| is_same(&chain, last, &body, added, pen.key())) {
        if !options.dry_run {
            write_latest(run, &chain)?;
        }
        return Ok(CreatedCheckpoint {
            line: last.bytes.clone(),
            claim: last.claim.clone(),
            sha256: last.digest(),
            is_new: false,
        });
    }
    let line = checkpoint_line(&body, &pen.key(), &pen.sign_bytes(&body.message()));
    let claim = CheckpointClaim::parse(&line)
        .map_err(|why| AppError::Internal(format!("a checkpoint of ours can't be read: {why}")))?;
    let line = Line { bytes: line, claim };
    let created =
        CreatedCheckpoint { line: line.bytes.clone(), claim: line.claim.clone(), sha256: line.digest(), is_new: true };
    if !options.dry_run {
        let mut chain = chain;
        chain.lines.push(line);
        write(run, &chain, &admitted)?;
    }
    Ok(created)
}

fn follows(options: &CheckpointOptions, observer: &dyn Observer, cancel: &Cancel) -> Result<(), AppError> {
    match audit(&options.run, (options.jobs, Checks::default()), observer, cancel)?.first_difference {
        None => Ok(()),
        Some(place) => {
            let place = inert_limited(&place, 200);
            let what = format!("report.json does not follow from the evidence: first difference at {place}");
            Err(AppError::Untrusted { what: format!("checksum_error: {what}") })
        }
    }
}

/// Appends what is held and was not admitted, ascending by id: within one range no order of arrival is told.
fn admit(admitted: &mut Admitted, held: &[EvidenceId]) -> Result<usize, AppError> {
    let before: BTreeSet<EvidenceId> = admitted.0.iter().copied().collect();
    if let Some((at, lost)) = admitted.0.iter().enumerate().find(|(_, id)| held.binary_search(id).is_err()) {
        return Err(AppError::Refused {
            what: format!("evidence {lost} was admitted as number {at}, and the run does not hold it"),
            hint: "a checkpoint only adds: replay until it is held again, or restore a snapshot that has it".to_owned(),
        });
    }
    let news: Vec<EvidenceId> = held.iter().filter(|id| !before.contains(id)).copied().collect();
    let added = news.len();
    admitted.0.extend(news);
    Ok(added)
}

fn body(finished: &FinishedRun, admitted: &Admitted, last: Option<&Line>) -> Result<CheckpointBody, AppError> {
    let report = finished.report();
    let unread =
        || AppError::Untrusted { what: "checksum_error: report.json names no state root or instant".to_owned() };
    let mut tree = MerkleTree::new();
    admitted.0.iter().for_each(|id| tree.push(id.as_bytes()));
    let seq = match last {
        None => 0,
        Some(last) => {
            last.claim.seq.checked_add(1).ok_or_else(|| AppError::Internal("the chain is full".to_owned()))?
        }
    };
    Ok(CheckpointBody {
        seq,
        from: last.map_or(0, |last| last.claim.until),
        until: tree.count(),
        root: tree.root(),
        state_root: member(report, "state_root").ok_or_else(unread)?,
        as_of: UnixSeconds(report["as_of"]["time"].as_i64().ok_or_else(unread)?),
        previous: last.map(Line::digest),
    })
}

fn may_seal(
    options: &CheckpointOptions,
    chain: &ChainFile,
    body: &CheckpointBody,
    key: PublicKey32,
) -> Result<(), AppError> {
    let Some(last) = chain.last() else { return Ok(()) };
    if !options.rotate && !signers(chain, last).contains(&key) {
        return Err(AppError::Refused {
            what: format!("the last checkpoint was sealed by {}, and this key is {key}", last.claim.key),
            hint: "use that key; or say --rotate, and tell who verifies that the new key counts from here on"
                .to_owned(),
        });
    }
    if !options.yes && body.as_of < last.claim.as_of {
        return Err(AppError::Refused {
            what: format!("the run is judged for {}, before the last checkpoint's {}", body.as_of, last.claim.as_of),
            hint: "judge it for a later instant (--as-of), or say --yes".to_owned(),
        });
    }
    Ok(())
}

/// Who signed this body.
fn signers(chain: &ChainFile, one: &Line) -> BTreeSet<PublicKey32> {
    chain.lines.iter().filter(|line| line.claim.body == one.claim.body).map(|line| line.claim.key).collect()
}

fn is_same(chain: &ChainFile, last: &Line, body: &CheckpointBody, added: usize, key: PublicKey32) -> bool {
    added == 0
        && (last.claim.state_root, last.claim.as_of) == (body.state_root, body.as_of)
        && signers(chain, last).contains(&key)
}
