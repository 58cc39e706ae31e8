//! # verify: claims become verdicts
//!
//! Purpose: hashes, signatures, proofs, header chains; the only maker of `Verified<T>`.
//! May import: domain, evidence
//! External crates: base64, bip322, bitcoin, ed25519_dalek, faster_hex, rayon, serde_json, sha2, sha3, thiserror
//! Never: network; clock; store
//! Invariants: pure and CPU-bound; the same claims, policy and headers give the same verdicts; a rejection always carries
//! its evidence; nothing is accepted because of an unsigned member.

mod epochs;
pub mod headers;
pub mod ots;
mod set;

pub use set::*;
