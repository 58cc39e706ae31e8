//! Source by kind by month: what each source holds, what it lacks, and what registered gaps and the transparency log explain.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    CompletenessBasis, Coverage, FetchReceipt, Few, KnownGap, Media, Month, NostrEventId, Slice, SourceId, UnixSeconds,
    packed_struct,
};
use crate::scratch::Sorter;

use super::absences::{Why, absences};
use super::reconciler::Input;
use super::recovery::is_operator;
use super::result::{Reconstructible, Takedown};

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

/// The coverage of events, month by month.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ByMonth {
    /// Months of slices of events, in order of source, slice, kind and month.
    pub cells: Vec<Cell>,
    /// Windows that certificates name as open.
    pub open: Vec<OpenWindow>,
    /// Registered gaps.
    pub gaps: Vec<GapUse>,
    /// The transparency log.
    pub takedowns: Vec<TakedownUse>,
    /// Verified events.
    pub events: Reconstructible,
}

/// Every event and absence, counted once more by month.
pub struct CountedByMonth<'a> {
    tallies: Tallies<'a>,
    gaps: BTreeMap<&'a KnownGap, u64>,
    takedowns: BTreeMap<&'a Takedown, u64>,
    events: Reconstructible,
}

impl<'a> CountedByMonth<'a> {
    /// Looks at every event and absence.
    pub fn of(input: &Input<'a>) -> Self {
        let mut tallies = Tallies::new();
        let events = held(input, &mut tallies);
        let mut gaps: BTreeMap<&KnownGap, u64> = BTreeMap::new();
        let mut takedowns: BTreeMap<&Takedown, u64> = BTreeMap::new();
        absences(input, &mut |source, slice, absent| {
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
        Self { tallies, gaps, takedowns, events }
    }

    /// What was counted, beside the coverage that [`super::reconcile`] established.
    pub fn beside(self, input: &Input<'_>, coverage: &[Coverage]) -> ByMonth {
        let open = open_windows(input.receipts);
        let used = |takedown: &Takedown| TakedownUse {
            missing: self.takedowns.get(takedown).copied().unwrap_or_default(),
            takedown: takedown.clone(),
        };
        ByMonth {
            takedowns: input.declared.takedowns.iter().map(used).collect(),
            gaps: input.policy.gaps.iter().map(|gap| gap_use(input, gap, &self.gaps)).collect(),
            cells: cells(coverage, self.tallies, &open),
            events: self.events,
            open,
        }
    }
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

/// Counts what each source gave, month by month, and what is held with and without the operator's relays. The same event in
/// other bytes is the same event.
fn held<'a>(input: &Input<'a>, tallies: &mut Tallies<'a>) -> Reconstructible {
    let mut by_source: BTreeMap<&SourceId, Vec<&Slice>> = BTreeMap::new();
    for receipt in input.receipts {
        by_source.entry(&receipt.source).or_default().push(&receipt.slice);
    }
    // Sources are few, and asked about with every event.
    let mut operators: BTreeMap<&SourceId, bool> = BTreeMap::new();
    let mut is_elsewhere =
        |source: &'a SourceId| !*operators.entry(source).or_insert_with(|| is_operator(input, source));
    let mut copies: Sorter<NostrEventId, Copies> = input.set.events.sorter();
    let mut sightings = input.sightings.beside();
    for (id, event) in &input.set.events {
        let given = sightings.number(&id).into_iter().collect();
        copies.push(&event.id, &Copies { kind: event.kind, at: event.at, given });
    }
    let mut counts = Reconstructible::default();
    copies.each(Copies::add, |_, event| {
        let sources: BTreeSet<&SourceId> =
            event.given.iter().filter_map(|number| input.sightings.set(*number)).flatten().collect();
        counts.with_operator += u64::from(!sources.is_empty());
        let elsewhere = sources.iter().any(|source| is_elsewhere(source));
        counts.without_operator += u64::from(elsewhere);
        for source in sources {
            for slice in by_source.get(source).into_iter().flatten().filter(|slice| has(slice, event.kind, event.at)) {
                let key = (source, *slice, event.kind, Month::of(event.at));
                tallies.entry(key).or_default().items += 1;
            }
        }
    });
    counts
}

/// One event, by the copy of the lowest evidence id, and the sets of sources that gave its copies.
struct Copies {
    kind: u16,
    at: UnixSeconds,
    given: Few<u32>,
}

packed_struct!(Copies { kind, at, given });

impl Copies {
    fn add(&mut self, other: Self) {
        self.given.extend(other.given);
    }
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

fn gap_use(input: &Input<'_>, gap: &KnownGap, missing: &BTreeMap<&KnownGap, u64>) -> GapUse {
    let asked = input.receipts.iter().any(|receipt| receipt.source == gap.source)
        || input.declared.sources.contains(&gap.source);
    let state = match (input.as_of.time < gap.expires, asked) {
        (false, _) => "expired",
        (true, false) => "not-asked",
        (true, true) => "active",
    };
    GapUse { gap: gap.clone(), state, missing: missing.get(gap).copied().unwrap_or_default() }
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
}
