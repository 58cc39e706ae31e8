//! A finished run, or why a folder is none: the one way in for everyone who reads what a run came to.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::audit::{MANIFEST, manifest_of, read, sealed_store};
use super::custody_log::CustodyLog;
use super::error::AppError;
use super::links::member;
use super::plan::config_error;
use super::run::{RunFolder, RunRecord};
use crate::domain::{Digest32, inert_limited, sha256};
use crate::report::REPORT_SCHEMA;
use crate::seal::Manifest;

/// The report's name in the run's folder.
pub(super) const REPORT: &str = "report.json";
/// The record's name there.
const RECORD: &str = "run.json";

/// A run that came to its end, and whose parts fit together: the report is about the evidence that the manifest seals, and is
/// the one that the custody log tells of.
#[derive(Debug, Clone)]
pub struct FinishedRun {
    root: PathBuf,
    record: Option<RunRecord>,
    report: Value,
    /// sha256 of `report.json`.
    pub report_sha256: Digest32,
    /// sha256 of `evidence/manifest.json`.
    pub manifest_sha256: Digest32,
    /// The custody log; `None` for a run of an earlier version.
    pub custody: Option<CustodyLog>,
}

impl FinishedRun {
    /// Reads what the folder holds but the evidence itself, whose digests [`Self::verified`] checks too. The report is taken at
    /// its word: `reledger audit` says whether it follows from the evidence.
    ///
    /// # Errors
    /// [`AppError::Config`] for a folder without a finished run, with the member that is missing, of another program, or of a
    /// newer version; [`AppError::Untrusted`] with the member that was altered; [`AppError::Io`].
    pub fn read(root: &Path) -> Result<Self, AppError> {
        let frame = Frame::read(root)?;
        let bytes = read(root, REPORT)?;
        let report: Value = serde_json::from_slice(&bytes).map_err(|_| untrusted(REPORT, "is no JSON document"))?;
        own_report(&report).map_err(|what| foreign(root, &what))?;
        let report_sha256 = sha256(&bytes);
        frame.holds(member::<Digest32>(&report["inputs"], "evidence_root"), report_sha256)?;
        let Frame { record, manifest_sha256, custody, .. } = frame;
        Ok(Self { root: root.to_owned(), record, report, report_sha256, manifest_sha256, custody })
    }

    /// As [`Self::read`], after every byte of the evidence was held against the manifest.
    ///
    /// # Errors
    /// As [`Self::read`]; [`AppError::Untrusted`] naming the member of the evidence that differs, is missing or was added.
    pub fn verified(root: &Path) -> Result<Self, AppError> {
        let run = Self::read(root)?;
        sealed_store(root)?;
        Ok(run)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `report.json`.
    pub fn report(&self) -> &Value {
        &self.report
    }

    /// `report.json`, and nothing else of it.
    pub fn into_report(self) -> Value {
        self.report
    }

    /// `run.json`.
    ///
    /// # Errors
    /// [`AppError::Config`] when it is missing: an auditor of the evidence needs none.
    pub fn record(&self) -> Result<&RunRecord, AppError> {
        self.record.as_ref().ok_or_else(|| no_record(&self.root))
    }
}

/// What stands around the report of a finished run.
pub(super) struct Frame {
    pub(super) record: Option<RunRecord>,
    manifest: Manifest,
    manifest_sha256: Digest32,
    custody: Option<CustodyLog>,
}

impl Frame {
    /// Reads record, manifest and custody log, which fit together.
    pub(super) fn read(root: &Path) -> Result<Self, AppError> {
        let record = record(root)?;
        if record.as_ref().is_some_and(|record| !record.is_finished()) {
            return Err(not_finished(root));
        }
        let sealed = read(root, MANIFEST)?;
        let (manifest, manifest_sha256) = (manifest_of(&sealed)?, sha256(&sealed));
        let custody = CustodyLog::of_finished(&RunFolder::at(root), record.as_ref(), &manifest_sha256)?;
        Ok(Self { record, manifest, manifest_sha256, custody })
    }

    /// Whether a report of that digest, about that evidence, is the one that belongs here.
    pub(super) fn holds(&self, evidence_root: Option<Digest32>, report_sha256: Digest32) -> Result<(), AppError> {
        if evidence_root != Some(self.manifest.evidence_root) {
            return Err(untrusted(REPORT, &format!("is about other evidence than {MANIFEST} seals")));
        }
        if self.custody.as_ref().and_then(CustodyLog::report_sha256).is_some_and(|told| told != report_sha256) {
            return Err(untrusted(REPORT, "is not the report that evidence/custody.jsonl tells of"));
        }
        Ok(())
    }
}

fn record(root: &Path) -> Result<Option<RunRecord>, AppError> {
    record_bytes(root)?.map(|bytes| record_of(&bytes)).transpose()
}

/// A record out of its bytes.
pub(super) fn record_of(bytes: &[u8]) -> Result<RunRecord, AppError> {
    serde_json::from_slice(bytes).map_err(|_| untrusted(RECORD, "is not the record of a run"))
}

/// A folder in which a run is on, or was and did not end.
pub(super) fn not_finished(root: &Path) -> AppError {
    config_error(
        format!("the run in {} is not finished", root.display()),
        "wait for it, or resume it with the command that began it",
    )
}

/// What stands in `run.json`; `None` when it is not there.
pub(super) fn record_bytes(root: &Path) -> Result<Option<Vec<u8>>, AppError> {
    let path = root.join(RECORD);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            Err(config_error(format!("{} is no folder", root.display()), "give the folder that was named by --run"))
        }
        Err(error) => Err(AppError::io("read", &path)(error)),
    }
}

/// The folder of a run without its record.
pub(super) fn no_record(root: &Path) -> AppError {
    let what = format!("{} is not a finished run: {RECORD} is missing", root.display());
    config_error(what, "give the folder that was named by --run")
}

/// What is told of a report that is not one of ours.
pub(super) enum Foreign {
    /// Of a later form of ours.
    Newer(String),
    /// Of somebody else's making, or no report.
    Other(String),
}

/// Whether a document is a report of this program, in a form that this version reads.
///
/// # Errors
/// What it is instead.
pub(super) fn own_report(report: &Value) -> Result<(), Foreign> {
    if let Some(newer) = newer_version(report, REPORT_SCHEMA) {
        return Err(Foreign::Newer(newer));
    }
    if report["schema"] != REPORT_SCHEMA || !report["state_root"].is_string() {
        return Err(Foreign::Other(format!("is no {REPORT_SCHEMA}")));
    }
    match report["tool"]["name"].as_str() {
        Some(name) if name != env!("CARGO_PKG_NAME") => {
            Err(Foreign::Other(format!("is a report of another program, {}", inert_limited(name, 64))))
        }
        _ => Ok(()),
    }
}

fn foreign(root: &Path, found: &Foreign) -> AppError {
    match found {
        Foreign::Newer(newer) => too_new(REPORT, newer),
        Foreign::Other(what) => {
            let what = format!("{} is not a finished run: {REPORT} {what}", root.display());
            config_error(what, "give the folder of a run that reledger made")
        }
    }
}

/// The schema that a document names, when that is a later version of the known one.
pub(super) fn newer_version(document: &Value, known: &str) -> Option<String> {
    let told = document["schema"].as_str()?;
    let (name, version) = known.rsplit_once('/')?;
    let other: u64 = told.strip_prefix(name)?.strip_prefix('/')?.parse().ok()?;
    (other > version.parse().ok()?).then(|| inert_limited(told, 64))
}

/// A member that a later version wrote.
pub(super) fn too_new(name: &str, schema: &str) -> AppError {
    config_error(format!("{name} is of a newer version ({schema})"), "use a newer reledger")
}

fn untrusted(name: &str, what: &str) -> AppError {
    AppError::Untrusted { what: format!("checksum_error: {name} {what}") }
}
