//! Goal: who gave what stands in the log once, however often, in whatever order, and in whatever form it was told.
//! Method: the same sightings given again, before and after the store was opened anew; the log's bytes before and after.

use super::*;
use crate::store::Engine;

const ENGINE: Engine = Engine::Memory;

fn bytes(run: &Run) -> u64 {
    std::fs::read_dir(run.segments()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

fn told(store: &LogStore) -> Vec<SideRecord> {
    let mut told = Vec::new();
    store
        .scan_side(&mut |record| {
            told.push(record);
            ControlFlow::Continue(())
        })
        .unwrap();
    told.sort();
    told
}

fn open(run: &Run) -> LogStore {
    LogStore::open(&run.evidence(), &run.state(), &ENGINE).unwrap()
}

#[test]
fn what_was_told_adds_no_byte() {
    let run = Run::new();
    let mut store = open(&run);
    let batch: Vec<_> = (0..4).map(evidence).collect();
    let mut sightings: Vec<_> =
        [(0, "a"), (1, "a"), (0, "b"), (3, "b")].map(|(number, source)| sighting(number, source)).into();
    store.put(&batch).unwrap();
    store.put_side(&sightings).unwrap();
    sightings.sort();
    let once = (bytes(&run), sightings.clone());
    for _ in 0..2 {
        assert_eq!((bytes(&run), told(&store)), once);
        store.put(&batch).unwrap();
        store.put_side(&sightings).unwrap();
        store.put_side(&sightings[..1]).unwrap();
        assert_eq!((bytes(&run), told(&store)), once);
        drop(store);
        store = open(&run);
    }
    store.seal_segments().unwrap();
    store.put_side(&sightings).unwrap();
    assert_eq!(told(&store), once.1);
    // And what was not told does.
    store.put_side(&[sighting(3, "a")]).unwrap();
    assert_eq!(told(&store).len(), 5);
}

#[test]
fn the_first_place_of_a_source_stands() {
    let run = Run::new();
    let mut store = open(&run);
    let (first, SideRecord::Sighting(again)) = (sighting(0, "a"), sighting(0, "a")) else { unreachable!() };
    let again = SideRecord::Sighting(Sighting { place: "page 0".to_owned(), offset: 7, ..again });
    store.put(&[evidence(0)]).unwrap();
    store.put_side(&[first.clone(), again.clone()]).unwrap();
    store.put_side(&[again]).unwrap();
    assert_eq!(told(&store), [first]);
}

#[test]
fn a_log_that_kept_a_record_for_each_says_the_same() {
    let run = Run::new();
    let mut store = open(&run);
    let sightings = [sighting(0, "a"), sighting(1, "a")];
    store.put(&[evidence(0), evidence(1)]).unwrap();
    store.append_one_by_one(&sightings).unwrap();
    drop(store);
    let mut store = open(&run);
    let mut held = sightings.to_vec();
    held.sort();
    assert_eq!(told(&store), held);
    store.put_side(&sightings).unwrap();
    assert_eq!(told(&store), held);
    store.put_side(&[sighting(0, "b"), sighting(1, "a")]).unwrap();
    held.push(sighting(0, "b"));
    held.sort();
    assert_eq!(told(&store), held);
}

#[test]
fn a_walk_over_sightings_may_stop_anywhere() {
    let run = Run::new();
    let mut store = open(&run);
    store.put(&(0..4).map(evidence).collect::<Vec<_>>()).unwrap();
    store.put_side(&(0..4).map(|number| sighting(number, "a")).collect::<Vec<_>>()).unwrap();
    for stop in 1..=4 {
        let mut seen = 0;
        let mut visit = |_| {
            seen += 1;
            if seen == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        store.scan_side(&mut visit).unwrap();
        assert_eq!(seen, stop);
    }
}
