//! Capture: every source on its own thread, one writer, a bounded queue between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant as Clock};

use super::error::AppError;
use super::observer::{Cancel, Event, Observer};
use crate::domain::{FetchReceipt, RawEvidence, Sighting, SliceEnd, SourceId};
use crate::ingest::Ingest;
use crate::store::EvidenceStore;
use crate::substrate::{Captured, EvidenceSource, Sink, SourceError, Stopped};

/// Items between the sources and the writer: at most 256 KiB each, so at most 64 MiB wait.
const QUEUE_ITEMS: usize = 256;

enum Message {
    Item(RawEvidence, Sighting),
    Ended(SourceId, Result<Vec<FetchReceipt>, SourceError>),
}

/// `--max-duration`: from then on nothing more is fetched, and the run can't be complete.
#[derive(Debug, Clone, Default)]
pub(super) struct TimeLimit {
    deadline: Option<Clock>,
    /// A source was told to end because of it.
    over: Arc<AtomicBool>,
}

impl TimeLimit {
    pub(super) fn new(began: Clock, seconds: Option<u64>) -> Self {
        // A limit beyond what the clock can say is none.
        let deadline = seconds.and_then(|seconds| began.checked_add(Duration::from_secs(seconds)));
        Self { deadline, over: Arc::default() }
    }

    /// True when a source was cut short.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    #[expect(clippy::disallowed_methods, reason = "the limit is on the wall clock; what it cuts is in the receipts")]
    fn passed(&self) -> bool {
        let passed = self.deadline.is_some_and(|deadline| Clock::now() >= deadline);
        if passed {
            self.over.store(true, Ordering::SeqCst);
        }
        passed
    }
}

struct QueueSink {
    queue: SyncSender<Message>,
    cancel: Cancel,
    limit: TimeLimit,
}

impl Sink for QueueSink {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        if self.cancel.is_cancelled() {
            return Err(Stopped);
        }
        let sighting = captured.sighting();
        self.queue.send(Message::Item(captured.evidence, sighting)).map_err(|_| Stopped)
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled() || self.limit.passed()
    }
}

/// Runs all sources to their end and stores what they give. Receipts follow the evidence they speak of.
///
/// # Errors
/// The first local failure: a source that can't start, or the store. Evidence stored before it stays.
pub(super) fn capture(
    sources: Vec<Box<dyn EvidenceSource>>,
    store: &mut dyn EvidenceStore,
    observer: &dyn Observer,
    cancel: &Cancel,
    limit: &TimeLimit,
) -> Result<u64, AppError> {
    observer.event(Event::Stage { name: "capture", total: None });
    let (sender, receiver) = sync_channel(QUEUE_ITEMS);
    thread::scope(|scope| {
        let mut handles = Vec::new();
        for mut source in sources {
            let queue = sender.clone();
            let cancel = cancel.clone();
            let limit = limit.clone();
            let id = source.id();
            let handle = thread::Builder::new().name(format!("source {id}")).spawn_scoped(scope, move || {
                let mut sink = QueueSink { queue, cancel, limit };
                let result = source.fetch(&mut sink);
                // The writer is gone only when it failed; its error is the one that is told.
                let _ = sink.queue.send(Message::Ended(source.id(), result));
            });
            handles.push(handle.map_err(|source| AppError::Io { action: "start a thread for", file: id.0, source })?);
        }
        drop(sender);
        let written = write_all(receiver, store, observer, cancel);
        for handle in handles {
            if handle.join().is_err() {
                return Err(AppError::Internal("a source panicked".to_owned()));
            }
        }
        written
    })
}

fn write_all(
    receiver: Receiver<Message>,
    store: &mut dyn EvidenceStore,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<u64, AppError> {
    let mut ingest = Ingest::new(store);
    let mut done = 0_u64;
    let mut failure = None;
    // Owning the receiver: when this function returns early, senders see a closed queue and stop.
    for message in receiver {
        match message {
            Message::Item(evidence, sighting) => {
                ingest.accept(evidence, sighting)?;
                done += 1;
                if done.is_multiple_of(512) {
                    observer.event(Event::Progress { done });
                }
            }
            Message::Ended(id, Ok(receipts)) => {
                announce(observer, &id, &receipts);
                for receipt in receipts {
                    ingest.receipt(receipt)?;
                }
            }
            Message::Ended(_, Err(SourceError::Stopped(_))) => {}
            Message::Ended(_, Err(error)) => failure = failure.or(Some(error)),
        }
    }
    ingest.flush()?;
    observer.event(Event::Progress { done });
    cancel.check()?;
    failure.map_or(Ok(done), |error| Err(error.into()))
}

fn announce(observer: &dyn Observer, id: &SourceId, receipts: &[FetchReceipt]) {
    let improper = receipts.iter().find(|receipt| receipt.end != SliceEnd::Ended);
    observer.event(Event::SourceEnded {
        source: id.0.clone(),
        items: receipts.iter().map(|receipt| receipt.items).sum(),
        proper: improper.is_none(),
        reason: improper.map(|receipt| receipt.reason.clone()).unwrap_or_default(),
    });
}
