//! Speed of verify, ingest and project beside the bare cryptographic floor, measured in the same process.
//!
//! Only the ratios mean anything: machines are shared and noisy. Each figure is the best of several rounds.
//! `make bench`; `RELEDGER_BENCH_EVENTS=n` sets the size of the world.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a benchmark measures time and divides"
)]

use std::hint::black_box;
use std::time::Instant;

use bitcoin::secp256k1::{Message, Secp256k1, XOnlyPublicKey, schnorr};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use rayon::prelude::*;
use reledger::domain::{AsOf, EvidenceId, Media, RawEvidence, TrustPolicy};
use reledger::evidence::{Claim, Decoded, decode};
use reledger::ledger::rebuild;
use reledger::sim::World;
use reledger::store::{Engine, EvidenceStore, LogStore};
use reledger::verify::Verifier;

const ROUNDS: usize = 3;
const BATCH: usize = 2_048;

fn main() {
    let events = std::env::var("RELEDGER_BENCH_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(3_000);
    let world = World::generate(11, events);
    let folder = tempfile::tempdir().expect("a temporary folder");
    reledger::sim::write(&world, folder.path()).expect("the world can be written");
    let evidence = nostr_events(folder.path());
    let keys = key_sets(folder.path());
    println!("{} Nostr events of the honest world, {} cores", evidence.len(), rayon::current_num_threads());
    println!("{:<34}{:>14}{:>12}", "", "events/s", "of floor");

    let floor_one = floor(&evidence, false);
    row("floor, one core", floor_one, floor_one);
    let floor_all = floor(&evidence, true);
    row("floor, all cores", floor_all, floor_all);
    row("verify, all cores", best(evidence.len(), || verify(&keys, &evidence)), floor_all);
    for engine in ["redb:", "sled:", "memory:"] {
        let (fresh, duplicate) = ingest(&evidence, engine);
        row(&format!("ingest fresh, {engine}"), fresh, floor_all);
        row(&format!("ingest duplicate, {engine}"), duplicate, floor_all);
    }
    let set = verify(&keys, &evidence);
    let policy = TrustPolicy::orangecheck_2026_10();
    let as_of = AsOf { time: world.as_of(), tip: set.tip };
    row("project (fold into ledgers)", best(evidence.len(), || rebuild(&set, &policy, as_of)), floor_all);
}

fn row(name: &str, rate: f64, floor: f64) {
    println!("{name:<34}{rate:>14.0}{:>11.2}x", rate / floor);
}

/// Items per second of the fastest round.
fn best<T>(items: usize, mut work: impl FnMut() -> T) -> f64 {
    (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            black_box(work());
            items as f64 / began.elapsed().as_secs_f64()
        })
        .fold(0.0, f64::max)
}

fn nostr_events(folder: &std::path::Path) -> Vec<(EvidenceId, RawEvidence)> {
    let text = std::fs::read_to_string(folder.join("nostr/events.jsonl")).expect("the world has events");
    text.lines()
        .map(|line| RawEvidence { media: Media::NostrEvent, about: String::new(), bytes: line.as_bytes().to_vec() })
        .map(|evidence| (evidence.id(), evidence))
        .collect()
}

fn key_sets(folder: &std::path::Path) -> Vec<(EvidenceId, RawEvidence)> {
    let mut sets = Vec::new();
    for entry in std::fs::read_dir(folder.join("keys")).expect("the world has keys") {
        let path = entry.expect("an entry").path();
        let media = if path.to_string_lossy().contains("auth") { Media::AuthJwks } else { Media::Jwks };
        let evidence = RawEvidence { media, about: String::new(), bytes: std::fs::read(path).expect("a key set") };
        sets.push((evidence.id(), evidence));
    }
    sets
}

fn verify(keys: &[(EvidenceId, RawEvidence)], evidence: &[(EvidenceId, RawEvidence)]) -> reledger::verify::VerifiedSet {
    let policy = TrustPolicy::orangecheck_2026_10();
    let mut verifier = Verifier::new(&policy);
    verifier.first_pass(keys);
    verifier.begin_second_pass();
    for batch in evidence.chunks(BATCH) {
        verifier.second_pass(batch);
    }
    verifier.finish()
}

fn ingest(evidence: &[(EvidenceId, RawEvidence)], engine: &str) -> (f64, f64) {
    let records: Vec<RawEvidence> = evidence.iter().map(|(_, evidence)| evidence.clone()).collect();
    let (mut fresh, mut duplicate) = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let engine = Engine::from_url(engine).expect("a known engine");
        let mut store =
            LogStore::open(&folder.path().join("evidence"), &folder.path().join("state"), &engine).expect("a store");
        let mut put = || {
            let began = Instant::now();
            for batch in records.chunks(1_000) {
                store.put(batch).expect("a working disk");
            }
            records.len() as f64 / began.elapsed().as_secs_f64()
        };
        fresh = fresh.max(put());
        duplicate = duplicate.max(put());
    }
    (fresh, duplicate)
}

/// What no verifier of these events can avoid: one BIP-340 and one Ed25519 verification each, keys parsed, nothing else.
fn floor(evidence: &[(EvidenceId, RawEvidence)], parallel: bool) -> f64 {
    let secp = Secp256k1::verification_only();
    let signing = SigningKey::from_bytes(&[7; 32]);
    let message = vec![0x2a_u8; 600];
    let ed: (VerifyingKey, Signature) = (signing.verifying_key(), signing.sign(&message));
    let items: Vec<(XOnlyPublicKey, schnorr::Signature, Message)> = evidence
        .iter()
        .filter_map(|(_, evidence)| match decode(evidence) {
            Decoded::Claim(claim, _) => match *claim {
                Claim::Nostr(carrier) => Some((
                    XOnlyPublicKey::from_slice(carrier.event.pubkey.as_bytes()).ok()?,
                    schnorr::Signature::from_slice(&carrier.event.sig).ok()?,
                    Message::from_digest(*carrier.event.id.as_bytes()),
                )),
                _ => None,
            },
            Decoded::Undecodable(_) => None,
        })
        .collect();
    assert_eq!(items.len(), evidence.len(), "every event of the honest world decodes");
    let one = |(key, sig, id): &(XOnlyPublicKey, schnorr::Signature, Message)| {
        assert!(secp.verify_schnorr(sig, id, key).is_ok());
        assert!(ed.0.verify_strict(&message, &ed.1).is_ok());
    };
    best(items.len(), || {
        if parallel {
            items.par_iter().for_each(one);
        } else {
            items.iter().for_each(one);
        }
    })
}
