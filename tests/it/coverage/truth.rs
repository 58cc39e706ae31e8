//! What the sources of a world hold and lack, counted without the program.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use nostr_sdk::JsonUtil as _;
use reledger::sim::{RelayRules, World};
use serde_json::{Value, json};

/// 2026-10-01T00:00:00Z, at which every world is looked at.
pub(super) const AS_OF: i64 = 1_790_812_800;
/// The kinds that FORMATS 1 lists for the profile.
pub(super) const ASKED: [u16; 14] =
    [30_078, 30_079, 30_080, 30_081, 30_082, 30_083, 30_084, 30_085, 30_086, 30_087, 30_110, 30_111, 30_112, 30_114];
const ARCHIVE: &str = "files:nostr-event";
/// Archives of worlds as files, and beside servers.
const ARCHIVES: [&str; 3] = ["nostr/events.jsonl", "nostr/events-2.jsonl", "nostr-past/events.jsonl"];

/// A registered gap.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Gap {
    pub(super) source: String,
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) expires: i64,
}

/// A line of the transparency log.
pub(super) struct Listed {
    pub(super) kind: u16,
    pub(super) d: String,
    /// The first second of its day.
    pub(super) day: i64,
}

impl Listed {
    pub(super) fn line(&self) -> String {
        let date: String = reledger::domain::UnixSeconds(self.day).to_string().chars().take(10).collect();
        json!({"kind": self.kind, "d": self.d, "date": date}).to_string()
    }
}

pub(super) fn d_tag(tags: &[Vec<String>]) -> String {
    let d = tags.iter().find(|tag| tag.first().is_some_and(|name| name == "d"));
    d.and_then(|tag| tag.get(1)).cloned().unwrap_or_default()
}

#[derive(Debug, Clone)]
struct Event {
    kind: u16,
    at: i64,
    pubkey: String,
    d: String,
}

/// What a relay lacks of one kind, and what is said about that.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Lacks {
    pub(super) missing: u64,
    pub(super) unexplained: u64,
    pub(super) in_gaps: u64,
    pub(super) taken_down: u64,
}

/// Who holds what.
pub(super) struct Truth {
    /// Genuine events by id.
    events: BTreeMap<String, Event>,
    /// Ids by source.
    held: BTreeMap<String, BTreeSet<String>>,
    relays: Vec<String>,
    /// Sorted, as listings have them.
    gaps: Vec<Gap>,
    listed: Vec<Listed>,
    /// Envelope ids by the events that carry them, and those that travel otherwise.
    carried: BTreeMap<String, BTreeSet<String>>,
    elsewhere: BTreeSet<String>,
}

impl Truth {
    pub(super) fn new(
        world: &World,
        folder: &Path,
        relays: Vec<(String, RelayRules)>,
        gaps: Vec<Gap>,
        listed: Vec<Listed>,
    ) -> Self {
        let mut truth = Self {
            events: BTreeMap::new(),
            held: BTreeMap::new(),
            relays: relays.iter().map(|(address, _)| address.clone()).collect(),
            gaps,
            listed,
            carried: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
        };
        let envelopes: BTreeSet<String> = world.envelopes.iter().map(|envelope| envelope.id.to_string()).collect();
        for (address, rules) in relays {
            for event in world.events.iter().filter(|event| rules.holds.has(event)) {
                truth.hold(&address, &event.line(), &envelopes);
            }
        }
        for line in ARCHIVES.iter().filter_map(|name| fs::read_to_string(folder.join(name)).ok()) {
            line.lines().for_each(|line| truth.hold(ARCHIVE, line, &envelopes));
        }
        for line in &world.activity {
            let bundle: Value = serde_json::from_str(line).unwrap();
            truth.elsewhere.insert(bundle["attestation"]["id"].as_str().unwrap().to_owned());
        }
        truth
    }

    fn hold(&mut self, source: &str, line: &str, envelopes: &BTreeSet<String>) {
        let Ok(event) = nostr_sdk::Event::from_json(line) else { return };
        if event.verify().is_err() {
            return;
        }
        let id = event.id.to_hex();
        let tags: Vec<Vec<String>> = event.tags.iter().map(|tag| tag.clone().to_vec()).collect();
        let d = d_tag(&tags);
        let envelope = d.rsplit_once(':').map_or("", |(_, envelope)| envelope);
        // A blank replacement names no envelope.
        if envelopes.contains(envelope) && event.content.contains(envelope) {
            self.carried.entry(envelope.to_owned()).or_default().insert(id.clone());
        }
        self.held.entry(source.to_owned()).or_default().insert(id.clone());
        let at = i64::try_from(event.created_at.as_secs()).unwrap();
        self.events.insert(id, Event { kind: event.kind.as_u16(), at, pubkey: event.pubkey.to_hex(), d });
    }

    /// What the relay lacks of what anybody holds, but for what a newer version that it holds took the place of (NIP-01).
    fn lacking(&self, relay: &str) -> Vec<&Event> {
        let empty = BTreeSet::new();
        let own = self.held.get(relay).unwrap_or(&empty);
        let place = |event: &Event| (event.kind, event.pubkey.clone(), event.d.clone());
        let mut newest: BTreeMap<_, (i64, Reverse<&String>)> = BTreeMap::new();
        for id in own {
            let event = &self.events[id];
            let kept = newest.entry(place(event)).or_insert((event.at, Reverse(id)));
            *kept = (*kept).max((event.at, Reverse(id)));
        }
        let lacks = |(id, event): &(&String, &Event)| {
            ASKED.contains(&event.kind)
                && !own.contains(*id)
                && newest.get(&place(event)).is_none_or(|kept| *kept < (event.at, Reverse(*id)))
        };
        self.events.iter().filter(lacks).map(|(_, event)| event).collect()
    }

    /// The operator's relay is the first.
    fn is_listed(&self, relay: &str, event: &Event) -> bool {
        let known = self.listed.iter().filter(|line| line.day <= AS_OF);
        let days = known.filter(|line| line.kind == event.kind && line.d == event.d).map(|line| line.day);
        self.relays.first().is_some_and(|operator| operator == relay)
            && days.max().is_some_and(|day| event.at < day + 86_400)
    }

    fn gap(&self, relay: &str, event: &Event) -> Option<usize> {
        (0..self.gaps.len()).find(|place| {
            let gap = &self.gaps[*place];
            gap.source == relay && gap.from <= event.at && event.at < gap.until && gap.expires > AS_OF
        })
    }

    fn judge(&self, relay: &str, event: &Event, lacks: &mut Lacks) {
        lacks.missing += 1;
        if self.is_listed(relay, event) {
            lacks.taken_down += 1;
        } else if self.gap(relay, event).is_some() {
            lacks.in_gaps += 1;
        } else {
            lacks.unexplained += 1;
        }
    }

    pub(super) fn lacks(&self, relay: &str, kind: u16) -> Lacks {
        let mut lacks = Lacks::default();
        self.lacking(relay)
            .into_iter()
            .filter(|event| event.kind == kind)
            .for_each(|event| self.judge(relay, event, &mut lacks));
        lacks
    }

    /// Items, missing, in gaps and taken down, by source, kind and month.
    pub(super) fn cells(&self) -> BTreeMap<(String, u16, String), [u64; 4]> {
        let mut cells: BTreeMap<(String, u16, String), [u64; 4]> = BTreeMap::new();
        let place = |source: &str, event: &Event| {
            let month: String = reledger::domain::UnixSeconds(event.at).to_string().chars().take(7).collect();
            (source.to_owned(), event.kind, month)
        };
        for (source, ids) in &self.held {
            for id in ids {
                let event = &self.events[id];
                if source == ARCHIVE || ASKED.contains(&event.kind) {
                    cells.entry(place(source, event)).or_default()[0] += 1;
                }
            }
        }
        for relay in &self.relays {
            for event in self.lacking(relay) {
                let mut lacks = Lacks::default();
                self.judge(relay, event, &mut lacks);
                let cell = cells.entry(place(relay, event)).or_default();
                cell[1] += lacks.missing;
                cell[2] += lacks.in_gaps;
                cell[3] += lacks.taken_down;
            }
        }
        cells
    }

    /// How much each gap explains, in the order of source and times.
    pub(super) fn gap_uses(&self) -> Vec<(i64, u64)> {
        let mut counts = vec![0; self.gaps.len()];
        for relay in &self.relays {
            for event in self.lacking(relay).into_iter().filter(|event| !self.is_listed(relay, event)) {
                if let Some(gap) = self.gap(relay, event) {
                    counts[gap] += 1;
                }
            }
        }
        self.gaps.iter().zip(counts).map(|(gap, count)| (gap.from, count)).collect()
    }

    fn is_held(&self, event: &str, without_operator: bool) -> bool {
        let operator = self.relays.first().filter(|_| without_operator);
        self.held.iter().any(|(source, ids)| Some(source) != operator && ids.contains(event))
    }

    /// Events that anybody holds, and that somebody else than the operator's relay holds.
    pub(super) fn events(&self) -> [u64; 2] {
        [false, true].map(|without| self.events.keys().filter(|id| self.is_held(id, without)).count() as u64)
    }

    /// The same of envelopes.
    pub(super) fn envelopes(&self) -> [u64; 2] {
        [false, true].map(|without| {
            let carried = self.carried.values().filter(|events| events.iter().any(|id| self.is_held(id, without)));
            (carried.count() + self.elsewhere.len()) as u64
        })
    }
}
