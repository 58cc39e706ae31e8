//! The segment that still grows: opened, checked, and repaired where only unacknowledged bytes are lost.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::disk::{Disk, io_error};
use super::footer::Row;
use super::media_set::MediaSet;
use super::record::{HEAD_LEN, Head, Kind, MARKER, Place};
use super::segment::{HEADER_LEN, Step, Walker, damaged, header, open_path};
use crate::domain::Sha256Stream;

const WINDOW: usize = 1 << 20;

/// The open segment.
pub(super) struct Tail {
    pub(super) segment: u32,
    pub(super) path: PathBuf,
    pub(super) file: File,
    /// Bytes written.
    pub(super) len: u64,
    /// Bytes known to be durable.
    pub(super) durable: u64,
    pub(super) rows: Vec<Row>,
    pub(super) side: u64,
    /// Which media its evidence is of; `None` when it was begun by another process.
    pub(super) media: Option<MediaSet>,
    /// Of all bytes, as they are written; `None` when it was begun by another process.
    pub(super) hasher: Option<Sha256Stream>,
}

impl Tail {
    /// Starts a segment: its name and header are durable on return.
    pub(super) fn create(disk: &dyn Disk, dir: &Path, segment: u32) -> Result<Self, StoreError> {
        let path = open_path(dir, segment);
        let file = disk.create(&path).map_err(io_error("create", &path))?;
        write_header(disk, &file, &path, segment)?;
        disk.sync_dir(dir).map_err(io_error("sync", dir))?;
        Ok(Self::empty(segment, path, file))
    }

    fn empty(segment: u32, path: PathBuf, file: File) -> Self {
        let mut hasher = Sha256Stream::default();
        hasher.update(&header(segment));
        let (media, hasher) = (Some(MediaSet::default()), Some(hasher));
        Self { segment, path, file, len: HEADER_LEN, durable: HEADER_LEN, rows: Vec::new(), side: 0, media, hasher }
    }

    /// Opens the segment to go on writing. `acknowledged` is the end of what was acknowledged in it, as far as an index
    /// remembers. Cuts a torn tail; anything that was acknowledged and does not check is damage.
    pub(super) fn resume(disk: &dyn Disk, dir: &Path, segment: u32, acknowledged: u64) -> Result<Self, StoreError> {
        let path = open_path(dir, segment);
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(io_error("open", &path))?;
        let size = file.metadata().map_err(io_error("read", &path))?.len();
        if size <= HEADER_LEN && acknowledged <= HEADER_LEN {
            // Killed while the segment was being made: no record can stand in it yet.
            disk.truncate(&file, 0).map_err(io_error("truncate", &path))?;
            write_header(disk, &file, &path, segment)?;
            return Ok(Self::empty(segment, path, file));
        }
        let survey = Survey::of(&path, segment, size)?;
        if let Some((offset, what)) = survey.bad {
            if offset < acknowledged || later_batch_follows(&file, &path, Place { segment, offset })? {
                return Err(damaged(&path, offset, what));
            }
            tracing::warn!(
                segment,
                offset,
                cut = size - offset,
                what,
                "unacknowledged tail of the evidence log is cut"
            );
            disk.truncate(&file, offset).map_err(io_error("truncate", &path))?;
        } else if survey.len < acknowledged {
            return Err(damaged(&path, survey.len, "the log ends before what was acknowledged"));
        }
        let Survey { len, durable, rows, side, .. } = survey;
        let tail = Self { segment, path, file, len, durable: len, rows, side, media: None, hasher: None };
        tail.rewrite(disk, durable)?;
        Ok(tail)
    }

    /// Writes the last batch once more in place and syncs it. It may have been read from a cache whose flush failed, after
    /// which the system counts the pages as clean and a bare sync would keep nothing.
    fn rewrite(&self, disk: &dyn Disk, from: u64) -> Result<(), StoreError> {
        let mut offset = from;
        let mut buffer = vec![0; WINDOW];
        while offset < self.len {
            let count = usize::try_from(self.len - offset).unwrap_or(usize::MAX).min(WINDOW);
            read_at(&self.file, &self.path, offset, &mut buffer[..count])?;
            disk.write(&self.file, offset, &buffer[..count]).map_err(io_error("append to", &self.path))?;
            offset += count as u64;
        }
        disk.sync(&self.file).map_err(io_error("sync", &self.path))
    }
}

fn write_header(disk: &dyn Disk, file: &File, path: &Path, segment: u32) -> Result<(), StoreError> {
    disk.write(file, 0, &header(segment)).map_err(io_error("append to", path))?;
    disk.sync(file).map_err(io_error("sync", path))
}

fn read_at(mut file: &File, path: &Path, offset: u64, buffer: &mut [u8]) -> Result<(), StoreError> {
    file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(buffer)).map_err(io_error("read", path))
}

/// What a walk over a whole segment found.
pub(super) struct Survey {
    pub(super) rows: Vec<Row>,
    pub(super) side: u64,
    /// End of the last record that checks.
    pub(super) len: u64,
    /// What was durable before the last batch began.
    durable: u64,
    /// The first bytes that are no record.
    pub(super) bad: Option<(u64, &'static str)>,
}

impl Survey {
    /// Reads and checks every record up to `end`.
    pub(super) fn of(path: &Path, segment: u32, end: u64) -> Result<Self, StoreError> {
        let mut walker = Walker::open(path, Place { segment, offset: HEADER_LEN }, end)?;
        let mut survey = Self { rows: Vec::new(), side: 0, len: HEADER_LEN, durable: HEADER_LEN, bad: None };
        loop {
            match walker.step()? {
                Step::End => return Ok(survey),
                Step::Bad(offset, what) => {
                    survey.bad = Some((offset, what));
                    return Ok(survey);
                }
                Step::Record(head, place) => {
                    match head.kind {
                        Kind::Evidence => survey.rows.push(Row { id: head.id, offset: place.offset, len: head.len }),
                        Kind::Side => survey.side += 1,
                    }
                    survey.len = place.offset + HEAD_LEN as u64 + u64::from(head.len);
                    survey.durable = head.durable;
                }
            }
        }
    }
}

/// True when a head after the bad place was written in a batch that began with the bad place already durable.
fn later_batch_follows(file: &File, path: &Path, bad: Place) -> Result<bool, StoreError> {
    let size = file.metadata().map_err(io_error("read", path))?.len();
    let mut start = bad.offset.saturating_add(1);
    let mut window = Vec::new();
    while start.saturating_add(HEAD_LEN as u64) <= size {
        let count = usize::try_from(size - start).unwrap_or(usize::MAX).min(WINDOW);
        window.resize(count, 0);
        read_at(file, path, start, &mut window)?;
        for (at, bytes) in window.windows(HEAD_LEN).enumerate() {
            let Some(bytes) = bytes.first_chunk::<HEAD_LEN>().filter(|bytes| bytes.starts_with(&MARKER)) else {
                continue;
            };
            let place = Place { segment: bad.segment, offset: start + at as u64 };
            if Head::decode(bytes, place).is_some_and(|head| head.durable > bad.offset) {
                return Ok(true);
            }
        }
        // Windows overlap, so that a head across their border is seen.
        start += (count - (HEAD_LEN - 1)) as u64;
    }
    Ok(false)
}
