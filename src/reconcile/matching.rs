//! Step 4, matching summed up: by which rule each posted settlement found its payment and its reason (TREASURY 2.6).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{EnvelopeId, SettlementKind};
use crate::ledger::{Movement, movement};

use super::earned::Earned;
use super::matches::Unclear;
use super::reconciler::Input;
use super::result::{Matched, Matching};
use super::settlements::{AllPosted, Posted};

/// What settlements can be for.
struct Reasons<'a> {
    batches: BTreeSet<String>,
    earned: &'a Earned<'a>,
}

pub(super) fn sum_up(input: &Input<'_>, posted: &AllPosted, unclear: &Unclear, earned: &Earned<'_>) -> Matching {
    let mut matching = Matching::default();
    let reasons = reasons(input, earned);
    let has_rails = input.declared.payment_log || input.declared.invoices;
    for settlement in posted.values() {
        let sats = u128::from(settlement.event.amount.get());
        if has_rails {
            add(&mut matching.rail, rail(&settlement, unclear), sats);
        }
        add(&mut matching.ledger, reason(input, &settlement, &reasons), sats);
    }
    matching
}

fn add(by_rule: &mut BTreeMap<&'static str, Matched>, rule: &'static str, sats: u128) {
    let matched = by_rule.entry(rule).or_default();
    matched.settlements += 1;
    matched.sats += sats;
}

/// R1 to R3 by a key that both sides name; R7 by amount and time alone, which is a suggestion.
fn rail(settlement: &Posted, unclear: &Unclear) -> &'static str {
    let partners = settlement.partners;
    if movement(&settlement.event) == Movement::Internal {
        "internal"
    } else if unclear.contradicted.contains(&settlement.digest) {
        "contradicted"
    } else if partners.operation.is_some() {
        "R1"
    } else if partners.hash.is_some() {
        "R2"
    } else if partners.txid.is_some() {
        "R3"
    } else if unclear.suggested.contains(&settlement.digest) {
        "R7"
    } else {
        "none"
    }
}

fn reasons<'a>(input: &Input<'_>, earned: &'a Earned<'a>) -> Reasons<'a> {
    let batches = input.ledgers.envelope.batches().map(EnvelopeId::to_string).collect();
    Reasons { batches, earned }
}

/// R4 by distribution or drop, R5 by the user's vested shares, R6 by project. How accruals, guardians' payouts and
/// corrections come about is not published: they have no rule.
fn reason(input: &Input<'_>, settlement: &Posted, reasons: &Reasons<'_>) -> &'static str {
    let event = &settlement.event;
    let is_earner = || {
        event.user.as_ref().is_some_and(|user| reasons.earned.accounts.contains(input.ledgers.people.account_of(user)))
    };
    match event.kind {
        SettlementKind::DistributionSettled => match &event.distribution {
            Some(batch) if reasons.batches.contains(batch) => "R4",
            _ if is_earner() => "R5",
            _ => "none",
        },
        SettlementKind::EscrowDeposit | SettlementKind::EscrowRefund | SettlementKind::EscrowRebate => {
            let is_known = event.project.as_ref().is_some_and(|project| reasons.earned.projects.contains(project));
            if is_known { "R6" } else { "none" }
        }
        SettlementKind::PlatformAccrual | SettlementKind::OperatorPayout | SettlementKind::Adjustment => "unruled",
    }
}
