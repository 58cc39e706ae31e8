//! The one door to every rendering of a report that is not the report itself.

use std::collections::BTreeMap;
use std::io::Write;

use super::document::{Document, DocumentError};
use super::html::write_html;
use super::junit::write_junit;
use super::markdown::write_markdown;
use super::metrics::write_metrics;
use super::tables::Table;
use super::text::summary_text;

/// What a report is rendered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendering {
    /// The summary for a terminal.
    Text,
    /// One self-contained page.
    Html,
    /// A page for a pull request or a ticket.
    Markdown,
    /// A test suite for a build server.
    Junit,
    /// Metrics for Prometheus.
    OpenMetrics,
    /// One table of it as CSV.
    Csv(Table),
}

impl Rendering {
    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Html => "html",
            Self::Markdown => "Markdown",
            Self::Junit => "JUnit",
            Self::OpenMetrics => "OpenMetrics",
            Self::Csv(_) => "CSV",
        }
    }

    /// The renderings that stand in a run's folder, by file.
    pub const FILES: [(&'static str, Self); 5] = [
        ("summary.txt", Self::Text),
        ("report.html", Self::Html),
        ("report.md", Self::Markdown),
        ("report.xml", Self::Junit),
        ("metrics.prom", Self::OpenMetrics),
    ];

    /// Writes the document so. The bytes are a function of the report's bytes and, where times are shown, of `measured`.
    ///
    /// # Errors
    /// [`DocumentError`]: what was written by then is not whole.
    pub fn write(
        self,
        document: &Document<'_>,
        measured: Option<&Measurements>,
        out: &mut dyn Write,
    ) -> Result<(), DocumentError> {
        match self {
            Self::Text => out.write_all(summary_text(document).as_bytes())?,
            Self::Html => write_html(document, measured, out)?,
            Self::Markdown => write_markdown(document, out)?,
            Self::Junit => write_junit(document, out)?,
            Self::OpenMetrics => write_metrics(document, measured, out)?,
            Self::Csv(table) => table.write(document, out)?,
        }
        Ok(())
    }
}

/// What is not reproducible about a run (`run.json`): it is shown beside the report and is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Measurements {
    /// Wall clock at the start, Unix seconds.
    pub started_at: i64,
    /// Wall clock at the end, Unix seconds.
    pub finished_at: Option<i64>,
    /// The stages in their order, in milliseconds.
    pub stages: Vec<(String, u64)>,
    /// The recovery time objective in seconds, where one is set.
    pub rto_seconds: Option<u64>,
    /// The recovery point objective in seconds, where one is set.
    pub rpo_seconds: Option<u64>,
    /// The budgets of single stages in seconds, by name.
    pub stage_seconds: BTreeMap<String, u64>,
    /// Peak resident memory in KiB, where the system tells.
    pub peak_memory_kib: Option<u64>,
    /// How often the run was resumed: its stages are those of the last session.
    pub resumed: u32,
}

impl Measurements {
    /// All times of one stage together, in milliseconds.
    pub fn stage_millis(&self, name: &str) -> u64 {
        self.stages.iter().filter(|(own, _)| own == name).map(|(_, millis)| millis).sum()
    }

    /// All stages together, in milliseconds.
    pub fn total_millis(&self) -> u64 {
        self.stages.iter().map(|(_, millis)| millis).sum()
    }
}
