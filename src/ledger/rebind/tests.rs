//! Goal: every code of the rebind ledger has one case that produces it and one near miss; custody resolves as in FORMATS 8.6.
//! Method: a table over hand-made verified sets.

use std::collections::BTreeMap;

use crate::domain::{BindingId, Code, DescriptorId, Digest32, PublicKey32};
use crate::evidence::CustodyState::{Bip322, FedimintClient, FedimintThreshold};
use crate::evidence::{BindingMessage, CustodyState};
use crate::ledger::testkit::{Case, World, assert_table, changed, descriptor_id, digest, evidence, id, micros, time};
use crate::verify::{HeaderTrust, SignedBinding, Verified};

use super::TrustLevel::{Assumed, BitcoinProven, Contested, Signed};
use super::{CustodyAt, Transition, TrustLevel};

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
        // A graduation whose signed bytes say so, and one whose signed bytes say nothing.
        Code::RebInvariant,
        |w| w.graduation_changing("g", "d1", DAY_1, &["tier"]),
        |w| w.graduation_changing("g", "d1", DAY_1, &[]),
    ),
    (
        Code::RebInvariant,
        |w| {
            w.graduation("g", "d1", DAY_1);
            w.rebind("r1", DAY_2, FedimintThreshold, Bip322, None);
            w.rebind_mut("r1", |r| r.changed = vec![changed("rate")]);
        },
        // Whoever changes federation may have another rate there.
        |w| {
            w.rebind("r1", DAY_2, FedimintThreshold, FedimintClient, None);
            w.rebind_mut("r1", |r| r.changed = vec![changed("rate")]);
        },
    ),
    (
        Code::RebInvariant,
        |w| {
            w.descriptor("d1", "bc1qother");
            enters(w, "d1");
        },
        |w| {
            w.descriptor("d1", "bc1quser");
            enters(w, "d1");
        },
    ),
    (
        // Of somebody whose address nobody knows the descriptor may be.
        Code::RebInvariant,
        |w| {
            w.descriptor("d1", "bc1qother");
            enters(w, "d1");
            w.rebind_mut("enters", |r| r.user = "1Legacy".into());
        },
        |w| {
            w.descriptor("d1", "bc1qother");
            enters(w, "d1");
            w.rebind_mut("enters", |r| r.user = "did:oc:1".into());
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

fn fed(name: &str) -> String {
    format!("fed:{}", digest(name))
}

/// The operator says that `bc1quser` came under that descriptor, before the first of May.
fn enters(world: &mut World, descriptor: &str) {
    world.rebind("enters", "2026-04-01T00:00:00Z", Bip322, FedimintThreshold, None);
    world.rebind_mut("enters", |r| r.to_federation = Some(fed(descriptor)));
}

fn at(world: &World, who: &str, at: &str) -> CustodyAt {
    let ledgers = world.ledgers();
    ledgers.rebind.custody_at(&ledgers.people, &who.into(), micros(at))
}

/// State, descriptor and trust level of `bc1quser`.
fn answer(world: &World, when: &str) -> (Option<CustodyState>, Option<DescriptorId>, TrustLevel) {
    let answer = at(world, "bc1quser", when);
    (answer.state, answer.descriptor, answer.trust)
}

fn bind(world: &mut World, principal: &str, address: &str) {
    let message = BindingMessage {
        principal: principal.to_owned(),
        btc: address.to_owned(),
        npub: format!("npub of {address}"),
        nostr_key: PublicKey32::from_bytes([7; 32]),
        nonce: "00".repeat(16),
        issued_at: micros(DAY_1),
        extensions: BTreeMap::new(),
    };
    let id = BindingId(digest(address));
    world.set.bindings.insert(id, Verified::assumed(SignedBinding { id, message }, evidence(principal)));
}

fn ids(transitions: &[Transition]) -> Vec<Digest32> {
    transitions.iter().map(|one| one.id).collect()
}

#[test]
fn custody_follows_rotations_until_the_second_of_the_graduation() {
    let mut world = World::new();
    world.descriptor("d1", "bc1quser");
    let guarded = |name| Some(descriptor_id(name));
    assert_eq!(answer(&world, DAY_1), (Some(FedimintThreshold), guarded("d1"), Assumed));
    world.rotation("x", "d1", "d2", DAY_2);
    world.graduation("g", "d2", DAY_3);
    assert_eq!(answer(&world, "2026-05-01T23:59:59Z"), (Some(FedimintThreshold), guarded("d1"), Assumed));
    assert_eq!(answer(&world, DAY_2), (Some(FedimintThreshold), guarded("d2"), Signed));
    assert_eq!(answer(&world, "2026-05-02T23:59:59Z"), (Some(FedimintThreshold), guarded("d2"), Signed));
    assert_eq!(answer(&world, DAY_3), (Some(Bip322), None, Signed));
    assert_eq!(at(&world, "bc1qstranger", DAY_3).state, None);
}

#[test]
fn of_a_fork_the_anchored_branch_is_followed_on_equal_times() {
    let mut world = World::new();
    world.rotation("x", "d1", "d2", DAY_1);
    world.rotation("y", "d1", "d3", DAY_1);
    world.anchor(digest("y"), 10, DAY_1);
    let answer = at(&world, "bc1quser", DAY_2);
    assert_eq!((answer.descriptor, answer.forked, answer.trust), (Some(descriptor_id("d3")), true, Contested));
    assert_eq!(ids(&answer.support), [digest("y")]);
    assert_eq!(ids(&answer.disputed), [digest("y"), digest("x")]);
    // Before both nothing was contested.
    assert_eq!(at(&world, "bc1quser", "2026-04-30T23:59:59Z").trust, Assumed);
}

#[test]
fn a_later_rival_contests_the_rotation_that_is_followed_and_none_before_it() {
    let mut world = World::new();
    enters(&mut world, "d0");
    world.rotation("w", "d0", "d1", DAY_1);
    world.rotation("x", "d1", "d2", DAY_2);
    world.rotation("y", "d1", "d3", "2026-05-04T00:00:00Z");
    assert_eq!(answer(&world, DAY_1), (Some(FedimintThreshold), Some(descriptor_id("d1")), Signed));
    assert_eq!(answer(&world, DAY_3), (Some(FedimintThreshold), Some(descriptor_id("d2")), Contested));
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

#[test]
fn a_claim_that_its_block_contradicts_counts_from_the_block_on() {
    // Claimed a day after its block, and after the second; by its block it came first.
    let world = |block: Option<&str>| {
        let mut world = World::new();
        world.rebind("r1", DAY_3, Bip322, FedimintThreshold, None);
        world.rebind("r2", "2026-05-02T12:00:00Z", FedimintThreshold, FedimintClient, None);
        if let Some(block) = block {
            world.anchor(digest("r1"), 10, block);
        }
        world
    };
    let bounded = world(Some(DAY_2));
    assert_eq!(bounded.ledgers().rebind.gaps.len(), 0);
    assert_eq!(answer(&bounded, DAY_2), (Some(FedimintThreshold), None, BitcoinProven));
    let first = &at(&bounded, "bc1quser", DAY_2).support[0].dated;
    assert_eq!((first.claimed, first.effective, first.not_after()), (micros(DAY_3), micros(DAY_2), Some(time(DAY_2))));
    assert_eq!(answer(&bounded, DAY_3), (Some(FedimintClient), None, Signed));
    // Near misses: no block, and a block within its slack.
    for near in [world(None), world(Some("2026-05-02T22:00:00Z"))] {
        assert!(near.ledgers().rebind.gaps.contains(&id("r1")));
        assert_eq!(answer(&near, DAY_3).2, Contested);
    }
}

#[test]
fn an_isolated_header_bounds_and_proves_nothing() {
    let mut world = World::new();
    world.rebind("r1", DAY_3, Bip322, FedimintThreshold, None);
    world.anchor(digest("r1"), 10, DAY_1);
    world.set.anchors.get_mut(&digest("r1")).unwrap().confirmed[0].trust = HeaderTrust::Isolated;
    assert!(codes(&world).contains(&Code::RebAnchorTime));
    assert_eq!(answer(&world, DAY_2).2, Assumed);
    assert_eq!(answer(&world, DAY_3), (Some(FedimintThreshold), None, Signed));
}

#[test]
fn an_answer_is_bitcoin_proven_from_the_last_block_that_it_needs() {
    let mut world = World::new();
    world.rebind("r1", DAY_1, Bip322, FedimintThreshold, None);
    world.rebind_mut("r1", |r| r.to_federation = Some(fed("d1")));
    world.rotation("x", "d1", "d2", "2026-05-01T10:00:00Z");
    world.anchor(digest("r1"), 10, "2026-05-01T03:00:00Z");
    world.anchor(digest("x"), 11, DAY_2);
    let levels = [
        (DAY_1, Signed),
        ("2026-05-01T03:00:00Z", BitcoinProven),
        ("2026-05-01T10:00:00Z", Signed),
        ("2026-05-01T23:59:59Z", Signed),
        (DAY_2, BitcoinProven),
    ];
    for (when, level) in levels {
        assert_eq!(answer(&world, when).2, level, "{when}");
    }
}

#[test]
fn a_return_re_enters_the_named_descriptor_else_the_only_one_else_none() {
    let named = format!("fed:{}", digest("d2"));
    for (name, descriptors, expected, trust) in [
        (Some(named.as_str()), &["d1"][..], Some("d2"), Signed),
        (None, &["d1"], Some("d1"), Assumed),
        (Some("a slug"), &["d1"], Some("d1"), Assumed),
        (None, &["d1", "d2"], None, Signed),
        (None, &[], None, Signed),
    ] {
        let mut world = World::new();
        for descriptor in descriptors {
            world.descriptor(descriptor, "bc1quser");
        }
        world.rebind("r1", DAY_1, FedimintThreshold, Bip322, None);
        world.rebind("r2", DAY_2, Bip322, FedimintThreshold, Some("r1"));
        world.rebind_mut("r2", |r| r.to_federation = name.map(str::to_owned));
        assert_eq!(answer(&world, DAY_1), (Some(Bip322), None, Signed));
        assert_eq!(answer(&world, DAY_2), (Some(FedimintThreshold), expected.map(descriptor_id), trust), "{name:?}");
    }
}

#[test]
fn another_federation_is_never_the_one_that_is_left() {
    let mut world = World::new();
    world.descriptor("d1", "bc1quser");
    world.rebind("r1", DAY_1, FedimintThreshold, FedimintClient, None);
    assert_eq!(answer(&world, DAY_1), (Some(FedimintClient), None, Signed));
    world.descriptor("d2", "bc1quser");
    world.rebind_mut("r1", |r| r.from_federation = Some(format!("fed:{}", digest("d1"))));
    assert_eq!(answer(&world, DAY_1), (Some(FedimintClient), Some(descriptor_id("d2")), Assumed));
}

#[test]
fn a_graduation_to_another_federation_is_one_that_the_user_picked() {
    let mut world = World::new();
    world.graduation("g", "d1", DAY_1);
    let mut graduation = world.set.graduations[&digest("g")].fact().clone();
    (graduation.to, graduation.to_federation) = ("federation".to_owned(), Some(descriptor_id("d5")));
    world.set.graduations.insert(digest("g"), Verified::assumed(graduation, evidence("g")));
    // Guardians who were left rotate themselves: that is nobody's custody.
    world.rotation("x", "d1", "d2", DAY_2);
    assert_eq!(answer(&world, DAY_3), (Some(FedimintClient), Some(descriptor_id("d5")), Signed));
}

#[test]
fn a_rotation_out_of_a_descriptor_that_is_not_active_contests_since_the_one_before_it() {
    let mut world = World::new();
    world.rotation("x", "d1", "d2", DAY_1);
    world.rotation("y", "d3", "d4", DAY_3);
    assert_eq!(at(&world, "bc1quser", "2026-04-30T00:00:00Z").trust, Assumed);
    for when in [DAY_1, DAY_3] {
        assert_eq!(answer(&world, when), (Some(FedimintThreshold), Some(descriptor_id("d2")), Contested));
    }
    let mut near = World::new();
    enters(&mut near, "d1");
    near.rotation("x", "d1", "d2", DAY_1);
    near.rotation("y", "d2", "d4", DAY_3);
    assert_eq!(answer(&near, DAY_1).2, Signed);
}

#[test]
fn a_gap_contests_the_time_since_the_transition_before_it() {
    let mut world = World::new();
    world.rebind("r1", DAY_1, Bip322, FedimintThreshold, None);
    world.rebind("r2", DAY_2, FedimintThreshold, FedimintClient, None);
    world.rebind("r3", "2026-05-04T00:00:00Z", Bip322, FedimintThreshold, None);
    assert_eq!(answer(&world, DAY_1).2, Signed);
    assert_eq!(answer(&world, DAY_2).2, Contested);
    assert_eq!(ids(&at(&world, "bc1quser", DAY_2).disputed), [digest("r3")]);
    assert_eq!(answer(&world, "2026-05-05T00:00:00Z").2, Contested);
}

#[test]
fn a_bound_address_and_its_did_have_one_timeline() {
    let did = "did:oc:00000000000000000000000000000001";
    let mut world = World::new();
    world.graduation("g", "d1", DAY_1);
    world.rebind("r1", DAY_1, FedimintThreshold, Bip322, None);
    world.rebind("r2", DAY_2, Bip322, FedimintClient, Some("r1"));
    world.rebind_mut("r2", |r| r.user = did.into());
    // Nobody says yet that they are one: a chain that begins with a predecessor nobody holds.
    assert_eq!(codes(&world), [Code::RebGap]);
    assert_eq!(answer(&world, DAY_2), (Some(Bip322), None, Signed));
    bind(&mut world, did, "bc1quser");
    assert_eq!(codes(&world), []);
    for who in [did, "bc1quser", "npub of bc1quser"] {
        assert_eq!((at(&world, who, DAY_1).state, at(&world, who, DAY_2).state), (Some(Bip322), Some(FedimintClient)));
        assert_eq!(at(&world, who, DAY_2).principal.as_str(), did);
    }
}

#[test]
fn guardians_whom_neither_operator_nor_user_names_are_assumed() {
    // A stranger's descriptors and rotation, with and without a rebind of the operator that names no descriptor.
    for is_rebound in [false, true] {
        let mut world = World::new();
        world.descriptor("d1", "bc1quser");
        world.descriptor("d2", "bc1quser");
        if is_rebound {
            world.rebind("r1", DAY_1, FedimintThreshold, FedimintClient, None);
        }
        world.rotation("x", "d1", "d2", DAY_2);
        world.rotation("y", "d2", "d3", "2026-05-02T12:00:00Z");
        world.anchor(digest("x"), 10, DAY_2);
        for (when, active) in [(DAY_2, "d2"), (DAY_3, "d3")] {
            let found = answer(&world, when);
            assert_eq!((found.1, found.2), (Some(descriptor_id(active)), Assumed), "{is_rebound} {when}");
        }
    }
    // Near misses: the operator, or the user, names the descriptor that the rotation leaves, or the one that it enters.
    for named in ["d1", "d2"] {
        let mut world = World::new();
        world.rotation("x", "d1", "d2", DAY_2);
        world.graduation("g", named, "2026-05-04T00:00:00Z");
        let expected = if named == "d2" { Signed } else { Contested };
        assert_eq!(answer(&world, DAY_2).2, expected, "{named}");
        let mut world = World::new();
        world.rebind("r1", DAY_1, Bip322, FedimintThreshold, None);
        world.rebind_mut("r1", |r| r.to_federation = Some(fed("d1")));
        world.rotation("x", "d1", "d2", DAY_2);
        assert_eq!(answer(&world, DAY_3).2, Signed);
    }
}

#[test]
fn a_block_that_is_not_final_proves_nothing_yet() {
    let mut world = World::new();
    world.rebind("r1", DAY_1, Bip322, FedimintThreshold, None);
    world.anchor(digest("r1"), 10, DAY_1);
    assert_eq!(answer(&world, DAY_2).2, BitcoinProven);
    world.set.anchors.get_mut(&digest("r1")).unwrap().confirmed[0].is_final = false;
    assert_eq!(answer(&world, DAY_2).2, Signed);
}

#[test]
fn a_claim_counts_from_its_microsecond_on() {
    let mut world = World::new();
    world.rebind("r1", "2026-05-01T00:00:00.062Z", FedimintThreshold, Bip322, None);
    world.graduation("g", "d1", "2026-04-30T00:00:00Z");
    for (when, followed) in [(DAY_1, 1), ("2026-05-01T00:00:00.061999Z", 1), ("2026-05-01T00:00:00.062Z", 2)] {
        assert_eq!(at(&world, "bc1quser", when).support.len(), followed, "{when}");
    }
}

#[test]
fn a_round_trip_is_no_fork() {
    let mut world = World::new();
    enters(&mut world, "d1");
    world.rotation("x", "d1", "d2", DAY_1);
    world.rotation("y", "d2", "d1", DAY_2);
    world.rotation("z", "d1", "d2", DAY_3);
    assert!(!codes(&world).contains(&Code::RebFork));
    assert_eq!(answer(&world, DAY_3), (Some(FedimintThreshold), Some(descriptor_id("d2")), Signed));
    // Near miss: the return comes after both, and a third rotation after it forks with none.
    let mut world = World::new();
    world.rotation("w", "d1", "d3", DAY_1);
    world.rotation("x", "d1", "d2", DAY_2);
    world.rotation("y", "d3", "d1", "2026-05-02T12:00:00Z");
    world.rotation("z", "d1", "d4", DAY_3);
    let ledgers = world.ledgers();
    assert_eq!(ledgers.rebind.forked, [digest("w"), digest("x")].into());
}

#[test]
fn a_return_by_graduation_is_a_return_even_if_custody_moved_on() {
    let mut world = World::new();
    world.rotation("x", "d1", "d2", DAY_1);
    world.graduation("back", "d2", "2026-05-01T06:00:00Z");
    let mut back = world.set.graduations[&digest("back")].fact().clone();
    (back.to, back.to_federation) = ("federation".to_owned(), Some(descriptor_id("d1")));
    world.set.graduations.insert(digest("back"), Verified::assumed(back, evidence("back")));
    world.graduation("own", "d1", DAY_2);
    world.rotation("z", "d1", "d3", DAY_3);
    assert!(!codes(&world).contains(&Code::RebFork));
    // Near miss: the graduation enters another descriptor.
    let mut elsewhere = world.set.graduations[&digest("back")].fact().clone();
    elsewhere.to_federation = Some(descriptor_id("d4"));
    world.set.graduations.insert(digest("back"), Verified::assumed(elsewhere, evidence("back")));
    assert!(codes(&world).contains(&Code::RebFork));
}

#[test]
fn a_rebind_from_the_state_that_a_graduation_left_is_no_gap() {
    let world = |to: &str, from| {
        let mut world = World::new();
        world.rebind("r1", DAY_1, Bip322, FedimintThreshold, None);
        world.graduation("g", "d1", DAY_2);
        let mut graduation = world.set.graduations[&digest("g")].fact().clone();
        graduation.to = to.to_owned();
        world.set.graduations.insert(digest("g"), Verified::assumed(graduation, evidence("g")));
        world.rebind("r2", DAY_3, from, FedimintThreshold, Some("r1"));
        world
    };
    assert!(world("single-key", Bip322).ledgers().rebind.gaps.is_empty());
    assert!(world("federation", FedimintClient).ledgers().rebind.gaps.is_empty());
    // Near misses: from another state than the one it left; the graduation came later; it was somebody else's.
    assert_eq!(world("federation", Bip322).ledgers().rebind.gaps, [id("r2")].into());
    let mut later = world("single-key", Bip322);
    later.rebind_mut("r2", |r| r.at = micros("2026-05-01T12:00:00Z"));
    assert_eq!(later.ledgers().rebind.gaps, [id("r2")].into());
    let mut foreign = world("single-key", Bip322);
    foreign.rebind_mut("r1", |r| r.user = "bc1qother".into());
    foreign.rebind_mut("r2", |r| r.user = "bc1qother".into());
    assert_eq!(foreign.ledgers().rebind.gaps, [id("r2")].into());
}
