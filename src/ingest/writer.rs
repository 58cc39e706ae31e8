//! Taking captured evidence in, batch by batch, in the order that makes a crash harmless.

use std::sync::mpsc::SyncSender;

use crate::domain::{Addressed, EvidenceId, FetchReceipt, RawEvidence, Sighting};
use crate::store::{EvidenceStore, PutOutcome, SideRecord, StoreError};

/// Records that may wait for one flush.
const PENDING_RECORDS_MAX: usize = 8_192;
/// Bytes of evidence that may wait for one flush.
const PENDING_BYTES_MAX: usize = 8 << 20;

/// Why evidence can't be taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The store can't go on.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sighting came with evidence that it is not about.
    #[error("a sighting of {sighted} came with evidence {evidence}")]
    StraySighting {
        /// The evidence that came.
        evidence: EvidenceId,
        /// The evidence that the sighting names.
        sighted: EvidenceId,
    },
}

/// What was taken in so far, durable all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IngestTotals {
    /// Pieces of evidence that were new.
    pub inserted: u64,
    /// Pieces that the store already held, or that came twice.
    pub already_present: u64,
    /// Sightings that were handed to the store, which keeps one per evidence and source.
    pub sightings: u64,
}

/// The only writer of a store.
///
/// Evidence is durable before its sightings, and both before any receipt or cursor (INV-4). What still waits when the
/// writer is dropped was never acknowledged; call [`Ingest::flush`] first.
pub struct Ingest<'s> {
    store: &'s mut dyn EvidenceStore,
    evidence: Vec<Addressed>,
    sightings: Vec<SideRecord>,
    bytes: usize,
    totals: IngestTotals,
    next: Option<SyncSender<Vec<RawEvidence>>>,
}

impl<'s> Ingest<'s> {
    /// A writer with nothing waiting.
    pub fn new(store: &'s mut dyn EvidenceStore) -> Self {
        Self {
            store,
            evidence: Vec::new(),
            sightings: Vec::new(),
            bytes: 0,
            totals: IngestTotals::default(),
            next: None,
        }
    }

    /// Hands on what was new, batch by batch, once it is durable. A receiver that is gone is no failure.
    #[must_use]
    pub fn handing_on(mut self, next: SyncSender<Vec<RawEvidence>>) -> Self {
        self.next = Some(next);
        self
    }

    /// Takes one piece of evidence and where it was seen. It is durable after the next flush, which this may cause.
    ///
    /// # Errors
    /// [`IngestError::StraySighting`], and nothing is taken; [`IngestError::Store`].
    pub fn accept(&mut self, evidence: impl Into<Addressed>, sighting: Sighting) -> Result<(), IngestError> {
        let evidence = evidence.into();
        if sighting.evidence != evidence.id() {
            return Err(IngestError::StraySighting { evidence: evidence.id(), sighted: sighting.evidence });
        }
        let RawEvidence { bytes, about, .. } = &*evidence;
        self.bytes = self.bytes.saturating_add(bytes.len()).saturating_add(about.len());
        self.evidence.push(evidence);
        self.sightings.push(SideRecord::Sighting(sighting));
        if self.evidence.len() >= PENDING_RECORDS_MAX || self.bytes >= PENDING_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes how a fetch ended, after everything that it speaks of.
    ///
    /// # Errors
    /// [`IngestError::Store`].
    pub fn receipt(&mut self, receipt: FetchReceipt) -> Result<(), IngestError> {
        self.side(SideRecord::Receipt(receipt))
    }

    /// Moves a cursor, after everything that it has passed.
    ///
    /// # Errors
    /// [`IngestError::Store`].
    pub fn cursor(&mut self, name: String, value: String) -> Result<(), IngestError> {
        self.side(SideRecord::Cursor { name, value })
    }

    fn side(&mut self, record: SideRecord) -> Result<(), IngestError> {
        self.flush()?;
        Ok(self.store.put_side(&[record])?)
    }

    /// Ends the writing: makes all that waits durable, hands it on, and has the index catch up while it is worked on.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn finish(mut self) -> Result<IngestTotals, IngestError> {
        self.flush()?;
        drop(self.next.take());
        self.store.catch_up()?;
        Ok(self.totals)
    }

    /// Makes all that waits durable: evidence, then sightings.
    ///
    /// # Errors
    /// [`IngestError::Store`]; everything then waits still, and the totals are unchanged.
    pub fn flush(&mut self) -> Result<(), IngestError> {
        if self.evidence.is_empty() {
            return Ok(());
        }
        let outcomes = self.store.put_addressed(&self.evidence)?;
        self.store.put_side(&self.sightings)?;
        let inserted = outcomes.iter().filter(|outcome| **outcome == PutOutcome::Inserted).count();
        self.totals.inserted += inserted as u64;
        self.totals.already_present += (outcomes.len() - inserted) as u64;
        self.totals.sightings += self.sightings.len() as u64;
        if let Some(next) = &self.next {
            let mut fresh = Vec::with_capacity(inserted);
            let taken = self.evidence.drain(..).zip(&outcomes);
            let new = taken.filter(|(_, outcome)| **outcome == PutOutcome::Inserted);
            fresh.extend(new.map(|(evidence, _)| evidence.into_evidence()));
            let _ = next.send(fresh);
        }
        // Their room is kept: the next batch will be as large.
        self.evidence.clear();
        self.sightings.clear();
        self.bytes = 0;
        Ok(())
    }

    /// What was taken in and is durable; what waits is not counted.
    pub fn totals(&self) -> IngestTotals {
        self.totals
    }
}
