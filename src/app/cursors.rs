//! Cursors: how far each source is accounted for, as side records of the store (docs/adr/0014-cursors-and-replay.md).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::error::AppError;
use super::judge::SideTables;
use crate::domain::{Coverage, FetchReceipt, Media, NostrEventId, Position, SourceId, UnixSeconds};
use crate::ingest::Ingest;
use crate::store::{EvidenceStore, SideRecord};
use crate::verify::VerifiedSet;

/// The form of one cursor.
pub(super) const CURSOR_SCHEMA: &str = "reledger/cursor/1";
/// Ids that a cursor names at most. More events than this in one second: the cursor stops before that second.
pub(super) const CURSOR_IDS_MAX: usize = 1_000;

/// How far one kind of one source is accounted for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// `reledger/cursor/1`.
    pub schema: String,
    /// Whose.
    pub source: SourceId,
    /// A Nostr kind number as text, or a media name.
    pub kind: String,
    /// Where it stands; `None` after a reset: nothing is taken for accounted.
    pub position: Option<Place>,
}

/// A place in a source's history.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Every event before `time` is accounted for, and of that second these.
    Events(Position),
    /// Every entry of a gateway's payment log up to this id is accounted for.
    LogId(u64),
}

impl Cursor {
    /// A cursor of that kind of that source.
    pub(super) fn new(source: SourceId, kind: String, position: Option<Place>) -> Self {
        Self { schema: CURSOR_SCHEMA.to_owned(), source, kind, position }
    }

    /// The side record's name.
    pub(super) fn name(&self) -> String {
        name(&self.source, &self.kind)
    }

    /// Reads a side record's value; `None` for a form that this version does not know, or one that nobody writes.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let cursor: Self = serde_json::from_str(value).ok()?;
        cursor.is_well_formed().then_some(cursor)
    }

    /// True for what [`advance`] could have written.
    pub(super) fn is_well_formed(&self) -> bool {
        let of_events = self.kind.parse::<u16>().is_ok();
        self.schema == CURSOR_SCHEMA
            && match &self.position {
                None => true,
                Some(Place::Events(position)) => {
                    let ascending = position.ids.windows(2).all(|pair| pair[0] < pair[1]);
                    of_events && ascending && position.ids.len() <= CURSOR_IDS_MAX
                }
                Some(Place::LogId(_)) => self.kind == Media::PaymentLogEntry.name(),
            }
    }

    fn to_json(&self) -> Result<String, AppError> {
        serde_json::to_string(self).map_err(|error| AppError::Internal(error.to_string()))
    }
}

/// The name of a cursor's side record: kinds have no space.
pub(super) fn name(source: &SourceId, kind: &str) -> String {
    format!("{kind} {source}")
}

/// A position that is small enough: it steps back to before a second of too many events.
pub(super) fn bounded(position: Position) -> Position {
    if position.ids.len() > CURSOR_IDS_MAX { Position { ids: Vec::new(), ..position } } else { position }
}

/// What the store holds under a cursor's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    /// A cursor that can be read.
    Cursor(Cursor),
    /// Something else.
    Unreadable,
}

/// All cursors of the store by the name of their record.
///
/// # Errors
/// [`AppError::Store`].
pub(super) fn stored(store: &dyn EvidenceStore) -> Result<BTreeMap<String, Stored>, AppError> {
    let mut found = BTreeMap::new();
    store.scan_side(&mut |record| {
        if let SideRecord::Cursor { name, value } = record {
            let cursor = Cursor::parse(&value).filter(|cursor| cursor.name() == name);
            found.insert(name, cursor.map_or(Stored::Unreadable, Stored::Cursor));
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Writes a cursor, whatever stood there.
///
/// # Errors
/// [`AppError::Store`].
pub(super) fn put(store: &mut dyn EvidenceStore, cursor: &Cursor) -> Result<(), AppError> {
    Ok(Ingest::new(store).cursor(cursor.name(), cursor.to_json()?)?)
}

/// Moves the cursors of what this session asked, after everything was judged: to the newest verified event, or the highest
/// log entry, that the source gave and that the clock has reached. A cursor stays where any slice of its source and kind
/// is open or its claim was withdrawn, and never goes back (INV-4).
///
/// # Errors
/// [`AppError::Store`].
pub(super) fn advance(
    store: &mut dyn EvidenceStore,
    session: &[FetchReceipt],
    coverage: &[Coverage],
    (set, tables): (&VerifiedSet, &SideTables),
    clock: UnixSeconds,
) -> Result<(), AppError> {
    let asked: BTreeSet<(&SourceId, &str)> = session.iter().map(key).filter(|key| has_cursor(*key)).collect();
    let open: BTreeSet<(&SourceId, &str)> =
        coverage.iter().filter(|row| !row.complete).map(|row| (&row.source, row.slice.kind.as_str())).collect();
    let mut reached = newest_events(set, tables, &asked, clock);
    reached.extend(highest_entries(set, tables, &asked));
    for ((source, kind), place) in reached.into_iter().filter(|(key, _)| !open.contains(key)) {
        let held = store.cursor(&name(source, kind))?.and_then(|value| Cursor::parse(&value));
        let place = match held.and_then(|cursor| cursor.position) {
            Some(held) => further(held, place),
            None => place,
        };
        put(store, &Cursor::new(source.clone(), kind.to_owned(), Some(place)))?;
    }
    Ok(())
}

fn key(receipt: &FetchReceipt) -> (&SourceId, &str) {
    (&receipt.source, &receipt.slice.kind)
}

/// Files are read whole each time, and so are documents.
fn has_cursor((source, kind): (&SourceId, &str)) -> bool {
    !source.0.starts_with("files:") && (kind.parse::<u16>().is_ok() || kind == Media::PaymentLogEntry.name())
}

/// The later of two places; of two in one second the events of both.
fn further(held: Place, reached: Place) -> Place {
    match (held, reached) {
        (Place::Events(held), Place::Events(reached)) if held.time == reached.time => {
            // Without ids a position promises nothing of its second: there are too many.
            if reached.ids.is_empty() {
                return Place::Events(reached);
            }
            let ids: BTreeSet<NostrEventId> = held.ids.into_iter().chain(reached.ids).collect();
            Place::Events(bounded(Position { time: held.time, ids: ids.into_iter().collect() }))
        }
        (held, reached) => held.max(reached),
    }
}

type Reached<'a> = BTreeMap<(&'a SourceId, &'a str), Place>;

/// Forged events are no progress, and those from the future would take a cursor past what is yet to come.
fn newest_events<'a>(
    set: &VerifiedSet,
    tables: &SideTables,
    asked: &BTreeSet<(&'a SourceId, &'a str)>,
    clock: UnixSeconds,
) -> Reached<'a> {
    let mut by_kind: BTreeMap<u16, Vec<(&SourceId, &str)>> = BTreeMap::new();
    for (source, text) in asked {
        if let Ok(kind) = text.parse() {
            by_kind.entry(kind).or_default().push((source, text));
        }
    }
    let mut newest: BTreeMap<(&SourceId, &str), (UnixSeconds, BTreeSet<NostrEventId>)> = BTreeMap::new();
    let mut sightings = tables.sightings.beside();
    for (id, event) in set.events.iter().filter(|(_, event)| event.at <= clock) {
        let Some(seen) = sightings.get(&id) else { continue };
        for key in by_kind.get(&event.kind).into_iter().flatten().filter(|(source, _)| seen.contains(*source)) {
            let (time, ids) = newest.entry(*key).or_insert_with(|| (event.at, BTreeSet::new()));
            if event.at > *time {
                *time = event.at;
                ids.clear();
            }
            // One more than fits is enough to know that they are too many.
            if event.at == *time && ids.len() <= CURSOR_IDS_MAX {
                ids.insert(event.id);
            }
        }
    }
    let place = |(time, ids): (UnixSeconds, BTreeSet<NostrEventId>)| {
        Place::Events(bounded(Position { time, ids: ids.into_iter().collect() }))
    };
    newest.into_iter().map(|(key, reached)| (key, place(reached))).collect()
}

fn highest_entries<'a>(
    set: &VerifiedSet,
    tables: &SideTables,
    asked: &BTreeSet<(&'a SourceId, &'a str)>,
) -> Reached<'a> {
    let mut highest: BTreeMap<(&SourceId, &str), u64> = BTreeMap::new();
    for (id, entry) in &set.payment_log {
        let Some(seen) = tables.sightings.get(&id) else { continue };
        let of_log = |key: &&(&SourceId, &str)| key.1 == Media::PaymentLogEntry.name() && seen.contains(key.0);
        for key in asked.iter().filter(of_log) {
            let highest = highest.entry(*key).or_insert(entry.id);
            *highest = (*highest).max(entry.id);
        }
    }
    highest.into_iter().map(|(key, id)| (key, Place::LogId(id))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CompletenessBasis, Digest32, EvidenceId, Slice, sha256};
    use crate::store::MemoryStore;
    use crate::verify::HeldEvent;

    const KIND: &str = "30087";

    fn relay(name: &str) -> SourceId {
        SourceId(format!("wss://{name}.example"))
    }

    fn digest(number: u32) -> Digest32 {
        sha256(&number.to_be_bytes())
    }

    /// Verified events by number and second, all given by the relay `a`.
    fn given(events: &[(u32, i64)]) -> (VerifiedSet, SideTables) {
        let mut set = VerifiedSet::default();
        let seen = events.iter().map(|(number, _)| (EvidenceId(digest(*number)), relay("a")));
        let tables = SideTables { sightings: seen.collect(), ..SideTables::default() };
        for (number, at) in events {
            let id = EvidenceId(digest(*number));
            let event = HeldEvent {
                kind: 30_087,
                at: UnixSeconds(*at),
                id: NostrEventId(digest(*number)),
                place: digest(*number),
            };
            set.events.insert(id, event);
        }
        (set, tables)
    }

    fn asked(source: &str) -> FetchReceipt {
        FetchReceipt { items: 1, ..FetchReceipt::whole(relay(source), Slice::all(KIND)) }
    }

    fn row(source: &str, complete: bool) -> Coverage {
        Coverage {
            source: relay(source),
            slice: asked(source).slice,
            basis: CompletenessBasis::Exhausted,
            complete,
            items: 1,
            missing_here: 0,
            retries: 0,
            reason: String::new(),
        }
    }

    /// Where the cursor stands after a session at second 1,000.
    fn after(
        store: &mut MemoryStore,
        session: &[FetchReceipt],
        rows: &[Coverage],
        events: &[(u32, i64)],
    ) -> Option<Place> {
        let (set, tables) = given(events);
        advance(store, session, rows, (&set, &tables), UnixSeconds(1_000)).unwrap();
        let held = store.cursor(&name(&relay("a"), KIND)).unwrap();
        held.map(|value| Cursor::parse(&value).expect("it was written by us")).and_then(|cursor| cursor.position)
    }

    fn place(time: i64, numbers: &[u32]) -> Place {
        let mut ids: Vec<NostrEventId> = numbers.iter().map(|number| NostrEventId(digest(*number))).collect();
        ids.sort();
        Place::Events(Position { time: UnixSeconds(time), ids })
    }

    #[test]
    fn a_cursor_names_every_event_of_its_second() {
        let store = &mut MemoryStore::new();
        let events = [(1, 400), (2, 500), (3, 500)];
        assert_eq!(after(store, &[asked("a")], &[row("a", true)], &events), Some(place(500, &[2, 3])));
    }

    #[test]
    fn a_cursor_stays_where_the_source_was_not_asked_or_not_covered_or_others_gave_the_events() {
        let store = &mut MemoryStore::new();
        let events = [(1, 400)];
        assert_eq!(after(store, &[], &[row("a", true)], &events), None);
        assert_eq!(after(store, &[asked("a")], &[row("a", false)], &events), None);
        // One open slice holds back the cursor of its source and kind, whatever else was covered.
        assert_eq!(after(store, &[asked("a")], &[row("a", true), row("a", false)], &events), None);
        assert_eq!(after(store, &[asked("b")], &[row("b", true)], &events), None);
        assert_eq!(store.cursor(&name(&relay("b"), KIND)).unwrap(), None, "it gave nothing of that");
        assert_eq!(after(store, &[asked("a")], &[row("a", true), row("b", false)], &events), Some(place(400, &[1])));
    }

    #[test]
    fn a_cursor_never_goes_back_and_never_past_the_clock() {
        let store = &mut MemoryStore::new();
        let rows = [row("a", true)];
        assert_eq!(after(store, &[asked("a")], &rows, &[(1, 500), (2, 1_001)]), Some(place(500, &[1])));
        assert_eq!(after(store, &[asked("a")], &rows, &[(3, 400)]), Some(place(500, &[1])));
        assert_eq!(after(store, &[asked("a")], &rows, &[(4, 500)]), Some(place(500, &[1, 4])));
        assert_eq!(after(store, &[asked("a")], &rows, &[(5, 1_000)]), Some(place(1_000, &[5])));
    }

    #[test]
    fn a_reset_cursor_stands_again_where_a_session_reaches() {
        let store = &mut MemoryStore::new();
        put(store, &Cursor::new(relay("a"), KIND.to_owned(), None)).unwrap();
        assert_eq!(after(store, &[asked("a")], &[row("a", true)], &[(1, 300)]), Some(place(300, &[1])));
    }

    #[test]
    fn a_cursor_stays_small_and_stops_before_a_second_that_is_too_full() {
        let store = &mut MemoryStore::new();
        let count = u32::try_from(CURSOR_IDS_MAX).unwrap();
        let full: Vec<(u32, i64)> = (0..count).map(|number| (number, 500)).collect();
        let Some(Place::Events(position)) = after(store, &[asked("a")], &[row("a", true)], &full) else {
            panic!("none")
        };
        assert_eq!(position.ids.len(), CURSOR_IDS_MAX);
        let fuller: Vec<(u32, i64)> = (0..=count).map(|number| (number, 500)).collect();
        assert_eq!(after(store, &[asked("a")], &[row("a", true)], &fuller), Some(place(500, &[])));
    }

    #[test]
    fn what_nobody_writes_is_no_cursor() {
        let good = Cursor::new(relay("a"), KIND.to_owned(), Some(place(500, &[1, 2])));
        assert_eq!(Cursor::parse(&good.to_json().unwrap()), Some(good.clone()));
        let mut unsorted = good.clone();
        if let Some(Place::Events(position)) = &mut unsorted.position {
            position.ids.reverse();
        }
        let log = Cursor::new(relay("a"), KIND.to_owned(), Some(Place::LogId(7)));
        let newer = Cursor { schema: "reledger/cursor/2".to_owned(), ..good.clone() };
        for bad in [unsorted, log, newer] {
            assert_eq!(Cursor::parse(&bad.to_json().unwrap()), None, "{bad:?}");
        }
        for text in ["", "{}", "null", &good.to_json().unwrap().replace("\"kind\"", "\"more\":1,\"kind\"")] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
