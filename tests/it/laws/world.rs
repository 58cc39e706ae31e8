//! A seeded world with planted faults, as pieces of evidence that a law may withhold, repeat and reorder.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use reledger::app::{AppError, Cancel, Plan, RunFolder, RunOptions, Silent, capture_only, plan_of_world, rebuild_only};
use reledger::domain::{AsOf, Divergence, EvidenceId, FetchReceipt, Media, RawEvidence, UnixSeconds};
use reledger::ledger::{Entry, Ledgers, rebuild};
use reledger::reconcile::{Input, Objectives, Sightings, reconcile};
use reledger::sim::{Scene, Selection, Transport, World, deal, generators_over, plant};
use reledger::store::{Engine, EvidenceStore, LogStore, SideRecord, StoreError};
use reledger::verify::{VerifiedSet, Verifier};
use tempfile::TempDir;

use crate::support::unlocked;

/// 2026-10-01T00:00:00Z, when every world is judged.
const AS_OF: UnixSeconds = UnixSeconds(1_790_812_800);

/// Everything that was captured of one world.
pub(super) struct Held {
    pub(super) plan: Plan,
    /// In order of id.
    pub(super) evidence: Vec<RawEvidence>,
    pub(super) sightings: BTreeMap<EvidenceId, Vec<SideRecord>>,
    /// Receipts and cursors.
    pub(super) ends: Vec<SideRecord>,
    run: TempDir,
    /// The files, which an earlier run is read from again.
    _files: TempDir,
}

/// What the judges say about a part of the evidence.
pub(super) struct Judged {
    pub(super) set: VerifiedSet,
    pub(super) ledgers: Ledgers,
    /// The treasury's.
    pub(super) entries: Vec<Entry>,
    pub(super) divergences: Vec<Divergence>,
}

pub(crate) fn options(run: &Path) -> RunOptions {
    RunOptions { command: "rebuild", yes: true, ..RunOptions::of_trial(run.to_owned(), AS_OF, true) }
}

/// Writes the world below that folder, with the finished run that it is compared with where it names one, and captures it.
fn captured(scene: &Scene, folder: &Path, run: &Path) -> Plan {
    scene.write(folder).unwrap();
    if let Some(earlier) = &scene.earlier {
        let its_run = folder.join("earlier/run");
        let plan = captured(earlier, &folder.join("earlier/world"), &its_run);
        rebuild_only(&plan, &options(&its_run), &Silent, &Cancel::default()).unwrap();
    }
    let plan = plan_of_world(folder).unwrap();
    capture_only(&plan, &options(run), &Silent, &Cancel::default()).unwrap();
    plan
}

impl Held {
    /// The world of that seed with so many faults of the simulator's list, dealt so that all come in turn.
    pub(super) fn of(seed: u64, faults: usize) -> Self {
        let all: Vec<Selection> =
            generators_over(Transport::Files).map(|generator| Selection { generator, near: false }).collect();
        Self::with(seed, &deal(20_261_121, seed, faults, &all))
    }

    /// The world of that seed with what is selected.
    pub(super) fn with(seed: u64, selected: &[Selection]) -> Self {
        let mut scene = Scene::of(World::generate(seed, 10));
        plant(&mut scene, selected);
        let (folder, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Self::read(captured(&scene, folder.path(), run.path()), run, folder)
    }

    fn read(plan: Plan, run: TempDir, files: TempDir) -> Self {
        let store = LogStore::open_read_only(&RunFolder::at(run.path()).evidence()).unwrap();
        let mut evidence = BTreeMap::new();
        let mut side = Vec::new();
        let visit = &mut |id, piece| {
            evidence.insert(id, piece);
            ControlFlow::Continue(())
        };
        store.scan(&Media::ALL, visit).unwrap();
        let visit = &mut |record| {
            side.push(record);
            ControlFlow::Continue(())
        };
        store.scan_side(visit).unwrap();
        let mut sightings: BTreeMap<EvidenceId, Vec<SideRecord>> = BTreeMap::new();
        let mut ends = Vec::new();
        for record in side {
            match &record {
                SideRecord::Sighting(sighting) => sightings.entry(sighting.evidence).or_default().push(record),
                SideRecord::Receipt(_) | SideRecord::Cursor { .. } => ends.push(record),
            }
        }
        Self { plan, evidence: evidence.into_values().collect(), sightings, ends, run, _files: files }
    }

    /// The report of a rebuild where everything was captured in one go.
    pub(super) fn report(&self) -> Vec<u8> {
        self.rebuilt(self.run.path())
    }

    /// The report of a rebuild in that folder.
    pub(super) fn rebuilt(&self, run: &Path) -> Vec<u8> {
        let rebuilt = || rebuild_only(&self.plan, &options(run), &Silent, &Cancel::default());
        let finished = unlocked(rebuilt, |error| matches!(error, AppError::Store(StoreError::Locked)));
        fs::read(finished.unwrap().report).unwrap()
    }

    /// Opens the store of that folder, which is made when it is not there.
    pub(super) fn open(run: &Path) -> LogStore {
        let folder = RunFolder::at(run);
        folder.create().unwrap();
        let open = || LogStore::open(&folder.evidence(), &folder.state(), &Engine::Memory);
        unlocked(open, |error| matches!(error, StoreError::Locked)).unwrap()
    }

    /// Puts pieces in batches of that size, each followed by its sightings.
    pub(super) fn put(&self, store: &mut dyn EvidenceStore, pieces: &[&RawEvidence], batch: usize) {
        for batch in pieces.chunks(batch) {
            let batch: Vec<RawEvidence> = batch.iter().copied().cloned().collect();
            store.put(&batch).unwrap();
            let seen = batch.iter().filter_map(|piece| self.sightings.get(&piece.id())).flatten().cloned();
            store.put_side(&seen.collect::<Vec<_>>()).unwrap();
        }
    }

    /// Verifies, rebuilds and reconciles these pieces alone.
    pub(super) fn judge(&self, pieces: &[&RawEvidence]) -> Judged {
        let batch: Vec<(EvidenceId, RawEvidence)> = pieces.iter().map(|raw| (raw.id(), (*raw).clone())).collect();
        let mut verifier = Verifier::new(&self.plan.policy);
        verifier.first_pass(&batch);
        verifier.begin_second_pass();
        verifier.second_pass(&batch);
        let set = verifier.finish();
        let as_of = AsOf { time: AS_OF, tip: set.tip };
        let ledgers = rebuild(&set, &self.plan.policy, as_of);
        let receipts: Vec<FetchReceipt> = self.receipts().cloned().collect();
        let divergences = reconcile(&Input {
            set: &set,
            ledgers: &ledgers,
            policy: &self.plan.policy,
            as_of,
            receipts: &receipts,
            sightings: &Sightings::default(),
            declared: &self.plan.declared,
            d_tags: &BTreeMap::new(),
            objectives: Objectives::default(),
            time_boxed: false,
        })
        .divergences;
        let entries = ledgers.journal(&set, &self.plan.policy, as_of).entries().collect();
        Judged { set, ledgers, entries, divergences }
    }

    fn receipts(&self) -> impl Iterator<Item = &FetchReceipt> {
        self.ends.iter().filter_map(|record| match record {
            SideRecord::Receipt(receipt) => Some(receipt),
            SideRecord::Sighting(_) | SideRecord::Cursor { .. } => None,
        })
    }
}
