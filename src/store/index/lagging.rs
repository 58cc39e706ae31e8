//! An index that lags behind its log. Ids are digests: each commit of a tree by them writes nearly as many pages as it has entries, so that
//! a commit for every batch wrote fifty times what an index of ten million entries holds. What is not committed yet is kept in memory; after
//! a crash it is read again from the log, which holds all of it.

use std::collections::BTreeMap;

use super::{Change, Index, Mark, Table};
use crate::store::StoreError;
use crate::store::record::{Location, Place};

/// Entries that may wait, however small the index is: some 5 MB. Few in tests, which go both ways then.
const LEAST: u64 = if cfg!(test) { 5 } else { 1 << 16 };
/// Entries that may wait, however large it is: some 80 MB, and 5 s to read them again after a crash.
const MOST: u64 = 1 << 20;
/// As many as this part of what the index holds may wait in between: it is written whole some six times while it doubles.
const PART: u64 = 8;

/// An engine, and what it is still to be given.
pub(super) struct Lagging<I> {
    engine: I,
    evidence: BTreeMap<[u8; 32], Location>,
    side: BTreeMap<[u8; 32], Location>,
    /// How far engine and memory together cover the log, where that is further than the engine alone.
    mark: Option<Mark>,
    /// Where the log ends that the engine knows of as acknowledged.
    acknowledged: Option<Place>,
    /// Entries that the engine holds.
    held: u64,
}

impl<I: Index> Lagging<I> {
    /// With nothing waiting.
    pub(super) fn new(engine: I) -> Result<Self, StoreError> {
        let held = engine.mark()?.map_or(0, |mark| mark.evidence.saturating_add(mark.side));
        let acknowledged = engine.acknowledged()?.map(|mark| mark.end());
        Ok(Self { engine, evidence: BTreeMap::new(), side: BTreeMap::new(), mark: None, acknowledged, held })
    }

    fn waiting(&self, table: Table) -> &BTreeMap<[u8; 32], Location> {
        match table {
            Table::Evidence => &self.evidence,
            Table::Side => &self.side,
        }
    }

    fn is_full(&self) -> bool {
        let waiting = (self.evidence.len() + self.side.len()) as u64;
        waiting >= (self.held / PART).clamp(LEAST, MOST)
    }
}

impl<I: Index> Index for Lagging<I> {
    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        self.mark.map_or_else(|| self.engine.mark(), |mark| Ok(Some(mark)))
    }

    fn acknowledged(&self) -> Result<Option<Mark>, StoreError> {
        self.engine.acknowledged()
    }

    fn acknowledge(&mut self, mark: &Mark) -> Result<(), StoreError> {
        // After a crash the log is read again from the watermark on: what was acknowledged lies further on and is not taken back.
        if self.acknowledged.is_some_and(|end| mark.end() <= end) {
            return Ok(());
        }
        self.engine.acknowledge(mark)?;
        self.acknowledged = Some(mark.end());
        Ok(())
    }

    fn find(&self, table: Table, keys: &[[u8; 32]]) -> Result<Vec<Option<Location>>, StoreError> {
        let waiting = self.waiting(table);
        let mut found: Vec<Option<Location>> = keys.iter().map(|key| waiting.get(key).copied()).collect();
        let rest: Vec<usize> = (0..keys.len()).filter(|at| found[*at].is_none()).collect();
        let asked: Vec<[u8; 32]> = rest.iter().map(|at| keys[*at]).collect();
        for (at, location) in rest.into_iter().zip(self.engine.find(table, &asked)?) {
            found[at] = location;
        }
        Ok(found)
    }

    fn commit(&mut self, change: &Change) -> Result<(), StoreError> {
        self.evidence.extend(change.evidence.iter().copied());
        self.side.extend(change.side.iter().copied());
        self.mark = Some(change.mark);
        if self.is_full() { self.flush() } else { self.acknowledge(&change.mark) }
    }

    fn waits(&self) -> bool {
        self.mark.is_some()
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let Some(mark) = self.mark else { return Ok(()) };
        let list = |map: &BTreeMap<[u8; 32], Location>| map.iter().map(|(key, at)| (*key, *at)).collect();
        self.engine.commit(&Change { evidence: list(&self.evidence), side: list(&self.side), mark })?;
        (self.evidence, self.side, self.mark) = (BTreeMap::new(), BTreeMap::new(), None);
        self.held = mark.evidence.saturating_add(mark.side);
        Ok(())
    }

    fn held(&self) -> Result<(u64, u64), StoreError> {
        self.engine.held()
    }
}
