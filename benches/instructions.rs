//! How many instructions verification and projection of a fixed world take: what callgrind counts and no load changes.
//!
//! `scripts/instructions.sh` runs this under callgrind and holds the counts against `benches/instructions.json`. Signatures are known
//! beforehand: what libraries spend on them would hide what we spend on everything else. One thread does all.

#![expect(clippy::unwrap_used, reason = "a benchmark fails loudly")]

#[path = "common/judged.rs"]
mod judged;
#[expect(dead_code, reason = "others take the whole verified world")]
#[path = "common/world.rs"]
mod world;

use std::hint::black_box;

use judged::{Batch, judged};
use reledger::app::Plan;
use reledger::domain::{AsOf, Media, RawEvidence};
use reledger::ledger::{Ledgers, rebuild};
use reledger::verify::{Genuine, VerifiedSet, Verifier};

/// Billable events.
const EVENTS: u32 = 1_000;
/// A count may differ by so many thousandths.
const TOLERANCE: u64 = 30;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match asked.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["prepare"] => drop(world::world(EVENTS)),
        [what @ ("verify" | "project")] => {
            // The workers of a pool of one, so that everything below happens on one thread.
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            pool.install(|| work(what));
        }
        ["compare", file, counts @ ..] => compare(file, counts),
        _ => println!("scripts/instructions.sh counts instructions"),
    }
}

fn work(what: &str) {
    let folder = world::world(EVENTS);
    let plan = world::plan(&folder);
    let (judged_by, events) = (world::judged_by(&folder), world::records(Media::NostrEvent, &folder.join("nostr")));
    let genuine = known(&plan, &judged_by, &events);
    let set = verify_counted(&plan, &genuine, &judged_by, &events);
    assert!(set.envelopes.len() >= EVENTS as usize);
    if what == "project" {
        let as_of = world::as_of(&folder, &set);
        black_box(project_counted(&plan, &set, as_of));
    }
}

fn known(plan: &Plan, judged_by: &Batch, events: &Batch) -> Genuine {
    let mut verifier = Verifier::new(&plan.policy);
    verifier.first_pass(judged_by);
    let raw: Vec<RawEvidence> = events.iter().map(|(_, raw)| raw.clone()).collect();
    let mut genuine = Genuine::default();
    genuine.check_all(&raw, verifier.ring());
    genuine
}

/// The script finds these two by their names.
#[inline(never)]
fn verify_counted(plan: &Plan, genuine: &Genuine, judged_by: &Batch, events: &Batch) -> VerifiedSet {
    judged(&plan.policy, genuine, judged_by, events)
}

#[inline(never)]
fn project_counted(plan: &Plan, set: &VerifiedSet, as_of: AsOf) -> Ledgers {
    rebuild(set, &plan.policy, as_of)
}

/// Holds `name=count` against the counts of the file.
fn compare(file: &str, counts: &[&str]) {
    let text = std::fs::read_to_string(file).unwrap();
    let known: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut is_other = false;
    for (name, count) in counts.iter().filter_map(|count| count.split_once('=')) {
        let (count, known) = (count.parse::<u64>().unwrap(), known[name].as_u64().unwrap());
        let off = count.abs_diff(known).saturating_mul(1_000) / known;
        println!("{name}: {count} instructions, {known} known, {}.{} % apart", off / 10, off % 10);
        is_other |= off > TOLERANCE;
    }
    if is_other {
        eprintln!("more than {} % apart: find out why, then `scripts/instructions.sh --write`", TOLERANCE / 10);
        std::process::exit(1);
    }
}
