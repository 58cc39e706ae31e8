//! The history of drills: lines that hold on to each other, one a drill, red ones too. Durations stand here and in `run.json`,
//! never in a report.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::DrillProfile;
use crate::app::doctor::{Check, Health};
use crate::app::error::AppError;
use crate::app::feed;
use crate::app::finished::FinishedRun;
use crate::app::links::{Appended, Form, Links};
use crate::domain::{Digest32, UnixSeconds};

/// The schema name of a line.
const SCHEMA: &str = "reledger/drill/1";
/// Longer than any first line of a file of links.
const LINE_MAX: u64 = 1 << 20;
/// So many earlier drills are told beside a new one.
const TOLD: usize = 4;

/// An earlier drill of the same kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The instant it was judged for.
    pub as_of: UnixSeconds,
    /// Seconds from its begin to its end; `None` for one that was interrupted, whose last part alone was measured.
    pub seconds: Option<u64>,
    /// How it ended.
    pub exit_code: u64,
}

/// A drill in its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldDrill {
    /// Its line.
    pub appended: Appended,
    /// This one.
    pub own: Past,
    /// The budget for the whole of it, in seconds.
    pub budget_seconds: Option<u64>,
    /// The slowest stage, and its milliseconds.
    pub slowest: Option<(String, u64)>,
    /// The last of the same kind before it, the newest first.
    pub before: Vec<Past>,
}

/// What a monthly drill began from, and what had drifted since.
#[derive(Debug, Clone, Copy)]
pub struct BegunFrom<'a> {
    /// sha256 of the archive.
    pub snapshot: Digest32,
    /// It was restored by an earlier command, which was interrupted.
    pub was_interrupted: bool,
    /// Every check on what should not have changed.
    pub drift: &'a [Check],
}

/// Adds a finished drill to the history.
///
/// # Errors
/// As [`FinishedRun::verified`]; [`AppError::Untrusted`] for a history that was altered, naming the line; [`AppError::Io`].
pub fn record_drill(
    root: &Path,
    history: &Path,
    profile: DrillProfile,
    origin: Option<BegunFrom<'_>>,
) -> Result<ToldDrill, AppError> {
    let run = FinishedRun::verified(root)?;
    let (entry, record) = (feed::entry(&run)?, run.record()?);
    // A restored run has been resumed as often as the one that was packed, and once more.
    let resumed = origin.map_or(record.resumed, |origin| u32::from(origin.was_interrupted));
    let mut stages: Vec<(String, u64)> = Vec::new();
    for (stage, millis) in &record.stages {
        match stages.iter_mut().find(|(name, _)| name == stage) {
            Some((_, all)) => *all = all.saturating_add(*millis),
            None => stages.push((stage.clone(), *millis)),
        }
    }
    let drill = json!({
        "profile": profile.name(), "started_at": record.started_at, "finished_at": record.finished_at,
        "resumed": resumed, "from_snapshot": origin.map(|origin| origin.snapshot.to_hex()),
        "drift": origin.map(|origin| drift(origin.drift)),
        "stages": stages.iter().map(|(stage, millis)| json!({"stage": stage, "milliseconds": millis})).collect::<Vec<_>>(),
    });
    let (own, budget_seconds) = (past(&drill, &entry), record.rto_budget_seconds);
    let line = Map::from_iter([("drill".to_owned(), drill), ("entry".to_owned(), entry)]);
    // Two drills of one state have one report, and are two.
    let appended = Links::append_once(history, &form(history), line, |_| false)?;
    let lines = links(history)?;
    let earlier = lines.lines().iter().take(appended.line.saturating_sub(1)).rev();
    let same = earlier.filter(|line| line["drill"]["profile"] == profile.name()).take(TOLD);
    let before = same.map(|line| past(&line["drill"], &line["entry"])).collect();
    let slowest = stages.into_iter().max_by_key(|(_, millis)| *millis);
    Ok(ToldDrill { appended, own, budget_seconds, slowest, before })
}

/// Names alone: what was found there can be anybody's text.
fn drift(checks: &[Check]) -> Value {
    let named = |is_own: &dyn Fn(&Check) -> bool| -> Vec<&str> {
        let mut names: Vec<&str> = checks.iter().filter(|check| is_own(check)).map(|check| check.name).collect();
        names.dedup();
        names
    };
    json!({
        "checks": checks.len(), "drifted": named(&|check| check.health >= Health::Warn),
        "not_checked": named(&|check| check.health == Health::Skipped),
    })
}

/// The lines of a history, oldest first: what was drilled, and what a feed tells of the run. One that is not there has none.
///
/// # Errors
/// [`AppError::Untrusted`] naming the line that was altered or is torn; [`AppError::Io`].
pub(in crate::app) fn drills_in(history: &Path) -> Result<Vec<(Value, Value)>, AppError> {
    let lines = links(history)?;
    lines.unbroken()?;
    Ok(lines.lines().iter().map(|line| (line["drill"].clone(), line["entry"].clone())).collect())
}

/// Looks whether a line can be added to the history.
///
/// # Errors
/// As [`drills_in`]; what is torn at its end will be cut away and is no error.
pub(super) fn can_go_on(history: &Path) -> Result<(), AppError> {
    links(history).map(drop)
}

/// True when the file's first line says that it is a history of drills.
pub(in crate::app) fn is_history(file: &Path) -> bool {
    let first = || -> Option<Value> {
        let mut line = Vec::new();
        BufReader::new(File::open(file).ok()?.take(LINE_MAX)).read_until(b'\n', &mut line).ok()?;
        serde_json::from_slice(&line).ok()
    };
    first().is_some_and(|line| line["schema"].as_str().is_some_and(|schema| schema.starts_with("reledger/drill/")))
}

fn past(drill: &Value, entry: &Value) -> Past {
    let was_whole = drill["resumed"].as_u64() == Some(0);
    Past {
        as_of: UnixSeconds(entry["as_of"]["time"].as_i64().unwrap_or_default()),
        seconds: entry["objectives"]["rto"]["seconds"].as_u64().filter(|_| was_whole),
        exit_code: entry["verdict"]["exit_code"].as_u64().unwrap_or_default(),
    }
}

fn links(history: &Path) -> Result<Links, AppError> {
    Links::read(history, form(history))
}

fn form(history: &Path) -> Form {
    Form { schema: SCHEMA, name: history.display().to_string() }
}
