//! The table's words: slices, and what is shown of them.

use crate::domain::{Coverage, Digest32, FetchReceipt, SourceId, UnixSeconds};
use crate::reconcile::{Cell, GapUse, OpenWindow, Reconstructible, TakedownUse};

/// One slice as the report has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceRow {
    /// The report's row.
    pub coverage: Coverage,
    /// The configuration declares its source.
    pub declared: bool,
    /// Its source is a relay of the operator.
    pub operator: bool,
}

/// What is shown; the default is everything.
#[derive(Debug, Clone, Default)]
pub struct CoverageFilter {
    /// Only sources whose name contains this text.
    pub source: Option<String>,
    /// Only this kind: a number or a media name.
    pub kind: Option<String>,
    /// Only months that end at this instant or later.
    pub since: Option<UnixSeconds>,
    /// Only months that begin at this instant or earlier.
    pub until: Option<UnixSeconds>,
}

/// The whole table.
#[derive(Debug, Clone)]
pub struct CoverageTable {
    /// The instant that it is told for.
    pub as_of: UnixSeconds,
    /// The run has a report.
    pub finished: bool,
    /// Merkle root over the evidence.
    pub evidence_root: Digest32,
    /// Slices, as the report lists them.
    pub slices: Vec<SliceRow>,
    /// Slices that the filter leaves out.
    pub left_out: usize,
    /// Months of slices of events.
    pub cells: Vec<Cell>,
    /// Windows that certificates name as open.
    pub open: Vec<OpenWindow>,
    /// Declared sources that left no receipt.
    pub unheard: Vec<SourceId>,
    /// The time limit ended fetching before every source was heard.
    pub time_boxed: bool,
    /// Registered gaps.
    pub gaps: Vec<GapUse>,
    /// The transparency log.
    pub takedowns: Vec<TakedownUse>,
    /// Lines of that log that can't be read.
    pub unread_takedowns: usize,
    /// Envelopes, as in the report.
    pub envelopes: Reconstructible,
    /// Verified events.
    pub events: Reconstructible,
    /// Receipts that have a certificate.
    pub certificates: Vec<FetchReceipt>,
}

impl CoverageTable {
    /// Declared slices that are shown.
    pub fn declared(&self) -> impl Iterator<Item = &SliceRow> {
        self.slices.iter().filter(|slice| slice.declared)
    }

    /// True when every declared slice is complete, and there is one.
    pub fn is_complete(&self) -> bool {
        let all = self.declared().all(|slice| slice.coverage.complete);
        all && self.declared().next().is_some() && self.unheard.is_empty() && !self.time_boxed
    }
}
