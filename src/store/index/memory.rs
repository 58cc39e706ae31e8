//! The index in memory: the reference model. Built from the log at each open.

use std::collections::BTreeMap;

use super::{Change, Index, Mark, Table};
use crate::store::StoreError;
use crate::store::record::Location;

/// Two ordered maps and the watermark.
#[derive(Default)]
pub(in crate::store) struct MemoryIndex {
    evidence: BTreeMap<[u8; 32], Location>,
    side: BTreeMap<[u8; 32], Location>,
    mark: Option<Mark>,
}

impl Index for MemoryIndex {
    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        Ok(self.mark)
    }

    fn acknowledged(&self) -> Result<Option<Mark>, StoreError> {
        Ok(self.mark)
    }

    fn acknowledge(&mut self, _: &Mark) -> Result<(), StoreError> {
        Ok(())
    }

    fn find(&self, table: Table, keys: &[[u8; 32]]) -> Result<Vec<Option<Location>>, StoreError> {
        let map = match table {
            Table::Evidence => &self.evidence,
            Table::Side => &self.side,
        };
        Ok(keys.iter().map(|key| map.get(key).copied()).collect())
    }

    fn commit(&mut self, change: &Change) -> Result<(), StoreError> {
        self.evidence.extend(change.evidence.iter().copied());
        self.side.extend(change.side.iter().copied());
        self.mark = Some(change.mark);
        Ok(())
    }

    fn held(&self) -> Result<(u64, u64), StoreError> {
        Ok((self.evidence.len() as u64, self.side.len() as u64))
    }
}
