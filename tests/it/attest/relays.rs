//! Relays that take, refuse, stay silent or lie: each told, with its own words made inert.

use std::net::TcpListener;

use futures_util::{SinkExt as _, StreamExt as _};
use reledger::sim::RelayRules;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::desk::{Desk, House, SERVERS, faults};

fn publish(desk: &Desk, relays: &[&str], expected: i32) -> Vec<(bool, String)> {
    let relays: Vec<&str> = relays.iter().flat_map(|relay| ["--relay", *relay]).collect();
    let key = desk.text("nostr");
    let own = ["attest", "publish", "--nostr-key-file", &key, "--timeout", "1s"];
    let told = desk.json(&[&own[..], &relays].concat(), expected);
    let said = told["relays"].as_array().unwrap().iter();
    said.map(|one| (one["accepted"].as_bool().unwrap(), one["words"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn each_relay_is_told_with_its_own_answer() {
    let desk = Desk::new();
    desk.sign("one");
    let good = House::behaving(&[]);
    let closed = House::ruled(RelayRules { takes_events: false, ..RelayRules::default() });
    let small = House::ruled(RelayRules { max_message_bytes: 1_000, ..RelayRules::default() });
    let stalls = House::behaving(&["relay=stall"]);
    let drops = House::behaving(&["relay=disconnect"]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("ws://{}", silent.local_addr().unwrap());
    let relays = [
        good.relay(0),
        closed.relay(0),
        small.relay(0),
        stalls.relay(0),
        drops.relay(0),
        silent,
        "ws://127.0.0.1:1".to_owned(),
    ];
    let relays: Vec<&str> = relays.iter().map(String::as_str).collect();
    let said = publish(&desk, &relays, 3);
    let accepted: Vec<bool> = said.iter().map(|(accepted, _)| *accepted).collect();
    assert_eq!(accepted, [true, false, false, false, false, false, false], "{said:?}");
    for (place, words) in [
        (1, "blocked: read-only"),
        (2, "more than it says it takes"),
        (3, "no answer in time"),
        (4, "the connection ended"),
        (5, "no connection"),
        (6, "no connection"),
    ] {
        assert!(said[place].1.contains(words), "{place}: {said:?}");
    }
    publish(&desk, &relays[1..2], 8);
    // Once more: the relay has it already, and that is taken.
    assert_eq!(publish(&desk, &relays[..1], 0), [(true, "duplicate: already have this event".to_owned())]);
    for bad in ["http://127.0.0.1:1", "ws://relay.example", "wss://user@relay.example", "relay.example"] {
        desk.ends(&["attest", "publish", "--relay", bad, "--nostr-key-file", &desk.text("nostr")], 2);
    }
}

#[test]
fn a_relay_that_wants_to_know_who_asks_is_told_by_the_same_key() {
    let desk = Desk::new();
    desk.sign("one");
    let once = House::behaving(&["relay:0=auth@1"]);
    assert_eq!(publish(&desk, &[&once.relay(0)], 0), [(true, String::new())]);
    assert!(once.serving.idle().is_empty(), "the relay did ask");
    // One that is never content is not asked for ever.
    let always = House::behaving(&["relay:0=auth"]);
    let said = publish(&desk, &[&always.relay(0)], 8);
    assert!(said[0].1.starts_with("auth-required"), "{said:?}");
}

#[test]
fn an_event_takes_the_place_of_its_own_statement_only() {
    let (desk, house) = (Desk::new(), House::behaving(&[]));
    let relay = house.relay(0);
    let key = desk.text("nostr");
    let publish = |now: &str| {
        let args = ["attest", "publish", "--relay", &relay, "--nostr-key-file", &key, "--now", now, "--json", "-q"];
        let output = crate::support::run(&[&args[..], &["--run", &desk.text("run")]].concat());
        crate::support::parsed(&output.stdout)
    };
    let one = desk.sign("one");
    let first = publish("2026-10-02T00:00:00Z");
    desk.sign("two");
    let second = publish("2026-10-02T00:00:01Z");
    assert_eq!(first["d"], second["d"], "more signatures, the same statement");
    let verify = |id: &Value, expected: i32| {
        let id = id.as_str().unwrap();
        desk.json(&["attest", "verify", "--relay", &relay, "--id", id, "--key", &one], expected)
    };
    assert_eq!(verify(&second["event"], 0)["signatures"].as_array().unwrap().len(), 2);
    let gone = desk.ends(&["attest", "verify", "--relay", &relay, "--id", first["event"].as_str().unwrap()], 8);
    assert!(gone.contains("gave no such event"), "{gone}");
    // An older one does not come back.
    let late = publish("2026-10-01T00:00:00Z");
    assert_eq!((&late["exit_code"], &late["relays"][0]["accepted"]), (&json!(8), &json!(false)));
}

/// A relay that answers every question with these frames, whatever was asked.
fn lying(frames: Vec<String>) -> String {
    SERVERS.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let frames = frames.clone();
                tokio::spawn(async move {
                    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                    let _ = socket.next().await;
                    for frame in frames {
                        // The client may have seen enough.
                        let _ = socket.send(Message::text(frame)).await;
                    }
                    while socket.next().await.is_some_and(|message| message.is_ok()) {}
                });
            }
        });
        format!("ws://{address}")
    })
}

#[test]
fn a_relay_that_lies_convinces_nobody() {
    let desk = Desk::new();
    let one = desk.sign("one");
    let dry =
        ["attest", "publish", "--relay", "ws://127.0.0.1:1", "--nostr-key-file", &desk.text("nostr"), "--dry-run"];
    let event: Value = crate::support::parsed(&desk.run(&dry).stdout);
    let author = event["pubkey"].as_str().unwrap().to_owned();
    let frame = |event: &Value| json!(["EVENT", "reledger", event]).to_string();
    let end = json!(["EOSE", "reledger"]).to_string();
    let verify = |frames: &[String], expected: i32| {
        let relay = lying(frames.to_vec());
        let args = ["attest", "verify", "--relay", &relay, "--author", &author, "--key", &one, "--timeout", "1s"];
        let output = desk.run(&[&args[..], &["--json", "-q"]].concat());
        assert_eq!(crate::support::code(&output), expected, "{}", crate::support::shown(&output));
        crate::support::shown(&output)
    };
    verify(&[frame(&event), end.clone()], 0);
    let changed = |member: &str, value: Value| {
        let mut event = event.clone();
        event[member] = value;
        event
    };
    let content = event["content"].as_str().unwrap().replacen("eyJ", "eyK", 1);
    for bad in [
        changed("content", json!(content)),
        changed("created_at", json!(1)),
        changed("sig", json!("0".repeat(128))),
        changed("id", json!("0".repeat(64))),
        changed("pubkey", json!("1".repeat(64))),
        json!({"not": "an event"}),
    ] {
        let told = verify(&[frame(&bad), end.clone()], 5);
        assert!(told.contains("signature_mismatch: "), "{told}");
        // Beside the genuine one it changes nothing.
        verify(&[frame(&bad), frame(&event), end.clone()], 0);
    }
    // A genuine event that is no report, or of nobody who was asked for, is passed over.
    let stranger = Desk::new();
    stranger.sign("two");
    let other =
        ["attest", "publish", "--relay", "ws://127.0.0.1:1", "--nostr-key-file", &stranger.text("one"), "--dry-run"];
    let other: Value = crate::support::parsed(&stranger.run(&other).stdout);
    verify(&[frame(&other), end.clone()], 8);
    // Words of a relay reach a terminal as text; an answer without an end is not taken for the newest.
    let told = verify(&[json!(["CLOSED", "reledger", "error: \u{1b}[31m\u{202e}no"]).to_string()], 8);
    assert!(told.contains("error: \\\\u{1b}[31m") || told.contains("error: \\u{1b}[31m"), "{told}");
    assert!(!told.contains('\u{1b}') && !told.contains('\u{202e}'));
    let told = verify(&[frame(&event)], 3);
    assert!(told.contains("did not come to its end"), "{told}");
    verify(&["{}".to_owned(), "[]".to_owned()], 8);
}

#[test]
fn a_broken_attestation_in_a_genuine_event_is_told() {
    let desk = Desk::new();
    let one = desk.sign("one");
    let relay = House::behaving(&[]);
    let key = desk.text("nostr");
    let published = desk.json(&["attest", "publish", "--relay", &relay.relay(0), "--nostr-key-file", &key], 0);
    let id = published["event"].as_str().unwrap();
    let judged = |key: &str, code: i32| {
        desk.json(&["attest", "verify", "--relay", &relay.relay(0), "--id", id, "--key", key], code)
    };
    judged(&one, 0);
    // Who publishes is not who signs.
    let verdict = judged(published["author"].as_str().unwrap(), 5);
    assert!(faults(&verdict).contains("0 of the 1 keys that count have signed"), "{verdict:#}");
}
