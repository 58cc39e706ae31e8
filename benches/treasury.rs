//! Processor seconds for all ledgers and for the whole reconciliation, at three sizes, and how they grow; and the memory
//! that they take beyond the verified evidence.
//!
//! Growth is the exponent of the size: 1 is linear. `make bench-treasury`; `RELEDGER_BENCH_ENVELOPES=n` sets the largest size,
//! of which a tenth and a hundredth come first.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a benchmark measures time and divides"
)]

#[path = "common/memory.rs"]
mod memory;
#[path = "common/processor.rs"]
mod processor;
#[path = "common/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::hint::black_box;

use reledger::domain::Media;
use reledger::ledger::rebuild;
use reledger::reconcile::{Input, Objectives, Sightings, reconcile};

/// What the treasury is made of and compared with besides.
const MORE: [(Media, &str); 3] = [
    (Media::PaymentLogEntry, "gateway/payment_log.json"),
    (Media::Invoice, "gateway/invoices.json"),
    (Media::Balance, "balances.jsonl"),
];

fn main() {
    let largest = std::env::var("RELEDGER_BENCH_ENVELOPES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let head = ["envelopes", "settlements", "entries", "ledgers, s", "growth", "reconcile, s", "growth", "bytes each"];
    println!("{}", head.map(|name| format!("{name:>14}")).concat());
    let mut before: Option<[f64; 3]> = None;
    for size in [largest / 100, largest / 10, largest] {
        let (set, as_of, plan) = world::verified(size, &[&world::JUDGED[..], &MORE].concat());
        let held = memory::resident_kib();
        let begun = processor::seconds();
        let ledgers = black_box(rebuild(&set, &plan.policy, as_of));
        let rebuilt = processor::seconds();
        let sightings = Sightings::default();
        let reconciliation = black_box(reconcile(&Input {
            set: &set,
            ledgers: &ledgers,
            policy: &plan.policy,
            as_of,
            receipts: &[],
            sightings: &sightings,
            declared: &plan.declared,
            d_tags: &BTreeMap::new(),
            objectives: Objectives::default(),
            time_boxed: false,
        }));
        let ended = processor::seconds();
        let all = (set.envelopes.len() + set.settlements.len()) as f64;
        let row = [all, rebuilt - begun, ended - rebuilt];
        let growth = |part: usize| {
            let exponent = before.map(|old| (row[part] / old[part]).ln() / (row[0] / old[0]).ln());
            exponent.map_or_else(|| "-".to_owned(), |exponent| format!("{exponent:.2}"))
        };
        let cells = [
            set.envelopes.len().to_string(),
            set.settlements.len().to_string(),
            ledgers.treasury.view().entries.to_string(),
            format!("{:.3}", row[1]),
            growth(1),
            format!("{:.3}", row[2]),
            growth(2),
            format!("{:.0}", (memory::resident_kib() - held) * 1_024.0 / all),
        ];
        println!("{}", cells.map(|cell| format!("{cell:>14}")).concat());
        assert!(reconciliation.balances.users > 0);
        before = Some(row);
    }
}
