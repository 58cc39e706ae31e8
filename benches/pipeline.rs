//! What each step of the pipeline costs an event, beside the bare floor of its signatures, measured in the same process.
//!
//! The evidence is the Nostr events of a verified world. Processor time is what counts: load that others cause does not show in it.
//! `make bench-pipeline`; `RELEDGER_BENCH_ENVELOPES=n` sets the size of the world, `RELEDGER_BENCH_ROUNDS=n` the rounds.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a benchmark measures time and divides"
)]

#[path = "common/processor.rs"]
mod processor;
#[expect(dead_code, reason = "others take the whole verified world")]
#[path = "common/world.rs"]
mod world;

use std::hint::black_box;
use std::time::Instant;

use bitcoin::secp256k1::{Message, Secp256k1, XOnlyPublicKey, schnorr};
use ed25519_dalek::{Signature, VerifyingKey};
use rayon::prelude::*;
use reledger::domain::{EvidenceId, Media, RawEvidence, TrustPolicy, sha256};
use reledger::evidence::{CarrierBody, Claim, Decoded, EnvelopeCarrier, decode};
use reledger::ledger::rebuild;
use reledger::store::{Engine, EvidenceStore, LogStore};
use reledger::verify::{Checks, Genuine, VerifiedSet, Verifier};

type Batch = Vec<(EvidenceId, RawEvidence)>;

fn main() {
    let number =
        |name: &str, default: u32| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let rounds = number("RELEDGER_BENCH_ROUNDS", 5);
    let folder = world::world(number("RELEDGER_BENCH_ENVELOPES", 20_000));
    let plan = world::plan(&folder);
    let (judged_by, events) = (world::judged_by(&folder), world::records(Media::NostrEvent, &folder.join("nostr")));
    let bytes: usize = events.iter().map(|(_, raw)| raw.bytes.len()).sum();
    println!(
        "{} events of {} bytes, {} cores, medians of {rounds}",
        events.len(),
        bytes / events.len(),
        rayon::current_num_threads()
    );
    println!("{:<44}{:>14}{:>12}{:>12}", "", "processor, us", "clock, us", "of floor");

    let checks = Signatures::of(&events, &judged_by);
    println!("{} BIP-340 and {} Ed25519 signatures", checks.schnorr.len(), checks.ed25519.len());
    let table = Table { rounds, events: events.len(), floor: None };
    let floor = table.row("floor: each signature, keys parsed before", || checks.hold());
    let table = Table { floor: Some(floor), ..table };
    table.row("decode", || events.par_iter().map(|(_, raw)| decode(raw)).filter(is_claim).count());
    table.row("content address", || events.par_iter().filter(|(id, raw)| raw.id() == *id).count());
    for (name, checks) in [("verify, one by one", Checks::Single), ("verify, in batches", Checks::Batch)] {
        table.row(name, || verify(&plan.policy, &judged_by, &events, checks));
    }
    for engine in ["redb:", "sled:", "memory:"] {
        table.row(&format!("log and index, {engine}"), || put(&events, engine));
    }
    let set = verify(&plan.policy, &judged_by, &events, Checks::Batch);
    let as_of = world::as_of(&folder, &set);
    table.row("project", || rebuild(&set, &plan.policy, as_of));
}

fn is_claim(decoded: &Decoded) -> bool {
    match decoded {
        Decoded::Claim(..) => true,
        Decoded::Undecodable(_) => false,
    }
}

struct Table {
    rounds: u32,
    events: usize,
    floor: Option<(f64, f64)>,
}

impl Table {
    /// Medians by the processor and by the clock, in microseconds an event.
    fn row<T>(&self, name: &str, mut work: impl FnMut() -> T) -> (f64, f64) {
        let (mut by_processor, mut by_clock) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let (spent, began) = (processor::seconds(), Instant::now());
            black_box(work());
            by_clock.push(began.elapsed().as_secs_f64() * 1e6 / self.events as f64);
            by_processor.push((processor::seconds() - spent) * 1e6 / self.events as f64);
        }
        let (processor, clock) = (median(by_processor), median(by_clock));
        let (floor, _) = self.floor.unwrap_or((processor, clock));
        println!("{name:<44}{processor:>14.2}{clock:>12.2}{:>12.3}", processor / floor);
        (processor, clock)
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The signatures that the events bring: each carrier's, and each envelope's.
struct Signatures {
    schnorr: Vec<(XOnlyPublicKey, schnorr::Signature, Message)>,
    ed25519: Vec<(VerifyingKey, Signature, Vec<u8>)>,
}

impl Signatures {
    fn of(events: &Batch, judged_by: &Batch) -> Self {
        let keys: Vec<_> = judged_by.iter().filter_map(|(_, raw)| key_set(raw)).flat_map(|set| set.keys).collect();
        let (mut schnorr, mut ed25519) = (Vec::new(), Vec::new());
        for (_, raw) in events {
            let Decoded::Claim(claim, _) = decode(raw) else { continue };
            let Claim::Nostr(carrier) = *claim else { continue };
            let key = XOnlyPublicKey::from_slice(carrier.event.pubkey.as_bytes()).expect("a key");
            let signature = schnorr::Signature::from_slice(&carrier.event.sig).expect("a signature");
            schnorr.push((key, signature, Message::from_digest(*carrier.event.id.as_bytes())));
            let CarrierBody::Envelope(envelope) = &carrier.body else { continue };
            let key = keys.iter().find(|(kid, _)| Some(kid) == envelope.kid.as_ref()).expect("the key is published");
            let key = VerifyingKey::from_bytes(key.1.as_bytes()).expect("a key");
            ed25519.push((key, Signature::from_bytes(&envelope.sig.expect("signed")), signed(envelope)));
        }
        Self { schnorr, ed25519 }
    }

    fn hold(&self) {
        let context = Secp256k1::verification_only();
        self.schnorr.par_iter().for_each(|(key, sig, id)| context.verify_schnorr(sig, id, key).expect("it holds"));
        self.ed25519.par_iter().for_each(|(key, sig, bytes)| key.verify_strict(bytes, sig).expect("it holds"));
    }
}

fn signed(envelope: &EnvelopeCarrier) -> Vec<u8> {
    let found = envelope.candidates.iter().find(|(_, bytes)| sha256(bytes) == envelope.declared_id.0);
    found.expect("an honest envelope").1.clone()
}

fn key_set(raw: &RawEvidence) -> Option<reledger::evidence::KeySet> {
    match decode(raw) {
        Decoded::Claim(claim, _) => match *claim {
            Claim::Jwks(set) => Some(set),
            _ => None,
        },
        Decoded::Undecodable(_) => None,
    }
}

fn verify(policy: &TrustPolicy, judged_by: &Batch, events: &Batch, checks: Checks) -> VerifiedSet {
    let genuine = Genuine::checking(checks);
    let mut verifier = Verifier::knowing(policy, &genuine);
    verifier.first_pass(judged_by);
    verifier.begin_second_pass();
    for batch in events.chunks(checks.batch_items()) {
        verifier.second_pass(batch);
    }
    verifier.finish()
}

fn put(events: &Batch, engine: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = Engine::from_url(engine).expect("a known engine");
    let (evidence, state) = (folder.path().join("evidence"), folder.path().join("state"));
    let mut store = LogStore::open(&evidence, &state, &engine).expect("a store");
    let mut batch = Vec::with_capacity(8_192);
    for (_, raw) in events {
        batch.push(raw.clone());
        if batch.len() == 8_192 {
            store.put(&batch).expect("it is put");
            batch.clear();
        }
    }
    store.put(&batch).expect("it is put");
}
