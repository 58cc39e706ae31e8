//! Goal: routing fees are held against their bases and the client's limit, to the millisatoshi.
//! Method: log entries and records by hand around the honest payout of 39 satoshi.

use super::legs::{charged, entry, hex, operation, payout_fee, routed, sent};
use super::*;

pub(super) const FEES: &[Case<Scene>] = &[
    // 100 sat and 1.5 % of 39 sat are 100,585 msat.
    (Code::FeeLimit, |s| payout_fee(s, 101), |s| payout_fee(s, 100)),
    // 1.5 % of 200 sat are 3 sat: equal to the limit is inside, one satoshi more is not.
    (
        Code::FeeLimit,
        |s| s.change_settlement("payout", |x| (x.event.amount, x.event.fee) = (sats(200), Some(sats(104)))),
        |s| s.change_settlement("payout", |x| (x.event.amount, x.event.fee) = (sats(200), Some(sats(103)))),
    ),
    (
        // 103 sat of 199 sat are 15 msat above.
        Code::FeeLimit,
        |s| s.change_settlement("payout", |x| (x.event.amount, x.event.fee) = (sats(199), Some(sats(103)))),
        |s| s.change_settlement("payout", |x| (x.event.amount, x.event.fee) = (sats(199), Some(sats(102)))),
    ),
    (
        // Miners are not bound by a Lightning client.
        Code::FeeLimit,
        |s| s.change_settlement("payout", |x| (x.event.fee, x.event.txid) = (Some(sats(500)), Some(hex("tx")))),
        |s| {
            s.change_settlement("payout", |x| {
                (x.event.fee, x.event.txid, x.event.payment_hash) = (Some(sats(500)), Some(hex("tx")), None);
            });
        },
    ),
    (
        // What came in has no fee of ours.
        Code::FeeLimit,
        |s| payout_fee(s, 1_601),
        |s| s.change_settlement("deposit", |x| x.event.fee = Some(sats(1_601))),
    ),
    (
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 3);
            charged(s, 2_999);
        },
        |s| {
            payout_fee(s, 3);
            charged(s, 3_000);
        },
    ),
    (
        // Flooring: 3,999 millisatoshi are 3 satoshi, 4,000 are 4.
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 3);
            charged(s, 4_000);
        },
        |s| {
            payout_fee(s, 3);
            charged(s, 3_999);
        },
    ),
    (
        // The route's cost is a basis as good as the gateway's charge.
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 3);
            charged(s, 10_150);
            routed(s, Some(4_000), InvoiceState::Settled);
        },
        |s| {
            payout_fee(s, 3);
            charged(s, 10_150);
            routed(s, Some(3_100), InvoiceState::Settled);
        },
    ),
    (
        // A failed attempt cost nothing: its fee is no basis, so none is known.
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 3);
            routed(s, Some(9_000), InvoiceState::Settled);
        },
        |s| {
            payout_fee(s, 3);
            routed(s, Some(9_000), InvoiceState::Cancelled);
        },
    ),
    (
        // A client's own log states the fee.
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 3);
            entry(s, "lnv2", "payment-send", |e| (e.operation, e.fee_msat) = (Some(operation("payout")), Some(5_000)));
        },
        |s| {
            payout_fee(s, 3);
            entry(s, "lnv2", "payment-send", |e| e.operation = Some(operation("payout")));
        },
    ),
    (
        // A settlement that states no fee claims none.
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 0);
            charged(s, 5_000);
        },
        |s| charged(s, 5_000),
    ),
    (
        // Another payment's fee is no basis.
        Code::FeeSettlement,
        |s| {
            payout_fee(s, 3);
            sent(s, "payout", "payout", 39_000, 5_000);
            sent(s, "a stranger", "a stranger", 39_000, 3_000);
        },
        |s| {
            payout_fee(s, 3);
            sent(s, "a stranger", "a stranger", 39_000, 5_000);
        },
    ),
];

#[test]
fn every_fee_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), FEES, open);
}
