//! What every prefix of the journal shows of projects and federations, followed entry by entry (TREASURY 5.4).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Digest32, EvidenceId, FederationSlug, ProjectKey, SettlementKind, TrustPolicy, UnixMicros, UnixSeconds,
};

use super::account::Account;
use super::entry::{Entry, Fact};
use super::journal::Cause;

/// What a project has to spend, in millisatoshi. Earned rebate counts: the test is the lenient one (FORMATS 6.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Funding {
    /// Deposits and rebates earned, less what was billed and what went back.
    pub spendable: i128,
    /// Deposits so far.
    pub deposits: usize,
    /// Events so far.
    pub envelopes: usize,
    /// What they took.
    pub billed: i128,
    /// Rebate earned and not yet returned.
    pub rebate: i128,
    /// The shortest prefix that shows a shortage.
    pub shortage: Option<Shortage>,
    /// Rebates beyond what was earned: the settlement, what it returns, what there was.
    pub beyond: Vec<(Digest32, i128, i128)>,
}

impl Funding {
    /// What an entry does to the project's escrow and rebate.
    fn post(&mut self, entry: &Entry, escrow: Option<i128>, rebate: Option<i128>) {
        if let Some(gross) = escrow.filter(|_| entry.kind == "envelope") {
            self.envelopes += 1;
            self.billed += gross;
            // An envelope's own rebate must not pay for the envelope: it is added after the test.
            if self.spendable < gross && self.shortage.is_none() {
                let carrier = entry.evidence.first().copied();
                let (envelopes, spendable) = (self.envelopes, self.spendable);
                self.shortage = Some(Shortage { envelopes, spendable, gross, carrier });
            }
        } else if escrow.is_some() && entry.kind == SettlementKind::EscrowDeposit.name() {
            self.deposits += 1;
        }
        self.spendable -= escrow.unwrap_or_default() + rebate.unwrap_or_default();
        let Some(returned) = rebate else { return };
        if let Fact::Settlement(digest) | Fact::Claim(digest) = &entry.key.fact
            && returned > self.rebate
        {
            self.beyond.push((*digest, returned, self.rebate));
        }
        self.rebate -= returned;
    }
}

/// An event that was billed beyond the escrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// Events of the project so far, this one among them.
    pub envelopes: usize,
    /// Spendable before it, in millisatoshi.
    pub spendable: i128,
    /// What it took.
    pub gross: i128,
    /// Its carrier.
    pub carrier: Option<EvidenceId>,
}

/// What a federation holds for these flows, in millisatoshi.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holding {
    /// Custody at the end.
    pub custody: i128,
    /// Its lowest, never above zero.
    pub lowest: i128,
    /// What the first entry rests on that brought custody below zero.
    pub first_below: Option<EvidenceId>,
    /// What invoices received above the amounts that were settled.
    pub excess: i128,
    /// Custody and payments in flight at each instant at which somebody looked. What happened then counts.
    pub seen: BTreeMap<UnixSeconds, i128>,
}

/// Follows the journal.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    funding: BTreeMap<ProjectKey, Funding>,
    holdings: BTreeMap<FederationSlug, Holding>,
    /// Custody and flights so far, and the instants that are not reached yet, the latest first.
    watched: BTreeMap<FederationSlug, (i128, Vec<UnixSeconds>)>,
}

impl Prefixes {
    /// With the instants at which somebody observed a custody.
    pub(super) fn new(policy: &TrustPolicy) -> Self {
        let mut instants: BTreeMap<&FederationSlug, BTreeSet<UnixSeconds>> = BTreeMap::new();
        for (federation, seen) in &policy.observed {
            instants.entry(federation).or_default().extend(seen.iter().map(|seen| seen.at));
        }
        for (federation, said) in &policy.audits {
            instants.entry(federation).or_default().extend(said.iter().map(|said| said.at));
        }
        let latest_first =
            instants.into_iter().map(|(federation, at)| (federation.clone(), (0, at.into_iter().rev().collect())));
        Self { watched: latest_first.collect(), ..Self::default() }
    }

    /// After an entry was posted.
    pub(super) fn entry(&mut self, entry: &Entry, cause: &Cause) {
        match cause {
            Cause::Event(_) => self.projects(entry),
            Cause::Vesting => {}
            Cause::Settlement { event, .. } | Cause::Claim(event) => {
                self.projects(entry);
                self.custody(entry);
                self.observe(entry, &event.federation);
            }
        }
    }

    /// Escrow and rebate of an entry are of one project.
    fn projects(&mut self, entry: &Entry) {
        let (mut project, mut escrow, mut rebate) = (None, None, None);
        for posting in &entry.postings {
            match &posting.account {
                Account::Escrow(of) => (project, escrow) = (Some(of), Some(posting.delta.0)),
                Account::Rebate(of) => (project, rebate) = (Some(of), Some(posting.delta.0)),
                _ => {}
            }
        }
        if let Some(project) = project {
            of(&mut self.funding, project).post(entry, escrow, rebate);
        }
    }

    fn custody(&mut self, entry: &Entry) {
        let moved = entry.postings.iter().find_map(|posting| match &posting.account {
            Account::Custody(federation) => Some((federation, posting.delta.0)),
            _ => None,
        });
        let Some((federation, delta)) = moved else { return };
        let own = of(&mut self.holdings, federation);
        own.custody += delta;
        if own.custody < own.lowest {
            own.lowest = own.custody;
            own.first_below = own.first_below.or_else(|| entry.evidence.first().copied());
        }
        for posting in &entry.postings {
            if let Account::Rounding(_) | Account::Suspense("INV_OVERPAID") = posting.account {
                own.excess -= posting.delta.0;
            }
        }
    }

    /// A claim empties what is in flight in the federation of its settlement.
    fn observe(&mut self, entry: &Entry, federation: &FederationSlug) {
        let Some((held, instants)) = self.watched.get_mut(federation) else { return };
        while let Some(at) = instants.pop_if(|at| UnixMicros::from(*at) < entry.key.at) {
            of(&mut self.holdings, federation).seen.insert(at, *held);
        }
        let assets = entry.postings.iter().filter(|posting| posting.account.is_asset());
        *held = assets.fold(*held, |held, posting| held.saturating_add(posting.delta.0));
    }

    /// At the end: what nobody moved since was held at every later instant.
    pub(super) fn close(mut self) -> (BTreeMap<ProjectKey, Funding>, BTreeMap<FederationSlug, Holding>) {
        for (federation, (held, instants)) in self.watched {
            let later = instants.into_iter().map(|at| (at, held));
            self.holdings.entry(federation).or_default().seen.extend(later);
        }
        (self.funding, self.holdings)
    }
}

/// Looks before it inserts: names are copied once.
fn of<'m, K: Ord + Clone, V: Default>(map: &'m mut BTreeMap<K, V>, name: &K) -> &'m mut V {
    if !map.contains_key(name) {
        map.insert(name.clone(), V::default());
    }
    map.get_mut(name).expect("it was inserted above")
}
