//! Bringing an index up to the log: what a batch adds, what a log holds beyond the watermark, whether both agree.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::StoreError;
use super::disk::Disk;
use super::index::{Change, Index, Mark, Table};
use super::log::{Log, Wanted, damaged_payload};
use super::record::{Head, Kind, Location, Place};
use super::segment::HEADER_LEN;
use super::side::Kept;
use crate::domain::Digest32;

/// Records per commit while a log is replayed: bounds memory, and the work lost when the replay is killed. Few in tests, where logs are short.
const GROUP: usize = if cfg!(test) { 2 } else { 16_384 };

/// Records of the log that the index does not cover yet.
#[derive(Default)]
pub(super) struct Group {
    evidence: BTreeMap<[u8; 32], Location>,
    /// With true where the record replaces an earlier one of its key.
    side: BTreeMap<[u8; 32], (Location, bool)>,
    records: u64,
    /// True when the caller has looked already and the index holds none of the evidence.
    looked: bool,
    last: Option<(Location, Digest32)>,
}

impl Group {
    /// An empty group for evidence that is known not to be in the index, which saves a second look.
    pub(super) fn of_new_evidence() -> Self {
        Self { looked: true, ..Self::default() }
    }

    /// Adds a record of evidence. The first copy in the log is the one that counts.
    pub(super) fn evidence(&mut self, id: Digest32, at: Location) {
        self.evidence.entry(id.0).or_insert(at);
        self.records += 1;
        self.last = Some((at, id));
    }

    /// Adds a side record.
    pub(super) fn side(&mut self, key: Digest32, replaces: bool, id: Digest32, at: Location) {
        if replaces {
            self.side.insert(key.0, (at, true));
        } else {
            self.side.entry(key.0).or_insert((at, false));
        }
        self.last = Some((at, id));
    }

    fn is_full(&self) -> bool {
        self.evidence.len() + self.side.len() >= GROUP
    }

    /// Commits the group to the index and moves the watermark.
    pub(super) fn commit(
        self,
        index: &mut dyn Index,
        mark: &mut Option<Mark>,
        disk: &dyn Disk,
    ) -> Result<(), StoreError> {
        let Some(change) = self.settle(index, *mark)? else { return Ok(()) };
        disk.before_index_commit().map_err(refused)?;
        index.commit(&change)?;
        *mark = Some(change.mark);
        Ok(())
    }

    fn settle(self, index: &dyn Index, mark: Option<Mark>) -> Result<Option<Change>, StoreError> {
        let Some((last, id)) = self.last else { return Ok(None) };
        // An engine that keeps entries and watermark apart may hold entries from beyond the watermark: those do not count.
        let counted = |found: &Option<Location>| match (found, mark) {
            (Some(found), Some(mark)) => found.place < mark.end(),
            _ => false,
        };
        let keys: Vec<[u8; 32]> = self.evidence.keys().copied().collect();
        let found = if self.looked { vec![None; keys.len()] } else { index.find(Table::Evidence, &keys)? };
        let mut evidence = Vec::with_capacity(found.len());
        let uncounted = self.evidence.into_iter().zip(&found).filter(|(_, found)| !counted(found));
        evidence.extend(uncounted.map(|(entry, _)| entry));

        let keys: Vec<[u8; 32]> = self.side.keys().copied().collect();
        let found = index.find(Table::Side, &keys)?;
        let fresh = found.iter().filter(|found| !counted(found)).count() as u64;
        let side = self.side.into_iter().zip(&found).filter(|((_, (_, replaces)), found)| *replaces || !counted(found));
        let side = side.map(|((key, (at, _)), _)| (key, at)).collect();

        let (records, distinct, keys) = mark.map_or((0, 0, 0), |mark| (mark.records, mark.evidence, mark.side));
        let mark = Mark {
            last,
            id,
            records: records.saturating_add(self.records),
            evidence: distinct.saturating_add(evidence.len() as u64),
            side: keys.saturating_add(fresh),
        };
        Ok(Some(Change { evidence, side, mark }))
    }
}

/// Adds to the index what the log holds beyond the watermark.
pub(super) fn replay(
    log: &Log,
    index: &mut dyn Index,
    mark: &mut Option<Mark>,
    disk: &dyn Disk,
) -> Result<(), StoreError> {
    let mut group = Group::default();
    log.walk(mark.map(|mark| mark.end()), Wanted::All, &mut |head: &Head, at, payload: &[u8]| {
        match head.kind {
            Kind::Evidence => group.evidence(head.id, at),
            Kind::Side => {
                let kept = Kept::from_json(payload).ok_or_else(|| damaged_payload(log, at.place))?;
                group.side(kept.key(&head.id), kept.replaces(), head.id, at);
            }
        }
        if group.is_full() {
            std::mem::take(&mut group).commit(index, mark, disk)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    group.commit(index, mark, disk)
}

/// As [`replay`], with nothing left to wait.
pub(super) fn bring_up(
    log: &Log,
    index: &mut dyn Index,
    mark: &mut Option<Mark>,
    disk: &dyn Disk,
) -> Result<(), StoreError> {
    replay(log, index, mark, disk)?;
    flush(index, disk)
}

/// Has the index commit what waits.
pub(super) fn flush(index: &mut dyn Index, disk: &dyn Disk) -> Result<(), StoreError> {
    if index.waits() {
        disk.before_index_commit().map_err(refused)?;
        index.flush()?;
    }
    Ok(())
}

fn refused(source: std::io::Error) -> StoreError {
    StoreError::Io { action: "commit to", file: "index".to_owned(), source }
}

/// Why an index can't be one of this log; `None` when it can.
///
/// # Errors
/// [`StoreError::Damaged`] when it is the log that does not check.
pub(super) fn disagreement(
    log: &Log,
    index: &dyn Index,
    mark: Option<Mark>,
) -> Result<Option<&'static str>, StoreError> {
    let held = index.held()?;
    for known in mark.into_iter().chain(index.acknowledged()?) {
        if let Some(why) = stranger(log, &known)? {
            return Ok(Some(why));
        }
    }
    let Some(mark) = mark else {
        return Ok((held != (0, 0)).then_some("it holds entries and no watermark"));
    };
    if log.evidence_before(mark.end()).is_some_and(|records| records != mark.records) {
        return Ok(Some("it counts other evidence than the log"));
    }
    Ok((held.0 < mark.evidence || held.1 < mark.side).then_some("it lost entries"))
}

/// Why that mark is none of this log.
fn stranger(log: &Log, mark: &Mark) -> Result<Option<&'static str>, StoreError> {
    match log.read(mark.last) {
        Ok((head, _)) if head.id == mark.id => Ok(None),
        Ok(_) => Ok(Some("its last record is another one in the log")),
        Err(StoreError::Damaged { .. }) => {
            // Either the segment is damaged, and reading all of it says so, or the index is not of this log.
            let segment = mark.last.place.segment;
            let stop = |_: &Head, at: Location, _: &[u8]| {
                Ok(if at.place.segment == segment { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            };
            log.walk(Some(Place { segment, offset: HEADER_LEN }), Wanted::All, &mut { stop })?;
            Ok(Some("its last record is not in the log"))
        }
        Err(other) => Err(other),
    }
}
