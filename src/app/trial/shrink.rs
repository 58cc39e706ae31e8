//! The least that still differs: fewer faults first, then fewer events.

use std::path::Path;

use super::judge::{Trial, TrialReport};
use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::sim::EVENTS_MIN;

/// Takes away what is not needed for report and oracle to differ.
pub(super) fn shrink(mut least: TrialReport, dir: &Path, cancel: &Cancel) -> Result<TrialReport, AppError> {
    let dir = dir.join("shrink");
    // A selection that found no room changed nothing.
    least.trial.selections = least.planted.iter().map(|planted| planted.selection).collect();
    let mut place = 0;
    while place < least.trial.selections.len() {
        let mut smaller = least.trial.clone();
        smaller.selections.remove(place);
        match still_differs(&smaller, &dir, cancel)? {
            Some(report) => least = report,
            None => place += 1,
        }
    }
    while least.trial.events > EVENTS_MIN {
        let smaller = Trial { events: (least.trial.events / 2).max(EVENTS_MIN), ..least.trial.clone() };
        match still_differs(&smaller, &dir, cancel)? {
            Some(report) => least = report,
            None => break,
        }
    }
    Ok(least)
}

fn still_differs(trial: &Trial, dir: &Path, cancel: &Cancel) -> Result<Option<TrialReport>, AppError> {
    cancel.check()?;
    let folder = dir.join(format!("world-{}", trial.seed));
    // The folder of a larger attempt that differed.
    let _ = std::fs::remove_dir_all(folder);
    let report = trial.judge(dir, cancel)?;
    Ok((!report.differences.is_empty()).then_some(report))
}
