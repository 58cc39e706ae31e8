//! The table's words: months, slices, cells, open windows, what gaps and takedowns explain.

use std::fmt;

use crate::domain::{CompletenessBasis, Coverage, Digest32, FetchReceipt, KnownGap, SourceId, UnixSeconds};
use crate::reconcile::{Reconstructible, Takedown};

/// A month of the UTC calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(i64, u8);

impl Month {
    /// The month of that instant.
    pub fn of(at: UnixSeconds) -> Self {
        let (year, month, _) = at.civil_date();
        Self(year, month)
    }

    /// The month after it.
    #[must_use]
    pub fn next(self) -> Self {
        if self.1 < 12 { Self(self.0, self.1 + 1) } else { Self(self.0.saturating_add(1), 1) }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0, self.1)
    }
}

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

/// What one source holds of one kind and month. Only verified events count, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Whom we asked.
    pub source: SourceId,
    /// The events' kind.
    pub kind: u16,
    /// The window that was asked for.
    pub window: (Option<UnixSeconds>, Option<UnixSeconds>),
    /// The month of `created_at`.
    pub month: Month,
    /// Events that the source gave.
    pub items: u64,
    /// Events that another source has and a relay lacks.
    pub missing_here: u64,
    /// Those of them inside a registered gap.
    pub in_gaps: u64,
    /// Those of them that the transparency log lists.
    pub taken_down: u64,
    /// The slice's basis.
    pub basis: CompletenessBasis,
    /// The slice is complete.
    pub complete: bool,
    /// Something inside this month could not be asked for to its end.
    pub open: bool,
    /// Why it is not complete, or empty.
    pub reason: String,
}

/// A span of time that a relay's certificate names as open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenWindow {
    /// Whom we asked.
    pub source: SourceId,
    /// The slice's kind.
    pub kind: String,
    /// Its beginning.
    pub from: Option<UnixSeconds>,
    /// Its end, inclusive.
    pub until: Option<UnixSeconds>,
    /// Events that came all the same.
    pub items: u64,
    /// Why.
    pub reason: String,
}

/// A registered gap and what it explains in this run. What it explains stays counted as missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapUse {
    /// The registration.
    pub gap: KnownGap,
    /// `active`, `expired`, or `not-asked` when its source was not asked.
    pub state: &'static str,
    /// Events missing at its source inside it.
    pub missing: u64,
}

/// A line of the transparency log and what it explains in this run. What it explains stays counted as missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakedownUse {
    /// The line.
    pub takedown: Takedown,
    /// Events of relays that it explains.
    pub missing: u64,
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
