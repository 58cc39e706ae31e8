//! Goal: a rebuild is a function of the set alone, and money is conserved whatever the facts are.
//! Method: random facts; the unordered parts of the set are shuffled and the envelopes inserted in another order.

use proptest::prelude::*;

use crate::domain::{Code, SettlementKind, UnixMicros};
use crate::ledger::testkit::{World, digest, evidence, in_window, plain_config, sats, time};
use crate::verify::Verified;

use super::{LedgerLeaves, LedgerView};

/// (user, window, gross, user share, seconds after the start)
type Billed = (u8, Option<u8>, u64, u64, i64);
/// (kind, amount, fee, seconds after the start, operation)
type Settled = (usize, u64, Option<u64>, i64, u8);

fn billed() -> impl Strategy<Value = Billed> {
    (0_u8..4, proptest::option::of(0_u8..3), 0_u64..1_000_000, 0_u64..1_000_000, 0_i64..10_000_000)
}

fn settled() -> impl Strategy<Value = Settled> {
    (0_usize..7, 0_u64..1_000_000, proptest::option::of(0_u64..100), 0_i64..10_000_000, 0_u8..8)
}

fn world(events: &[Billed], settlements: &[Settled]) -> World {
    let mut world = World::new();
    let start = time("2026-04-01T00:00:00Z");
    for (n, (user, window, gross, share, at)) in events.iter().enumerate() {
        world.event(&format!("e{n}"), |event| {
            event.user = format!("user-{user}").into();
            event.occurred_at = UnixMicros::from(start.plus(*at));
            (event.gross, event.user_earned) = (sats(*gross), sats(*share));
            if let Some(window) = window {
                in_window(event, &format!("w_{window}"), Some(100));
            }
        });
    }
    for (n, (kind, amount, fee, at, operation)) in settlements.iter().enumerate() {
        world.settlement(&format!("s{n}"), SettlementKind::ALL[*kind], |event| {
            event.operation = format!("operation-{operation}").into();
            event.settled_at = start.plus(*at);
            (event.amount, event.fee) = (sats(*amount), fee.map(sats));
            event.user = (operation % 2 == 0).then(|| "user-0".into());
            event.destination = (operation % 3 == 0).then(|| "somewhere".to_owned());
        });
    }
    let mut older = plain_config();
    older.updated_at = None;
    world.set.configs.push((evidence("undated"), older));
    world.tip(100, "2026-06-01T00:00:00Z");
    world
}

fn leaves(world: &World) -> Vec<LedgerLeaves> {
    world.ledgers().leaves(&world.set, &world.policy, world.as_of)
}

fn views(world: &World) -> Vec<LedgerView> {
    world.ledgers().views()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_evidence_changes_no_view(
        events in proptest::collection::vec(billed(), 0..12),
        settlements in proptest::collection::vec(settled(), 0..12),
    ) {
        let straight = world(&events, &settlements);
        let mut turned = straight.clone();
        turned.set.configs.reverse();
        turned.set.envelopes = straight.set.envelopes.iter().collect::<Vec<_>>().into_iter().rev().collect();
        turned.set.settlements = straight.set.settlements.iter().collect::<Vec<_>>().into_iter().rev().collect();
        prop_assert_eq!(views(&straight), views(&turned));
        prop_assert_eq!(straight.ledgers().findings, turned.ledgers().findings);
    }

    #[test]
    fn money_is_conserved_whatever_the_facts(
        events in proptest::collection::vec(billed(), 0..12),
        settlements in proptest::collection::vec(settled(), 0..12),
    ) {
        let world = world(&events, &settlements);
        let ledgers = world.ledgers();
        for entry in world.entries() {
            prop_assert_eq!(entry.postings.iter().map(|posting| posting.delta.0).sum::<i128>(), 0);
        }
        let view = ledgers.treasury.view();
        prop_assert_eq!(view.trial_balance.values().sum::<i128>(), 0);
        prop_assert_eq!(view.totals["custody_msat"], view.totals["liabilities_msat"]);
        prop_assert!(!ledgers.findings.iter().any(|finding| matches!(finding.code, Code::ConsBug | Code::AmtRange)));
    }
}

#[test]
fn the_views_come_in_their_order_and_an_empty_set_has_no_leaves() {
    let mut world = World::new();
    world.set.configs.clear();
    let views = world.ledgers().views();
    let names: Vec<&str> = views.iter().map(|view| view.name).collect();
    assert_eq!(names, ["envelope", "rebind", "treasury", "attestations", "projects"]);
    assert!(views.iter().all(|view| view.entries == 0));
}

#[test]
fn a_carrier_changes_no_leaf() {
    let mut world = World::new();
    world.event("e", |_| ());
    world.settlement("s", SettlementKind::EscrowDeposit, |_| ());
    let before = views(&world);
    let id = crate::domain::EnvelopeId(digest("e"));
    let fact = world.set.envelopes.get(&id).unwrap().fact().clone();
    world.set.envelopes.insert(id, Verified::assumed(fact, evidence("another carrier")));
    assert_eq!(views(&world), before);
}

#[test]
fn a_leaf_holds_amounts_times_and_identity_in_sorted_json() {
    let mut world = World::new();
    world.settlement("s", SettlementKind::EscrowDeposit, |_| ());
    let leaf = String::from_utf8(leaves(&world)[2].leaves[0].clone()).unwrap();
    let expected = format!(
        r#"{{"at_micros":1777593600000000,"postings":[["A:Custody:oc-me-v1","1000000"],["L:Escrow:pk_test_co","-1000000"]],"settlement":"{}","tier":"T1","type":"escrow.deposit"}}"#,
        digest("s")
    );
    assert_eq!(leaf, expected);
}
