//! The evidence log: sealed segments, then one that grows. The truth; everything else is a cache of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::StoreError;
use super::check::{check_sealed, whole};
use super::disk::{Disk, io_error};
use super::footer::{self, Row, Trailer};
use super::gaps;
use super::media_set::MediaSet;
use super::record::{self, HEAD_LEN, Head, Kind, Location, Place};
use super::segment::{self, HEADER_LEN, Step, Walker, damaged, open_path, sealed_path};
use super::tail::{Survey, Tail};
use crate::domain::{Digest32, EvidenceId, Media, RawEvidence};

/// Bytes gathered before they are handed to the system: what the nearer caches hold.
const WRITE_BUFFER: usize = 512 << 10;
/// Segment files kept open for reading.
const READERS_MAX: usize = 64;

/// What a visitor of records answers.
pub(super) type Visited = Result<ControlFlow<()>, StoreError>;

/// Which records a walk is for. Their bytes are checked; the others are passed.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    All,
    Side,
    /// Evidence of these media.
    Of(&'a [Media]),
}

impl Wanted<'_> {
    /// True for a record that is wanted; notes which media are met, where media decide.
    fn takes(self, head: &Head, payload: &[u8], met: &mut MediaSet) -> bool {
        match self {
            Self::All => true,
            Self::Side => head.kind == Kind::Side,
            Self::Of(_) if head.kind == Kind::Side => false,
            Self::Of(wanted) => record::media_of(payload).is_none_or(|media| {
                *met = met.with(media);
                wanted.contains(&media)
            }),
        }
    }
}

/// What one record holds.
pub(super) enum Body<'a> {
    Evidence(&'a RawEvidence),
    Side(&'a [u8]),
}

/// A record to append, its id computed by the caller from the body.
pub(super) struct Entry<'a> {
    pub(super) id: Digest32,
    pub(super) body: Body<'a>,
}

/// The segments of one evidence folder.
pub(super) struct Log {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    /// Segments 1, 2, ... in order.
    sealed: Vec<Trailer>,
    tail: Option<Tail>,
    readers: Mutex<BTreeMap<u32, File>>,
    /// What sealed segments hold, as far as we wrote them or walked over them.
    media: Mutex<BTreeMap<u32, MediaSet>>,
    /// Size and SHA-256 of the files of segments that we sealed.
    digests: BTreeMap<u32, (u64, Digest32)>,
    /// Room for what is gathered: made once, for the system clears what it gives.
    buffer: Vec<u8>,
}

impl Log {
    /// Opens for writing, repairing the open segment. `acknowledged` is the end of the log as an index remembers it.
    pub(super) fn open(
        dir: PathBuf,
        disk: Arc<dyn Disk>,
        segment_bytes: u64,
        acknowledged: Option<Place>,
    ) -> Result<Self, StoreError> {
        std::fs::create_dir_all(&dir).map_err(io_error("create", &dir))?;
        let listing = segment::list(&dir)?;
        let sealed = read_trailers(&dir, listing.sealed)?;
        let next = listing.sealed.saturating_add(1);
        let floor = |segment| acknowledged.filter(|place| place.segment == segment).map_or(0, |place| place.offset);
        if let Some(place) = acknowledged {
            let last = if listing.open { next } else { listing.sealed };
            let end = trailer_of(&sealed, place.segment).map_or(u64::MAX, |trailer| trailer.body_len);
            if place.segment > last || place.offset > end {
                let path = open_path(&dir, place.segment);
                return Err(damaged(&path, place.offset, "the log ends before what was acknowledged"));
            }
        }
        let tail = if listing.open { Some(Tail::resume(&*disk, &dir, next, floor(next))?) } else { None };
        // A name or rename that was not flushed before a crash is made durable here, before anything builds on it.
        for folder in dir.ancestors().take(3).filter(|folder| !folder.as_os_str().is_empty()) {
            disk.sync_dir(folder).map_err(io_error("sync", folder))?;
        }
        let (readers, media) = (Mutex::default(), Mutex::default());
        let (digests, buffer) = (BTreeMap::new(), Vec::new());
        Ok(Self { dir, disk, segment_bytes, sealed, tail, readers, media, digests, buffer })
    }

    /// Opens for reading and checks every byte: records, footers, digests. Changes nothing.
    pub(super) fn open_read_only(dir: PathBuf, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let listing = segment::list(&dir)?;
        let sealed = read_trailers(&dir, listing.sealed)?;
        check_sealed(&dir, &sealed)?;
        let mut tail = None;
        if listing.open {
            let segment = listing.sealed.saturating_add(1);
            let path = open_path(&dir, segment);
            let file = File::open(&path).map_err(io_error("open", &path))?;
            let len = file.metadata().map_err(io_error("read", &path))?.len();
            let Survey { rows, side, len, .. } = whole(&path, segment, len.max(HEADER_LEN))?;
            tail = Some(Tail { segment, path, file, len, durable: len, rows, side, media: None, hasher: None });
        }
        let (readers, media) = (Mutex::default(), Mutex::default());
        let (digests, buffer) = (BTreeMap::new(), Vec::new());
        Ok(Self { dir, disk, segment_bytes: 0, sealed, tail, readers, media, digests, buffer })
    }

    /// Appends all entries and syncs. On an error the end of the log is unknown and the log must be opened again.
    pub(super) fn append(&mut self, entries: &[Entry<'_>]) -> Result<Vec<Location>, StoreError> {
        let mut locations = Vec::with_capacity(entries.len());
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.reserve(2 * WRITE_BUFFER);
        for entry in entries {
            let pending = buffer.len() as u64;
            if self.tail.as_ref().is_some_and(|tail| tail.len.saturating_add(pending) >= self.segment_bytes) {
                self.write(&mut buffer)?;
                self.seal()?;
            }
            let tail = self.writable()?;
            let place = Place { segment: tail.segment, offset: tail.len + buffer.len() as u64 };
            let (head, location) = describe(entry, place, tail.durable);
            buffer.extend_from_slice(&head.encode(place));
            match entry.body {
                Body::Evidence(evidence) => {
                    record::write_evidence(&mut buffer, evidence);
                    tail.rows.push(Row { id: entry.id, offset: place.offset, len: head.len });
                    tail.media = tail.media.map(|media| media.with(evidence.media));
                }
                Body::Side(json) => {
                    buffer.extend_from_slice(json);
                    tail.side += 1;
                }
            }
            locations.push(location);
            if buffer.len() >= WRITE_BUFFER {
                self.write(&mut buffer)?;
            }
        }
        self.write(&mut buffer)?;
        buffer.shrink_to(2 * WRITE_BUFFER);
        self.buffer = buffer;
        self.sync()?;
        Ok(locations)
    }

    fn writable(&mut self) -> Result<&mut Tail, StoreError> {
        if self.tail.is_none() {
            let segment = u32::try_from(self.sealed.len()).unwrap_or(u32::MAX).saturating_add(1);
            self.tail = Some(Tail::create(&*self.disk, &self.dir, segment)?);
        }
        Ok(self.tail.as_mut().expect("the line above made it"))
    }

    fn write(&mut self, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        if let Some(tail) = self.tail.as_mut().filter(|_| !buffer.is_empty()) {
            self.disk.write(&tail.file, tail.len, buffer).map_err(io_error("append to", &tail.path))?;
            tail.len += buffer.len() as u64;
            if let Some(hasher) = &mut tail.hasher {
                hasher.update(buffer);
            }
            buffer.clear();
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        if let Some(tail) = self.tail.as_mut().filter(|tail| tail.durable < tail.len) {
            self.disk.sync(&tail.file).map_err(io_error("sync", &tail.path))?;
            tail.durable = tail.len;
        }
        Ok(())
    }

    /// Seals the open segment, if any: records durable, then footer durable, then the name that says so.
    pub(super) fn seal(&mut self) -> Result<(), StoreError> {
        self.sync()?;
        let Some(tail) = self.tail.take() else { return Ok(()) };
        let mut hasher = match tail.hasher {
            Some(hasher) => hasher,
            None => footer::hash_prefix(&tail.path, tail.len)?,
        };
        let body = hasher.clone().finish();
        let (bytes, trailer) = footer::encode(tail.segment, &tail.rows, tail.side, tail.len, body);
        hasher.update(&bytes);
        self.disk.write(&tail.file, tail.len, &bytes).map_err(io_error("append to", &tail.path))?;
        self.disk.sync(&tail.file).map_err(io_error("sync", &tail.path))?;
        let sealed = sealed_path(&self.dir, tail.segment);
        self.disk.rename(&tail.path, &sealed).map_err(io_error("rename", &tail.path))?;
        self.disk.sync_dir(&self.dir).map_err(io_error("sync", &self.dir))?;
        self.sealed.push(trailer);
        self.digests.insert(tail.segment, (tail.len.saturating_add(bytes.len() as u64), hasher.finish()));
        if let Some(media) = tail.media {
            self.learn(tail.segment, media);
        }
        Ok(())
    }

    /// Reads the record at a location. Its head is checked, its payload is not: see [`record::payload_checks`].
    pub(super) fn read(&self, at: Location) -> Result<(Head, Vec<u8>), StoreError> {
        let path = self.path(at.place.segment);
        let len = usize::try_from(at.len).unwrap_or(usize::MAX).min(record::MAX_PAYLOAD);
        let mut bytes = vec![0; HEAD_LEN + len];
        self.read_at(at.place, &path, &mut bytes)?;
        let head = bytes.first_chunk::<HEAD_LEN>().and_then(|head| Head::decode(head, at.place));
        let Some(head) = head.filter(|head| head.len == at.len) else {
            return Err(damaged(&path, at.place.offset, "a record's head does not check"));
        };
        bytes.drain(..HEAD_LEN);
        Ok((head, bytes))
    }

    fn read_at(&self, at: Place, path: &Path, buffer: &mut [u8]) -> Result<(), StoreError> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if !readers.contains_key(&at.segment) {
            if readers.len() >= READERS_MAX {
                readers.clear();
            }
            readers.insert(at.segment, File::open(path).map_err(io_error("open", path))?);
        }
        let file = readers.get_mut(&at.segment).expect("inserted above");
        match file.seek(SeekFrom::Start(at.offset)).and_then(|_| file.read_exact(buffer)) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(damaged(path, at.offset, "a record is cut off"))
            }
            Err(error) => Err(io_error("read", path)(error)),
        }
    }

    /// Visits the wanted records from a place on, in log order, each checked. The visitor may stop early. Returns how many records
    /// of evidence lie there, wanted or not, unless it was stopped.
    pub(super) fn walk(
        &self,
        from: Option<Place>,
        wanted: Wanted<'_>,
        visit: &mut dyn FnMut(&Head, Location, &[u8]) -> Visited,
    ) -> Result<u64, StoreError> {
        let first = from.map_or(1, |place| place.segment);
        let mut evidence = 0_u64;
        for (segment, end) in self.ends().skip_while(|(segment, _)| *segment < first) {
            if let Some(held) = self.without(segment, wanted) {
                evidence = evidence.saturating_add(held);
                continue;
            }
            let offset = from.filter(|place| place.segment == segment).map_or(HEADER_LEN, |place| place.offset);
            let path = self.path(segment);
            if let (Wanted::Side, None, Some(trailer)) = (wanted, from, trailer_of(&self.sealed, segment)) {
                evidence = evidence.saturating_add(trailer.evidence);
                if gaps::walk(trailer, &path, visit)?.is_break() {
                    return Ok(evidence);
                }
                continue;
            }
            let mut met = MediaSet::default();
            let mut walker = Walker::open(&path, Place { segment, offset }, end)?;
            loop {
                match walker.step_for(&mut |head, payload| wanted.takes(head, payload, &mut met))? {
                    Step::End => break,
                    Step::Bad(offset, what) => return Err(damaged(&path, offset, what)),
                    Step::Record(head, place) => {
                        evidence = evidence.saturating_add(u64::from(head.kind == Kind::Evidence));
                        let Some(payload) = walker.payload() else { continue };
                        if visit(&head, Location { place, len: head.len }, payload)?.is_break() {
                            return Ok(evidence);
                        }
                    }
                }
            }
            self.check_table(segment, &path)?;
            if let Wanted::Of(_) = wanted
                && offset == HEADER_LEN
                && trailer_of(&self.sealed, segment).is_some()
            {
                self.learn(segment, met);
            }
        }
        Ok(evidence)
    }

    /// How much evidence a sealed segment holds that has nothing of what is wanted, as far as is known.
    fn without(&self, segment: u32, wanted: Wanted<'_>) -> Option<u64> {
        let Wanted::Of(media) = wanted else { return None };
        let known = self.media.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&segment).filter(|held| !held.has_any(media))?;
        trailer_of(&self.sealed, segment).map(|trailer| trailer.evidence)
    }

    fn learn(&self, segment: u32, media: MediaSet) {
        self.media.lock().unwrap_or_else(PoisonError::into_inner).insert(segment, media);
    }

    /// So that a walk over a sealed segment has checked all of it: header, records, table; the trailer at opening.
    fn check_table(&self, segment: u32, path: &Path) -> Result<(), StoreError> {
        trailer_of(&self.sealed, segment).map_or(Ok(()), |trailer| trailer.read_table(path).map(drop))
    }

    /// The id of every evidence record, from the tables of the segments and not from any index; in no order, and a log may hold one
    /// twice.
    pub(super) fn each_id(&self, visit: &mut dyn FnMut(EvidenceId)) -> Result<(), StoreError> {
        for trailer in &self.sealed {
            let rows = trailer.read_table(&self.path(trailer.segment))?;
            for row in rows {
                visit(EvidenceId(row.id));
            }
        }
        self.tail.iter().flat_map(|tail| &tail.rows).for_each(|row| visit(EvidenceId(row.id)));
        Ok(())
    }

    /// Size and SHA-256 of the file of each segment that we sealed.
    pub(super) fn digests(&self) -> &BTreeMap<u32, (u64, Digest32)> {
        &self.digests
    }

    /// How many evidence records stand before a place; `None` for a place inside a sealed segment, whose footer only
    /// knows the whole.
    pub(super) fn evidence_before(&self, place: Place) -> Option<u64> {
        let mut count: u64 = 0;
        for trailer in self.sealed.iter().take_while(|trailer| trailer.segment <= place.segment) {
            if trailer.segment == place.segment && trailer.body_len != place.offset {
                return None;
            }
            count = count.saturating_add(trailer.evidence);
        }
        let tail = self.tail.as_ref().filter(|tail| tail.segment == place.segment);
        let rows = tail.map_or(0, |tail| tail.rows.iter().filter(|row| row.offset < place.offset).count());
        Some(count.saturating_add(rows as u64))
    }

    fn ends(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let sealed = self.sealed.iter().map(|trailer| (trailer.segment, trailer.body_len));
        sealed.chain(self.tail.as_ref().map(|tail| (tail.segment, tail.len)))
    }

    fn path(&self, segment: u32) -> PathBuf {
        if self.tail.as_ref().is_some_and(|tail| tail.segment == segment) {
            open_path(&self.dir, segment)
        } else {
            sealed_path(&self.dir, segment)
        }
    }
}

/// The file that holds a record, for messages.
pub(super) fn damaged_payload(log: &Log, at: Place) -> StoreError {
    damaged(&log.path(at.segment), at.offset, "a record's bytes are not those of its id")
}

fn describe(entry: &Entry<'_>, place: Place, durable: u64) -> (Head, Location) {
    let (kind, len) = match entry.body {
        Body::Evidence(evidence) => (Kind::Evidence, record::evidence_len(evidence)),
        Body::Side(json) => (Kind::Side, json.len()),
    };
    // Callers refuse payloads above MAX_PAYLOAD; should one not, the record does not check on read.
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    (Head { kind, len, durable, id: entry.id }, Location { place, len })
}

fn trailer_of(sealed: &[Trailer], segment: u32) -> Option<&Trailer> {
    sealed.get(usize::try_from(segment.checked_sub(1)?).ok()?)
}

fn read_trailers(dir: &Path, count: u32) -> Result<Vec<Trailer>, StoreError> {
    (1..=count).map(|segment| Trailer::read(&sealed_path(dir, segment), segment)).collect()
}
