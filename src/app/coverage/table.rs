//! Source by kind by month: what each source holds, what it lacks, and on what basis its answer counts.

use std::collections::BTreeSet;
use std::path::Path;

use super::model::{CoverageFilter, CoverageTable, SliceRow};
use super::survey::{Survey, Wanted};
use crate::app::as_of::AsOfWanted;
use crate::app::error::AppError;
use crate::app::observer::{Cancel, Observer};
use crate::app::plan::Plan;
use crate::domain::{Coverage, FetchReceipt, Media, Month, Slice, SourceId, UnixSeconds, relay_spelling};
use crate::reconcile::{CountedByMonth, reconcile};

/// Looks at the run in `root`: a finished one by what it recorded, one that is only captured by the plan.
///
/// # Errors
/// [`AppError::Config`] when there is nothing to look at; [`AppError::Untrusted`] when a finished run does not check;
/// [`AppError`] for local failures.
pub fn coverage_of_run(
    root: &Path,
    plan: Option<&Plan>,
    filter: &CoverageFilter,
    how: (Option<AsOfWanted>, UnixSeconds, usize),
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<CoverageTable, AppError> {
    let survey = Survey::of(root, Wanted::Recorded(plan), how, observer, cancel)?;
    let table = CoverageTable::of(&survey);
    survey.set.check()?;
    Ok(table.filtered(filter))
}

impl CoverageTable {
    pub(in crate::app) fn of(survey: &Survey) -> Self {
        let input = survey.input();
        let judged = reconcile(&input);
        let months = CountedByMonth::of(&input).beside(&input, &judged.coverage);
        let declared = Declared::of(survey);
        let receipts = &survey.tables.receipts;
        Self {
            as_of: survey.as_of.time,
            finished: survey.finished,
            evidence_root: survey.evidence_root,
            cells: months.cells,
            unheard: declared.unheard(receipts),
            slices: judged.coverage.into_iter().map(|coverage| declared.row(coverage)).collect(),
            left_out: 0,
            open: months.open,
            time_boxed: survey.time_boxed,
            gaps: months.gaps,
            takedowns: months.takedowns,
            unread_takedowns: survey.declared.unread_takedowns.len(),
            envelopes: judged.reconstructible,
            events: months.events,
            certificates: receipts.iter().filter(|one| one.backing.certificate.is_some()).cloned().collect(),
        }
    }

    /// Leaves out what the filter does not name.
    fn filtered(mut self, filter: &CoverageFilter) -> Self {
        let source = |source: &SourceId| filter.source.as_ref().is_none_or(|text| source.0.contains(text));
        let kind = |kind: &str| filter.kind.as_ref().is_none_or(|wanted| wanted == kind);
        let media = Media::NostrEvent.name();
        let of_kind = |slice: &Slice| {
            // An archive's slice has every kind of event.
            let archived = slice.kind == media && filter.kind.as_ref().is_some_and(|kind| kind.parse::<u16>().is_ok());
            kind(&slice.kind) || archived
        };
        let before = self.slices.len();
        self.slices.retain(|row| source(&row.coverage.source) && of_kind(&row.coverage.slice));
        self.left_out = before - self.slices.len();
        let (first, last) = (filter.since.map(Month::of), filter.until.map(Month::of));
        let of_month = |month: Month| first.is_none_or(|first| month >= first) && last.is_none_or(|last| month <= last);
        let archives = kind(media) || filter.kind.is_none();
        self.cells
            .retain(|cell| source(&cell.source) && (kind(&cell.kind.to_string()) || archives) && of_month(cell.month));
        self.open.retain(|window| source(&window.source) && kind(&window.kind));
        self.unheard.retain(source);
        self.certificates.retain(|receipt| source(&receipt.source) && kind(&receipt.slice.kind));
        self
    }
}

/// Which sources the configuration names, however their addresses end.
struct Declared {
    all: BTreeSet<String>,
    owing: Vec<SourceId>,
    operator: BTreeSet<String>,
}

fn bare(source: &SourceId) -> String {
    source.0.trim_end_matches('/').to_owned()
}

impl Declared {
    fn of(survey: &Survey) -> Self {
        let declared = &survey.declared;
        let all = declared.sources.iter().chain(&declared.relays).chain(&declared.calendars).map(bare).collect();
        let operator = survey.policy.operator_relays.iter().map(|url| relay_spelling(url)).collect();
        Self { all, owing: declared.sources.clone(), operator }
    }

    fn row(&self, coverage: Coverage) -> SliceRow {
        let declared = self.all.contains(&bare(&coverage.source));
        let operator = self.operator.contains(&relay_spelling(&coverage.source.0));
        SliceRow { coverage, declared, operator }
    }

    fn unheard(&self, receipts: &[FetchReceipt]) -> Vec<SourceId> {
        let heard: BTreeSet<&SourceId> = receipts.iter().map(|receipt| &receipt.source).collect();
        let unheard: BTreeSet<&SourceId> = self.owing.iter().filter(|source| !heard.contains(source)).collect();
        unheard.into_iter().cloned().collect()
    }
}
