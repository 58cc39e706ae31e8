//! The memory store, and the writer in front of it, against maps that a reader understands at a glance.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use reledger::domain::{
    CompletenessBasis, EvidenceId, FetchReceipt, Media, RawEvidence, Sighting, Slice, SliceEnd, SourceId,
};
use reledger::ingest::Ingest;
use reledger::seal::evidence_root;
use reledger::store::{EvidenceStore, MemoryStore, PutOutcome, SideRecord};

/// What a store must hold.
#[derive(Default)]
struct Model {
    evidence: BTreeMap<EvidenceId, RawEvidence>,
    sightings: BTreeMap<(EvidenceId, SourceId), Sighting>,
    receipts: BTreeMap<(SourceId, Slice), FetchReceipt>,
    cursors: BTreeMap<String, String>,
}

impl Model {
    fn put(&mut self, evidence: &RawEvidence) -> PutOutcome {
        match self.evidence.insert(evidence.id(), evidence.clone()) {
            None => PutOutcome::Inserted,
            Some(_) => PutOutcome::AlreadyPresent,
        }
    }

    fn sighted(&mut self, sighting: Sighting) {
        self.sightings.entry((sighting.evidence, sighting.source.clone())).or_insert(sighting);
    }

    fn side(&self) -> Vec<SideRecord> {
        let cursors = self.cursors.iter().map(|(name, value)| (name.clone(), value.clone()));
        let mut side: Vec<SideRecord> = self
            .sightings
            .values()
            .cloned()
            .map(SideRecord::Sighting)
            .chain(self.receipts.values().cloned().map(SideRecord::Receipt))
            .chain(cursors.map(|(name, value)| SideRecord::Cursor { name, value }))
            .collect();
        side.sort();
        side
    }

    fn check(&self, store: &dyn EvidenceStore) {
        let ids: Vec<EvidenceId> = self.evidence.keys().copied().collect();
        assert_eq!(store.ids().expect("memory does not fail"), ids);
        assert_eq!(store.len(), ids.len() as u64);
        assert_eq!(store.is_empty(), ids.is_empty());
        for (id, evidence) in &self.evidence {
            assert_eq!(store.get(id).expect("memory does not fail").as_ref(), Some(evidence));
            assert!(store.contains(id).expect("memory does not fail"));
        }
        for media in Media::ALL {
            let mut found = BTreeMap::new();
            let visit = &mut |id, evidence| {
                assert!(found.insert(id, evidence).is_none(), "nothing is visited twice");
                ControlFlow::Continue(())
            };
            store.scan(&[media], visit).expect("memory does not fail");
            let wanted = self.evidence.iter().filter(|(_, evidence)| evidence.media == media);
            assert!(found.iter().eq(wanted), "{media}");
        }
        let mut side = Vec::new();
        let visit = &mut |record| {
            side.push(record);
            ControlFlow::Continue(())
        };
        store.scan_side(visit).expect("memory does not fail");
        side.sort();
        assert_eq!(side, self.side());
        for (name, value) in &self.cursors {
            assert_eq!(store.cursor(name).expect("memory does not fail").as_ref(), Some(value));
        }
    }
}

/// New evidence, or some that came before.
fn piece(input: &mut Unstructured<'_>, known: &mut Vec<RawEvidence>) -> Result<RawEvidence> {
    if !known.is_empty() && input.ratio(1, 3)? {
        return input.choose(known).cloned();
    }
    let about = ["", "a", "ab"];
    let media = *input.choose(&Media::ALL)?;
    let length = input.int_in_range(0..=12)?;
    let evidence =
        RawEvidence { media, about: (*input.choose(&about)?).to_owned(), bytes: input.bytes(length)?.to_vec() };
    known.push(evidence.clone());
    Ok(evidence)
}

fn source(input: &mut Unstructured<'_>) -> Result<SourceId> {
    Ok(SourceId((*input.choose(&["x", "y", "z"])?).to_owned()))
}

fn receipt(input: &mut Unstructured<'_>) -> Result<FetchReceipt> {
    let kind = (*input.choose(&["1", "2"])?).to_owned();
    Ok(FetchReceipt { items: input.int_in_range(0..=3)?,
..FetchReceipt::whole(source(input)?, Slice::all(kind)) })
}

fn step(
    input: &mut Unstructured<'_>,
    store: &mut MemoryStore,
    model: &mut Model,
    known: &mut Vec<RawEvidence>,
) -> Result<()> {
    match input.int_in_range(0..=3_u8)? {
        0 => {
            let mut batch = Vec::new();
            for _ in 0..input.int_in_range(0..=6)? {
                batch.push(piece(input, known)?);
            }
            let wanted: Vec<PutOutcome> = batch.iter().map(|evidence| model.put(evidence)).collect();
            assert_eq!(store.put(&batch).expect("memory does not fail"), wanted);
        }
        1 => {
            let (evidence, source) = (piece(input, known)?, source(input)?);
            let place = (*input.choose(&["p", "q"])?).to_owned();
            let sighting = Sighting { evidence: evidence.id(), source, place, offset: 0 };
            let wanted = model.put(&evidence);
            model.sighted(sighting.clone());
            let mut ingest = Ingest::new(store);
            ingest.accept(evidence, sighting).expect("the sighting is about the evidence");
            ingest.flush().expect("memory does not fail");
            let inserted = u64::from(wanted == PutOutcome::Inserted);
            assert_eq!((ingest.totals().inserted, ingest.totals().already_present), (inserted, 1 - inserted));
        }
        2 => {
            let receipt = receipt(input)?;
            model.receipts.insert((receipt.source.clone(), receipt.slice.clone()), receipt.clone());
            store.put_side(&[SideRecord::Receipt(receipt)]).expect("memory does not fail");
        }
        _ => {
            let (name, value) = (source(input)?.0, input.int_in_range(0..=9_u8)?.to_string());
            model.cursors.insert(name.clone(), value.clone());
            store.put_side(&[SideRecord::Cursor { name, value }]).expect("memory does not fail");
        }
    }
    Ok(())
}

/// The same evidence in another order and other batches gives the same root.
fn permuted(input: &mut Unstructured<'_>, model: &Model) {
    let mut order: Vec<RawEvidence> = model.evidence.values().cloned().collect();
    for at in (1..order.len()).rev() {
        let other = input.int_in_range(0..=at).unwrap_or(0);
        order.swap(at, other);
    }
    let mut again = MemoryStore::new();
    let size = input.int_in_range(1..=5_usize).unwrap_or(1);
    for batch in order.chunks(size).chain(order.rchunks(3)) {
        again.put(batch).expect("memory does not fail");
    }
    let ids: Vec<EvidenceId> = model.evidence.keys().copied().collect();
    assert_eq!(evidence_root(&again.ids().expect("memory does not fail")), evidence_root(&ids));
}

/// An arbitrary sequence of puts, sightings, receipts and cursors; then the same evidence in another order.
pub fn ingest_sequence(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let (mut store, mut model, mut known) = (MemoryStore::new(), Model::default(), Vec::new());
    while !input.is_empty() {
        if step(&mut input, &mut store, &mut model, &mut known).is_err() {
            break;
        }
    }
    model.check(&store);
    permuted(&mut input, &model);
}
