//! The index of a log that nobody writes to: made once, sorted, and beside memory where it is large.

use std::ops::ControlFlow;

use super::{Change, Index, Mark, Table};
use crate::domain::{Digest32, packed_struct};
use crate::scratch::{self, Scratch, Sorter};
use crate::store::StoreError;
use crate::store::log::{Log, Wanted, damaged_payload};
use crate::store::record::{Kind, Location, Place};
use crate::store::side::Kept;

packed_struct!(Place { segment, offset });
packed_struct!(Location { place, len });

/// Where a side record is, and whether it replaces an earlier one of its key.
struct Side {
    at: Location,
    replaces: bool,
}

packed_struct!(Side { at, replaces });

/// Two sorted tables and the watermark.
pub(in crate::store) struct SortedIndex {
    evidence: scratch::Table<Digest32, Location>,
    side: scratch::Table<Digest32, Side>,
    mark: Option<Mark>,
}

impl SortedIndex {
    /// Walks the whole log, which checks every byte of it. Working files lie there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(in crate::store) fn of(log: &Log, place: &Scratch) -> Result<Self, StoreError> {
        let mut evidence: Sorter<Digest32, Location> = Sorter::in_place(place.clone());
        let mut side: Sorter<Digest32, Side> = Sorter::in_place(place.clone());
        let (mut records, mut last) = (0_u64, None);
        log.walk(None, Wanted::All, &mut |head, at, payload| {
            match head.kind {
                Kind::Evidence => {
                    evidence.push(&head.id, &at);
                    records += 1;
                }
                Kind::Side => {
                    let kept = Kept::from_json(payload).ok_or_else(|| damaged_payload(log, at.place))?;
                    side.push(&kept.key(&head.id), &Side { at, replaces: kept.replaces() });
                }
            }
            last = Some((at, head.id));
            Ok(ControlFlow::Continue(()))
        })?;
        // The first copy of evidence in the log is the one that counts.
        let evidence = evidence.finish(|_, _| ());
        let side = side.finish(|held, later| {
            if later.replaces {
                *held = later;
            }
        });
        place.check()?;
        let (distinct, keys) = (evidence.len() as u64, side.len() as u64);
        let mark = last.map(|(last, id)| Mark { last, id, records, evidence: distinct, side: keys });
        Ok(Self { evidence, side, mark })
    }
}

impl Index for SortedIndex {
    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        Ok(self.mark)
    }

    fn acknowledged(&self) -> Result<Option<Mark>, StoreError> {
        Ok(self.mark)
    }

    fn acknowledge(&mut self, _: &Mark) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    fn find(&self, table: Table, keys: &[[u8; 32]]) -> Result<Vec<Option<Location>>, StoreError> {
        let keys = keys.iter().map(|key| Digest32(*key));
        let found = match table {
            Table::Evidence => keys.map(|key| self.evidence.get(&key)).collect(),
            Table::Side => keys.map(|key| self.side.get(&key).map(|side| side.at)).collect(),
        };
        // What can't be read is not absent.
        self.evidence.check()?;
        Ok(found)
    }

    fn commit(&mut self, _: &Change) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    fn held(&self) -> Result<(u64, u64), StoreError> {
        Ok((self.evidence.len() as u64, self.side.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{Media, RawEvidence};
    use crate::store::disk::RealDisk;
    use crate::store::segment::segments_dir;
    use crate::store::{Engine, EvidenceStore, LogStore};

    #[cfg(target_os = "linux")]
    #[test]
    fn an_index_that_found_no_room_is_an_error_and_not_an_empty_one() {
        let run = tempfile::tempdir().unwrap();
        let (evidence, state) = (run.path().join("evidence"), run.path().join("state"));
        let mut store = LogStore::open(&evidence, &state, &Engine::Memory).unwrap();
        let pieces = |number: u8| RawEvidence { media: Media::ALL[0], about: String::new(), bytes: vec![number; 9] };
        store.put(&(0..100).map(pieces).collect::<Vec<_>>()).unwrap();
        drop(store);
        let log = Log::open_read_only(segments_dir(&evidence), Arc::new(RealDisk)).unwrap();
        let full = || std::fs::File::options().read(true).write(true).open("/dev/full").unwrap();
        let refused = SortedIndex::of(&log, &Scratch::on(full(), 1_000));
        assert!(matches!(refused, Err(StoreError::Io { .. })));
        assert_eq!(SortedIndex::of(&log, &Scratch::in_folder(run.path())).unwrap().held().unwrap(), (100, 0));
    }
}
