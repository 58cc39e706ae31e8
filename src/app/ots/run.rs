//! Upgrading the proofs of a run: what calendars answer becomes evidence of it.

use std::collections::BTreeMap;

use super::upgrade::{CalendarCounts, nobody_answered};
use crate::app::chain::offline;
use crate::app::drill::Session;
use crate::app::observer::{Cancel, Observer};
use crate::app::sources::SourceKit;
use crate::app::{AppError, Plan, RunOptions};
use crate::verify::VerifiedSet;

/// How the digests of a run that proofs are about stand afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunUpgrade {
    /// A known block anchors them.
    pub complete: u64,
    /// Of these, how many are so since this upgrade.
    pub upgraded: u64,
    /// They name a block whose header is not at hand.
    pub unverified: u64,
    /// Calendars only.
    pub pending: u64,
    /// Every proof of theirs is refused.
    pub failed: u64,
    /// By address asked.
    pub calendars: BTreeMap<String, CalendarCounts>,
}

impl RunUpgrade {
    /// True when somebody was asked and nobody gave a proper answer.
    pub fn nobody_answered(&self) -> bool {
        nobody_answered(&self.calendars)
    }
}

/// Asks the calendars about every branch of the run's proofs that waits and is due, and keeps what they answer as
/// evidence. The run has to be rebuilt afterwards.
///
/// # Errors
/// [`AppError::Config`] for a folder without evidence; [`AppError::Refused`] for a finished run without `yes`;
/// [`AppError::Source`] under `--offline`; [`AppError`] for local failures.
pub fn upgrade_run(
    plan: &Plan,
    options: &RunOptions,
    force: bool,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<RunUpgrade, AppError> {
    if options.offline
        && let Some(address) = plan.calendars.values().next()
    {
        return Err(offline(address));
    }
    let mut session = Session::resume(plan, options, observer, cancel)?;
    let before = tally(&session.judged()?);
    let mut kit = SourceKit::new(plan, options, session.store())?;
    if force {
        kit.force();
    }
    let judged = session.upgrade(&mut kit)?;
    session.seal()?;
    let set = match judged {
        Some(set) => set,
        None => session.judged()?,
    };
    let mut result = tally(&set);
    result.upgraded = result.complete.saturating_sub(before.complete);
    result.calendars = kit.counts().clone();
    Ok(result)
}

fn tally(set: &VerifiedSet) -> RunUpgrade {
    let mut result = RunUpgrade::default();
    for state in set.anchors.values() {
        if !state.confirmed.is_empty() {
            result.complete += 1;
        } else if !state.header_missing.is_empty() {
            result.unverified += 1;
        } else if !state.pending.is_empty() {
            result.pending += 1;
        } else {
            result.failed += 1;
        }
    }
    result
}
