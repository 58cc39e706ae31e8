//! Drills by the calendar: what each kind demands before it begins, and the history of all of them with how long they took
//! (docs/runbook.md).

mod drift;
mod history;

pub use drift::schema_drift;
use history::can_go_on;
pub use history::{BegunFrom, Past, ToldDrill, record_drill};
pub(super) use history::{drills_in, is_history};

use std::path::{Path, PathBuf};

use super::error::AppError;
use super::options::RunOptions;
use super::plan::{Plan, config_error};
use super::run::{Found, RunFolder};
use super::snapshots::snapshots_in;

/// Name of the history beside the runs.
const HISTORY: &str = "drills.jsonl";

/// A kind of drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrillProfile {
    /// From the newest snapshot: restore, gap, and whether documents, lists and layouts still say the same.
    Monthly,
    /// From empty, without a snapshot, and everything that is declared.
    Quarterly,
}

impl DrillProfile {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
        }
    }
}

/// The snapshot itself, or the newest of a folder by its name.
///
/// # Errors
/// [`AppError::Config`] for a folder without one, or what is not there.
pub fn newest_snapshot(named: &Path) -> Result<PathBuf, AppError> {
    if !named.is_dir() {
        return Ok(named.to_owned());
    }
    let newest = snapshots_in(named)?.pop();
    newest.map(|(_, path)| path).ok_or_else(|| {
        config_error(format!("{} holds no snapshot", named.display()), "`reledger snapshot create --out` makes one")
    })
}

/// Where the history of a run's drills stands, unless somebody says otherwise: beside the run.
pub fn history_beside(run: &Path) -> PathBuf {
    run.parent().map_or_else(|| PathBuf::from(HISTORY), |folder| folder.join(HISTORY))
}

/// Refuses what would not be a drill of that kind, before anything is fetched or written; also a history that was altered.
///
/// # Errors
/// [`AppError::Config`] for a window, a time box, or another command's evidence; [`AppError::Refused`] for a folder that holds a
/// finished run; [`AppError::Untrusted`] for the history, naming the line.
pub fn may_drill(profile: DrillProfile, plan: &Plan, options: &RunOptions, history: &Path) -> Result<(), AppError> {
    can_go_on(history)?;
    let name = profile.name();
    if options.max_seconds.is_some() {
        return Err(config_error(
            format!("a {name} drill is not ended by a clock"),
            "leave out --max-duration; `budgets.rto` says when it took too long",
        ));
    }
    if plan.window != (None, None) {
        return Err(config_error(
            format!("a {name} drill asks for everything, and the configuration has a window"),
            "leave out `nostr.since` and `nostr.until`, or drill without --profile",
        ));
    }
    match RunFolder::at(&options.run).look()? {
        Found::Fresh => Ok(()),
        // Whoever was interrupted goes on with what it has fetched itself.
        Found::Unfinished(record) if record.command == options.command => Ok(()),
        // Also where the snapshot was restored and nothing came after it.
        Found::Finished(record) if profile == DrillProfile::Monthly && record.restore_millis.is_some() => Ok(()),
        Found::Unfinished(record) => Err(config_error(
            format!("{} holds what `{}` fetched: that is no {name} drill", options.run.display(), record.command),
            "name a new folder with --run",
        )),
        Found::Finished(_) => Err(AppError::Refused {
            what: format!("{} holds a finished run: a {name} drill begins in an empty folder", options.run.display()),
            hint: "name a new folder with --run; --yes does not help here".to_owned(),
        }),
    }
}
