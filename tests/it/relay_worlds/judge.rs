//! Whether a capture kept its word, by what the relay holds. Knows nothing of how captures are made.

use std::collections::{BTreeMap, BTreeSet};

use reledger::domain::{CompletenessBasis, FetchReceipt, SliceEnd};
use serde_json::Value;

use super::server::Log;
use super::world::{Choice, Fault, Neg, Prefixes, Stored, World};

/// What a capture came to.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// Events as they were handed over.
    pub(super) captured: Vec<String>,
    pub(super) receipts: Vec<FetchReceipt>,
    pub(super) log: Log,
}

struct Case<'a> {
    world: &'a World,
    kind: u16,
    receipt: &'a FetchReceipt,
    captured: BTreeSet<&'a str>,
    log: &'a Log,
    wrong: Vec<String>,
}

/// Everything that is wrong with a capture of this world; nothing is the right answer.
pub(super) fn judge(world: &World, outcome: &Outcome) -> Vec<String> {
    let stored: BTreeMap<&str, &Stored> = world.events.iter().map(|event| (event.json.as_str(), event)).collect();
    let mut wrong = Vec::new();
    let mut by_kind: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    for text in &outcome.captured {
        match stored.get(text.as_str()) {
            None => wrong.push(format!("captured what the relay never held: {text}")),
            Some(event) if !by_kind.entry(event.kind).or_default().insert(&event.id) => {
                wrong.push(format!("captured twice: {}", event.id));
            }
            Some(_) => {}
        }
    }
    let mut asked: Vec<String> = world.kinds.iter().map(u16::to_string).collect();
    asked.sort_by_key(|kind| kind.parse::<u16>().unwrap());
    let told: Vec<&str> = outcome.receipts.iter().map(|receipt| receipt.slice.kind.as_str()).collect();
    if told != asked {
        wrong.push(format!("receipts for {told:?}, asked for {asked:?}"));
    }
    for receipt in &outcome.receipts {
        let Some(kind) = receipt.slice.kind.parse().ok().filter(|kind| world.kinds.contains(kind)) else { continue };
        let captured = by_kind.remove(&kind).unwrap_or_default();
        let mut case = Case { world, kind, receipt, captured, log: &outcome.log, wrong: Vec::new() };
        case.judge();
        wrong.extend(case.wrong.into_iter().map(|what| format!("kind {kind}, {}: {what}", receipt.basis)));
    }
    if !by_kind.is_empty() {
        wrong.push(format!("captured kinds that nobody asked for: {:?}", by_kind.keys()));
    }
    let bound = questions_max(world);
    let asked = outcome.log.messages;
    if asked > bound {
        wrong.push(format!("{asked} messages sent, {bound} are enough"));
    }
    wrong
}

/// More messages than this no sensible capture needs: at a relay that does everything right few, at others a multiple.
/// The generous part is for splitting full seconds by prefix.
pub(super) fn questions_max(world: &World) -> u64 {
    let page = world.page_max().max(1);
    let mut most = 200 + 100 * world.kinds.len();
    for kind in &world.kinds {
        let held = world.held(*kind);
        let full = full_seconds(&held, page.div_ceil(4));
        // Each question is closed again, and asked up to four times when it fails; a page of one event moves one event on.
        most += 40 * (held.len() / page + 1) + 12 * held.len() + full * 256 * 8;
    }
    let patience = if world.is_honest() { 1 } else { 4 };
    u64::try_from(most).unwrap() * patience
}

fn full_seconds(held: &[&Stored], page: usize) -> usize {
    let mut seconds: BTreeMap<i128, usize> = BTreeMap::new();
    for event in held {
        *seconds.entry(event.at).or_default() += 1;
    }
    seconds.values().filter(|count| **count >= page).count()
}

impl Case<'_> {
    fn judge(&mut self) {
        let receipt = self.receipt;
        if receipt.items != u64::try_from(self.captured.len()).unwrap() {
            self.blame(&format!("the receipt says {} items, {} came", receipt.items, self.captured.len()));
        }
        let complete = receipt.basis >= CompletenessBasis::Exhausted;
        if complete && receipt.end != SliceEnd::Ended {
            self.blame(&format!("complete, although it ended as {:?}", receipt.end));
        }
        if complete {
            self.nothing_is_lost();
        } else if receipt.reason.is_empty() {
            self.blame("not complete, and no reason is given");
        }
        self.windows_are_true();
        if self.world.gives_everything() {
            self.whatever_can_be_had_was_had();
        }
        if self.world.is_honest() {
            self.honesty_is_rewarded();
            self.position_is_the_newest_second();
        }
    }

    fn blame(&mut self, what: &str) {
        self.wrong.push(what.to_owned());
    }

    /// What the relay holds, except what shows in no answer that it gives.
    fn shown(&self) -> Vec<&Stored> {
        let world = self.world;
        let held = world.held(self.kind);
        if world.has(Fault::EmptyAnswer) && !held.iter().any(|event| self.log.given.contains(&event.id)) {
            return Vec::new();
        }
        let known = |event: &&Stored| !world.hides(event) && !world.is_phantom(event);
        held.into_iter().filter(known).filter(|event| !world.hides_from_pages(event) || world.lists(event)).collect()
    }

    /// No false "complete".
    fn nothing_is_lost(&mut self) {
        let shown = self.shown();
        let lost: Vec<&&Stored> = shown.iter().filter(|event| !self.captured.contains(event.id.as_str())).collect();
        if let Some(first) = lost.first() {
            let what = format!("FALSE COMPLETE: {} of {} lost, one at {}", lost.len(), shown.len(), first.at);
            self.blame(&what);
        }
        // What the relay itself said it holds must have come, or the claim is contradicted.
        let phantoms = self.world.held(self.kind).into_iter().filter(|event| self.world.is_phantom(event)).count();
        if self.log.listed.contains(&u64::from(self.kind)) && phantoms > 0 {
            self.blame(&format!("complete, although {phantoms} ids were listed and never given"));
        }
        let captured = u64::try_from(self.captured.len()).unwrap();
        let counts = self.log.counted.iter().filter(|(filter, _)| self.counts_the_slice(filter));
        if let Some((_, told)) = counts.clone().find(|(_, told)| *told > captured) {
            let what = format!("complete with {captured} events, although the relay counts {told}");
            self.blame(&what);
        }
    }

    fn counts_the_slice(&self, filter: &Value) -> bool {
        let only = ["ids", "authors", "#d"].iter().all(|name| filter[*name].is_null());
        only && filter["kinds"] == serde_json::json!([self.kind])
            && filter["since"].as_i64() == self.world.window.0
            && filter["until"].as_i64() == self.world.window.1
    }

    /// Where the certificate speaks of windows, what is missing is missing where it says so.
    fn windows_are_true(&mut self) {
        let Some(certificate) = &self.receipt.backing.certificate else { return };
        let complete = self.receipt.basis >= CompletenessBasis::Exhausted;
        if complete && certificate.windows.iter().any(|window| !window.open.is_empty()) {
            self.blame("complete with an open window");
        }
        if self.receipt.end != SliceEnd::Ended || certificate.windows.is_empty() {
            return;
        }
        let open = |event: &Stored| {
            certificate.windows.iter().any(|window| {
                !window.open.is_empty()
                    && window.from.is_none_or(|from| event.at >= i128::from(from.0))
                    && window.until.is_none_or(|until| event.at <= i128::from(until.0))
            })
        };
        let lost = self.shown().into_iter().filter(|event| !self.captured.contains(event.id.as_str()));
        let lost: Vec<&Stored> = lost.filter(|event| !open(event)).collect();
        if let Some(first) = lost.first() {
            let windows: Vec<String> = certificate
                .windows
                .iter()
                .take(8)
                .map(|window| format!("{:?}..{:?} {} {:?}", window.from, window.until, window.items, window.open))
                .collect();
            let what = format!("{} events lost in windows that are not open, one at {}", lost.len(), first.at);
            self.blame(&format!("{what}; windows {}", windows.join(", ")));
        }
    }

    fn whatever_can_be_had_was_had(&mut self) {
        let mut reach = self.world.within_reach(self.kind);
        let held = self.world.held(self.kind);
        let seen = held.iter().filter(|event| self.captured.contains(event.id.as_str()));
        let authors: BTreeSet<&str> = seen.map(|event| event.author.as_str()).collect();
        reach.extend(self.world.within_reach_of_authors(self.kind, &authors));
        let lost = reach.iter().filter(|id| !self.captured.contains(**id)).count();
        if lost > 0 {
            self.blame(&format!("{lost} of {} events within reach were not captured", reach.len()));
        }
    }

    /// An honest relay is not called incomplete without reason.
    fn honesty_is_rewarded(&mut self) {
        let (world, basis) = (self.world, self.receipt.basis);
        let held = world.held(self.kind);
        if !held.iter().all(|event| has_a_nameable_time(event)) {
            // No window can name such a time; how far a relay is believed on it is open.
            return;
        }
        if let Neg::Honest { max, .. } = world.neg
            && world.fullest_second(self.kind) <= max
        {
            if basis != CompletenessBasis::SetEqual {
                self.blame(&format!("an honest list was not believed: {}", self.receipt.reason));
            }
        } else if world.shows_its_cap() && basis < CompletenessBasis::Exhausted {
            self.blame(&format!("an honest relay is not called complete: {}", self.receipt.reason));
        }
    }

    fn position_is_the_newest_second(&mut self) {
        let Some(position) = &self.receipt.backing.position else { return };
        let held = self.world.held(self.kind);
        let captured = || held.iter().filter(|event| self.captured.contains(event.id.as_str()));
        // What is dated later than a question can name falls together in the last second that one can.
        let second = |event: &Stored| i64::try_from(event.at).unwrap_or(i64::MAX);
        let newest = captured().map(|event| second(event)).max();
        let ids: Vec<&str> =
            captured().filter(|event| newest == Some(second(event))).map(|event| event.id.as_str()).collect();
        let told: Vec<String> = position.ids.iter().map(ToString::to_string).collect();
        let (mut ids, mut told_sorted) = (ids, told.iter().map(String::as_str).collect::<Vec<_>>());
        ids.sort_unstable();
        told_sorted.sort_unstable();
        if newest != Some(position.time.0) || ids != told_sorted {
            self.blame("the position is not the newest second");
        }
    }
}

/// True for a time that windows and lists can name alike.
pub(super) fn has_a_nameable_time(event: &Stored) -> bool {
    event.at >= 0 && i64::try_from(event.at).is_ok()
}

/// Whether a world can put a claim to the test at all.
pub(super) fn is_hard(world: &World) -> bool {
    world.choice != Choice::Newest
        || world.prefixes == Prefixes::Ignored
        || !world.faults.is_empty()
        || world.kinds.iter().any(|kind| world.fullest_second(*kind) >= world.page_max())
}
