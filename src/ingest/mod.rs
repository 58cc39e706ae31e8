//! # ingest: the only writer
//!
//! Purpose: take captured evidence in, idempotently; keep undecodable bytes; write receipts and cursors after durability.
//! May import: domain, evidence, verify, store
//! External crates: serde, serde_json, thiserror, tracing
//! Never: fetch; project
//! Invariants: INV-2, INV-3, INV-4 a cursor advances only over items that are durable and accounted for.

#[cfg(test)]
mod tests;
mod writer;

pub use writer::{Ingest, IngestError, IngestTotals};
