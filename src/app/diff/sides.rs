//! What can be compared: a finished run's folder, a report, a state root.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::shown;
use crate::app::error::AppError;
use crate::app::finished::{FinishedRun, Foreign, own_report, too_new};
use crate::domain::Digest32;

/// A report of a hundred thousand divergences is a tenth of it.
const REPORT_BYTES_MAX: u64 = 1 << 30;

/// One side of a comparison.
#[derive(Debug, Clone)]
pub enum Operand {
    /// A finished run.
    Run(Box<FinishedRun>),
    /// A report by itself.
    Report(Value),
    /// A state root.
    State(String),
}

impl Operand {
    /// Finds out what a text names. 64 hex digits are a state root, unless there is a file of that name.
    ///
    /// # Errors
    /// [`AppError::Config`] when it is none of them; [`AppError::Io`].
    pub fn read(text: &str) -> Result<Self, AppError> {
        let path = Path::new(text);
        if path.is_dir() {
            return Ok(Self::Run(Box::new(FinishedRun::read(path)?)));
        }
        match text.parse::<Digest32>() {
            Ok(root) if !path.exists() => Ok(Self::State(root.to_hex())),
            _ => Ok(Self::Report(report(path)?)),
        }
    }

    pub(super) fn report(&self) -> Option<&Value> {
        match self {
            Self::Run(run) => Some(run.report()),
            Self::Report(report) => Some(report),
            Self::State(_) => None,
        }
    }

    pub(super) fn run(&self) -> Option<&Path> {
        match self {
            Self::Run(run) => Some(run.root()),
            Self::Report(_) | Self::State(_) => None,
        }
    }

    /// What the report says of its evidence.
    pub(super) fn evidence_root(&self) -> Option<&str> {
        self.report()?["inputs"]["evidence_root"].as_str()
    }

    pub(super) fn state_root(&self) -> String {
        let told = |report: &'_ Value| report["state_root"].as_str().unwrap_or_default().to_owned();
        match self {
            Self::Run(run) => told(run.report()),
            Self::Report(report) => told(report),
            Self::State(root) => root.clone(),
        }
    }
}

fn report(named: &Path) -> Result<Value, AppError> {
    let no_report = |what: &str| AppError::Config {
        what: format!("{} {what}", shown(named)),
        hint: "give the folder of a finished run, its report.json, or a state root of 64 hex digits".to_owned(),
    };
    let file = match File::open(named) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(no_report("is not there, or holds no report"));
        }
        Err(error) => return Err(AppError::io("open", named)(error)),
    };
    let mut bytes = Vec::new();
    let read = file.take(REPORT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(AppError::io("read", named))?;
    if u64::try_from(read).is_ok_and(|read| read > REPORT_BYTES_MAX) {
        return Err(no_report("is too long for a report"));
    }
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| no_report("is no JSON"))?;
    match own_report(&value) {
        Ok(()) => Ok(value),
        Err(Foreign::Newer(newer)) => Err(too_new(&shown(named), &newer)),
        Err(Foreign::Other(what)) => Err(no_report(&what)),
    }
}
