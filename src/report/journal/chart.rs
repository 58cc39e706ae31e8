//! Every account of a journal, its name, and what it holds so far: all that is kept in memory.

use std::collections::BTreeMap;
use std::io;

use super::ask::JournalAsk;
use super::day::Day;
use super::names::{Called, called};
use crate::domain::MsatDelta;
use crate::ledger::{Account, Entry};

/// One account.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) called: Called,
    /// The day of its first entry.
    pub(super) opened: Day,
    pub(super) is_asset: bool,
    pub(super) balance: MsatDelta,
}

/// The accounts in the order of their names as shown: another order would tell of hidden ones.
#[derive(Debug)]
pub(super) struct Chart {
    places: BTreeMap<Account, usize>,
    pub(super) held: Vec<Held>,
    /// Entries of the journal.
    pub(super) entries: u64,
}

impl Chart {
    /// Reads the journal once for its accounts.
    pub(super) fn of(entries: impl IntoIterator<Item = Entry>, ask: &JournalAsk<'_>) -> Self {
        let (mut opened, mut count) = (BTreeMap::<Account, Day>::new(), 0_u64);
        for entry in entries {
            count = count.saturating_add(1);
            for posting in &entry.postings {
                // Most accounts are known, and `entry` would clone every one of them.
                let is_known = opened.contains_key(&posting.account);
                if !is_known {
                    opened.insert(posting.account.clone(), Day::of(entry.key.at));
                }
            }
        }
        let mut named: Vec<(Called, Account, Day)> = opened
            .into_iter()
            .map(|(account, opened)| (called(&account, ask.dialect, ask.names), account, opened))
            .collect();
        named.sort_by(|(a, ..), (b, ..)| a.name.cmp(&b.name));
        let mut chart = Self { places: BTreeMap::new(), held: Vec::with_capacity(named.len()), entries: count };
        for (called, account, opened) in named {
            let is_asset = account.is_asset();
            chart.places.insert(account, chart.held.len());
            chart.held.push(Held { called, opened, is_asset, balance: MsatDelta::ZERO });
        }
        chart
    }

    /// Moves an account and tells its place.
    pub(super) fn post(&mut self, account: &Account, delta: MsatDelta) -> io::Result<usize> {
        let place = *self.places.get(account).ok_or_else(|| lost("the journal read again has another account"))?;
        let held = self.held.get_mut(place).ok_or_else(|| lost("an account has no place"))?;
        held.balance = sum(held.balance, delta)?;
        Ok(place)
    }

    /// The account at a place that [`Self::post`] gave.
    pub(super) fn at(&self, place: usize) -> io::Result<&Held> {
        self.held.get(place).ok_or_else(|| lost("an account has no place"))
    }
}

/// A sum inside 128 bits.
pub(super) fn sum(a: MsatDelta, b: MsatDelta) -> io::Result<MsatDelta> {
    a.checked_add(b).map_err(|_| lost("a sum leaves 128 bits"))
}

fn lost(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
