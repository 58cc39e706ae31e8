//! Renderings of a finished run's report: read from `report.json` alone, and written whole or not at all.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::error::AppError;
use super::plan::config_error;
use super::run::{Found, RunFolder, RunRecord};
use crate::report::{Document, DocumentError, Measurements, Rendering};

/// Reads the report in that file, checks it to its end, and hands it on.
///
/// # Errors
/// [`AppError::Config`] (exit 2) for what is no report of this version; [`AppError::Untrusted`] (exit 5) for one that was
/// changed or cut; each names the member. [`AppError::Io`].
pub fn with_report<T>(path: &Path, then: impl FnOnce(&Document<'_>) -> Result<T, AppError>) -> Result<T, AppError> {
    let open = || -> io::Result<Box<dyn Read>> { Ok(Box::new(File::open(path)?)) };
    let document = Document::read(&open).map_err(|error| not_rendered(path, error))?;
    then(&document)
}

/// As [`with_report`], of bytes at hand.
///
/// # Errors
/// As [`with_report`].
pub(super) fn with_report_bytes<T>(bytes: &[u8], then: impl FnOnce(&Document<'_>) -> T) -> Result<T, AppError> {
    let open = || -> io::Result<Box<dyn Read + '_>> { Ok(Box::new(bytes)) };
    let document = Document::read(&open).map_err(|error| not_rendered(Path::new("report.json"), error))?;
    Ok(then(&document))
}

fn not_rendered(path: &Path, error: DocumentError) -> AppError {
    match error {
        DocumentError::Io(source) => AppError::io("read", path)(source),
        DocumentError::Foreign { .. } => config_error(
            format!("{} is no report that this version reads: {error}", path.display()),
            "use the version of reledger that wrote it, or `reledger rebuild --yes` to write it anew",
        ),
        DocumentError::Damaged { .. } => {
            AppError::Untrusted { what: format!("checksum_error: {}: {error}", path.display()) }
        }
    }
}

/// Reads the report of the finished run in that folder, and hands it on with what the run measured.
///
/// # Errors
/// [`AppError::Config`] when no finished run is there; [`AppError::Untrusted`] when its report is not the one that it wrote; as
/// [`with_report`].
pub fn with_run<T>(
    root: &Path,
    then: impl FnOnce(&Document<'_>, &Measurements) -> Result<T, AppError>,
) -> Result<T, AppError> {
    let folder = RunFolder::at(root);
    let record = match folder.look()? {
        Found::Finished(record) => record,
        Found::Unfinished(_) => {
            return Err(config_error(
                format!("the run in {} is not finished", root.display()),
                "wait for it, or resume it with the command that began it",
            ));
        }
        Found::Fresh => return Err(no_run(root, "run.json")),
    };
    if !folder.report().is_file() {
        return Err(no_run(root, "report.json"));
    }
    with_report(&folder.report(), |document| {
        if record.report_sha256.is_some_and(|written| written != document.sha256) {
            let what = format!("checksum_error: report.json in {} is not the one that the run wrote", root.display());
            return Err(AppError::Untrusted { what });
        }
        then(document, &measurements(&record))
    })
}

fn no_run(root: &Path, member: &str) -> AppError {
    config_error(
        format!("{} is not a finished run: {member} is missing", root.display()),
        "give the folder that was named by --run",
    )
}

fn measurements(record: &RunRecord) -> Measurements {
    Measurements {
        started_at: record.started_at,
        finished_at: record.finished_at,
        stages: record.stages.clone(),
        rto_seconds: record.rto_seconds,
        rpo_seconds: record.rpo_seconds,
        peak_memory_kib: record.peak_memory_kib,
        resumed: record.resumed,
    }
}

/// Writes every rendering that stands in a run's folder, and notes of which report they are made. Gives back the summary for people.
///
/// # Errors
/// [`AppError`].
pub(super) fn write_renderings(folder: &RunFolder, record: &mut RunRecord) -> Result<String, AppError> {
    with_report(&folder.report(), |document| {
        record.report_sha256 = Some(document.sha256);
        let measured = measurements(record);
        for (file, rendering) in Rendering::FILES {
            folder.write_by(file, |out| render(rendering, document, &measured, out))?;
        }
        Ok(crate::report::summary_text(document))
    })
}

/// Writes one rendering.
///
/// # Errors
/// Those of the writer, and of a report that changed meanwhile.
pub fn render(
    rendering: Rendering,
    document: &Document<'_>,
    measured: &Measurements,
    out: &mut dyn Write,
) -> io::Result<()> {
    rendering.write(document, Some(measured), out).map_err(|error| match error {
        DocumentError::Io(error) => error,
        other => io::Error::other(other),
    })
}
