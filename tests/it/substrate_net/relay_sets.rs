//! Relays that list and count what they hold (NIP-77, NIP-45), and those whose seconds hold more than a page.

use std::collections::{BTreeMap, BTreeSet};

use negentropy::{Id, Negentropy, NegentropyStorageVector};
use reledger::domain::{
    Backing, Certificate, CompletenessBasis, Enumeration, FetchReceipt, SliceEnd, UnixSeconds, Window,
};
use reledger::substrate::{EvidenceSource as _, RelayAuth, RelayPlan, RelaySource};
use serde_json::{Value, json};

use super::relay::{KIND, T, capture, capture_whole, plan, spread, texts};
use super::relay_server::{Act, Aside, Event, Question, Relay, event, event_by};
use super::{broken, complete, quick_retry, runtime};

/// What a relay lists (NIP-77) and counts (NIP-45).
#[derive(Clone, Default)]
pub(super) struct Sets {
    pub(super) listed: Vec<Event>,
    /// More than so many are refused.
    pub(super) most: Option<usize>,
    /// The answer to every count.
    pub(super) counted: Option<Value>,
    /// Counts are answered with the truth.
    pub(super) counts: bool,
}

impl Sets {
    fn of(listed: &[Event]) -> Self {
        Self { listed: listed.to_vec(), ..Self::default() }
    }

    fn inside(&self, filter: &Value) -> Vec<Event> {
        let text = json!(["REQ", "x", filter]).to_string();
        let question = Question::read(&text, 0).unwrap();
        self.listed.iter().filter(|event| question.admits(event)).cloned().collect()
    }

    fn open(&self, filter: &Value) -> Result<NegentropyStorageVector, String> {
        let inside = self.inside(filter);
        if self.most.is_some_and(|most| inside.len() > most) {
            return Err("blocked: too many query results".to_owned());
        }
        let mut storage = NegentropyStorageVector::new();
        for event in inside {
            let mut id = [0; 32];
            faster_hex::hex_decode(event.id.as_bytes(), &mut id).unwrap();
            storage.insert(u64::try_from(event.created_at).unwrap(), Id::from_byte_array(id)).unwrap();
        }
        storage.seal().unwrap();
        Ok(storage)
    }

    /// Answers everything but REQ on one connection.
    fn aside(&self) -> Box<Aside> {
        let (sets, mut open) = (self.clone(), BTreeMap::<String, NegentropyStorageVector>::new());
        Box::new(move |message| {
            let part = |at: usize| message[at].as_str().unwrap_or_default().to_owned();
            let (verb, name) = (part(0), part(1));
            let answer = match verb.as_str() {
                "NEG-OPEN" => match sets.open(&message[2]) {
                    Err(reason) => json!(["NEG-ERR", name, reason]),
                    Ok(storage) => {
                        let answer = turn(&storage, &part(3));
                        open.insert(name.clone(), storage);
                        json!(["NEG-MSG", name, answer])
                    }
                },
                "NEG-MSG" => json!(["NEG-MSG", name, turn(&open[&name], &part(2))]),
                "COUNT" if sets.counted.is_some() => json!(["COUNT", name, sets.counted]),
                "COUNT" if sets.counts => json!(["COUNT", name, {"count": sets.inside(&message[2]).len()}]),
                "CLOSE" | "NEG-CLOSE" => return Vec::new(),
                _ => json!(["NOTICE", "unknown command"]),
            };
            vec![Act::Text(answer.to_string())]
        })
    }

    /// A relay that lists like this and gives what it stores, at most `cap` a page.
    fn serve(self, stored: Vec<Event>, cap: usize) -> Relay {
        self.serve_by(move |question| question.page(question.select(&stored, cap)))
    }

    fn serve_by(self, script: impl Fn(&Question) -> Vec<Act> + Send + Sync + 'static) -> Relay {
        self.serve_with(None, script)
    }

    pub(super) fn serve_with(
        self,
        document: Option<Value>,
        script: impl Fn(&Question) -> Vec<Act> + Send + Sync + 'static,
    ) -> Relay {
        Relay::with_more(document, script, move || self.aside())
    }
}

/// The relay's side of one round. Small messages, so that there are several.
fn turn(storage: &NegentropyStorageVector, hex: &str) -> String {
    let mut message = vec![0; hex.len() / 2];
    faster_hex::hex_decode(hex.as_bytes(), &mut message).unwrap();
    let answer = Negentropy::borrowed(storage, 20_000).unwrap().reconcile(&message).unwrap();
    faster_hex::hex_string(&answer)
}

fn certificate(receipts: &[FetchReceipt]) -> Certificate {
    receipts[0].backing.certificate.clone().unwrap()
}

fn set_equal(url: &str, items: u64) -> FetchReceipt {
    FetchReceipt { basis: CompletenessBasis::SetEqual, ..complete(url, "30087", items) }
}

fn bare(receipts: &[FetchReceipt]) -> Vec<FetchReceipt> {
    receipts.iter().map(|receipt| FetchReceipt { backing: Backing::default(), ..receipt.clone() }).collect()
}

/// 8,000 events, 3,000 of them in one second (CAPTURE 2.2).
fn crowded() -> Vec<Event> {
    [spread(0, 2_500, T + 10, 2), spread(10_000, 3_000, T, 3_000), spread(20_000, 2_500, T - 3_000, 2)].concat()
}

#[test]
fn three_thousand_in_one_second_are_listed_and_come_whole() {
    let stored = crowded();
    let relay = Sets::of(&stored).serve(stored.clone(), 500);
    let (sink, receipts) = capture_whole(plan(&relay.url, &[30_087]));
    assert_eq!((sink.texts(), sink.items.len()), (texts(&stored), 8_000));
    assert_eq!(bare(&receipts), [set_equal(&relay.url, 8_000)]);
    let told = certificate(&receipts);
    assert_eq!((told.enumeration, told.claimed, told.served), (Enumeration::Reconciled, 8_000, 8_000));
    let mut ids: Vec<&str> = stored.iter().map(|event| event.id.as_str()).collect();
    ids.sort_unstable();
    let mut bytes = vec![0; 32 * ids.len()];
    faster_hex::hex_decode(ids.concat().as_bytes(), &mut bytes).unwrap();
    assert_eq!(told.ids, reledger::domain::sha256(&bytes));
    assert!(relay.questions().iter().all(|question| question.ids.as_ref().is_none_or(|ids| ids.len() <= 100)));
}

#[test]
fn three_thousand_in_one_second_are_split_by_the_digits_of_their_ids() {
    let stored = crowded();
    let told = stored.clone();
    let relay = Relay::start(move |question| {
        // As relays did before prefixes were ruled out.
        let prefix = question.ids.clone().map(|ids| ids[0].clone()).unwrap_or_default();
        let whole = Question { ids: None, limit: usize::MAX, ..question.clone() };
        let mut found = whole.select(&told, usize::MAX);
        found.retain(|event| event.id.starts_with(&prefix));
        found.truncate(500);
        question.page(found)
    });
    let (sink, receipts) = capture_whole(plan(&relay.url, &[30_087]));
    assert_eq!((sink.texts(), sink.items.len()), (texts(&stored), 8_000));
    assert_eq!(bare(&receipts), [complete(&relay.url, "30087", 8_000)]);
    let closed = Window { from: None, until: None, items: 8_000, open: String::new() };
    assert_eq!(certificate(&receipts).windows, [closed]);
}

#[test]
fn three_thousand_in_one_second_that_cannot_be_asked_for_leave_it_open_by_name() {
    let stored = crowded();
    let relay = Relay::honest(stored.clone(), 500);
    let (sink, receipts) = capture_whole(plan(&relay.url, &[30_087]));
    let mut shown = stored[2_500..5_500].to_vec();
    shown.sort_by(|a, b| a.id.cmp(&b.id));
    shown.truncate(500);
    assert_eq!(sink.texts(), texts(&[&stored[..2_500], &stored[5_500..], &shown].concat()));
    let receipt = &receipts[0];
    assert_eq!((receipt.end, receipt.basis, receipt.items), (SliceEnd::Ended, CompletenessBasis::Saturated, 5_500));
    assert_eq!(receipt.backing.position, None, "a later capture must look at that second again");
    let window = |from: Option<i64>, until: Option<i64>, items, open: &str| Window {
        from: from.map(UnixSeconds),
        until: until.map(UnixSeconds),
        items,
        open: open.to_owned(),
    };
    let told = certificate(&receipts);
    assert_eq!(
        told.windows,
        [
            window(None, Some(T - 1), 2_500, ""),
            window(Some(T), Some(T), 500, "fills a page of the relay"),
            window(Some(T + 1), None, 2_500, ""),
        ]
    );
    assert_eq!((told.enumeration, told.claimed, told.served), (Enumeration::Bisected, 5_500, 5_500));
}

#[test]
fn a_crowded_second_of_known_authors_is_whole_only_when_it_is_counted() {
    let crowd: Vec<Event> = (0..90).map(|n| event_by(&format!("a{}", n % 30), "", n, KIND, T)).collect();
    let known: Vec<Event> = (0..60)
        .map(|n| event_by(&format!("a{}", n % 30), "", 1_000 + n, KIND, T + 1 + i64::try_from(n).unwrap()))
        .collect();
    let stored = [crowd, known].concat();
    for (counted, basis) in [
        (None, CompletenessBasis::Saturated),
        // All that is asked: the second, and the slice, which is no larger than what it gave.
        (Some(json!({"count": 90})), CompletenessBasis::Exhausted),
        (Some(json!({"count": 90, "approximate": true})), CompletenessBasis::Saturated),
    ] {
        let sets = Sets { counted, most: Some(0), ..Sets::of(&stored) };
        let relay = sets.serve(stored.clone(), 20);
        let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
        assert_eq!(sink.texts(), texts(&stored));
        assert_eq!((receipts[0].basis, receipts[0].items), (basis, 150));
    }
}

#[test]
fn what_is_listed_and_not_given_is_counted_and_no_basis() {
    let stored = spread(0, 300, T, 2);
    let relay = Sets::of(&stored).serve(stored[..290].to_vec(), 500);
    let (sink, receipts) = capture_whole(plan(&relay.url, &[30_087]));
    assert_eq!(sink.items.len(), 290);
    let reason = "lists 300 events and does not give 10 of them";
    assert_eq!(bare(&receipts), [broken(&relay.url, "30087", SliceEnd::Ended, 290, reason)]);
    let told = certificate(&receipts);
    assert_eq!((told.claimed, told.served), (300, 290));
    let open = Window { from: None, until: None, items: 290, open: reason.to_owned() };
    assert_eq!(told.windows, [open]);
    // Each of the ten was asked for alone.
    let single =
        relay.questions().iter().filter(|question| question.ids.as_ref().is_some_and(|ids| ids.len() == 1)).count();
    assert_eq!(single, 10);
}

#[test]
fn ids_that_nobody_gives_are_not_asked_for_without_end() {
    let listed = spread(0, 5_000, T, 2);
    let relay = Sets::of(&listed).serve(Vec::new(), 500);
    let (_, receipts) = capture(plan(&relay.url, &[30_087]));
    let reason = "lists 5000 events and does not give 5000 of them";
    assert_eq!(receipts, [broken(&relay.url, "30087", SliceEnd::Ended, 0, reason)]);
    assert!(relay.questions().len() < 40, "{}", relay.questions().len());
}

#[test]
fn a_list_that_hides_what_the_relay_gives_is_not_believed() {
    let stored = spread(0, 300, T, 2);
    let relay = Sets::of(&stored[..280]).serve(stored.clone(), 50);
    let (sink, receipts) = capture_whole(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored), "the union of both ways");
    assert_eq!(bare(&receipts), [complete(&relay.url, "30087", 300)]);
    assert_eq!(certificate(&receipts).enumeration, Enumeration::Bisected);
}

#[test]
fn what_was_deleted_meanwhile_is_kept_and_contradicts_nothing() {
    let stored = spread(0, 30, T, 2);
    let told = stored.clone();
    let (listed, deleted) = (Sets::of(&stored[..29]), stored[29].id.clone());
    // It comes with the first page and never again.
    let relay = listed.serve_by(move |question| {
        let mut found = question.select(&told, 500);
        found.retain(|event| question.nth == 0 || event.id != deleted);
        question.page(found)
    });
    let (sink, receipts) = capture_whole(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(bare(&receipts), [set_equal(&relay.url, 30)]);
    assert_eq!(certificate(&receipts).claimed, 29);
}

#[test]
fn a_set_that_is_too_large_is_listed_window_by_window() {
    let stored = [spread(0, 900, T, 3), spread(5_000, 60, T + 50_000, 60)].concat();
    let relay = Sets { most: Some(100), ..Sets::of(&stored) }.serve(stored.clone(), 70);
    let (sink, receipts) = capture_whole(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(bare(&receipts), [set_equal(&relay.url, 960)]);
    assert_eq!(certificate(&receipts).windows.len(), 1, "all closed, so all one");
}

#[test]
fn a_second_that_is_too_large_for_a_list_is_asked_for_by_windows() {
    let stored = [spread(0, 100, T, 1), spread(5_000, 60, T - 7, 60)].concat();
    let relay = Sets { most: Some(50), ..Sets::of(&stored) }.serve(stored.clone(), 70);
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [complete(&relay.url, "30087", 160)]);
}

#[test]
fn a_relay_that_does_not_answer_questions_for_ids_is_asked_by_windows() {
    let stored = spread(0, 300, T, 2);
    let told = stored.clone();
    let relay = Sets::of(&stored).serve_by(move |question| match &question.ids {
        Some(_) => vec![question.closed("blocked: ids")],
        None => question.page(question.select(&told, 50)),
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [complete(&relay.url, "30087", 300)]);
}

#[test]
fn an_end_that_is_closed_once_more_is_an_end() {
    let stored = spread(0, 30, T, 2);
    let told = stored.clone();
    let relay = Sets::of(&stored).serve_by(move |question| {
        // Pages hold little, so that ids are asked for; those are answered, ended and closed.
        let mut acts = question.page(question.select(&told, if question.ids.is_some() { 500 } else { 3 }));
        if question.ids.is_some() {
            acts.push(question.closed(""));
        }
        acts
    });
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [set_equal(&relay.url, 30)]);
}

#[test]
fn a_larger_count_withdraws_the_claim_and_a_smaller_one_does_not() {
    let stored = spread(0, 30, T, 2);
    let outcome = |listed: bool, counted: Value| {
        let sets = Sets { counted: Some(counted), most: (!listed).then_some(0), ..Sets::of(&stored) };
        let relay = sets.serve([stored.clone(), vec![event(1, 1, T); 40]].concat(), 500);
        let (_, receipts) = capture_whole(plan(&relay.url, &[30_087]));
        (receipts[0].basis, receipts[0].reason.clone(), certificate(&receipts).counted)
    };
    for (listed, whole) in [(true, CompletenessBasis::SetEqual), (false, CompletenessBasis::Exhausted)] {
        let more = (CompletenessBasis::None, "counts 31 events and gives 30".to_owned(), Some(31));
        assert_eq!(outcome(listed, json!({"count": 31})), more);
        for (counted, told) in [
            (json!({"count": 30}), Some(30)),
            (json!({"count": 29}), Some(29)),
            (json!({"count": 31, "approximate": true}), None),
            (json!({"count": "many"}), None),
        ] {
            assert_eq!(outcome(listed, counted.clone()), (whole, String::new(), told), "{counted}");
        }
    }
}

#[test]
fn back_dated_events_that_arrive_meanwhile_are_found() {
    let stored = spread(0, 100, T, 1);
    let late = vec![event(700, KIND, T + 3), event(701, KIND, T - 9)];
    for cap in [500, 30] {
        let (told, arrived) = (stored.clone(), late.clone());
        let relay = Relay::start(move |question| {
            let more = if question.nth > 1 { arrived.clone() } else { Vec::new() };
            let held = [told.clone(), more].concat();
            question.page(question.select(&held, cap))
        });
        let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
        assert_eq!(sink.texts(), texts(&[stored.clone(), late.clone()].concat()), "cap {cap}");
        assert_eq!(receipts, [complete(&relay.url, "30087", 102)]);
    }
}

#[test]
fn a_relay_that_never_comes_to_rest_is_not_called_complete() {
    let relay = Relay::start(move |question| {
        // One more old event with every question.
        let held = spread(0, 50 + u64::try_from(question.nth).unwrap(), T - 1_000, 1);
        let now = [held, spread(9_000, 1, T, 1)].concat();
        question.page(question.select(&now, 500))
    });
    let (_, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(receipts[0].basis, CompletenessBasis::Heuristic);
    assert_eq!(receipts[0].reason, "older events appeared in every pass");
}

#[test]
fn reconciliations_that_lead_nowhere_end_in_bounded_time() {
    let stored = spread(0, 30, T, 2);
    let tales: Vec<fn(&Value) -> String> = vec![
        // What older versions of the protocol answer, something that is no message, and an end.
        |message| json!(["NEG-ERR", message[1], "invalid: protocol version"]).to_string(),
        |message| json!(["NEG-MSG", message[1], "zz"]).to_string(),
        |message| json!(["NEG-MSG", message[1], "6100000102030405"]).to_string(),
        // A fingerprint that never agrees: round after round without an id.
        |message| json!(["NEG-MSG", message[1], format!("61000001{}", "ab".repeat(16))]).to_string(),
        |_| json!(["NOTICE", "ERROR: bad msg: negentropy query missing elements"]).to_string(),
        |message| json!(["CLOSED", message[1], "unsupported: NEG"]).to_string(),
    ];
    for tale in tales {
        let told = stored.clone();
        let relay = Relay::with_more(
            None,
            move |question| question.page(question.select(&told, 20)),
            move || {
                Box::new(move |message| match message[0].as_str() {
                    Some("NEG-OPEN" | "NEG-MSG") => vec![Act::Text(tale(message))],
                    _ => vec![Act::Text(json!(["NOTICE", "unknown command"]).to_string())],
                })
            },
        );
        let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
        assert_eq!(sink.texts(), texts(&stored));
        assert_eq!((receipts[0].basis, receipts[0].items), (CompletenessBasis::Exhausted, 30), "{receipts:?}");
    }
}

#[test]
fn silence_about_a_reconciliation_is_waited_out_once() {
    let stored = spread(0, 30, T, 2);
    let told = stored.clone();
    let relay =
        Relay::with_more(None, move |question| question.page(question.select(&told, 20)), || Box::new(|_| Vec::new()));
    let brief = RelayPlan {
        budgets: reledger::substrate::RelayBudget { idle_ms: 300, ..plan(&relay.url, &[]).budgets },
        ..plan(&relay.url, &[30_078, 30_087])
    };
    let (sink, receipts) = capture(brief);
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!(receipts, [complete(&relay.url, "30078", 0), complete(&relay.url, "30087", 30)]);
}

#[test]
fn two_captures_of_one_relay_say_the_same() {
    let stored = crowded();
    for listed in [true, false] {
        let relay = Sets { most: (!listed).then_some(0), ..Sets::of(&stored) }.serve(stored.clone(), 500);
        let first = capture_whole(plan(&relay.url, &[30_087, 30_088])).1;
        assert_eq!(first, capture_whole(plan(&relay.url, &[30_087, 30_088])).1);
    }
}

/// Refuses whoever did not answer its challenge; the challenge comes with the first question.
fn guarded(stored: Vec<Event>) -> Relay {
    let known = std::sync::Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let seen = std::sync::Arc::clone(&known);
    Relay::with_more(
        None,
        move |question| {
            if seen.lock().unwrap().is_empty() {
                return vec![
                    Act::Text(json!(["AUTH", "a challenge"]).to_string()),
                    question.closed("auth-required: who are you"),
                ];
            }
            question.page(question.select(&stored, 500))
        },
        move || {
            let known = std::sync::Arc::clone(&known);
            Box::new(move |message| {
                if message[0] != "AUTH" {
                    return vec![Act::Text(json!(["NOTICE", "unknown command"]).to_string())];
                }
                let event: nostr_sdk::Event = serde_json::from_value(message[1].clone()).unwrap();
                event.verify().unwrap();
                known.lock().unwrap().insert(event.pubkey.to_hex());
                vec![Act::Text(json!(["OK", event.id.to_hex(), true, ""]).to_string())]
            })
        },
    )
}

#[test]
fn a_challenge_is_answered_by_those_who_configured_it_and_by_nobody_else() {
    let stored = spread(0, 30, T, 2);
    let relay = guarded(stored.clone());
    let (sink, receipts) = capture(plan(&relay.url, &[30_087]));
    assert_eq!(sink.items, []);
    let reason = "closed: auth-required: who are you";
    assert_eq!(receipts, [broken(&relay.url, "30087", SliceEnd::Refused, 0, reason)]);

    let auth = Some(RelayAuth::Throwaway);
    let (sink, receipts) = capture(RelayPlan { auth, retry: quick_retry(1), ..plan(&relay.url, &[30_087]) });
    assert_eq!(sink.texts(), texts(&stored));
    assert_eq!((receipts[0].basis, receipts[0].items), (CompletenessBasis::Exhausted, 30), "{receipts:?}");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused_before_any_contact() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, format!("{:064x}", 3)).unwrap();
    let open = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let auth = Some(RelayAuth::KeyFile(file.clone()));
        RelaySource::new(RelayPlan { auth, ..plan("wss://relay.example", &[30_087]) }, runtime())
            .map(|source| source.id())
    };
    assert!(matches!(open(0o644), Err(reledger::substrate::SourceError::Exposed { .. })));
    assert_eq!(open(0o600).unwrap().0, "wss://relay.example");
}
