//! Seconds for the envelope and rebind projections on one thread, at three sizes, and how they grow.
//!
//! Everything in a world is verified before the clock starts. Growth is the exponent of the size: 1 is linear. `make bench-project`; `RELEDGER_BENCH_ENVELOPES=n` sets the
//! largest size, of which a tenth and a hundredth come first.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a benchmark measures time and divides"
)]

#[path = "common/processor.rs"]
mod processor;
#[path = "common/world.rs"]
mod world;

use std::hint::black_box;
use std::time::Instant;

use reledger::ledger::project;

const ROUNDS: usize = 5;
fn main() {
    let largest = std::env::var("RELEDGER_BENCH_ENVELOPES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    println!(
        "{:>12}{:>12}{:>12}{:>12}{:>14}{:>10}",
        "envelopes", "rebinds", "clock, s", "processor", "envelopes/s", "growth"
    );
    let mut before: Option<(f64, f64)> = None;
    for size in [largest / 100, largest / 10, largest] {
        let (set, as_of, plan) = world::verified(size, &world::JUDGED);
        let mut clock = f64::INFINITY;
        let spent = processor::seconds();
        let (mut envelopes, mut rebinds) = (0, 0);
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let (envelope, rebind, _) = black_box(project(&set, &plan.policy, as_of));
            clock = clock.min(began.elapsed().as_secs_f64());
            (envelopes, rebinds) = (envelope.len(), rebind.entries.len());
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
