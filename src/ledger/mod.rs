//! # ledger: what it all means
//!
//! Purpose: fold the verified set into the envelope, rebind and treasury ledgers and the attestation and project registers.
//! May import: domain, evidence, verify
//! External crates: serde, serde_json, thiserror
//! Never: store; floats (the fee replay of FORMATS 4.2 excepted, in one function); hash-order iteration
//! Invariants: INV-5 every entry and every trial balance sums to zero, custody equals the sum of liabilities; a ledger is a
//! pure function of (verified set, policy, as-of); nothing later than the as-of counts.

mod view;

pub use view::LedgerView;
