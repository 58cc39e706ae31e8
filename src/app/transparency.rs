//! The page of a year: every finished run, quarter by quarter, red ones too; what is open and since when, what was accepted and
//! by whom, and what changed in how runs are made.

mod history;
mod show;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use history::{Accepted, Change, OpenCode};
pub use show::{page_text, page_value};

use super::drills::{drills_in, is_history};
use super::error::AppError;
use super::feed;
use super::finished::FinishedRun;
use crate::domain::{Digest32, UnixSeconds};
use history::{Details, History};

/// The page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The calendar year, UTC.
    pub year: i64,
    /// Runs of the year, oldest first.
    pub told: Vec<Told>,
    /// Runs that were given and are of other years.
    pub skipped: Vec<Skipped>,
    /// Runs that were given more than once.
    pub repeated: usize,
}

/// One run of the page.
#[derive(Debug, Clone)]
pub struct Told {
    /// 1 to 4, by the as-of.
    pub quarter: u8,
    /// What a feed tells of it.
    pub entry: Value,
    /// The drills that came to it, and how long their stages took; none when no history was given that has them.
    pub drills: Vec<Value>,
    /// What its report says beyond that; `None` when only a feed knows of it.
    pub more: Option<More>,
    /// What changed since the run before; `None` when none came before.
    pub changes: Option<Vec<Change>>,
}

/// What only a report knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct More {
    /// Open divergences, by code and severity.
    pub open: Vec<OpenCode>,
    /// Divergences that somebody accepted.
    pub accepted: Vec<Accepted>,
    /// Checks that were declared and did not run.
    pub not_run: Vec<String>,
}

/// A run that is not of the year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The instant it was judged for.
    pub as_of: UnixSeconds,
    /// sha256 of its report.
    pub report_sha256: String,
}

/// A run before it is told.
struct One {
    as_of: UnixSeconds,
    entry: Value,
    drills: Vec<Value>,
    details: Option<Details>,
}

impl One {
    /// The same run from two inputs: a folder knows more of it than a feed does, and only a history how it was drilled.
    fn with(mut self, other: Self) -> Self {
        self.drills.extend(other.drills);
        Self { details: self.details.or(other.details), ..self }
    }
}

/// The page of a year from finished runs (folders), feeds and histories of drills (files). Runs of other years are told as skipped, and still serve
/// for what was open or otherwise before.
///
/// # Errors
/// As [`FinishedRun::verified`] for a folder, as [`super::feed::verify_feed`] for a file.
pub fn page_of_year(year: i64, inputs: &[PathBuf]) -> Result<Page, AppError> {
    let mut repeated = 0_usize;
    let mut runs: BTreeMap<(UnixSeconds, String), One> = BTreeMap::new();
    for input in inputs {
        for one in read(input)? {
            let name = one.entry["report_sha256"].as_str().unwrap_or_default().to_owned();
            let key = (one.as_of, name);
            let whole = match runs.remove(&key) {
                Some(known) => {
                    // Two drills of one state have one report.
                    repeated += usize::from(one.drills.is_empty() && known.drills.is_empty());
                    known.with(one)
                }
                None => one,
            };
            runs.insert(key, whole);
        }
    }
    let mut page = Page { year, told: Vec::new(), skipped: Vec::new(), repeated };
    let mut history = History::default();
    for ((as_of, report_sha256), One { entry, drills, details, .. }) in runs {
        let changes = history.changes(&entry, details.as_ref());
        let more = details.map(|details| history.more(as_of, details));
        let (own, month, _) = as_of.civil_date();
        if own == year {
            page.told.push(Told { quarter: month.saturating_sub(1) / 3 + 1, entry, drills, more, changes });
        } else {
            page.skipped.push(Skipped { as_of, report_sha256 });
        }
    }
    Ok(page)
}

fn read(input: &Path) -> Result<Vec<One>, AppError> {
    let entries = if input.is_dir() {
        let run = FinishedRun::verified(input)?;
        vec![(feed::entry(&run)?, None, Some(Details::of(run.report())))]
    } else if is_history(input) {
        drills_in(input)?.into_iter().map(|(drill, entry)| (entry, Some(drill), None)).collect()
    } else {
        feed::entries(input)?.into_iter().map(|entry| (entry, None, None)).collect()
    };
    let unreadable =
        || AppError::Untrusted { what: format!("checksum_error: {} has an entry that can't be read", input.display()) };
    let one = |(entry, drill, details): (Value, Option<Value>, Option<Details>)| {
        let as_of = entry["as_of"]["time"].as_i64().map(UnixSeconds).ok_or_else(unreadable)?;
        super::links::member::<Digest32>(&entry, "report_sha256").ok_or_else(unreadable)?;
        Ok(One { as_of, entry, drills: drill.into_iter().collect(), details })
    };
    entries.into_iter().map(one).collect()
}
