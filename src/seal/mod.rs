//! # seal: one digest for one state
//!
//! Purpose: the evidence root, each ledger's root, the state root, the manifest of a sealed evidence folder.
//! May import: domain, store, ledger, reconcile
//! External crates: serde, serde_json, thiserror
//! Never: decide what is right
//! Invariants: INV-2 the same set gives the same root in any order; INV-6; the construction has a version and is specified
//! in docs/state-root.md.

mod manifest;
mod roots;

pub use manifest::{MANIFEST_SCHEMA, Manifest, ManifestError, Member};
pub use roots::{LedgerRoot, StateSeal, evidence_root, seal};
