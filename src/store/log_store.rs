//! The store on disk: the evidence log with an index beside it.

mod side_records;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::disk::{Disk, RealDisk};
use super::index::{self, Index, Mark, SortedIndex, Table};
use super::lock::RunLock;
use super::log::{Body, Entry, Log, Wanted, damaged_payload};
use super::members::{LogFile, members_knowing};
use super::memory_store::same_or_conflict;
use super::record::{self, Head, Kind, Location};
use super::replay::{self, Group};
use super::segment::segments_dir;
use super::side::Kept;
use super::sighted::Sighted;
use super::{Engine, EvidenceStore, PutOutcome, SideRecord, StoreError, side};
use crate::domain::{Addressed, Digest32, EvidenceId, Media, RawEvidence};
use crate::scratch::{Scratch, Sorter};

/// Evidence in append-only segments, found through an index that can be rebuilt from them.
///
/// After any failed write or flush it does nothing more and answers [`StoreError::Poisoned`]: what the disk holds is
/// unknown until it is opened again, which keeps everything that was acknowledged.
pub struct LogStore {
    log: Log,
    index: Box<dyn Index>,
    mark: Option<Mark>,
    disk: Arc<dyn Disk>,
    poisoned: bool,
    sighted: Sighted,
    /// Held for writing; `None` when opened for reading.
    lock: Option<RunLock>,
    /// Where working files may lie.
    scratch: Scratch,
}

impl LogStore {
    /// Size at which a segment is sealed, in bytes.
    pub const SEGMENT_BYTES: u64 = 64 << 20;

    /// Opens or makes the store of a run and takes the run's lock.
    ///
    /// An unacknowledged tail of the log is cut; an index that does not open, or is not of this log, is renamed to
    /// `*.set-aside-N` and made again.
    ///
    /// # Errors
    /// [`StoreError::Locked`]; [`StoreError::Damaged`] when acknowledged or sealed bytes do not check or are gone;
    /// [`StoreError::EngineMissing`]; [`StoreError::Io`]; [`StoreError::Index`].
    pub fn open(evidence_dir: &Path, state_dir: &Path, engine: &Engine) -> Result<Self, StoreError> {
        Self::open_with(evidence_dir, state_dir, engine, Self::SEGMENT_BYTES)
    }

    /// [`LogStore::open`] with segments of another size in bytes.
    ///
    /// # Errors
    /// As [`LogStore::open`].
    pub fn open_with(
        evidence_dir: &Path,
        state_dir: &Path,
        engine: &Engine,
        segment_bytes: u64,
    ) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(RealDisk), evidence_dir, state_dir, engine, segment_bytes)
    }

    pub(super) fn open_on(
        disk: Arc<dyn Disk>,
        evidence_dir: &Path,
        state_dir: &Path,
        engine: &Engine,
        segment_bytes: u64,
    ) -> Result<Self, StoreError> {
        let lock = RunLock::take(state_dir)?;
        let engine = &engine.of_the_index();
        let (mut index, mut mark) = index::open(engine, state_dir, &disk)?;
        let acknowledged = mark.into_iter().chain(index.acknowledged()?).map(|mark| mark.end()).max();
        let log = Log::open(segments_dir(evidence_dir), Arc::clone(&disk), segment_bytes, acknowledged)?;
        let fits = replay::disagreement(&log, &*index, mark).and_then(|why| match why {
            Some(why) => Ok(Some(why.to_owned())),
            None => replay::bring_up(&log, &mut *index, &mut mark, &*disk).map(|()| None),
        });
        let bad = match fits {
            // What an engine notices only when it is asked or written to is no reason to go without the log.
            Err(StoreError::Index(what)) => Some(what),
            other => other?,
        };
        if let Some(why) = bad {
            tracing::warn!(engine = engine.name(), why, "the index is not that of the log and is rebuilt from it");
            drop(index);
            index::set_aside(engine, state_dir, &*disk)?;
            (index, mark) = index::open(engine, state_dir, &disk)?;
            replay::bring_up(&log, &mut *index, &mut mark, &*disk)?;
        }
        let (lock, scratch) = (Some(lock), Scratch::in_folder(state_dir));
        Ok(Self { log, index, mark, disk, poisoned: false, sighted: Sighted::default(), lock, scratch })
    }

    /// Opens an evidence folder for reading, without a state folder, and checks every byte of it. Leaves nothing behind.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for anything that does not check, a torn tail too; [`StoreError::Io`] when there is no
    /// such folder.
    pub fn open_read_only(evidence_dir: &Path) -> Result<Self, StoreError> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let log = Log::open_read_only(segments_dir(evidence_dir), Arc::clone(&disk))?;
        let (lock, scratch) = (None, Scratch::in_folder(evidence_dir));
        let index = Box::new(SortedIndex::of(&log, &scratch)?);
        let mark = index.mark()?;
        Ok(Self { log, index, mark, disk, poisoned: false, sighted: Sighted::default(), lock, scratch })
    }

    /// Shows the ids of all evidence in that folder, ascending and once each, after every byte was checked as by
    /// [`Self::open_read_only`]: for whoever wants to read none of it.
    ///
    /// # Errors
    /// As [`Self::open_read_only`].
    pub fn each_checked_id(evidence_dir: &Path, visit: &mut dyn FnMut(EvidenceId)) -> Result<(), StoreError> {
        let log = Log::open_read_only(segments_dir(evidence_dir), Arc::new(RealDisk))?;
        ascending(&log, &Scratch::in_folder(evidence_dir), visit)?;
        Ok(())
    }

    /// The files of this store's log, as [`members`](super::members) lists them; those that were sealed by this process are not read again.
    ///
    /// # Errors
    /// As [`members`](super::members).
    pub fn members(&self, evidence_dir: &Path) -> Result<Vec<LogFile>, StoreError> {
        members_knowing(evidence_dir, self.log.digests())
    }

    /// Seals the open segment: what the folder holds then never changes again. Going on later starts a new segment.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn seal_segments(&mut self) -> Result<(), StoreError> {
        self.writable()?;
        self.poisoned = true;
        self.log.seal()?;
        self.poisoned = false;
        self.catch_up()?;
        self.sighted.forget();
        Ok(())
    }

    fn readable(&self) -> Result<(), StoreError> {
        if self.poisoned { Err(StoreError::Poisoned) } else { Ok(()) }
    }

    fn writable(&self) -> Result<(), StoreError> {
        self.readable()?;
        if self.lock.is_none() { Err(StoreError::ReadOnly) } else { Ok(()) }
    }

    fn find(&self, table: Table, key: Digest32) -> Result<Option<Location>, StoreError> {
        Ok(self.index.find(table, &[key.0])?.into_iter().next().flatten())
    }

    /// The record at a location that the index gave for this id or key, its bytes checked.
    fn read(&self, at: Location) -> Result<(Head, Vec<u8>), StoreError> {
        let (head, payload) = self.log.read(at)?;
        // INV-1 on read.
        if record::payload_checks(&head, &payload) {
            Ok((head, payload))
        } else {
            Err(damaged_payload(&self.log, at.place))
        }
    }

    fn evidence_at(&self, id: EvidenceId, at: Location) -> Result<RawEvidence, StoreError> {
        let (head, payload) = self.read(at)?;
        if head.id != id.0 {
            return Err(bad_index());
        }
        record::parse_evidence(&payload).map(owned).ok_or_else(|| damaged_payload(&self.log, at.place))
    }

    /// Appends, syncs, indexes, moves the watermark: in this order, poisoned in between.
    fn acknowledge(
        &mut self,
        entries: &[Entry<'_>],
        describe: impl FnOnce(&[Location]) -> Group,
    ) -> Result<(), StoreError> {
        self.poisoned = true;
        let locations = self.log.append(entries)?;
        describe(&locations).commit(&mut *self.index, &mut self.mark, &*self.disk)?;
        self.poisoned = false;
        Ok(())
    }

    /// Positions in the batch of what is not held yet, in order of arrival. Duplicates are told by their full bytes.
    fn fresh(&self, batch: &[Addressed]) -> Result<Vec<usize>, StoreError> {
        let mut first: Vec<(EvidenceId, usize)> =
            batch.iter().enumerate().map(|(position, one)| (one.id(), position)).collect();
        first.sort_unstable();
        for pair in first.windows(2) {
            let [(id, earlier), (next, later)] = *pair else { continue };
            if id == next {
                same_or_conflict(id, &batch[earlier], &batch[later])?;
            }
        }
        first.dedup_by_key(|(id, _)| *id);
        let keys: Vec<[u8; 32]> = first.iter().map(|(id, _)| *id.as_bytes()).collect();
        let found = self.index.find(Table::Evidence, &keys)?;
        let mut fresh = Vec::with_capacity(first.len());
        for ((id, position), found) in first.into_iter().zip(found) {
            match found {
                Some(at) => self.same(id, at, &batch[position])?,
                None => fresh.push(position),
            }
        }
        fresh.sort_unstable();
        Ok(fresh)
    }

    /// That what is held there is what is offered, told by all its bytes; only when it is not, by their hash too.
    fn same(&self, id: EvidenceId, at: Location, offered: &RawEvidence) -> Result<(), StoreError> {
        let (head, payload) = self.log.read(at)?;
        let offered_parts = (offered.media, offered.about.as_str(), offered.bytes.as_slice());
        if head.id == id.0 && record::parse_evidence(&payload) == Some(offered_parts) {
            return Ok(());
        }
        same_or_conflict(id, &self.evidence_at(id, at)?, offered)
    }
}

/// Shows the ids of a log's evidence, ascending and once each; gives back how many these were.
fn ascending(log: &Log, scratch: &Scratch, visit: &mut dyn FnMut(EvidenceId)) -> Result<u64, StoreError> {
    let mut ids = Sorter::in_place(scratch.clone());
    log.each_id(&mut |id| ids.push(&id, &()))?;
    let mut count = 0;
    ids.each(
        |(), ()| (),
        |id, ()| {
            count += 1;
            visit(id);
        },
    );
    scratch.check()?;
    Ok(count)
}

fn owned((media, about, bytes): (Media, &str, &[u8])) -> RawEvidence {
    RawEvidence { media, about: about.to_owned(), bytes: bytes.to_vec() }
}

fn bad_index() -> StoreError {
    StoreError::Index("it does not agree with the log: delete the state folder to rebuild it".to_owned())
}

/// What an index lost while it was open must not become evidence that is silently not there.
fn agree(condition: bool) -> Result<(), StoreError> {
    if condition { Ok(()) } else { Err(bad_index()) }
}

fn too_large(bytes: usize) -> Result<(), StoreError> {
    if bytes <= record::MAX_PAYLOAD {
        return Ok(());
    }
    let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "a record of more than 1 GiB");
    Err(StoreError::Io { action: "append to", file: "the evidence log".to_owned(), source })
}

impl EvidenceStore for LogStore {
    fn put_addressed(&mut self, batch: &[Addressed]) -> Result<Vec<PutOutcome>, StoreError> {
        self.writable()?;
        batch.iter().try_for_each(|one| too_large(record::evidence_len(one)))?;
        let fresh = self.fresh(batch)?;
        let mut outcomes = vec![PutOutcome::AlreadyPresent; batch.len()];
        if fresh.is_empty() {
            return Ok(outcomes);
        }
        let entry = |position: &usize| {
            let one = &batch[*position];
            Entry { id: one.id().0, body: Body::Evidence(one) }
        };
        let entries: Vec<Entry<'_>> = fresh.iter().map(entry).collect();
        self.acknowledge(&entries, |locations| {
            let mut group = Group::of_new_evidence();
            for (entry, at) in entries.iter().zip(locations) {
                group.evidence(entry.id, *at);
            }
            group
        })?;
        self.sighted.brought(fresh.iter().map(|position| batch[*position].id()));
        for position in fresh {
            outcomes[position] = PutOutcome::Inserted;
        }
        Ok(outcomes)
    }

    fn put_side(&mut self, records: &[SideRecord]) -> Result<(), StoreError> {
        self.append_side(records)
    }

    fn catch_up(&mut self) -> Result<(), StoreError> {
        self.writable()?;
        self.poisoned = true;
        replay::flush(&mut *self.index, &*self.disk)?;
        self.poisoned = false;
        Ok(())
    }

    fn contains(&self, id: &EvidenceId) -> Result<bool, StoreError> {
        self.readable()?;
        Ok(self.find(Table::Evidence, id.0)?.is_some())
    }

    fn get(&self, id: &EvidenceId) -> Result<Option<RawEvidence>, StoreError> {
        self.readable()?;
        self.find(Table::Evidence, id.0)?.map(|at| self.evidence_at(*id, at)).transpose()
    }

    fn scan(
        &self,
        media: &[Media],
        visit: &mut dyn FnMut(EvidenceId, RawEvidence) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.readable()?;
        // A log may hold a record twice when an index lost it; the copy that the index names is the one that is visited.
        let copies = self.mark.is_some_and(|mark| mark.records != mark.evidence);
        let (mut named, mut stopped) = (0_u64, false);
        let wanted = if copies { Wanted::All } else { Wanted::Of(media) };
        let held = self.log.walk(None, wanted, &mut |head, at, payload| {
            if head.kind == Kind::Side || (copies && self.find(Table::Evidence, head.id)? != Some(at)) {
                return Ok(ControlFlow::Continue(()));
            }
            named += 1;
            let parts = record::parse_evidence(payload).ok_or_else(|| damaged_payload(&self.log, at.place))?;
            if !media.contains(&parts.0) {
                return Ok(ControlFlow::Continue(()));
            }
            let flow = visit(EvidenceId(head.id), owned(parts));
            stopped = flow.is_break();
            Ok(flow)
        })?;
        agree(stopped || if copies { named } else { held } == self.len())
    }

    fn scan_side(&self, visit: &mut dyn FnMut(SideRecord) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.walk_side(visit)
    }

    fn cursor(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.readable()?;
        let Some(at) = self.find(Table::Side, side::cursor_key(name))? else { return Ok(None) };
        let (_, payload) = self.read(at)?;
        let Some(Kept::One(record)) = Kept::from_json(&payload) else { return Err(bad_index()) };
        match *record {
            SideRecord::Cursor { name: found, value } if found == name => Ok(Some(value)),
            _ => Err(bad_index()),
        }
    }

    fn ids(&self) -> Result<Vec<EvidenceId>, StoreError> {
        self.readable()?;
        let mut ids = Vec::new();
        self.each_id(&mut |id| ids.push(id))?;
        Ok(ids)
    }

    fn each_id(&self, visit: &mut dyn FnMut(EvidenceId)) -> Result<(), StoreError> {
        self.readable()?;
        agree(ascending(&self.log, &self.scratch, visit)? == self.len())
    }

    fn len(&self) -> u64 {
        self.mark.map_or(0, |mark| mark.evidence)
    }

    fn scratch(&self) -> Scratch {
        self.scratch.clone()
    }
}
