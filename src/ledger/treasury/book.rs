//! The book: takes entries that sum to zero, keeps the balances, refuses everything else.

#![expect(
    clippy::disallowed_types,
    reason = "the table is asked by account and never iterated, so its order shows nowhere"
)]

use std::collections::HashMap;

use crate::domain::{Code, Finding, MsatDelta, Names, Subject};

use super::account::Account;
use super::entry::Entry;

/// The balances that entries leave. Memory is that of the accounts, whatever the number of entries.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Where each account stands in `rows`.
    places: HashMap<Account, usize>,
    rows: Vec<(Account, MsatDelta)>,
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
            if let Some((_, balance)) = self.places.get(&posting.account).and_then(|place| self.rows.get_mut(*place)) {
                *balance = *after;
                continue;
            }
            let account = shared(&mut self.names, &posting.account);
            self.places.insert(account.clone(), self.rows.len());
            self.rows.push((account, *after));
        }
        Ok(())
    }

    /// What the last entry left on the account of each of its postings.
    pub(super) fn after(&self) -> &[MsatDelta] {
        &self.after
    }

    /// Zero for an account without an entry.
    pub(super) fn balance(&self, account: &Account) -> MsatDelta {
        let row = self.places.get(account).and_then(|place| self.rows.get(*place));
        row.map(|(_, balance)| *balance).unwrap_or_default()
    }

    /// No more entries.
    pub(super) fn close(self) -> Balances {
        let Self { places, mut rows, names, .. } = self;
        // The table is as large as the rows are: it goes before anything else comes.
        drop((places, names));
        rows.sort_unstable();
        rows.shrink_to_fit();
        Balances(rows)
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

/// Final balances: every account that was posted on, in order, with what it holds. Debits are positive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balances(Vec<(Account, MsatDelta)>);

impl Balances {
    /// Zero for an account without an entry.
    pub fn of(&self, account: &Account) -> MsatDelta {
        let place = self.0.binary_search_by(|(other, _)| other.cmp(account)).ok();
        place.and_then(|place| self.0.get(place)).map(|(_, balance)| *balance).unwrap_or_default()
    }

    /// In order of the accounts.
    pub fn iter(&self) -> impl Iterator<Item = (&Account, MsatDelta)> {
        self.0.iter().map(|(account, balance)| (account, *balance))
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
