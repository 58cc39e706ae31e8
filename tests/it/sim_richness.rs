//! Goal: a world has what real ones have, and noise changes no fact of it.
//! Method: recompute from the published texts with plain crates; never ask `verify`.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot unwrap has failed the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use reledger::domain::{UnixMicros, sha256};
use reledger::sim::{Noise, Proven, World};
use serde_json::{Value, json};

static LARGE: LazyLock<World> = LazyLock::new(|| World::generate(2, 800));

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}"))
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("no integer {name} in {value}"))
}

fn bodies_of(world: &World, kind: &str) -> Vec<Value> {
    let envelopes = world.envelopes.iter().filter(|envelope| envelope.kind.name() == kind);
    envelopes.map(|envelope| serde_json::from_slice(&envelope.canonical).unwrap()).collect()
}

fn user(value: &Value) -> &str {
    ["user_address", "did_oc"].into_iter().find_map(|name| value[name].as_str()).unwrap()
}

fn seconds(iso: &str) -> i64 {
    iso.parse::<UnixMicros>().unwrap().seconds().0
}

#[test]
fn prices_are_those_of_the_document_in_force() {
    let mut histories = 0;
    for world in [&World::generate(1, 40), &LARGE] {
        let mut documents: BTreeMap<String, Vec<(i64, Value)>> = BTreeMap::new();
        for document in &world.configs {
            let config: Value = serde_json::from_str(&document.json).unwrap();
            let from = seconds(text(&config, "updated_at"));
            documents.entry(text(&config, "project_key").to_owned()).or_default().push((from, config));
        }
        histories += documents.values().filter(|versions| versions.len() > 1).count();
        for event in bodies_of(world, "oc-me-event") {
            let at = seconds(text(&event, "occurred_at"));
            let versions = documents[text(&event, "project_key")].iter().filter(|(from, _)| *from <= at);
            let (_, config) = versions.max_by_key(|(from, _)| *from).unwrap();
            let entry = &config["events"][text(&event, "subtype")];
            assert_eq!(entry["enabled"], true, "{event}");
            let agent = if event["is_agent"] == true { &entry["agent"] } else { &Value::Null };
            assert_ne!(agent["refuse"], true, "{event}");
            let pays = if agent["site_pays"].is_object() { &agent["site_pays"] } else { &entry["site_pays"] };
            if pays["kind"] == "fixed_sats" {
                assert_eq!(number(pays, "sats"), number(&event, "gross_fee_sats"), "{event}");
            } else {
                assert!(event["context"]["payment_amount_sats"].is_u64(), "{event}");
            }
        }
    }
    assert!(histories > 3, "{histories} projects changed their prices");
}

#[test]
fn events_come_in_every_class_and_in_bursts_and_some_under_two_names() {
    let world = &*LARGE;
    let events = bodies_of(world, "oc-me-event");
    let classes: BTreeSet<&str> = events.iter().map(|event| text(event, "class")).collect();
    assert_eq!(classes.into_iter().collect::<Vec<_>>(), ["A", "B", "C"]);
    let subtypes: BTreeSet<&str> = events.iter().map(|event| text(event, "subtype")).collect();
    assert!(subtypes.len() > 10 && subtypes.contains("loyalty.check-in"), "{subtypes:?}");
    let mut in_second: BTreeMap<(&str, i64), usize> = BTreeMap::new();
    for event in &events {
        *in_second.entry((user(event), seconds(text(event, "occurred_at")))).or_default() += 1;
    }
    assert!(in_second.values().any(|count| *count > 1), "a burst");
    assert!(events.iter().any(|event| event["user_address"].is_string() && event["did_oc"].is_string()));
    let payments = bodies_of(world, "oc-me-payment");
    assert!(payments.iter().any(|payment| payment["status"] == "failed"));
}

#[test]
fn logs_of_all_shapes_and_the_edges_of_sizes() {
    let first = |seed| World::generate(seed, 10).payment_log[0].json.clone();
    assert!(first(0).starts_with('[') && first(1).starts_with("{\"id\"") && first(2).starts_with("{\"event_id\""));
    let small = World::generate(4, 1);
    assert_eq!(small.manifest().envelopes["oc-me-event"], 10, "ten is the least");
    assert!(small.manifest().users >= 4 && small.manifest().projects >= 3);
}

#[test]
fn guardians_and_users_sign_what_leaves_a_federation() {
    let mut verified = 0;
    for line in &LARGE.custody {
        let read: Value = serde_json::from_str(line).unwrap();
        let Some(proof) = read["proof"].as_array() else { continue };
        let name = |name: &str| text(&read, name).to_owned();
        let is_graduation = read["kind"] == "orangecheck-graduation";
        let (head, names) = if is_graduation {
            ("graduation", ["address", "from_federation", "to", "to_federation", "graduated_at"].as_slice())
        } else {
            ("federation-rotation", ["address", "from_federation", "to_federation", "rotated_at"].as_slice())
        };
        let held = names.iter().filter(|name| !read[**name].is_null());
        let lines = held.fold(format!("oc-attest:{head}:v1"), |text, held| format!("{text}\n{held}: {}", name(held)));
        let mut object: BTreeMap<String, Value> = serde_json::from_value(read.clone()).unwrap();
        object.retain(|name, _| !["proof", "id", "ots"].contains(&name.as_str()));
        let sorted = serde_json::to_string(&object).unwrap();
        let readings: Vec<String> =
            [lines, sorted].into_iter().flat_map(|text| [sha256(text.as_bytes()).to_hex(), text]).collect();
        let signs = |message: &String| {
            let each = |one: &Value| {
                bip322::verify_simple_encoded(text(one, "address"), message, text(one, "signature")).is_ok()
            };
            proof.iter().all(|one| each(&json!({"address": one["address"], "signature": one["sig"]})))
        };
        assert_eq!(readings.iter().filter(|message| signs(message)).count(), 1, "{line}");
        assert_eq!(
            proof.iter().any(|one| one["kind"] == "self-key" && one["address"] == read["address"]),
            is_graduation
        );
        verified += 1;
    }
    assert!(verified > 1, "{verified}");
    assert!(bodies_of(&LARGE, "oc-me-rebind").iter().any(|rebind| rebind["graduation_id"].is_string()));
}

#[test]
fn noise_moves_and_repeats_and_changes_no_fact() {
    let noise = Noise { lag: 40, duplicates: 30, reorder: true, slow_calendars: 60, reorg_depth: 5 };
    let (plain, noisy) = (World::generate(12, 60), World::generate_with(12, 60, &noise));
    let sorted = |lines: &[String]| lines.iter().cloned().collect::<BTreeSet<_>>();
    let ids = |world: &World| world.envelopes.iter().map(|envelope| envelope.id).collect::<Vec<_>>();
    assert_eq!(ids(&plain), ids(&noisy));
    assert_eq!(sorted(&plain.settlements), sorted(&noisy.settlements));
    assert_ne!(plain.settlements, noisy.settlements);
    assert_eq!(plain.events.len(), noisy.events.len());
    assert!(!noisy.archived.is_empty() && plain.archived.is_empty());
    assert_eq!((noisy.stale.len(), plain.stale.len()), (5, 0));
    let waiting = |world: &World| world.manifest().pending;
    assert!(waiting(&noisy) >= waiting(&plain));
    for world in [&plain, &noisy] {
        let waits = world
            .proven
            .values()
            .filter_map(|proven| if let Proven::Waits(since) = proven { Some(since) } else { None });
        assert!(waits.into_iter().all(|since| world.as_of().0 - since < 48 * 3_600));
    }
    let link = &noisy.stale[0][4..36];
    let parent = noisy.headers.iter().position(|header| header_hash(header) == *link).unwrap();
    assert!(noisy.headers.len() - parent > 12, "the branch that lost is shorter");
    for pair in noisy.stale.windows(2) {
        assert_eq!(pair[1][4..36], header_hash(&pair[0]));
    }
}

fn header_hash(header: &[u8; 80]) -> [u8; 32] {
    sha256(sha256(header).as_bytes()).0
}
