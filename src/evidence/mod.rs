//! # evidence: foreign bytes become unverified claims
//!
//! Purpose: decode every wire format into claims; every byte, depth and count limit lives in `limits.rs`.
//! May import: domain
//! External crates: base64, faster_hex, serde, serde_json, thiserror
//! Never: check signatures; touch files
//! Invariants: no input panics, recurses without bound or allocates more than its limit; the bytes are kept whatever
//! becomes of them; fields of signed artifacts are parsed out of the signed bytes, never out of a wrapper.

pub mod attest;
pub mod balance;
mod bech32;
pub mod binding;
pub mod checkpoint;
mod claim;
pub mod custody;
mod decode;
mod envelope;
pub mod federation;
mod fields;
pub mod headers;
mod json;
mod kept;
mod keys;
pub mod limits;
mod lines;
mod merge_record;
mod nostr;
mod oc_me;
pub mod ots;
mod ots_member;
pub mod project;
pub mod rails;
mod record;
mod route;
pub mod score;
mod sealed;
pub mod settlement;
pub mod snapshot;
pub mod sniff;
pub mod split;
pub mod tar;

pub(crate) use bech32::decode_npub;
pub use claim::*;
pub use decode::{Fault, decode};
pub use envelope::record;
pub(crate) use envelope::signed_members;
pub use kept::Changed;
pub(crate) use nostr::serialized;
pub use nostr::{event_signature, nostr_event, serialize_for_id};
pub use oc_me::{BodyError, parse_body};
pub use route::relay_gate;
