//! A store without files: the reference model, and the store of tests.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::{EvidenceStore, PutOutcome, SideRecord, StoreError, side};
use crate::domain::{Addressed, Digest32, EvidenceId, Media, RawEvidence};

/// Evidence and side records in ordered maps. Nothing is durable.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    evidence: BTreeMap<EvidenceId, RawEvidence>,
    side: BTreeMap<Digest32, SideRecord>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Compares what is held under an id with what is offered under it, byte for byte.
pub(super) fn same_or_conflict(id: EvidenceId, held: &RawEvidence, offered: &RawEvidence) -> Result<(), StoreError> {
    if held == offered { Ok(()) } else { Err(StoreError::Conflict { id }) }
}

impl EvidenceStore for MemoryStore {
    fn put_addressed(&mut self, batch: &[Addressed]) -> Result<Vec<PutOutcome>, StoreError> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut fresh = BTreeMap::new();
        for (id, evidence) in batch.iter().map(|one| (one.id(), one)) {
            if let Some(held) = self.evidence.get(&id).or_else(|| fresh.get(&id).copied()) {
                same_or_conflict(id, held, evidence)?;
                outcomes.push(PutOutcome::AlreadyPresent);
            } else {
                fresh.insert(id, evidence);
                outcomes.push(PutOutcome::Inserted);
            }
        }
        self.evidence.extend(fresh.into_iter().map(|(id, evidence)| (id, evidence.clone())));
        Ok(outcomes)
    }

    fn put_side(&mut self, records: &[SideRecord]) -> Result<(), StoreError> {
        for record in records {
            let key = side::key(record);
            if side::replaces(record) || !self.side.contains_key(&key) {
                self.side.insert(key, record.clone());
            }
        }
        Ok(())
    }

    fn contains(&self, id: &EvidenceId) -> Result<bool, StoreError> {
        Ok(self.evidence.contains_key(id))
    }

    fn get(&self, id: &EvidenceId) -> Result<Option<RawEvidence>, StoreError> {
        Ok(self.evidence.get(id).cloned())
    }

    fn scan(
        &self,
        media: &[Media],
        visit: &mut dyn FnMut(EvidenceId, RawEvidence) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        for (id, evidence) in self.evidence.iter().filter(|(_, evidence)| media.contains(&evidence.media)) {
            if visit(*id, evidence.clone()).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn scan_side(&self, visit: &mut dyn FnMut(SideRecord) -> ControlFlow<()>) -> Result<(), StoreError> {
        for record in self.side.values() {
            if visit(record.clone()).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn cursor(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(match self.side.get(&side::cursor_key(name)) {
            Some(SideRecord::Cursor { value, .. }) => Some(value.clone()),
            _ => None,
        })
    }

    fn ids(&self) -> Result<Vec<EvidenceId>, StoreError> {
        Ok(self.evidence.keys().copied().collect())
    }

    fn len(&self) -> u64 {
        self.evidence.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_id_with_other_bytes_is_a_conflict_and_equal_bytes_are_not() {
        let held = RawEvidence { media: Media::Headers, about: "7".to_owned(), bytes: vec![1, 2] };
        let id = held.id();
        assert!(same_or_conflict(id, &held, &held.clone()).is_ok());
        // SHA-256 can't be made to collide, so the rule is tested where it stands, with each part altered in turn.
        for offered in [
            RawEvidence { bytes: vec![1, 3], ..held.clone() },
            RawEvidence { about: "8".to_owned(), ..held.clone() },
            RawEvidence { media: Media::Jwks, ..held.clone() },
        ] {
            let refused = same_or_conflict(id, &held, &offered);
            assert!(matches!(refused, Err(StoreError::Conflict { id: named }) if named == id));
        }
    }
}
