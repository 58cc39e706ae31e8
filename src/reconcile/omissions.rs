//! SRC_OMITS, SRC_KNOWN_GAP and SRC_TAKEN_DOWN: a completeness claim against what other sources hold (INV-8, FORMATS 2.3).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Code, CompletenessBasis, Digest32, EvidenceId, Finding, KnownGap, NostrEventId, Slice, SourceId, Subject,
    UnixSeconds,
};
use crate::verify::HeldEvent;

use super::audit::wide;
use super::coverage::{Rows, is_relay, slice_subject};
use super::reconciler::Input;
use super::takedowns;

/// At most so many missing items are named in one finding; the count is exact.
const NAMED_MAX: usize = 20;

/// Counts what each relay lacks, withdraws contradicted claims, lists registered gaps.
pub(super) fn check(input: &Input<'_>, rows: &mut Rows) -> Vec<Finding> {
    let by_kind = events(input);
    let mut found = Vec::new();
    let mut inside: BTreeMap<&KnownGap, usize> = gaps(input).map(|gap| (gap, 0)).collect();
    let asked = later_slices(rows);
    for ((source, slice), row) in rows.iter_mut().filter(|((source, _), _)| is_relay(input, source)) {
        let Ok(kind) = slice.kind.parse::<u16>() else { continue };
        let missing = missing(
            input,
            (source, slice),
            later(&asked, source, slice),
            by_kind.get(&kind).map(Vec::as_slice).unwrap_or_default(),
        );
        row.coverage.missing_here = wide(missing.len());
        let log = takedowns::Log::of(input, source);
        let mut taken_down = Vec::new();
        let missing: Vec<_> = missing
            .into_iter()
            .filter(|(id, at)| match log.lists(input, *id, kind, *at) {
                None => true,
                Some(takedown) => {
                    taken_down.push(takedowns::finding(source, takedown, *id));
                    false
                }
            })
            .collect();
        if row.coverage.complete {
            found.append(&mut taken_down);
        }
        let mut unexplained = 0;
        for (_, at) in &missing {
            match gaps(input).find(|gap| gap.source == *source && *at >= gap.from && *at < gap.until) {
                Some(gap) => *inside.entry(gap).or_default() += 1,
                None => unexplained += 1,
            }
        }
        if missing.is_empty() || !row.coverage.complete {
            continue;
        }
        let mut finding = Finding::new(Code::SrcOmits, slice_subject(source, slice))
            .with_values("every event that another source holds", format!("{} events missing", missing.len()))
            .with_explanation("The source claimed this slice complete and lacks events that another source holds.");
        for (id, _) in missing.iter().take(NAMED_MAX) {
            finding = finding.with_evidence(*id, "missing");
        }
        if unexplained == 0 {
            finding = finding.explained("everything missing lies inside a registered gap");
        } else {
            // INV-8: a contradicted claim is withdrawn.
            row.withdrawn = true;
            row.coverage.complete = false;
            row.coverage.basis = CompletenessBasis::None;
            row.coverage.reason = format!("claim withdrawn: {unexplained} events missing outside any registered gap");
        }
        found.push(finding);
    }
    found.extend(inside.into_iter().map(|(gap, count)| known_gap(gap, count)));
    found
}

/// Windows by source and kind.
type Asked = BTreeMap<(SourceId, String), Vec<Slice>>;

fn later_slices(rows: &Rows) -> Asked {
    let mut asked = Asked::new();
    for (source, slice) in rows.keys() {
        asked.entry((source.clone(), slice.kind.clone())).or_default().push(slice.clone());
    }
    asked.retain(|_, slices| slices.len() > 1);
    asked
}

/// The windows that begin after this one does, or end before it: what lies in them was asked for on its own, by a replay,
/// and is judged there. An earlier answer claims nothing about what was published after it.
fn later<'a>(asked: &'a Asked, source: &SourceId, slice: &'a Slice) -> impl Fn(UnixSeconds) -> bool + use<'a> {
    let slices = asked.get(&(source.clone(), slice.kind.clone())).map(Vec::as_slice).unwrap_or_default();
    let end = |slice: &Slice| Reverse(slice.until.unwrap_or(UnixSeconds(i64::MAX)));
    move |at| {
        let own = slices.iter().filter(|other| (other.from, end(other)) > (slice.from, end(slice)));
        own.into_iter().any(|other| is_in(other, at))
    }
}

fn is_in(slice: &Slice, at: UnixSeconds) -> bool {
    slice.from.is_none_or(|from| at >= from) && slice.until.is_none_or(|until| at <= until)
}

/// Registrations that still explain something, about sources that were asked.
fn gaps<'a>(input: &Input<'a>) -> impl Iterator<Item = &'a KnownGap> {
    let (as_of, receipts, declared) = (input.as_of.time, input.receipts, input.declared);
    input.policy.gaps.iter().filter(move |gap| {
        let asked =
            receipts.iter().any(|receipt| receipt.source == gap.source) || declared.sources.contains(&gap.source);
        as_of < gap.expires && asked
    })
}

fn known_gap(gap: &KnownGap, count: usize) -> Finding {
    let subject = Subject::new("source", &gap.source).and("from", gap.from.0).and("until", gap.until.0);
    Finding::new(Code::SrcKnownGap, subject)
        .with_values("no absence", format!("{count} events of other sources missing inside the gap"))
        .with_explanation("What is missing here and nowhere else cannot be seen.")
        .explained(format!("{} ({})", gap.reason, gap.cite))
}

/// Events by kind that count against a relay: forged ones don't, or any relay could discredit all others.
fn events(input: &Input<'_>) -> BTreeMap<u16, Vec<(EvidenceId, HeldEvent)>> {
    let forged: BTreeSet<EvidenceId> = input
        .set
        .findings
        .iter()
        .filter(|finding| matches!(finding.code, Code::EvtMalformed | Code::EvtBadId | Code::EvtBadSig))
        .flat_map(|finding| finding.evidence.iter().map(|evidence| evidence.id))
        .collect();
    let mut by_kind: BTreeMap<u16, Vec<(EvidenceId, HeldEvent)>> = BTreeMap::new();
    for (id, event) in input.set.events.iter().filter(|(id, _)| !forged.contains(*id)) {
        by_kind.entry(event.kind).or_default().push((*id, *event));
    }
    by_kind
}

/// What another source holds and this one does not: an event is the same in whatever bytes, and a relay that holds the
/// newer version of a replaceable one need not hold the older (NIP-01, FORMATS 2.4).
fn missing(
    input: &Input<'_>,
    (source, slice): (&SourceId, &Slice),
    is_asked_later: impl Fn(UnixSeconds) -> bool,
    events: &[(EvidenceId, HeldEvent)],
) -> Vec<(EvidenceId, UnixSeconds)> {
    let seen = |id: &EvidenceId| input.sightings.get(id).filter(|seen| !seen.is_empty());
    let mut held: BTreeSet<NostrEventId> = BTreeSet::new();
    let mut newest: BTreeMap<Digest32, Version> = BTreeMap::new();
    for (_, event) in events.iter().filter(|(id, _)| seen(id).is_some_and(|seen| seen.contains(source))) {
        held.insert(event.id);
        let kept = newest.entry(event.place).or_insert_with(|| version(event));
        *kept = (*kept).max(version(event));
    }
    let asked_for = |at: UnixSeconds| is_in(slice, at) && !is_asked_later(at);
    let is_replaced = |event: &HeldEvent| newest.get(&event.place).is_some_and(|kept| *kept > version(event));
    let mut named = BTreeSet::new();
    let lacks = |(id, event): &&(EvidenceId, HeldEvent)| {
        asked_for(event.at) && seen(id).is_some() && !held.contains(&event.id) && !is_replaced(event)
    };
    let lacking = events.iter().filter(lacks).filter(|(_, event)| named.insert(event.id));
    lacking.map(|(id, event)| (*id, event.at)).collect()
}

/// The greatest is the one that a relay keeps: the newest, at the same second that of the lowest id.
type Version = (UnixSeconds, Reverse<NostrEventId>);

fn version(event: &HeldEvent) -> Version {
    (event.at, Reverse(event.id))
}
