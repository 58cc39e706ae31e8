//! Where each cursor really stands: as committed when the store holds what it claims, else where the receipts allow.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use serde::Deserialize;

use super::cursors::{Place, Stored, name, stored};
use super::error::AppError;
use super::ground::Ground;
use super::judge::SideTables;
use super::plan::Plan;
use crate::domain::{EvidenceId, Media, NostrEventId, Position, RawEvidence, SourceId, UnixSeconds};
use crate::evidence::{Claim, Decoded, decode};
use crate::store::EvidenceStore;

/// Where a cursor was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was committed, and the store holds every event that it names.
    Committed,
    /// Nothing usable was committed: it follows from the receipts and the evidence.
    Derived,
    /// It was reset: nothing is taken for accounted.
    Reset,
    /// Nothing is known: everything has to be asked for.
    Unknown,
}

impl Origin {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Derived => "derived",
            Self::Reset => "reset",
            Self::Unknown => "unknown",
        }
    }
}

/// One source and kind, and how far it is accounted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose.
    pub source: SourceId,
    /// A Nostr kind number as text, or a media name.
    pub kind: String,
    /// How far; `None` when everything has to be asked for.
    pub place: Option<Place>,
    /// How that is known.
    pub origin: Origin,
    /// Why what was committed does not count, or empty.
    pub note: String,
    /// The configuration names the source.
    pub declared: bool,
}

impl Standing {
    /// The position among a relay's events.
    pub(super) fn position(&self) -> Option<&Position> {
        match &self.place {
            Some(Place::Events(position)) => Some(position),
            _ => None,
        }
    }
}

/// Every cursor of the run, and every source and kind of the plan that could have one, sorted.
///
/// # Errors
/// [`AppError::Store`].
pub(super) fn standings<'a>(
    store: &dyn EvidenceStore,
    plan: &Plan,
    tables: &'a SideTables,
    ground: &Ground<'_>,
) -> Result<(Vec<Standing>, Held<'a>), AppError> {
    let stored = stored(store)?;
    let mut keys: BTreeSet<(SourceId, String)> = planned(plan);
    keys.extend(stored.values().filter_map(|cursor| match cursor {
        Stored::Cursor(cursor) => Some((cursor.source.clone(), cursor.kind.clone())),
        Stored::Unreadable => None,
    }));
    let derived: BTreeMap<&(SourceId, String), Position> =
        keys.iter().filter_map(|key| Some((key, ground.safe_position(&key.0, &key.1)?))).collect();
    let places: Vec<&Place> = stored
        .values()
        .filter_map(|cursor| match cursor {
            Stored::Cursor(cursor) => cursor.position.as_ref(),
            Stored::Unreadable => None,
        })
        .collect();
    let held = Held::find(store, tables, &places, derived.values())?;
    let mut all = Vec::new();
    for key in &keys {
        let derived = derived.get(key).filter(|position| held.lacks(&key.0, position) == 0);
        let (origin, place, note) = match stored.get(&name(&key.0, &key.1)) {
            Some(Stored::Cursor(cursor)) => match &cursor.position {
                None => (Origin::Reset, None, String::new()),
                Some(place) => match held.objection(&key.0, place, derived, ground) {
                    None => (Origin::Committed, Some(place.clone()), String::new()),
                    Some(note) => fall_back(derived, note),
                },
            },
            Some(Stored::Unreadable) => fall_back(derived, "what was committed can't be read".to_owned()),
            None => fall_back(derived, "none was committed".to_owned()),
        };
        let (source, kind) = key.clone();
        let declared = plan.declared.sources.contains(&source);
        all.push(Standing { source, kind, place, origin, note, declared });
    }
    Ok((all, held))
}

fn fall_back(derived: Option<&Position>, note: String) -> (Origin, Option<Place>, String) {
    let origin = if derived.is_some() { Origin::Derived } else { Origin::Unknown };
    (origin, derived.cloned().map(Place::Events), note)
}

/// Sources and kinds that a plan's captures leave cursors for.
fn planned(plan: &Plan) -> BTreeSet<(SourceId, String)> {
    let kinds = || plan.policy.kinds.iter().map(u16::to_string);
    let relays = plan.relays.iter().flat_map(|url| kinds().map(|kind| (SourceId(url.clone()), kind)));
    let log = Media::PaymentLogEntry.name().to_owned();
    let logs = plan.payment_logs.iter().map(|entry| (SourceId(entry.url.clone()), log.clone()));
    relays.chain(logs).collect()
}

/// What the store holds of what cursors name.
pub(super) struct Held<'a> {
    tables: &'a SideTables,
    events: BTreeMap<NostrEventId, HeldEvent>,
    /// Log ids with their evidence.
    entries: BTreeMap<u64, Vec<EvidenceId>>,
}

/// One event that a cursor names.
#[derive(Debug, Clone, Default)]
pub(super) struct HeldEvent {
    copies: Vec<(EvidenceId, UnixSeconds)>,
    /// Where relays keep it when a newer one may stand in its place (NIP-01).
    pub(super) address: Option<Address>,
}

/// Kind, author and `d` of events that replace each other.
pub(super) type Address = (u16, String, String);

impl<'a> Held<'a> {
    /// Looks for everything that these places name, in one pass over each media that any of them is about.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub(super) fn find<'p>(
        store: &dyn EvidenceStore,
        tables: &'a SideTables,
        places: &[&Place],
        positions: impl Iterator<Item = &'p Position>,
    ) -> Result<Self, AppError> {
        let mut wanted: BTreeSet<NostrEventId> = positions.flat_map(|position| position.ids.iter().copied()).collect();
        let mut entries: BTreeMap<u64, Vec<EvidenceId>> = BTreeMap::new();
        for place in places {
            match place {
                Place::Events(position) => wanted.extend(&position.ids),
                Place::LogId(id) => drop(entries.insert(*id, Vec::new())),
            }
        }
        let mut media = Vec::new();
        media.extend((!wanted.is_empty()).then_some(Media::NostrEvent));
        media.extend((!entries.is_empty()).then_some(Media::PaymentLogEntry));
        let mut events: BTreeMap<NostrEventId, HeldEvent> = BTreeMap::new();
        if !media.is_empty() {
            store.scan(&media, &mut |id, evidence| {
                if evidence.media == Media::NostrEvent {
                    if let Some(event) = Event::of(&evidence.bytes).filter(|event| wanted.contains(&event.id)) {
                        let held = events.entry(event.id).or_default();
                        held.copies.push((id, event.created_at));
                        held.address = event.address();
                    }
                } else if let Some(copies) = log_id(&evidence).and_then(|entry| entries.get_mut(&entry)) {
                    copies.push(id);
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(Self { tables, events, entries })
    }

    fn gave(&self, source: &SourceId, id: &EvidenceId) -> bool {
        self.tables.sightings.get(id).is_some_and(|sources| sources.contains(source))
    }

    /// How many events of a position this source did not give, as far as the store knows.
    pub(super) fn lacks(&self, source: &SourceId, position: &Position) -> usize {
        let held = |id: &&NostrEventId| {
            let copies = self.events.get(*id).map(|event| event.copies.as_slice()).unwrap_or_default();
            copies.iter().any(|(copy, at)| *at == position.time && self.gave(source, copy))
        };
        position.ids.len() - position.ids.iter().filter(held).count()
    }

    /// Why a committed place can't be relied on.
    pub(super) fn objection(
        &self,
        source: &SourceId,
        place: &Place,
        derived: Option<&Position>,
        ground: &Ground<'_>,
    ) -> Option<String> {
        match place {
            Place::Events(position) if position.ids.is_empty() => {
                // It names nothing that could be looked up: only a capture that went this far vouches for it.
                let asked = ground.captured.get(&source.0).is_some_and(|at| position.time.0 <= *at);
                let covered = asked || derived.is_some_and(|derived| position.time <= derived.time);
                (!covered).then(|| format!("nothing vouches for {}", position.time))
            }
            Place::Events(position) => match self.lacks(source, position) {
                0 => None,
                missing => {
                    let all = position.ids.len();
                    Some(format!("the store holds {} of the {all} events that it names", all - missing))
                }
            },
            Place::LogId(id) => {
                let copies = self.entries.get(id).map(Vec::as_slice).unwrap_or_default();
                let held = copies.iter().any(|copy| self.gave(source, copy));
                (!held).then(|| format!("the store does not hold log entry {id}"))
            }
        }
    }

    /// Where relays keep an event that may be replaced.
    pub(super) fn address(&self, id: &NostrEventId) -> Option<Address> {
        self.events.get(id)?.address.clone()
    }
}

/// What is looked at of an event; nothing of it is verified.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub(super) id: NostrEventId,
    pub(super) kind: u16,
    pub(super) created_at: UnixSeconds,
    pubkey: String,
    #[serde(default)]
    tags: Vec<Vec<String>>,
}

impl Event {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Kinds 0, 3, 10000..20000 keep one event per author, kinds 30000..40000 one per author and `d` (NIP-01).
    pub(super) fn address(&self) -> Option<Address> {
        let d = match self.kind {
            0 | 3 | 10_000..=19_999 => "",
            30_000..=39_999 => {
                let tag = self.tags.iter().find(|tag| tag.first().is_some_and(|name| name == "d"));
                tag.and_then(|tag| tag.get(1)).map_or("", String::as_str)
            }
            _ => return None,
        };
        Some((self.kind, self.pubkey.clone(), d.to_owned()))
    }
}

fn log_id(evidence: &RawEvidence) -> Option<u64> {
    let Decoded::Claim(claim, _) = decode(evidence) else { return None };
    if let Claim::PaymentLogEntry(entry) = *claim { Some(entry.id) } else { None }
}
