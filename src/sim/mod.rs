//! # sim: worlds that are known to be right
//!
//! Purpose: make a seeded honest world (signed envelopes, proofs mined into low-difficulty headers, settlements, key sets,
//! configs), write it as files, and serve it over loopback by a real relay, calendar and gateway.
//! May import: domain, evidence
//! External crates: base64, bitcoin, bytes, ed25519_dalek, faster_hex, futures_util, http_body_util, hyper, hyper_util, serde, serde_json, sha2, thiserror, tokio, tokio_tungstenite
//! Never: verify, ledger, reconcile, report: what judges must not share code with what it is judged by
//! Invariants: the same seed and size give the same bytes on every platform.

mod anchor;
mod attest;
mod carrier;
mod cast;
mod chain;
mod config;
mod drops;
mod envelope;
mod fees;
mod gateway_log;
mod hand;
mod history;
mod http;
mod json;
mod keys;
mod manifest;
mod nostr;
mod ots;
mod relay;
mod rng;
pub mod seals;
mod serve;
mod settlement;
mod statement;
mod time;
mod treasury;
mod world;
mod write;

pub use envelope::{Artifact, Envelope};
pub use gateway_log::LogEntry;
pub use hand::Hand;
pub use manifest::Manifest;
pub use nostr::SimEvent;
pub use serve::{Serving, serve};
pub use world::{CalendarReply, Document, World};
pub use write::{SimError, serve_toml, write};
