//! Source by kind by month: what each source holds, what it lacks, and on what basis its answer counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::model::{Cell, CoverageFilter, CoverageTable, GapUse, Month, OpenWindow, SliceRow, TakedownUse};
use super::survey::{Survey, Wanted};
use crate::app::as_of::AsOfWanted;
use crate::app::error::AppError;
use crate::app::observer::{Cancel, Observer};
use crate::app::plan::Plan;
use crate::domain::{
    Coverage, EvidenceId, FetchReceipt, KnownGap, Media, NostrEventId, Slice, SourceId, UnixSeconds, relay_spelling,
};
use crate::reconcile::{Reconstructible, Takedown, Why, absences, reconcile};

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
    Ok(CoverageTable::of(&survey).filtered(filter))
}

/// What is counted in one month of one slice.
#[derive(Default, Clone)]
struct Tally {
    items: u64,
    missing: u64,
    in_gaps: u64,
    taken_down: u64,
}

type Tallies<'a> = BTreeMap<(&'a SourceId, &'a Slice, u16, Month), Tally>;

impl CoverageTable {
    pub(in crate::app) fn of(survey: &Survey) -> Self {
        let input = survey.input();
        let judged = reconcile(&input);
        let mut tallies = Tallies::new();
        let events = held(survey, &mut tallies);
        let mut gaps: BTreeMap<&KnownGap, u64> = BTreeMap::new();
        let mut takedowns: BTreeMap<&Takedown, u64> = BTreeMap::new();
        absences(&input, &mut |source, slice, absent| {
            let Ok(kind) = slice.kind.parse() else { return };
            let tally = tallies.entry((source, slice, kind, Month::of(absent.at))).or_default();
            tally.missing += 1;
            match absent.why {
                Why::Unexplained => {}
                Why::Gap(gap) => {
                    tally.in_gaps += 1;
                    *gaps.entry(gap).or_default() += 1;
                }
                Why::TakenDown(takedown) => {
                    tally.taken_down += 1;
                    *takedowns.entry(takedown).or_default() += 1;
                }
            }
        });
        let open = open_windows(&survey.tables.receipts);
        let cells = cells(&judged.coverage, tallies, &open);
        let declared = Declared::of(survey);
        let receipts = &survey.tables.receipts;
        Self {
            as_of: survey.as_of.time,
            finished: survey.finished,
            evidence_root: survey.evidence_root,
            cells,
            unheard: declared.unheard(receipts),
            slices: judged.coverage.into_iter().map(|coverage| declared.row(coverage)).collect(),
            left_out: 0,
            open,
            time_boxed: survey.time_boxed,
            gaps: survey.policy.gaps.iter().map(|gap| gap_use(survey, gap, &gaps)).collect(),
            takedowns: (survey.declared.takedowns.iter())
                .map(|takedown| TakedownUse {
                    takedown: takedown.clone(),
                    missing: takedowns.get(takedown).copied().unwrap_or_default(),
                })
                .collect(),
            unread_takedowns: survey.declared.unread_takedowns.len(),
            envelopes: judged.reconstructible,
            events,
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

/// Counts what each source gave, month by month, and what is held with and without the operator's relays. The same event in
/// other bytes is the same event.
fn held<'a>(survey: &'a Survey, tallies: &mut Tallies<'a>) -> Reconstructible {
    let mut by_source: BTreeMap<&SourceId, Vec<&Slice>> = BTreeMap::new();
    for receipt in &survey.tables.receipts {
        by_source.entry(&receipt.source).or_default().push(&receipt.slice);
    }
    let operator: BTreeSet<String> = survey.policy.operator_relays.iter().map(|url| relay_spelling(url)).collect();
    let mut carriers: Vec<(NostrEventId, EvidenceId)> =
        survey.set.events.iter().map(|(id, event)| (event.id, *id)).collect();
    carriers.sort_unstable();
    let mut counts = Reconstructible::default();
    for same in carriers.chunk_by(|one, other| one.0 == other.0) {
        let Some(event) = same.first().and_then(|(_, id)| survey.set.events.get(id)) else { continue };
        let sources: BTreeSet<&SourceId> =
            same.iter().filter_map(|(_, id)| survey.tables.sightings.get(id)).flatten().collect();
        counts.with_operator += u64::from(!sources.is_empty());
        let elsewhere = sources.iter().any(|source| !operator.contains(&relay_spelling(&source.0)));
        counts.without_operator += u64::from(elsewhere);
        for source in sources {
            for slice in by_source.get(source).into_iter().flatten().filter(|slice| has(slice, event.kind, event.at)) {
                let key = (source, *slice, event.kind, Month::of(event.at));
                tallies.entry(key).or_default().items += 1;
            }
        }
    }
    counts
}

/// True for a slice that an event of that kind and time belongs to.
fn has(slice: &Slice, kind: u16, at: UnixSeconds) -> bool {
    (slice.kind == Media::NostrEvent.name() || slice.kind.parse() == Ok(kind))
        && slice.from.is_none_or(|from| at >= from)
        && slice.until.is_none_or(|until| at <= until)
}

fn open_windows(receipts: &[FetchReceipt]) -> Vec<OpenWindow> {
    let windows = receipts.iter().flat_map(|receipt| {
        let certified = receipt.backing.certificate.iter().flat_map(|certificate| &certificate.windows);
        certified.filter(|window| !window.open.is_empty()).map(|window| OpenWindow {
            source: receipt.source.clone(),
            kind: receipt.slice.kind.clone(),
            from: window.from,
            until: window.until,
            items: window.items,
            reason: window.open.clone(),
        })
    });
    let mut windows: Vec<OpenWindow> = windows.collect();
    windows.sort();
    windows
}

fn cells<'a>(rows: &'a [Coverage], mut tallies: Tallies<'a>, open: &[OpenWindow]) -> Vec<Cell> {
    let rows: BTreeMap<(&SourceId, &Slice), &Coverage> =
        rows.iter().map(|row| ((&row.source, &row.slice), row)).collect();
    add_open_months(&rows, &mut tallies, open);
    let cell = |((source, slice, kind, month), tally): ((&SourceId, &Slice, u16, Month), Tally)| {
        let row = rows.get(&(source, slice))?;
        let mut windows = open.iter().filter(|one| one.source == *source && one.kind == slice.kind).peekable();
        // A relay that names its open windows has said where; of others the whole slice is open.
        let named = windows.peek().is_some();
        let mut here = windows.filter(|window| touches(window, month)).peekable();
        let open = if named { here.peek().is_some() } else { !row.complete };
        let reason = here.next().map_or(&row.reason, |window| &window.reason);
        Some(Cell {
            source: source.clone(),
            kind,
            window: (slice.from, slice.until),
            month,
            items: tally.items,
            missing_here: tally.missing,
            in_gaps: tally.in_gaps,
            taken_down: tally.taken_down,
            basis: row.basis,
            complete: row.complete,
            open,
            reason: if row.complete { String::new() } else { reason.clone() },
        })
    };
    tallies.into_iter().filter_map(cell).collect()
}

/// A month in which nothing came and something is open is shown too, between the first and the last month of the table.
fn add_open_months<'a>(
    rows: &BTreeMap<(&'a SourceId, &'a Slice), &'a Coverage>,
    tallies: &mut Tallies<'a>,
    open: &[OpenWindow],
) {
    let months: BTreeSet<Month> = tallies.keys().map(|key| key.3).collect();
    let (Some(first), Some(last)) = (months.first().copied(), months.last().copied()) else { return };
    for (source, slice) in rows.keys() {
        let Ok(kind) = slice.kind.parse() else { continue };
        for window in open.iter().filter(|one| one.source == **source && one.kind == slice.kind) {
            let mut month = window.from.map_or(first, Month::of).max(first);
            let end = window.until.map_or(last, Month::of).min(last);
            while month <= end {
                tallies.entry((source, slice, kind, month)).or_default();
                month = month.next();
            }
        }
    }
}

fn touches(window: &OpenWindow, month: Month) -> bool {
    window.from.is_none_or(|from| Month::of(from) <= month)
        && window.until.is_none_or(|until| Month::of(until) >= month)
}

fn gap_use(survey: &Survey, gap: &KnownGap, missing: &BTreeMap<&KnownGap, u64>) -> GapUse {
    let asked = survey.tables.receipts.iter().any(|receipt| receipt.source == gap.source)
        || survey.declared.sources.contains(&gap.source);
    let state = match (survey.as_of.time < gap.expires, asked) {
        (false, _) => "expired",
        (true, false) => "not-asked",
        (true, true) => "active",
    };
    GapUse { gap: gap.clone(), state, missing: missing.get(gap).copied().unwrap_or_default() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Backing, Certificate, CompletenessBasis, Enumeration, Window, sha256};

    fn at(text: &str) -> UnixSeconds {
        text.parse().unwrap()
    }

    fn row(complete: bool) -> Coverage {
        Coverage {
            source: SourceId("ws://a".to_owned()),
            slice: Slice { kind: "30087".to_owned(), from: None, until: None },
            basis: if complete { CompletenessBasis::Exhausted } else { CompletenessBasis::Saturated },
            complete,
            items: 7,
            missing_here: 0,
            retries: 0,
            reason: if complete { String::new() } else { "a second as full as a page".to_owned() },
        }
    }

    fn receipt(windows: Vec<Window>) -> FetchReceipt {
        let certificate = Certificate {
            enumeration: Enumeration::Bisected,
            information: None,
            claimed: 7,
            served: 7,
            ids: sha256(b""),
            counted: None,
            windows,
        };
        let row = row(false);
        FetchReceipt {
            basis: row.basis,
            items: 7,
            reason: row.reason,
            backing: Backing { certificate: Some(certificate), ..Backing::default() },
            ..FetchReceipt::whole(row.source, row.slice)
        }
    }

    fn window(from: Option<&str>, until: Option<&str>, open: &str) -> Window {
        Window { from: from.map(at), until: until.map(at), items: 1, open: open.to_owned() }
    }

    /// (month, items, open) of each cell, where three months have events.
    fn told(row: &Coverage, windows: Vec<Window>) -> Vec<(String, u64, bool)> {
        let open = open_windows(&[receipt(windows)]);
        let months = ["2026-05-08T00:00:00Z", "2026-06-05T00:00:00Z", "2026-08-01T00:00:00Z"];
        let tally = Tally { items: 2, ..Tally::default() };
        let tallies =
            months.map(|month| ((&row.source, &row.slice, 30_087, Month::of(at(month))), tally.clone())).into();
        let cells = cells(std::slice::from_ref(row), tallies, &open);
        assert!(cells.iter().all(|cell| cell.complete == row.complete && cell.basis == row.basis));
        cells.into_iter().map(|cell| (cell.month.to_string(), cell.items, cell.open)).collect()
    }

    fn cell(month: &str, items: u64, open: bool) -> (String, u64, bool) {
        (month.to_owned(), items, open)
    }

    #[test]
    fn a_certificate_says_which_months_are_open_and_one_of_them_may_hold_nothing() {
        let second = Some("2026-06-05T00:00:00Z");
        let windows = vec![window(None, Some("2026-06-04T23:59:59Z"), ""), window(second, second, "a full second")];
        assert_eq!(
            told(&row(false), windows),
            [cell("2026-05", 2, false), cell("2026-06", 2, true), cell("2026-08", 2, false)]
        );
        let span = vec![window(Some("2026-07-10T00:00:00Z"), None, "cut off")];
        assert_eq!(
            told(&row(false), span),
            [cell("2026-05", 2, false), cell("2026-06", 2, false), cell("2026-07", 0, true), cell("2026-08", 2, true)]
        );
    }

    #[test]
    fn without_a_named_window_an_incomplete_slice_is_open_everywhere_and_a_complete_one_nowhere() {
        let months = ["2026-05", "2026-06", "2026-08"];
        assert_eq!(told(&row(false), Vec::new()), months.map(|month| cell(month, 2, true)));
        assert_eq!(told(&row(true), Vec::new()), months.map(|month| cell(month, 2, false)));
    }

    #[test]
    fn an_event_belongs_to_a_slice_of_its_kind_and_window_and_to_every_archive() {
        let slice = |kind: &str, from, until| Slice { kind: kind.to_owned(), from, until };
        let (early, late) = (UnixSeconds(10), UnixSeconds(20));
        assert!(has(&slice("30087", Some(early), Some(late)), 30_087, early));
        assert!(has(&slice("30087", Some(early), Some(late)), 30_087, late));
        assert!(!has(&slice("30087", Some(early), None), 30_087, UnixSeconds(9)));
        assert!(!has(&slice("30087", None, Some(late)), 30_087, UnixSeconds(21)));
        assert!(!has(&slice("30078", None, None), 30_087, early));
        assert!(has(&slice("nostr-event", None, None), 1, early));
        assert!(!has(&slice("settlement", None, None), 30_087, early));
    }

    #[test]
    fn months_follow_each_other_over_the_year() {
        assert_eq!(Month::of(at("2026-12-31T23:59:59Z")).next(), Month::of(at("2027-01-01T00:00:00Z")));
        assert_eq!(Month::of(at("2026-01-31T00:00:00Z")).next().to_string(), "2026-02");
    }
}
