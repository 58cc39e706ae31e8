//! # store: bytes by content address
//!
//! Purpose: the append-only evidence log (the truth) and its index (a cache): put-if-absent, scan, side records, durability.
//! May import: domain, scratch
//! External crates: faster_hex, postgres, redb, rustls, serde, serde_json, sled, thiserror, tokio, tokio_rustls, tracing, webpki_roots, zstd
//! Never: decode bytes; know what they mean
//! Invariants: INV-1 id == digest(bytes) on write and on read; INV-2 putting twice changes nothing; INV-3 what was
//! acknowledged survives `kill -9`; write order is evidence, then index, then receipt and cursor.

mod check;
mod disk;
mod engine;
mod footer;
mod gaps;
mod index;
mod lock;
mod log;
mod log_store;
mod media_set;
mod members;
mod memory_store;
mod postgres;
mod record;
mod replay;
mod segment;
mod side;
mod sighted;
mod tail;
#[cfg(test)]
mod tests;
mod told;

use std::ops::ControlFlow;

pub use engine::Engine;
pub use lock::RunLock;
pub use log_store::LogStore;
pub use members::{LogFile, members};
pub use memory_store::MemoryStore;
pub use postgres::Address;
#[cfg(feature = "postgres")]
pub use postgres::{Lease, Parcel, Queue, SharedCopy, Slice, Work};

use crate::domain::{Addressed, EvidenceId, FetchReceipt, Media, RawEvidence, Sighting};
use crate::scratch::{Scratch, ScratchError};

/// What became of a record that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// It was new and is durable now.
    Inserted,
    /// The same bytes were already held.
    AlreadyPresent,
}

/// Why a store can't go on. Never says anything about the evidence's meaning.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file operation failed; a full disk arrives here.
    #[error("{action} {file}")]
    Io {
        /// What was attempted, for example `append to`.
        action: &'static str,
        /// The file's name inside the run folder.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Another live process holds the run.
    #[error("the run is held by another process")]
    Locked,
    /// The same id with other bytes: never overwritten.
    #[error("evidence {id} is already held with other bytes")]
    Conflict {
        /// The id claimed twice.
        id: EvidenceId,
    },
    /// A sealed or acknowledged record does not check.
    #[error("the evidence log is damaged at {file}:{offset}: {what}")]
    Damaged {
        /// Segment file.
        file: String,
        /// Byte offset in it.
        offset: u64,
        /// What does not check.
        what: String,
    },
    /// The index engine failed; it can be rebuilt from the log.
    #[error("the index failed: {0}")]
    Index(String),
    /// An earlier write or flush failed, so what the disk holds is unknown until the store is opened again.
    #[error("an earlier write failed: nothing more is done before the store is opened again")]
    Poisoned,
    /// A write to a store that was opened for reading.
    #[error("the evidence was opened for reading only")]
    ReadOnly,
    /// The config names an engine that does not exist.
    #[error("no store engine is called {scheme}")]
    UnknownEngine {
        /// The scheme of the store's URL; the rest may hold a password and is not kept.
        scheme: String,
    },
    /// A shared store gives no answer; nothing was half done, and the run can be gone on with.
    #[error("{what}")]
    Unreachable {
        /// Which one, and what came instead.
        what: String,
    },
    /// A shared store takes no writes: read-only, full, or it failed.
    #[error("{what}")]
    Server {
        /// Which one, and what it says.
        what: String,
    },
    /// A shared store that is not ours to use: another program's tables, another version's, a wrong password or address.
    #[error("{what}")]
    Unusable {
        /// Which one, and why not.
        what: String,
    },
    /// Another process has opened the run's rows since.
    #[error("another process has taken over this run's rows in the shared store")]
    Superseded,
    /// The engine exists, and this build leaves it out.
    #[error("this build has no {engine} engine")]
    EngineMissing {
        /// The engine's name, which is also the name of the cargo feature.
        engine: &'static str,
    },
}

impl From<ScratchError> for StoreError {
    fn from(error: ScratchError) -> Self {
        Self::Io { action: error.action, file: error.place(), source: error.into_io() }
    }
}

/// Evidence by content address, with side records. One writer; all methods block.
pub trait EvidenceStore: Send {
    /// Puts a batch. When it returns, every record of the batch is durable (log synced, then index).
    ///
    /// # Errors
    /// [`StoreError`]; nothing of the batch is acknowledged then.
    fn put_addressed(&mut self, batch: &[Addressed]) -> Result<Vec<PutOutcome>, StoreError>;

    /// As [`Self::put_addressed`], for evidence whose address nobody has computed yet.
    ///
    /// # Errors
    /// As [`Self::put_addressed`].
    fn put(&mut self, batch: &[RawEvidence]) -> Result<Vec<PutOutcome>, StoreError> {
        self.put_addressed(&batch.iter().cloned().map(Addressed::from).collect::<Vec<_>>())
    }

    /// Adds sightings, receipts and cursors. Call it only after the evidence they speak of was put. Durable on return.
    /// Repeated equal side records are kept once. A cursor replaces the one of the same name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_side(&mut self, records: &[SideRecord]) -> Result<(), StoreError>;

    /// True when the id is held.
    ///
    /// # Errors
    /// [`StoreError`].
    fn contains(&self, id: &EvidenceId) -> Result<bool, StoreError>;

    /// The evidence of that id, its digest checked.
    ///
    /// # Errors
    /// [`StoreError`].
    fn get(&self, id: &EvidenceId) -> Result<Option<RawEvidence>, StoreError>;

    /// Visits all evidence of these media in unspecified order, each digest checked. The visitor may stop early.
    /// Streams: memory does not grow with the store. A store on disk has one order, which more evidence only adds to.
    ///
    /// # Errors
    /// [`StoreError`].
    fn scan(
        &self,
        media: &[Media],
        visit: &mut dyn FnMut(EvidenceId, RawEvidence) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Visits all side records in unspecified order.
    ///
    /// # Errors
    /// [`StoreError`].
    fn scan_side(&self, visit: &mut dyn FnMut(SideRecord) -> ControlFlow<()>) -> Result<(), StoreError>;

    /// Has the index catch up with what was put, which a later read or the end of the work would wait for.
    ///
    /// # Errors
    /// [`StoreError`].
    fn catch_up(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The cursor of that name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn cursor(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// All ids, ascending. The `evidence_root` is the Merkle root over their 32 bytes in this order.
    ///
    /// # Errors
    /// [`StoreError`].
    fn ids(&self) -> Result<Vec<EvidenceId>, StoreError>;

    /// The same, one by one: memory does not grow with the store.
    ///
    /// # Errors
    /// [`StoreError`].
    fn each_id(&self, visit: &mut dyn FnMut(EvidenceId)) -> Result<(), StoreError> {
        self.ids()?.into_iter().for_each(visit);
        Ok(())
    }

    /// How many pieces of evidence are held.
    fn len(&self) -> u64;

    /// True when nothing is held.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where whoever works on the evidence may lay out more than fits into memory: beside it, where there is a folder.
    fn scratch(&self) -> Scratch {
        Scratch::default()
    }
}

/// What stands beside the evidence: where it was seen, how fetches ended, how far we got.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "few are held at once, and receipts are few among them")]
pub enum SideRecord {
    /// Evidence seen at a source. One per (evidence, source) is kept, the first.
    Sighting(Sighting),
    /// How the fetch of a slice ended. The latest per (source, slice) wins.
    Receipt(FetchReceipt),
    /// A resumable position.
    Cursor {
        /// Its name: source and slice.
        name: String,
        /// Opaque to the store.
        value: String,
    },
}
