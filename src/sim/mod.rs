//! # sim: worlds that are known to be right
//!
//! Purpose: make seeded worlds (signed envelopes, proofs mined into low-difficulty headers, settlements, key sets, configs),
//! plant faults in them, state by an oracle of its own what must come out, write them as files, and serve them over loopback.
//! May import: domain, evidence
//! External crates: base64, bitcoin, bytes, ed25519_dalek, faster_hex, futures_util, http_body_util, hyper, hyper_util, negentropy, serde, serde_json, sha2, thiserror, tokio, tokio_tungstenite
//! Never: verify, ledger, reconcile, report: what judges must not share code with what it is judged by
//! Invariants: the same seed and size give the same bytes on every platform.

mod anchor;
mod attest;
mod billing;
mod bolt11;
mod carrier;
mod cast;
mod chain;
mod config;
mod custody;
mod drops;
mod envelope;
mod expect;
mod fault;
mod fees;
mod gateway_log;
mod hand;
mod history;
mod invoices;
mod json;
mod junk;
mod keys;
mod lines;
mod manifest;
mod noise;
mod nostr;
mod oracle;
mod ots;
mod past;
mod plan;
mod postings;
mod press;
mod prices;
mod publish;
mod rng;
mod scene;
pub mod seals;
mod server;
mod settlement;
mod staging;
mod statement;
mod time;
mod treasury;
mod watch;
mod world;
mod write;

pub use envelope::{Artifact, Envelope};
pub use expect::{Expectation, Expected};
pub use fault::{Generator, Plant, Planted, Selection, deal, generators, generators_over, plant, selections};
pub use gateway_log::{LogEntry, LogShape};
pub use hand::Hand;
pub use manifest::Manifest;
pub use noise::Noise;
pub use nostr::SimEvent;
pub use oracle::expect;
pub use plan::EVENTS_MIN;
pub use scene::{Located, NoRoom, Planting, Scene, Transport};
pub use server::{
    Behaviour, BehaviourError, Effect, HeaderDialect, Holds, Loss, Misbehaviour, RateLimit, RelayRules, Role, Schedule,
    Services, Serving, serve, serve_with,
};
pub use staging::{Place, Replace};
pub use watch::{Stopped, Unwatched, Watch};
pub use world::{CalendarReply, Document, Proven, World};
pub use write::{EXPECTED_MAX, SimError, Written, serve_toml, write, write_seeded, write_served};
