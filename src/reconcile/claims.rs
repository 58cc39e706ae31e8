//! Step 4, open positions: a Lightning payment that is done while the federation has not accepted its claim (TREASURY 1.4).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, EvidenceId, Finding, PaymentHash, Sats, Severity, Subject, UnixMicros};
use crate::ledger::rails::{Claims, Legs, OPEN_SECONDS_MAX, paid};

use super::audit::Audit;
use super::reconciler::Input;
use super::settlements::Posted;

/// One payment of ours that the log says is done.
struct Done<'a> {
    at: UnixMicros,
    entry: EvidenceId,
    settlement: EvidenceId,
    /// The largest settlement of it.
    amount: Sats,
    federation: &'a str,
    /// The claim runs under one of these.
    operations: BTreeSet<&'a str>,
}

pub(super) fn check(input: &Input<'_>, posted: &[Posted<'_>], legs: &Legs<'_>, audit: &mut Audit) {
    if !input.declared.payment_log {
        return;
    }
    let claims = Claims::of(input.set);
    let (told, untold): (Vec<_>, Vec<_>) =
        done(posted, legs).into_iter().partition(|(_, done)| claims.is_told(done.federation));
    if !untold.is_empty() {
        let reason = "the gateway's log names no federation transaction; ask it for tx-accepted by name";
        audit.not_possible("settlement.claim", reason, untold.len(), true);
    }
    let open = told.iter().filter(|(_, done)| claims.accepted(done.operations.iter().copied()).is_none());
    let found = open.map(|(hash, done)| finding(input, *hash, done)).collect();
    audit.check("settlement.claim", told.len(), found);
}

/// Payments of ours that went out and are done, by hash. The earliest word that one is done counts.
fn done<'a>(posted: &[Posted<'a>], legs: &Legs<'a>) -> BTreeMap<PaymentHash, Done<'a>> {
    let mut payments: BTreeMap<PaymentHash, Done<'a>> = BTreeMap::new();
    for settlement in posted {
        for leg in legs.of_partners(settlement.partners) {
            for (id, entry) in &leg.entries {
                let Some(hash) = paid(entry) else { continue };
                let own = payments.entry(hash).or_insert_with(|| Done {
                    at: entry.at,
                    entry: *id,
                    settlement: settlement.carrier,
                    amount: settlement.event.amount,
                    federation: &entry.federation_id,
                    operations: BTreeSet::new(),
                });
                if (entry.at, *id) < (own.at, own.entry) {
                    (own.at, own.entry, own.federation) = (entry.at, *id, &entry.federation_id);
                }
                own.amount = own.amount.max(settlement.event.amount);
                own.operations.extend(leg.operations());
                own.operations.insert(settlement.event.operation.as_str());
            }
        }
    }
    payments
}

/// GW_OPEN: a warning while the position is young.
fn finding(input: &Input<'_>, hash: PaymentHash, done: &Done<'_>) -> Finding {
    let due = done.at.0.saturating_add(OPEN_SECONDS_MAX * 1_000_000);
    let finding = Finding::new(Code::GwOpen, Subject::new("payment_hash", hash))
        .with_values("tx-accepted under the operation of the payment", format!("done at {}", done.at.seconds()))
        .with_stake(done.amount.msat().delta())
        .with_evidence(done.entry, "log")
        .with_evidence(done.settlement, "settlement")
        .with_explanation("The Lightning payment is done and the federation has not accepted its claim.");
    if UnixMicros::from(input.as_of.time).0 > due { finding.with_severity(Severity::Error) } else { finding }
}
