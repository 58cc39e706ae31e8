//! What journal is wanted, and what was written.

use crate::domain::{Digest32, UnixSeconds};
use crate::report::Pseudonyms;

/// Entries above which a journal is summed by day, unless it is asked for in full: plain-text tools take seconds and
/// gigabytes beyond (TREASURY 5.5).
pub const SUMMARY_ABOVE: u64 = 100_000;

/// Whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// hledger's journal format.
    Hledger,
    /// beancount's language.
    Beancount,
    /// RFC 4180.
    Csv,
}

impl Dialect {
    /// The name that the command line uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hledger => "hledger",
            Self::Beancount => "beancount",
            Self::Csv => "csv",
        }
    }
}

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Every entry up to [`SUMMARY_ABOVE`] of them, above that by day.
    Auto,
    /// Every entry.
    Entries,
    /// One transaction a day for each kind and direction of entry.
    Days,
}

impl Detail {
    /// True when a journal of so many entries is summed by day.
    pub(super) fn is_by_day(self, entries: u64) -> bool {
        match self {
            Self::Auto => entries > SUMMARY_ABOVE,
            Self::Entries => false,
            Self::Days => true,
        }
    }
}

/// A journal that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct JournalAsk<'a> {
    /// Whose words.
    pub dialect: Dialect,
    /// How much of it.
    pub detail: Detail,
    /// How users are called.
    pub names: &'a Pseudonyms,
    /// The instant that the ledger was rebuilt for.
    pub as_of: UnixSeconds,
    /// What it was rebuilt from.
    pub evidence_root: Digest32,
}

/// What a journal came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JournalWritten {
    /// Entries of the ledger.
    pub entries: u64,
    /// Accounts that any of them moved.
    pub accounts: u64,
    /// Transactions written, without those that only assert.
    pub transactions: u64,
    /// Balances asserted.
    pub assertions: u64,
    /// True when days were summed.
    pub by_day: bool,
}
