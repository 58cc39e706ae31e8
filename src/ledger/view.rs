//! How a ledger shows itself to the rooms above: canonical leaves and totals.

use std::collections::BTreeMap;

/// One ledger or register, ready to be sealed and reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerView {
    /// `envelope`, `rebind`, `treasury`, `attestations` or `projects`.
    pub name: &'static str,
    /// Canonical JSON of each entry, in canonical order: the leaves of the ledger's Merkle root.
    pub leaves: Vec<Vec<u8>>,
    /// Totals by name; integers as text keep the report free of floats and of 64-bit limits.
    pub totals: BTreeMap<String, i128>,
    /// Final balance by class of account (treasury only), in millisatoshi; debits positive.
    pub trial_balance: BTreeMap<String, i128>,
}
