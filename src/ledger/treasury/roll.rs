//! Gathers the facts in journal order and posts them.

use std::collections::BTreeMap;

use crate::domain::{AmountError, Code, Digest32, Finding, MsatDelta, Subject};
use crate::ledger::envelope::EnvelopeLedger;
use crate::ledger::operations::first_of_each;
use crate::ledger::scope::Scope;
use crate::ledger::view::LedgerView;

use super::account::Account;
use super::book::{Book, Entry};
use super::invariants::{Asked, Invariants, Rule};
use super::journal::Journal;
use super::{billed, settled};

/// Why a verified settlement has no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unposted {
    /// Settled after the as-of.
    AfterAsOf,
    /// Another event came first under its operation id.
    Conflict(Digest32),
}

/// Double entry over everything that counts. Debits are positive, credits negative, so the trial balance sums to zero.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreasuryLedger {
    book: Book,
    /// The rules of the books, as often as they were asked.
    pub invariants: Invariants,
    /// Settlements that are listed and not posted.
    pub unposted: BTreeMap<Digest32, Unposted>,
}

impl TreasuryLedger {
    pub(crate) fn fold(scope: Scope<'_>, envelopes: &EnvelopeLedger, findings: &mut Vec<Finding>) -> Self {
        let mut ledger = Self { unposted: unposted(scope, findings), ..Self::default() };
        let mut journal = Journal::default();
        billed::gather(scope, envelopes, &mut journal);
        settled::gather(scope, &ledger.unposted, &mut journal);
        let Journal { entries, mut watch, flows } = journal;
        for (key, entry) in entries {
            match entry.map(|entry| ledger.book.post(entry)) {
                Ok(Ok(())) => {
                    ledger.book.entries.last().into_iter().for_each(|entry| watch.entry(entry, &ledger.book.balances));
                }
                Ok(Err(finding)) => findings.push(*finding),
                Err(AmountError) => findings.push(
                    Finding::new(Code::AmtRange, Subject::new("entry", format!("{:?}", key.fact)))
                        .with_explanation("A sum leaves 128 bits; the entry is not posted."),
                ),
            }
        }
        flows.agree(&ledger.book.balances, &mut watch);
        ledger.invariants = watch.close(scope.as_of.time.into(), &ledger.book.balances);
        findings.extend(ledger.book.trial());
        findings.extend(ledger.invariants.iter().filter_map(|(rule, asked)| broken_by_us(*rule, asked)));
        ledger
    }

    /// The journal in its order.
    pub fn entries(&self) -> &[Entry] {
        &self.book.entries
    }

    /// Final balance by account: debits positive.
    pub fn balances(&self) -> &BTreeMap<Account, MsatDelta> {
        &self.book.balances
    }

    /// The balance of one account; zero when nothing was posted on it.
    pub fn balance(&self, account: &Account) -> MsatDelta {
        self.book.balances.get(account).copied().unwrap_or_default()
    }

    /// True when the settlement has an entry.
    pub fn is_posted(&self, digest: &Digest32) -> bool {
        !self.unposted.contains_key(digest)
    }

    /// The journal's leaves in its order, totals, and the trial balance.
    pub fn view(&self) -> LedgerView {
        let side = |asset: bool| -> i128 {
            let of_side = self.book.balances.iter().filter(|(account, _)| account.is_asset() == asset);
            of_side.map(|(_, delta)| delta.0).fold(0, i128::saturating_add)
        };
        let mut by_class: BTreeMap<String, i128> = BTreeMap::new();
        for (account, delta) in &self.book.balances {
            let balance = by_class.entry(account.class().to_owned()).or_default();
            *balance = balance.saturating_add(delta.0);
        }
        let class = |name: &str| by_class.get(name).copied().unwrap_or_default();
        let count = |n: usize| i128::try_from(n).unwrap_or(i128::MAX);
        LedgerView {
            name: "treasury",
            leaves: self.book.entries.iter().map(Entry::leaf).collect(),
            totals: BTreeMap::from([
                ("entries".to_owned(), count(self.book.entries.len())),
                ("unposted".to_owned(), count(self.unposted.len())),
                ("custody_msat".to_owned(), class("A:Custody")),
                ("in_flight_msat".to_owned(), class("A:InFlight")),
                ("liabilities_msat".to_owned(), side(false).saturating_neg()),
            ]),
            trial_balance: by_class,
        }
    }
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
fn unposted(scope: Scope<'_>, findings: &mut Vec<Finding>) -> BTreeMap<Digest32, Unposted> {
    let first = first_of_each(scope);
    let mut unposted = BTreeMap::new();
    for (digest, verified) in &scope.set.settlements {
        let event = &verified.fact().event;
        if event.settled_at <= scope.as_of.time {
            let kept = first.get(event.operation.as_str()).filter(|(_, kept)| kept != digest);
            unposted.extend(kept.map(|(_, kept)| (*digest, Unposted::Conflict(*kept))));
            continue;
        }
        unposted.insert(*digest, Unposted::AfterAsOf);
        findings.push(
            Finding::new(Code::EnvTime, Subject::new("settlement", digest))
                .with_values(format!("not after {}", scope.as_of.time), event.settled_at)
                .with_evidence(verified.first_carrier(), "settlement")
                .with_explanation("The settlement claims a time after the as-of; it is not counted."),
        );
    }
    unposted
}
