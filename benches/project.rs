//! Seconds for the envelope and rebind projections on one thread, at three sizes, and how they grow.
//!
//! Worlds are written as files once and kept under `target/tmp/worlds`; everything in them is verified here before the
//! clock starts. Growth is the exponent of the size: 1 is linear. `make bench-project`; `RELEDGER_BENCH_ENVELOPES=n` sets the
//! largest size, of which a tenth and a hundredth come first.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a benchmark measures time and divides"
)]

#[path = "common/processor.rs"]
mod processor;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use reledger::domain::{AsOf, EvidenceId, Media, RawEvidence, TrustPolicy};
use reledger::ledger::project;
use reledger::sim::{self, Noise, Place, Replace, Watch};
use reledger::substrate::{Captured, EvidenceSource, FilesSource, Sink, Stopped};
use reledger::verify::{VerifiedSet, Verifier};

const ROUNDS: usize = 5;
const BATCH: usize = 2_048;
/// What the two ledgers are made of, and what their folds look things up in.
const JUDGED_BY: [(Media, &str); 3] =
    [(Media::Jwks, "keys/envelope-jwks*"), (Media::AuthJwks, "keys/auth-jwks.json"), (Media::Headers, "headers")];
const JUDGED: [(Media, &str); 6] = [
    (Media::NostrEvent, "nostr"),
    (Media::Activity, "activity"),
    (Media::OtsProof, "ots"),
    (Media::ProjectConfig, "configs"),
    (Media::Settlement, "gateway/settlements.jsonl"),
    (Media::Custody, "custody"),
];

fn main() {
    let largest = std::env::var("RELEDGER_BENCH_ENVELOPES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    println!(
        "{:>12}{:>12}{:>12}{:>12}{:>14}{:>10}",
        "envelopes", "rebinds", "clock, s", "processor", "envelopes/s", "growth"
    );
    let mut before: Option<(f64, f64)> = None;
    for size in [largest / 100, largest / 10, largest] {
        let (set, as_of, policy) = verified(size);
        let mut clock = f64::INFINITY;
        let spent = processor::seconds();
        let (mut envelopes, mut rebinds) = (0, 0);
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let (envelope, rebind, _) = black_box(project(&set, &policy, as_of));
            clock = clock.min(began.elapsed().as_secs_f64());
            (envelopes, rebinds) = (envelope.entries.len(), rebind.entries.len());
        }
        // Processor time comes in hundredths, so the rounds share it; they also free what the round before them made.
        let seconds = (processor::seconds() - spent) / ROUNDS as f64;
        let all = (envelopes + rebinds) as f64;
        let growth = before.map(|(items, time)| (seconds / time).ln() / (all / items).ln());
        let growth = growth.map_or_else(|| "-".to_owned(), |growth| format!("{growth:.2}"));
        println!("{envelopes:>12}{rebinds:>12}{clock:>12.3}{seconds:>12.3}{:>14.0}{growth:>10}", all / seconds);
        before = Some((all, seconds));
    }
}

/// The world of that many billable events, verified.
fn verified(events: u32) -> (VerifiedSet, AsOf, TrustPolicy) {
    let folder = world(events);
    let config = std::fs::read_to_string(folder.join("reledger.toml")).expect("the world has a configuration");
    let policy = policy(&config);
    let mut verifier = Verifier::new(&policy);
    for (media, place) in JUDGED_BY {
        feed(media, &folder.join(place), &mut |batch| verifier.first_pass(batch));
    }
    verifier.begin_second_pass();
    for (media, place) in JUDGED {
        feed(media, &folder.join(place), &mut |batch| verifier.second_pass(batch));
    }
    let set = verifier.finish();
    let as_of = config.split("as of ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an as-of");
    let as_of = AsOf { time: as_of.trim_end_matches('.').parse().expect("a time"), tip: set.tip };
    (set, as_of, policy)
}

/// The written world; a folder with its configuration is whole.
fn world(events: u32) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("worlds").join(events.to_string());
    if !folder.join("reledger.toml").exists() {
        let above = folder.parent().expect("a folder above");
        std::fs::create_dir_all(above).expect("a folder for worlds");
        eprintln!("writing {events} events into {}", folder.display());
        let place = Place::take(&folder, Replace::World).expect("the folder is free");
        sim::write_seeded(11, events, &Noise::default(), place, &Unwatched).expect("the world can be written");
    }
    folder
}

/// The policy that the world's configuration states, as far as verification asks for it.
fn policy(config: &str) -> TrustPolicy {
    let text = |name: &str| {
        let rest = config.split(&format!("{name} = \"")).nth(1).expect("a member of the configuration");
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let mut policy = TrustPolicy::orangecheck_2026_10();
    policy.headers.pow_limit = u32::from_str_radix(&text("pow_limit"), 16).expect("hex");
    policy.headers.checkpoint.hash = text("hash").parse().expect("a block hash");
    policy
}

/// Reads every record of a file or folder and hands them on in batches.
fn feed(media: Media, place: &Path, take: &mut Take<'_>) {
    let paths = files(place);
    if paths.is_empty() {
        return;
    }
    let mut batches = Batches { batch: Vec::with_capacity(BATCH), take };
    FilesSource::new(media, paths).fetch(&mut batches).expect("the world's files can be read");
    (batches.take)(&batches.batch);
}

/// A file, all files of a folder, or all files whose names begin as stated before a star.
fn files(place: &Path) -> Vec<PathBuf> {
    let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match (name.strip_suffix('*'), place.parent()) {
        (Some(beginning), Some(folder)) => {
            let all = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
            let fits = |path: &PathBuf| path.to_string_lossy().contains(beginning);
            all.filter(fits).collect()
        }
        _ => place.exists().then(|| place.to_path_buf()).into_iter().collect(),
    }
}

/// What takes a batch of records.
type Take<'a> = dyn FnMut(&[(EvidenceId, RawEvidence)]) + 'a;

struct Unwatched;

impl Watch for Unwatched {
    type Stop = sim::Stopped;

    fn stage(&self, _: &'static str, _: u64) {}

    fn done(&self, _: u64) -> Result<(), sim::Stopped> {
        Ok(())
    }
}

struct Batches<'a> {
    batch: Vec<(EvidenceId, RawEvidence)>,
    take: &'a mut Take<'a>,
}

impl Sink for Batches<'_> {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        self.batch.push((captured.evidence.id(), captured.evidence));
        if self.batch.len() == BATCH {
            (self.take)(&self.batch);
            self.batch.clear();
        }
        Ok(())
    }

    fn cancelled(&self) -> bool {
        false
    }
}
