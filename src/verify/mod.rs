//! # verify: claims become verdicts
//!
//! Purpose: hashes, signatures, proofs, header chains; the only maker of `Verified<T>`.
//! May import: domain, scratch, evidence
//! External crates: archmage, base64, bip322, bitcoin, curve25519_dalek, ed25519_dalek, faster_hex, fiat_crypto, k256, lightning_invoice,
//! rayon, serde, serde_json, sha2, sha3, thiserror
//! Never: network; clock; store
//! Invariants: pure and CPU-bound; the same claims, policy and headers give the same verdicts; a rejection always carries
//! its evidence; nothing is accepted because of an unsigned member.

pub mod acknowledgement;
mod anchor;
pub mod attest;
pub mod batch;
pub mod binding;
pub mod bip322;
mod carriers;
mod checks;
pub mod custody;
pub mod envelope;
mod epochs;
pub mod fixed_base;
mod genuine;
pub mod headers;
pub mod invoice;
mod judge;
pub mod keys;
mod lanes;
mod merge;
pub mod nostr;
pub mod ots;
pub mod quorum;
mod run;
mod set;
pub mod settlement;
mod unread;

pub use anchor::{Anchor, AnchorState, HeaderTrust, PendingAnchor, StaleAnchor};
pub use carriers::{Carriers, Pieces};
pub use checks::Checks;
pub use genuine::{Genuine, SIGNED};
pub use run::{FIRST_PASS, SECOND_PASS, Verifier};
pub use set::*;
