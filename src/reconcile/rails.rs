//! Step 4, rails: settlements against Lightning invoice records and the gateway's log, joined by payment hash.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, EvidenceId, Finding, MsatDelta, OperationId, PaymentHash, Subject};
use crate::evidence::{InvoiceRecord, InvoiceState};
use crate::ledger::{Movement, movement};

use super::audit::Audit;
use super::payouts::amounts_differ;
use super::reconciler::Input;
use super::settlements::Posted;

pub(super) fn check(input: &Input<'_>, posted: &[Posted<'_>], audit: &mut Audit) {
    let lightning: Vec<(&Posted<'_>, PaymentHash)> = posted
        .iter()
        .filter_map(|settlement| Some((settlement, settlement.event.payment_hash.as_ref()?.parse().ok()?)))
        .collect();
    if input.declared.invoices {
        invoices(input, &lightning, audit);
    }
    if input.declared.payment_log {
        log(input, &lightning, audit);
    }
}

/// The best record by hash: a paid one, else the lowest id.
fn records<'a>(input: &Input<'a>) -> BTreeMap<PaymentHash, (EvidenceId, &'a InvoiceRecord)> {
    let rank = |record: &InvoiceRecord, id: EvidenceId| {
        (record.state != InvoiceState::Settled, record.received_msat.is_none(), record.received_msat, id)
    };
    let mut best: BTreeMap<PaymentHash, (EvidenceId, &InvoiceRecord)> = BTreeMap::new();
    for (id, record) in &input.set.invoices {
        let held = best.get(&record.payment_hash);
        if held.is_none_or(|(held_id, held)| rank(record, *id) < rank(held, *held_id)) {
            best.insert(record.payment_hash, (*id, record));
        }
    }
    best
}

fn invoices(input: &Input<'_>, lightning: &[(&Posted<'_>, PaymentHash)], audit: &mut Audit) {
    let records = records(input);
    let mut found = Vec::new();
    let (mut joined, mut without) = (0, 0);
    for (settlement, hash) in lightning {
        let Some((id, record)) = records.get(hash) else {
            // Only what we asked to be paid has an invoice of ours.
            without += usize::from(movement(settlement.event) == Movement::In);
            continue;
        };
        joined += 1;
        let own = judge(settlement, record);
        found.extend(own.into_iter().map(|finding| finding.with_evidence(*id, "invoice")));
    }
    if without > 0 {
        audit.not_possible("settlement.invoice", "no invoice record for the payment hash", without, true);
    }
    audit.check("settlement.invoice", joined, found);
}

/// INV_STATE, INV_UNDERPAID, INV_OVERPAID, AMT_RESIDUE, AMT_MISMATCH or UNIT_SUSPECT.
fn judge(settlement: &Posted<'_>, record: &InvoiceRecord) -> Vec<Finding> {
    let mut found = Vec::new();
    if record.state != InvoiceState::Settled {
        let state = match record.state {
            InvoiceState::Open => "open",
            InvoiceState::Settled => "settled",
            InvoiceState::Expired => "expired",
            InvoiceState::Cancelled => "cancelled",
        };
        let finding = settlement.finding(Code::InvState).with_values("settled", state);
        let finding = finding.with_stake(settlement.event.amount.msat().delta());
        found.push(finding.with_explanation("The settlement points to an invoice that is not paid."));
        return found;
    }
    let settled = u128::from(settlement.event.amount.get());
    let whole = |msat: Option<u64>| msat.map(|msat| u128::from(msat / 1000));
    let (asked, received) = (whole(record.asked_msat), whole(record.received_msat));
    if let (Some(asked_msat), Some(received_msat)) = (record.asked_msat, record.received_msat) {
        let judged = if received_msat < asked_msat {
            Some((Code::InvUnderpaid, "Less was received than asked, in millisatoshi."))
        } else if received > asked {
            Some((Code::InvOverpaid, "More was received than asked, in millisatoshi; it is in suspense."))
        } else if received_msat % 1000 != 0 {
            Some((Code::AmtResidue, "The residue below one satoshi is booked to rounding."))
        } else {
            None
        };
        if let Some((code, why)) = judged {
            let residue = received_msat % 1000;
            let stake = if code == Code::AmtResidue { residue } else { received_msat.abs_diff(asked_msat) };
            let finding = settlement.finding(code).with_values(asked_msat, received_msat).with_explanation(why);
            found.push(finding.with_stake(MsatDelta(stake.into())));
        }
    }
    let known: Vec<u128> = [asked, received].into_iter().flatten().collect();
    if let Some(expected) = known.first().filter(|_| !known.contains(&settled)) {
        let finding = amounts_differ(settlement.subject(), *expected, settled);
        let finding = finding.with_evidence(settlement.carrier, "settlement");
        found.push(finding.with_explanation("The settled amount differs from the invoice, in satoshi."));
    }
    found
}

/// Joins the gateway's log. What is not ours stays uncounted by item: count and total only (GW_FOREIGN).
fn log(input: &Input<'_>, lightning: &[(&Posted<'_>, PaymentHash)], audit: &mut Audit) {
    let of_invoices = input.set.invoices.iter().map(|(_, record)| record.payment_hash);
    let ours: BTreeSet<PaymentHash> = lightning.iter().map(|(_, hash)| *hash).chain(of_invoices).collect();
    let operations: BTreeSet<&str> =
        input.set.settlements.values().map(|verified| verified.fact().event.operation.as_str()).collect();
    let (mut foreign, mut foreign_msat) = (0_u64, 0_u128);
    let mut seen: BTreeSet<PaymentHash> = BTreeSet::new();
    let mut operations_seen: BTreeSet<&str> = BTreeSet::new();
    for (_, entry) in &input.set.payment_log {
        let by_hash = entry.payment_hash.filter(|hash| ours.contains(hash));
        let by_operation = entry.operation.as_ref().map(OperationId::as_str).filter(|op| operations.contains(op));
        if by_hash.is_none() && by_operation.is_none() {
            foreign += 1;
            foreign_msat += u128::from(entry.amount_msat.unwrap_or_default());
        }
        seen.extend(by_hash);
        operations_seen.extend(by_operation);
    }
    let mut found = phantoms(input, &ours);
    if foreign > 0 {
        found.push(
            Finding::new(Code::GwForeign, Subject::new("population", "payment-log"))
                .with_values("", format!("{foreign} entries, {foreign_msat} msat"))
                .with_explanation("A gateway serves others too; their events are not listed."),
        );
    }
    let logged = |(settlement, hash): &&(&Posted<'_>, PaymentHash)| {
        seen.contains(hash) || operations_seen.contains(settlement.event.operation.as_str())
    };
    let joined = lightning.iter().filter(logged).count();
    if joined < lightning.len() {
        let reason = "the gateway's log has no entry with the payment hash or operation id";
        audit.not_possible("settlement.gateway", reason, lightning.len() - joined, true);
    }
    audit.check("settlement.gateway", joined, found);
}

/// GW_PHANTOM: the log says failed and never succeeded, a paid invoice record says otherwise.
fn phantoms(input: &Input<'_>, ours: &BTreeSet<PaymentHash>) -> Vec<Finding> {
    let mut failed: BTreeMap<PaymentHash, EvidenceId> = BTreeMap::new();
    let mut succeeded: BTreeSet<PaymentHash> = BTreeSet::new();
    for (id, entry) in &input.set.payment_log {
        let Some(hash) = entry.payment_hash.filter(|hash| ours.contains(hash)) else { continue };
        if &*entry.kind == "outgoing-payment-failed" {
            let first = failed.entry(hash).or_insert(*id);
            *first = (*first).min(*id);
        } else if &*entry.kind == "outgoing-payment-succeeded" {
            succeeded.insert(hash);
        }
    }
    let records = records(input);
    failed
        .into_iter()
        .filter(|(hash, _)| !succeeded.contains(hash))
        .filter_map(|(hash, id)| {
            let (record_id, record) = records.get(&hash).filter(|(_, r)| r.state == InvoiceState::Settled)?;
            let finding = Finding::new(Code::GwPhantom, Subject::new("payment_hash", hash))
                .with_values("failed", "settled")
                .with_stake(MsatDelta(record.received_msat.or(record.asked_msat).unwrap_or_default().into()))
                .with_evidence(id, "log")
                .with_evidence(*record_id, "invoice");
            Some(finding.with_explanation("The gateway reported a failure and the node shows the payment settled."))
        })
        .collect()
}
