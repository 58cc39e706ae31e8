//! Step 4, custody as seen from outside: the ledger against a balance that somebody observed (TREASURY 6.1).

use std::collections::BTreeMap;

use crate::domain::{Code, FederationSlug, Finding, MsatDelta, ObservedCustody, Subject, UnixMicros};
use crate::ledger::Account;

use super::audit::Audit;
use super::reconciler::Input;

pub(super) fn check(input: &Input<'_>, audit: &mut Audit) {
    let observed: usize = input.policy.observed.values().map(Vec::len).sum();
    if observed == 0 {
        return;
    }
    if !input.declared.settlements {
        audit.not_possible("treasury.custody", "settlements are not declared", observed, true);
        return;
    }
    let mut found = Vec::new();
    let (mut compared, mut later) = (0, 0);
    for (federation, observations) in &input.policy.observed {
        let mut in_time: Vec<&ObservedCustody> =
            observations.iter().filter(|seen| seen.at <= input.as_of.time).collect();
        in_time.sort();
        compared += in_time.len();
        later += observations.len() - in_time.len();
        for (seen, custody) in in_time.iter().zip(custody_at(input, federation, &in_time)) {
            found.extend(drift(federation, seen, custody));
        }
    }
    if later > 0 {
        audit.not_possible("treasury.custody", "the balance was observed after the as-of", later, true);
    }
    audit.check("treasury.custody", compared, found);
}

/// The ledger's custody at each instant, in one walk through the journal: what happened in that second counts.
fn custody_at(input: &Input<'_>, federation: &FederationSlug, ascending: &[&ObservedCustody]) -> Vec<i128> {
    let custody = Account::Custody(federation.clone());
    let mut changes: BTreeMap<UnixMicros, i128> = BTreeMap::new();
    for entry in input.ledgers.treasury.entries() {
        for posting in entry.postings.iter().filter(|posting| posting.account == custody) {
            let change = changes.entry(entry.key.at).or_default();
            *change = change.saturating_add(posting.delta.0);
        }
    }
    let mut changes = changes.into_iter().peekable();
    let mut balance = 0_i128;
    ascending
        .iter()
        .map(|seen| {
            while let Some((_, change)) = changes.next_if(|(at, _)| *at <= UnixMicros::from(seen.at)) {
                balance = balance.saturating_add(change);
            }
            balance
        })
        .collect()
}

/// CUSTODY_DRIFT in either direction: a surplus is nobody's gift.
fn drift(federation: &FederationSlug, seen: &ObservedCustody, custody: i128) -> Option<Finding> {
    let difference = i128::from(seen.msat.get()).saturating_sub(custody);
    (difference != 0).then(|| {
        let kind = if difference < 0 { "shortage" } else { "surplus" };
        Finding::new(Code::CustodyDrift, Subject::new("federation", federation).and("at", seen.at.0))
            .with_values(format!("{custody} msat by the ledger"), format!("{} msat, {difference:+}", seen.msat))
            .with_stake(MsatDelta(difference))
            .with_explanation(format!("The observed balance and open positions show a {kind} against the ledger."))
    })
}
