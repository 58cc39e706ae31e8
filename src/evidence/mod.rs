//! # evidence: foreign bytes become unverified claims
//!
//! Purpose: decode every wire format into claims; every byte, depth and count limit lives in `limits.rs`.
//! May import: domain
//! External crates: base64, faster_hex, serde, serde_json, thiserror
//! Never: check signatures; touch files
//! Invariants: no input panics, recurses without bound or allocates more than its limit; the bytes are kept whatever
//! becomes of them; fields of signed artifacts are parsed out of the signed bytes, never out of a wrapper.

mod claim;
pub mod headers;
pub mod limits;
pub mod ots;

pub use claim::*;
