//! Crash rules of the log, each tried at every point where it could break. What holds for every engine and needs no view
//! of the inside stands in `tests/it/store.rs`.

mod damage;
mod faults;
mod power;
mod sightings;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::{EvidenceStore, LogStore, SideRecord, StoreError};
use crate::domain::{EvidenceId, FetchReceipt, Media, RawEvidence, Sighting, Slice, SourceId};

/// Small enough that the script below fills several segments.
const SEGMENT_BYTES: u64 = 600;

/// The folders of a run.
struct Run(tempfile::TempDir);

impl Run {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn evidence(&self) -> PathBuf {
        self.0.path().join("evidence")
    }

    fn segments(&self) -> PathBuf {
        self.evidence().join("segments")
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    /// What a killed process leaves: a copy of the files as they are now.
    fn copy(&self) -> Self {
        let copy = Self::new();
        copy_folder(self.0.path(), copy.0.path());
        copy
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn evidence(number: u8) -> RawEvidence {
    let media = Media::ALL[usize::from(number) % Media::ALL.len()];
    RawEvidence { media, about: format!("about {number}"), bytes: vec![number; 20 + usize::from(number) * 7] }
}

fn sighting(number: u8, source: &str) -> SideRecord {
    let source = SourceId(source.to_owned());
    SideRecord::Sighting(Sighting { evidence: evidence(number).id(), source, place: "page 1".to_owned(), offset: 0 })
}

fn receipt(source: &str, items: u64) -> SideRecord {
    SideRecord::Receipt(FetchReceipt { items, ..FetchReceipt::whole(SourceId(source.to_owned()), Slice::all("30087")) })
}

fn cursor(value: &str) -> SideRecord {
    SideRecord::Cursor { name: "relay 30087".to_owned(), value: value.to_owned() }
}

/// One step of what an undisturbed run does.
enum Act {
    Put(Vec<RawEvidence>),
    Side(Vec<SideRecord>),
    Seal,
}

fn script() -> Vec<Act> {
    vec![
        Act::Put((0..4).map(evidence).collect()),
        Act::Side(vec![sighting(0, "a"), sighting(1, "a"), receipt("a", 2), cursor("1")]),
        Act::Put(vec![evidence(4), evidence(2), evidence(4), evidence(5)]),
        Act::Side(vec![sighting(0, "b"), sighting(0, "a"), receipt("a", 4), cursor("2")]),
        Act::Seal,
        Act::Put((6..9).map(evidence).collect()),
        Act::Side(vec![cursor("3")]),
        Act::Put(vec![evidence(6), evidence(9)]),
        Act::Side(vec![sighting(9, "a"), sighting(6, "a"), sighting(0, "b"), sighting(9, "b"), sighting(9, "a")]),
    ]
}

impl Act {
    fn on(&self, store: &mut LogStore) -> Result<(), StoreError> {
        match self {
            Self::Put(batch) => store.put(batch).map(drop),
            Self::Side(records) => store.put_side(records),
            Self::Seal => store.seal_segments(),
        }
    }
}

/// All that a store holds, as the trait shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Contents {
    evidence: BTreeMap<EvidenceId, RawEvidence>,
    side: BTreeSet<SideRecord>,
}

impl Contents {
    fn of(store: &dyn EvidenceStore) -> Result<Self, StoreError> {
        let mut contents = Self::default();
        store.scan(&Media::ALL, &mut |id, evidence| {
            assert!(contents.evidence.insert(id, evidence).is_none(), "visited once");
            ControlFlow::Continue(())
        })?;
        store.scan_side(&mut |record| {
            assert!(contents.side.insert(record), "visited once");
            ControlFlow::Continue(())
        })?;
        assert_eq!(store.ids()?, contents.evidence.keys().copied().collect::<Vec<_>>());
        assert_eq!(store.len(), contents.evidence.len() as u64);
        for (id, evidence) in &contents.evidence {
            assert_eq!(evidence.id(), *id);
            assert_eq!(store.get(id)?.as_ref(), Some(evidence));
        }
        Ok(contents)
    }

    /// True when nothing of the other is missing. A receipt or cursor may have moved on, a sighting may not.
    fn keeps(&self, acknowledged: &Self) -> bool {
        let held: BTreeSet<_> = self.side.iter().map(super::side::key).collect();
        acknowledged.evidence.iter().all(|(id, evidence)| self.evidence.get(id) == Some(evidence))
            && acknowledged.side.iter().all(|record| held.contains(&super::side::key(record)))
            && acknowledged.side.iter().filter(|r| !super::side::replaces(r)).all(|record| self.side.contains(record))
    }
}

/// What a store holds after each step of the script, undisturbed: the model.
fn model() -> Vec<Contents> {
    let mut store = super::MemoryStore::new();
    let mut after = vec![Contents::default()];
    for act in script() {
        match act {
            Act::Put(batch) => drop(store.put(&batch).unwrap()),
            Act::Side(records) => store.put_side(&records).unwrap(),
            Act::Seal => {}
        }
        after.push(Contents::of(&store).unwrap());
    }
    after
}
