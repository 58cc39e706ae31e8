//! Generated relays, honest and not, captured over real sockets: no false "complete", and whatever a relay gives is had.
//!
//! Goal: a capture says "complete" only when it is, names what is open, and leaves nothing behind that some question
//! would have brought. Method: a seed makes a relay (`world.rs`); its own server answers (`answer.rs`, `listing.rs`,
//! `server.rs`); what is true of it follows from what it holds (`truth.rs`), never from what a client does; `judge.rs`
//! compares. `RELEDGER_RELAY_WORLDS=n` sets how many worlds, `RELEDGER_RELAY_SEED=n` the first.

#![expect(clippy::unwrap_used, reason = "clippy knows test functions, not the servers and helpers around them")]

mod answer;
mod conduct;
mod dice;
mod judge;
mod listing;
mod server;
mod soundness;
mod truth;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use reledger::domain::{CompletenessBasis, UnixSeconds};
use reledger::substrate::{
    Captured, EvidenceSource as _, RelayBudget, RelayPlan, RelaySource, RetryPolicy, Sink, Stopped,
};
use tokio::runtime::{Builder, Handle};

use self::judge::{Outcome, is_hard, judge};
use self::server::Relay;
use self::world::World;

/// Worlds in flight: nearly all of their time is waiting.
const AT_ONCE: usize = 12;
/// Worlds that a failure shows; each can be had again by its seed.
const SHOWN_MAX: usize = 200;
/// No capture of a world may take longer, however badly the relay behaves: one that answers every other question with a
/// notice alone costs a wait each time, and a crowded second is hundreds of questions.
const LONGEST: Duration = Duration::from_secs(300);

#[derive(Default)]
struct Collected(Vec<String>);

impl Sink for Collected {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        self.0.push(String::from_utf8(captured.evidence.into_evidence().bytes).unwrap());
        Ok(())
    }

    fn cancelled(&self) -> bool {
        false
    }
}

/// Captures a world; `None` when it took too long.
fn capture(world: &Arc<World>, handle: &Handle) -> Option<Outcome> {
    let relay = Relay::start(Arc::clone(world), handle);
    // A relay that never answers costs real time; one that does everything right is given all the time it needs.
    let idle_ms = if world.is_honest() { 10_000 } else { 400 };
    let plan = RelayPlan {
        url: relay.url.clone(),
        kinds: world.kinds.clone(),
        since: world.window.0.map(UnixSeconds),
        until: world.window.1.map(UnixSeconds),
        budgets: RelayBudget { pages: 100_000, idle_ms, total_ms: 20_000, ..RelayBudget::default() },
        page_limit: world.page_limit,
        retry: RetryPolicy { attempts: 4, base_ms: 1, max_ms: 2 },
        allow_plaintext: false,
        auth: None,
    };
    let (done, result) = mpsc::channel();
    let mut source = RelaySource::new(plan, handle.clone()).unwrap();
    thread::spawn(move || {
        let mut sink = Collected::default();
        let receipts = source.fetch(&mut sink).unwrap();
        let _ = done.send((sink.0, receipts));
    });
    let (captured, receipts) = result.recv_timeout(LONGEST).ok()?;
    Some(Outcome { captured, receipts, log: relay.stop() })
}

/// What a campaign saw, so that it can be told from one that saw nothing.
#[derive(Debug, Default)]
struct Tally {
    bases: BTreeMap<CompletenessBasis, u64>,
    honest: u64,
    hard: u64,
    events: u64,
    messages: u64,
    /// Messages with the seed of the world that took them, the most first.
    dearest: Vec<(u64, u64)>,
    wrong: Vec<String>,
}

fn campaign(first: u64, count: u64) -> Tally {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (next, tally) = (AtomicU64::new(first), Mutex::new(Tally::default()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let world = Arc::new(World::generate(seed));
                    let outcome = capture(&world, runtime.handle());
                    note(&mut tally.lock().unwrap(), &world, outcome.as_ref());
                }
            });
        }
    });
    runtime.shutdown_background();
    tally.into_inner().unwrap()
}

fn note(tally: &mut Tally, world: &World, outcome: Option<&Outcome>) {
    tally.honest += u64::from(world.is_honest());
    tally.hard += u64::from(is_hard(world));
    let Some(outcome) = outcome else {
        tally.wrong.push(format!("{world}\n  ! took longer than {LONGEST:?}, or panicked"));
        return;
    };
    tally.events += u64::try_from(outcome.captured.len()).unwrap();
    tally.messages += outcome.log.messages;
    tally.dearest.push((outcome.log.messages, world.seed));
    tally.dearest.sort_unstable_by(|a, b| b.cmp(a));
    tally.dearest.truncate(5);
    for receipt in &outcome.receipts {
        *tally.bases.entry(receipt.basis).or_default() += 1;
    }
    let wrong = judge(world, outcome);
    if !wrong.is_empty() {
        let lines = wrong.join("\n  ! ");
        let log = &outcome.log;
        let asked = format!(
            "{} questions, {} counts, {} conversations, {} messages",
            log.questions, log.counts, log.conversations, log.messages
        );
        tally.wrong.push(format!("{world}\n  {asked}\n  ! {lines}"));
    }
}

#[expect(clippy::disallowed_methods, reason = "how many worlds is for the caller to say")]
fn asked(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn a_generated_relay_is_captured_whole_or_its_open_windows_are_named() {
    let (first, count) = (asked("RELEDGER_RELAY_SEED", 1), asked("RELEDGER_RELAY_WORLDS", 60));
    let tally = campaign(first, count);
    println!("most messages, with the world's seed: {:?}", tally.dearest);
    println!(
        "{count} worlds from seed {first}: {} honest, {} hard, {} events captured with {} messages; slices by basis {:?}",
        tally.honest, tally.hard, tally.events, tally.messages, tally.bases
    );
    let shown = tally.wrong[..tally.wrong.len().min(SHOWN_MAX)].join("\n");
    assert!(tally.wrong.is_empty(), "{} of {count} worlds went wrong:\n{shown}", tally.wrong.len());
    if count >= 60 {
        let complete: u64 = tally.bases.range(CompletenessBasis::Exhausted..).map(|(_, count)| count).sum();
        let all: u64 = tally.bases.values().sum();
        assert!(complete > all / 4 && complete < all, "a campaign in which every slice ends alike tests nothing");
        assert!(tally.hard > count / 4 && tally.honest > count / 5);
    }
}
