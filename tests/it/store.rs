//! One suite for every store: files with each index engine, and memory. Then what only files can get wrong: locks, lost
//! or damaged indexes, killed processes. Crash points inside the log are tried in the room's own tests.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;

use proptest::prelude::*;
use reledger::domain::{EvidenceId, FetchReceipt, Media, RawEvidence, Sighting, Slice, SourceId, UnixSeconds, sha256};
use reledger::ingest::Ingest;
use reledger::store::{Engine, EvidenceStore, LogStore, MemoryStore, PutOutcome, SideRecord, StoreError, members};

use crate::support::{copy_folder, unlocked};
use PutOutcome::{AlreadyPresent, Inserted};

/// Small enough that a few records fill a segment.
const SEGMENT_BYTES: u64 = 2_000;

struct Run(tempfile::TempDir);

impl Run {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn evidence(&self) -> PathBuf {
        self.0.path().join("evidence")
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    fn open(&self, engine: &Engine) -> Result<LogStore, StoreError> {
        unlocked(|| self.open_at_once(engine), |error| matches!(error, StoreError::Locked))
    }

    fn open_at_once(&self, engine: &Engine) -> Result<LogStore, StoreError> {
        LogStore::open_with(&self.evidence(), &self.state(), engine, SEGMENT_BYTES)
    }

    /// What a killed process leaves: the files as they are, while the store still lives.
    fn killed(&self) -> Self {
        let copy = Self::new();
        copy_folder(self.0.path(), copy.0.path());
        copy
    }

    fn set_aside(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.state()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".set-aside-")).collect()
    }
}

fn engines() -> Vec<Engine> {
    let mut engines = vec![Engine::Memory];
    if cfg!(feature = "redb") {
        engines.push(Engine::Redb);
    }
    if cfg!(feature = "sled") {
        engines.push(Engine::Sled);
    }
    engines
}

/// As [`engines`], with the shared one where there is a server for it: its index is one of the others, on this machine.
fn engines_and_shared() -> Vec<Engine> {
    let mut engines = engines();
    #[cfg(feature = "postgres")]
    engines.extend(crate::postgres::engine());
    engines
}

/// Runs a promise against each store, empty.
fn every_store(promise: impl Fn(&mut dyn EvidenceStore)) {
    promise(&mut MemoryStore::new());
    for engine in engines_and_shared() {
        let run = Run::new();
        promise(&mut run.open(&engine).unwrap());
    }
}

fn event(number: u32) -> RawEvidence {
    let bytes = format!("{{\"content\":\"event {number}\",\"pad\":\"{}\"}}", "x".repeat(number as usize % 300));
    RawEvidence { media: Media::NostrEvent, about: String::new(), bytes: bytes.into_bytes() }
}

fn events(numbers: std::ops::Range<u32>) -> Vec<RawEvidence> {
    numbers.map(event).collect()
}

fn sighting(evidence: &RawEvidence, source: &str, place: &str) -> SideRecord {
    let source = SourceId(source.to_owned());
    SideRecord::Sighting(Sighting { evidence: evidence.id(), source, place: place.to_owned(), offset: 7 })
}

fn receipt(source: &str, from: Option<i64>, items: u64) -> SideRecord {
    SideRecord::Receipt(FetchReceipt {
        items,
        retries: 1,
        ..FetchReceipt::whole(
            SourceId(source.to_owned()),
            Slice { kind: "30087".to_owned(), from: from.map(UnixSeconds), until: None },
        )
    })
}

fn cursor(name: &str, value: &str) -> SideRecord {
    SideRecord::Cursor { name: name.to_owned(), value: value.to_owned() }
}

fn scanned(store: &dyn EvidenceStore, media: &[Media]) -> Vec<RawEvidence> {
    let mut found = Vec::new();
    let visit = &mut |id: EvidenceId, evidence: RawEvidence| {
        assert_eq!(evidence.id(), id);
        found.push((id, evidence));
        ControlFlow::Continue(())
    };
    store.scan(media, visit).unwrap();
    found.sort_by_key(|(id, _)| *id);
    found.into_iter().map(|(_, evidence)| evidence).collect()
}

fn side(store: &dyn EvidenceStore) -> BTreeSet<SideRecord> {
    let mut found = Vec::new();
    let visit = &mut |record| {
        found.push(record);
        ControlFlow::Continue(())
    };
    store.scan_side(visit).unwrap();
    let distinct: BTreeSet<_> = found.iter().cloned().collect();
    assert_eq!(distinct.len(), found.len(), "no side record is visited twice");
    distinct
}

type Held = (Vec<EvidenceId>, Vec<RawEvidence>, BTreeSet<SideRecord>);

fn held(store: &dyn EvidenceStore) -> Held {
    (store.ids().unwrap(), scanned(store, &Media::ALL), side(store))
}

/// Evidence over several segments, and side records of each sort.
fn fill(store: &mut dyn EvidenceStore) {
    store.put(&events(0..40)).unwrap();
    let (a, b) = (event(0), event(1));
    store
        .put_side(&[sighting(&a, "x", "p1"), sighting(&b, "x", "p1"), receipt("x", None, 2), cursor("x", "1")])
        .unwrap();
    store.put(&events(20..60)).unwrap();
    store.put_side(&[receipt("x", None, 60), cursor("x", "2"), sighting(&a, "y", "p9")]).unwrap();
}

#[test]
fn putting_twice_changes_nothing() {
    every_store(|store| {
        assert!(store.is_empty());
        assert_eq!(store.put(&events(0..5)).unwrap(), [Inserted; 5]);
        let before = held(store);
        assert_eq!(store.put(&events(0..5)).unwrap(), [AlreadyPresent; 5]);
        assert_eq!(store.put(&[]).unwrap(), []);
        assert_eq!(held(store), before);
        assert_eq!(store.len(), 5);
    });
}

#[test]
fn a_duplicate_inside_one_batch_is_inserted_once() {
    every_store(|store| {
        let batch = [event(1), event(2), event(1), event(1), event(3)];
        assert_eq!(store.put(&batch).unwrap(), [Inserted, Inserted, AlreadyPresent, AlreadyPresent, Inserted]);
        assert_eq!(store.len(), 3);
        assert_eq!(store.put(&[event(3), event(4)]).unwrap(), [AlreadyPresent, Inserted]);
        assert_eq!(scanned(store, &Media::ALL).len(), 4);
    });
}

#[test]
fn the_same_bytes_under_another_media_or_subject_are_other_evidence() {
    every_store(|store| {
        let event = event(1);
        let proof = RawEvidence { media: Media::OtsProof, ..event.clone() };
        let about = RawEvidence { about: "abc".to_owned(), ..event.clone() };
        let batch = [event.clone(), proof.clone(), about.clone()];
        assert_eq!(store.put(&batch).unwrap(), [Inserted; 3]);
        for evidence in batch {
            assert_eq!(store.get(&evidence.id()).unwrap(), Some(evidence));
        }
        assert_eq!(scanned(store, &[Media::OtsProof]), [proof]);
        assert_eq!(scanned(store, &[Media::Headers]), []);
        assert_eq!(scanned(store, &[]), []);
    });
}

#[test]
fn get_contains_scan_and_ids_agree() {
    every_store(|store| {
        fill(store);
        let ids = store.ids().unwrap();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert_eq!(ids.len(), 60);
        assert_eq!(store.len(), 60);
        let scanned = scanned(store, &Media::ALL);
        assert_eq!(scanned.iter().map(RawEvidence::id).collect::<Vec<_>>(), ids);
        for evidence in &scanned {
            assert!(store.contains(&evidence.id()).unwrap());
            assert_eq!(store.get(&evidence.id()).unwrap().as_ref(), Some(evidence));
        }
        let absent = event(1_000).id();
        assert!(!store.contains(&absent).unwrap());
        assert_eq!(store.get(&absent).unwrap(), None);
    });
}

#[test]
fn a_visitor_that_breaks_is_not_called_again() {
    every_store(|store| {
        fill(store);
        let (mut evidence, mut side) = (0, 0);
        let stop = &mut |_, _| {
            evidence += 1;
            if evidence == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        store.scan(&Media::ALL, stop).unwrap();
        let stop = &mut |_| {
            side += 1;
            ControlFlow::Break(())
        };
        store.scan_side(stop).unwrap();
        assert_eq!((evidence, side), (3, 1));
    });
}

#[test]
fn the_first_sighting_per_source_and_the_latest_receipt_and_cursor_hold() {
    every_store(|store| {
        let (a, b) = (event(1), event(2));
        store.put(&[a.clone(), b.clone()]).unwrap();
        store
            .put_side(&[
                sighting(&a, "x", "first"),
                sighting(&a, "x", "second"),
                sighting(&a, "y", "first"),
                sighting(&b, "x", "first"),
                receipt("x", None, 1),
                receipt("x", Some(5), 1),
                cursor("c", "1"),
                cursor("c", "2"),
                cursor("d", "1"),
            ])
            .unwrap();
        store.put_side(&[sighting(&a, "x", "third"), receipt("x", None, 2), cursor("c", "3")]).unwrap();
        let expected = BTreeSet::from([
            sighting(&a, "x", "first"),
            sighting(&a, "y", "first"),
            sighting(&b, "x", "first"),
            receipt("x", None, 2),
            receipt("x", Some(5), 1),
            cursor("c", "3"),
            cursor("d", "1"),
        ]);
        assert_eq!(side(store), expected);
        assert_eq!(store.cursor("c").unwrap().as_deref(), Some("3"));
        assert_eq!(store.cursor("d").unwrap().as_deref(), Some("1"));
        assert_eq!(store.cursor("e").unwrap(), None);
        // Going back to an earlier value is a change like any other.
        store.put_side(&[cursor("c", "1")]).unwrap();
        assert_eq!(store.cursor("c").unwrap().as_deref(), Some("1"));
    });
}

#[test]
fn equal_repeats_of_side_records_do_not_grow_the_log() {
    for engine in engines_and_shared() {
        let run = Run::new();
        let mut store = run.open(&engine).unwrap();
        fill(&mut store);
        let before = members(&run.evidence()).unwrap();
        store.put_side(&[receipt("x", None, 60), cursor("x", "2"), sighting(&event(0), "x", "elsewhere")]).unwrap();
        store.put(&events(0..60)).unwrap();
        assert_eq!(members(&run.evidence()).unwrap(), before);
        store.put_side(&[cursor("x", "3")]).unwrap();
        assert_ne!(members(&run.evidence()).unwrap(), before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_order_and_any_batches_give_the_same_content(
        order in Just((0..30_u32).collect::<Vec<_>>()).prop_shuffle(),
        repeats in prop::collection::vec(0..30_u32, 0..20),
        batch in 1..12_usize,
        reopen in 1..6_usize,
    ) {
        let mut reference = MemoryStore::new();
        reference.put(&events(0..30)).unwrap();
        let sequence: Vec<_> = order.into_iter().chain(repeats).map(event).collect();
        for engine in engines() {
            let run = Run::new();
            let mut store = run.open(&engine).unwrap();
            for (count, batch) in sequence.chunks(batch).enumerate() {
                store.put(batch).unwrap();
                if count % reopen == 0 {
                    drop(store);
                    store = run.open(&engine).unwrap();
                }
            }
            prop_assert_eq!(held(&store), held(&reference));
        }
    }
}

#[test]
fn what_was_put_is_there_after_reopening_with_any_engine() {
    let mut reference = MemoryStore::new();
    fill(&mut reference);
    let run = Run::new();
    fill(&mut run.open(&Engine::Memory).unwrap());
    // The index is a cache: engines may change between runs, and an old one catches up.
    for engine in engines_and_shared().into_iter().chain(engines_and_shared()) {
        let mut store = run.open(&engine).unwrap();
        assert_eq!(held(&store), held(&reference));
        let more = event(100 + u32::try_from(reference.len()).unwrap());
        store.put(std::slice::from_ref(&more)).unwrap();
        reference.put(&[more]).unwrap();
        assert_eq!(held(&store), held(&reference));
    }
    assert_eq!(run.set_aside(), Vec::<String>::new());
}

#[test]
fn a_second_store_on_the_same_run_is_refused_until_the_first_is_dropped() {
    for engine in engines_and_shared() {
        let run = Run::new();
        let first = run.open(&engine).unwrap();
        for other in engines() {
            assert!(matches!(run.open_at_once(&other), Err(StoreError::Locked)));
        }
        drop(first);
        run.open(&engine).unwrap();
    }
}

#[test]
fn a_killed_process_leaves_no_lock_and_loses_nothing_acknowledged() {
    for engine in engines_and_shared() {
        let run = Run::new();
        let mut store = run.open(&engine).unwrap();
        let mut reference = MemoryStore::new();
        for number in 0..12 {
            let batch = events(number * 3..number * 3 + 4);
            store.put(&batch).unwrap();
            reference.put(&batch).unwrap();
            let moved = [cursor("x", &number.to_string())];
            store.put_side(&moved).unwrap();
            reference.put_side(&moved).unwrap();
            let killed = run.killed();
            let reopened = killed.open(&engine).unwrap();
            assert_eq!(held(&reopened), held(&reference), "{engine:?}, after batch {number}");
            assert!(killed.set_aside().is_empty(), "{engine:?}, after batch {number}");
        }
    }
}

#[test]
fn a_lost_state_folder_costs_nothing_but_a_scan() {
    for engine in engines_and_shared() {
        let run = Run::new();
        let mut store = run.open(&engine).unwrap();
        fill(&mut store);
        let before = held(&store);
        drop(store);
        std::fs::remove_dir_all(run.state()).unwrap();
        let mut store = run.open(&engine).unwrap();
        assert_eq!(held(&store), before);
        assert_eq!(store.put(&[event(0), event(77)]).unwrap(), [AlreadyPresent, Inserted]);
    }
}

/// Every file of an engine's index.
fn index_files(run: &Run) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![run.state()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() != "lock" {
                files.push(entry.path());
            }
        }
    }
    files
}

#[test]
fn a_damaged_index_is_set_aside_and_rebuilt_with_the_same_content() {
    type Harm = (&'static str, fn(&mut Vec<u8>));
    let harms: [Harm; 4] = [
        ("emptied", Vec::clear),
        ("zeros", |bytes| bytes.fill(0)),
        ("text", |bytes| *bytes = b"this is no index ".repeat(400)),
        ("half", |bytes| bytes.truncate(bytes.len() / 2)),
    ];
    for engine in engines_and_shared().into_iter().filter(|engine| *engine != Engine::Memory) {
        let run = Run::new();
        let mut store = run.open(&engine).unwrap();
        fill(&mut store);
        let before = held(&store);
        drop(store);
        for (name, harm) in harms {
            let copy = run.killed();
            for file in index_files(&copy) {
                let mut bytes = std::fs::read(&file).unwrap();
                harm(&mut bytes);
                std::fs::write(&file, bytes).unwrap();
            }
            let mut store = copy.open(&engine).expect(name);
            assert_eq!(held(&store), before, "{engine:?} {name}");
            assert_eq!(store.put(&[event(0), event(77)]).unwrap(), [AlreadyPresent, Inserted], "{engine:?} {name}");
        }
    }
}

#[test]
fn a_flipped_byte_in_an_index_never_changes_what_the_log_says() {
    for engine in engines().into_iter().filter(|engine| *engine != Engine::Memory) {
        let run = Run::new();
        let mut store = run.open(&engine).unwrap();
        fill(&mut store);
        let before = held(&store);
        drop(store);
        // Opening brings the index up to the log: what waited is in it.
        drop(run.open(&engine).unwrap());
        let mut opened = 0;
        for file in index_files(&run) {
            let name = file.strip_prefix(run.0.path()).unwrap().to_owned();
            let bytes = std::fs::read(&file).unwrap();
            let written: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
            for offset in written.into_iter().step_by(211) {
                let copy = run.killed();
                let mut flipped = bytes.clone();
                flipped[offset] ^= 0x10;
                std::fs::write(copy.0.path().join(&name), flipped).unwrap();
                let what = format!("{engine:?} {} byte {offset}", name.display());
                let store = copy.open(&engine).expect(&what);
                // The engine may notice late; then it is an error, never other or less evidence.
                let mut scanned = BTreeSet::new();
                let visit = &mut |id, _| {
                    scanned.insert(id);
                    ControlFlow::Continue(())
                };
                match store.scan(&Media::ALL, visit).and_then(|()| store.ids()) {
                    Ok(ids) => {
                        assert_eq!(ids, before.0, "{what}");
                        assert_eq!(scanned.into_iter().collect::<Vec<_>>(), before.0, "{what}");
                        opened += 1;
                    }
                    Err(error) => {
                        assert!(matches!(error, StoreError::Index(_) | StoreError::Io { .. }), "{what}: {error}");
                    }
                }
            }
        }
        assert!(opened > 10, "{engine:?}");
    }
}

#[test]
fn the_index_of_another_run_is_set_aside() {
    for engine in engines_and_shared().into_iter().filter(|engine| *engine != Engine::Memory) {
        let (run, other) = (Run::new(), Run::new());
        let mut store = run.open(&engine).unwrap();
        fill(&mut store);
        let before = held(&store);
        drop(store);
        other.open(&engine).unwrap().put(&events(200..203)).unwrap();
        std::fs::remove_dir_all(run.state()).unwrap();
        copy_folder(&other.state(), &run.state());
        let store = run.open(&engine).unwrap();
        assert_eq!(held(&store), before, "{engine:?}");
        assert_eq!(run.set_aside().len(), 1, "{engine:?}");
    }
}

#[test]
fn evidence_older_than_its_index_is_damage_and_not_a_shorter_run() {
    for engine in engines_and_shared().into_iter().filter(|engine| *engine != Engine::Memory) {
        let run = Run::new();
        let mut store = run.open(&engine).unwrap();
        store.put(&events(0..3)).unwrap();
        let backup = run.killed();
        store.put(&events(3..60)).unwrap();
        drop(store);
        std::fs::remove_dir_all(run.evidence()).unwrap();
        copy_folder(&backup.evidence(), &run.evidence());
        let opened = run.open(&engine).map(|store| store.len());
        assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{engine:?}: {opened:?}");
        // Without the index there is nothing that remembers more: the backup is a run of its own.
        std::fs::remove_dir_all(run.state()).unwrap();
        assert_eq!(run.open(&engine).unwrap().len(), 3);
    }
}

#[test]
fn a_sealed_run_is_listed_never_changes_and_goes_on_in_a_new_segment() {
    for engine in engines_and_shared() {
        let run = Run::new();
        let mut store = run.open(&engine).unwrap();
        fill(&mut store);
        store.seal_segments().unwrap();
        let before = members(&run.evidence()).unwrap();
        assert!(before.len() > 3);
        for (number, (name, size, digest)) in before.iter().enumerate() {
            assert_eq!(*name, format!("segments/{:08}.seg", number + 1));
            let bytes = std::fs::read(run.evidence().join(name)).unwrap();
            assert_eq!((*size, *digest), (bytes.len() as u64, sha256(&bytes)));
        }
        store.seal_segments().unwrap();
        assert_eq!(members(&run.evidence()).unwrap(), before, "sealing twice changes nothing");
        drop(store);
        let mut store = run.open(&engine).unwrap();
        assert_eq!(members(&run.evidence()).unwrap(), before, "opening changes nothing");
        store.put(&[event(500)]).unwrap();
        let after = members(&run.evidence()).unwrap();
        assert_eq!(after[..before.len()], before);
        assert_eq!(after.len(), before.len() + 1);
        assert_eq!(store.len(), 61);
    }
}

#[test]
fn an_auditor_reads_the_evidence_folder_alone_and_changes_nothing() {
    let run = Run::new();
    let mut store = run.open(&Engine::Memory).unwrap();
    fill(&mut store);
    let expected = held(&store);
    drop(store);
    std::fs::remove_dir_all(run.state()).unwrap();
    let before = members(&run.evidence()).unwrap();
    let mut audited = LogStore::open_read_only(&run.evidence()).unwrap();
    assert_eq!(held(&audited), expected);
    assert_eq!(audited.cursor("x").unwrap().as_deref(), Some("2"));
    assert!(matches!(audited.put(&[event(900)]), Err(StoreError::ReadOnly)));
    assert!(matches!(audited.put_side(&[cursor("x", "9")]), Err(StoreError::ReadOnly)));
    assert!(matches!(audited.seal_segments(), Err(StoreError::ReadOnly)));
    assert_eq!(members(&run.evidence()).unwrap(), before);
    assert!(!run.state().exists());
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_not_an_empty_run() {
    let run = Run::new();
    let missing = LogStore::open_read_only(&run.evidence());
    assert!(matches!(&missing, Err(StoreError::Io { file, .. }) if file == "segments"));
    drop(run.open(&Engine::Memory).unwrap());
    assert!(LogStore::open_read_only(&run.evidence()).unwrap().is_empty());
}

#[test]
fn an_error_names_the_file_and_never_where_the_run_lives() {
    let run = Run::new();
    std::fs::write(run.state(), "a file where the folder should be").unwrap();
    let Err(error) = run.open(&Engine::Memory) else { panic!("opened") };
    let text = error.to_string();
    assert!(text.contains("state"), "{text}");
    assert!(!text.contains(run.0.path().to_str().unwrap()), "{text}");
}

#[test]
fn a_large_batch_is_split_over_segments_and_whole() {
    for engine in engines_and_shared() {
        let run = Run::new();
        let mut store = run.open(&engine).unwrap();
        let big = RawEvidence { media: Media::Headers, about: "0".to_owned(), bytes: vec![7; 9 << 20] };
        let mut batch = events(0..50);
        batch.insert(25, big.clone());
        assert_eq!(store.put(&batch).unwrap(), [Inserted; 51]);
        assert_eq!(store.get(&big.id()).unwrap(), Some(big));
        drop(store);
        let mut reference = MemoryStore::new();
        reference.put(&batch).unwrap();
        assert_eq!(held(&run.open(&engine).unwrap()), held(&reference));
    }
}

#[test]
fn ingest_fills_every_store_alike() {
    let capture = |store: &mut dyn EvidenceStore| {
        let mut ingest = Ingest::new(store);
        for number in (0..50).chain(10..20) {
            let evidence = event(number);
            let source = SourceId("files:nostr-event".to_owned());
            let sighting = Sighting { evidence: evidence.id(), source, place: "a.jsonl".to_owned(), offset: 0 };
            ingest.accept(evidence, sighting).unwrap();
        }
        let SideRecord::Receipt(receipt) = receipt("files:nostr-event", None, 50) else { panic!("made above") };
        ingest.receipt(receipt).unwrap();
        ingest.cursor("files".to_owned(), "end".to_owned()).unwrap();
        let totals = ingest.totals();
        assert_eq!((totals.inserted, totals.already_present, totals.sightings), (50, 10, 60));
    };
    let mut reference = MemoryStore::new();
    capture(&mut reference);
    every_store(|store| {
        capture(store);
        assert_eq!(held(store), held(&reference));
    });
}
