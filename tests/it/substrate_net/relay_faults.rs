//! Relays that misbehave: what came is kept, what is wrong is counted, nothing is claimed that was not shown.

use std::sync::atomic::{AtomicBool, Ordering};

use reledger::domain::{CompletenessBasis, FetchReceipt, Sign, SliceEnd};
use reledger::substrate::{EvidenceSource as _, RelayBudget, RelayPlan, RelaySource, SourceError};
use serde_json::json;
use tokio::net::TcpListener;

use super::relay::{KIND, T, capture, plan, spread, texts};
use super::relay_server::{Act, Event, Question, Relay, event};
use super::{broken, complete, quick_retry, runtime};

/// A plan with little patience, for relays that go silent.
fn hasty(url: &str) -> RelayPlan {
    let plan = plan(url, &[30_087]);
    RelayPlan { budgets: RelayBudget { idle_ms: 300, total_ms: 600, ..plan.budgets }, retry: quick_retry(2), ..plan }
}

/// A relay that is honest but for its first answer.
fn stumbling(stored: Vec<Event>, first: impl Fn(&Question, &[&Event]) -> Vec<Act> + Send + Sync + 'static) -> Relay {
    let stumbled = AtomicBool::new(false);
    Relay::start(move |question| {
        let page = question.select(&stored, 500);
        if stumbled.swap(true, Ordering::SeqCst) { question.page(page) } else { first(question, &page) }
    })
}

fn retried(receipt: FetchReceipt, retries: u32, misbehaved: u64) -> FetchReceipt {
    FetchReceipt { retries, misbehaved, ..receipt }
}

fn signed(receipt: FetchReceipt, signs: &[(Sign, u64)]) -> FetchReceipt {
    FetchReceipt { signs: signs.iter().copied().collect(), ..receipt }
}

/// Events in all answers of a relay that gives everything.
fn shown(relay: &Relay, stored: &[Event]) -> u64 {
    let questions = relay.questions();
    let pages = questions.iter().filter(|question| !question.is_measure()).map(|question| question.select(stored, 500));
    pages.map(|page| u64::try_from(page.len()).unwrap()).sum()
}

const BLIND: &str = "answered only with events that were not asked for";

#[test]
fn events_of_another_kind_are_counted_and_not_kept() {
    let relay = Relay::start(|question| {
        let others: Vec<Event> = (0..30).map(|n| event(n, 1, T)).collect();
        question.page(&others)
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.items, []);
    assert_eq!(
        receipts,
        [signed(
            retried(broken(&relay.url, "30087", SliceEnd::Ended, 0, BLIND), 0, 30),
            &[(Sign::WrongFilter, 30), (Sign::Blind, 1)]
        )]
    );
}

#[test]
fn events_of_a_foreign_subscription_are_counted_and_not_kept() {
    let relay = Relay::start(|question| {
        let foreign = Question { subscription: "someone-else".to_owned(), ..question.clone() };
        let mut acts = foreign.events(&spread(0, 10, T, 1));
        acts.push(question.eose());
        acts
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.items, []);
    assert_eq!(
        receipts,
        [signed(
            retried(broken(&relay.url, "30087", SliceEnd::Ended, 0, BLIND), 0, 30),
            &[(Sign::WrongSubscription, 30), (Sign::Blind, 1)]
        )]
    );
}

#[test]
fn repeats_inside_a_page_are_dropped_and_counted() {
    let stored = spread(0, 10, T, 1);
    let told = stored.clone();
    let relay = Relay::start(move |question| {
        let page = question.select(&told, 500);
        question.page(page.iter().chain(&page).chain(&page).copied())
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(sink.items.len(), 10);
    // Every event of every answer twice too often; an answer that is only measured is not counted.
    let repeats = 2 * shown(&relay, &stored);
    let expected = retried(complete(&relay.url, "30087", 10), 0, repeats);
    assert_eq!(receipts, [signed(expected, &[(Sign::Repeats, repeats)])]);
}

#[test]
fn an_event_that_comes_twice_in_one_answer_and_in_any_order_is_no_offence() {
    let stored = spread(0, 10, T, 1);
    let told = stored.clone();
    let relay = Relay::start(move |question| {
        let page = question.select(&told, 500);
        question.page(page.iter().rev().chain(&page).copied())
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [retried(complete(&relay.url, "30087", 10), 0, shown(&relay, &stored))]);
}

#[test]
fn far_more_than_was_asked_for_is_a_flood_and_a_little_more_is_none() {
    for (told, flood) in [(20, 0), (21, 1), (30, 10)] {
        let stored = spread(0, told, T, 1);
        let relay = Relay::start(move |question| {
            let asked = Question { limit: 1_000, ..question.clone() };
            let page = asked.select(&stored, 1_000);
            question.page(page)
        });
        let (_, receipts) = capture(RelayPlan { page_limit: 10, ..plan(&relay.url, &[30_087]) });
        assert_eq!(receipts[0].items, told);
        assert_eq!(receipts[0].signs.get(&Sign::Flood).copied().unwrap_or(0), flood, "{told} for a limit of 10");
    }
}

#[test]
fn a_flood_of_notices_is_counted_and_a_few_are_talk() {
    for (notices, flood) in [(64, 0), (70, 6)] {
        let relay = stumbling(spread(0, 5, T, 1), move |question, page| {
            let mut acts = vec![Act::Text(r#"["NOTICE","buy now"]"#.to_owned()); notices];
            acts.extend(question.page(page.iter().copied()));
            acts
        });
        let (_, receipts) = capture(plan(&relay.url, &[30_087]));
        let expected = retried(complete(&relay.url, "30087", 5), 0, flood);
        let signs = [(Sign::Flood, flood)];
        assert_eq!(receipts, [signed(expected, &signs[usize::from(flood == 0)..])]);
    }
}

#[test]
fn an_event_of_a_question_closed_long_ago_is_dropped_and_is_no_offence() {
    let stored = spread(0, 5, T, 1);
    let relay = Relay::start(move |question| {
        // Whatever is asked, an event for the first question comes once more.
        let first = Question { subscription: "r1".to_owned(), ..question.clone() };
        let mut acts = if question.nth > 2 { first.events(&stored[..1]) } else { Vec::new() };
        acts.extend(question.page(question.select(&stored, 500)));
        acts
    });
    let (_, receipts) = capture(plan(&relay.url, &[30_078, 30_087]));
    assert!(receipts.iter().all(|receipt| receipt.signs.is_empty()), "{receipts:?}");
    assert!(receipts.iter().any(|receipt| receipt.misbehaved > 0), "{receipts:?}");
}

#[test]
fn other_bytes_under_a_known_id_are_kept_beside_the_first() {
    let stored = spread(0, 10, T, 1);
    let tampered = stored[4].json.replace("event", "forged");
    let (told, forged) = (stored.clone(), tampered.clone());
    let relay = stumbling(told, move |question, page| {
        let mut acts = vec![question.event(&forged)];
        acts.extend(question.page(page.iter().copied()));
        acts
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    let mut expected = texts(&stored);
    expected.insert(tampered);
    assert_eq!(sink.texts(), expected, "the verifier will say which of the two is the event");
    assert_eq!(receipts, [retried(complete(&relay.url, "30087", 10), 0, 1)]);
}

#[test]
fn a_rate_limited_question_is_asked_again() {
    let stored = spread(0, 10, T, 1);
    let relay = stumbling(stored.clone(), |question, _| vec![question.closed("rate-limited: slow down")]);
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [retried(complete(&relay.url, "30087", 10), 1, 0)]);
}

#[test]
fn a_refusal_for_good_is_not_asked_again() {
    let relay = Relay::start(|question| vec![question.closed("restricted: \u{1b}[31mmembers only")]);
    let (_, receipts) = capture(plan(&relay.url, &[30_087]));
    let reason = "closed: restricted: \\u{1b}[31mmembers only";
    assert_eq!(receipts, [broken(&relay.url, "30087", SliceEnd::Refused, 0, reason)]);
    assert_eq!(relay.questions().len(), 1);
}

#[test]
fn vendor_text_is_no_proper_end() {
    let relay = Relay::start(|question| vec![question.closed("ERROR: bad req: filter")]);
    let (_, receipts) = capture(plan(&relay.url, &[30_087]));
    let expected = broken(&relay.url, "30087", SliceEnd::Refused, 0, "closed: ERROR: bad req: filter");
    assert_eq!(receipts, [retried(expected, 2, 0)]);
}

#[test]
fn a_connection_lost_inside_a_page_is_taken_up_again() {
    for leave in [Act::Drop, Act::Close] {
        let stored = spread(0, 20, T, 1);
        let relay = stumbling(stored.clone(), move |question, page| {
            let mut acts = question.events(page[..10].iter().copied());
            acts.push(leave.clone());
            acts
        });
        let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
        assert_eq!(sink.texts(), texts(&stored));
        assert_eq!(sink.items.len(), 20, "what came before the break is not handed over again");
        assert_eq!(receipts, [retried(complete(&relay.url, "30087", 20), 1, 0)]);
    }
}

#[test]
fn a_relay_that_keeps_leaving_keeps_what_it_gave() {
    let stored = spread(0, 40, T, 1);
    let told = stored.clone();
    let relay = Relay::start(move |question| {
        let mut acts = question.events(question.select(&told, 5));
        acts.push(Act::Drop);
        acts
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    // What it gave is followed downwards, but not for ever.
    let items = sink.items.len();
    assert!((5..40).contains(&items) && sink.texts() == texts(&stored[40 - items..]), "{items}");
    let reason = "the connection ended inside an answer";
    let items = u64::try_from(items).unwrap();
    assert_eq!(receipts, [retried(broken(&relay.url, "30087", SliceEnd::Unreachable, items, reason), 2, 0)]);
}

#[test]
fn without_an_end_there_is_no_basis() {
    let stored = spread(0, 20, T, 1);
    let told = stored.clone();
    let relay = Relay::start(move |question| question.events(question.select(&told, 500)));
    let (sink, receipts) = capture(hasty(&relay.url));
    assert_eq!(sink.texts(), texts(&stored));
    let reason = "no end-of-stored-events in time";
    assert_eq!(receipts, [retried(broken(&relay.url, "30087", SliceEnd::TimedOut, 20, reason), 1, 0)]);
}

#[test]
fn silence_is_no_answer() {
    let relay = Relay::start(|_| vec![]);
    let (_, receipts) = capture(hasty(&relay.url));
    let expected = broken(&relay.url, "30087", SliceEnd::TimedOut, 0, "no answer in time");
    assert_eq!(receipts, [retried(expected, 1, 0)]);
}

#[test]
fn a_notice_alone_is_a_refusal() {
    let relay = Relay::start(|_| vec![Act::Text(json!(["NOTICE", "ERROR: too many filters"]).to_string())]);
    let (_, receipts) = capture(hasty(&relay.url));
    let reason = "only a notice: ERROR: too many filters";
    assert_eq!(receipts, [retried(broken(&relay.url, "30087", SliceEnd::Refused, 0, reason), 1, 0)]);
}

#[test]
fn a_notice_before_a_proper_answer_changes_nothing() {
    let stored = spread(0, 5, T, 1);
    let told = stored.clone();
    let relay = Relay::start(move |question| {
        let mut acts = vec![Act::Text(r#"["NOTICE","welcome"]"#.to_owned()), Act::Text(r#"["AUTH","abc"]"#.to_owned())];
        acts.extend(question.page(question.select(&told, 500)));
        acts
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [complete(&relay.url, "30087", 5)]);
}

#[test]
fn a_flood_of_challenges_is_counted() {
    let stored = spread(0, 5, T, 1);
    let relay = stumbling(stored, |question, page| {
        let mut acts = vec![Act::Text(r#"["AUTH","abc"]"#.to_owned()); 108];
        acts.extend(question.page(page.iter().copied()));
        acts
    });
    let (_, receipts) = capture(plan(&relay.url, &[30_087]));
    let expected = retried(complete(&relay.url, "30087", 5), 0, 100);
    assert_eq!(receipts, [signed(expected, &[(Sign::AuthFlood, 100)])]);
}

#[test]
fn a_message_above_the_limit_breaks_the_connection_and_not_the_capture() {
    let stored = spread(0, 20, T, 1);
    let relay = stumbling(stored.clone(), |question, page| {
        let mut acts = question.events(page[..10].iter().copied());
        acts.push(Act::Text(format!("[\"NOTICE\",\"{}\"]", "x".repeat(1024 * 1024))));
        acts.push(question.eose());
        acts
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [signed(retried(complete(&relay.url, "30087", 20), 1, 1), &[(Sign::Oversized, 1)])]);

    let stubborn = Relay::start(|_| vec![Act::Text("x".repeat(1024 * 1024 + 1))]);
    let (_, receipts) = capture(plan(&stubborn.url, &[30_087]));
    let expected = broken(&stubborn.url, "30087", SliceEnd::Unreachable, 0, "a message above the byte limit");
    assert_eq!(receipts, [signed(retried(expected, 2, 3), &[(Sign::Oversized, 3)])]);
}

#[test]
fn a_message_just_at_the_limit_is_read() {
    let filler = "x".repeat(1024 * 1024 - r#"["NOTICE",""]"#.len());
    let stored = spread(0, 5, T, 1);
    let relay = stumbling(stored, move |question, page| {
        let mut acts = vec![Act::Text(format!(r#"["NOTICE","{filler}"]"#))];
        acts.extend(question.page(page.iter().copied()));
        acts
    });
    let (_, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(receipts, [complete(&relay.url, "30087", 5)]);
}

#[test]
fn a_declared_length_of_2_63_allocates_nothing() {
    let mut frame = vec![0x81, 127];
    frame.extend_from_slice(&(1_u64 << 62).to_be_bytes());
    let relay = stumbling(spread(0, 5, T, 1), move |_, _| vec![Act::Raw(frame.clone())]);
    let (_, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(receipts, [signed(retried(complete(&relay.url, "30087", 5), 1, 1), &[(Sign::Oversized, 1)])]);
}

#[test]
fn text_that_is_not_utf_8_breaks_the_connection_and_not_the_capture() {
    let stored = spread(0, 20, T, 1);
    let relay = stumbling(stored.clone(), |question, page| {
        let mut acts = question.events(page[..10].iter().copied());
        acts.push(Act::Raw(vec![0x81, 4, b'[', 0xff, 0xfe, b']']));
        acts.push(question.eose());
        acts
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [signed(retried(complete(&relay.url, "30087", 20), 1, 1), &[(Sign::Malformed, 1)])]);
}

#[test]
fn messages_that_cannot_be_read_weaken_the_claim() {
    let stored = spread(0, 20, T, 1);
    let relay = stumbling(stored.clone(), |question, page| {
        let mut acts = question.events(page.iter().copied());
        acts.push(Act::Text(format!(r#"["EVENT","{}",{{"id":"#, question.subscription)));
        acts.push(Act::Text("not json".to_owned()));
        acts.push(Act::Binary(b"\x00\x01".to_vec()));
        acts.push(question.eose());
        acts
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    let expected = FetchReceipt {
        basis: CompletenessBasis::Heuristic,
        reason: "3 messages could not be read".to_owned(),
        ..complete(&relay.url, "30087", 20)
    };
    assert_eq!(receipts, [signed(retried(expected, 0, 3), &[(Sign::Malformed, 3)])]);
}

#[test]
fn an_event_object_that_makes_no_sense_is_kept_for_the_decoder() {
    let stored = spread(0, 5, T, 1);
    let odd = [r#"{"id":"a","kind":30087.5,"created_at":1}"#, r#"{ "kind" : 30087 }"#, "[1,2]", "null"];
    let relay = stumbling(stored.clone(), move |question, page| {
        let mut acts: Vec<Act> = odd.iter().map(|json| question.event(json)).collect();
        acts.extend(question.page(page.iter().copied()));
        acts
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    let mut expected = texts(&stored);
    expected.extend(odd.map(str::to_owned));
    assert_eq!(sink.texts(), expected);
    assert_eq!(receipts, [complete(&relay.url, "30087", 9)]);
}

#[test]
fn an_end_that_comes_too_early_is_no_end() {
    let stored = spread(0, 20, T, 1);
    let told = stored.clone();
    let relay = Relay::start(move |question| {
        let page = question.select(&told, 500);
        let (before, after) = page.split_at(page.len() / 2);
        let mut acts = question.page(before.iter().copied());
        acts.extend(question.events(after.iter().copied()));
        acts
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored), "what came late is kept");
    let reason = "stored events came after the end-of-stored-events";
    assert_eq!(receipts, [broken(&relay.url, "30087", SliceEnd::Ended, 20, reason)]);
}

#[test]
fn an_empty_end_before_the_events_is_no_end() {
    let stored = spread(0, 20, T, 1);
    let told = stored.clone();
    let relay = Relay::start(move |question| {
        let mut acts = vec![question.eose()];
        acts.extend(question.events(question.select(&told, 500)));
        acts
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    let reason = "stored events came after the end-of-stored-events";
    assert_eq!(receipts, [broken(&relay.url, "30087", SliceEnd::Ended, 20, reason)]);
}

#[test]
fn an_event_published_meanwhile_is_no_contradiction() {
    let stored = spread(0, 20, T, 1);
    let new = event(77, KIND, T + 1_000);
    let (published, late) = (new.clone(), AtomicBool::new(false));
    let told = stored.clone();
    let relay = Relay::start(move |question| {
        let first = !late.swap(true, Ordering::SeqCst);
        let mut held = told.clone();
        if !first {
            held.push(published.clone());
        }
        let mut acts = question.page(question.select(&held, 500));
        if first {
            acts.push(question.event(&published.json));
        }
        acts
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&[stored, vec![new]].concat()));
    assert_eq!(receipts, [complete(&relay.url, "30087", 21)]);
}

#[test]
fn a_drip_of_events_ends_in_bounded_time() {
    let stored = spread(0, 200, T, 1);
    let told = stored.clone();
    let relay = Relay::start(move |question| {
        let page = question.select(&told, 500);
        page.iter().flat_map(|event| [question.event(&event.json), Act::Pause(30)]).collect()
    });
    let once = RelayPlan { retry: quick_retry(1), ..hasty(&relay.url) };
    let (sink, receipts) = capture(once);
    let reason = "no end-of-stored-events in time";
    let count = u64::try_from(sink.items.len()).unwrap();
    assert!((1..200).contains(&count), "{count}");
    assert_eq!(receipts, [broken(&relay.url, "30087", SliceEnd::TimedOut, count, reason)]);
}

#[test]
fn a_drip_of_bytes_is_not_progress() {
    let relay = Relay::start(|_| {
        let frame = [0x81, 100].into_iter().chain(std::iter::repeat_n(b'x', 99));
        frame.flat_map(|byte| [Act::Raw(vec![byte]), Act::Pause(30)]).collect()
    });
    let once = RelayPlan { retry: quick_retry(1), ..hasty(&relay.url) };
    let (_, receipts) = capture(once);
    assert_eq!(receipts, [broken(&relay.url, "30087", SliceEnd::TimedOut, 0, "no answer in time")]);
}

#[test]
fn budgets_end_the_fetch_and_say_so() {
    let relay = Relay::honest(spread(0, 100, T, 1), 10);
    let full = plan(&relay.url, &[30_087, 30_088]);
    for (budgets, most, what) in [
        (RelayBudget { events: 25, ..full.budgets }, 25, "budget reached: events"),
        // Each of them has ten events at most.
        (RelayBudget { pages: 4, ..full.budgets }, 40, "budget reached: pages"),
        (RelayBudget { bytes: 2, ..full.budgets }, 0, "budget reached: bytes"),
    ] {
        let (sink, receipts) = capture(RelayPlan { budgets, ..full.clone() });
        let items = sink.items.len();
        assert!(items <= most && (items > 0 || most == 0), "{what}: {items}");
        let tripped = |kind, items| broken(&relay.url, kind, SliceEnd::BudgetTripped, items, what);
        assert_eq!(receipts, [tripped("30087", u64::try_from(items).unwrap()), tripped("30088", 0)]);
    }
}

#[test]
fn a_relay_that_is_waited_for_too_long_in_all_is_cut_off() {
    let stored = spread(0, 60, T, 1);
    let told = stored.clone();
    let relay = Relay::start(move |question| {
        let mut acts = vec![Act::Pause(60)];
        acts.extend(question.page(question.select(&told, 5)));
        acts
    });
    let full = plan(&relay.url, &[30_087, 30_088]);
    let (sink, receipts) = capture(RelayPlan { budgets: RelayBudget { fetch_ms: 150, ..full.budgets }, ..full });
    let items = u64::try_from(sink.items.len()).unwrap();
    assert!((5..60).contains(&items), "{items}");
    let tripped = |kind, items| broken(&relay.url, kind, SliceEnd::BudgetTripped, items, "budget reached: time");
    assert_eq!(receipts, [tripped("30087", items), tripped("30088", 0)]);
}

#[test]
fn a_relay_that_fails_on_every_kind_is_given_up() {
    let relay = Relay::start(|question| vec![question.closed("error: database")]);
    let kinds: Vec<u16> = (30_080..30_090).collect();
    let (_, receipts) = capture(plan(&relay.url, &kinds));
    assert_eq!(receipts.len(), 10, "each slice has its receipt");
    assert!(
        receipts.iter().all(|receipt| receipt.end == SliceEnd::Refused && receipt.reason == "closed: error: database")
    );
    assert_eq!(relay.questions().len(), 9, "three kinds, three attempts each");
}

#[test]
fn one_refused_kind_does_not_hide_the_others() {
    let stored = spread(0, 5, T, 1);
    let told = stored.clone();
    let relay = Relay::start(move |question| match question.kind {
        KIND => question.page(question.select(&told, 500)),
        _ => vec![question.closed("blocked: kind")],
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_078, 30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    let refused = broken(&relay.url, "30078", SliceEnd::Refused, 0, "closed: blocked: kind");
    assert_eq!(receipts, [refused, complete(&relay.url, "30087", 5)]);
}

#[test]
fn a_relay_that_is_not_there_is_unreachable() {
    let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for scheme in ["ws", "wss"] {
        let url = format!("{scheme}://{address}");
        let (_, receipts) = capture(plan(&url, &[30_087, 30_088]));
        let gone = |kind, retries| retried(broken(&url, kind, SliceEnd::Unreachable, 0, "no connection"), retries, 0);
        assert_eq!(receipts, [gone("30087", 2), gone("30088", 0)]);
    }
}

#[test]
fn tls_to_a_plaintext_server_is_unreachable() {
    let relay = Relay::honest(spread(0, 5, T, 1), 500);
    let url = relay.url.replace("ws://", "wss://");
    let (_, receipts) = capture(plan(&url, &[30_087]));
    assert_eq!(receipts, [retried(broken(&url, "30087", SliceEnd::Unreachable, 0, "no connection"), 2, 0)]);
}

#[test]
fn plaintext_outside_loopback_is_refused_before_any_contact() {
    for url in ["ws://relay.example", "http://127.0.0.1", "wss://user:pass@relay.example", "relay.example"] {
        let refused = RelaySource::new(plan(url, &[30_087]), runtime());
        assert!(matches!(refused, Err(SourceError::Misconfigured { .. })), "{url}");
    }
    let allowed = RelayPlan { allow_plaintext: true, ..plan("ws://relay.example", &[30_087]) };
    assert_eq!(RelaySource::new(allowed, runtime()).unwrap().id().0, "ws://relay.example");
}
