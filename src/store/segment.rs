//! A segment file: a 16-byte header, records back to back, and once sealed a footer.
//!
//! `NNNNNNNN.open` is the one that still grows; `NNNNNNNN.seg` is sealed and never changes. The name says which, so that a
//! damaged footer is never mistaken for a segment that was not finished.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::disk::io_error;
use super::record::{HEAD_LEN, Head, Place, payload_checks};

/// Size of a segment's header: magic, segment number, four zero bytes.
pub(super) const HEADER_LEN: u64 = 16;
const MAGIC: [u8; 8] = *b"RLSEG1\r\n";
const READ_BUFFER: usize = 1 << 18;

/// The folder of segments inside the evidence folder.
pub(super) fn segments_dir(evidence_dir: &Path) -> PathBuf {
    evidence_dir.join("segments")
}

/// The file of a sealed segment.
pub(super) fn sealed_path(dir: &Path, segment: u32) -> PathBuf {
    dir.join(format!("{segment:08}.seg"))
}

/// The file of the segment that still grows.
pub(super) fn open_path(dir: &Path, segment: u32) -> PathBuf {
    dir.join(format!("{segment:08}.open"))
}

/// The header of a segment.
pub(super) fn header(segment: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&segment.to_be_bytes());
    bytes
}

/// Which segments a folder holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// Segments `1..=sealed` are sealed.
    pub(super) sealed: u32,
    /// True when the next one exists and still grows.
    pub(super) open: bool,
}

/// Lists a folder's segments; a hole in the numbering is damage. Files with other names are not ours and are left alone.
pub(super) fn list(dir: &Path) -> Result<Listing, StoreError> {
    let mut sealed = Vec::new();
    let mut open = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io_error("list", dir))? {
        let name = entry.map_err(io_error("list", dir))?.file_name();
        let Some((stem, ending)) = name.to_str().and_then(|name| name.split_once('.')) else { continue };
        let Some(number) = stem.parse::<u32>().ok().filter(|number| format!("{number:08}") == stem) else { continue };
        match ending {
            "seg" => sealed.push(number),
            "open" => open.push(number),
            _ => {}
        }
    }
    sealed.sort_unstable();
    let mut last = 0;
    for number in sealed {
        if number != last + 1 {
            return Err(damaged(&sealed_path(dir, last + 1), 0, "the segment is missing"));
        }
        last = number;
    }
    match open.as_slice() {
        [] => Ok(Listing { sealed: last, open: false }),
        [number] if *number == last.saturating_add(1) => Ok(Listing { sealed: last, open: true }),
        [number, ..] => {
            Err(damaged(&open_path(dir, *number), 0, "an open segment does not follow the last sealed one"))
        }
    }
}

/// The error for bytes that do not check.
pub(super) fn damaged(path: &Path, offset: u64, what: &str) -> StoreError {
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    StoreError::Damaged { file, offset, what: what.to_owned() }
}

/// What the walker found next.
pub(super) enum Step {
    /// A record whose head checks; its payload is in [`Walker::payload`].
    Record(Head, Place),
    /// The end, exactly after a record.
    End,
    /// Bytes from this offset on that are no record.
    Bad(u64, &'static str),
}

/// Reads the records of one segment in order and checks what is wanted of them. Memory: the largest record.
pub(super) struct Walker {
    reader: BufReader<File>,
    path: PathBuf,
    place: Place,
    end: u64,
    payload: Vec<u8>,
    is_checked: bool,
}

impl Walker {
    /// Starts at a record's offset, [`HEADER_LEN`] for the first, and reads up to `end`.
    pub(super) fn open(path: &Path, from: Place, end: u64) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        let mut reader = BufReader::with_capacity(READ_BUFFER, file);
        let mut found = [0; 16];
        match reader.read_exact(&mut found) {
            Ok(()) if found == header(from.segment) => {}
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(io_error("read", path)(error)),
            Ok(()) | Err(_) => return Err(damaged(path, 0, "the header is not that of this segment")),
        }
        reader.seek(SeekFrom::Start(from.offset)).map_err(io_error("read", path))?;
        Ok(Self { reader, path: path.to_owned(), place: from, end, payload: Vec::new(), is_checked: false })
    }

    /// Goes on with the record at that offset, not before where it stands, and reads up to `end`.
    pub(super) fn go(&mut self, from: u64, end: u64) -> Result<(), StoreError> {
        let passed = i64::try_from(from.saturating_sub(self.place.offset)).unwrap_or(i64::MAX);
        self.reader.seek_relative(passed).map_err(io_error("read", &self.path))?;
        (self.place.offset, self.end) = (from, end);
        Ok(())
    }

    /// The payload of the record that was read last; `None` when it was not wanted, and therefore not checked.
    pub(super) fn payload(&self) -> Option<&[u8]> {
        self.is_checked.then_some(&self.payload)
    }

    /// Reads one record and checks it. After [`Step::Bad`] the walker must not be used.
    pub(super) fn step(&mut self) -> Result<Step, StoreError> {
        self.step_for(&mut |_, _| true)
    }

    /// As [`Self::step`]; what is not wanted, by its head and unchecked payload, is passed. Whoever takes a record has it checked:
    /// hashing what is passed would cost a walk most of its time.
    pub(super) fn step_for(&mut self, wants: &mut dyn FnMut(&Head, &[u8]) -> bool) -> Result<Step, StoreError> {
        let start = self.place.offset;
        let bad = |what| Ok(Step::Bad(start, what));
        let left = self.end.saturating_sub(start);
        if left == 0 {
            return Ok(Step::End);
        }
        let mut head = [0; HEAD_LEN];
        if left < HEAD_LEN as u64 || !self.fill(&mut head)? {
            return bad("a record's head is cut off");
        }
        let Some(head) = Head::decode(&head, self.place) else { return bad("a record's head does not check") };
        if u64::from(head.len) > left - HEAD_LEN as u64 {
            return bad("a record is cut off");
        }
        let mut payload = std::mem::take(&mut self.payload);
        payload.resize(usize::try_from(head.len).unwrap_or(usize::MAX), 0);
        let whole = self.fill(&mut payload)?;
        self.payload = payload;
        let wanted = wants(&head, &self.payload);
        if !whole || wanted && !payload_checks(&head, &self.payload) {
            return bad("a record's bytes are not those of its id");
        }
        let place = self.place;
        self.place.offset = start + HEAD_LEN as u64 + u64::from(head.len);
        self.is_checked = wanted;
        Ok(Step::Record(head, place))
    }

    /// False when the file ends before the buffer is full.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<bool, StoreError> {
        match self.reader.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(io_error("read", &self.path)(error)),
        }
    }
}
