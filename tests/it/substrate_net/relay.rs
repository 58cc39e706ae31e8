//! Paging: what is captured is everything, and what is claimed is no more than was proven.

use std::collections::BTreeSet;

use reledger::domain::{
    Backing, CompletenessBasis, FetchReceipt, Media, NostrEventId, Position, SliceEnd, UnixSeconds,
};
use reledger::substrate::{EvidenceSource as _, RelayBudget, RelayPlan, RelaySource};
use serde_json::json;

use super::relay_server::{Act, Event, Relay, event};
use super::{Collected, complete, fetch, quick_retry, runtime};

pub(super) const T: i64 = 1_780_000_000;
pub(super) const KIND: u64 = 30_087;

/// A plan that has time.
pub(super) fn plan(url: &str, kinds: &[u16]) -> RelayPlan {
    RelayPlan {
        url: url.to_owned(),
        kinds: kinds.to_vec(),
        since: None,
        until: None,
        allow_plaintext: false,
        budgets: RelayBudget {
            events: 100_000,
            bytes: 1 << 30,
            pages: 1_000,
            idle_ms: 5_000,
            total_ms: 10_000,
            fetch_ms: 600_000,
        },
        page_limit: 5_000,
        retry: quick_retry(3),
        auth: None,
    }
}

/// Everything but what the basis rests on, which has tests of its own.
pub(super) fn capture(plan: RelayPlan) -> (Collected, Vec<FetchReceipt>) {
    let (sink, receipts) = capture_whole(plan);
    (sink, receipts.into_iter().map(|receipt| FetchReceipt { backing: Backing::default(), ..receipt }).collect())
}

pub(super) fn capture_whole(plan: RelayPlan) -> (Collected, Vec<FetchReceipt>) {
    fetch(&mut RelaySource::new(plan, runtime()).unwrap())
}

pub(super) fn texts(events: &[Event]) -> BTreeSet<String> {
    events.iter().map(|event| event.json.clone()).collect()
}

/// `count` events of the kind, `per_second` in each second from `start` on.
pub(super) fn spread(first: u64, count: u64, start: i64, per_second: u64) -> Vec<Event> {
    let second = |n: u64| start + i64::try_from(n / per_second).unwrap();
    (0..count).map(|n| event(first + n, KIND, second(n))).collect()
}

fn saturated(url: &str, kind: &str, items: u64, second: i64, holds: u64) -> FetchReceipt {
    FetchReceipt {
        basis: CompletenessBasis::Saturated,
        reason: format!("the second {second} holds at least {holds} events, as many as the relay gives"),
        ..complete(url, kind, items)
    }
}

#[test]
fn a_capped_relay_is_paged_to_the_bottom() {
    let stored = spread(0, 1_300, T, 13);
    let relay = Relay::honest(stored.clone(), 500);
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(sink.items.len(), 1_300, "nothing is handed over twice");
    assert_eq!(receipts, [complete(&relay.url, "30087", 1_300)]);
    assert!(sink.items.iter().all(|item| item.evidence.media == Media::NostrEvent && item.evidence.about.is_empty()));
    let names: BTreeSet<String> = relay.questions().into_iter().map(|question| question.subscription).collect();
    assert_eq!(names.len(), relay.questions().len(), "each question has a fresh subscription");
}

#[test]
fn kinds_are_slices_of_their_own() {
    let mut stored = spread(0, 30, T, 3);
    stored.extend((0..7).map(|n| event(n, 30_078, T + i64::try_from(n).unwrap())));
    let relay = Relay::honest(stored.clone(), 10);
    let (sink, receipts) = capture(plan(&relay.url, &[30_087, 30_078, 30_087, 1]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(
        receipts,
        [complete(&relay.url, "1", 0), complete(&relay.url, "30078", 7), complete(&relay.url, "30087", 30)]
    );
}

#[test]
fn a_saturated_second_is_stepped_past_and_never_called_complete() {
    let newer = spread(0, 120, T + 10, 2);
    let crowd = spread(1_000, 200, T, 200);
    let older = spread(2_000, 120, T - 100, 2);
    let stored = [newer.clone(), crowd.clone(), older.clone()].concat();
    let relay = Relay::honest(stored, 50);
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    let mut shown = crowd;
    shown.sort_by(|a, b| a.id.cmp(&b.id));
    shown.truncate(50);
    assert_eq!(sink.texts(), texts(&[newer, shown, older].concat()));
    assert_eq!(receipts, [saturated(&relay.url, "30087", 290, T, 50)]);
}

#[test]
fn a_second_just_below_the_cap_is_complete() {
    let stored = [spread(0, 120, T + 10, 2), spread(1_000, 49, T, 49), spread(2_000, 120, T - 100, 2)].concat();
    let relay = Relay::honest(stored.clone(), 50);
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [complete(&relay.url, "30087", 289)]);
}

#[test]
fn a_crowd_in_the_only_second_is_not_called_complete() {
    let relay = Relay::honest(spread(0, 200, T, 200), 50);
    let (_, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(receipts, [saturated(&relay.url, "30087", 50, T, 50)]);
}

#[test]
fn a_cap_that_shows_on_a_later_kind_judges_the_first() {
    // Kind 30078 sits in one second and fills its page exactly; only kind 30087 shows that eight is the cap.
    let mut stored: Vec<Event> = (0..12).map(|n| event(n, 30_078, T)).collect();
    stored.extend(spread(0, 30, T, 1));
    let relay = Relay::honest(stored, 8);
    let (_, receipts) = capture(plan(&relay.url, &[30_078, 30_087]));
    assert_eq!(receipts, [saturated(&relay.url, "30078", 8, T, 8), complete(&relay.url, "30087", 30)]);
}

#[test]
fn a_lone_event_is_complete_when_the_relay_can_give_two() {
    let lone = event(1, KIND, T);
    let relay = Relay::honest(vec![lone.clone(), event(2, 1, T)], 500);
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.items.len(), 1, "what only shows how much it gives is not kept");
    assert_eq!(receipts, [complete(&relay.url, "30087", 1)]);

    // A relay that never gives more than one event may hold a second one at the same time.
    let relay = Relay::honest(vec![lone, event(3, KIND, T)], 1);
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.items.len(), 1);
    assert_eq!(receipts, [saturated(&relay.url, "30087", 1, T, 1)]);
}

#[test]
fn the_relays_own_word_on_its_cap_only_adds_suspicion() {
    let stored: Vec<Event> = (0..5).map(|n| event(n, KIND, T)).collect();
    let told = stored.clone();
    let document = json!({"name": "x", "limitation": {"max_limit": 5}});
    let relay = Relay::with_document(Some(document), move |question| question.page(question.select(&told, 5)));
    let (_, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(receipts, [saturated(&relay.url, "30087", 5, T, 5)]);

    let generous = json!({"limitation": {"max_limit": 1_000_000}});
    let crowd = spread(0, 200, T, 200);
    let relay = Relay::with_document(Some(generous), move |question| question.page(question.select(&crowd, 50)));
    let (_, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(receipts, [saturated(&relay.url, "30087", 50, T, 50)]);
}

#[test]
fn our_own_limit_is_a_cap_too() {
    let crowd = spread(0, 40, T, 40);
    let relay = Relay::honest(crowd.clone(), 10);
    let (_, receipts) = capture(RelayPlan { page_limit: 10, ..plan(&relay.url, &[30_087]) });
    assert_eq!(receipts, [saturated(&relay.url, "30087", 10, T, 10)]);

    // It is raised for a second that reached it: what the relay gives of itself is then its own.
    let stored = [crowd, spread(100, 50, T - 100, 1)].concat();
    let relay = Relay::honest(stored.clone(), 500);
    let (sink, receipts) = capture(RelayPlan { page_limit: 10, ..plan(&relay.url, &[30_087]) });
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [saturated(&relay.url, "30087", 90, T, 40)], "no page of the relay was larger");
    let relay = Relay::honest([stored.clone(), spread(200, 60, T - 500, 60)].concat(), 500);
    let (_, receipts) = capture(RelayPlan { page_limit: 10, ..plan(&relay.url, &[30_087]) });
    assert_eq!(receipts, [saturated(&relay.url, "30087", 150, T - 500, 60)], "40 are fewer than it gave elsewhere");
}

#[test]
fn a_window_is_kept_and_events_outside_it_are_counted() {
    let stored = spread(0, 40, T, 1);
    let (since, until) = (T + 10, T + 19);
    let told = stored.clone();
    let relay = Relay::start(move |question| {
        assert!(question.since >= Some(since) && question.until.is_some_and(|asked| asked <= until));
        // One event above the window with each page that has any.
        let mut page = question.select(&told, 5);
        if !page.is_empty() {
            page.push(&told[30]);
        }
        question.page(page)
    });
    let window =
        RelayPlan { since: Some(UnixSeconds(since)), until: Some(UnixSeconds(until)), ..plan(&relay.url, &[30_087]) };
    let (sink, receipts) = capture(window);
    assert_eq!(sink.texts(), texts(&stored[10..20]));
    let receipt = &receipts[0];
    assert_eq!((receipt.basis, receipt.items), (CompletenessBasis::Exhausted, 10));
    assert_eq!((receipt.slice.from, receipt.slice.until), (Some(UnixSeconds(since)), Some(UnixSeconds(until))));
    assert_eq!(receipt.misbehaved, u64::try_from(relay.questions().len()).unwrap());
}

#[test]
fn what_is_dated_into_the_future_is_found() {
    let stored = vec![event(1, KIND, T), event(2, KIND, 1 << 40), event(3, KIND, 4_294_967_295), event(4, KIND, 0)];
    let relay = Relay::honest(stored.clone(), 2);
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [complete(&relay.url, "30087", 4)]);
}

#[test]
fn a_relay_that_sends_its_oldest_events_first_is_read_to_the_end() {
    let stored = spread(0, 100, T, 2);
    let told = stored.clone();
    let relay = Relay::start(move |question| {
        let mut all = question.select(&told, usize::MAX);
        all.reverse();
        all.truncate(30);
        question.page(all)
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [complete(&relay.url, "30087", 100)]);
}

#[test]
fn a_finish_hint_is_believed_when_nothing_below_it_and_no_window_says_otherwise() {
    let stored = spread(0, 20, T, 2);
    let told = stored.clone();
    let relay = Relay::start(move |question| {
        let mut acts = question.events(question.select(&told, 500));
        acts.push(Act::Text(json!(["EOSE", question.subscription, "finish"]).to_string()));
        acts
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    let expected = FetchReceipt { basis: CompletenessBasis::FinishHint, ..complete(&relay.url, "30087", 20) };
    assert_eq!(receipts, [expected]);
    assert_eq!(relay.questions().len(), 4, "the slice, what is below its page, and two windows");
}

#[test]
fn an_empty_answer_has_to_be_given_twice() {
    let stored = spread(0, 20, T, 2);
    let told = stored.clone();
    let relay = Relay::start(move |question| match question.nth {
        0 => question.page([]),
        _ => question.page(question.select(&told, 500)),
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [complete(&relay.url, "30087", 20)]);
}

#[test]
fn a_stopped_writer_stops_the_fetch_and_a_cancelled_run_says_so() {
    let relay = Relay::honest(spread(0, 100, T, 2), 10);
    let mut source = RelaySource::new(plan(&relay.url, &[30_087, 30_088]), runtime()).unwrap();
    let mut sink = Collected { stop_after: Some(5), ..Collected::default() };
    assert!(source.fetch(&mut sink).is_err());
    assert_eq!(sink.items.len(), 5);

    let mut sink = Collected { cancel_after: Some(5), ..Collected::default() };
    let receipts = source.fetch(&mut sink).unwrap();
    let ends: Vec<_> = receipts.iter().map(|receipt| (receipt.end, receipt.basis, receipt.items)).collect();
    let cancelled = |items| (SliceEnd::Cancelled, CompletenessBasis::None, items);
    assert_eq!(ends, [cancelled(10), cancelled(0)]);
}

#[test]
fn a_position_names_the_newest_second_and_its_events() {
    let stored = [spread(0, 30, T, 1), spread(100, 3, T + 50, 3)].concat();
    let relay = Relay::honest(stored.clone(), 10);
    let (_, receipts) = capture_whole(plan(&relay.url, &[30_087, 30_088]));
    let mut ids: Vec<NostrEventId> = stored[30..].iter().map(|event| event.id.parse().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(receipts[0].backing.position, Some(Position { time: UnixSeconds(T + 50), ids }));
    assert_eq!(receipts[1].backing.position, None, "an empty slice has no newest second");
}

#[test]
fn what_broke_off_has_no_position() {
    let stored = spread(0, 20, T, 1);
    let relay = Relay::start(move |question| {
        let mut acts = question.events(question.select(&stored, 5));
        acts.push(Act::Drop);
        acts
    });
    let (sink, receipts) = capture_whole(plan(&relay.url, &[30_087]));
    assert!(!sink.items.is_empty());
    assert_eq!((receipts[0].end, &receipts[0].backing.position), (SliceEnd::Unreachable, &None));
}
