//! The book: takes entries that sum to zero, keeps the balances, refuses everything else.

#![expect(
    clippy::disallowed_types,
    reason = "the table is asked by account, and sorted before it is walked, so its order shows nowhere"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::{Code, Finding, MsatDelta, Names, Subject};

use super::account::Account;
use super::entry::Entry;

/// The balances that entries leave. Memory is that of the accounts, whatever the number of entries.
#[derive(Debug, Default)]
pub(super) struct Book {
    held: HashMap<Account, MsatDelta>,
    /// Every class that was posted on.
    classes: BTreeSet<&'static str>,
    /// A user has an account for each window, a window one for each user: they share the names.
    names: Names,
    /// Behind the last entry, by its postings.
    after: Vec<MsatDelta>,
}

impl Book {
    /// Posts one entry. INV-5: one that does not sum to zero is refused and is a bug of ours; one that leaves 128 bits is
    /// refused as out of range.
    pub(super) fn post(&mut self, entry: &Entry) -> Result<(), Box<Finding>> {
        let mut sum = MsatDelta::ZERO;
        self.after.clear();
        for posting in &entry.postings {
            // Postings of one entry are on different accounts, so none is behind another.
            let after = self.balance(&posting.account).checked_add(posting.delta).map_err(|_| out_of_range(entry))?;
            sum = sum.checked_add(posting.delta).map_err(|_| out_of_range(entry))?;
            self.after.push(after);
        }
        if sum != MsatDelta::ZERO {
            let finding = Finding::new(Code::ConsBug, entry.subject())
                .with_values("0", sum)
                .with_explanation("An entry does not sum to zero; it is not posted.");
            return Err(Box::new(finding));
        }
        for (posting, after) in entry.postings.iter().zip(&self.after) {
            let account = &posting.account;
            match self.held.get_mut(account) {
                // There is a flight for each operation: one that has landed is forgotten.
                Some(_) if matches!(account, Account::InFlight(_)) && *after == MsatDelta::ZERO => {
                    self.held.remove(account);
                }
                Some(balance) => *balance = *after,
                None => {
                    self.classes.insert(account.class());
                    self.held.insert(shared(&mut self.names, account), *after);
                }
            }
        }
        Ok(())
    }

    /// What the last entry left on the account of each of its postings.
    pub(super) fn after(&self) -> &[MsatDelta] {
        &self.after
    }

    /// Zero for an account without an entry.
    pub(super) fn balance(&self, account: &Account) -> MsatDelta {
        self.held.get(account).copied().unwrap_or_default()
    }

    /// No more entries.
    pub(super) fn close(self) -> Balances {
        let mut held: Vec<(Account, MsatDelta)> = self.held.into_iter().collect();
        held.sort_unstable();
        Balances { held, classes: self.classes }
    }
}

/// The same account with the one copy of its names.
fn shared(names: &mut Names, account: &Account) -> Account {
    match account {
        Account::UserMaturing(user, window) => {
            Account::UserMaturing(names.shared(user.as_str()), names.shared(window.as_str()))
        }
        Account::UserAvailable(user) => Account::UserAvailable(names.shared(user.as_str())),
        other => other.clone(),
    }
}

/// Final balances: every account that was posted on, in order, with what it holds. Debits are positive. Of payments in flight
/// only those that have not landed have one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balances {
    held: Vec<(Account, MsatDelta)>,
    classes: BTreeSet<&'static str>,
}

impl Balances {
    /// Zero for an account without an entry.
    pub fn of(&self, account: &Account) -> MsatDelta {
        let place = self.held.binary_search_by(|(other, _)| other.cmp(account)).ok();
        place.and_then(|place| self.held.get(place)).map(|(_, balance)| *balance).unwrap_or_default()
    }

    /// In order of the accounts.
    pub fn iter(&self) -> impl Iterator<Item = (&Account, MsatDelta)> {
        self.held.iter().map(|(account, balance)| (account, *balance))
    }

    /// What each class of accounts holds that was posted on, by its name.
    pub fn by_class(&self) -> BTreeMap<&'static str, i128> {
        let mut by_class: BTreeMap<&'static str, i128> = self.classes.iter().map(|class| (*class, 0)).collect();
        for (account, delta) in &self.held {
            let balance = by_class.entry(account.class()).or_default();
            *balance = balance.saturating_add(delta.0);
        }
        by_class
    }
}

fn out_of_range(entry: &Entry) -> Box<Finding> {
    let finding = Finding::new(Code::AmtRange, entry.subject())
        .with_values("a sum inside 128 bits", "overflow")
        .with_explanation("The entry is not posted.");
    Box::new(finding)
}

/// INV-5 over the whole book: the trial balance is zero, so custody equals the sum of liabilities.
pub(super) fn trial(mut balances: impl Iterator<Item = MsatDelta>) -> Option<Finding> {
    let sum = balances.try_fold(MsatDelta::ZERO, MsatDelta::checked_add);
    (sum != Ok(MsatDelta::ZERO)).then(|| {
        Finding::new(Code::ConsBug, Subject::new("ledger", "treasury"))
            .with_values("0", sum.map_or_else(|_| "overflow".to_owned(), |sum| sum.to_string()))
            .with_explanation("The trial balance is not zero.")
    })
}
