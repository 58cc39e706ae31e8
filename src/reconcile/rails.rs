//! Step 4, rails: settlements against Lightning invoice records and the gateway's log, joined by payment hash.

use std::collections::BTreeMap;

use crate::domain::{Code, Digest32, EvidenceId, Finding, MsatDelta, PaymentHash, Subject};
use crate::evidence::{InvoiceRecord, InvoiceState};
use crate::ledger::rails::{Recorded, Strangers};
use crate::ledger::{Movement, movement};
use crate::scratch::{Sorter, Table};

use super::audit::Audit;
use super::payouts::amounts_differ;
use super::reconciler::Input;
use super::settlements::{AllPosted, Posted};

pub(super) fn check(input: &Input<'_>, posted: &AllPosted, audit: &mut Audit) {
    if !input.declared.invoices && !input.declared.payment_log {
        return;
    }
    let records = records(input);
    if input.declared.invoices {
        invoices(posted, &records, audit);
    }
    if input.declared.payment_log {
        log(input, posted, &records, audit);
    }
}

/// Posted settlements with a payment hash, with that.
fn lightning(posted: &AllPosted) -> impl Iterator<Item = (Posted, Digest32)> {
    posted.values().filter_map(|settlement| {
        let hash = settlement.event.payment_hash.as_ref()?.parse().ok()?;
        Some((settlement, hash))
    })
}

/// The best record by hash: a paid one, else the lowest id.
fn records(input: &Input<'_>) -> Table<Digest32, Recorded> {
    let rank = |(id, record): &Recorded| {
        (record.state != InvoiceState::Settled, record.received_msat.is_none(), record.received_msat, *id)
    };
    let mut best: Sorter<Digest32, Recorded> = input.set.invoices.sorter();
    for (id, record) in &input.set.invoices {
        best.push(&record.payment_hash.0.clone(), &(id, record));
    }
    best.finish(|held, other| {
        if rank(&other) < rank(held) {
            *held = other;
        }
    })
}

fn invoices(posted: &AllPosted, records: &Table<Digest32, Recorded>, audit: &mut Audit) {
    let mut found = Vec::new();
    let (mut joined, mut without) = (0, 0);
    for (settlement, hash) in lightning(posted) {
        let Some((id, record)) = records.get(&hash) else {
            // Only what we asked to be paid has an invoice of ours.
            without += usize::from(movement(&settlement.event) == Movement::In);
            continue;
        };
        joined += 1;
        let own = judge(&settlement, &record);
        found.extend(own.into_iter().map(|finding| finding.with_evidence(id, "invoice")));
    }
    if without > 0 {
        audit.not_possible("settlement.invoice", "no invoice record for the payment hash", without, true);
    }
    audit.check("settlement.invoice", joined, found);
}

/// INV_STATE, INV_UNDERPAID, INV_OVERPAID, AMT_RESIDUE, AMT_MISMATCH or UNIT_SUSPECT.
fn judge(settlement: &Posted, record: &InvoiceRecord) -> Vec<Finding> {
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
fn log(input: &Input<'_>, posted: &AllPosted, records: &Table<Digest32, Recorded>, audit: &mut Audit) {
    let mut found = phantoms(input, records);
    let Strangers { entries, msat } = input.ledgers.rails.legs.strangers();
    if entries > 0 {
        found.push(
            Finding::new(Code::GwForeign, Subject::new("population", "payment-log"))
                .with_values("", format!("{entries} entries, {msat} msat"))
                .with_explanation("A gateway serves others too; their events are not listed."),
        );
    }
    let (mut asked, mut joined) = (0, 0);
    for (settlement, _) in lightning(posted) {
        asked += 1;
        joined += usize::from(settlement.partners.is_logged);
    }
    if joined < asked {
        let reason = "the gateway's log has no entry with the payment hash or operation id";
        audit.not_possible("settlement.gateway", reason, asked - joined, true);
    }
    audit.check("settlement.gateway", joined, found);
}

/// GW_PHANTOM: the log says failed and never succeeded, a paid invoice record says otherwise.
fn phantoms(input: &Input<'_>, records: &Table<Digest32, Recorded>) -> Vec<Finding> {
    let log = || input.set.payment_log.iter().filter_map(|(id, entry)| Some((id, entry.payment_hash?, entry.kind)));
    let paid = |hash: &PaymentHash| records.get(&hash.0).filter(|(_, record)| record.state == InvoiceState::Settled);
    let mut failed: BTreeMap<PaymentHash, EvidenceId> = BTreeMap::new();
    for (id, hash, _) in log().filter(|(_, _, kind)| &**kind == "outgoing-payment-failed") {
        if paid(&hash).is_some() {
            let first = failed.entry(hash).or_insert(id);
            *first = (*first).min(id);
        }
    }
    if failed.is_empty() {
        return Vec::new();
    }
    for (_, hash, _) in log().filter(|(_, _, kind)| &**kind == "outgoing-payment-succeeded") {
        failed.remove(&hash);
    }
    failed
        .into_iter()
        .filter_map(|(hash, id)| {
            let (record_id, record) = paid(&hash)?;
            let finding = Finding::new(Code::GwPhantom, Subject::new("payment_hash", hash))
                .with_values("failed", "settled")
                .with_stake(MsatDelta(record.received_msat.or(record.asked_msat).unwrap_or_default().into()))
                .with_evidence(id, "log")
                .with_evidence(record_id, "invoice");
            Some(finding.with_explanation("The gateway reported a failure and the node shows the payment settled."))
        })
        .collect()
}
