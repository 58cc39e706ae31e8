//! What the sources of one session answered: who ended, and with which receipts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::{FetchReceipt, SliceEnd, SourceId};
use crate::substrate::{EvidenceSource, Sink, SourceError};

type Entries = Vec<(SourceId, Vec<FetchReceipt>)>;

/// The receipts of one session, noted when a source has ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Book(Arc<Mutex<Entries>>);

impl Book {
    /// The same source, noted here when it ends.
    pub(super) fn keeps(&self, inner: Box<dyn EvidenceSource>) -> Box<dyn EvidenceSource> {
        Box::new(Recorded { inner, book: self.clone() })
    }

    /// Receipts of slices that we did not cut off ourselves.
    pub(super) fn receipts(&self) -> Vec<FetchReceipt> {
        let whole = |receipt: &&FetchReceipt| receipt.end != SliceEnd::Cancelled;
        self.entries().iter().flat_map(|(_, receipts)| receipts).filter(whole).cloned().collect()
    }

    /// The sources that ended, and none of whose slices we cut off.
    pub(super) fn sources(&self) -> Vec<SourceId> {
        let cut = |receipt: &FetchReceipt| receipt.end == SliceEnd::Cancelled;
        let whole = self.entries();
        let whole = whole.iter().filter(|(_, receipts)| !receipts.iter().any(cut));
        whole.map(|(source, _)| source.clone()).collect()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // A source that panicked left whole entries: they are pushed in one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Recorded {
    inner: Box<dyn EvidenceSource>,
    book: Book,
}

impl EvidenceSource for Recorded {
    fn id(&self) -> SourceId {
        self.inner.id()
    }

    fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
        let receipts = self.inner.fetch(sink)?;
        self.book.entries().push((self.inner.id(), receipts.clone()));
        Ok(receipts)
    }
}
