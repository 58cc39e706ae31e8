//! Goal: every code of the rebind ledger has one case that produces it and one near miss; custody resolves as in FORMATS 8.6.
//! Method: a table over hand-made verified sets.

use crate::domain::{Code, UnixSeconds};
use crate::evidence::CustodyState::{Bip322, FedimintClient, FedimintThreshold};
use crate::ledger::testkit::{Case, World, assert_table, descriptor_id, digest, time};

use super::Custody;

const DAY_1: &str = "2026-05-01T00:00:00Z";
const DAY_2: &str = "2026-05-02T00:00:00Z";
const DAY_3: &str = "2026-05-03T00:00:00Z";

fn codes(world: &World) -> Vec<Code> {
    world.ledgers().findings.iter().map(|finding| finding.code).collect()
}

const CASES: &[Case<World>] = &[
    (
        Code::RebGap,
        |w| {
            w.rebind("r1", DAY_1, FedimintThreshold, FedimintClient, None);
            w.rebind("r2", DAY_2, FedimintThreshold, FedimintClient, Some("r1"));
        },
        |w| {
            w.rebind("r1", DAY_1, FedimintThreshold, FedimintClient, None);
            w.rebind("r2", DAY_2, FedimintClient, FedimintThreshold, Some("r1"));
        },
    ),
    (
        Code::RebGap,
        |w| w.rebind("r1", DAY_1, FedimintClient, FedimintThreshold, None),
        |w| w.rebind("r1", DAY_1, Bip322, FedimintThreshold, None),
    ),
    (
        Code::RebGap,
        |w| w.rebind("r1", DAY_1, Bip322, FedimintThreshold, Some("never seen")),
        |w| w.rebind("r1", DAY_1, Bip322, FedimintThreshold, None),
    ),
    (
        Code::RebGap,
        |w| w.rebind("r1", DAY_1, Bip322, Bip322, None),
        |w| {
            w.rebind("r1", DAY_1, FedimintThreshold, FedimintThreshold, None);
            w.rebind_mut("r1", |r| {
                (r.from_federation, r.to_federation) = (Some("a".to_owned()), Some("b".to_owned()));
            });
        },
    ),
    (
        Code::EnvEquivocation,
        |w| {
            w.rebind("r1", DAY_1, FedimintThreshold, FedimintClient, None);
            w.rebind("r2", DAY_2, FedimintClient, Bip322, Some("r1"));
            w.rebind("r3", DAY_3, FedimintClient, FedimintThreshold, Some("r1"));
        },
        |w| {
            w.rebind("r1", DAY_1, FedimintThreshold, FedimintClient, None);
            w.rebind("r2", DAY_2, FedimintClient, Bip322, Some("r1"));
            w.rebind("r3", DAY_3, Bip322, FedimintThreshold, Some("r2"));
        },
    ),
    (
        Code::EnvEquivocation,
        |w| {
            w.rebind("r1", DAY_1, FedimintThreshold, FedimintClient, None);
            w.rebind("r2", DAY_1, FedimintThreshold, Bip322, None);
        },
        |w| {
            w.rebind("r1", DAY_1, FedimintThreshold, FedimintClient, None);
            w.rebind("r2", DAY_1, FedimintThreshold, Bip322, None);
            w.rebind_mut("r2", |r| r.user = "bc1qother".into());
        },
    ),
    (
        Code::RebAnchorTime,
        |w| {
            w.rebind("r1", "2026-05-01T02:00:01Z", Bip322, FedimintThreshold, None);
            w.anchor(digest("r1"), 10, DAY_1);
        },
        |w| {
            w.rebind("r1", "2026-05-01T02:00:00Z", Bip322, FedimintThreshold, None);
            w.anchor(digest("r1"), 10, DAY_1);
        },
    ),
    (
        Code::RebAnchorTime,
        |w| {
            w.rotation("x", "d1", "d2", "2026-05-01T02:00:01Z");
            w.anchor(digest("x"), 10, DAY_1);
        },
        |w| {
            w.rotation("x", "d1", "d2", "2026-05-01T02:00:00Z");
            w.anchor(digest("x"), 10, DAY_1);
        },
    ),
    (
        Code::RebGraduationMissing,
        |w| {
            w.graduation("g", "d1", DAY_3);
            w.rebind("r1", DAY_2, FedimintThreshold, Bip322, None);
        },
        |w| {
            w.graduation("g", "d1", DAY_2);
            w.rebind("r1", DAY_2, FedimintThreshold, Bip322, None);
        },
    ),
    (
        Code::RebFork,
        |w| {
            w.rotation("x", "d1", "d2", DAY_1);
            w.rotation("y", "d1", "d3", DAY_2);
        },
        |w| {
            w.rotation("x", "d1", "d2", DAY_1);
            w.rotation("y", "d2", "d3", DAY_2);
        },
    ),
    (
        Code::RebInvariant,
        |w| {
            w.descriptor("d1", "bc1qother");
            w.rotation("x", "d1", "d2", DAY_1);
        },
        |w| {
            w.descriptor("d1", "bc1quser");
            w.rotation("x", "d1", "d2", DAY_1);
        },
    ),
    (
        Code::RebInvariant,
        |w| {
            w.graduation("g", "d1", DAY_1);
            w.rebind("r1", DAY_2, FedimintThreshold, Bip322, None);
            w.rebind_mut("r1", |r| (r.user, r.graduation) = ("bc1qother".into(), Some(digest("g"))));
        },
        |w| {
            w.graduation("g", "d1", DAY_1);
            w.rebind("r1", DAY_2, FedimintThreshold, Bip322, None);
            w.rebind_mut("r1", |r| (r.user, r.graduation) = ("did:oc:1".into(), Some(digest("g"))));
        },
    ),
    (
        Code::EnvTime,
        |w| w.rotation("x", "d1", "d2", "2026-06-30T00:00:01Z"),
        |w| w.rotation("x", "d1", "d2", "2026-06-30T00:00:00Z"),
    ),
];

#[test]
fn every_custody_code_has_a_case_and_a_near_miss() {
    assert_table(&World::new(), CASES, codes);
}

#[test]
fn all_six_edges_between_distinct_states_are_legitimate() {
    let mut world = World::new();
    let steps = [
        (FedimintThreshold, FedimintClient),
        (FedimintClient, Bip322),
        (Bip322, FedimintThreshold),
        (FedimintThreshold, Bip322),
        (Bip322, FedimintClient),
        (FedimintClient, FedimintThreshold),
    ];
    for (n, (from, to)) in steps.into_iter().enumerate() {
        world.rebind(&format!("r{n}"), &format!("2026-05-0{}T00:00:00Z", n + 1), from, to, None);
    }
    let ledgers = world.ledgers();
    assert!(ledgers.rebind.gaps.is_empty());
    assert_eq!(ledgers.rebind.states[&"bc1quser".into()], FedimintThreshold);
}

#[test]
fn custody_follows_rotations_until_the_second_of_the_graduation() {
    let mut world = World::new();
    world.descriptor("d1", "bc1quser");
    let custody = |world: &World, at: UnixSeconds| world.ledgers().rebind.custody_at("bc1quser", at);
    assert_eq!(custody(&world, time(DAY_1)), Custody::Federation(descriptor_id("d1")));
    world.rotation("x", "d1", "d2", DAY_2);
    world.graduation("g", "d2", DAY_3);
    assert_eq!(custody(&world, time(DAY_2).plus(-1)), Custody::Federation(descriptor_id("d1")));
    assert_eq!(custody(&world, time(DAY_2)), Custody::Federation(descriptor_id("d2")));
    assert_eq!(custody(&world, time(DAY_3).plus(-1)), Custody::Federation(descriptor_id("d2")));
    assert_eq!(custody(&world, time(DAY_3)), Custody::SingleKey);
    assert_eq!(world.ledgers().rebind.custody_at("bc1qstranger", time(DAY_3)), Custody::Unknown);
}

#[test]
fn of_a_fork_the_anchored_branch_is_followed_on_equal_times() {
    let mut world = World::new();
    world.rotation("x", "d1", "d2", DAY_1);
    world.rotation("y", "d1", "d3", DAY_1);
    world.anchor(digest("y"), 10, DAY_1);
    let custody = world.ledgers().rebind.custody_at("bc1quser", time(DAY_2));
    assert_eq!(custody, Custody::Federation(descriptor_id("d3")));
}

#[test]
fn of_two_rebinds_of_one_instant_the_anchored_one_comes_first() {
    // Both namings, so that the order of ids decides nothing.
    for (first, second) in [("r1", "r2"), ("r2", "r1")] {
        let mut world = World::new();
        world.rebind(first, DAY_1, FedimintThreshold, FedimintClient, None);
        world.rebind(second, DAY_1, FedimintClient, Bip322, None);
        world.anchor(digest(first), 10, DAY_1);
        let ledgers = world.ledgers();
        assert!(ledgers.rebind.gaps.is_empty(), "{first} then {second}");
        assert_eq!(ledgers.rebind.states[&"bc1quser".into()], Bip322);
    }
}
