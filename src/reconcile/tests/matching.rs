//! Goal: keys join a settlement to its payment; what they leave unclear is told, and nothing is guessed.
//! Method: log entries and records by hand around the honest payout of 39 and deposit of 100,000 satoshi.

use super::legs::{accepted, entry, hex, operation, routed, sent};
use super::*;

pub(super) const MATCHES: &[Case<Scene>] = &[
    (
        // The operation's own payment has another hash, and the settlement's hash is another payment.
        Code::MatchContradiction,
        |s| {
            sent(s, "payout", "another", 39_000, 0);
            sent(s, "a stranger", "payout", 39_000, 0);
        },
        |s| {
            sent(s, "payout", "payout", 39_000, 0);
            sent(s, "a stranger", "another", 39_000, 0);
        },
    ),
    (
        // One rule alone contradicts nothing.
        Code::MatchContradiction,
        |s| {
            sent(s, "payout", "another", 39_000, 0);
            entry(s, "ln", "outgoing-payment-succeeded", |e| e.payment_hash = Some(hash("payout")));
        },
        |s| sent(s, "payout", "another", 39_000, 0),
    ),
    (
        // The gateway numbers both; a client's own number is the other side of the same payment.
        Code::MatchContradiction,
        |s| {
            entry(s, "ln", "outgoing-payment-started", |e| e.operation = Some(operation("payout")));
            sent(s, "a stranger", "payout", 39_000, 0);
        },
        |s| {
            entry(s, "ln", "payment-send", |e| e.operation = Some(operation("payout")));
            sent(s, "the gateway's number", "payout", 39_000, 0);
        },
    ),
    (
        // A claim under the operation is no payment of its own.
        Code::MatchContradiction,
        |s| {
            sent(s, "deposit", "another", 39_000, 0);
            routed(s, None, InvoiceState::Settled);
        },
        |s| {
            accepted(s, "deposit");
            routed(s, None, InvoiceState::Settled);
        },
    ),
    (Code::MatchContradiction, |s| by_chain(s, "another tx"), |s| by_chain(s, "tx")),
    (Code::MatchAmbiguous, |s| twins(s, 2, |_, _| ()), |s| twins(s, 1, |_, _| ())),
    (
        // The window is an hour either way, to the microsecond.
        Code::MatchAmbiguous,
        |s| twins(s, 2, |at, e| e.at.0 += [3_600_000_000, -3_600_000_000][at]),
        |s| twins(s, 2, |at, e| e.at.0 += [3_600_000_001, -3_600_000_000][at]),
    ),
    (
        Code::MatchAmbiguous,
        |s| twins(s, 2, |_, _| ()),
        |s| twins(s, 2, |at, e| e.amount_msat = Some(7_000 + at as u64)),
    ),
    (
        // What went out is no candidate of what came in.
        Code::MatchAmbiguous,
        |s| twins(s, 2, |_, _| ()),
        |s| twins(s, 2, |at, e| e.kind = ["incoming-payment-succeeded", "outgoing-payment-succeeded"][at].into()),
    ),
    (
        Code::MatchAmbiguous,
        |s| twins(s, 2, |_, _| ()),
        |s| twins(s, 2, |at, e| e.kind = ["incoming-payment-succeeded", "incoming-payment-failed"][at].into()),
    ),
    (
        // A key of its own, and what no settlement needs.
        Code::MatchAmbiguous,
        |s| twins(s, 2, |_, _| ()),
        |s| {
            twins(s, 2, |_, _| ());
            s.change_settlement("keyless", |x| x.event.payment_hash = Some(hex("nothing that is logged")));
        },
    ),
    (
        Code::MatchAmbiguous,
        |s| twins(s, 2, |_, _| ()),
        |s| {
            twins(s, 2, |_, _| ());
            s.change_settlement("keyless", |x| x.event.txid = Some(hex("a transaction")));
        },
    ),
    (
        // A leg that another settlement joins by key is free no more.
        Code::MatchAmbiguous,
        |s| twins(s, 2, |_, _| ()),
        |s| {
            twins(s, 2, |_, _| ());
            s.change_settlement("deposit", |x| x.event.payment_hash = Some(hex("twin 1")));
        },
    ),
    (
        // One leg for two settlements is unique on one side only.
        Code::MatchAmbiguous,
        |s| {
            twins(s, 1, |_, _| ());
            keyless(s, "keyless too");
        },
        |s| {
            twins(s, 1, |_, _| ());
            keyless(s, "keyless too");
            s.change_settlement("keyless too", |x| x.event.amount = sats(8));
        },
    ),
    (
        // Paid records are legs too; one of another project is none of ours, an expired one no payment.
        Code::MatchAmbiguous,
        |s| recorded_twins(s, |_| ()),
        |s| recorded_twins(s, |record| record.project = Some("pk_other".into())),
    ),
    (
        Code::MatchAmbiguous,
        |s| recorded_twins(s, |record| record.project = Some("pk_test_co".into())),
        |s| recorded_twins(s, |record| (record.state, record.received_msat) = (InvoiceState::Expired, None)),
    ),
    (
        // What stays inside custody has no leg.
        Code::MatchAmbiguous,
        |s| rebated(s, Some("out")),
        |s| rebated(s, None),
    ),
];

/// A rebate without a key, and two payments that went out; without a destination it stays inside custody.
fn rebated(scene: &mut Scene, destination: Option<&str>) {
    twins(scene, 2, |_, entry| entry.kind = "outgoing-payment-succeeded".into());
    scene.change_settlement("keyless", |x| {
        (x.event.kind, x.event.direction) = (SettlementKind::EscrowRebate, Direction::Out);
        x.event.destination = destination.map(str::to_owned);
    });
}

/// A payout by operation and by transaction; the wallet's own entry names that transaction.
fn by_chain(scene: &mut Scene, logged: &str) {
    scene.change_settlement("payout", |x| (x.event.txid, x.event.payment_hash) = (Some(hex("tx")), None));
    let txid = |name: &str| Some(hash(name).0);
    entry(scene, "wallet", "payment-send-status", |e| {
        (e.operation, e.txid) = (Some(operation("payout")), txid(logged));
    });
    entry(scene, "wallet", "withdraw-request", |e| e.txid = txid("tx"));
}

/// An adjustment of 7 satoshi that came in, without any key.
pub(super) fn keyless(scene: &mut Scene, name: &str) {
    scene.world.settlement(name, SettlementKind::Adjustment, |event| {
        (event.direction, event.amount, event.payment_hash) = (Direction::In, sats(7), None);
        (event.settled_at, event.note) = (time("2026-05-12T00:00:00Z"), Some("ticket 12".to_owned()));
    });
}

/// A settlement without a key, and so many payments of its amount in its second.
pub(super) fn twins(scene: &mut Scene, count: usize, change: fn(usize, &mut PaymentLogEntry)) {
    keyless(scene, "keyless");
    for at in 0..count {
        entry(scene, "ln", "incoming-payment-succeeded", |entry| {
            (entry.payment_hash, entry.amount_msat) = (Some(hash(&format!("twin {at}"))), Some(7_000));
            change(at, entry);
        });
    }
}

/// As [`twins`], one of them an invoice record.
fn recorded_twins(scene: &mut Scene, change: impl FnOnce(&mut InvoiceRecord)) {
    twins(scene, 1, |_, _| ());
    scene.declared.invoices = true;
    let (id, mut record) = invoice("recorded twin", 7_000, 7_000, InvoiceState::Settled);
    record.settled_at = Some(time("2026-05-12T00:59:59Z"));
    change(&mut record);
    scene.world.set.invoices.push((id, record));
}

#[test]
fn every_match_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), MATCHES, open);
}
