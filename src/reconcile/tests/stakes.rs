//! Goal: every code of runbook steps 4 and 5 is about an amount, which then stands in its divergence to the millisatoshi, or
//! about none, for a reason that is written here; a near miss is about nothing.
//! Method: every amount follows from the numbers of its case. The honest world pays in 100,000 sats, bills 60 with a platform's
//! fee of 12, a share of 39 and a rebate of 9, and pays the 39 out.

mod plant;
mod without;

use self::plant::{
    adjustment, charged_for, deposit, failed, fund, paid_again, pay, pay_at, pay_to, received, seen, shown, state,
    state_total,
};
use self::without::{NOT_PLANTED, WITHOUT};
use super::custody::audited;
use super::joined::rebate_of;
use super::legs::{accepted, charged, payout_fee, sent};
use super::paying::{accrual, maturing_until_2026_05_10};
use super::*;
use crate::domain::{MsatDelta, Step};

/// What produces the code, what must not, and the millisatoshi at stake.
type Stake = (Code, fn(&mut Scene), fn(&mut Scene), i128);

const SETTLEMENTS: &[Stake] = &[
    (
        Code::DirWrong,
        |s| deposit(s, 5, |x| x.event.direction = Direction::Out),
        |s| deposit(s, 5, |x| x.event.direction = Direction::In),
        5_000,
    ),
    (Code::AdjUnexplained, |s| adjustment(s, None), |s| adjustment(s, Some("ticket 12")), 7_000),
    (
        // The surplus is what one payment was settled for beyond the largest of its settlements.
        Code::SetDupPayout,
        |s| deposit(s, 7, |x| x.event.payment_hash = Some(hash("deposit").to_string())),
        |s| deposit(s, 7, |_| ()),
        7_000,
    ),
    (Code::SetDupPayout, |s| paid_again(s, "binding"), |s| paid_again(s, "another binding"), 5_000),
    // A project, a user, a batch, a recipient that nobody knows; more rebate than was earned.
    (
        Code::SetOrphan,
        |s| deposit(s, 5, |x| x.event.project = Some("pk_nobody".into())),
        |s| deposit(s, 5, |_| ()),
        5_000,
    ),
    (Code::SetOrphan, |s| pay_to(s, "bc1qstranger"), |s| pay_to(s, "bc1quser"), 39_000),
    (
        Code::SetOrphan,
        |s| s.change_settlement("payout", |x| x.event.distribution = Some(digest("no batch").to_hex())),
        |s| {
            s.world.drop_manifest("manifest", manifest("w", &[], 0, 0));
            s.change_settlement("payout", |x| x.event.distribution = Some(digest("manifest").to_hex()));
        },
        39_000,
    ),
    (
        Code::SetOrphan,
        |s| {
            unpaid_share(s, "2026-05-04T12:00:00Z");
            pay_to(s, "bc1qunpaid");
        },
        |s| {
            unpaid_share(s, "2026-05-04T12:00:00Z");
            pay_to(s, "bc1qunpaid");
            s.world.distribution("batch", &[("bc1qunpaid", 39)], Some(39));
        },
        39_000,
    ),
    (Code::SetOrphan, |s| rebate_of(s, 10, "2026-05-05T00:00:00Z"), |s| rebate_of(s, 9, "2026-05-05T00:00:00Z"), 1_000),
];

const PAYOUTS: &[Stake] = &[
    (
        Code::AmtMismatch,
        |s| pay(s, 38),
        |s| {
            pay(s, 38);
            s.world.distribution("batch", &[("bc1quser", 38)], Some(38));
        },
        1_000,
    ),
    (Code::UnitSuspect, |s| pay(s, 39_000), |s| pay(s, 39_001), 38_961_000),
    (Code::UserOverpaid, |s| pay(s, 42), |s| pay(s, 38), 3_000),
    (Code::SetLate, |s| pay_at(s, "2026-05-14T12:00:01Z"), |s| pay_at(s, "2026-05-14T12:00:00Z"), 39_000),
    (
        Code::SetEarly,
        |s| {
            maturing_until_2026_05_10(s);
            pay_at(s, "2026-05-09T23:59:59Z");
        },
        |s| {
            maturing_until_2026_05_10(s);
            pay_at(s, "2026-05-10T00:00:00Z");
        },
        39_000,
    ),
    (
        Code::SetMissing,
        |s| s.world.distribution("batch", &[("bc1quser", 39), ("bc1qother", 2)], Some(41)),
        |s| s.world.distribution("batch", &[("bc1quser", 39), ("bc1qother", 0)], Some(39)),
        2_000,
    ),
    (
        // Listed as explained: what is not due yet is owed all the same.
        Code::SetPending,
        |s| unpaid_share(s, "2026-06-20T00:00:00Z"),
        |s| unpaid_share(s, "2026-06-19T23:59:59Z"),
        39_000,
    ),
    (
        Code::DistClosure,
        |s| s.world.distribution("batch", &[("bc1quser", 39)], Some(46)),
        |s| s.world.distribution("batch", &[("bc1quser", 39)], None),
        7_000,
    ),
    // 100 sat and 1.5 % of 39 sat are 100,585 msat.
    (Code::FeeLimit, |s| payout_fee(s, 101), |s| payout_fee(s, 100), 415),
    (Code::FeeSettlement, |s| charged_for(s, 4_500), |s| charged_for(s, 3_999), 1_500),
    (
        Code::GwOpen,
        |s| {
            sent(s, "payout", "payout", 39_000, 0);
            accepted(s, "another");
        },
        |s| charged(s, 0),
        39_000,
    ),
    (Code::GwPhantom, |s| failed(s, false), |s| failed(s, true), 39_000),
];

const FUNDS: &[Stake] = &[
    (Code::EscUnfunded, |s| fund(s, 55), |s| fund(s, 60), 5_000),
    // The earned rebate counts after the fact: 60 - 9 = 51 is what is finally needed.
    (Code::EscNegative, |s| fund(s, 48), |s| fund(s, 51), 3_000),
    (Code::EscNeverFunded, |s| drop(s.world.set.settlements.remove(&digest("deposit"))), |s| fund(s, 1), 60_000),
    (Code::ConsCustody, |s| drop(s.world.set.settlements.remove(&digest("deposit"))), |s| fund(s, 39), 39_000),
    (Code::PlatformOveraccrued, |s| accrual(s, 15), |s| accrual(s, 12), 3_000),
    (Code::CustodyDrift, |s| seen(s, 99_960_999), |s| seen(s, 99_961_000), 1),
    (Code::CustodyDrift, |s| seen(s, 99_963_500), |s| seen(s, 99_961_000), 2_500),
    (Code::CustodyDrift, |s| audited(s, -5, &[]), |s| audited(s, 0, &[]), 5),
    (
        Code::CustodyDrift,
        |s| audited(s, 0, &[("mint", -99_960_990), ("wallet", 99_960_990)]),
        |s| audited(s, 0, &[("mint", -99_961_000), ("wallet", 99_961_000)]),
        10,
    ),
    (Code::InvUnderpaid, |s| received(s, 99_999_998), |s| received(s, 100_000_000), 2),
    (Code::InvOverpaid, |s| received(s, 100_001_001), |s| received(s, 100_000_999), 1_001),
    (Code::AmtResidue, |s| received(s, 100_000_998), |s| received(s, 100_000_000), 998),
    (
        Code::InvState,
        |s| with_invoice(s, 100_000_000, 0, InvoiceState::Expired),
        |s| received(s, 100_000_000),
        100_000_000,
    ),
    (Code::InvBad, |s| shown(s, Some("lnbc1 is no invoice")), |s| shown(s, None), 100_000_000),
];

const BALANCES: &[Stake] = &[
    (Code::BalanceMismatch, |s| state(s, "bc1quser", -5), |s| state(s, "bc1quser", 0), 5_000),
    (
        Code::BalanceMissingUser,
        |s| unpaid_share(s, "2026-06-25T00:00:00Z"),
        |s| {
            unpaid_share(s, "2026-06-25T00:00:00Z");
            state(s, "bc1qunpaid", 39);
        },
        39_000,
    ),
    (Code::BalanceExtraUser, |s| state(s, "bc1qnobody", 6), |s| state(s, "bc1qnobody", 0), 6_000),
    (Code::BalanceRoot, |s| state_total(s, 3), |s| state_total(s, 0), 3_000),
];

fn stakes() -> impl Iterator<Item = &'static Stake> {
    [SETTLEMENTS, PAYOUTS, FUNDS, BALANCES].into_iter().flatten()
}

#[test]
fn every_code_of_settlement_and_balances_is_planted_and_about_an_amount_or_says_why_not() {
    let of_steps = |code: &&Code| matches!(code.step(), Step::Settlement | Step::Balances);
    let expected: Vec<Code> = Code::ALL.iter().filter(of_steps).copied().collect();
    let with: BTreeSet<Code> = stakes().map(|(code, ..)| *code).collect();
    let without: BTreeSet<Code> = WITHOUT.iter().map(|(code, ..)| *code).chain([NOT_PLANTED]).collect();
    assert_eq!(WITHOUT.len() + 1, without.len(), "one reason each");
    assert_eq!(with.intersection(&without).collect::<Vec<_>>(), Vec::<&Code>::new());
    let listed: Vec<Code> = with.union(&without).copied().collect();
    assert_eq!(listed, expected);
}

#[test]
fn what_is_at_stake_is_the_difference_or_the_amount_that_is_missing() {
    for (row, (code, produce, near_miss, msat)) in stakes().enumerate() {
        let (mut wrong, mut right) = (Scene::honest(), Scene::honest());
        produce(&mut wrong);
        near_miss(&mut right);
        let run = wrong.run();
        let of_code: Vec<_> = run.divergences.iter().filter(|one| one.code == *code).collect();
        assert_eq!(of_code.len(), 1, "row {row}, {code}: {:#?}", run.divergences);
        assert_eq!(of_code[0].at_stake, Some(MsatDelta(*msat)), "row {row}, {code}");
        assert_eq!(run.by_code_sats[code], msat.div_euclid(1000), "row {row}, {code}");
        assert!(!all(&right).contains(code), "row {row}: {code} came from the near miss");
    }
}

#[test]
fn what_is_about_no_amount_has_none_at_stake() {
    for (code, produce, near_miss, why) in WITHOUT {
        let (mut wrong, mut right) = (Scene::honest(), Scene::honest());
        produce(&mut wrong);
        near_miss(&mut right);
        let run = wrong.run();
        let of_code = || run.divergences.iter().filter(|one| one.code == *code);
        assert!(of_code().count() > 0, "{code} was not produced");
        assert!(of_code().all(|one| one.at_stake.is_none()), "{code}: {why}");
        assert!(!run.by_code_sats.contains_key(code), "{code}: {why}");
        assert!(!all(&right).contains(code), "{code} came from the near miss");
    }
}
