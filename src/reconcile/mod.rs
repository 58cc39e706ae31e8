//! # reconcile: the ledgers against each other and against coverage
//!
//! Purpose: compare ledgers, settlements, balances and coverage; say what disagrees, what could not be checked, and why.
//! May import: domain, evidence, verify, ledger
//! External crates: serde, serde_json
//! Never: re-judge evidence
//! Invariants: INV-8 a contradicted completeness claim is withdrawn; INV-9 no finding is netted away or dropped because it
//! is explained; a check that did not run is listed as unverifiable, never as passed.

mod result;

pub use result::*;
