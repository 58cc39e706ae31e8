//! Seconds for a whole header chain under all rules, beside the bare floor, measured in the same process.
//!
//! The chain is made here: 900,000 linked headers at the easiest target. On a shared machine the ratio and the processor time
//! mean more than the clock; each figure is the best of several rounds. `make bench`; `RELEDGER_BENCH_HEADERS=n` sets the length.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a benchmark measures time and divides"
)]

#[path = "common/processor.rs"]
mod processor;

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;
use reledger::domain::{BlockHash, BlockHeight, Checkpoint, EvidenceId, HeaderPolicy, Media, RawEvidence, sha256};
use reledger::evidence::HeaderRun;
use reledger::verify::headers::HeaderChain;

const ROUNDS: usize = 3;
/// The easiest target: a hash meets it when its highest bit is zero.
const EASY: u32 = 0x207f_ffff;
/// A second more than ten minutes: the target stays where it is.
const PACE: u32 = 601;
/// Headers in one piece of evidence, as Bitcoin Core gives them.
const PIECE: usize = 2_000;

type Header = [u8; 80];

fn main() {
    let length = std::env::var("RELEDGER_BENCH_HEADERS").ok().and_then(|text| text.parse().ok()).unwrap_or(900_000);
    let began = Instant::now();
    let chain = make(length);
    let made = began.elapsed().as_secs_f64();
    let runs: Vec<(EvidenceId, HeaderRun)> = chain.chunks(PIECE).enumerate().map(piece).collect();
    let checkpoint = Checkpoint { height: BlockHeight(0), hash: BlockHash(hash(&chain[0])) };
    let policy = HeaderPolicy { checkpoint, min_depth: 6, pow_limit: EASY };
    println!("{length} headers (made in {made:.2} s), {} cores", rayon::current_num_threads());
    println!("{:<54}{:>9}{:>12}{:>12}", "", "seconds", "processor", "of floor");

    let floor = best(|| assert!(linked(&chain)));
    row("floor, one core: decode, hash, link, target", &floor, &floor);
    let floor_all = best(|| assert!(chain.par_chunks(PIECE).all(linked)));
    row("floor, all cores", &floor_all, &floor);
    let mut whole = Spent { clock: f64::INFINITY, processor: f64::INFINITY };
    for _ in 0..ROUNDS {
        // What is judged is owned by the judge: the copy is made outside of the measured time.
        let runs = runs.clone();
        let (spent, (built, findings, counts)) = measured(|| black_box(HeaderChain::build(runs, &policy)));
        whole = whole.least(&spent);
        assert!(findings.is_empty(), "{findings:?}");
        assert_eq!(usize::try_from(counts.accepted), Ok(length));
        let tip = built.tip().expect("the chain goes through its checkpoint");
        assert_eq!(usize::try_from(tip.height.0).map(|height| height + 1), Ok(length));
    }
    row("whole chain: all rules, most work, index by height", &whole, &floor);
    println!("{:.0} headers a second", length as f64 / whole.clock);
}

/// Time by the clock on the wall and by the system's account of this process, in seconds.
struct Spent {
    clock: f64,
    processor: f64,
}

impl Spent {
    fn least(&self, other: &Self) -> Self {
        Self { clock: self.clock.min(other.clock), processor: self.processor.min(other.processor) }
    }
}

fn row(name: &str, spent: &Spent, floor: &Spent) {
    let Spent { clock, processor } = spent;
    println!("{name:<54}{clock:>9.3}{processor:>12.2}{:>11.2}x", clock / floor.clock);
}

fn measured<T>(work: impl FnOnce() -> T) -> (Spent, T) {
    let (began, before) = (Instant::now(), processor::seconds());
    let result = work();
    (Spent { clock: began.elapsed().as_secs_f64(), processor: processor::seconds() - before }, result)
}

fn best(mut work: impl FnMut()) -> Spent {
    let rounds = (0..ROUNDS).map(|_| measured(&mut work).0);
    rounds.reduce(|least, spent| least.least(&spent)).expect("there are rounds")
}

fn hash(header: &Header) -> [u8; 32] {
    sha256(&sha256(header).0).0
}

fn is_met(hash: &[u8; 32]) -> bool {
    hash[31] < 0x80
}

/// What no validator can avoid: every header is hashed, builds on the one before and meets its target.
fn linked(headers: &[Header]) -> bool {
    let mut last: Option<[u8; 32]> = None;
    headers.iter().all(|header| {
        let links = last.is_none_or(|last| header[4..36] == last);
        let own = hash(header);
        last = Some(own);
        links && is_met(&own) && header[72..76] == EASY.to_le_bytes()
    })
}

fn make(length: usize) -> Vec<Header> {
    let mut chain = Vec::with_capacity(length);
    let (mut prev, mut time) = ([0; 32], 1_300_000_000_u32);
    for nonce_base in 0..length {
        let mut header = [0; 80];
        header[0] = 4;
        header[4..36].copy_from_slice(&prev);
        header[36..44].copy_from_slice(&(nonce_base as u64).to_le_bytes());
        header[68..72].copy_from_slice(&time.to_le_bytes());
        header[72..76].copy_from_slice(&EASY.to_le_bytes());
        for nonce in 0_u32.. {
            header[76..].copy_from_slice(&nonce.to_le_bytes());
            prev = hash(&header);
            if is_met(&prev) {
                break;
            }
        }
        chain.push(header);
        time += PACE;
    }
    chain
}

fn piece((at, headers): (usize, &[Header])) -> (EvidenceId, HeaderRun) {
    let start = u32::try_from(at * PIECE).expect("a chain of a benchmark is short");
    let id = RawEvidence::id_of(Media::Headers, &start.to_string(), headers.as_flattened());
    (id, HeaderRun { start: Some(BlockHeight(start)), headers: headers.to_vec() })
}
