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

pub(super) fn not_rendered(path: &Path, error: DocumentError) -> AppError {
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

/// What a finished run in that folder measured, beside its report.
///
/// # Errors
/// [`AppError::Config`] when no finished run is there; [`AppError`] when its record can't be read.
pub fn finished_run(root: &Path) -> Result<Measurements, AppError> {
    match RunFolder::at(root).look()? {
        Found::Finished(record) => Ok(measurements(&record)),
        Found::Unfinished(_) => Err(config_error(
            format!("the run in {} is not finished", root.display()),
            "wait for it, or resume it with the command that began it",
        )),
        Found::Fresh => Err(config_error(
            format!("{} is not a finished run: run.json is missing", root.display()),
            "give the folder that was named by --run",
        )),
    }
}

pub(super) fn measurements(record: &RunRecord) -> Measurements {
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

/// Writes every rendering that stands in a run's folder. Gives back the summary for people.
///
/// # Errors
/// [`AppError`].
pub(super) fn write_renderings(folder: &RunFolder, record: &RunRecord) -> Result<String, AppError> {
    let measured = measurements(record);
    with_report(&folder.report(), |document| {
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
