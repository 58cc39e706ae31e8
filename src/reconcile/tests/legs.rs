//! The rails around the honest payout of 39 and deposit of 100,000 satoshi: log entries and records by hand.

use super::*;
use crate::domain::OperationId;

/// One entry; `n` tells it from others.
pub(super) fn entry(
    scene: &mut Scene,
    module: &str,
    kind: &str,
    change: impl FnOnce(&mut PaymentLogEntry),
) -> EvidenceId {
    scene.declared.payment_log = true;
    let (_, mut entry) = logged("nothing", kind);
    (entry.module, entry.payment_hash, entry.amount_msat) = (module.into(), None, None);
    entry.id = scene.world.set.payment_log.len() as u64;
    change(&mut entry);
    let id = evidence(&format!("{module} {kind} {}", entry.id));
    scene.world.set.payment_log.push((id, entry));
    id
}

pub(super) fn operation(name: &str) -> OperationId {
    digest(name).to_hex().into()
}

pub(super) fn hex(name: &str) -> String {
    hash(name).to_string()
}

/// Started and succeeded as `ln` logs it: the operation stands in one entry, the hash in the other, the contract in both.
pub(super) fn sent(scene: &mut Scene, of_operation: &str, of_hash: &str, amount_msat: u64, fee_msat: u64) {
    let contract = Some(digest(&format!("contract of {of_operation} and {of_hash}")));
    entry(scene, "ln", "outgoing-payment-started", |entry| {
        (entry.operation, entry.contract, entry.amount_msat) =
            (Some(operation(of_operation)), contract, Some(amount_msat));
    });
    entry(scene, "ln", "outgoing-payment-succeeded", |entry| {
        entry.payment_hash = Some(hash(of_hash));
        (entry.contract, entry.contract_msat) = (contract, Some(amount_msat + fee_msat));
    });
}

/// The claim of that operation.
pub(super) fn accepted(scene: &mut Scene, of_operation: &str) -> EvidenceId {
    entry(scene, "", "tx-accepted", |entry| entry.operation = Some(operation(of_operation)))
}

pub(super) fn payout_fee(scene: &mut Scene, fee: u64) {
    scene.change_settlement("payout", |x| x.event.fee = Some(sats(fee)));
}

/// The payout through `ln`, charged that much, claimed.
pub(super) fn charged(scene: &mut Scene, fee_msat: u64) {
    sent(scene, "payout", "payout", 39_000, fee_msat);
    accepted(scene, "payout");
}

/// What the node says about the payout.
pub(super) fn routed(scene: &mut Scene, fee_msat: Option<u64>, state: InvoiceState) {
    scene.declared.invoices = true;
    let (id, mut record) = invoice("payout", 39_000, 39_000, state);
    record.fee_msat = fee_msat;
    scene.world.set.invoices.push((id, record));
    scene.world.set.invoices.push(invoice("deposit", 100_000_000, 100_000_000, InvoiceState::Settled));
}
