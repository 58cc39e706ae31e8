//! Entries in their order, before they are posted, and what is known of the facts behind them.

use std::collections::BTreeMap;

use crate::domain::{AmountError, EvidenceId};

use super::account::Posting;
use super::book::{Entry, EntryKey, Tier};
use super::flows::Flows;
use super::invariants::Watch;

/// What is gathered from the ledgers and the log.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Entries by their place; an error where a sum left 128 bits.
    pub(super) entries: BTreeMap<EntryKey, Result<Entry, AmountError>>,
    pub(super) watch: Watch,
    pub(super) flows: Flows,
}

impl Journal {
    pub(super) fn add(
        &mut self,
        key: EntryKey,
        kind: &'static str,
        postings: Result<Vec<Posting>, AmountError>,
        (mut evidence, tier): (Vec<EvidenceId>, Tier),
    ) {
        evidence.sort_unstable();
        evidence.dedup();
        let entry = postings.map(|postings| Entry { key: key.clone(), kind, postings, evidence, tier });
        self.entries.insert(key, entry);
    }
}
