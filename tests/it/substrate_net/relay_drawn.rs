//! Drawn relays: whatever the cap, the ties and the stumbles, a claim is never false and what is given is captured.
//!
//! Goal: no false "complete". Method: each relay is drawn from its number; the truth is known because the test made it.
//! `RELEDGER_RELAYS=n` draws more of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use reledger::domain::{CompletenessBasis, SliceEnd};
use reledger::substrate::{RelayBudget, RelayPlan};
use serde_json::json;

use super::quick_retry;
use super::relay::{T, capture, plan};
use super::relay_server::{Act, Event, Question, event_by};
use super::relay_sets::Sets;

/// A small generator of its own: nothing in this test may depend on what it tests.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[expect(clippy::struct_excessive_bools, reason = "what a relay can do and what it cannot")]
#[derive(Debug)]
struct Traits {
    cap: u64,
    hint: Option<u64>,
    reconciles: bool,
    counts: bool,
    prefixes: bool,
    finishes: bool,
    disordered: bool,
    /// Of 100 answers, so many break off.
    stumbles: u64,
}

const KINDS: [u16; 2] = [30_078, 30_087];

fn traits(draw: &mut Draw) -> Traits {
    let cap = [1, 2, 3, 4, 7, 10, 25, 60, 500][usize::try_from(draw.below(9)).unwrap()];
    let hint = draw.chance(40).then(|| [1, cap, cap / 2 + 1, 5 * cap, 10_000][usize::try_from(draw.below(5)).unwrap()]);
    Traits {
        cap,
        hint,
        reconciles: draw.chance(30),
        counts: draw.chance(30),
        // A page of one event would take 256 questions for each of them.
        prefixes: draw.chance(15) && cap >= 10,
        finishes: draw.chance(10),
        disordered: draw.chance(30),
        stumbles: if draw.chance(30) { 6 } else { 0 },
    }
}

fn population(draw: &mut Draw) -> Vec<Event> {
    let (count, seconds) = (draw.below(120), 1 + draw.below(40));
    let authors = 1 + draw.below(6);
    let mut all = Vec::new();
    for n in 0..count {
        let at = T + i64::try_from(draw.below(seconds) * (1 + draw.below(50))).unwrap();
        let author = format!("a{}", draw.below(authors));
        all.push(event_by(&author, "", n, u64::from(KINDS[usize::try_from(draw.below(2)).unwrap()]), at));
    }
    all
}

/// What the relay gives for a question, before anything goes wrong.
fn page(stored: &[Event], traits: &Traits, question: &Question) -> (Vec<Event>, bool) {
    let wide = Question { limit: usize::MAX, ids: None, ..question.clone() };
    let is_asked = |event: &&Event| {
        question.ids.as_ref().is_none_or(|ids| {
            ids.iter().any(|id| if traits.prefixes { event.id.starts_with(id.as_str()) } else { event.id == *id })
        })
    };
    let all: Vec<Event> = wide.select(stored, usize::MAX).into_iter().filter(is_asked).cloned().collect();
    let most = usize::try_from(traits.cap).unwrap().min(question.limit);
    let whole = all.len() <= most;
    let mut page: Vec<Event> = all.into_iter().take(most).collect();
    if traits.disordered {
        page.sort_by(|a, b| a.id.cmp(&b.id));
    }
    (page, whole)
}

fn answer(stored: &[Event], traits: &Traits, question: &Question, luck: u64) -> Vec<Act> {
    let (page, whole) = page(stored, traits, question);
    let mut acts = question.events(&page);
    if luck < traits.stumbles {
        acts.truncate(page.len() / 2);
        match luck % 3 {
            0 => acts.push(question.closed("error: try again")),
            1 => acts.push(Act::Drop),
            // No end at all.
            _ => {}
        }
        return acts;
    }
    acts.push(match (traits.finishes, whole) {
        (true, true) => Act::Text(json!(["EOSE", question.subscription, "finish"]).to_string()),
        _ => question.eose(),
    });
    acts
}

/// What has to come from a relay that does not stumble: everything that some question brings.
fn owed(stored: &[Event], traits: &Traits) -> BTreeSet<String> {
    if traits.reconciles || traits.prefixes {
        return stored.iter().map(|event| event.json.clone()).collect();
    }
    let mut seconds: BTreeMap<(u64, i64), Vec<&Event>> = BTreeMap::new();
    for event in stored {
        seconds.entry((event.kind, event.created_at)).or_default().push(event);
    }
    for crowd in seconds.values_mut() {
        crowd.sort_by(|a, b| a.id.cmp(&b.id));
        crowd.truncate(usize::try_from(traits.cap).unwrap());
    }
    seconds.into_values().flatten().map(|event| event.json.clone()).collect()
}

fn check(number: u64) -> Option<CompletenessBasis> {
    let mut draw = Draw(number);
    let (traits, stored) = (traits(&mut draw), population(&mut draw));
    let shown = format!("relay {number}: {traits:?}, {} events", stored.len());
    let sets =
        Sets { listed: stored.clone(), most: (!traits.reconciles).then_some(0), counted: None, counts: traits.counts };
    let document = traits.hint.map(|hint| json!({"limitation": {"max_limit": hint}}));
    let (told, asked) = (stored.clone(), AtomicU64::new(0));
    let stumbles = traits.stumbles;
    let owed = owed(&stored, &traits);
    let relay = sets.serve_with(document, move |question| {
        let mut draw = Draw(number ^ (asked.fetch_add(1, Ordering::SeqCst) << 32));
        answer(&told, &traits, question, draw.below(100))
    });
    let whole = plan(&relay.url, &KINDS);
    let budgets = RelayBudget { idle_ms: 250, pages: 100_000, ..whole.budgets };
    let (sink, receipts) = capture(RelayPlan { budgets, retry: quick_retry(5), ..whole });
    let got = sink.texts();
    let mut weakest = None;
    for receipt in &receipts {
        let of_kind = |text: &&String| text.contains(&format!("\"kind\":{},", receipt.slice.kind));
        let truth: BTreeSet<&String> = stored.iter().map(|event| &event.json).filter(of_kind).collect();
        let have: BTreeSet<&String> = got.iter().filter(of_kind).collect();
        assert!(have.is_subset(&truth), "{shown}");
        if receipt.basis >= CompletenessBasis::Exhausted {
            assert_eq!((have.len(), receipt.end), (truth.len(), SliceEnd::Ended), "{shown}: false claim {receipt:?}");
        }
        weakest = Some(weakest.map_or(receipt.basis, |weakest: CompletenessBasis| weakest.min(receipt.basis)));
    }
    if stumbles == 0 {
        assert!(owed.is_subset(&got), "{shown}: {} of {} came, {receipts:?}", got.len(), owed.len());
    }
    weakest
}

#[expect(clippy::disallowed_methods, reason = "the number of relays is the caller's")]
fn wanted() -> u64 {
    std::env::var("RELEDGER_RELAYS").map_or(60, |count| count.parse().unwrap())
}

#[test]
fn no_drawn_relay_is_falsely_called_complete_and_what_it_gives_is_captured() {
    let count = wanted();
    let mut outcomes: BTreeMap<Option<CompletenessBasis>, u64> = BTreeMap::new();
    for number in 0..count {
        *outcomes.entry(check(number)).or_default() += 1;
    }
    println!("{outcomes:?}");
    // A client that claims nothing would never be wrong.
    let claims: u64 =
        outcomes.iter().filter(|(basis, _)| **basis >= Some(CompletenessBasis::Exhausted)).map(|one| one.1).sum();
    assert!(claims * 2 > count, "{outcomes:?}");
}
