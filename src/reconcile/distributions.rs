//! Step 4, distributions: each batch that is held against the payouts that name it (TREASURY 2.5, FORMATS 6.4).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, Finding, SettlementKind, Subject, UserKey};
use crate::evidence::{Distribution, OcMeKind};
use crate::ledger::{Counted, People, discharged};

use super::audit::Audit;
use super::payouts::{PAYOUT_DUE_SECONDS, amounts_differ};
use super::reconciler::Input;
use super::settlements::{AllPosted, Posted};

pub(super) fn check(input: &Input<'_>, posted: &AllPosted, audit: &mut Audit) {
    let mut found = Vec::new();
    // By the distribution that they name: a million payouts are of some hundred batches.
    let mut named: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, settlement) in posted.values().enumerate() {
        if let (SettlementKind::DistributionSettled, Some(distribution)) =
            (settlement.event.kind, settlement.event.distribution)
        {
            named.entry(distribution).or_default().push(place);
        }
    }
    let items = named.values().map(Vec::len).sum::<usize>() + input.ledgers.envelope.of_kind(OcMeKind::Distribution);
    let read = |places: Vec<usize>| places.into_iter().filter_map(|place| Some(posted.nth(place)?.1));
    for distribution in input.ledgers.envelope.distributions() {
        let settled: Vec<Posted> = read(named.remove(&distribution.id.to_string()).unwrap_or_default()).collect();
        closure(input, &distribution, &settled, &mut found);
        if input.declared.settlements {
            unsettled(input, &distribution, &settled, &mut found);
        }
    }
    // A payout of a drop names its manifest (TREASURY 2.6, R4), which has totals and no recipients to compare.
    for batch in input.ledgers.envelope.batches() {
        named.remove(&batch.to_string());
    }
    for settlement in named.into_values().flat_map(read) {
        let observed = settlement.event.distribution.as_deref().unwrap_or_default();
        found.push(
            settlement
                .finding(Code::SetOrphan)
                .with_values("the id of a held distribution or drop manifest", observed)
                .with_stake(settlement.event.amount.msat().delta())
                .with_explanation("The settlement names a distribution that is not held."),
        );
    }
    audit.check("settlement.distribution", items, found);
}

/// Sums the shares by account: a batch may hold several for one person.
fn shares<'d>(people: &'d People, distribution: &'d Distribution) -> BTreeMap<&'d UserKey, u128> {
    let mut shares: BTreeMap<&UserKey, u128> = BTreeMap::new();
    for share in &distribution.recipients {
        *shares.entry(people.account_of(&share.user)).or_default() += u128::from(share.amount.get());
    }
    shares
}

/// DIST_CLOSURE, AMT_MISMATCH, and SET_ORPHAN for payouts to someone who is not a recipient.
fn closure(
    input: &Input<'_>,
    Counted { id, carrier, body: distribution }: &Counted<Distribution>,
    settled: &[Posted],
    found: &mut Vec<Finding>,
) {
    let people = &input.ledgers.people;
    let shares = shares(people, distribution);
    let sum: u128 = shares.values().sum();
    if let Some(total) = distribution.total.filter(|total| u128::from(total.get()) != sum) {
        found.push(
            Finding::new(Code::DistClosure, Subject::new("envelope", id))
                .with_values(total, sum)
                .with_stake_sats(sum.abs_diff(total.get().into()))
                .with_evidence(*carrier, "distribution")
                .with_explanation("The parts of the distribution differ from its stated total, in satoshi."),
        );
    }
    let mut paid: BTreeMap<&UserKey, u128> = BTreeMap::new();
    for settlement in settled {
        let Some(user) = settlement.event.user.as_ref().map(|user| people.account_of(user)) else { continue };
        if !shares.contains_key(user) {
            let finding = settlement.finding(Code::SetOrphan).with_values("a recipient of the distribution", user);
            let finding = finding.with_stake(settlement.event.amount.msat().delta());
            found.push(finding.with_explanation("The settlement pays a user whom its distribution does not name."));
            continue;
        }
        *paid.entry(user).or_default() += discharged(&settlement.event, input.policy);
    }
    for (user, sats) in &paid {
        let Some(share) = shares.get(user).filter(|share| *share != sats) else { continue };
        let subject = Subject::new("envelope", id).and("user", user);
        let finding = amounts_differ(subject, *share, *sats)
            .with_evidence(*carrier, "distribution")
            .with_explanation("The user's share of the distribution and what was settled differ, in satoshi.");
        found.push(finding);
    }
}

/// SET_MISSING and SET_PENDING for recipients without a payout.
fn unsettled(
    input: &Input<'_>,
    Counted { id, carrier, body: distribution }: &Counted<Distribution>,
    settled: &[Posted],
    found: &mut Vec<Finding>,
) {
    let people = &input.ledgers.people;
    let due = distribution.created_at.seconds().plus(PAYOUT_DUE_SECONDS);
    let paid = settled.iter().filter_map(|settlement| settlement.event.user.as_ref());
    let paid: BTreeSet<&UserKey> = paid.map(|user| people.account_of(user)).collect();
    for (user, sats) in shares(people, distribution) {
        if sats == 0 || paid.contains(user) {
            continue;
        }
        let overdue = input.as_of.time > due;
        let code = if overdue { Code::SetMissing } else { Code::SetPending };
        let finding = Finding::new(code, Subject::new("envelope", id).and("user", user))
            .with_values(format!("{sats} sats settled by {due}"), "0")
            .with_stake_sats(sats)
            .with_evidence(*carrier, "distribution")
            .with_explanation("A recipient of a distribution has no settlement.");
        found.push(if overdue { finding } else { finding.explained("not yet due") });
    }
}
