//! Capture: every source on its own thread, one writer, a bounded queue between them.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use super::error::AppError;
use super::observer::{Cancel, Event, Observer};
use crate::domain::{Addressed, FetchReceipt, RawEvidence, Sighting, SliceEnd, SourceId};
use crate::ingest::{Ingest, IngestTotals};
use crate::store::EvidenceStore;
use crate::substrate::{Captured, EvidenceSource, Sink, SourceError, Stopped};
use crate::verify::Genuine;

/// Messages between the sources and the writer: less than 512 KiB each, so at most 32 MiB wait.
const QUEUE_MESSAGES: usize = 64;
/// Items of one message, at most: waking the writer costs more than a small item does.
const TOGETHER: usize = 64;
/// So many bytes are a message, however few items. A larger item (an outline may have megabytes) waits alone: its source goes on
/// when the writer has it.
const LARGE_BYTES: usize = 256 * 1024;
/// Batches of the writer that wait for their signatures to be checked: at most 8 MiB each.
const CHECK_BATCHES: usize = 2;

type Item = (Addressed, Sighting);

enum Message {
    /// The sender of a large item is dropped when the item is taken, or with the queue.
    Items(Vec<Item>, Option<SyncSender<()>>),
    Ended(SourceId, Result<Vec<FetchReceipt>, SourceError>),
}

/// Checks the signatures of what was captured while more of it is being fetched.
pub(super) struct Checking<'a> {
    /// Remembers what was found genuine.
    pub(super) genuine: &'a mut Genuine,
    /// Does the work.
    pub(super) threads: &'a rayon::ThreadPool,
    /// False where all who share the store do it later.
    pub(super) at_once: bool,
}

/// When fetching ends although sources have more to say.
#[derive(Debug, Clone)]
pub(super) struct Limit {
    /// The user's word.
    pub(super) cancel: Cancel,
    /// The time limit's.
    pub(super) until: Option<Instant>,
}

impl Limit {
    /// True when the time limit has passed.
    #[expect(clippy::disallowed_methods, reason = "a time limit on fetching; that it ended a run is recorded")]
    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn stops(&self) -> bool {
        self.cancel.is_cancelled() || self.is_over()
    }
}

/// What a fetch brought.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    /// The time limit stopped a source.
    pub(super) stopped: bool,
    pub(super) totals: IngestTotals,
}

struct QueueSink {
    queue: SyncSender<Message>,
    limit: Limit,
    waiting: Vec<Item>,
    bytes: usize,
}

impl QueueSink {
    fn new(queue: SyncSender<Message>, limit: Limit) -> Self {
        Self { queue, limit, waiting: Vec::new(), bytes: 0 }
    }

    /// Hands on what waits.
    fn send(&mut self) -> Result<(), Stopped> {
        self.bytes = 0;
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.queue.send(Message::Items(std::mem::take(&mut self.waiting), None)).map_err(|_| Stopped)
    }

    fn send_large(&mut self, item: Item) -> Result<(), Stopped> {
        self.send()?;
        let (held, taken) = sync_channel(0);
        self.queue.send(Message::Items(vec![item], Some(held))).map_err(|_| Stopped)?;
        // Nothing is ever sent: this ends when the other side lets go.
        let _ = taken.recv();
        Ok(())
    }
}

impl Sink for QueueSink {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        if self.limit.stops() {
            return Err(Stopped);
        }
        let item = captured.addressed();
        let bytes = item.0.bytes.len();
        if bytes > LARGE_BYTES {
            return self.send_large(item);
        }
        self.bytes += bytes;
        if self.waiting.is_empty() {
            self.waiting.reserve_exact(TOGETHER);
        }
        self.waiting.push(item);
        if self.waiting.len() >= TOGETHER || self.bytes >= LARGE_BYTES { self.send() } else { Ok(()) }
    }

    fn cancelled(&self) -> bool {
        self.limit.stops()
    }
}

/// Runs all sources to their end and stores what they give. Receipts follow the evidence they speak of; a source that was
/// stopped leaves none.
///
/// # Errors
/// The first local failure: a source that can't start, or the store. Evidence stored before it stays.
pub(super) fn capture(
    stage: &'static str,
    sources: Vec<Box<dyn EvidenceSource>>,
    store: &mut dyn EvidenceStore,
    checking: Checking<'_>,
    observer: &dyn Observer,
    limit: &Limit,
) -> Result<Taken, AppError> {
    observer.event(Event::Stage { name: stage, total: None });
    let (sender, receiver) = sync_channel(QUEUE_MESSAGES);
    let (fresh, unchecked) = sync_channel::<Vec<RawEvidence>>(CHECK_BATCHES);
    thread::scope(|scope| {
        let checker = scope.spawn(move || {
            let Checking { genuine, threads, at_once } = checking;
            for batch in unchecked.into_iter().filter(|_| at_once) {
                threads.install(|| genuine.check(&batch));
            }
        });
        let mut handles = Vec::new();
        for mut source in sources {
            let queue = sender.clone();
            let limit = limit.clone();
            let id = source.id();
            let handle = thread::Builder::new().name(format!("source {id}")).spawn_scoped(scope, move || {
                let mut sink = QueueSink::new(queue, limit);
                let result = source.fetch(&mut sink);
                // The writer is gone only when it failed; its error is the one that is told.
                let _ = sink.send();
                let _ = sink.queue.send(Message::Ended(source.id(), result));
            });
            handles.push(handle.map_err(|source| AppError::Io { action: "start a thread for", file: id.0, source })?);
        }
        drop(sender);
        let written = write_all(receiver, store, fresh, observer, &limit.cancel);
        for handle in handles {
            if handle.join().is_err() {
                return Err(AppError::Internal("a source panicked".to_owned()));
            }
        }
        if checker.join().is_err() {
            return Err(AppError::Internal("the checker of signatures panicked".to_owned()));
        }
        written
    })
}

fn write_all(
    receiver: Receiver<Message>,
    store: &mut dyn EvidenceStore,
    fresh: SyncSender<Vec<RawEvidence>>,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Taken, AppError> {
    // The checker ends when the sender is dropped; should it be gone, judging checks what it did not.
    let mut ingest = Ingest::new(store).handing_on(fresh);
    let mut done = 0_u64;
    let mut failure = None;
    let mut stopped = false;
    // Owning the receiver: when this function returns early, senders see a closed queue and stop.
    for message in receiver {
        match message {
            Message::Items(items, held) => {
                for (evidence, sighting) in items {
                    ingest.accept(evidence, sighting)?;
                    done += 1;
                    if done.is_multiple_of(512) {
                        observer.event(Event::Progress { done });
                    }
                }
                drop(held);
            }
            Message::Ended(id, Ok(receipts)) => {
                announce(observer, &id, &receipts);
                // A slice that we ourselves cut off says nothing about its source; its receipt would outlive the resumed run.
                let (cut, whole): (Vec<_>, Vec<_>) =
                    receipts.into_iter().partition(|receipt| receipt.end == SliceEnd::Cancelled);
                stopped |= !cut.is_empty();
                for receipt in whole {
                    ingest.receipt(receipt)?;
                }
            }
            Message::Ended(_, Err(SourceError::Stopped(_))) => stopped = true,
            Message::Ended(_, Err(error)) => failure = failure.or(Some(error)),
        }
    }
    // What was put last is still being checked.
    let taken = Taken { stopped, totals: ingest.finish()? };
    observer.event(Event::Progress { done });
    cancel.check()?;
    failure.map_or(Ok(taken), |error| Err(error.into()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Silent;
    use crate::domain::Media;
    use crate::store::MemoryStore;

    /// Gives large items, one after the other.
    struct Large(u8);

    impl EvidenceSource for Large {
        fn id(&self) -> SourceId {
            SourceId::files(Media::Snapshot)
        }

        fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
            for number in 0..self.0 {
                let bytes = vec![number; LARGE_BYTES + 1];
                let evidence = RawEvidence { media: Media::Snapshot, about: String::new(), bytes };
                sink.accept(Captured {
                    evidence: evidence.into(),
                    source: self.id(),
                    place: String::new(),
                    offset: 0,
                })?;
            }
            Ok(Vec::new())
        }
    }

    #[test]
    fn large_items_of_several_sources_all_arrive() {
        let mut store = MemoryStore::default();
        let limit = Limit { cancel: Cancel::default(), until: None };
        let sources: Vec<Box<dyn EvidenceSource>> = vec![Box::new(Large(9)), Box::new(Large(5))];
        let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let mut genuine = Genuine::default();
        let checking = Checking { genuine: &mut genuine, threads: &threads, at_once: true };
        assert!(!capture("capture", sources, &mut store, checking, &Silent, &limit).unwrap().stopped);
        assert_eq!(store.len(), 9);
    }

    #[test]
    fn a_writer_that_is_gone_lets_a_waiting_source_go() {
        let (queue, receiver) = sync_channel(QUEUE_MESSAGES);
        let limit = Limit { cancel: Cancel::default(), until: None };
        let waiting = thread::spawn(move || Large(2).fetch(&mut QueueSink::new(queue, limit)));
        let first = receiver.recv().unwrap();
        drop(receiver);
        drop(first);
        assert!(matches!(waiting.join().unwrap(), Err(SourceError::Stopped(_))));
    }
}
