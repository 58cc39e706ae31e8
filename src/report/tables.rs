//! Tables of a report for spreadsheets and databases: divergences, coverage, checks. One header row, one row a thing.

use std::io::{self, Write};

use super::csv::{row, text};
use super::document::{CheckMember, CoverageRow, Document, DocumentError, UnverifiableMember};
use crate::domain::{Divergence, UnixSeconds};

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// One row a divergence, in the report's order: worst first.
    Divergences,
    /// One row a slice of a source.
    Coverage,
    /// One row a check, whether or not it ran.
    Checks,
}

impl Table {
    /// The name that the command line uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Divergences => "divergences",
            Self::Coverage => "coverage",
            Self::Checks => "checks",
        }
    }

    /// Writes the table.
    ///
    /// # Errors
    /// [`DocumentError`]: what was written by then is not whole.
    pub(super) fn write(self, document: &Document<'_>, out: &mut dyn Write) -> Result<(), DocumentError> {
        match self {
            Self::Divergences => divergences(document, out),
            Self::Coverage => Ok(coverage(&document.head.coverage, out)?),
            Self::Checks => Ok(checks(&document.head.checks, &document.head.unverifiable, out)?),
        }
    }
}

fn divergences(document: &Document<'_>, out: &mut dyn Write) -> Result<(), DocumentError> {
    let columns = [
        "fingerprint",
        "code",
        "severity",
        "state",
        "step",
        "blocks",
        "at",
        "at_stake_msat",
        "subject",
        "expected",
        "observed",
        "explanation",
        "evidence",
        "values_sha256",
    ];
    row(out, &columns.map(str::to_owned))?;
    document.each(&mut |divergence| row(out, &cells(&divergence)))
}

fn cells(one: &Divergence) -> [String; 14] {
    // A JSON object: names and values are anything.
    let subject = serde_json::to_string(&one.subject).unwrap_or_default();
    let evidence: Vec<String> = one.evidence.iter().map(|piece| format!("{}:{}", piece.id, piece.role)).collect();
    [
        one.fingerprint.to_hex(),
        one.code.name().to_owned(),
        one.severity.name().to_owned(),
        one.state.name().to_owned(),
        one.step.number().to_string(),
        one.blocks().to_string(),
        seconds(one.at),
        one.at_stake.map_or_else(String::new, |stake| text(&stake.0.to_string())),
        text(&subject),
        text(&one.expected),
        text(&one.observed),
        text(&one.explanation),
        text(&evidence.join(" ")),
        one.values_sha256.to_hex(),
    ]
}

fn coverage(rows: &[CoverageRow], out: &mut dyn Write) -> io::Result<()> {
    let columns =
        ["source", "kind", "from", "until", "basis", "complete", "events", "missing_here", "retries", "reason"];
    row(out, &columns.map(str::to_owned))?;
    for slice in rows {
        let cells = [
            text(&slice.source),
            text(&slice.kind),
            seconds(slice.from),
            seconds(slice.until),
            text(&slice.basis),
            slice.complete.to_string(),
            slice.events.to_string(),
            slice.missing_here.to_string(),
            slice.retries.to_string(),
            text(&slice.reason),
        ];
        row(out, &cells)?;
    }
    Ok(())
}

/// `result` is `agreed` or `disagreed` of what ran, `could_not_check` of what was declared, `not_declared` of the rest.
fn checks(ran: &[CheckMember], not: &[UnverifiableMember], out: &mut dyn Write) -> io::Result<()> {
    row(out, &["check", "result", "items", "disagreed", "codes", "reason"].map(str::to_owned))?;
    for check in ran {
        let result = if check.disagreed == 0 { "agreed" } else { "disagreed" };
        let codes = check.codes.as_deref().unwrap_or_default().join(" ");
        let (items, disagreed) = (check.items.to_string(), check.disagreed.to_string());
        row(out, &[text(&check.check), result.to_owned(), items, disagreed, text(&codes), String::new()])?;
    }
    for check in not {
        let result = if check.declared { "could_not_check" } else { "not_declared" };
        let cells = [
            text(&check.check),
            result.to_owned(),
            check.items.to_string(),
            String::new(),
            String::new(),
            text(&check.reason),
        ];
        row(out, &cells)?;
    }
    Ok(())
}

/// Unix seconds; one before 1970 is a formula to a spreadsheet, and guarded.
fn seconds(at: Option<UnixSeconds>) -> String {
    at.map_or_else(String::new, |at| text(&at.0.to_string()))
}
