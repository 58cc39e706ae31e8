//! Goal: payouts, escrow, rails and balances: each code has a case and a near miss.
//! Method: tables over the worked example.

use super::*;

const PAYOUTS: &[Case<Scene>] = &[
    (Code::SetOrphan, |s| s.change_settlement("payout", |x| x.event.user = Some("bc1qstranger".into())), |_| ()),
    (
        Code::SetOrphan,
        |s| s.change_settlement("payout", |x| x.event.distribution = Some(digest("no batch").to_hex())),
        |_| (),
    ),
    (
        // A payout may name a drop manifest that is held, and no other artifact.
        Code::SetOrphan,
        |s| {
            s.world.event("no manifest", |e| e.occurred_at = micros("2026-06-29T00:00:00Z"));
            s.change_settlement("payout", |x| x.event.distribution = Some(digest("no manifest").to_hex()));
        },
        |s| {
            s.world.drop_manifest("manifest", manifest("w", &[], 0, 0));
            s.change_settlement("payout", |x| x.event.distribution = Some(digest("manifest").to_hex()));
        },
    ),
    // Due after 7 days and 3 days of grace; the as-of is 2026-06-30.
    (Code::SetMissing, |s| unpaid_share(s, "2026-06-19T23:59:59Z"), |s| unpaid_share(s, "2026-06-20T00:00:00Z")),
    (
        Code::SetMissing,
        |s| {
            s.world.distribution("batch", &[("bc1quser", 39), ("bc1qother", 1)], Some(40));
        },
        |s| s.world.distribution("batch", &[("bc1quser", 39)], Some(39)),
    ),
    (
        Code::SetLate,
        |s| s.change_settlement("payout", |x| x.event.settled_at = time("2026-05-14T12:00:01Z")),
        |s| s.change_settlement("payout", |x| x.event.settled_at = time("2026-05-14T12:00:00Z")),
    ),
    (
        Code::SetEarly,
        |s| {
            maturing_until_2026_05_10(s);
            s.change_settlement("payout", |x| x.event.settled_at = time("2026-05-09T23:59:59Z"));
        },
        |s| {
            maturing_until_2026_05_10(s);
            s.change_settlement("payout", |x| x.event.settled_at = time("2026-05-10T00:00:00Z"));
        },
    ),
    (Code::UserOverpaid, |s| s.change_settlement("payout", |x| x.event.amount = sats(40)), |_| ()),
    (
        // Paid before it was even earned.
        Code::UserOverpaid,
        |s| s.change_settlement("payout", |x| x.event.settled_at = time("2026-05-04T11:59:59Z")),
        |s| s.change_settlement("payout", |x| x.event.settled_at = time("2026-05-04T12:00:00Z")),
    ),
    (Code::AmtMismatch, |s| s.change_settlement("payout", |x| x.event.amount = sats(38)), |_| ()),
    (
        Code::UnitSuspect,
        |s| s.change_settlement("payout", |x| x.event.amount = sats(39_000)),
        |s| s.change_settlement("payout", |x| x.event.amount = sats(39_001)),
    ),
    (
        Code::DistClosure,
        |s| s.world.distribution("batch", &[("bc1quser", 39)], Some(40)),
        |s| s.world.distribution("batch", &[("bc1quser", 39)], None),
    ),
];

pub(super) fn maturing_until_2026_05_10(scene: &mut Scene) {
    scene.world.event("e", |event| {
        (event.gross, event.platform, event.user_earned, event.rebate) = (sats(60), sats(12), sats(39), sats(9));
        in_window(event, "w_1", None);
    });
    scene.world.drop_manifest("m", manifest("w_1", &["e"], 60, 39));
}

const ESCROW: &[Case<Scene>] = &[
    (
        // 59 sats do not cover a gross of 60; equal amounts do.
        Code::EscUnfunded,
        |s| s.change_settlement("deposit", |x| x.event.amount = sats(59)),
        |s| s.change_settlement("deposit", |x| x.event.amount = sats(60)),
    ),
    (
        // A deposit of the same second counts first.
        Code::EscUnfunded,
        |s| s.change_settlement("deposit", |x| x.event.settled_at = time("2026-05-04T12:00:01Z")),
        |s| s.change_settlement("deposit", |x| x.event.settled_at = time("2026-05-04T12:00:00Z")),
    ),
    (
        // The earned rebate of 9 counts after the fact: 60 - 9 = 51 is what is finally needed.
        Code::EscNegative,
        |s| s.change_settlement("deposit", |x| x.event.amount = sats(50)),
        |s| s.change_settlement("deposit", |x| x.event.amount = sats(51)),
    ),
    (
        Code::EscNeverFunded,
        |s| drop(s.world.set.settlements.remove(&digest("deposit"))),
        |s| s.change_settlement("deposit", |x| x.event.amount = sats(1)),
    ),
    (Code::PlatformOveraccrued, |s| accrual(s, 13), |s| accrual(s, 12)),
    (
        Code::ConsCustody,
        |s| drop(s.world.set.settlements.remove(&digest("deposit"))),
        |s| s.change_settlement("deposit", |x| x.event.amount = sats(39)),
    ),
];

pub(super) fn accrual(scene: &mut Scene, amount: u64) {
    scene.world.settlement("accrual", SettlementKind::PlatformAccrual, |event| {
        event.amount = sats(amount);
        event.settled_at = time("2026-05-20T00:00:00Z");
        event.payment_hash = None;
    });
}

const RAILS: &[Case<Scene>] = &[
    (
        Code::InvState,
        |s| with_invoice(s, 100_000_000, 0, InvoiceState::Expired),
        |s| with_invoice(s, 100_000_000, 100_000_000, InvoiceState::Settled),
    ),
    (
        Code::InvUnderpaid,
        |s| with_invoice(s, 100_000_000, 99_999_999, InvoiceState::Settled),
        |s| with_invoice(s, 100_000_000, 100_000_000, InvoiceState::Settled),
    ),
    (
        Code::InvOverpaid,
        |s| with_invoice(s, 100_000_000, 100_001_000, InvoiceState::Settled),
        |s| with_invoice(s, 100_000_000, 100_000_999, InvoiceState::Settled),
    ),
    (
        Code::AmtResidue,
        |s| with_invoice(s, 100_000_000, 100_000_999, InvoiceState::Settled),
        |s| with_invoice(s, 100_000_000, 100_000_000, InvoiceState::Settled),
    ),
    (
        Code::AmtMismatch,
        |s| with_invoice(s, 99_999_000, 99_999_000, InvoiceState::Settled),
        |s| with_invoice(s, 99_999_000, 100_000_000, InvoiceState::Settled),
    ),
    (
        Code::UnitSuspect,
        |s| with_invoice(s, 100_000, 100_000, InvoiceState::Settled),
        |s| with_invoice(s, 101_000, 101_000, InvoiceState::Settled),
    ),
    (
        Code::Unverifiable,
        |s| {
            s.declared.invoices = true;
            s.world.set.invoices.push(invoice("something else", 1, 1, InvoiceState::Settled));
        },
        |s| with_invoice(s, 100_000_000, 100_000_000, InvoiceState::Settled),
    ),
    (
        Code::GwForeign,
        |s| {
            log_all(s);
            s.world.set.payment_log.push(logged("a stranger's payment", "incoming-payment-succeeded"));
        },
        log_all,
    ),
    (
        Code::GwPhantom,
        |s| {
            log_all(s);
            s.world.set.payment_log.push(logged("payout", "outgoing-payment-failed"));
            s.world.set.payment_log.remove(&logged("payout", "outgoing-payment-succeeded").0).unwrap();
            s.world.set.invoices.push(invoice("payout", 39_000, 39_000, InvoiceState::Settled));
        },
        |s| {
            log_all(s);
            s.world.set.payment_log.push(logged("payout", "outgoing-payment-failed"));
            s.world.set.invoices.push(invoice("payout", 39_000, 39_000, InvoiceState::Settled));
        },
    ),
];

const BALANCES: &[Case<Scene>] = &[
    (
        Code::BalanceMismatch,
        |s| s.world.set.balances[0].1.balance_sats = Some(1),
        |s| s.world.set.balances[0].1.balance_sats = None,
    ),
    (
        Code::BalanceMismatch,
        |s| s.world.set.balances[0].1.maturing_sats = Some(39),
        |s| s.world.set.balances[0].1.maturing_sats = Some(0),
    ),
    (
        Code::BalanceMissingUser,
        |s| unpaid_share(s, "2026-06-25T00:00:00Z"),
        |s| {
            unpaid_share(s, "2026-06-25T00:00:00Z");
            s.world.set.balances.push((evidence("line 2"), line("bc1qunpaid", 39)));
        },
    ),
    (
        Code::BalanceExtraUser,
        |s| s.world.set.balances.push((evidence("line 2"), line("bc1qnobody", 1))),
        |s| s.world.set.balances.push((evidence("line 2"), line("bc1qnobody", 0))),
    ),
];

#[test]
fn every_payout_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), PAYOUTS, open);
}

#[test]
fn every_escrow_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), ESCROW, open);
}

#[test]
fn every_rail_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), RAILS, open);
}

#[test]
fn every_balance_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), BALANCES, open);
}

/// FORMATS 10: available = earned - maturing - paid + adjust; adjust = in - out.
#[test]
fn a_balance_is_earned_less_paid_plus_adjustments() {
    let mut scene = Scene::honest();
    scene.world.event("maturing", |event| in_window(event, "w_open", None));
    for (name, direction, amount) in [("in", Direction::In, 7), ("out", Direction::Out, 2)] {
        scene.world.settlement(name, SettlementKind::Adjustment, |event| {
            (event.direction, event.amount) = (direction, sats(amount));
            (event.user, event.note) = (Some("bc1quser".into()), Some("ticket 12".to_owned()));
        });
    }
    // Earned 39 + 65 (maturing), paid 39, adjusted 7 - 2.
    let reported = |balance, available, maturing| BalanceLine {
        available_sats: Some(available),
        maturing_sats: Some(maturing),
        ..line("bc1quser", balance)
    };
    scene.world.set.balances[0].1 = reported(70, 5, 65);
    let result = scene.run();
    assert!(!result.divergences.iter().any(|divergence| divergence.code == Code::BalanceMismatch));
    assert_eq!(result.balances.sum_sats, 70);
    scene.world.set.balances[0].1 = reported(70, 6, 65);
    assert_eq!(one(&scene.run(), Code::BalanceMismatch).observed, "available_sats=6");
}
