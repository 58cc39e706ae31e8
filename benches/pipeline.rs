//! What each step of the pipeline costs an event, beside the bare floor of its signatures, measured in the same process: the steps
//! alone, a drill of the events alone, and one of the whole world, from files to the verdict.
//!
//! The evidence is the Nostr events of an honest world. Processor time is what counts: load that others cause does not show in it.
//! Figures also go to `target/bench/pipeline.json`.
//! `make bench`; `RELEDGER_BENCH_ENVELOPES=n` sets the size of the world, `RELEDGER_BENCH_ROUNDS=n` the rounds, `RELEDGER_BENCH_ONLY=text`
//! leaves out rows without that in their name.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    reason = "a benchmark measures time and divides, and fails loudly"
)]

#[path = "common/figures.rs"]
mod figures;
#[path = "common/judged.rs"]
mod judged;
#[path = "common/ledgers.rs"]
mod ledgers;
#[path = "common/processor.rs"]
mod processor;
#[expect(dead_code, reason = "others take the whole verified world")]
#[path = "common/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Instant;

use bitcoin::secp256k1::{Message, Secp256k1, XOnlyPublicKey, schnorr};
use ed25519_dalek::{Signature, VerifyingKey};
use figures::Figures;
use judged::{Batch, judged};
use rayon::prelude::*;
use reledger::domain::{Addressed, AsOf, EvidenceId, Media, RawEvidence, TrustPolicy};
use reledger::evidence::{CarrierBody, Claim, Decoded, EnvelopeCarrier, decode};
use reledger::ledger::{Ledgers, rebuild};
use reledger::reconcile::{Declared, Input, Objectives, Sightings, reconcile};
use reledger::store::{Engine, EvidenceStore, LogStore};
use reledger::verify::{Checks, Genuine, VerifiedSet};

/// The command's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let number =
        |name: &str, default: u32| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let rounds = number("RELEDGER_BENCH_ROUNDS", 5);
    let folder = world::world(number("RELEDGER_BENCH_ENVELOPES", 20_000));
    let plan = world::plan(&folder);
    let (judged_by, events) = (world::judged_by(&folder), world::records(Media::NostrEvent, &folder.join("nostr")));
    let bytes = events.iter().map(|(_, raw)| raw.bytes.len()).sum::<usize>() / events.len();
    let cores = rayon::current_num_threads();
    println!("{} events of {bytes} bytes, {cores} cores, medians of {rounds}", events.len());
    println!(
        "{:<56}{:>10}{:>10}{:>10}{:>10}",
        "us an event by processor and clock", "processor", "clock", "of floor", "clock"
    );

    let checks = Signatures::of(&events, &judged_by);
    println!("{} BIP-340 and {} Ed25519 signatures", checks.schnorr.len(), checks.ed25519.len());
    let only = std::env::var("RELEDGER_BENCH_ONLY").unwrap_or_default();
    let mut table = Table { rounds, only, events: events.len(), floor: &checks, figures: Figures::new("pipeline") };
    for (name, value) in [("events", events.len()), ("bytes_an_event", bytes), ("rounds", rounds as usize)] {
        table.figures.about(name, value);
    }
    table.row("floor: each signature, keys parsed before", || checks.hold(1));
    table.row("decode", || events.par_iter().map(|(_, raw)| decode(raw)).filter(is_claim).count());
    table.row("content address", || events.par_iter().filter(|(id, raw)| raw.id() == *id).count());
    let ways = [
        ("verify, by the libraries alone", Checks::Library),
        ("verify, one by one", Checks::Single),
        ("verify, in batches", Checks::Batch),
    ];
    for (name, checks) in ways {
        let genuine = Genuine::checking(checks);
        table.row(name, || judged(&plan.policy, &genuine, &judged_by, &events));
    }
    for engine in ["redb:", "sled:", "memory:"] {
        table.row(&format!("ingest fresh, {engine}"), || Ingested::fresh(&events, engine));
        let mut held = Ingested::fresh(&events, engine);
        table.row(&format!("ingest duplicates, {engine}"), || held.put(&events));
    }
    let set = judged(&plan.policy, &Genuine::checking(Checks::Batch), &judged_by, &events);
    let as_of = world::as_of(&folder, &set);
    table.row("project", || rebuild(&set, &plan.policy, as_of));
    let rebuilt = rebuild(&set, &plan.policy, as_of);
    table.row("reconcile", || reconcile(&input(&set, &rebuilt, &plan.policy, as_of)));
    for (how, checks) in [("single", Checks::Single), ("batch", Checks::Batch)] {
        let file = folder.join("nostr").join("events.jsonl");
        let name = format!("from JSONL to ledgers, --verify {how}");
        table.row(&name, || ledgers::of_events(&file, &plan, &judged_by, as_of, checks));
    }
    let (place, alone) = (tempfile::tempdir().unwrap(), events_alone(&folder));
    let command = released(place.path());
    let whole = folder.join("reledger.toml");
    for config in [("drill of events alone", &*alone), ("drill", &*whole)] {
        for checks in ["single", "batch"] {
            end_to_end(&mut table, &command, config, checks);
        }
    }
    table.figures.write();
}

/// The command over files, to the verdict; once more over what the run holds by then; and once more with what its user remembers of it.
fn end_to_end(table: &mut Table<'_>, command: &Path, (name, config): (&str, &Path), checks: &str) {
    let place = tempfile::tempdir().unwrap();
    let (run, cache) = (place.path().join("run"), place.path().join("cache"));
    let drill = |memory: &[&str]| {
        let mut command = Command::new(command);
        command.args(["drill", "--yes", "--quiet", "--progress", "none", "--as-of", "2026-10-01T00:00:00Z"]);
        command.args(["--verify", checks]).args(memory).arg("-c").arg(config).arg("--run").arg(&run);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        // Events alone lack the proofs that lie beside them, which is a finding.
        assert!(status.code().is_some_and(|code| code <= 1), "an honest world: {status}");
    };
    let remembering = ["--cache-dir", cache.to_str().unwrap()];
    table.row_after(
        &format!("{name}, --verify {checks}"),
        || drop(std::fs::remove_dir_all(&run)),
        || drill(&remembering),
    );
    table.row(&format!("{name} again, nothing changed, --verify {checks}"), || drill(&remembering));
    table.row(&format!("{name} again, --no-cache, --verify {checks}"), || drill(&["--no-cache"]));
}

/// The world's events, the keys and prices that they are judged by, and headers: no files of proofs, no money but theirs.
fn events_alone(folder: &Path) -> PathBuf {
    let whole = std::fs::read_to_string(folder.join("reledger.toml")).unwrap();
    let mut kept = String::new();
    for section in whole.split("\n\n") {
        let is_kept = ["profile", "#", "[nostr]", "[headers]", "[keys]", "[projects]"];
        if is_kept.iter().any(|start| section.starts_with(start)) {
            let lines = section.lines().filter(|line| !line.starts_with("activity"));
            kept += &lines.collect::<Vec<_>>().join("\n");
            kept += "\n\n";
        }
    }
    let config = folder.join("events.toml");
    std::fs::write(&config, kept).unwrap();
    config
}

/// The command as it is released, without symbols: a run digests the program that it is made by.
fn released(place: &Path) -> PathBuf {
    let command = place.join("reledger");
    std::fs::copy(env!("CARGO_BIN_EXE_reledger"), &command).unwrap();
    match Command::new("strip").arg(&command).status() {
        Ok(status) if status.success() => {}
        _ => println!("SKIPPED: `strip` is not here, so that each drill digests symbols too"),
    }
    command
}

fn input<'a>(set: &'a VerifiedSet, ledgers: &'a Ledgers, policy: &'a TrustPolicy, as_of: AsOf) -> Input<'a> {
    static NOTHING: LazyLock<(Sightings, Declared, BTreeMap<EvidenceId, String>)> = LazyLock::new(Default::default);
    let (sightings, declared, d_tags) = &*NOTHING;
    Input {
        set,
        ledgers,
        policy,
        as_of,
        receipts: &[],
        sightings,
        declared,
        d_tags,
        time_boxed: false,
        objectives: Objectives { rpo_seconds: None, rto_missed: false, stages_missed: &[] },
    }
}

fn is_claim(decoded: &Decoded) -> bool {
    match decoded {
        Decoded::Claim(..) => true,
        Decoded::Undecodable(_) => false,
    }
}

struct Table<'a> {
    rounds: u32,
    only: String,
    events: usize,
    floor: &'a Signatures,
    figures: Figures,
}

/// Microseconds an event.
#[derive(Clone, Copy)]
struct Spent {
    processor: f64,
    clock: f64,
}

impl Table<'_> {
    /// The medians, in microseconds an event, and of what the floor took right before and behind each round: others come and go on a
    /// machine while a table is made.
    fn row<T>(&mut self, name: &str, work: impl FnMut() -> T) {
        self.row_after(name, || (), work);
    }

    /// As [`Self::row`], with something before each round that is not measured.
    fn row_after<T>(&mut self, name: &str, mut before: impl FnMut(), mut work: impl FnMut() -> T) {
        if !name.contains(&self.only) {
            return;
        }
        let mut rounds = Vec::new();
        let mut floor = self.floor();
        for _ in 0..self.rounds {
            before();
            let spent = spent(self.events, &mut work);
            let next = self.floor();
            let beside = Spent {
                processor: f64::midpoint(floor.processor, next.processor),
                clock: f64::midpoint(floor.clock, next.clock),
            };
            floor = next;
            rounds.push((spent, beside));
        }
        let of = |figure: &dyn Fn(&(Spent, Spent)) -> f64| median(rounds.iter().map(figure).collect());
        let (processor, clock) = (of(&|(spent, _)| spent.processor), of(&|(spent, _)| spent.clock));
        let of_floor = of(&|(spent, floor)| spent.processor / floor.processor);
        let of_floor_clock = of(&|(spent, floor)| spent.clock / floor.clock);
        println!("{name:<56}{processor:>10.2}{clock:>10.2}{of_floor:>10.3}{of_floor_clock:>10.3}");
        let figures = [
            ("processor_us", processor),
            ("clock_us", clock),
            ("of_floor", of_floor),
            ("of_floor_clock", of_floor_clock),
        ];
        self.figures.row(name, &figures);
    }

    /// The floor by a fourth of the signatures.
    fn floor(&self) -> Spent {
        let some = spent(self.events, &mut || self.floor.hold(4));
        Spent { processor: some.processor * 4.0, clock: some.clock * 4.0 }
    }
}

fn spent<T>(events: usize, work: &mut impl FnMut() -> T) -> Spent {
    let (before, began) = (processor::seconds(), Instant::now());
    let made = black_box(work());
    let an_event = |seconds: f64| seconds * 1e6 / events as f64;
    let spent =
        Spent { clock: an_event(began.elapsed().as_secs_f64()), processor: an_event(processor::seconds() - before) };
    // What was made is let go when the clock has stopped.
    drop(made);
    spent
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

    /// Each of them, or each second, third, fourth.
    fn hold(&self, each: usize) {
        let context = Secp256k1::verification_only();
        let (schnorr, ed25519) = (self.schnorr.par_iter().step_by(each), self.ed25519.par_iter().step_by(each));
        schnorr.for_each(|(key, sig, id)| context.verify_schnorr(sig, id, key).expect("it holds"));
        ed25519.for_each(|(key, sig, bytes)| key.verify_strict(bytes, sig).expect("it holds"));
    }
}

fn signed(envelope: &EnvelopeCarrier) -> Vec<u8> {
    envelope.named().expect("an honest envelope").bytes.to_vec()
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

/// A store in a folder of its own.
struct Ingested {
    store: LogStore,
    _folder: tempfile::TempDir,
}

impl Ingested {
    fn fresh(events: &Batch, engine: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::from_url(engine).unwrap();
        let store = LogStore::open(&folder.path().join("evidence"), &folder.path().join("state"), &engine).unwrap();
        let mut ingested = Self { store, _folder: folder };
        ingested.put(events);
        ingested
    }

    fn put(&mut self, events: &Batch) {
        for batch in events.chunks(8_192) {
            let batch: Vec<Addressed> = batch.iter().map(|(_, raw)| raw.clone().into()).collect();
            self.store.put_addressed(&batch).unwrap();
        }
    }
}
