//! Goal: the honest world is honest, judged with nothing but plain crates, and its servers speak their protocols.
//! Method: recompute every digest, signature, sum and limit from the published texts; never ask `verify`.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot unwrap has failed the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bitcoin::secp256k1::{Message as Digest, Secp256k1, XOnlyPublicKey, schnorr};
use ed25519_dalek::{Signature, VerifyingKey};
use futures_util::{SinkExt as _, StreamExt as _};
use opentimestamps::attestation::Attestation;
use opentimestamps::ser::Deserializer;
use opentimestamps::timestamp::{Step, StepData};
use opentimestamps::{DetachedTimestampFile, Timestamp};
use reledger::domain::{UnixMicros, sha256};
use reledger::sim::{CalendarReply, Envelope, Serving, World, serve, serve_toml, write};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;

static WORLD: LazyLock<Arc<World>> = LazyLock::new(|| Arc::new(World::generate(7, 300)));

fn hex(text: &str) -> Vec<u8> {
    let mut bytes = vec![0; text.len() / 2];
    faster_hex::hex_decode(text.as_bytes(), &mut bytes).unwrap();
    bytes
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}"))
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("no integer {name} in {value}"))
}

fn body(envelope: &Envelope) -> Value {
    serde_json::from_slice(&envelope.canonical).unwrap()
}

fn bodies(kind: &str) -> Vec<Value> {
    bodies_of(&WORLD, kind)
}

fn bodies_of(world: &World, kind: &str) -> Vec<Value> {
    world.envelopes.iter().filter(|envelope| envelope.kind.name() == kind).map(body).collect()
}

fn user(value: &Value) -> &str {
    ["user_address", "did_oc"].into_iter().find_map(|name| value[name].as_str()).unwrap()
}

fn seconds(iso: &str) -> i64 {
    iso.parse::<UnixMicros>().unwrap().seconds().0
}

fn settlements() -> Vec<Value> {
    settlements_of(&WORLD)
}

fn settlements_of(world: &World) -> Vec<Value> {
    world.settlements.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].clone()).collect()
}

/// Every file below a folder, by relative path.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

// ---------------------------------------------------------------- identity

#[test]
fn one_seed_gives_the_same_bytes_twice_and_another_seed_gives_others() {
    let written = |seed, events| {
        let dir = tempfile::tempdir().unwrap();
        write(&World::generate(seed, events), dir.path()).unwrap();
        files(dir.path())
    };
    let first = written(7, 60);
    assert!(first == written(7, 60), "two generations of one seed differ");
    let other = written(8, 60);
    for name in ["nostr/events.jsonl", "headers/0.headers", "gateway/settlements.jsonl", "balances.jsonl"] {
        assert_ne!(first[name], other[name], "{name}");
    }
}

#[test]
fn every_kind_is_there_and_as_many_envelopes_as_asked() {
    let manifest = WORLD.manifest();
    let kinds = ["activity", "distribution", "drop", "event", "payment", "payout-binding", "rebind", "trust"];
    let names: Vec<String> =
        manifest.envelopes.keys().map(|name| name.trim_start_matches("oc-me-").to_owned()).collect();
    assert_eq!(names, kinds);
    assert!(manifest.envelopes.values().sum::<usize>() >= 300, "{manifest:?}");
    assert_eq!(manifest.envelopes["oc-me-event"], bodies("oc-me-event").len());
    assert_eq!(manifest.events.keys().copied().collect::<Vec<_>>(), [30_078, 30_079, 30_087]);
    let versions: BTreeSet<u64> = bodies("oc-me-event").iter().map(|event| number(event, "v")).collect();
    assert_eq!(versions.into_iter().collect::<Vec<_>>(), [2, 3, 4]);
    assert!((4..=6).contains(&manifest.projects) && (20..=40).contains(&manifest.users), "{manifest:?}");
    assert!(manifest.pending > 0 && manifest.anchored > 300, "{manifest:?}");
    assert_ne!(manifest.invoices, 100, "a count of exactly 100 looks like a default page");
}

// ---------------------------------------------------------------- signatures

#[test]
fn every_envelope_is_signed_by_the_published_key_of_its_kid() {
    let set: Value = serde_json::from_str(&WORLD.key_sets.last().unwrap().json).unwrap();
    let keys: BTreeMap<&str, VerifyingKey> = set["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| {
            let bytes = URL_SAFE_NO_PAD.decode(text(key, "x")).unwrap();
            (text(key, "kid"), VerifyingKey::from_bytes(&bytes.try_into().unwrap()).unwrap())
        })
        .collect();
    let mut used = BTreeSet::new();
    for envelope in &WORLD.envelopes {
        assert_eq!(envelope.id.0, sha256(&envelope.canonical));
        let signature = Signature::from_slice(&hex(&envelope.signature)).unwrap();
        keys[envelope.kid.as_str()].verify_strict(&envelope.canonical, &signature).unwrap();
        used.insert(envelope.kid.as_str());
    }
    assert_eq!(used.len(), 3, "all generations are in use");
    for line in &WORLD.activity {
        let bundle: Value = serde_json::from_str(line).unwrap();
        let canonical = STANDARD.decode(text(&bundle, "canonical_b64")).unwrap();
        assert_eq!(sha256(&canonical).to_hex(), text(&bundle["attestation"], "id"));
        let signature = Signature::from_slice(&hex(text(&bundle, "sig"))).unwrap();
        keys[text(&bundle, "kid")].verify_strict(&canonical, &signature).unwrap();
    }
    let auth: Value = serde_json::from_str(&WORLD.auth_key_set.json).unwrap();
    assert!(!keys.contains_key(text(&auth["keys"][0], "kid")));
}

#[test]
fn every_nostr_event_has_its_id_and_signature() {
    let secp = Secp256k1::verification_only();
    let mut authors = BTreeSet::new();
    for event in &WORLD.events {
        let read: Value = serde_json::from_str(&event.line()).unwrap();
        let serialised =
            json!([0, read["pubkey"], read["created_at"], read["kind"], read["tags"], read["content"]]).to_string();
        let id = sha256(serialised.as_bytes());
        assert_eq!(id.to_hex(), text(&read, "id"));
        let key = XOnlyPublicKey::from_slice(&hex(text(&read, "pubkey"))).unwrap();
        let signature = schnorr::Signature::from_slice(&hex(text(&read, "sig"))).unwrap();
        secp.verify_schnorr(&signature, &Digest::from_digest(id.0), &key).unwrap();
        authors.insert(event.pubkey.clone());
    }
    assert!(authors.len() > 10, "service key, throw-away keys, users");
}

#[test]
fn every_settlement_is_signed_over_its_members_in_order() {
    const ORDER: [&str; 18] = [
        "kind",
        "federation_slug",
        "operation_id",
        "amount_sats",
        "direction",
        "settled_at",
        "payment_hash",
        "preimage",
        "txid",
        "gateway_pubkey",
        "project_key",
        "user_address",
        "payout_binding_id",
        "distribution_id",
        "operator_id",
        "destination",
        "note",
        "fee_sats",
    ];
    let mut operations = BTreeSet::new();
    let mut hashes = BTreeSet::new();
    for line in &WORLD.settlements {
        let wire: Value = serde_json::from_str(line).unwrap();
        assert_eq!(text(&wire, "pubkey_hex"), WORLD.settlement_key);
        let event = &wire["event"];
        let members = ORDER.iter().filter_map(|name| Some(format!("\"{name}\":{}", event.get(name)?)));
        let canonical = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        let key = VerifyingKey::from_bytes(&hex(&WORLD.settlement_key).try_into().unwrap()).unwrap();
        let signature = Signature::from_slice(&hex(text(&wire, "sig_hex"))).unwrap();
        key.verify_strict(canonical.as_bytes(), &signature).unwrap();
        assert!(operations.insert(text(event, "operation_id").to_owned()));
        assert_eq!(text(event, "operation_id").len(), 64);
        if let Some(preimage) = event["preimage"].as_str() {
            assert_eq!(sha256(&hex(preimage)).to_hex(), text(event, "payment_hash"));
            assert!(hashes.insert(preimage.to_owned()));
        }
    }
}

#[test]
fn every_attestation_and_binding_is_signed_by_its_address() {
    let (mut attestations, mut bonds, mut bindings) = (0, 0, 0);
    for event in &WORLD.events {
        let d = event.tag_values("d").next().unwrap();
        if event.kind == 30_078 && d.len() == 64 {
            let read: Value = serde_json::from_str(&event.content).unwrap();
            let message = text(&read, "message");
            assert_eq!(sha256(message.as_bytes()).to_hex(), d);
            assert_eq!(URL_SAFE_NO_PAD.decode(text(&read, "message_b64url")).unwrap(), message.as_bytes());
            bip322::verify_simple_encoded(text(&read, "address"), message, text(&read, "signature")).unwrap();
            assert_eq!(seconds(text(&read, "issued_at")), event.created_at.0);
            attestations += 1;
            bonds += usize::from(message.contains("\nbond: "));
        } else if event.kind == 30_079 {
            let read: Value = serde_json::from_str(&event.content).unwrap();
            let message = text(&read, "message");
            assert_eq!(d, format!("oc-attest-binding:{}", sha256(message.as_bytes())));
            let address = event.tag_values("btc").next().unwrap();
            assert!(message.contains(&format!("\nbtc: {address}\n")));
            bip322::verify_simple_encoded(address, message, text(&read, "btc_signature")).unwrap();
            bindings += 1;
        }
    }
    assert!(attestations > 5 && bonds > 2 && bindings > 2, "{attestations} {bonds} {bindings}");
}

// ---------------------------------------------------------------- carriers

/// The canonical bytes that a carrier shows, by the shape of its record.
fn shown(content: &str, envelope: &Envelope) -> (&'static str, Vec<u8>) {
    #[derive(serde::Deserialize)]
    struct Record<'a> {
        canonical_b64: Option<String>,
        #[serde(borrow)]
        envelope: Option<&'a serde_json::value::RawValue>,
    }
    let record: Record<'_> = serde_json::from_str(content).unwrap();
    if let Some(canonical) = record.canonical_b64 {
        return ("canonical", STANDARD.decode(canonical).unwrap());
    }
    if let Some(slice) = record.envelope {
        return ("slice", slice.get().as_bytes().to_vec());
    }
    let head = format!("{{\"id\":\"{}\",", envelope.id);
    let rest = content.strip_prefix(&head).unwrap();
    let members = &rest[..rest.rfind(",\"kid\":").unwrap()];
    let received = format!("{{{members}}}");
    if sha256(received.as_bytes()) == envelope.id.0 {
        return ("flat", received.into_bytes());
    }
    let sorted: BTreeMap<String, Value> = serde_json::from_str(&received).unwrap();
    ("flat sorted", serde_json::to_vec(&sorted).unwrap())
}

#[test]
fn every_carrier_shows_its_envelope_in_one_of_the_known_shapes() {
    let by_id: BTreeMap<String, &Envelope> =
        WORLD.envelopes.iter().map(|envelope| (envelope.id.to_string(), envelope)).collect();
    let mut shapes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut carried = BTreeSet::new();
    for event in WORLD.events.iter().filter(|event| event.kind == 30_087) {
        let (prefix, id) = event.tag_values("d").next().unwrap().split_once(':').unwrap();
        let envelope = by_id[id];
        assert_eq!(prefix, envelope.kind.name());
        let read: Value = serde_json::from_str(&event.content).unwrap();
        assert_eq!((text(&read, "id"), text(&read, "kid")), (id, envelope.kid.as_str()));
        let (shape, canonical) = shown(&event.content, envelope);
        assert!(canonical == envelope.canonical, "{shape}: {}", event.content);
        *shapes.entry(shape).or_default() += 1;
        carried.insert(id.to_owned());
    }
    assert_eq!(carried.len(), WORLD.envelopes.len());
    assert_eq!(shapes.keys().copied().collect::<Vec<_>>(), ["canonical", "flat", "flat sorted", "slice"]);
}

// ---------------------------------------------------------------- chain and proofs

#[test]
fn the_header_chain_links_and_works_at_the_limit() {
    let headers: Vec<bitcoin::block::Header> =
        WORLD.headers.iter().map(|bytes| bitcoin::consensus::deserialize(bytes).unwrap()).collect();
    assert_eq!(headers[0].block_hash().to_string(), WORLD.genesis_hash());
    for pair in headers.windows(2) {
        assert_eq!(pair[1].prev_blockhash, pair[0].block_hash());
        assert!(pair[1].time > pair[0].time);
    }
    for (height, header) in headers.iter().enumerate() {
        assert_eq!(header.bits.to_consensus(), 0x207f_ffff);
        header.validate_pow(header.target()).unwrap();
        // The limit stays in force only if no period of 2,016 headers was shorter than two weeks.
        if height > 0 && height % 2_016 == 0 {
            assert!(header.time - headers[height - 2_016].time >= 14 * 86_400, "{height}");
            assert!(headers[height - 1].time - headers[height - 2_016].time >= 14 * 86_400, "{height}");
        }
    }
    let tip = i64::from(headers.last().unwrap().time);
    assert!((0..3_600).contains(&(WORLD.as_of().0 - tip)));
}

const CALENDARS: [&str; 3] = [
    "https://alice.btc.calendar.opentimestamps.org",
    "https://bob.btc.calendar.opentimestamps.org",
    "https://finney.calendar.eternitywall.com",
];

enum End {
    Bitcoin(usize, Vec<u8>),
    Pending(Vec<u8>),
}

fn ends(step: &Step, out: &mut Vec<End>) {
    if let StepData::Attestation(attestation) = &step.data {
        match attestation {
            Attestation::Bitcoin { height } => out.push(End::Bitcoin(*height, step.output.clone())),
            Attestation::Pending { uri } => {
                assert!(CALENDARS.contains(&uri.as_str()), "{uri}");
                out.push(End::Pending(step.output.clone()));
            }
            Attestation::Unknown { .. } => panic!("unknown attestation"),
        }
    }
    for next in &step.next {
        ends(next, out);
    }
}

fn bare(bytes: &[u8], start: &[u8]) -> Timestamp {
    let mut reader = bytes;
    let read = Timestamp::deserialize(&mut Deserializer::new(&mut reader), start.to_vec()).unwrap();
    assert!(reader.is_empty(), "trailing bytes");
    read
}

/// The heights that a proof reaches, after asking the calendar where it is pending only.
fn heights(proof: &[u8], digest: &[u8]) -> Vec<usize> {
    let timestamp = if proof.starts_with(b"\x00OpenTimestamps") {
        let file = DetachedTimestampFile::from_reader(proof).unwrap();
        assert_eq!(file.timestamp.start_digest, digest);
        file.timestamp
    } else {
        bare(proof, digest)
    };
    let mut found = Vec::new();
    ends(&timestamp.first_step, &mut found);
    if !found.iter().any(|end| matches!(end, End::Bitcoin(..))) {
        let Some(End::Pending(commitment)) = found.first() else { panic!("an empty proof") };
        if let CalendarReply::Confirmed(reply) = &WORLD.calendar[&faster_hex::hex_string(commitment)] {
            ends(&bare(reply, commitment).first_step, &mut found);
        }
    }
    let reached = found.into_iter().filter_map(|end| match end {
        End::Bitcoin(height, root) => {
            assert_eq!(root, WORLD.headers[height][36..68]);
            Some(height)
        }
        End::Pending(_) => None,
    });
    reached.collect()
}

#[test]
fn every_proof_ends_in_a_block_soon_after_or_waits_for_the_calendar() {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut waiting = 0;
    for event in WORLD.events.iter().filter(|event| event.kind == 30_087) {
        let read: Value = serde_json::from_str(&event.content).unwrap();
        let id = hex(text(&read, "id"));
        let envelope = WORLD.envelopes.iter().find(|envelope| envelope.id.as_bytes()[..] == id).unwrap();
        let ots = &read["ots"];
        let file = WORLD.proofs.get(&envelope.id.0);
        assert_eq!(ots.is_null(), file.is_some());
        let status = ots["status"].as_str().unwrap_or("file");
        let proof = file.cloned().unwrap_or_else(|| STANDARD.decode(text(ots, "proof")).unwrap());
        *places.entry(status.to_owned()).or_default() += 1;
        let Some(height) = heights(&proof, &id).into_iter().min() else {
            assert_eq!(status, "pending");
            assert!(WORLD.as_of().0 - envelope.at.0 < 4 * 3_600, "only the youngest wait");
            waiting += 1;
            continue;
        };
        if status == "confirmed" {
            assert_eq!(usize::try_from(number(ots, "block_height")).unwrap(), height);
            let header: bitcoin::block::Header = bitcoin::consensus::deserialize(&WORLD.headers[height]).unwrap();
            assert_eq!(header.block_hash().to_string(), text(ots, "block_hash"));
        }
        let mined = u32::from_le_bytes(WORLD.headers[height][68..72].try_into().unwrap());
        assert!((0..3 * 3_600).contains(&(i64::from(mined) - envelope.at.0)));
        assert!(WORLD.headers.len() - height > 6, "deep enough to be final");
    }
    assert_eq!(places.keys().collect::<Vec<_>>(), ["confirmed", "file", "pending"]);
    assert!(waiting > 0 && places["pending"] > waiting, "some pending proofs can be completed: {places:?} {waiting}");
    for (digest, proof) in WORLD.proofs.iter().chain(&WORLD.upgraded) {
        assert!((1..=2).contains(&heights(proof, digest.as_bytes()).len()));
    }
}

// ---------------------------------------------------------------- money

#[test]
fn reported_balances_are_earned_minus_paid() {
    let mut balances: BTreeMap<String, i128> = BTreeMap::new();
    for event in bodies("oc-me-event") {
        *balances.entry(user(&event).to_owned()).or_default() += i128::from(number(&event, "user_earned_sats"));
    }
    for settled in settlements().iter().filter(|event| event["kind"] == "distribution.settled") {
        *balances.get_mut(text(settled, "user_address")).unwrap() -= i128::from(number(settled, "amount_sats"));
    }
    for corrected in settlements().iter().filter(|event| event["kind"] == "adjustment") {
        let Some(user) = corrected["user_address"].as_str() else { continue };
        let amount = i128::from(number(corrected, "amount_sats"));
        *balances.get_mut(user).unwrap() += if corrected["direction"] == "in" { amount } else { -amount };
    }
    let reported: BTreeMap<String, i128> = WORLD
        .balances
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (text(&line, "user").to_owned(), i128::from(number(&line, "balance_sats"))))
        .collect();
    assert_eq!(reported, balances);
    assert_eq!(balances.len(), WORLD.manifest().users);
    assert!(balances.values().all(|balance| *balance >= 0) && balances.values().any(|balance| *balance > 0));
}

#[test]
fn escrow_stays_funded_and_platform_and_rebates_stay_within_what_was_earned() {
    WORLDS.iter().for_each(check_flows);
}

fn check_flows(world: &World) {
    // FORMATS 6.4: per project in time order, deposits first on ties; rebates count as escrow only when they are returned.
    let mut flows: BTreeMap<String, Vec<(i64, i8, i128)>> = BTreeMap::new();
    let mut rebates: BTreeMap<String, i128> = BTreeMap::new();
    let mut platform = 0;
    for event in bodies_of(world, "oc-me-event") {
        let gross = i128::from(number(&event, "gross_fee_sats"));
        let parts = ["platform_fee_sats", "user_earned_sats", "site_rebate_sats"].map(|name| number(&event, name));
        assert_eq!(gross, i128::from(parts.iter().sum::<u64>()));
        let project = text(&event, "project_key").to_owned();
        *rebates.entry(project.clone()).or_default() += i128::from(parts[2]);
        platform += i128::from(parts[0]);
        flows.entry(project).or_default().push((seconds(text(&event, "occurred_at")), 1, -gross));
    }
    for event in settlements_of(world) {
        let amount = i128::from(number(&event, "amount_sats"));
        let at = event["settled_at"].as_i64().unwrap();
        let project = event["project_key"].as_str().unwrap_or_default().to_owned();
        match (text(&event, "kind"), text(&event, "direction")) {
            ("escrow.deposit", "in") => flows.entry(project).or_default().push((at, 0, amount)),
            ("escrow.refund", "out") => flows.entry(project).or_default().push((at, 1, -amount)),
            ("escrow.rebate", "out") => *rebates.get_mut(&project).unwrap() -= amount,
            ("platform.accrual", "in") => {
                assert!(event["destination"].is_null());
                platform -= amount;
            }
            ("distribution.settled", "out") => platform -= i128::from(number(&event, "fee_sats")),
            ("operator.payout", "out") => {
                let operator = text(&event, "operator_id").strip_prefix("op-").unwrap();
                assert!(operator.len() == 32 && event["destination"].is_string());
                platform -= amount;
            }
            ("adjustment", _) => assert!(!text(&event, "note").is_empty()),
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(platform >= 0, "accruals, guardians and routing fees together stay within the platform's fees");
    assert!(rebates.values().all(|left| *left >= 0));
    for (project, mut flow) in flows {
        flow.sort_unstable();
        let mut escrow = 0;
        for (at, _, amount) in flow {
            escrow += amount;
            assert!(escrow >= 0, "{project} at {at}");
        }
    }
    let kinds = [
        "adjustment",
        "distribution.settled",
        "escrow.deposit",
        "escrow.rebate",
        "escrow.refund",
        "operator.payout",
        "platform.accrual",
    ];
    assert_eq!(world.manifest().settlements.keys().copied().collect::<Vec<_>>(), kinds);
}

#[test]
fn every_distribution_closes_and_pays_only_what_vested() {
    let sealed: BTreeMap<String, i64> = bodies("oc-me-drop")
        .iter()
        .map(|drop| (text(drop, "window_id").to_owned(), seconds(text(drop, "sealed_at"))))
        .collect();
    let mut vested: BTreeMap<String, Vec<(i64, u64)>> = BTreeMap::new();
    for event in bodies("oc-me-event") {
        let at = match event["drop"]["window_id"].as_str() {
            Some(window) => sealed.get(window).copied(),
            None => Some(seconds(text(&event, "occurred_at"))),
        };
        let at = at.unwrap_or(i64::MAX);
        vested.entry(user(&event).to_owned()).or_default().push((at, number(&event, "user_earned_sats")));
    }
    let bindings: BTreeMap<String, Value> = WORLD
        .envelopes
        .iter()
        .filter(|envelope| envelope.kind.name() == "oc-me-payout-binding")
        .map(|envelope| (envelope.id.to_string(), body(envelope)))
        .collect();
    let settled = settlements();
    let mut paid: BTreeMap<String, u64> = BTreeMap::new();
    for envelope in WORLD.envelopes.iter().filter(|envelope| envelope.kind.name() == "oc-me-distribution") {
        let distribution = body(envelope);
        let id = envelope.id.to_string();
        let parts: Vec<&Value> = settled.iter().filter(|event| event["distribution_id"] == id.as_str()).collect();
        let shares = distribution["recipients"].as_array().unwrap();
        assert_eq!(shares.len(), parts.len());
        let sum: u64 = shares.iter().map(|share| number(share, "amount_sats")).sum();
        assert_eq!(sum, number(&distribution, "total_sats"));
        for share in shares {
            let part = parts.iter().find(|part| part["user_address"] == user(share)).unwrap();
            assert_eq!(number(part, "amount_sats"), number(share, "amount_sats"));
            assert_eq!(part["payout_binding_id"], share["payout_binding_id"]);
            let binding = &bindings[text(share, "payout_binding_id")];
            assert_eq!((user(binding), text(binding, "destination")), (user(share), text(part, "destination")));
            let at = part["settled_at"].as_i64().unwrap();
            let total = paid.entry(user(share).to_owned()).or_default();
            *total += number(share, "amount_sats");
            let due: u64 = vested[user(share)].iter().filter(|(vest, _)| *vest <= at).map(|(_, sats)| sats).sum();
            assert_eq!(*total, due, "{} at {at}", user(share));
        }
    }
    assert_eq!(paid.values().sum::<u64>(), WORLD.manifest().paid_sats);
}

/// Worlds of several seeds and sizes: what must hold in every world is asked of each.
static WORLDS: LazyLock<Vec<World>> = LazyLock::new(|| vec![World::generate(1, 40), World::generate(2, 800)]);

#[test]
fn published_limits_are_kept() {
    let roamers: usize = WORLDS.iter().map(user_months_with_several_sites).sum();
    assert!(roamers > 0, "some users visit several sites in a month");
}

/// Checks the limits of FORMATS 11; counts the user months that the share limit applies to.
fn user_months_with_several_sites(world: &World) -> usize {
    let mut class_a: BTreeMap<(String, String), u32> = BTreeMap::new();
    let mut class_a_sats: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut sites: BTreeMap<(String, String), BTreeMap<String, u64>> = BTreeMap::new();
    for event in bodies_of(world, "oc-me-event") {
        let (day, month) = (text(&event, "occurred_at")[..10].to_owned(), text(&event, "occurred_at")[..7].to_owned());
        let (who, earned) = (user(&event).to_owned(), number(&event, "user_earned_sats"));
        if event["class"] == "A" {
            *class_a.entry((who.clone(), day)).or_default() += 1;
            *class_a.entry((who.clone(), month.clone())).or_default() += 1;
            *class_a_sats.entry((who.clone(), month.clone())).or_default() += earned;
        }
        let site = text(&event["site"], "domain").to_owned();
        *sites.entry((who, month)).or_default().entry(site).or_default() += earned;
    }
    for ((who, period), count) in class_a {
        assert!(count <= if period.len() == 10 { 5 } else { 30 }, "{who} {period}");
    }
    assert!(class_a_sats.values().all(|sats| *sats < 52_600));
    let several: Vec<_> = sites.values().filter(|sites| sites.len() > 1).collect();
    for sites in &several {
        let total: u64 = sites.values().sum();
        assert!(sites.values().all(|site| site * 100 <= total * 60), "{sites:?}");
    }
    several.len()
}

#[test]
fn manifests_and_activity_attestations_agree_with_the_events() {
    let events = bodies("oc-me-event");
    let drops = bodies("oc-me-drop");
    assert!(!drops.is_empty());
    for drop in drops {
        let members: Vec<&Value> =
            events.iter().filter(|event| event["drop"]["window_id"] == drop["window_id"]).collect();
        let sum = |name| members.iter().map(|event| number(event, name)).sum::<u64>();
        let users: BTreeSet<&str> = members.iter().map(|event| user(event)).collect();
        assert_eq!(number(&drop, "event_count"), u64::try_from(members.len()).unwrap());
        assert_eq!(number(&drop, "recipient_count"), u64::try_from(users.len()).unwrap());
        assert_eq!(number(&drop, "gross_fee_sats"), sum("gross_fee_sats"));
        assert_eq!(number(&drop, "user_share_sats"), sum("user_earned_sats"));
    }
    for line in &WORLD.activity {
        let bundle: Value = serde_json::from_str(line).unwrap();
        let attestation = &bundle["attestation"];
        let at = seconds(text(attestation, "computed_at"));
        let mine: Vec<&Value> = events
            .iter()
            .filter(|event| user(event) == text(attestation, "did_oc"))
            .filter(|event| seconds(text(event, "occurred_at")) <= at)
            .collect();
        assert_eq!(number(attestation, "event_count"), u64::try_from(mine.len()).unwrap());
        let sats: u64 = mine.iter().map(|event| number(event, "user_earned_sats")).sum();
        assert_eq!(number(attestation, "lifetime_sats"), sats);
        assert!(seconds(text(attestation, "expires_at")) > WORLD.as_of().0);
    }
}

#[test]
fn custody_chains_start_where_they_ended_and_name_their_predecessor() {
    let mut states: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut chained = 0;
    for envelope in WORLD.envelopes.iter().filter(|envelope| envelope.kind.name() == "oc-me-rebind") {
        let rebind = body(envelope);
        let (from, to) = (text(&rebind, "from"), text(&rebind, "to"));
        assert_ne!(from, to);
        let now = (to.to_owned(), envelope.id.to_string());
        if let Some((state, previous)) = states.insert(user(&rebind).to_owned(), now) {
            assert_eq!((from, text(&rebind, "prev")), (state.as_str(), previous.as_str()));
            chained += 1;
        } else {
            assert!(rebind.get("prev").is_none());
        }
    }
    assert!(chained > 0);
}

// ---------------------------------------------------------------- files and servers

#[test]
fn a_written_world_names_only_files_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    write(&WORLD, dir.path()).unwrap();
    let config: toml::Value =
        toml::from_str(&std::fs::read_to_string(dir.path().join("reledger.toml")).unwrap()).unwrap();
    let named = [
        &config["nostr"]["files"],
        &config["nostr"]["activity"],
        &config["ots"]["files"],
        &config["headers"]["files"],
        &config["gateway"]["settlements"],
        &config["gateway"]["invoices"],
        &config["keys"]["jwks"],
        &config["keys"]["auth_jwks"],
        &config["projects"]["configs"],
    ];
    for name in named.into_iter().flat_map(|list| list.as_array().unwrap()) {
        assert!(dir.path().join(name.as_str().unwrap()).exists(), "{name}");
    }
    let found = files(dir.path());
    assert_eq!(found["headers/0.headers"].len(), WORLD.headers.len() * 80);
    assert_eq!(std::str::from_utf8(&found["nostr/events.jsonl"]).unwrap().lines().count(), WORLD.events.len());
    let log: Vec<Value> = serde_json::from_slice(&found["gateway/payment_log.json"]).unwrap();
    assert!(log.windows(2).all(|pair| number(&pair[0], "id") > number(&pair[1], "id")), "newest first");
}

async fn serving() -> (Serving, oneshot::Sender<()>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        // A dropped sender is a stop too.
        let _ = stopped.await;
    };
    (serve(Arc::clone(&WORLD), shutdown).await.unwrap(), stop)
}

#[tokio::test]
async fn a_plain_client_pages_the_relay_to_the_last_event() {
    let (serving, stop) = serving().await;
    for relay in &serving.relays {
        let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{relay}")).await.unwrap();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut until = i64::MAX;
        let mut pages = 0;
        loop {
            let ask = json!(["REQ", "p", {"kinds": [30_078, 30_079, 30_087], "until": until, "limit": 5_000}]);
            socket.send(Message::text(ask.to_string())).await.unwrap();
            let mut page = Vec::new();
            loop {
                let frame: Value =
                    serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
                match frame[0].as_str().unwrap() {
                    "EVENT" => page.push(frame[2].clone()),
                    "EOSE" => break,
                    other => panic!("{other}"),
                }
            }
            let times: Vec<i64> = page.iter().map(|event| event["created_at"].as_i64().unwrap()).collect();
            assert!(page.len() <= 100 && times.is_sorted_by(|a, b| a >= b));
            let before = seen.len();
            seen.extend(page.iter().map(|event| text(event, "id").to_owned()));
            pages += 1;
            if seen.len() == before {
                break;
            }
            until = *times.last().unwrap();
        }
        assert_eq!(seen.len(), WORLD.events.len());
        assert!(pages > 3);
        let d = WORLD.events[0].tag_values("d").next().unwrap();
        for (ask, reply) in [
            (json!(["REQ", "d", {"#d": [d]}]), "EVENT"),
            (json!(["REQ", "none", {"kinds": "x"}]), "CLOSED"),
            (json!(["COUNT", "c", {}]), "CLOSED"),
            (json!(["EVENT", {"id": "00"}]), "OK"),
            (json!(["NEG-OPEN", "n", {}, ""]), "NOTICE"),
        ] {
            socket.send(Message::text(ask.to_string())).await.unwrap();
            let frame: Value = serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
            assert_eq!(frame[0], reply, "{ask}");
            if reply == "EVENT" {
                socket.next().await.unwrap().unwrap();
            }
        }
    }
    stop.send(()).unwrap();
    serving.finished().await.unwrap();
}

async fn fetch(url: String) -> (u16, Vec<u8>) {
    let reply = reqwest::get(url).await.unwrap();
    (reply.status().as_u16(), reply.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn the_http_side_answers_as_its_originals_do() {
    let (serving, stop) = serving().await;
    let base = format!("http://{}", serving.http);
    for (commitment, expected) in &WORLD.calendar {
        let (status, bytes) = fetch(format!("{base}/timestamp/{commitment}")).await;
        match expected {
            CalendarReply::Confirmed(reply) => assert_eq!((status, &bytes), (200, reply)),
            CalendarReply::Pending => {
                assert_eq!((status, bytes.as_slice()), (404, b"Pending confirmation in Bitcoin blockchain".as_slice()));
            }
        }
    }
    assert_eq!(fetch(format!("{base}/timestamp/00")).await, (404, b"Not found".to_vec()));
    assert_eq!(fetch(format!("{base}/timestamp/xyz")).await.0, 400);

    let mut headers = Vec::new();
    let mut from = 0;
    while from < WORLD.headers.len() {
        let (_, hash) = fetch(format!("{base}/rest/blockhashbyheight/{from}.hex")).await;
        let hash = String::from_utf8(hash).unwrap();
        headers.extend(fetch(format!("{base}/rest/headers/{}.bin?count=2000", hash.trim())).await.1);
        from += 2_000;
    }
    assert!(headers == WORLD.headers.concat());
    let (_, old) = fetch(format!("{base}/rest/headers/3/{}.hex", WORLD.genesis_hash())).await;
    assert_eq!(hex(String::from_utf8(old).unwrap().trim()), WORLD.headers[..3].concat());
    assert_eq!(fetch(format!("{base}/rest/headers/{}.bin?count=2001", WORLD.genesis_hash())).await.0, 400);
    let info: Value = serde_json::from_slice(&fetch(format!("{base}/rest/chaininfo.json")).await.1).unwrap();
    assert_eq!(usize::try_from(number(&info, "blocks")).unwrap() + 1, WORLD.headers.len());

    for (path, lines) in [("settlements.jsonl", &WORLD.settlements), ("balances.jsonl", &WORLD.balances)] {
        let (status, bytes) = fetch(format!("{base}/{path}")).await;
        let got: Vec<String> = String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect();
        assert_eq!((status, &got), (200, lines));
    }
    for path in [".well-known/oc-envelope-jwks.json", ".well-known/jwks.json", "invoices.json"] {
        let (status, bytes) = fetch(format!("{base}/{path}")).await;
        assert!(status == 200 && serde_json::from_slice::<Value>(&bytes).is_ok(), "{path}");
    }
    let config = fetch(format!("{base}/projects/0/.well-known/oc-config.json")).await.1;
    assert_eq!(config, WORLD.configs[0].json.as_bytes());
    assert_eq!(fetch(format!("{base}/projects/99/.well-known/oc-config.json")).await.0, 404);
    let document = reqwest::Client::new()
        .get(format!("http://{}/", serving.relays[0]))
        .header("Accept", "application/nostr+json")
        .send()
        .await
        .unwrap();
    assert_eq!(document.json::<Value>().await.unwrap()["limitation"]["max_limit"], 100);
    stop.send(()).unwrap();
    serving.finished().await.unwrap();
}

#[tokio::test]
async fn the_gateway_log_needs_paging_and_the_password() {
    let (serving, stop) = serving().await;
    let dir = tempfile::tempdir().unwrap();
    let config: toml::Value = toml::from_str(&serve_toml(&serving, &WORLD, dir.path()).unwrap()).unwrap();
    let source = &config["gateway"]["payment_log"][0];
    let password = std::fs::read_to_string(dir.path().join(source["password_file"].as_str().unwrap())).unwrap();
    let url = format!("{}/v1/payment_log", source["url"].as_str().unwrap());
    let kinds = ["outgoing-payment-started", "outgoing-payment-succeeded", "tx-accepted", "tx-created"];
    let more = ["incoming-payment-started", "incoming-payment-succeeded", "outgoing-payment-failed"];
    let last = ["complete-lightning-payment-succeeded", "payment-send-update"];
    let wanted = [kinds.as_slice(), &more, &last].concat();
    let ask = |end: Option<u64>, size: u64| {
        json!({
            "end_position": end,
            "pagination_size": size,
            "federation_id": source["federation_id"].as_str().unwrap(),
            "event_kinds": wanted,
        })
    };
    let client = reqwest::Client::new();
    let post = |end: Option<u64>, size: u64| client.post(&url).json(&ask(end, size));
    assert_eq!(post(None, 200).send().await.unwrap().status().as_u16(), 401);
    let whole = post(None, 1_000_000).bearer_auth(password.trim()).send().await.unwrap();
    let whole: Vec<Value> = whole.json().await.unwrap();
    assert!(whole.len() < WORLD.payment_log.len(), "one unlimited request never reads the oldest block");
    // TREASURY 1.5: go on from the smallest id until nothing is new, then once more from inside the oldest block.
    let mut seen = BTreeSet::new();
    for first in [None, Some(9_999)] {
        let mut end = first;
        loop {
            let reply = post(end, 200).bearer_auth(password.trim()).send().await.unwrap();
            let page: Vec<Value> = reply.json().await.unwrap();
            let known = seen.len();
            seen.extend(page.iter().map(|entry| number(entry, "id")));
            end = page.iter().map(|entry| number(entry, "id")).min();
            if seen.len() == known {
                break;
            }
        }
    }
    assert_eq!(seen.len(), WORLD.payment_log.len());
    assert_eq!(config["ots"]["resolve"].as_table().unwrap().len(), CALENDARS.len());
    stop.send(()).unwrap();
    serving.finished().await.unwrap();
}
