//! The room's entry: every check of runbook steps 0, 3, 4 and 5 over one rebuild.

use std::collections::BTreeMap;

use crate::domain::{AsOf, Coverage, EvidenceId, FetchReceipt, TrustPolicy};
use crate::ledger::Ledgers;
use crate::verify::VerifiedSet;

use super::audit::Audit;
use super::earned::Earned;
use super::objectives::Objectives;
use super::result::{BalanceSummary, Declared, Matching, NeedsAnchor, Reconciliation, Reconstructible, Recovery};
use super::sightings::Sightings;
use super::{
    acknowledge, ageing, anchoring, balances, claims, coverage, distributions, escrow, fees, matches, matching, merge,
    objectives, observed, payouts, population, price_lists, rails, recovery, settlements,
};

/// Everything that a reconciliation is a function of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What verification established.
    pub set: &'a VerifiedSet,
    /// The ledgers rebuilt from it.
    pub ledgers: &'a Ledgers,
    /// What is trusted and demanded.
    pub policy: &'a TrustPolicy,
    /// The instant.
    pub as_of: AsOf,
    /// How every fetch ended.
    pub receipts: &'a [FetchReceipt],
    /// Where each piece of evidence was seen.
    pub sightings: &'a Sightings,
    /// What the configuration declared.
    pub declared: &'a Declared,
    /// The `d` tags of events that a transparency log may be about; see [`Declared::takedowns`].
    pub d_tags: &'a BTreeMap<EvidenceId, String>,
    /// Fetching was ended by a time limit before every source had been heard.
    pub time_boxed: bool,
    /// What the run is held to.
    pub objectives: Objectives<'a>,
}

/// Reconciles. A pure function: neither the order of receipts nor that of findings matters.
pub fn reconcile(input: &Input<'_>) -> Reconciliation {
    // The halves look at nothing of each other, and what they find is sorted: which ends first shows nowhere.
    let (substrates, money) = rayon::join(|| substrates(input), || money(input));
    let audit = substrates.audit.and(money.audit);
    let Audit { findings, mut checks, mut unverifiable, said_by } = audit;
    checks.sort();
    unverifiable.sort();
    unverifiable.dedup();
    let mut divergences = merge::divergences(input, findings);
    ageing::date(input, &mut divergences);
    let acknowledgements = acknowledge::acknowledge(input, &mut divergences);
    let (ages, by_project) = ageing::ages(input, &divergences);
    Reconciliation {
        needs_review: merge::needs_review(&divergences),
        ages,
        by_project,
        by_code_sats: ageing::stakes(&divergences),
        acknowledgements,
        divergences,
        checks,
        unverifiable,
        said_by,
        coverage: substrates.coverage,
        reconstructible: substrates.reconstructible,
        matching: money.matching,
        balances: substrates.balances,
        recovery: substrates.recovery,
        needs_anchor: substrates.needs_anchor,
    }
}

/// Steps 0, 3 and 5: what was fetched, what is anchored, and who is owed what.
struct Substrates {
    audit: Audit,
    coverage: Vec<Coverage>,
    needs_anchor: Vec<NeedsAnchor>,
    balances: BalanceSummary,
    reconstructible: Reconstructible,
    recovery: Recovery,
}

fn substrates(input: &Input<'_>) -> Substrates {
    let checks = || {
        let mut audit = Audit::default();
        let coverage = coverage::check(input, &mut audit);
        population::check(input, &mut audit);
        price_lists::check(input, &mut audit);
        let needs_anchor = anchoring::check(input, &mut audit);
        objectives::check(input, &mut audit);
        let balances = balances::check(input, &mut audit);
        (audit, coverage, needs_anchor, balances)
    };
    let ((audit, coverage, needs_anchor, balances), (reconstructible, recovery)) =
        rayon::join(checks, || rayon::join(|| recovery::reconstructible(input), || recovery::recovery(input)));
    Substrates { audit, coverage, needs_anchor, balances, reconstructible, recovery }
}

/// Step 4: settlements, rails and custody.
struct Money {
    audit: Audit,
    matching: Matching,
}

fn money(input: &Input<'_>) -> Money {
    let mut audit = Audit::default();
    let posted = settlements::posted(input);
    let earned = Earned::of(input);
    settlements::check(input, &posted, &earned, &mut audit);
    distributions::check(input, &posted, &mut audit);
    payouts::check(input, &posted, &earned, &mut audit);
    escrow::check(input, &posted, &mut audit);
    rails::check(input, &posted, &mut audit);
    let unclear = matches::check(input, &posted, &mut audit);
    let matching = matching::sum_up(input, &posted, &unclear, &earned);
    fees::check(&posted, &input.ledgers.rails.legs, &mut audit);
    claims::check(input, &posted, &mut audit);
    observed::check(input, &mut audit);
    Money { audit, matching }
}
