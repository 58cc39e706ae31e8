//! Bytes a second of making and of verifying a snapshot, beside zstd and sha256 over the same bytes in the same process.
//!
//! The run is a real one: a seeded world of `RELEDGER_BENCH_MB` megabytes of evidence (500 unless said otherwise) is written and
//! drilled by the command first, which takes some minutes; `RELEDGER_BENCH_RUN=folder` takes a finished run that is there. The
//! floors have one thread, the level and the settings of the archive, and bytes in memory: no file is read or written. Each figure
//! is the best of several rounds, floors and measurements in turn. `make bench-snapshot`.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a benchmark measures time and divides"
)]

#[path = "common/processor.rs"]
mod processor;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use reledger::app::{Cancel, FinishedRun, KeySource, Pen, SnapshotOptions, create_snapshot, verify_snapshots};
use reledger::domain::sha256;
use tempfile::TempDir;

const ROUNDS: usize = 5;
const NOW: &str = "2026-10-02T00:00:00Z";
/// As the archive is packed.
const LEVEL: i32 = 3;
/// Bytes of evidence that an event of a world comes to, beside headers.
const EVENT_BYTES: u64 = 4_900;

fn main() {
    let scratch = TempDir::new().expect("a temporary folder");
    let run = std::env::var("RELEDGER_BENCH_RUN").map_or_else(|_| made(scratch.path()), PathBuf::from);
    let bytes = content(&run);
    let megabytes = bytes.len() as f64 / 1e6;
    let packed = packed(&bytes);
    println!("{megabytes:.0} MB of a run, {:.0} MB packed, {} cores", packed.len() as f64 / 1e6, cores());
    println!("{:<54}{:>9}{:>12}{:>9}{:>10}", "", "seconds", "processor", "MB/s", "of floor");

    let key = scratch.path().join("key");
    write_key(&key);
    let pen = Pen::of(&KeySource::File(key)).expect("a key");
    let keys = BTreeSet::from([pen.key()]);
    let cancel = Cancel::default();
    let mut rows: [Spent; 6] = [Spent::NEVER; 6];
    for round in 0..ROUNDS {
        let out = scratch.path().join(format!("out-{round}"));
        let options = SnapshotOptions {
            run: run.clone(),
            out: out.clone(),
            clock: NOW.parse().expect("a time"),
            yes: false,
            dry_run: false,
        };
        rows[0].take(|| (sha256(&bytes), packed_again(&bytes)));
        rows[1].take(|| create_snapshot(&options, &pen, &cancel).expect("a snapshot"));
        let made = create_snapshot(&options, &pen, &cancel).expect("the same snapshot").path;
        rows[2].take(|| unpacked(&packed));
        rows[3].take(|| {
            let verdict = verify_snapshots(std::slice::from_ref(&made), &keys, &cancel).expect("a verdict");
            assert!(verdict.snapshots[0].faults.is_empty());
        });
        rows[4].take(|| FinishedRun::verified(&run).expect("the run holds"));
        rows[5].take(|| sha256(&bytes));
        std::fs::remove_dir_all(&out).expect("it was made above");
    }
    let [floor, create, floor_back, verify, held, hashed] = rows;
    for (name, row, floor) in [
        ("floor: zstd and sha256, one thread", &floor, &floor),
        ("snapshot create, with all of its checks", &create, &floor),
        ("  of it: the run held against its manifest", &held, &floor),
        ("  sha256 alone", &hashed, &floor),
        ("floor: unzstd and sha256, one thread", &floor_back, &floor_back),
        ("snapshot verify", &verify, &floor_back),
    ] {
        println!(
            "{name:<54}{:>9.3}{:>12.3}{:>9.0}{:>9.0}%",
            row.clock,
            row.processor,
            megabytes / row.clock,
            floor.clock / row.clock * 100.0
        );
    }
    println!("snapshot verify beside zstd and sha256: {:.0}%", floor.clock / verify.clock * 100.0);
}

/// Time by the clock on the wall and by the system's account of this process, in seconds.
#[derive(Clone, Copy)]
struct Spent {
    clock: f64,
    processor: f64,
}

impl Spent {
    const NEVER: Self = Self { clock: f64::INFINITY, processor: f64::INFINITY };

    fn take<T>(&mut self, work: impl FnOnce() -> T) {
        let (began, before) = (Instant::now(), processor::seconds());
        drop(black_box(work()));
        self.clock = self.clock.min(began.elapsed().as_secs_f64());
        self.processor = self.processor.min(processor::seconds() - before);
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A finished run over a world of that size.
fn made(folder: &Path) -> PathBuf {
    let wanted: u64 = std::env::var("RELEDGER_BENCH_MB").ok().and_then(|text| text.parse().ok()).unwrap_or(500);
    let events = (wanted * 1_000_000 / EVENT_BYTES).max(10).to_string();
    let (world, run) = (folder.join("world"), folder.join("run"));
    let text = |path: &Path| path.to_str().expect("a temporary path is text").to_owned();
    let command = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_reledger")).args(args).output().expect("the command starts");
        let code = output.status.code().expect("it ends by itself");
        assert!([0, 1, 3].contains(&code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    command(&["sim", "write", "--seed", "5", "--events", &events, "--dir", &text(&world)]);
    let config = text(&world.join("reledger.toml"));
    command(&["drill", "-c", &config, "--run", &text(&run), "--now", NOW, "--progress", "none", "-q", "--no-cache"]);
    std::fs::remove_dir_all(&world).expect("it was written above");
    std::fs::remove_dir_all(run.join("state")).expect("a run has an index");
    run
}

fn write_key(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all("01".repeat(32).as_bytes()));
    written.expect("a key is written");
}

/// Every file of the run, one behind the other.
fn content(run: &Path) -> Vec<u8> {
    let (mut bytes, mut folders) = (Vec::new(), vec![run.to_owned()]);
    while let Some(folder) = folders.pop() {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        for path in paths.into_iter().filter(|path| !path.ends_with("state")) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let mut file = std::fs::File::open(&path).expect("a file of the run");
                file.read_to_end(&mut bytes).expect("it is read");
            }
        }
    }
    bytes
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL).expect("an encoder");
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// As [`packed`], without keeping the result.
fn packed_again(bytes: &[u8]) {
    let mut encoder = zstd::Encoder::new(std::io::sink(), LEVEL).expect("an encoder");
    encoder.write_all(bytes).expect("nothing is kept");
    encoder.finish().expect("nothing is kept");
}

/// Expands and hashes piece by piece: the whole need not stay.
fn unpacked(packed: &[u8]) -> reledger::domain::Digest32 {
    let mut decoder = zstd::Decoder::new(packed).expect("a decoder");
    let (mut hasher, mut piece) = (reledger::domain::Sha256Stream::default(), vec![0; 64 * 1_024]);
    loop {
        match decoder.read(&mut piece).expect("it was packed above") {
            0 => return hasher.finish(),
            length => hasher.update(&piece[..length]),
        }
    }
}
