//! The footer of a sealed segment: a table of ids in ascending order, then a trailer of fixed size.
//!
//! ```text
//! row      id 32 | offset 8 | payload length 4                                       one per piece of evidence
//! trailer  magic 8 | segment 4 | evidence 8 | side 8 | body length 8 | merkle root 32 | sha256 of the body 32
//!          | sha256 of the table 32 | check 8
//! ```
//!
//! The Merkle root is over the 32-byte ids in ascending order. The body is everything before the table.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::StoreError;
use super::disk::io_error;
use super::record::Fields;
use super::segment::damaged;
use crate::domain::{Digest32, Sha256Stream, TaggedHasher, merkle_root, sha256};

const MAGIC: [u8; 8] = *b"RLSEAL1\n";
/// Size of a trailer in bytes.
pub(super) const TRAILER_LEN: usize = 140;
/// Size of a table row in bytes.
pub(super) const ROW_LEN: usize = 44;

/// One piece of evidence in a segment. Ordered by id, then by offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) id: Digest32,
    pub(super) offset: u64,
    pub(super) len: u32,
}

/// What a sealed segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) segment: u32,
    /// Evidence records.
    pub(super) evidence: u64,
    /// Side records.
    pub(super) side: u64,
    /// Where the records end.
    pub(super) body_len: u64,
    merkle: Digest32,
    body: Digest32,
    table: Digest32,
}

/// The footer's bytes for these records, and the trailer in them.
pub(super) fn encode(segment: u32, rows: &[Row], side: u64, body_len: u64, body: Digest32) -> (Vec<u8>, Trailer) {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    let mut bytes = Vec::with_capacity(rows.len() * ROW_LEN + TRAILER_LEN);
    for row in &rows {
        bytes.extend_from_slice(row.id.as_bytes());
        bytes.extend_from_slice(&row.offset.to_be_bytes());
        bytes.extend_from_slice(&row.len.to_be_bytes());
    }
    let trailer = Trailer {
        segment,
        evidence: rows.len() as u64,
        side,
        body_len,
        merkle: merkle_root(rows.iter().map(|row| row.id.as_bytes())),
        body,
        table: sha256(&bytes),
    };
    bytes.extend_from_slice(&trailer.encode());
    (bytes, trailer)
}

impl Trailer {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(TRAILER_LEN);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.segment.to_be_bytes());
        for number in [self.evidence, self.side, self.body_len] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for digest in [self.merkle, self.body, self.table] {
            bytes.extend_from_slice(digest.as_bytes());
        }
        let mut hasher = TaggedHasher::new("reledger/segment/1");
        hasher.field(&bytes);
        bytes.extend_from_slice(&hasher.finish().as_bytes()[..8]);
        bytes
    }

    fn decode(bytes: &[u8; TRAILER_LEN]) -> Option<Self> {
        let mut fields = Fields(&bytes[8..]);
        let trailer = Self {
            segment: fields.u32(),
            evidence: fields.u64(),
            side: fields.u64(),
            body_len: fields.u64(),
            merkle: Digest32(fields.take()),
            body: Digest32(fields.take()),
            table: Digest32(fields.take()),
        };
        // Encoding again compares magic and check in one step.
        (trailer.encode() == bytes).then_some(trailer)
    }

    /// Reads the trailer of a sealed segment and compares it with the file's name and size.
    pub(super) fn read(path: &Path, segment: u32) -> Result<Self, StoreError> {
        let mut file = File::open(path).map_err(io_error("open", path))?;
        let len = file.metadata().map_err(io_error("read", path))?.len();
        let Some(start) = len.checked_sub(TRAILER_LEN as u64) else {
            return Err(damaged(path, 0, "the footer is cut off"));
        };
        let mut bytes = [0; TRAILER_LEN];
        file.seek(SeekFrom::Start(start)).map_err(io_error("read", path))?;
        file.read_exact(&mut bytes).map_err(io_error("read", path))?;
        let Some(trailer) = Self::decode(&bytes) else {
            return Err(damaged(path, start, "the footer does not check"));
        };
        let table = trailer.evidence.checked_mul(ROW_LEN as u64).and_then(|rows| rows.checked_add(trailer.body_len));
        if trailer.segment != segment || table != Some(start) {
            return Err(damaged(path, start, "the footer is not that of this file"));
        }
        Ok(trailer)
    }

    /// The rows of the table, ascending by id, its digest checked. Memory: 44 bytes per row, bounded by the segment's size.
    pub(super) fn read_table(&self, path: &Path) -> Result<Vec<Row>, StoreError> {
        let mut file = File::open(path).map_err(io_error("open", path))?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.body_len)).map_err(io_error("read", path))?;
        file.take(self.evidence.saturating_mul(ROW_LEN as u64))
            .read_to_end(&mut bytes)
            .map_err(io_error("read", path))?;
        if sha256(&bytes) != self.table {
            return Err(damaged(path, self.body_len, "the table of ids does not check"));
        }
        let row = |row: &[u8]| {
            let mut fields = Fields(row);
            Row { id: Digest32(fields.take()), offset: fields.u64(), len: fields.u32() }
        };
        Ok(bytes.chunks_exact(ROW_LEN).map(row).collect())
    }

    /// Compares the footer with the records that were read from the body, and all digests with the file's bytes.
    pub(super) fn verify(&self, path: &Path, rows: &[Row], side: u64) -> Result<(), StoreError> {
        let body = digest_prefix(path, self.body_len)?;
        let (_, expected) = encode(self.segment, rows, side, self.body_len, body);
        if expected != *self {
            return Err(damaged(path, self.body_len, "the footer does not agree with the records"));
        }
        self.read_table(path).map(drop)
    }
}

/// SHA-256 of the first `len` bytes of a file. A shorter file is an error.
pub(super) fn digest_prefix(path: &Path, len: u64) -> Result<Digest32, StoreError> {
    Ok(hash_prefix(path, len)?.finish())
}

/// As [`digest_prefix`], to go on with.
pub(super) fn hash_prefix(path: &Path, len: u64) -> Result<Sha256Stream, StoreError> {
    let mut reader = File::open(path).map_err(io_error("open", path))?.take(len);
    let mut hasher = Sha256Stream::default();
    let mut buffer = vec![0; 1 << 18];
    let mut total: u64 = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) if total == len => return Ok(hasher),
            Ok(0) => return Err(damaged(path, total, "the file is cut off")),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                total = total.saturating_add(count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_error("read", path)(error)),
        }
    }
}
