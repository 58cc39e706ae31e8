//! Step 4, escrow, platform and custody: coverage of every prefix, and conservation by a second path (TREASURY 5.4).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Code, Digest32, Direction, FederationSlug, Finding, MsatDelta, ProjectKey, Sats, SettlementKind, Subject,
};
use crate::evidence::SettlementEvent;
use crate::ledger::{Funding, Movement, Shortage, is_wrong_way, movement};

use super::audit::Audit;
use super::reconciler::Input;
use super::settlements::{AllPosted, Posted};

pub(super) fn check(input: &Input<'_>, posted: &AllPosted, audit: &mut Audit) {
    custody(input, posted, audit);
    for (rule, asked) in &input.ledgers.treasury.invariants {
        let count = |times: u64| usize::try_from(times).unwrap_or(usize::MAX);
        audit.ran(rule.name(), count(asked.times), count(asked.broken), BTreeSet::new());
    }
    if !input.declared.settlements {
        audit.not_possible("escrow.funding", "settlements are not declared", 0, false);
        audit.not_possible("platform.accrual", "settlements are not declared", 0, false);
        return;
    }
    let funds = &input.ledgers.treasury.funding;
    let found = funds.iter().flat_map(|(project, funds)| judge(project, funds)).collect();
    audit.check("escrow.funding", funds.len(), found);
    audit.check("escrow.rebate", funds.len(), funds.values().flat_map(|funds| beyond(input, funds)).collect());
    platform(input, posted, audit);
}

/// SET_ORPHAN: a rebate of which no envelope says that it was earned.
fn beyond(input: &Input<'_>, funds: &Funding) -> Vec<Finding> {
    let orphan = |(digest, returned, earned): &(Digest32, i128, i128)| {
        let carrier = input.set.settlements.get(digest)?.first_carrier();
        let finding = Finding::new(Code::SetOrphan, Subject::new("settlement", digest))
            .with_values(format!("at most {earned} msat"), format!("{returned} msat"))
            .with_stake(MsatDelta(returned.saturating_sub(*earned)))
            .with_evidence(carrier, "settlement");
        Some(finding.with_explanation("The settlement returns more rebate than the project has earned by then."))
    };
    funds.beyond.iter().filter_map(orphan).collect()
}

/// ESC_NEVER_FUNDED, or ESC_UNFUNDED and ESC_NEGATIVE.
fn judge(project: &ProjectKey, funds: &Funding) -> Vec<Finding> {
    let mut found = Vec::new();
    let subject = Subject::new("project", project);
    if funds.envelopes > 0 && funds.deposits == 0 {
        found.push(
            Finding::new(Code::EscNeverFunded, subject)
                .with_values("a deposit", format!("{} envelopes, {} msat billed", funds.envelopes, funds.billed))
                .with_stake(MsatDelta(funds.billed))
                .with_explanation(
                    "The project never funded its escrow: simulation mode is not in the signed envelope.",
                ),
        );
        return found;
    }
    if let Some(Shortage { envelopes, spendable, gross, carrier }) = funds.shortage {
        let finding = Finding::new(Code::EscUnfunded, subject.clone())
            .with_values(format!("at least {gross} msat"), format!("{spendable} msat before envelope {envelopes}"))
            .with_stake(MsatDelta(gross.saturating_sub(spendable)))
            .with_explanation("An envelope was billed beyond the escrow; the shortest prefix that shows it is named.");
        found.push(carrier.into_iter().fold(finding, |finding, id| finding.with_evidence(id, "envelope")));
    }
    if funds.spendable < 0 {
        found.push(
            Finding::new(Code::EscNegative, subject)
                .with_values("at least 0 msat", format!("{} msat", funds.spendable))
                .with_stake(MsatDelta(funds.spendable))
                .with_explanation("The escrow is below zero after all facts."),
        );
    }
    found
}

fn platform(input: &Input<'_>, posted: &AllPosted, audit: &mut Audit) {
    let fees = input.ledgers.envelope.platform;
    let (mut accruals, mut accrued, mut last) = (0, 0_u128, None);
    for settlement in posted.values() {
        if settlement.event.kind == SettlementKind::PlatformAccrual && !is_wrong_way(&settlement.event, input.policy) {
            accruals += 1;
            accrued += u128::from(settlement.event.amount.get());
            last = Some(settlement.carrier);
        }
    }
    let mut found = Vec::new();
    if accrued > fees {
        let finding = Finding::new(Code::PlatformOveraccrued, Subject::new("account", "platform"))
            .with_values(format!("at most {fees}"), accrued)
            .with_stake_sats(accrued.saturating_sub(fees))
            .with_explanation("The platform took more than its fees, in satoshi.");
        found.push(last.into_iter().fold(finding, |finding, id| finding.with_evidence(id, "settlement")));
    }
    audit.check("platform.accrual", accruals, found);
}

/// CONS_CUSTODY: the book against the sum of flows, custody against liabilities, and no prefix below zero.
fn custody(input: &Input<'_>, posted: &AllPosted, audit: &mut Audit) {
    let mut flows: BTreeMap<FederationSlug, i128> = BTreeMap::new();
    for Posted { event, .. } in posted.values() {
        let flow = flow_of(input, &event);
        *flows.entry(event.federation).or_default() += flow;
    }
    let mut found = Vec::new();
    for (federation, held) in &input.ledgers.treasury.holdings {
        let flow = flows.get(federation).copied().unwrap_or_default() + held.excess;
        let (balance, low) = (held.custody, held.lowest);
        let why = if flow != balance {
            "The book's custody differs from the sum of flows."
        } else if low < 0 {
            "More left custody than had come in: a deposit is missing from the evidence, or money is missing."
        } else {
            continue;
        };
        let finding = Finding::new(Code::ConsCustody, Subject::new("federation", federation))
            .with_values(format!("{flow} msat, never below 0"), format!("{balance} msat, lowest {low}"))
            .with_stake(MsatDelta(if flow == balance { low } else { flow.saturating_sub(balance) }))
            .with_explanation(why);
        found.push(held.first_below.into_iter().fold(finding, |finding, id| finding.with_evidence(id, "first")));
    }
    found.extend(liabilities(input));
    audit.check("treasury.conservation", posted.len(), found);
}

/// What a settlement does to custody in millisatoshi, from its signed members alone.
fn flow_of(input: &Input<'_>, event: &SettlementEvent) -> i128 {
    let amount = event.amount.msat().delta().0;
    let fee = event.fee.unwrap_or(Sats::ZERO).msat().delta().0;
    if is_wrong_way(event, input.policy) {
        return if event.direction == Direction::In { amount } else { -amount };
    }
    match movement(event) {
        Movement::In => amount,
        Movement::Internal => 0,
        Movement::Out => -amount - fee,
    }
}

/// INV-5 once more, from the final balances: assets equal liabilities.
fn liabilities(input: &Input<'_>) -> Option<Finding> {
    let side = |asset: bool| {
        let balances = input.ledgers.treasury.balances().iter().filter(|(account, _)| account.is_asset() == asset);
        balances.map(|(_, delta)| delta).try_fold(MsatDelta::ZERO, MsatDelta::checked_add)
    };
    let (assets, liabilities) = (side(true), side(false).and_then(MsatDelta::checked_neg));
    (assets != liabilities).then(|| {
        Finding::new(Code::ConsCustody, Subject::new("ledger", "treasury"))
            .with_values(format!("{liabilities:?}"), format!("{assets:?}"))
            .with_explanation("Custody is not the sum of liabilities.")
    })
}
