//! The least that still differs: fewer faults first, then fewer events.

use std::collections::BTreeSet;
use std::path::Path;

use super::judge::{Trial, TrialReport};
use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::sim::EVENTS_MIN;

/// Takes away what is not needed for report and oracle to differ in the same way.
pub(super) fn shrink(mut least: TrialReport, dir: &Path, cancel: &Cancel) -> Result<TrialReport, AppError> {
    let dir = dir.join("shrink");
    let kinds = kinds(&least);
    if !least.planted.is_empty() {
        // A selection that found no room changed nothing. A program that failed has not said what did.
        least.trial.selections = least.planted.iter().map(|planted| planted.selection).collect();
    }
    let mut place = 0;
    while place < least.trial.selections.len() {
        let mut smaller = least.trial.clone();
        smaller.selections.remove(place);
        match still_differs(&smaller, &kinds, &dir, cancel)? {
            Some(report) => least = report,
            None => place += 1,
        }
    }
    while least.trial.events > EVENTS_MIN {
        let smaller = Trial { events: (least.trial.events / 2).max(EVENTS_MIN), ..least.trial.clone() };
        match still_differs(&smaller, &kinds, &dir, cancel)? {
            Some(report) => least = report,
            None => break,
        }
    }
    Ok(least)
}

/// What differs, without what it is about: ids change with whatever is taken away.
fn kinds(report: &TrialReport) -> BTreeSet<String> {
    let kind = |text: &String| text.split([' ', ':']).next().unwrap_or_default().to_owned();
    report.differences.iter().map(kind).collect()
}

fn still_differs(
    trial: &Trial,
    kinds_of_base: &BTreeSet<String>,
    dir: &Path,
    cancel: &Cancel,
) -> Result<Option<TrialReport>, AppError> {
    cancel.check()?;
    let report = trial.judge(dir, cancel)?;
    Ok((!kinds(&report).is_disjoint(kinds_of_base)).then_some(report))
}
