//! What can be compared: a finished run's folder, a report, a state root.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::shown;
use crate::app::error::AppError;
use crate::domain::Digest32;
use crate::report::REPORT_SCHEMA;

/// A report of a hundred thousand divergences is a tenth of it.
const REPORT_BYTES_MAX: u64 = 1 << 30;

/// One side of a comparison.
#[derive(Debug, Clone)]
pub enum Operand {
    /// A finished run: its folder, and the report in it.
    Run(PathBuf, Value),
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
            return Ok(Self::Run(path.to_owned(), report(&path.join("report.json"), path)?));
        }
        match text.parse::<Digest32>() {
            Ok(root) if !path.exists() => Ok(Self::State(root.to_hex())),
            _ => Ok(Self::Report(report(path, path)?)),
        }
    }

    pub(super) fn report(&self) -> Option<&Value> {
        match self {
            Self::Run(_, report) | Self::Report(report) => Some(report),
            Self::State(_) => None,
        }
    }

    pub(super) fn run(&self) -> Option<&Path> {
        match self {
            Self::Run(folder, _) => Some(folder),
            Self::Report(_) | Self::State(_) => None,
        }
    }

    pub(super) fn state_root(&self) -> &str {
        match self {
            Self::Run(_, report) | Self::Report(report) => report["state_root"].as_str().unwrap_or_default(),
            Self::State(root) => root,
        }
    }
}

fn report(file: &Path, named: &Path) -> Result<Value, AppError> {
    let no_report = |what: &str| AppError::Config {
        what: format!("{} {what}", shown(named)),
        hint: "give the folder of a finished run, its report.json, or a state root of 64 hex digits".to_owned(),
    };
    let file = match File::open(file) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(no_report("is not there, or holds no report"));
        }
        Err(error) => return Err(AppError::io("open", file)(error)),
    };
    let mut bytes = Vec::new();
    let read = file.take(REPORT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(AppError::io("read", named))?;
    if u64::try_from(read).is_ok_and(|read| read > REPORT_BYTES_MAX) {
        return Err(no_report("is too long for a report"));
    }
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| no_report("is no JSON"))?;
    if value["schema"] == REPORT_SCHEMA && value["state_root"].is_string() {
        Ok(value)
    } else {
        Err(no_report(&format!("is no {REPORT_SCHEMA}")))
    }
}
