//! Rows one after the other: what one is made of, and the reading of many in order.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;

use super::place::{Bytes, Scratch};
use crate::domain::Packed;

/// Bytes that are read at once.
pub(super) const READ_AT_ONCE: usize = 32 * 1024;
/// The same where so many parts are read that all of them together would take more than is to be had for them.
const READ_AT_ONCE_MIN: usize = 8 * 1024;
/// Bytes for all parts that are merged.
const READ_TOGETHER: usize = 16 << 20;

/// Bytes that are read at once of each of so many parts.
pub(super) fn read_at_once(parts: usize) -> usize {
    READ_TOGETHER.checked_div(parts).unwrap_or(READ_AT_ONCE).clamp(READ_AT_ONCE_MIN, READ_AT_ONCE)
}
/// Bytes that are written at once.
pub(super) const WRITE_AT_ONCE: usize = 32 * 1024;
/// Bytes of a row before its value: the key, and how long the value is.
pub(super) const HEAD: usize = 32 + 4;

/// Appends a row: its key, how long its value is, its value.
pub(super) fn append(out: &mut Vec<u8>, key: &[u8; 32], value: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(key);
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    value(out);
    // No value is as long as 32 bits count: a piece of evidence is not.
    let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

/// The key and value of the row that begins there; `None` when it does not end inside these bytes.
pub(super) fn row(bytes: &[u8]) -> Option<(&[u8; 32], &[u8])> {
    let (key, rest) = bytes.split_first_chunk::<32>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    Some((key, rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?))
}

/// Rows one after the other, as far as they are whole.
pub(super) fn rows(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8; 32], &[u8])> {
    std::iter::from_fn(move || {
        let (key, value) = row(bytes)?;
        bytes = bytes.get(HEAD + value.len()..)?;
        Some((key, value))
    })
}

/// What a packed value says. One that can't be read is a failure of the place.
pub(super) fn unpacked<V: Packed>(scratch: &Scratch, mut value: &[u8]) -> Option<V> {
    scratch.attempt("read", V::unpack(&mut value).ok_or(ErrorKind::InvalidData.into()))
}

/// What is left of some rows, read piece by piece.
#[derive(Debug)]
pub(super) struct Run {
    bytes: Arc<Bytes>,
    scratch: Scratch,
    /// Where what is not read yet lies.
    next: u64,
    end: u64,
    /// Bytes that are read at once.
    read: usize,
    buffer: Vec<u8>,
    /// Where the present row begins in the buffer.
    at: usize,
}

impl Run {
    /// Stands at the first row.
    pub(super) fn over(bytes: Arc<Bytes>, scratch: Scratch, range: Range<u64>, read: usize) -> Self {
        Self { bytes, scratch, next: range.start, end: range.end, read, buffer: Vec::new(), at: 0 }
    }

    fn present(&self) -> Option<(&[u8; 32], &[u8])> {
        row(self.buffer.get(self.at..)?)
    }

    /// The key of the present row; `None` behind the last one, and after a failure.
    pub(super) fn key(&mut self) -> Option<[u8; 32]> {
        if self.present().is_none() {
            self.fill()?;
        }
        self.present().map(|(key, _)| *key)
    }

    /// The value of the present row, whose key was asked for.
    pub(super) fn value<V: Packed>(&self) -> Option<V> {
        unpacked(&self.scratch, self.present()?.1)
    }

    /// The same, as it was packed.
    pub(super) fn packed(&self) -> Option<&[u8]> {
        Some(self.present()?.1)
    }

    /// Moves past the present row, whose key was asked for.
    pub(super) fn advance(&mut self) {
        if let Some((_, value)) = self.present() {
            self.at += HEAD + value.len();
        }
    }

    /// Reads on until a whole row lies in the buffer.
    fn fill(&mut self) -> Option<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        while row(&self.buffer).is_none() {
            let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
            if left == 0 || self.scratch.has_failed() {
                if !self.buffer.is_empty() {
                    self.scratch.fail("read", ErrorKind::UnexpectedEof.into());
                }
                return None;
            }
            let held = self.buffer.len();
            // Exactly: hundreds of parts are read side by side.
            self.buffer.reserve_exact(left.min(self.read));
            self.buffer.resize(held + left.min(self.read), 0);
            let into = self.buffer.get_mut(held..)?;
            self.next += into.len() as u64;
            let read = self.bytes.read(self.next - into.len() as u64, into);
            self.scratch.attempt("read", read)?;
        }
        Some(())
    }
}
