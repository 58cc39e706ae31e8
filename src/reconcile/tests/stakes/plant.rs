//! The honest world with one thing changed.

use super::super::custody::observe;
use super::super::legs::{charged, payout_fee};
use super::super::statement::{root, totals};
use super::super::*;
use crate::verify::invoice as bolt11;

pub(super) fn deposit(scene: &mut Scene, amount: u64, change: impl FnOnce(&mut SignedSettlement)) {
    scene.world.settlement("small deposit", SettlementKind::EscrowDeposit, |event| event.amount = sats(amount));
    scene.change_settlement("small deposit", change);
}

pub(super) fn adjustment(scene: &mut Scene, note: Option<&str>) {
    scene.world.settlement("adjustment", SettlementKind::Adjustment, |event| {
        (event.direction, event.amount, event.payment_hash) = (Direction::In, sats(7), None);
        event.note = note.map(str::to_owned);
    });
}

/// 5 satoshi more to the user of the batch, in a payment of their own.
pub(super) fn paid_again(scene: &mut Scene, binding: &str) {
    scene.world.payout("payout again", "2026-05-13T00:00:00Z", 5);
    scene.change_settlement("payout again", |x| x.event.payout_binding = Some(binding.to_owned()));
}

pub(super) fn pay(scene: &mut Scene, amount: u64) {
    scene.change_settlement("payout", |x| x.event.amount = sats(amount));
}

pub(super) fn pay_at(scene: &mut Scene, at: &str) {
    scene.change_settlement("payout", |x| x.event.settled_at = time(at));
}

pub(super) fn pay_to(scene: &mut Scene, user: &str) {
    scene.change_settlement("payout", |x| x.event.user = Some(user.into()));
}

/// The payout says 3 satoshi of fee, and the gateway charged this.
pub(super) fn charged_for(scene: &mut Scene, fee_msat: u64) {
    payout_fee(scene, 3);
    charged(scene, fee_msat);
}

/// The gateway says that the payout failed, and the node that it is paid.
pub(super) fn failed(scene: &mut Scene, then_succeeded: bool) {
    log_all(scene);
    scene.world.set.payment_log.push(logged("payout", "outgoing-payment-failed"));
    scene.world.set.invoices.push(invoice("payout", 39_000, 39_000, InvoiceState::Settled));
    if !then_succeeded {
        scene.world.set.payment_log.remove(&logged("payout", "outgoing-payment-succeeded").0).unwrap();
    }
}

pub(super) fn fund(scene: &mut Scene, amount: u64) {
    scene.change_settlement("deposit", |x| x.event.amount = sats(amount));
}

/// 100,000 sats came in and 39 went out.
pub(super) fn seen(scene: &mut Scene, msat: u64) {
    observe(scene, "2026-06-30T00:00:00Z", msat);
}

/// The deposit's invoice asked for all of it, and this was received.
pub(super) fn received(scene: &mut Scene, msat: u64) {
    with_invoice(scene, 100_000_000, msat, InvoiceState::Settled);
}

/// The deposit's record with that text, as verification takes it.
pub(super) fn shown(scene: &mut Scene, text: Option<&str>) {
    received(scene, 100_000_000);
    let (id, _) = invoice("deposit", 0, 0, InvoiceState::Settled);
    let mut record = scene.world.set.invoices.remove(&id).unwrap();
    record.bolt11 = text.map(str::to_owned);
    let (kept, found) = bolt11::judge(record, id);
    if let Some(record) = kept {
        scene.world.set.invoices.push((id, record));
    }
    scene.world.set.findings.extend(found);
}

/// The statement's only line about that user.
pub(super) fn state(scene: &mut Scene, user: &str, sats: i64) {
    scene.world.set.balances.retain(|(_, line)| line.user != user.into());
    scene.world.set.balances.push((evidence(&format!("line of {user}")), line(user, sats)));
}

/// The statement says that its one user is owed so much.
pub(super) fn state_total(scene: &mut Scene, sats: i64) {
    totals(scene, 1, sats, root(&[("bc1quser", 0)]));
}
