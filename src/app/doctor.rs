//! `reledger doctor`: what would make a run fail or mean less than it says, before it is made. Writes nothing.

mod check;
mod evidence;
#[cfg(feature = "net")]
mod information;
mod lists;
mod local;
#[cfg(feature = "net")]
mod sources;

use std::path::Path;

pub use check::{Check, Health, exit_condition};

use super::config::Config;
use super::coverage::{Survey, Wanted};
use super::error::AppError;
use super::observer::{Cancel, Observer};
use super::plan::Plan;
use super::run::{Found, RunFolder};
use crate::domain::UnixSeconds;

/// What is looked at, and when.
#[derive(Debug, Clone, Copy)]
pub struct Patient<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// What it comes to.
    pub plan: &'a Plan,
    /// A run's folder; what it holds is compared with the lists.
    pub run: &'a Path,
    /// No sockets.
    pub offline: bool,
    /// The time that ages are told for.
    pub now: UnixSeconds,
    /// This machine's clock, which is itself checked.
    pub machine: UnixSeconds,
    /// Worker threads; 0 is one per core.
    pub jobs: usize,
}

/// Every check in a fixed order.
///
/// # Errors
/// [`AppError::Interrupted`]; [`AppError::Internal`]. What is wrong is a check's answer.
pub fn diagnose(patient: &Patient<'_>, observer: &dyn Observer, cancel: &Cancel) -> Result<Vec<Check>, AppError> {
    let mut checks = local::checks(patient);
    let survey = survey(patient, observer, cancel, &mut checks)?;
    checks.extend(lists::checks(patient));
    match &survey {
        Some(survey) => checks.extend(evidence::checks(patient, survey)),
        None => checks.push(
            Check::skipped("drift.evidence", "", "there is no run to compare the lists with", false)
                .with_hint("run `reledger capture`, then ask again with --run"),
        ),
    }
    cancel.check()?;
    #[cfg(feature = "net")]
    checks.extend(sources::checks(patient, survey.as_ref())?);
    #[cfg(not(feature = "net"))]
    checks.push(Check::skipped("sources", "", "this build has no sockets", true));
    Ok(checks)
}

/// The run's evidence, judged by the configuration as it is now.
fn survey(
    patient: &Patient<'_>,
    observer: &dyn Observer,
    cancel: &Cancel,
    checks: &mut Vec<Check>,
) -> Result<Option<Survey>, AppError> {
    let folder = RunFolder::at(patient.run);
    match folder.look() {
        Ok(Found::Fresh) => return Ok(None),
        Ok(_) if !folder.evidence().is_dir() => return Ok(None),
        Ok(_) => {}
        Err(error) => {
            checks
                .push(Check::failed("store.readable", "", error.to_string()).with_hint("choose another --run folder"));
            return Ok(None);
        }
    }
    let how = (None, patient.now, patient.jobs);
    match Survey::of(patient.run, Wanted::Planned(patient.plan), how, observer, cancel) {
        Ok(survey) => {
            checks.push(Check::ok("store.readable", "", format!("{} pieces of evidence check", survey.held())));
            Ok(Some(survey))
        }
        Err(error @ (AppError::Interrupted { .. } | AppError::Internal(_))) => Err(error),
        Err(error) => {
            let hint = error.hints().into_iter().next().unwrap_or_default();
            checks.push(Check::failed("store.readable", "", told(&error)).with_hint(hint));
            Ok(None)
        }
    }
}

/// An error with its causes.
fn told(error: &AppError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
