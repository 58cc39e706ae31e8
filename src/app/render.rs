//! Renderings of a finished run's report: read from `report.json` alone, and written whole or not at all.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::audit::read;
use super::error::AppError;
use super::finished::{Frame, REPORT, no_record};
use super::plan::config_error;
use super::run::{RunFolder, RunRecord};
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

/// Reads the report of the finished run in that folder, and hands it on with what the run measured. The evidence itself is not
/// read again.
///
/// # Errors
/// As [`with_report`]; [`AppError::Config`] when no finished run is there, [`AppError::Untrusted`] when its parts do not fit
/// together: each with the member.
pub fn with_run<T>(
    root: &Path,
    then: impl FnOnce(&Document<'_>, &Measurements) -> Result<T, AppError>,
) -> Result<T, AppError> {
    let frame = Frame::read(root)?;
    let path = root.join(REPORT);
    if !path.is_file() {
        // Says so in the words that every command has for it.
        read(root, REPORT)?;
    }
    let measured = measurements(frame.record.as_ref().ok_or_else(|| no_record(root))?);
    with_report(&path, |document| {
        frame.holds(Some(document.head.inputs.evidence_root), document.sha256)?;
        then(document, &measured)
    })
}

fn measurements(record: &RunRecord) -> Measurements {
    Measurements {
        started_at: record.started_at,
        finished_at: record.finished_at,
        stages: record.stages.clone(),
        rto_seconds: record.rto_budget_seconds,
        rpo_seconds: record.rpo_budget_seconds,
        stage_seconds: record.stage_budget_seconds.clone(),
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
