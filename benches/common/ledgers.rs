//! From a file of events to ledgers by the rooms of the library, in the threads that a drill has: a source, the one writer, a checker of
//! signatures; then a reader, and who verifies. Reconciliation and reports are not in it.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use reledger::app::Plan;
use reledger::domain::{AsOf, Media, RawEvidence};
use reledger::ingest::Ingest;
use reledger::ledger::{Ledgers, rebuild};
use reledger::store::{Engine, EvidenceStore, LogStore};
use reledger::substrate::{Captured, EvidenceSource, FilesSource, Sink, Stopped};
use reledger::verify::{Checks, Genuine, VerifiedSet, Verifier};

use super::judged::Batch;

/// Captured items that travel together.
const TOGETHER: usize = 64;

/// Reads, splits, checks, logs, indexes, verifies and folds. What was made comes back whole, the folder of the log with it, for whoever
/// measures to let go of it later: a run leaves its log, and ends with the rest.
pub(crate) fn of_events(
    file: &Path,
    plan: &Plan,
    judged_by: &Batch,
    as_of: AsOf,
    checks: Checks,
) -> (Ledgers, VerifiedSet, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    let engine = Engine::from_url("redb:").unwrap();
    let mut store = LogStore::open(&place.path().join("evidence"), &place.path().join("state"), &engine).unwrap();
    let genuine = capture(file, &mut store, checks);
    store.seal_segments().unwrap();
    let mut verifier = Verifier::knowing(&plan.policy, &genuine);
    verifier.lay(&store.scratch());
    verifier.first_pass(judged_by);
    verifier.begin_second_pass();
    verifier.second_pass(judged_by);
    let (sender, batches) = sync_channel::<Batch>(2);
    thread::scope(|scope| {
        let verifier = &mut verifier;
        scope.spawn(move || verifier.second_pass_over(batches));
        let mut batch = Batch::new();
        let mut take = |id, raw| {
            batch.push((id, raw));
            if batch.len() == genuine.batch_items() {
                sender.send(std::mem::take(&mut batch)).unwrap();
            }
            ControlFlow::Continue(())
        };
        store.scan(&[Media::NostrEvent], &mut take).unwrap();
        sender.send(batch).unwrap();
        drop(sender);
    });
    let set = verifier.finish();
    (rebuild(&set, &plan.policy, as_of), set, place)
}

fn capture(file: &Path, store: &mut LogStore, checks: Checks) -> Genuine {
    let mut genuine = Genuine::checking(checks);
    let (queue, captured) = sync_channel(64);
    let (fresh, unchecked) = sync_channel::<Vec<RawEvidence>>(2);
    thread::scope(|scope| {
        let genuine = &mut genuine;
        scope.spawn(move || {
            for batch in unchecked {
                genuine.check(&batch);
            }
        });
        scope.spawn(move || {
            let mut source = FilesSource::new(Media::NostrEvent, vec![file.to_owned()]);
            let mut sink = Together { queue, waiting: Vec::new() };
            source.fetch(&mut sink).unwrap();
            sink.queue.send(sink.waiting).unwrap();
        });
        let mut ingest = Ingest::new(store).handing_on(fresh);
        for item in captured.into_iter().flatten() {
            let (evidence, sighting) = Captured::addressed(item);
            ingest.accept(evidence, sighting).unwrap();
        }
        ingest.finish().unwrap();
    });
    genuine
}

struct Together {
    queue: SyncSender<Vec<Captured>>,
    waiting: Vec<Captured>,
}

impl Sink for Together {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        self.waiting.push(captured);
        if self.waiting.len() == TOGETHER {
            self.queue.send(std::mem::take(&mut self.waiting)).map_err(|_| Stopped)?;
        }
        Ok(())
    }

    fn cancelled(&self) -> bool {
        false
    }
}
