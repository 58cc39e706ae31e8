//! Step 4, routing fees: what a settlement states against what the rails show, and against the client's limit (TREASURY 2.6).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{Code, Digest32, Finding, MsatDelta, Sats};
use crate::evidence::InvoiceState;
use crate::ledger::rails::{Leg, Legs};
use crate::ledger::{Movement, movement};

use super::audit::Audit;
use super::settlements::{AllPosted, Posted};

/// What a client refuses to pay above: 100 satoshi and 15,000 millionths of the amount.
const LIMIT_BASE_MSAT: i128 = 100_000;
const LIMIT_MSAT_PER_SAT: i128 = 15;

pub(super) fn check(posted: &AllPosted, legs: &Legs, audit: &mut Audit) {
    let (mut found, mut stated, mut legs) = (Vec::new(), 0, legs.reader());
    for settlement in posted.values().filter(|settlement| movement(&settlement.event) == Movement::Out) {
        let Some(fee) = settlement.event.fee else { continue };
        stated += 1;
        found.extend(above_limit(&settlement, fee));
        found.extend(without_basis(&settlement, fee, &legs.of_partners(settlement.partners)));
    }
    audit.check("settlement.fee", stated, found);
}

/// FEE_LIMIT. The limit is that of a Lightning client: what went by a Bitcoin transaction alone pays miners.
fn above_limit(settlement: &Posted, fee: Sats) -> Option<Finding> {
    let event = &settlement.event;
    let limit = LIMIT_BASE_MSAT + i128::from(event.amount.get()) * LIMIT_MSAT_PER_SAT;
    let by_lightning = event.txid.is_none() || event.payment_hash.is_some();
    let above = i128::from(fee.msat().get()).saturating_sub(limit);
    (by_lightning && above > 0).then(|| {
        settlement
            .finding(Code::FeeLimit)
            .with_values(format!("at most {limit} msat"), format!("{} msat", fee.msat()))
            .with_stake(MsatDelta(above))
            .with_explanation("The fee is above 100 sat and 1.5 % of the amount, where a client refuses to pay.")
    })
}

/// FEE_SETTLEMENT: neither basis (ii), what the client was charged, nor (iii), what the node paid for routing.
fn without_basis(settlement: &Posted, fee: Sats, joined: &[Arc<Leg>]) -> Option<Finding> {
    let known: Vec<(&str, u64)> = joined.iter().flat_map(|leg| bases(leg)).collect();
    // Millisatoshi become satoshi by flooring, never by rounding (TREASURY 5.3).
    if known.is_empty() || known.iter().any(|(_, msat)| msat / 1_000 == fee.get()) {
        return None;
    }
    // What is in doubt is at least the way to the nearest basis.
    let nearest = known.iter().map(|(_, msat)| msat.abs_diff(fee.msat().get())).min().unwrap_or_default();
    let bases: Vec<String> = known.iter().map(|(name, msat)| format!("{name} {msat} msat")).collect();
    let finding = settlement
        .finding(Code::FeeSettlement)
        .with_values(bases.join(" or "), format!("{} msat", fee.msat()))
        .with_stake(MsatDelta(nearest.into()))
        .with_explanation("The stated fee is neither what the gateway charged nor what the route cost.");
    let cited = joined.iter().filter_map(|leg| leg.first_evidence());
    Some(cited.fold(finding, |finding, id| finding.with_evidence(id, "leg")))
}

/// Every fee that the rails show for a payment, in millisatoshi.
fn bases(leg: &Leg) -> Vec<(&'static str, u64)> {
    // An entry of `ln` has the invoice's amount, a later one the contract's: the contract's id joins them.
    let mut contracts: BTreeMap<Option<Digest32>, (Option<u64>, Option<u64>)> = BTreeMap::new();
    for (_, entry) in leg.entries.iter().filter(|(_, entry)| entry.kind.starts_with("outgoing-payment-")) {
        let (invoiced, held) = contracts.entry(entry.contract).or_default();
        *invoiced = invoiced.or(entry.amount_msat);
        *held = held.or(entry.contract_msat);
    }
    let charged = contracts.into_values().filter_map(|(invoiced, held)| held?.checked_sub(invoiced?));
    let stated = leg.entries.iter().filter_map(|(_, entry)| entry.fee_msat);
    let settled = leg.records.iter().filter(|(_, record)| record.state == InvoiceState::Settled);
    let routed = settled.filter_map(|(_, record)| record.fee_msat);
    let charged = charged.chain(stated).map(|msat| ("gateway fee", msat));
    let mut bases: Vec<(&'static str, u64)> = charged.chain(routed.map(|msat| ("routing fee", msat))).collect();
    bases.sort_unstable();
    bases.dedup();
    bases
}
