//! Completing pending proof files with what calendars answer (OTS 1.4, 8).
//!
//! A reply is merged only where it leads from a pending commitment to a block whose header is at hand; the original file
//! is kept beside the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::answers::{Answers, Useful};
use super::asking::{ask_calendars, ask_headers};
use super::file::{FileFault, ProofFile, about, proof_files, start};
use super::keep::{backup_of, replace, taken_already};
use super::verify::{AnchorFound, PendingFound, anchors, judge_bytes, pending};
use crate::app::chain::{Runs, gather, offline};
use crate::app::observer::Cancel;
use crate::app::schedule::Tries;
use crate::app::{AppError, Plan, RunFolder};
use crate::domain::{BlockHeight, Code, Media, RawEvidence, UnixSeconds};
use crate::evidence::ots::Proof;
use crate::substrate::CalendarAnswer;
use crate::verify::AnchorState;
use crate::verify::headers::HeaderChain;
use crate::verify::ots::{Replies, allowed_host, open_branches, settle};

/// A calendar that answers with another calendar is followed so often (OTS 8); the first question comes before.
const ROUNDS_MAX: usize = 3;

/// What the caller decides.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags, as the command line has them")]
pub struct UpgradeOptions {
    /// Files of consecutive headers, besides the run's own.
    pub headers: Vec<PathBuf>,
    /// Ask for commitments that calendars cannot know yet.
    pub force: bool,
    /// Write answers that name a block whose header is not at hand.
    pub unverified: bool,
    /// Overwrite an earlier `.bak`.
    pub yes: bool,
    /// Contact nobody, write nothing.
    pub dry_run: bool,
    /// Refuse to contact anybody.
    pub offline: bool,
    /// The time that commitments' ages are counted to.
    pub clock: UnixSeconds,
}

/// How one file stands afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UpgradeState {
    /// A block anchors it, by a header that is at hand.
    Complete,
    /// It names a block whose header is not at hand.
    Unverified,
    /// No calendar has more yet.
    Pending,
    /// It is wrong or can't be read, or what completes it can't be written.
    Failed,
}

impl UpgradeState {
    /// The kebab-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Unverified => "unverified",
            Self::Pending => "pending",
            Self::Failed => "failed",
        }
    }
}

/// One proof file.
#[derive(Debug, Clone)]
pub struct UpgradedFile {
    /// The file, as named.
    pub file: String,
    /// How it stands now.
    pub state: UpgradeState,
    /// It was written anew; the original stands beside it under `.bak`.
    pub written: bool,
    /// Blocks, lowest first.
    pub anchors: Vec<AnchorFound>,
    /// Heights whose headers are not at hand.
    pub headers_missing: Vec<BlockHeight>,
    /// Branches that still wait.
    pub pending: Vec<PendingFound>,
    /// What is wrong with it; foreign text still raw.
    pub fault: Option<FileFault>,
}

/// What one calendar was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CalendarCounts {
    /// Commitments that it gave a proof for, or what is said to be one.
    pub replied: u64,
    /// "Not yet".
    pub not_yet: u64,
    /// No proper answer, or not asked after too many failures.
    pub failed: u64,
}

impl CalendarCounts {
    /// Counts one answer.
    pub(in crate::app) fn add(&mut self, answer: CalendarAnswer) {
        match answer {
            CalendarAnswer::Replied => self.replied += 1,
            CalendarAnswer::NotYet => self.not_yet += 1,
            CalendarAnswer::Failed | CalendarAnswer::Skipped => self.failed += 1,
        }
    }
}

/// What an upgrade came to.
#[derive(Debug, Clone, Default)]
pub struct UpgradeResult {
    /// Every file, in the order named.
    pub files: Vec<UpgradedFile>,
    /// By address asked. Under `dry_run` what would be asked, as `not_yet`.
    pub calendars: BTreeMap<String, CalendarCounts>,
    /// Commitments that are too young to be asked for.
    pub too_young: u64,
}

impl UpgradeResult {
    /// True when somebody was asked and nobody gave a proper answer.
    pub fn nobody_answered(&self) -> bool {
        nobody_answered(&self.calendars)
    }
}

pub(super) fn nobody_answered(calendars: &BTreeMap<String, CalendarCounts>) -> bool {
    !calendars.is_empty() && calendars.values().all(|counts| counts.replied + counts.not_yet == 0)
}

/// A file at work.
struct Work<'a> {
    file: &'a ProofFile,
    proof: Result<Proof<'a>, FileFault>,
}

/// Asks calendars about every branch that waits, and writes what completes the files.
///
/// # Errors
/// [`AppError::Config`] for paths that are not there; [`AppError::Source`] under `--offline` when somebody would have to be
/// asked, or for a calendar's address that is none; [`AppError::Refused`] for a `.bak` that stands in the way.
pub fn upgrade_files(
    files: &[PathBuf],
    plan: &Plan,
    run: &RunFolder,
    options: &UpgradeOptions,
    cancel: &Cancel,
) -> Result<UpgradeResult, AppError> {
    let files = proof_files(files)?;
    let work: Vec<Work<'_>> = files.iter().map(|file| Work { file, proof: file.parse() }).collect();
    let mut header_files = plan.files.get(&Media::Headers).cloned().unwrap_or_default();
    header_files.extend(options.headers.iter().cloned());
    let mut runs = gather(&header_files, Some(run), cancel)?;
    let mut chain = runs.judge(&plan.policy.headers).chain;
    let mut result = UpgradeResult::default();
    let mut answers = Answers::default();
    let mut asked = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let wanted = wanted(&work, &answers, &chain, plan, options, &mut asked, &mut result);
        if wanted.is_empty() {
            break;
        }
        if options.dry_run {
            for (address, _) in &wanted {
                result.calendars.entry(address.clone()).or_default().not_yet += 1;
            }
            break;
        }
        refuse_backups(&work, &answers, &chain, plan, options)?;
        if options.offline {
            let first = wanted.first().map_or("", |(address, _)| address.as_str());
            return Err(offline(first));
        }
        for (address, answer) in ask_calendars(wanted, plan, &mut answers, cancel)? {
            result.calendars.entry(address).or_default().add(answer);
        }
        if fetch_headers(&work, &answers, &chain, plan, options, &mut runs)? {
            chain = runs.judge(&plan.policy.headers).chain;
        }
    }
    let replies = answers.replies();
    for one in &work {
        result.files.push(finished(one, &answers, &replies, &chain, plan, options)?);
    }
    Ok(result)
}

/// How a proof stands with the answers at hand.
fn state_of(one: &Work<'_>, replies: &Replies<'_>, chain: &HeaderChain, plan: &Plan) -> Option<AnchorState> {
    let proof = one.proof.as_ref().ok()?;
    let id = RawEvidence::id_of(Media::OtsProof, "", &one.file.bytes);
    let (mut state, _) = judge_bytes(&one.file.bytes, proof, about(proof, None, one.file), id, chain, &plan.policy);
    settle(&mut state, replies, chain, &plan.policy);
    Some(state)
}

/// Questions that were not asked yet: every open branch at a listed calendar, once it is old enough.
fn wanted(
    work: &[Work<'_>],
    answers: &Answers,
    chain: &HeaderChain,
    plan: &Plan,
    options: &UpgradeOptions,
    asked: &mut BTreeSet<(String, Vec<u8>)>,
    result: &mut UpgradeResult,
) -> BTreeSet<(String, Vec<u8>)> {
    let never = Tries::default();
    let replies = answers.replies();
    let mut wanted = BTreeSet::new();
    for state in work.iter().filter_map(|one| state_of(one, &replies, chain, plan)) {
        for pending in open_branches(&state) {
            let host = allowed_host(&pending.uri, &plan.policy);
            let Some(address) = host.as_deref().and_then(|host| plan.calendar_address(host)) else { continue };
            let question = (address.to_owned(), pending.commitment.to_vec());
            if !asked.insert(question.clone()) {
                continue;
            }
            if options.force || never.next(address, &pending.commitment, options.clock) <= options.clock {
                wanted.insert(question);
            } else {
                result.too_young += 1;
            }
        }
    }
    wanted
}

/// A `.bak` that stands in the way is told before anybody is asked.
fn refuse_backups(
    work: &[Work<'_>],
    answers: &Answers,
    chain: &HeaderChain,
    plan: &Plan,
    options: &UpgradeOptions,
) -> Result<(), AppError> {
    if options.yes {
        return Ok(());
    }
    let replies = answers.replies();
    let waits = |one: &&Work<'_>| {
        state_of(one, &replies, chain, plan).is_some_and(|state| open_branches(&state).next().is_some())
    };
    let taken = work.iter().filter(waits).map(|one| backup_of(one.file)).find(|backup| backup.exists());
    taken.map_or(Ok(()), |backup| Err(taken_already(&backup)))
}

/// Asks the configured header sources for what the answers name. True when headers came.
fn fetch_headers(
    work: &[Work<'_>],
    answers: &Answers,
    chain: &HeaderChain,
    plan: &Plan,
    options: &UpgradeOptions,
    runs: &mut Runs<'_>,
) -> Result<bool, AppError> {
    let replies = answers.replies();
    let states = work.iter().filter_map(|one| state_of(one, &replies, chain, plan));
    let heights: BTreeSet<BlockHeight> = states.flat_map(|state| state.header_missing).collect();
    if heights.is_empty() || options.offline {
        return Ok(false);
    }
    ask_headers(heights, plan, runs)
}

fn finished(
    one: &Work<'_>,
    answers: &Answers,
    replies: &Replies<'_>,
    chain: &HeaderChain,
    plan: &Plan,
    options: &UpgradeOptions,
) -> Result<UpgradedFile, AppError> {
    let mut done = UpgradedFile {
        file: one.file.name(),
        state: UpgradeState::Failed,
        written: false,
        anchors: Vec::new(),
        headers_missing: Vec::new(),
        pending: Vec::new(),
        fault: None,
    };
    let proof = match &one.proof {
        Ok(proof) => proof,
        Err(fault) => {
            done.fault = Some(fault.clone());
            return Ok(done);
        }
    };
    let start = start(proof, None, one.file).unwrap_or_default();
    let least = if options.unverified { Useful::Unverified } else { Useful::Verified };
    let grown = answers.grown(proof, &start, least, chain, &plan.policy);
    let bytes = grown.as_deref().unwrap_or(&one.file.bytes);
    let Ok(merged) = Proof::parse(bytes) else {
        done.fault = Some(FileFault {
            code: Code::OtsLimit.name(),
            reason: "the completed proof would pass a limit; the file stays as it is".to_owned(),
        });
        return Ok(done);
    };
    let id = RawEvidence::id_of(Media::OtsProof, "", bytes);
    let (state, findings) = judge_bytes(bytes, &merged, about(proof, None, one.file), id, chain, &plan.policy);
    if grown.is_some() && !options.dry_run {
        replace(one.file, bytes, options.yes)?;
        done.written = true;
    }
    done.anchors = anchors(&state);
    done.headers_missing = state.header_missing.iter().copied().collect();
    done.pending = pending(&state, &plan.policy);
    done.state = if !state.confirmed.is_empty() {
        UpgradeState::Complete
    } else if !state.header_missing.is_empty() {
        UpgradeState::Unverified
    } else if !state.pending.is_empty() {
        // An answer that was held back for want of a header is told all the same.
        let held_back = state_of(one, replies, chain, plan).map(|state| state.header_missing).unwrap_or_default();
        done.headers_missing = held_back.into_iter().collect();
        UpgradeState::Pending
    } else {
        done.fault = findings.into_iter().next().map(|(code, reason)| FileFault { code, reason });
        UpgradeState::Failed
    };
    Ok(done)
}
