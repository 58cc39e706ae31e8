//! What a balance statement says of itself as a whole.

use crate::domain::{Code, Digest32, draw_sample, sum_root};
use crate::evidence::{StatementClaim, StatementSample, StatementTotals};
use crate::ledger::testkit::{Case, assert_table, digest, evidence};

use super::{Scene, line, one, open, unpaid_share};

/// Two users: one who is owed 39 sats, and one whose 39 were paid.
pub(super) fn stated() -> Scene {
    let mut scene = Scene::honest();
    unpaid_share(&mut scene, "2026-06-25T00:00:00Z");
    scene.world.set.balances.push((evidence("line 2"), line("bc1qunpaid", 39)));
    scene
}

pub(super) fn root(users: &[(&str, i128)]) -> Digest32 {
    sum_root(users.iter().copied()).unwrap().hash
}

fn honest_root() -> Digest32 {
    root(&[("bc1qunpaid", 39), ("bc1quser", 0)])
}

fn say(scene: &mut Scene, totals: Option<StatementTotals>, sample: Option<StatementSample>) {
    scene.world.set.statements.push((evidence("whole"), StatementClaim { totals, sample }));
}

pub(super) fn totals(scene: &mut Scene, count: u64, sum: i64, root: Digest32) {
    let totals = StatementTotals { count: Some(count), sum_sats: Some(sum), root: Some(root), as_of: None };
    say(scene, Some(totals), None);
}

const ROOTS: &[Case<Scene>] = &[
    (Code::BalanceRoot, |s| totals(s, 3, 39, honest_root()), |s| totals(s, 2, 39, honest_root())),
    (Code::BalanceRoot, |s| totals(s, 2, 40, honest_root()), |s| totals(s, 2, 39, honest_root())),
    (Code::BalanceRoot, |s| totals(s, 2, 39, digest("another root")), |s| totals(s, 2, 39, honest_root())),
    (
        // The sum is right and the satoshi stand elsewhere.
        Code::BalanceRoot,
        |s| totals(s, 2, 39, root(&[("bc1qunpaid", 38), ("bc1quser", 1)])),
        |s| totals(s, 2, 39, honest_root()),
    ),
    (
        // Who is owed nothing may be left out, of the lines and of the count.
        Code::BalanceRoot,
        |s| {
            s.world.set.balances.remove(0);
            totals(s, 2, 39, root(&[("bc1qunpaid", 39)]));
        },
        |s| {
            s.world.set.balances.remove(0);
            totals(s, 1, 39, root(&[("bc1qunpaid", 39)]));
        },
    ),
    (
        // Totals that are true of the ledger, and not of the lines they stand beside.
        Code::BalanceRoot,
        |s| {
            s.world.set.balances[1].1.balance_sats = Some(38);
            totals(s, 2, 39, honest_root());
        },
        |s| {
            s.world.set.balances[1].1.balance_sats = None;
            (s.world.set.balances[1].1.available_sats, s.world.set.balances[1].1.maturing_sats) = (Some(39), Some(0));
            totals(s, 2, 39, honest_root());
        },
    ),
    (
        // Without lines the ledger alone is asked.
        Code::BalanceRoot,
        |s| {
            s.world.set.balances.clear();
            totals(s, 1, 38, root(&[("bc1qunpaid", 39)]));
        },
        |s| {
            s.world.set.balances.clear();
            totals(s, 1, 39, root(&[("bc1qunpaid", 39)]));
        },
    ),
];

/// The sample of that size by that seed, as an honest operator lists it.
fn drawn(seed: &str, size: u64) -> StatementSample {
    let users = ["bc1qunpaid", "bc1quser"];
    let drawn = draw_sample(seed, 2, size);
    let users = drawn.iter().map(|at| users[usize::try_from(*at).unwrap()].into()).collect();
    StatementSample { seed: seed.to_owned(), size, users }
}

pub(super) fn sampled(scene: &mut Scene, change: impl FnOnce(&mut StatementSample)) {
    let mut sample = drawn("a block hash", 1);
    change(&mut sample);
    say(scene, None, Some(sample));
}

const SAMPLES: &[Case<Scene>] = &[
    (
        Code::SampleInvalid,
        |s| {
            let chosen = if drawn("a block hash", 1).users == ["bc1quser".into()] { "bc1qunpaid" } else { "bc1quser" };
            sampled(s, |sample| sample.users = vec![chosen.into()]);
        },
        |s| sampled(s, |_| ()),
    ),
    (
        Code::SampleInvalid,
        |s| sampled(s, |sample| *sample = StatementSample { size: 3, ..drawn("a block hash", 2) }),
        |s| sampled(s, |sample| *sample = drawn("a block hash", 2)),
    ),
    (
        Code::SampleInvalid,
        |s| sampled(s, |sample| sample.users.push(sample.users[0].clone())),
        // The order of the list says nothing.
        |s| {
            sampled(s, |sample| {
                *sample = drawn("a block hash", 2);
                sample.users.reverse();
            });
        },
    ),
    (
        Code::SampleInvalid,
        |s| {
            s.declared.sample_seed = Some("agreed".to_owned());
            sampled(s, |_| ());
        },
        |s| {
            s.declared.sample_seed = Some("a block hash".to_owned());
            sampled(s, |_| ());
        },
    ),
    (
        // Nobody could agree on a block before it was mined.
        Code::SampleInvalid,
        |s| {
            s.declared.sample_seed = Some("agreed".to_owned());
            sampled(s, |_| ());
        },
        |s| {
            s.declared.sample_seed = Some("beacon".to_owned());
            sampled(s, |_| ());
        },
    ),
    (
        Code::SampleInvalid,
        |s| {
            s.declared.sample_size = Some(2);
            sampled(s, |_| ());
        },
        // More than there are can't be drawn.
        |s| {
            s.declared.sample_size = Some(50);
            sampled(s, |sample| *sample = drawn("a block hash", 2));
        },
    ),
];

#[test]
fn every_fault_of_the_whole_statement_has_a_case_and_a_near_miss() {
    assert_table(&stated(), ROOTS, open);
    assert_table(&stated(), SAMPLES, open);
}

#[test]
fn each_false_total_is_told_by_its_name_and_no_other() {
    for (count, sum, root, name) in
        [(3, 39, honest_root(), "count"), (2, 40, honest_root(), "total"), (2, 39, digest("x"), "root")]
    {
        let mut scene = stated();
        totals(&mut scene, count, sum, root);
        let result = scene.run();
        let found: Vec<_> = result.divergences.iter().filter(|d| d.code == Code::BalanceRoot).collect();
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!(found[0].subject.get("statement"), Some(name));
    }
}

#[test]
fn no_user_is_named_by_a_bad_sample() {
    let mut scene = stated();
    sampled(&mut scene, |sample| sample.users = vec!["bc1qsecret".into()]);
    let result = scene.run();
    assert!(!format!("{:?}", one(&result, Code::SampleInvalid)).contains("bc1q"));
}
