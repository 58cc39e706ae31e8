//! What a relay lacks of a slice and another source holds, event by event, and what explains it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Code, Digest32, EvidenceId, FetchReceipt, KnownGap, NostrEventId, Slice, SourceId, UnixSeconds, packed_struct,
};
use crate::scratch::Sorter;
use crate::verify::HeldEvent;

use super::coverage::is_relay;
use super::reconciler::Input;
use super::result::Takedown;
use super::takedowns;

/// A held event, and the number of the set of sources that gave it.
#[derive(Debug, Clone, Copy)]
struct Given {
    id: EvidenceId,
    event: HeldEvent,
    by: Option<u32>,
}

packed_struct!(Given { id, event, by });

/// An event that a relay lacks and another source holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absent<'a> {
    /// The event, as another source gave it.
    pub id: EvidenceId,
    /// Its `created_at`.
    pub at: UnixSeconds,
    /// What explains the absence.
    pub why: Why<'a>,
}

/// What explains an absence. Whatever it is, the absence is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why<'a> {
    /// Nothing.
    Unexplained,
    /// A registered gap that has not expired.
    Gap(&'a KnownGap),
    /// The operator's transparency log.
    TakenDown(&'a Takedown),
}

/// Visits every absence of every slice that a relay was asked for, relay by relay.
pub fn absences<'a>(input: &Input<'a>, visit: &mut dyn FnMut(&'a SourceId, &'a Slice, &Absent<'a>)) {
    let receipts: &'a [FetchReceipt] = input.receipts;
    let of_relays = receipts.iter().filter(|receipt| is_relay(input, &receipt.source));
    let asked: BTreeSet<(&SourceId, &Slice)> = of_relays.map(|receipt| (&receipt.source, &receipt.slice)).collect();
    if asked.is_empty() {
        return;
    }
    let asked: Vec<(&SourceId, &Slice)> = asked.into_iter().collect();
    for ((source, slice), absent) in asked.iter().zip(absent(input, &asked)) {
        for absent in &absent {
            visit(source, slice, absent);
        }
    }
}

/// What each of these relays lacks of its slice, in order of id: nothing when the kind is no number. Events are looked at place
/// by place, once for all.
pub(super) fn absent<'a>(input: &Input<'a>, asked: &[(&SourceId, &Slice)]) -> Vec<Vec<Absent<'a>>> {
    let kinds: Vec<Option<u16>> = asked.iter().map(|(_, slice)| slice.kind.parse().ok()).collect();
    let mut missing: Vec<Vec<(EvidenceId, UnixSeconds)>> = vec![Vec::new(); asked.len()];
    by_place(input, &kinds.iter().copied().flatten().collect()).each_list(|_, events| {
        let kind = events.first().map(|given| given.event.kind);
        let of_kind = kinds.iter().zip(asked).zip(&mut missing).filter(|((asked, _), _)| **asked == kind);
        for ((_, (source, slice)), missing) in of_kind {
            missing.extend(lacking(input, source, slice, &events));
        }
    });
    let windows = Asked::of(input);
    let all = kinds.iter().zip(asked).zip(missing);
    all.map(|((kind, (source, slice)), mut missing)| {
        missing.sort_unstable();
        missing.retain(|(_, at)| !windows.later(source, slice, *at));
        let log = takedowns::Log::of(input, source);
        let why = |id, at| match log.lists(input, id, kind.unwrap_or_default(), at) {
            Some(takedown) => Why::TakenDown(takedown),
            None => gaps(input)
                .find(|gap| gap.source == **source && at >= gap.from && at < gap.until)
                .map_or(Why::Unexplained, Why::Gap),
        };
        missing.into_iter().map(|(id, at)| Absent { id, at, why: why(id, at) }).collect()
    })
    .collect()
}

/// The windows that each relay was asked for of a kind, where there is more than one.
struct Asked(BTreeMap<(SourceId, String), BTreeSet<Slice>>);

impl Asked {
    /// Reads the receipts.
    fn of(input: &Input<'_>) -> Self {
        let mut asked: BTreeMap<(SourceId, String), BTreeSet<Slice>> = BTreeMap::new();
        for receipt in input.receipts {
            let key = (receipt.source.clone(), receipt.slice.kind.clone());
            asked.entry(key).or_default().insert(receipt.slice.clone());
        }
        asked.retain(|_, slices| slices.len() > 1);
        Self(asked)
    }

    /// True for an instant that lies in a window which begins after this one does, or ends before it: that was asked for on
    /// its own, by a replay, and is judged there. An earlier answer claims nothing about what was published after it.
    fn later(&self, source: &SourceId, slice: &Slice, at: UnixSeconds) -> bool {
        let end = |slice: &Slice| Reverse(slice.until.unwrap_or(UnixSeconds(i64::MAX)));
        let slices = self.0.get(&(source.clone(), slice.kind.clone())).into_iter().flatten();
        slices.into_iter().any(|other| (other.from, end(other)) > (slice.from, end(slice)) && is_in(other, at))
    }
}

fn is_in(slice: &Slice, at: UnixSeconds) -> bool {
    slice.from.is_none_or(|from| at >= from) && slice.until.is_none_or(|until| at <= until)
}

/// Registrations that still explain something, about sources that were asked.
pub(super) fn gaps<'a>(input: &Input<'a>) -> impl Iterator<Item = &'a KnownGap> {
    let (as_of, receipts, declared) = (input.as_of.time, input.receipts, input.declared);
    input.policy.gaps.iter().filter(move |gap| {
        let asked =
            receipts.iter().any(|receipt| receipt.source == gap.source) || declared.sources.contains(&gap.source);
        as_of < gap.expires && asked
    })
}

/// Events of these kinds by the place where relays keep them, those of one in order of id. Forged ones don't count against a
/// relay, or any relay could discredit all others.
fn by_place(input: &Input<'_>, kinds: &BTreeSet<u16>) -> Sorter<Digest32, Vec<Given>> {
    let mut by_place = input.set.events.sorter();
    if kinds.is_empty() {
        return by_place;
    }
    let forged: BTreeSet<EvidenceId> = input
        .set
        .findings
        .iter()
        .filter(|finding| matches!(finding.code, Code::EvtMalformed | Code::EvtBadId | Code::EvtBadSig))
        .flat_map(|finding| finding.evidence.iter().map(|evidence| evidence.id))
        .collect();
    let mut sightings = input.sightings.beside();
    for (id, event) in input.set.events.iter().filter(|(id, event)| kinds.contains(&event.kind) && !forged.contains(id))
    {
        by_place.push(&event.place, &vec![Given { id, event, by: sightings.number(&id) }]);
    }
    by_place
}

/// What another source holds of one place and this one does not: an event is the same in whatever bytes, and a relay that
/// holds the newer version of a replaceable one need not hold the older (NIP-01, FORMATS 2.4).
fn lacking(input: &Input<'_>, source: &SourceId, slice: &Slice, events: &[Given]) -> Vec<(EvidenceId, UnixSeconds)> {
    let seen = |given: &Given| input.sightings.set(given.by?).filter(|seen| !seen.is_empty());
    let mut held: BTreeSet<NostrEventId> = BTreeSet::new();
    let mut newest: Option<Version> = None;
    for Given { event, .. } in events.iter().filter(|given| seen(given).is_some_and(|seen| seen.contains(source))) {
        held.insert(event.id);
        newest = newest.max(Some(version(event)));
    }
    let is_replaced = |event: &HeldEvent| newest.is_some_and(|kept| kept > version(event));
    let mut named = BTreeSet::new();
    let lacks = |given: &&Given| {
        let event = &given.event;
        is_in(slice, event.at) && seen(given).is_some() && !held.contains(&event.id) && !is_replaced(event)
    };
    let lacking = events.iter().filter(lacks).filter(|given| named.insert(given.event.id));
    lacking.map(|given| (given.id, given.event.at)).collect()
}

/// The greatest is the one that a relay keeps: the newest, at the same second that of the lowest id.
type Version = (UnixSeconds, Reverse<NostrEventId>);

fn version(event: &HeldEvent) -> Version {
    (event.at, Reverse(event.id))
}
