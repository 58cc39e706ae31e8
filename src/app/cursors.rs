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
    for (id, event) in set.events.iter().filter(|(_, event)| event.at <= clock) {
        let Some(seen) = tables.sightings.get(id) else { continue };
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
        let Some(seen) = tables.sightings.get(id) else { continue };
        let of_log = |key: &&(&SourceId, &str)| key.1 == Media::PaymentLogEntry.name() && seen.contains(key.0);
        for key in asked.iter().filter(of_log) {
            let highest = highest.entry(*key).or_insert(entry.id);
            *highest = (*highest).max(entry.id);
        }
    }
    highest.into_iter().map(|(key, id)| (key, Place::LogId(id))).collect()
}
