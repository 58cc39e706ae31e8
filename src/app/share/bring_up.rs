//! Brings the shared copy up to the log: what a worker can check goes into slices, in the order of the log.

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::domain::{EvidenceId, RawEvidence};
use crate::store::{EvidenceStore, Parcel, SharedCopy, Slice, StoreError};
use crate::verify::SIGNED;

/// Pieces of evidence in a slice: the least that is worth a lease.
const SLICE_MIN: u64 = 8;
/// The most: a quarter of a second of work.
const SLICE_MAX: u64 = 4_096;
/// Slices of a run, while it is small: enough that several workers have something to do to the end.
const SLICES: u64 = 64;
/// Bytes that are compressed and written together: bounds memory, and what a broken connection costs.
const GROUP_BYTES: usize = 16 << 20;

/// Copies what the tables do not hold yet, and tells of all slices in their order, once they are there. What the tables hold is
/// taken for the log's where number, count and root of a slice are; from the first that is not, everything is written again.
///
/// # Errors
/// [`AppError::Store`]; [`AppError::Interrupted`].
pub(super) fn bring_up(
    store: &dyn EvidenceStore,
    copy: &mut SharedCopy,
    threads: &rayon::ThreadPool,
    cancel: &Cancel,
    tell: &mut dyn FnMut(&[Slice]) -> Result<(), StoreError>,
) -> Result<Vec<Slice>, AppError> {
    let held = copy.slices()?;
    let size = (store.len() / SLICES).clamp(SLICE_MIN, SLICE_MAX);
    let (done, told, parcel, group) = (Vec::new(), 0, Parcel::default(), Vec::new());
    let mut copying = Copying { copy, tell, threads, size, held, done, told, parcel, group, weight: 0 };
    let mut taken = Ok(());
    store.scan(&SIGNED, &mut |id, evidence| {
        taken = copying.take(id, &evidence);
        if taken.is_err() || cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    taken?;
    cancel.check()?;
    Ok(copying.finish()?)
}

struct Copying<'c> {
    copy: &'c mut SharedCopy,
    tell: &'c mut dyn FnMut(&[Slice]) -> Result<(), StoreError>,
    threads: &'c rayon::ThreadPool,
    /// Pieces in a slice.
    size: u64,
    /// What the tables held before, as far as it may be the log's.
    held: Vec<Slice>,
    /// The slices of the log, up to here.
    done: Vec<Slice>,
    /// How many of them were told of.
    told: usize,
    /// The slice that is being filled.
    parcel: Parcel,
    /// The last of [`Self::done`], where they are still to be written.
    group: Vec<Parcel>,
    /// Bytes of the group.
    weight: usize,
}

impl Copying<'_> {
    fn take(&mut self, id: EvidenceId, evidence: &RawEvidence) -> Result<(), StoreError> {
        if !Parcel::takes(evidence) {
            return Ok(());
        }
        self.parcel.push(id, evidence);
        // A slice that the tables hold ended somewhere else perhaps: where a run had ended that was gone on with.
        let size = self.held.get(self.done.len()).map_or(self.size, |held| held.items.into());
        if self.parcel.items() >= size || self.parcel.is_full() { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        let parcel = std::mem::take(&mut self.parcel);
        let number = u32::try_from(self.done.len()).unwrap_or(u32::MAX);
        let items = u32::try_from(parcel.items()).unwrap_or(u32::MAX);
        let slice = Slice { number, items, root: parcel.root() };
        let is_held = self.held.get(self.done.len()) == Some(&slice);
        self.done.push(slice);
        if !is_held {
            self.held.truncate(self.done.len() - 1);
            self.weight += parcel.len();
            self.group.push(parcel);
        }
        if self.weight >= GROUP_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes the group, and tells of what was not told of. Where nothing is to be written this still asks whether the rows are
    /// ours, and removes what a longer log had left.
    fn flush(&mut self) -> Result<(), StoreError> {
        let group = std::mem::take(&mut self.group);
        self.weight = 0;
        let bytes: Result<Vec<_>, _> = self.threads.install(|| group.par_iter().map(Parcel::compressed).collect());
        let first = self.done.len() - group.len();
        let rows: Vec<(Slice, Vec<u8>)> = self.done[first..].iter().copied().zip(bytes?).collect();
        self.copy.put(u32::try_from(first).unwrap_or(u32::MAX), &rows)?;
        (self.tell)(&self.done[self.told..])?;
        self.told = self.done.len();
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Slice>, StoreError> {
        if !self.parcel.is_empty() {
            self.close()?;
        }
        self.flush()?;
        Ok(self.done)
    }
}
