//! Roots over evidence and ledgers. Specified for a second implementation in `docs/state-root.md`.

use std::path::Path;

use crate::domain::{Digest32, EvidenceId, MerkleTree, TaggedHasher, merkle_root};
use crate::ledger::LedgerView;
use crate::store::{EvidenceStore, LogStore, StoreError};

/// One ledger's seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRoot {
    /// The ledger's name.
    pub name: &'static str,
    /// Merkle root over its leaves in canonical order.
    pub root: Digest32,
    /// How many leaves.
    pub entries: u64,
}

/// All seals of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSeal {
    /// Each ledger and register, in the order of the specification.
    pub ledgers: Vec<LedgerRoot>,
    /// One digest over all of them: what two parties compare.
    pub state_root: Digest32,
}

/// Merkle root over the ids in ascending order, each leaf the id's 32 bytes.
pub fn evidence_root(ascending: &[EvidenceId]) -> Digest32 {
    debug_assert!(ascending.is_sorted());
    merkle_root(ascending.iter().map(EvidenceId::as_bytes))
}

/// The same of everything that a store holds.
///
/// # Errors
/// [`StoreError`].
pub fn evidence_root_of(store: &dyn EvidenceStore) -> Result<Digest32, StoreError> {
    root_over(|visit| store.each_id(visit))
}

/// The same of a folder of evidence, every byte of which is checked.
///
/// # Errors
/// As [`LogStore::open_read_only`].
pub fn checked_evidence_root(evidence_dir: &Path) -> Result<Digest32, StoreError> {
    root_over(|visit| LogStore::each_checked_id(evidence_dir, visit))
}

/// As [`evidence_root`], of the ids that are shown in that order.
fn root_over(each: impl FnOnce(&mut dyn FnMut(EvidenceId)) -> Result<(), StoreError>) -> Result<Digest32, StoreError> {
    let mut tree = MerkleTree::new();
    each(&mut |id| tree.push(id.as_bytes()))?;
    Ok(tree.root())
}

/// Seals the views in their order.
pub fn seal(views: &[LedgerView]) -> StateSeal {
    let ledgers: Vec<LedgerRoot> =
        views.iter().map(|view| LedgerRoot { name: view.name, root: view.root, entries: view.entries }).collect();
    let mut hasher = TaggedHasher::new("reledger/state-root/1");
    for ledger in &ledgers {
        hasher.field(ledger.name.as_bytes()).field(ledger.root.as_bytes()).field(&ledger.entries.to_be_bytes());
    }
    StateSeal { ledgers, state_root: hasher.finish() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn view(name: &'static str, leaves: &[&str]) -> LedgerView {
        LedgerView {
            name,
            entries: leaves.len() as u64,
            root: merkle_root(leaves),
            totals: BTreeMap::new(),
            trial_balance: BTreeMap::new(),
        }
    }

    #[test]
    fn an_entry_moved_between_ledgers_changes_the_state_root() {
        let one = seal(&[view("envelope", &["a", "b"]), view("rebind", &[])]);
        let other = seal(&[view("envelope", &["a"]), view("rebind", &["b"])]);
        assert_ne!(one.state_root, other.state_root);
        assert_eq!(one, seal(&[view("envelope", &["a", "b"]), view("rebind", &[])]));
    }
}
