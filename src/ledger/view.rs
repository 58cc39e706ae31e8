//! How a ledger shows itself to the rooms above: canonical leaves and totals.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::domain::{Digest32, MerkleTree, leaf_hash};

use super::parts::in_parts;

/// One ledger or register, ready to be sealed and reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerView {
    /// `envelope`, `rebind`, `treasury`, `attestations` or `projects`.
    pub name: &'static str,
    /// How many leaves it has.
    pub entries: u64,
    /// The Merkle root over them.
    pub root: Digest32,
    /// Totals by name; integers as text keep the report free of floats and of 64-bit limits.
    pub totals: BTreeMap<String, i128>,
    /// Final balance by class of account (treasury only), in millisatoshi; debits positive.
    pub trial_balance: BTreeMap<String, i128>,
}

impl LedgerView {
    /// Hashes the leaves as they come; none is kept.
    pub(super) fn of(name: &'static str, leaves: impl Iterator<Item = Vec<u8>>) -> Self {
        let mut tree = MerkleTree::new();
        leaves.for_each(|leaf| tree.push(&leaf));
        Self::over(name, &tree)
    }

    /// As [`Self::of`]: while the leaves of a part are made and hashed, the next entries are read.
    pub(super) fn of_parts<T: Send + Sync>(
        name: &'static str,
        entries: impl Iterator<Item = T> + Send,
        leaf: impl Fn(&T) -> Vec<u8> + Sync,
    ) -> Self {
        let mut tree = MerkleTree::new();
        let hashes = |part: &[T]| part.par_iter().map(|entry| leaf_hash(&leaf(entry))).collect::<Vec<Digest32>>();
        in_parts(
            entries,
            |part| part,
            |part| {
                for hash in hashes(&part) {
                    tree.push_hash(hash);
                }
            },
        );
        Self::over(name, &tree)
    }

    fn over(name: &'static str, tree: &MerkleTree) -> Self {
        let (entries, root) = (tree.count(), tree.root());
        Self { name, entries, root, totals: BTreeMap::new(), trial_balance: BTreeMap::new() }
    }
}

/// The leaves of one ledger or register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerLeaves {
    /// As [`LedgerView::name`].
    pub name: &'static str,
    /// Canonical JSON of each entry, in canonical order.
    pub leaves: Vec<Vec<u8>>,
}

/// What a leaf is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeafKind {
    /// An envelope that is no rebind.
    Envelope,
    /// A custody transition envelope.
    Rebind,
    /// A graduation.
    Graduation,
    /// A rotation.
    Rotation,
    /// A guardian descriptor.
    Descriptor,
    /// An entry of the treasury's journal.
    Treasury,
    /// An attestation.
    Attestation,
    /// A price config.
    Project,
}

/// One leaf with the name that no other leaf of its kind has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedLeaf {
    /// What it is about.
    pub kind: LeafKind,
    /// Its id; of a treasury entry the fact behind it, of a price config the evidence id.
    pub name: String,
    /// The project of a price config.
    pub project: Option<String>,
    /// Canonical JSON.
    pub bytes: Vec<u8>,
}

impl NamedLeaf {
    pub(super) fn new(kind: LeafKind, name: &impl ToString, bytes: Vec<u8>) -> Self {
        Self { kind, name: name.to_string(), project: None, bytes }
    }
}
