//! Goal: double entry holds, the worked example of TREASURY 5.2 comes out to the millisatoshi, bugs of ours are seen.
//! Method: hand-made facts through `rebuild`; unbalanced and overflowing entries straight into the book.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, EvidenceId, MsatDelta, SettlementKind, UnixMicros, UnixSeconds};
use crate::evidence::{InvoiceRecord, InvoiceState};
use crate::ledger::testkit::{World, digest, evidence, has, id, in_window, manifest, sats, time, worked_example};

mod books;

use super::account::{Account, Posting};
use super::book::{Book, trial};
use super::entry::{Entry, EntryKey, Fact, Tier};
use super::roll::Unposted;

#[test]
fn the_worked_example_of_the_specification_comes_out() {
    let treasury = worked_example().ledgers().treasury;
    let balance = |account: Account| treasury.balance(&account).0;
    assert_eq!(balance(Account::Custody("oc-me-v1".into())), 99_958_000);
    assert_eq!(balance(Account::Escrow("pk_test_co".into())), -99_949_000);
    assert_eq!(balance(Account::PlatformAccrued), -9_000);
    assert_eq!(balance(Account::UserAvailable("bc1quser".into())), 0);
    assert_eq!(balance(Account::Rebate("pk_test_co".into())), 0);
    let view = treasury.view();
    assert_eq!(view.trial_balance.values().sum::<i128>(), 0);
    assert_eq!(view.trial_balance["A:Custody"], 99_958_000);
    assert_eq!((view.totals["custody_msat"], view.totals["liabilities_msat"]), (99_958_000, 99_958_000));
    assert_eq!((view.totals["entries"], view.entries), (4, 4));
}

#[test]
fn vestings_come_window_by_window_and_user_by_user_each_with_its_members() {
    let mut world = World::new();
    let (windows, users) = (["w_b", "w_c", "w_a"], ["bc1qz", "bc1qa", "bc1qm"]);
    let mut expected: BTreeMap<(&str, &str), BTreeSet<EvidenceId>> = BTreeMap::new();
    for number in 0..60 {
        let (name, window, user) = (format!("e{number}"), windows[number % 3], users[number % 7 % 3]);
        world.event(&name, |event| {
            in_window(event, window, None);
            event.user = user.into();
        });
        expected.entry((window, user)).or_default().insert(evidence(&name));
    }
    for window in windows {
        world.drop_manifest(window, manifest(window, &[], 0, 0));
    }
    let vested: Vec<_> = world
        .entries()
        .into_iter()
        .filter_map(|entry| match entry.key.fact {
            Fact::Vesting(window, user) => Some((window, user, entry.evidence)),
            _ => None,
        })
        .collect();
    assert_eq!(vested.len(), 9);
    let expected = expected.into_iter().map(|((window, user), members)| {
        (window.into(), user.into(), members.into_iter().collect::<Vec<EvidenceId>>())
    });
    assert!(vested.into_iter().eq(expected));
}

#[test]
fn a_share_matures_and_then_vests() {
    let mut world = World::new();
    world.event("e", |event| in_window(event, "w_1", None));
    let maturing = Account::UserMaturing("bc1quser".into(), "w_1".into());
    let available = Account::UserAvailable("bc1quser".into());
    let treasury = world.ledgers().treasury;
    assert_eq!((treasury.balance(&maturing).0, treasury.balance(&available).0), (-65_000, 0));
    world.drop_manifest("m", manifest("w_1", &["e"], 100, 65));
    let treasury = world.ledgers().treasury;
    assert_eq!((treasury.balance(&maturing).0, treasury.balance(&available).0), (0, -65_000));
}

#[test]
fn parts_that_do_not_add_up_go_to_suspense() {
    let mut world = World::new();
    world.event("e", |event| event.rebate = sats(10));
    assert_eq!(world.ledgers().treasury.balance(&Account::Suspense("FEE_SPLIT")).0, -5_000);
}

#[test]
fn of_two_events_under_one_operation_the_first_is_posted() {
    let mut world = World::new();
    for (name, at) in [("late", "2026-05-02T00:00:00Z"), ("first", "2026-05-01T00:00:00Z")] {
        world.settlement(name, SettlementKind::EscrowDeposit, |event| {
            event.operation = "one operation".into();
            event.settled_at = time(at);
        });
    }
    let treasury = world.ledgers().treasury;
    assert_eq!(treasury.balance(&Account::Custody("oc-me-v1".into())).0, 1_000_000);
    assert_eq!(treasury.unposted[&digest("late")], Unposted::Conflict(digest("first")));
    assert!(treasury.is_posted(&digest("first")));
}

#[test]
fn a_settlement_after_the_as_of_is_not_posted() {
    let mut world = World::new();
    world.settlement("s", SettlementKind::EscrowDeposit, |event| event.settled_at = time("2026-06-30T00:00:01Z"));
    let ledgers = world.ledgers();
    assert!(world.entries().is_empty());
    assert!(has(&ledgers.findings, Code::EnvTime));
    world.settlement("s", SettlementKind::EscrowDeposit, |event| event.settled_at = time("2026-06-30T00:00:00Z"));
    let ledgers = world.ledgers();
    assert_eq!(world.entries().len(), 1);
    assert!(!has(&ledgers.findings, Code::EnvTime));
}

fn paid(name: &str, received: u64) -> (EvidenceId, InvoiceRecord) {
    let record = InvoiceRecord {
        payment_hash: digest(&format!("hash of {name}")).to_hex().parse().unwrap(),
        preimage: None,
        asked_msat: Some(1_000_000),
        received_msat: Some(received),
        fee_msat: None,
        state: InvoiceState::Settled,
        settled_at: None,
        bolt11: None,
        index: None,
        project: None,
        dialect: crate::evidence::InvoiceDialect::Plain,
    };
    (evidence(&format!("invoice of {name}")), record)
}

#[test]
fn an_overpayment_goes_to_suspense_and_its_residue_to_rounding() {
    let mut world = World::new();
    world.settlement("d", SettlementKind::EscrowDeposit, |_| ());
    world.set.invoices.push(paid("d", 1_002_345));
    let treasury = world.ledgers().treasury;
    assert_eq!(treasury.balance(&Account::Custody("oc-me-v1".into())).0, 1_002_345);
    assert_eq!(treasury.balance(&Account::Suspense("INV_OVERPAID")).0, -2_000);
    assert_eq!(treasury.balance(&Account::Rounding("oc-me-v1".into())).0, -345);
    assert_eq!(world.entries()[0].tier, Tier::T2);
    // A factor of exactly 1000 is a unit error: no money is invented for it.
    let (id, record) = paid("d", 1_000_000_000);
    world.set.invoices.insert(id, record);
    assert_eq!(world.ledgers().treasury.balance(&Account::Custody("oc-me-v1".into())).0, 1_000_000);
}

#[test]
fn a_wrong_direction_moves_custody_as_signed_against_suspense() {
    let mut world = World::new();
    world.settlement("s", SettlementKind::EscrowDeposit, |event| event.direction = crate::domain::Direction::Out);
    let treasury = world.ledgers().treasury;
    assert_eq!(treasury.balance(&Account::Custody("oc-me-v1".into())).0, -1_000_000);
    assert_eq!(treasury.balance(&Account::Suspense("DIR_WRONG")).0, 1_000_000);
}

#[test]
fn a_rebate_or_accrual_leaves_custody_only_with_a_destination() {
    let custody = |kind: SettlementKind, destination: Option<&str>| {
        let mut world = World::new();
        world.settlement("s", kind, |event| event.destination = destination.map(str::to_owned));
        world.ledgers().treasury.balance(&Account::Custody("oc-me-v1".into())).0
    };
    for kind in [SettlementKind::EscrowRebate, SettlementKind::PlatformAccrual] {
        assert_eq!(custody(kind, None), 0, "{kind}");
        assert_eq!(custody(kind, Some("somewhere")), -1_000_000, "{kind}");
    }
}

fn entry(deltas: &[(Account, i128)]) -> Entry {
    Entry {
        key: EntryKey { at: UnixMicros::from(UnixSeconds(0)), rank: 0, fact: Fact::Envelope(id("e")) },
        kind: "envelope",
        postings: deltas
            .iter()
            .map(|(account, delta)| Posting { account: account.clone(), delta: MsatDelta(*delta) })
            .collect(),
        evidence: Vec::new(),
        tier: Tier::T1,
    }
}

#[test]
fn an_entry_that_does_not_sum_to_zero_is_our_bug_and_is_not_posted() {
    let mut book = Book::default();
    let unbalanced = entry(&[(Account::PlatformAccrued, 5), (Account::PlatformSettled, -4)]);
    assert_eq!(book.post(&unbalanced).unwrap_err().code, Code::ConsBug);
    assert_eq!(book.balance(&Account::PlatformAccrued), MsatDelta::ZERO);
    assert!(book.post(&entry(&[(Account::PlatformAccrued, 5), (Account::PlatformSettled, -5)])).is_ok());
    let balances = book.close();
    let held = || balances.iter().map(|(_, balance)| balance);
    assert_eq!(held().collect::<Vec<_>>(), [MsatDelta(5), MsatDelta(-5)]);
    assert_eq!(trial(held()), None);
    assert_eq!(trial(held().chain([MsatDelta(1)])).map(|finding| finding.code), Some(Code::ConsBug));
}

#[test]
fn a_payment_that_has_landed_leaves_no_account_and_stays_in_the_trial_balance() {
    let (flight, other) = (|| Account::InFlight("one".into()), || Account::InFlight("two".into()));
    let mut book = Book::default();
    let mut post = |deltas: &[(Account, i128)]| assert!(book.post(&entry(deltas)).is_ok());
    post(&[(flight(), 5), (Account::Custody("fed".into()), -5)]);
    post(&[(other(), 7), (Account::Custody("fed".into()), -7)]);
    post(&[(flight(), -5), (Account::PlatformAccrued, 5)]);
    assert_eq!(book.after(), [MsatDelta::ZERO, MsatDelta(5)]);
    let landed = book.close();
    assert_eq!((landed.of(&flight()), landed.of(&other())), (MsatDelta::ZERO, MsatDelta(7)));
    assert!(landed.iter().all(|(account, _)| *account != flight()));
    let mut book = Book::default();
    for delta in [5, -5] {
        assert!(book.post(&entry(&[(flight(), delta), (Account::PlatformAccrued, -delta)])).is_ok());
    }
    let of_classes: Vec<_> = book.close().by_class().into_iter().collect();
    assert_eq!(of_classes, [("A:InFlight", 0), ("L:Platform:Accrued", 0)]);
}

#[test]
fn a_sum_that_leaves_128_bits_is_a_finding_and_never_wraps() {
    let mut book = Book::default();
    let huge = || entry(&[(Account::PlatformAccrued, i128::MAX), (Account::PlatformSettled, -i128::MAX)]);
    assert!(book.post(&huge()).is_ok());
    assert_eq!(book.post(&huge()).unwrap_err().code, Code::AmtRange);
    assert_eq!(book.balance(&Account::PlatformAccrued), MsatDelta(i128::MAX));
}
