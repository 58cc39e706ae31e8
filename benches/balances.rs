//! Seconds for all balances and their sum tree on one thread, at three numbers of users, and how they grow.
//!
//! Columns in seconds are processor time, but for the clock. Every user has ten events and one payment, in an order in which no user comes twice in a row. Growth is the exponent of
//! the size: 1 is linear. `make bench-balances`; `RELEDGER_BENCH_USERS=n` sets the largest size, of which a tenth and a
//! hundredth come first. The last lines are the tree alone over ten times as many leaves, and proofs and bisection.

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

use std::hint::black_box;
use std::time::Instant;

use reledger::domain::{SumProof, SumTree, UserKey, sha256, sum_node, sum_root};
use reledger::reconcile::{Balance, BalanceBook};

const EVENTS_EACH: usize = 10;
const ROUNDS: usize = 3;

fn main() {
    let largest = std::env::var("RELEDGER_BENCH_USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    println!(
        "{:>10}{:>12}{:>10}{:>13}{:>9}{:>9}{:>8}{:>15}",
        "users", "entries", "clock, s", "balances, s", "tree, s", "both, s", "growth", "resident, MiB"
    );
    let mut before: Option<(f64, f64)> = None;
    for size in [largest / 100, largest / 10, largest] {
        let users = users(size);
        let (mut clock, mut summed, mut hashed) = (f64::INFINITY, 0.0, 0.0);
        for _ in 0..ROUNDS {
            let (began, spent) = (Instant::now(), processor::seconds());
            let mut book = BalanceBook::new();
            entries(&users, &mut |user, balance| book.add(user, balance));
            let balances = book.finish();
            let between = processor::seconds();
            black_box(balances.root());
            clock = clock.min(began.elapsed().as_secs_f64());
            summed += between - spent;
            hashed += processor::seconds() - between;
        }
        // Processor time comes in hundredths, so the rounds share it; load that others cause shows on the clock alone.
        let (summed, hashed) = (summed / ROUNDS as f64, hashed / ROUNDS as f64);
        let seconds = summed + hashed;
        let growth = before.map(|(users, time)| (seconds / time).ln() / (size as f64 / users).ln());
        let growth = growth.map_or_else(|| "-".to_owned(), |growth| format!("{growth:.2}"));
        let entries = size * (EVENTS_EACH + 1);
        println!(
            "{size:>10}{entries:>12}{clock:>10.3}{summed:>13.3}{hashed:>9.3}{seconds:>9.3}{growth:>8}{:>15}",
            format!("{:.0}", memory::resident_kib() / 1_024.0)
        );
        before = Some((size as f64, seconds));
    }
    tree_alone(largest * 10);
    proofs(largest);
}

/// Names as long and as much alike as addresses are.
fn users(count: usize) -> Vec<UserKey> {
    let name = |at: usize| {
        let digest = sha256(&at.to_be_bytes()).to_hex();
        UserKey::from(format!("bc1q{}", digest.get(..38).unwrap_or(&digest)))
    };
    (0..count).map(name).collect()
}

/// Each user's entries, spread over the whole.
fn entries<'a>(users: &'a [UserKey], take: &mut dyn FnMut(&'a UserKey, Balance)) {
    for round in 0..EVENTS_EACH {
        for at in 0..users.len() {
            // A step without a common factor with powers of ten visits every user once.
            let user = &users[(at * 7_919 + round) % users.len()];
            let sats = i128::try_from((at + round) % 997).unwrap_or_default();
            take(user, Balance { earned: sats, maturing: sats * i128::from(round == 0), ..Balance::default() });
        }
    }
    for user in users {
        take(user, Balance { paid: 5, ..Balance::default() });
    }
}

fn tree_alone(leaves: usize) {
    let began = processor::seconds();
    let mut tree = SumTree::default();
    let mut name = String::new();
    for at in 0..leaves {
        name.clear();
        // Ascending, and as long as an address.
        std::fmt::Write::write_fmt(&mut name, format_args!("bc1q{at:038}")).expect("a text takes everything");
        tree.push(&name, 7);
    }
    black_box(tree.root());
    println!("tree alone, one node a level in memory: {leaves} leaves in {:.2} s", processor::seconds() - began);
}

fn proofs(users: usize) {
    let leaves: Vec<(String, i128)> = (0..users).map(|at| (format!("bc1q{at:038}"), 7)).collect();
    let began = processor::seconds();
    let proof = SumProof::of(&leaves, &leaves[users / 3].0).expect("no sum overflows");
    let made = processor::seconds() - began;
    let began = Instant::now();
    proof.check().expect("the proof holds");
    let checked = began.elapsed().as_secs_f64();
    println!("one proof among {users}: made in {made:.3} s, checked in {:.1} us", checked * 1e6);
    let mut other = leaves.clone();
    other[users / 3].1 += 1;
    let began = processor::seconds();
    let node = |list: &[(String, i128)], first: usize, size: usize| {
        sum_node(first as u64, list[first..first + size].iter().map(|(user, sats)| (user, *sats)))
    };
    let found = reledger::domain::part::<()>((users as u64, users as u64), |first, size| {
        let [first, size] = [first, size].map(|place| usize::try_from(place).unwrap_or(usize::MAX));
        Ok(node(&leaves, first, size) == node(&other, first, size))
    });
    let found = found.expect("nodes can always be compared");
    let took = processor::seconds() - began;
    println!(
        "one wrong user among {users}: found at {} by {} comparisons in {took:.3} s",
        found.index, found.comparisons
    );
    black_box(sum_root(leaves.iter().map(|(user, sats)| (user, *sats))));
}
