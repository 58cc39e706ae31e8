//! Posts the journal, entry by entry.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::domain::{
    AmountError, Code, Digest32, FederationSlug, Finding, MerkleTree, MsatDelta, ProjectKey, Subject, TrustPolicy,
    UserKey, leaf_hash,
};
use crate::ledger::envelope::EnvelopeLedger;
use crate::ledger::operations::conflicts;
use crate::ledger::parts::in_parts;
use crate::ledger::rails::Rails;
use crate::ledger::scope::Scope;
use crate::ledger::view::LedgerView;

use super::account::Account;
use super::book::{Balances, Book, trial};
use super::entry::EntryKey;
use super::flows::{Flows, Paid};
use super::invariants::{Asked, Invariants, Rule, Watch};
use super::journal::{Facts, Job, Step};
use super::prefixes::{Funding, Holding, Prefixes};

/// Why a verified settlement has no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unposted {
    /// Settled after the as-of.
    AfterAsOf,
    /// Another event came first under its operation id.
    Conflict(Digest32),
}

/// Double entry over everything that counts. Debits are positive, credits negative, so the trial balance sums to zero.
///
/// Memory is that of the accounts: entries are posted, asked, hashed, and forgotten. [`super::Journal`] makes them again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreasuryLedger {
    balances: Balances,
    /// The rules of the books, as often as they were asked.
    pub invariants: Invariants,
    /// What each project had to spend, through all prefixes of the journal.
    pub funding: BTreeMap<ProjectKey, Funding>,
    /// What each federation held, through all prefixes of the journal.
    pub holdings: BTreeMap<FederationSlug, Holding>,
    /// What each user was paid by posted settlements, by the name that they have.
    pub paid: BTreeMap<UserKey, Paid>,
    /// Settlements that are listed and not posted.
    pub unposted: BTreeMap<Digest32, Unposted>,
    /// Entries that are not posted: a sum would leave 128 bits.
    pub(super) refused: BTreeSet<EntryKey>,
    /// Posted entries, and the root over their leaves.
    sealed: (u64, Digest32),
}

impl TreasuryLedger {
    pub(crate) fn fold(
        scope: Scope<'_>,
        envelopes: &EnvelopeLedger,
        (unposted, rails): (BTreeMap<Digest32, Unposted>, &Rails),
        findings: &mut Vec<Finding>,
    ) -> Self {
        let facts = Facts::gather(scope, envelopes, &unposted, rails);
        let mut ledger = Self { unposted, ..Self::default() };
        let mut walk = Walk::new(scope);
        // Making entries and their leaves is most of the work, and each is its own.
        in_parts(
            facts.jobs(),
            |part| make(&facts, part),
            |made| {
                for (key, finding) in walk.post(made) {
                    findings.push(*finding);
                    ledger.refused.insert(key);
                }
            },
        );
        let Walk { book, mut watch, flows, prefixes, leaves, .. } = walk;
        ledger.sealed = (leaves.count(), leaves.root());
        ledger.balances = book.close();
        (ledger.funding, ledger.holdings) = prefixes.close();
        flows.agree(&ledger.balances, &mut watch);
        ledger.paid = flows.paid;
        ledger.invariants = watch.close(scope.as_of.time.into(), &ledger.balances);
        findings.extend(trial(ledger.balances.iter().map(|(_, balance)| balance)));
        findings.extend(ledger.invariants.iter().filter_map(|(rule, asked)| broken_by_us(*rule, asked)));
        ledger
    }

    /// Final balance by account: debits positive.
    pub fn balances(&self) -> &Balances {
        &self.balances
    }

    /// The balance of one account; zero when nothing was posted on it.
    pub fn balance(&self, account: &Account) -> MsatDelta {
        self.balances.of(account)
    }

    /// True when the settlement has an entry.
    pub fn is_posted(&self, digest: &Digest32) -> bool {
        !self.unposted.contains_key(digest)
    }

    /// Root, totals, and the trial balance. The leaves are those of the journal's entries, in its order.
    pub fn view(&self) -> LedgerView {
        let side = |asset: bool| -> i128 {
            let of_side = self.balances.iter().filter(|(account, _)| account.is_asset() == asset);
            of_side.map(|(_, delta)| delta.0).fold(0, i128::saturating_add)
        };
        let by_class = self.balances.by_class();
        let class = |name: &str| by_class.get(name).copied().unwrap_or_default();
        let count = |n: usize| i128::try_from(n).unwrap_or(i128::MAX);
        let (entries, root) = self.sealed;
        LedgerView {
            name: "treasury",
            entries,
            root,
            totals: BTreeMap::from([
                ("entries".to_owned(), entries.into()),
                ("unposted".to_owned(), count(self.unposted.len())),
                ("custody_msat".to_owned(), class("A:Custody")),
                ("in_flight_msat".to_owned(), class("A:InFlight")),
                ("liabilities_msat".to_owned(), side(false).saturating_neg()),
            ]),
            trial_balance: by_class.into_iter().map(|(class, held)| (class.to_owned(), held)).collect(),
        }
    }
}

/// Everything that follows the journal once.
struct Walk<'a> {
    policy: &'a TrustPolicy,
    book: Book,
    watch: Watch,
    flows: Flows,
    prefixes: Prefixes,
    leaves: MerkleTree,
}

impl<'a> Walk<'a> {
    fn new(scope: Scope<'a>) -> Self {
        Self {
            policy: scope.policy,
            book: Book::default(),
            watch: Watch::default(),
            flows: Flows::default(),
            prefixes: Prefixes::new(scope.policy),
            leaves: MerkleTree::new(),
        }
    }

    /// Posts them in their order; what is refused comes back with the reason.
    fn post(&mut self, made: Vec<Made>) -> Vec<(EntryKey, Box<Finding>)> {
        let refused = made.into_iter().filter_map(|(step, leaf)| {
            let finding = self.step(&step, leaf).err()?;
            Some((step.key, finding))
        });
        refused.collect()
    }

    /// Posts an entry and asks the rules; one that is refused counts in the flows, which are the facts' own.
    fn step(&mut self, step: &Step, leaf: Digest32) -> Result<(), Box<Finding>> {
        self.watch.fact(&step.cause, &step.key);
        self.flows.fact(&step.cause, self.policy);
        let entry = step.entry.as_ref().map_err(|AmountError| {
            let subject = Subject::new("entry", format!("{:?}", step.key.fact));
            let finding = Finding::new(Code::AmtRange, subject);
            Box::new(finding.with_explanation("A sum leaves 128 bits; the entry is not posted."))
        })?;
        self.book.post(entry)?;
        self.watch.entry(entry, &self.book);
        self.prefixes.entry(entry, &step.cause);
        self.leaves.push_hash(leaf);
        Ok(())
    }
}

/// A fact with its entry, and the hash of that entry's leaf.
type Made = (Step, Digest32);

/// In the order of the jobs.
fn make(facts: &Facts<'_>, jobs: Vec<Job<'_>>) -> Vec<Made> {
    let made = jobs.into_par_iter().map(|job| {
        let step = facts.step(job);
        let leaf = step.entry.as_ref().map(|entry| leaf_hash(&entry.leaf())).unwrap_or_default();
        (step, leaf)
    });
    made.collect()
}

/// CONS_BUG: a rule that nothing in the world can break.
fn broken_by_us(rule: Rule, asked: &Asked) -> Option<Finding> {
    (rule.is_ours() && asked.broken > 0).then(|| {
        let first = asked.first.as_ref().map_or_else(|| "the end".to_owned(), |key| format!("{:?}", key.fact));
        Finding::new(Code::ConsBug, Subject::new("rule", rule.name()))
            .with_values(
                format!("{} times kept", asked.times),
                format!("{} times broken, first by {first}", asked.broken),
            )
            .with_explanation("The books break a rule that only an error of the program can break.")
    })
}

/// One posting set per operation id: the first by (settled_at, digest). The others are listed, never netted.
pub(crate) fn unposted(scope: Scope<'_>, findings: &mut Vec<Finding>) -> BTreeMap<Digest32, Unposted> {
    let second = conflicts(scope).into_iter().map(|(digest, first)| (digest, Unposted::Conflict(first)));
    let mut unposted: BTreeMap<Digest32, Unposted> = second.collect();
    for (digest, verified) in &scope.set.settlements {
        let event = &verified.fact().event;
        if event.settled_at <= scope.as_of.time {
            continue;
        }
        unposted.insert(digest, Unposted::AfterAsOf);
        findings.push(
            Finding::new(Code::EnvTime, Subject::new("settlement", digest))
                .with_values(format!("not after {}", scope.as_of.time), event.settled_at)
                .with_evidence(verified.first_carrier(), "settlement")
                .with_explanation("The settlement claims a time after the as-of; it is not counted."),
        );
    }
    unposted
}
