//! Every byte of small logs is flipped, and every length cut: an unacknowledged tail goes, anything else is damage.

use std::path::Path;
use std::sync::Arc;

use super::super::disk::RealDisk;
use super::super::log::{Body, Entry, Log, Wanted};
use super::super::record::Place;
use super::super::segment::{open_path, sealed_path};
use super::super::{Engine, EvidenceStore as _, LogStore, StoreError};
use super::{Contents, Run, cursor, evidence, sighting};
use crate::domain::{EvidenceId, RawEvidence};

const ALL: u64 = 1 << 20;

fn log(run: &Run, acknowledged: Option<Place>) -> Result<Log, StoreError> {
    Log::open(run.segments(), Arc::new(RealDisk), ALL, acknowledged)
}

fn append(log: &mut Log, batch: &[RawEvidence]) -> Place {
    let entries: Vec<_> =
        batch.iter().map(|evidence| Entry { id: evidence.id().0, body: Body::Evidence(evidence) }).collect();
    let last = *log.append(&entries).unwrap().last().unwrap();
    Place { segment: last.place.segment, offset: last.end() }
}

fn held(log: &Log) -> Result<Vec<EvidenceId>, StoreError> {
    let mut ids = Vec::new();
    log.walk(None, Wanted::All, &mut |head, _, _| {
        ids.push(EvidenceId(head.id));
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    Ok(ids)
}

/// Three batches of two in one open segment; the ends of the batches.
fn three_batches(run: &Run) -> [Place; 3] {
    let mut log = log(run, None).unwrap();
    [0, 2, 4].map(|first| append(&mut log, &[evidence(first), evidence(first + 1)]))
}

fn change(path: &Path, with: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    with(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// How many whole records stand before the offset.
fn whole_before(offset: u64) -> usize {
    let mut end = 16;
    (0..6)
        .take_while(|number| {
            end += 57 + super::super::record::evidence_len(&evidence(*number)) as u64;
            end <= offset
        })
        .count()
}

#[test]
fn a_tail_cut_at_any_byte_reopens_with_the_whole_records_before_it() {
    let run = Run::new();
    let [_, second, third] = three_batches(&run);
    for cut in second.offset..third.offset {
        // The index speaks of two batches, or is gone.
        for acknowledged in [Some(second), None] {
            let copy = run.copy();
            change(&open_path(&copy.segments(), 1), |bytes| bytes.truncate(usize::try_from(cut).unwrap()));
            let mut log = log(&copy, acknowledged).unwrap();
            assert_eq!(held(&log).unwrap().len(), whole_before(cut), "cut at {cut}");
            append(&mut log, &[evidence(9)]);
            assert_eq!(held(&log).unwrap().len(), whole_before(cut) + 1, "cut at {cut}");
        }
    }
}

#[test]
fn a_log_shorter_than_its_watermark_is_damaged_at_any_length() {
    let run = Run::new();
    let [_, second, _] = three_batches(&run);
    for cut in 0..second.offset {
        let copy = run.copy();
        change(&open_path(&copy.segments(), 1), |bytes| bytes.truncate(usize::try_from(cut).unwrap()));
        assert!(matches!(log(&copy, Some(second)), Err(StoreError::Damaged { .. })), "cut at {cut}");
    }
    let copy = run.copy();
    std::fs::remove_file(open_path(&copy.segments(), 1)).unwrap();
    assert!(matches!(log(&copy, Some(second)), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_flipped_byte_is_cut_in_the_last_batch_and_damage_before_it() {
    let run = Run::new();
    let [_, second, third] = three_batches(&run);
    for offset in 0..third.offset {
        let copy = run.copy();
        change(&open_path(&copy.segments(), 1), |bytes| bytes[usize::try_from(offset).unwrap()] ^= 0x40);
        let again = copy.copy();
        // With the index gone, the batches that follow tell that the bytes were durable.
        for (acknowledged, run) in [(Some(second), copy), (None, again)] {
            let log = log(&run, acknowledged);
            if offset < second.offset {
                assert!(matches!(log, Err(StoreError::Damaged { .. })), "byte {offset}, {acknowledged:?}");
            } else {
                assert_eq!(held(&log.unwrap()).unwrap().len(), whole_before(offset), "byte {offset}");
            }
        }
        let copy = run.copy();
        change(&open_path(&copy.segments(), 1), |bytes| bytes[usize::try_from(offset).unwrap()] ^= 0x40);
        assert!(matches!(log(&copy, Some(third)), Err(StoreError::Damaged { .. })), "byte {offset}, all acknowledged");
    }
}

#[test]
fn garbage_after_the_last_record_is_cut() {
    let run = Run::new();
    three_batches(&run);
    for garbage in [vec![0; 1], vec![0; 4096], b"RLR1".repeat(500), vec![0xff; 57]] {
        let copy = run.copy();
        change(&open_path(&copy.segments(), 1), |bytes| bytes.extend(garbage));
        assert_eq!(held(&log(&copy, None).unwrap()).unwrap().len(), 6);
    }
}

#[test]
fn a_record_copied_to_another_place_does_not_check() {
    let run = Run::new();
    let [first, ..] = three_batches(&run);
    change(&open_path(&run.segments(), 1), |bytes| {
        let record = bytes[16..usize::try_from(first.offset).unwrap()].to_vec();
        bytes.extend(record);
    });
    assert_eq!(held(&log(&run, None).unwrap()).unwrap().len(), 6);
}

#[test]
fn a_flipped_byte_in_a_sealed_segment_is_never_silent() {
    let run = Run::new();
    let mut store = LogStore::open(&run.evidence(), &run.state(), &Engine::Memory).unwrap();
    store.put(&[evidence(1), evidence(2)]).unwrap();
    store.put_side(&[sighting(1, "a"), cursor("1")]).unwrap();
    store.seal_segments().unwrap();
    drop(store);
    let path = sealed_path(&run.segments(), 1);
    let whole = std::fs::read(&path).unwrap();
    for offset in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[offset] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let opened = LogStore::open(&run.evidence(), &run.state(), &Engine::Memory);
        assert!(matches!(opened, Err(StoreError::Damaged { .. })), "byte {offset}");
        assert!(matches!(LogStore::open_read_only(&run.evidence()), Err(StoreError::Damaged { .. })), "byte {offset}");
    }
    for len in 0..whole.len() {
        std::fs::write(&path, &whole[..len]).unwrap();
        let opened = LogStore::open(&run.evidence(), &run.state(), &Engine::Memory);
        assert!(matches!(opened, Err(StoreError::Damaged { .. })), "length {len}");
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(LogStore::open_read_only(&run.evidence()).unwrap().len(), 2);
}

#[cfg(feature = "redb")]
#[test]
fn a_flipped_byte_in_a_sealed_segment_shows_on_opening_or_on_the_first_scan_with_an_intact_index() {
    let run = Run::new();
    let mut store = LogStore::open(&run.evidence(), &run.state(), &Engine::Redb).unwrap();
    store.put(&[evidence(1), evidence(2)]).unwrap();
    store.seal_segments().unwrap();
    drop(store);
    let path = sealed_path(&run.segments(), 1);
    let whole = std::fs::read(&path).unwrap();
    for offset in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[offset] ^= 0x80;
        std::fs::write(&path, bytes).unwrap();
        let seen = LogStore::open(&run.evidence(), &run.state(), &Engine::Redb).and_then(|store| Contents::of(&store));
        assert!(matches!(seen, Err(StoreError::Damaged { .. })), "byte {offset}");
    }
    std::fs::write(&path, whole).unwrap();
    let store = LogStore::open(&run.evidence(), &run.state(), &Engine::Redb).unwrap();
    assert_eq!(Contents::of(&store).unwrap().evidence.len(), 2);
}

#[test]
fn a_missing_segment_is_damage() {
    let run = Run::new();
    let mut store = LogStore::open(&run.evidence(), &run.state(), &Engine::Memory).unwrap();
    for number in 1..4 {
        store.put(&[evidence(number)]).unwrap();
        store.seal_segments().unwrap();
    }
    drop(store);
    std::fs::remove_file(sealed_path(&run.segments(), 2)).unwrap();
    let opened = LogStore::open(&run.evidence(), &run.state(), &Engine::Memory);
    assert!(matches!(opened, Err(StoreError::Damaged { file, .. }) if file == "00000002.seg"));
}

#[test]
fn a_torn_tail_is_damage_to_an_auditor_who_must_not_repair() {
    let run = Run::new();
    three_batches(&run);
    let path = open_path(&run.segments(), 1);
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(LogStore::open_read_only(&run.evidence()).unwrap().len(), 6);
    for len in (0..whole.len()).filter(|len| whole_before(*len as u64) < whole_before(*len as u64 + 1) || len % 7 == 0)
    {
        std::fs::write(&path, &whole[..len]).unwrap();
        let ends_on_a_record = len == 16 || (len > 16 && whole_before(len as u64) > whole_before(len as u64 - 1));
        let opened = LogStore::open_read_only(&run.evidence());
        assert_eq!(opened.is_ok(), ends_on_a_record, "length {len}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), len as u64, "nothing was cut");
    }
}

/// A sealed segment and an open one, with side records before, between and after evidence; the payloads of the side records.
fn interleaved(run: &Run) -> Vec<Vec<u8>> {
    let mut log = log(run, None).unwrap();
    let mut sides = Vec::new();
    let mut put = |log: &mut Log, name: &str| {
        let json = format!("{{\"name\":\"{name}\"}}").into_bytes();
        log.append(&[Entry { id: super::super::record::side_id(&json), body: Body::Side(&json) }]).unwrap();
        sides.push(json);
    };
    put(&mut log, "first");
    append(&mut log, &[evidence(0), evidence(1)]);
    put(&mut log, "between");
    put(&mut log, "two");
    append(&mut log, &[evidence(2)]);
    put(&mut log, "last");
    log.seal().unwrap();
    append(&mut log, &[evidence(3)]);
    put(&mut log, "open");
    sides
}

fn sides(log: &Log) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut found = Vec::new();
    log.walk(None, Wanted::Side, &mut |_, _, payload| {
        found.push(payload.to_vec());
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    Ok(found)
}

#[test]
fn a_walk_to_the_side_records_finds_all_of_them_in_order_and_counts_what_it_passes() {
    let run = Run::new();
    let written = interleaved(&run);
    let log = log(&run, None).unwrap();
    assert_eq!(sides(&log).unwrap(), written);
    let mut first = Vec::new();
    let stop = &mut |_: &super::super::record::Head, _, payload: &[u8]| {
        first.push(payload.to_vec());
        Ok(std::ops::ControlFlow::Break(()))
    };
    log.walk(None, Wanted::Side, stop).unwrap();
    assert_eq!(first, written[..1]);
    let count = log.walk(None, Wanted::Side, &mut |_, _, _| Ok(std::ops::ControlFlow::Continue(()))).unwrap();
    assert_eq!(count, 4, "evidence, passed");
}

#[test]
fn no_flipped_bit_of_a_sealed_segment_changes_a_side_record_unseen() {
    let run = Run::new();
    let written = interleaved(&run);
    let path = sealed_path(&run.segments(), 1);
    let whole = std::fs::read(&path).unwrap();
    let mut told = 0;
    for at in 0..whole.len() {
        change(&path, |bytes| bytes[at] ^= 1);
        match log(&run, None).and_then(|log| sides(&log)) {
            Ok(found) => assert_eq!(found, written, "byte {at}"),
            Err(StoreError::Damaged { .. }) => told += 1,
            Err(error) => panic!("byte {at}: {error}"),
        }
        change(&path, |bytes| bytes.clone_from(&whole));
    }
    let evidence: usize = (0..3).map(|n| 57 + super::super::record::evidence_len(&evidence(n))).sum();
    assert_eq!(told, whole.len() - evidence, "everything but the evidence, which others check");
}
