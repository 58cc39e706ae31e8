//! The order of writes: whatever fails, no receipt or cursor stands without what it speaks of.

use std::ops::ControlFlow;

use super::{Ingest, IngestError, IngestTotals};
use crate::domain::{Addressed, EvidenceId, FetchReceipt, Media, RawEvidence, Sighting, Slice, SourceId};
use crate::store::{EvidenceStore, MemoryStore, PutOutcome, SideRecord, StoreError};

/// A store that crashes at its n-th write: nothing of that write is kept, and nothing is accepted after it.
struct Crashing {
    inner: MemoryStore,
    writes_left: usize,
}

impl Crashing {
    fn spend(&mut self) -> Result<(), StoreError> {
        self.writes_left = self.writes_left.checked_sub(1).ok_or(StoreError::Poisoned)?;
        Ok(())
    }
}

impl EvidenceStore for Crashing {
    fn put_addressed(&mut self, batch: &[Addressed]) -> Result<Vec<PutOutcome>, StoreError> {
        self.spend()?;
        self.inner.put_addressed(batch)
    }

    fn put_side(&mut self, records: &[SideRecord]) -> Result<(), StoreError> {
        self.spend()?;
        self.inner.put_side(records)
    }

    fn contains(&self, id: &EvidenceId) -> Result<bool, StoreError> {
        self.inner.contains(id)
    }

    fn get(&self, id: &EvidenceId) -> Result<Option<RawEvidence>, StoreError> {
        self.inner.get(id)
    }

    fn scan(
        &self,
        media: &[Media],
        visit: &mut dyn FnMut(EvidenceId, RawEvidence) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.inner.scan(media, visit)
    }

    fn scan_side(&self, visit: &mut dyn FnMut(SideRecord) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.inner.scan_side(visit)
    }

    fn cursor(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.inner.cursor(name)
    }

    fn ids(&self) -> Result<Vec<EvidenceId>, StoreError> {
        self.inner.ids()
    }

    fn len(&self) -> u64 {
        self.inner.len()
    }
}

fn evidence(number: u64) -> RawEvidence {
    RawEvidence { media: Media::NostrEvent, about: String::new(), bytes: number.to_be_bytes().to_vec() }
}

fn sighting(evidence: &RawEvidence) -> Sighting {
    Sighting { evidence: evidence.id(), source: SourceId("relay".to_owned()), place: String::new(), offset: 0 }
}

fn receipt(items: u64) -> FetchReceipt {
    FetchReceipt { items, ..FetchReceipt::whole(SourceId("relay".to_owned()), Slice::all("30087")) }
}

/// Three pages: items, then the receipt so far, then the cursor. Items 0..3, 0..6, 0..9 stand behind each.
fn capture(store: &mut dyn EvidenceStore) -> Result<IngestTotals, IngestError> {
    let mut ingest = Ingest::new(store);
    for page in 0..3 {
        for number in page * 3..page * 3 + 3 {
            let evidence = evidence(number);
            let sighting = sighting(&evidence);
            ingest.accept(evidence, sighting)?;
        }
        ingest.receipt(receipt(page * 3 + 3))?;
        ingest.cursor("relay".to_owned(), (page * 3 + 3).to_string())?;
    }
    ingest.flush()?;
    Ok(ingest.totals())
}

fn side(store: &dyn EvidenceStore) -> Vec<SideRecord> {
    let mut records = Vec::new();
    store
        .scan_side(&mut |record| {
            records.push(record);
            ControlFlow::Continue(())
        })
        .unwrap();
    records
}

#[test]
fn a_crash_at_any_write_leaves_no_receipt_or_cursor_without_its_evidence() {
    let mut undisturbed = MemoryStore::new();
    capture(&mut undisturbed).unwrap();
    let mut crashes = 0;
    for writes in 0.. {
        let mut store = Crashing { inner: MemoryStore::new(), writes_left: writes };
        let result = capture(&mut store);
        for record in side(&store) {
            match record {
                SideRecord::Sighting(sighting) => assert!(store.contains(&sighting.evidence).unwrap()),
                SideRecord::Receipt(receipt) => assert!(store.len() >= receipt.items, "{writes} writes"),
                SideRecord::Cursor { value, .. } => {
                    let passed: u64 = value.parse().unwrap();
                    assert!((0..passed).all(|number| store.contains(&evidence(number).id()).unwrap()));
                    assert!(store.len() >= passed, "{writes} writes");
                }
            }
        }
        // What the crash left is resumed and ends like the undisturbed run.
        let mut resumed = store.inner;
        capture(&mut resumed).unwrap();
        assert_eq!(resumed.ids().unwrap(), undisturbed.ids().unwrap());
        assert_eq!(side(&resumed), side(&undisturbed));
        if result.is_ok() {
            break;
        }
        crashes += 1;
    }
    assert_eq!(crashes, 12, "three pages of evidence, sightings, receipt, cursor");
}

#[test]
fn taking_in_twice_changes_nothing_and_is_counted() {
    let mut store = MemoryStore::new();
    let first = capture(&mut store).unwrap();
    assert_eq!(first, IngestTotals { inserted: 9, already_present: 0, sightings: 9 });
    let before = (store.ids().unwrap(), side(&store));
    let second = capture(&mut store).unwrap();
    assert_eq!(second, IngestTotals { inserted: 0, already_present: 9, sightings: 9 });
    assert_eq!((store.ids().unwrap(), side(&store)), before);
}

#[test]
fn totals_count_only_what_is_durable() {
    let mut store = MemoryStore::new();
    let mut ingest = Ingest::new(&mut store);
    let one = evidence(1);
    ingest.accept(one.clone(), sighting(&one)).unwrap();
    ingest.accept(one.clone(), sighting(&one)).unwrap();
    assert_eq!(ingest.totals(), IngestTotals::default());
    ingest.flush().unwrap();
    assert_eq!(ingest.totals(), IngestTotals { inserted: 1, already_present: 1, sightings: 2 });
    ingest.flush().unwrap();
    assert_eq!(ingest.totals(), IngestTotals { inserted: 1, already_present: 1, sightings: 2 });
}

#[test]
fn a_sighting_of_other_evidence_is_refused_and_nothing_is_taken() {
    let mut store = MemoryStore::new();
    let mut ingest = Ingest::new(&mut store);
    let refused = ingest.accept(evidence(1), sighting(&evidence(2)));
    assert!(matches!(refused, Err(IngestError::StraySighting { .. })));
    ingest.flush().unwrap();
    assert!(store.is_empty());
    assert!(side(&store).is_empty());
}

#[test]
fn what_waits_is_bounded_by_records_and_by_bytes() {
    // 8,192 records or 8 MiB cause a flush; the last part waits for the explicit one, which the crash refuses.
    for (count, size, durable) in [(20_000, 8, 16_384), (10, 2 << 20, 8)] {
        let mut store = Crashing { inner: MemoryStore::new(), writes_left: 4 };
        let mut ingest = Ingest::new(&mut store);
        for number in 0..count {
            let mut evidence = evidence(number);
            evidence.bytes.resize(size, 0);
            let sighting = sighting(&evidence);
            ingest.accept(evidence, sighting).unwrap();
        }
        assert_eq!(ingest.totals().inserted, durable);
        assert!(ingest.flush().is_err());
        assert_eq!(ingest.totals().inserted, durable);
        assert_eq!(store.len(), durable);
    }
}
