//! From stored bytes to a verified set: two passes over the store, in bounded batches, verified on all cores.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::error::AppError;
use super::observer::{Cancel, Event, Observer};
use super::seals;
use crate::domain::{EvidenceId, FetchReceipt, Media, RawEvidence, SliceEnd, SourceId, TrustPolicy};
use crate::reconcile::{Sightings, SightingsSorter};
use crate::scratch::Sorter;
use crate::store::{EvidenceStore, SideRecord, StoreError};
use crate::verify::keys::KeyRing;
use crate::verify::{FIRST_PASS, Genuine, SECOND_PASS, VerifiedSet, Verifier};

/// What is verified together.
type Batch = Vec<(EvidenceId, RawEvidence)>;

/// Bytes of one batch: bounds memory when records are large.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Batches that are read ahead of those that are verified.
const BATCHES_AHEAD: usize = 1;

/// What the side records say.
#[derive(Debug, Default)]
pub struct SideTables {
    /// Which sources gave which evidence.
    pub sightings: Sightings,
    /// How fetches ended, sorted; without those that a later fetch superseded.
    pub receipts: Vec<FetchReceipt>,
    /// The `d` tags of events that a transparency log may be about.
    pub d_tags: BTreeMap<EvidenceId, String>,
}

/// Reads the side records.
///
/// # Errors
/// [`AppError::Store`].
pub(super) fn side_tables(store: &dyn EvidenceStore) -> Result<SideTables, AppError> {
    let mut tables = SideTables::default();
    let mut sightings = SightingsSorter::in_place(store.scratch());
    store.scan_side(&mut |record| {
        match record {
            SideRecord::Sighting(sighting) => {
                sightings.add(sighting.evidence, &sighting.source);
            }
            SideRecord::Receipt(receipt) if receipt.backing.superseded => {}
            SideRecord::Receipt(receipt) => tables.receipts.push(receipt),
            SideRecord::Cursor { .. } => {}
        }
        ControlFlow::Continue(())
    })?;
    tables.sightings = sightings.finish();
    count_replies(&mut tables);
    tables.sightings.check()?;
    tables.receipts.sort();
    Ok(tables)
}

/// Calendars and headers by height are asked for what is still missing: a capture that goes on asks for less than one that
/// was never interrupted. So that both read the same, such a receipt counts everything that the source ever gave.
fn count_replies(tables: &mut SideTables) {
    let by_height = format!("{}-by-height", Media::Headers.name());
    let is_piecemeal =
        |receipt: &FetchReceipt| receipt.slice.kind == by_height || receipt.slice.kind == Media::CalendarReply.name();
    let mut given: BTreeMap<SourceId, u64> = BTreeMap::new();
    for receipt in tables.receipts.iter().filter(|receipt| is_piecemeal(receipt)) {
        given.insert(receipt.source.clone(), 0);
    }
    // A node that gave its chain too gave that in other pieces.
    for receipt in tables.receipts.iter().filter(|receipt| !is_piecemeal(receipt)) {
        given.remove(&receipt.source);
    }
    if given.is_empty() {
        return;
    }
    for source in tables.sightings.iter().flat_map(|(_, sources)| sources) {
        if let Some(count) = given.get_mut(source) {
            *count += 1;
        }
    }
    for receipt in tables.receipts.iter_mut().filter(|receipt| is_piecemeal(receipt)) {
        if let Some(count) = given.get(&receipt.source) {
            receipt.items = *count;
        }
        if receipt.end == SliceEnd::Ended {
            // What is pending is told proof by proof.
            receipt.reason.clear();
        }
    }
}

/// The receipts alone, sorted: what a capture needs to know of itself.
///
/// # Errors
/// [`AppError::Store`].
pub(super) fn receipts(store: &dyn EvidenceStore) -> Result<Vec<FetchReceipt>, AppError> {
    let mut receipts = Vec::new();
    store.scan_side(&mut |record| {
        receipts.extend(match record {
            SideRecord::Receipt(receipt) if !receipt.backing.superseded => Some(receipt),
            _ => None,
        });
        ControlFlow::Continue(())
    })?;
    receipts.sort();
    Ok(receipts)
}

/// Workers for verification; 0 is one per core.
///
/// # Errors
/// [`AppError::Internal`] when the system gives no threads.
pub(super) fn worker_threads(jobs: usize) -> Result<rayon::ThreadPool, AppError> {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(jobs).thread_name(|at| format!("worker {at}")).build();
    threads.map_err(|error| AppError::Internal(format!("no worker threads: {error}")))
}

/// What judging knows beside the evidence.
pub(super) struct Known<'a> {
    /// What is trusted and demanded.
    pub(super) policy: &'a TrustPolicy,
    /// Signatures checked while fetching.
    pub(super) genuine: &'a Genuine,
    /// What the side records say.
    pub(super) tables: &'a SideTables,
    /// Has the signatures checked by all who share the store, once the keys are known.
    pub(super) share: Option<Box<dyn Share>>,
}

/// Signatures that others check too.
pub(super) trait Share: Send {
    /// What is found good under these keys.
    ///
    /// # Errors
    /// [`AppError`].
    fn learn(
        &mut self,
        store: &dyn EvidenceStore,
        known: (&TrustPolicy, &KeyRing),
        threads: &rayon::ThreadPool,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Genuine, AppError>;
}

/// Verifies everything the store holds. The result does not depend on thread count or storage order.
///
/// # Errors
/// [`AppError::Store`]; [`AppError::Interrupted`].
pub(super) fn judge(
    store: &dyn EvidenceStore,
    policy: &TrustPolicy,
    tables: &SideTables,
    threads: &rayon::ThreadPool,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<VerifiedSet, AppError> {
    let known = Known { policy, genuine: &Genuine::default(), tables, share: None };
    judge_knowing(store, known, threads, observer, cancel).map(|(set, _)| set)
}

/// [`judge`], with signatures that were checked already. Gives back what was learned from others, who are asked after the
/// first pass.
///
/// # Errors
/// As [`judge`].
pub(super) fn judge_knowing(
    store: &dyn EvidenceStore,
    known: Known<'_>,
    threads: &rayon::ThreadPool,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<(VerifiedSet, Option<Genuine>), AppError> {
    observer.event(Event::Stage { name: "verify", total: Some(store.len()) });
    let mut learned = None;
    let mut verifier = Verifier::knowing(known.policy, known.genuine);
    verifier.lay(&store.scratch());
    let items = known.genuine.batch_items();
    let mut pass = Pass { items, done: 0, pieces: Sorter::in_place(store.scratch()), observer, cancel };
    pass.run(store, FIRST_PASS, |batches| {
        for batch in batches {
            threads.install(|| verifier.first_pass(&batch));
        }
    })?;
    verifier.begin_second_pass();
    if let Some(mut share) = known.share {
        let found = share.learn(store, (known.policy, verifier.ring()), threads, observer, cancel)?;
        verifier.know(learned.insert(found));
    }
    pass.run(store, SECOND_PASS, |batches| verifier.second_pass_on(threads, batches))?;
    let (pieces, sightings) = (pass.pieces, &known.tables.sightings);
    let (received, mut set) = threads.join(|| received(pieces, sightings), || verifier.finish());
    set.check()?;
    seals::judge(store, known.policy, &mut set, cancel)?;
    for (name, counts) in &mut set.population.0 {
        // A population found inside another (an envelope in an event) was received as often as it is distinct.
        counts.received = received.get(name.as_str()).copied().unwrap_or(counts.unique).max(counts.unique);
    }
    Ok((set, learned))
}

struct Pass<'a> {
    /// How many records are verified together.
    items: usize,
    done: u64,
    /// The place in [`POPULATIONS`] of each piece that is an item of one.
    pieces: Sorter<EvidenceId, u8>,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
}

impl Pass<'_> {
    /// Reads here and verifies on a thread of its own, which asks the workers.
    fn run(
        &mut self,
        store: &dyn EvidenceStore,
        media: &[Media],
        verify: impl FnOnce(Receiver<Batch>) + Send,
    ) -> Result<(), AppError> {
        let (sender, batches) = sync_channel::<Batch>(BATCHES_AHEAD);
        thread::scope(|scope| {
            let verifier = scope.spawn(move || verify(batches));
            let read = self.read(store, media, &sender);
            drop(sender);
            verifier.join().map_err(|_| AppError::Internal("the verifier panicked".to_owned()))?;
            read
        })
    }

    fn read(&mut self, store: &dyn EvidenceStore, media: &[Media], queue: &SyncSender<Batch>) -> Result<(), AppError> {
        let mut batch = Vec::with_capacity(self.items);
        let mut bytes = 0;
        let scanned: Result<(), StoreError> = store.scan(media, &mut |id, evidence| {
            bytes += evidence.bytes.len();
            batch.push((id, evidence));
            if batch.len() >= self.items || bytes >= BATCH_BYTES {
                self.hand_over(std::mem::replace(&mut batch, Vec::with_capacity(self.items)), queue);
                bytes = 0;
            }
            if self.cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        scanned?;
        self.hand_over(batch, queue);
        self.cancel.check()
    }

    fn hand_over(&mut self, batch: Batch, queue: &SyncSender<Batch>) {
        for (id, evidence) in &batch {
            let place = POPULATIONS.iter().position(|(media, _)| *media == evidence.media);
            place.and_then(|place| u8::try_from(place).ok()).iter().for_each(|place| self.pieces.push(id, place));
        }
        self.done += batch.len() as u64;
        // The verifier is gone only when it panicked, which is told when it is joined.
        let _ = queue.send(batch);
        self.observer.event(Event::Progress { done: self.done });
    }
}

/// Distinct items per source, summed, by population.
fn received(pieces: Sorter<EvidenceId, u8>, sightings: &Sightings) -> BTreeMap<&'static str, u64> {
    let mut received: BTreeMap<&str, u64> = BTreeMap::new();
    let mut beside = sightings.beside();
    pieces.each(
        |_, _| (),
        |id, place| {
            let sources = beside.get(&id).map_or(1, BTreeSet::len);
            let name = POPULATIONS.get(usize::from(place)).map_or("", |(_, name)| name);
            *received.entry(name).or_default() += sources as u64;
        },
    );
    received
}

/// The population's names by media, as the verifier counts them.
const POPULATIONS: [(Media, &str); 8] = [
    (Media::NostrEvent, "events"),
    (Media::Settlement, "settlements"),
    (Media::Invoice, "invoices"),
    (Media::PaymentLogEntry, "payment_log"),
    (Media::ProjectConfig, "configs"),
    (Media::Balance, "balances"),
    (Media::Checkpoint, "checkpoints"),
    (Media::Snapshot, "snapshots"),
];

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::observer::Silent;
    use crate::domain::{Addressed, Condition};
    use crate::scratch::Scratch;
    use crate::store::{MemoryStore, PutOutcome};

    /// A store whose working files lie on a full disk.
    struct Full(MemoryStore, Scratch);

    impl EvidenceStore for Full {
        fn put_addressed(&mut self, batch: &[Addressed]) -> Result<Vec<PutOutcome>, StoreError> {
            self.0.put_addressed(batch)
        }
        fn put_side(&mut self, records: &[SideRecord]) -> Result<(), StoreError> {
            self.0.put_side(records)
        }
        fn contains(&self, id: &EvidenceId) -> Result<bool, StoreError> {
            self.0.contains(id)
        }
        fn get(&self, id: &EvidenceId) -> Result<Option<RawEvidence>, StoreError> {
            self.0.get(id)
        }
        fn scan(
            &self,
            media: &[Media],
            visit: &mut dyn FnMut(EvidenceId, RawEvidence) -> ControlFlow<()>,
        ) -> Result<(), StoreError> {
            self.0.scan(media, visit)
        }
        fn scan_side(&self, visit: &mut dyn FnMut(SideRecord) -> ControlFlow<()>) -> Result<(), StoreError> {
            self.0.scan_side(visit)
        }
        fn cursor(&self, name: &str) -> Result<Option<String>, StoreError> {
            self.0.cursor(name)
        }
        fn ids(&self) -> Result<Vec<EvidenceId>, StoreError> {
            self.0.ids()
        }
        fn len(&self) -> u64 {
            self.0.len()
        }
        fn scratch(&self) -> Scratch {
            self.1.clone()
        }
    }

    fn judged(gathered_max: usize) -> Result<VerifiedSet, AppError> {
        let path = format!("{}/fixtures/real/nostr/events.jsonl", env!("CARGO_MANIFEST_DIR"));
        let lines = std::fs::read(path).unwrap();
        let events = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| RawEvidence {
            media: Media::NostrEvent,
            about: String::new(),
            bytes: line.to_vec(),
        });
        let device = std::fs::OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        let mut store = Full(MemoryStore::default(), Scratch::on(device, gathered_max));
        store.put(&events.collect::<Vec<_>>()).unwrap();
        let (tables, threads) = (side_tables(&store)?, worker_threads(1).unwrap());
        judge(&store, &TrustPolicy::orangecheck_2026_10(), &tables, &threads, &Silent, &Cancel::default())
    }

    #[test]
    fn a_full_disk_ends_judging_with_its_reason_and_what_fits_into_memory_does_not_notice() {
        let error = judged(200).unwrap_err();
        assert_eq!(error.condition(), Condition::Io);
        assert_eq!(error.to_string(), "write a working file in ");
        let cause = std::error::Error::source(&error).unwrap();
        assert!(cause.to_string().contains("No space left"), "{cause}");
        assert!(judged(1 << 20).unwrap().events.len() > 1);
    }
}
