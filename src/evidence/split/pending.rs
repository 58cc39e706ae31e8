//! The bytes of one record while they come in.

use super::Piece;
use super::scan::{Nest, is_space};
use crate::domain::{Sha256Stream, sha256};

/// The record being collected.
#[derive(Debug)]
pub(super) struct Pending {
    limit: usize,
    offset: u64,
    /// What is kept of it.
    pub(super) bytes: Vec<u8>,
    length: u64,
    /// Runs from the moment the limit is passed.
    hasher: Option<Sha256Stream>,
}

impl Pending {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, offset: 0, bytes: Vec::new(), length: 0, hasher: None }
    }

    /// Appends; leading white space is dropped.
    pub(super) fn extend_trimmed(&mut self, position: u64, run: &[u8]) {
        let blank = if self.length == 0 { run.iter().take_while(|&&byte| is_space(byte)).count() } else { 0 };
        // A slice's length always fits 64 bits.
        self.extend(position.saturating_add(blank as u64), &run[blank..]);
    }

    pub(super) fn extend(&mut self, position: u64, run: &[u8]) {
        if run.is_empty() {
            return;
        }
        if self.length == 0 {
            self.offset = position;
        }
        // A slice's length always fits 64 bits.
        self.length = self.length.saturating_add(run.len() as u64);
        let room = self.limit.saturating_add(1).saturating_sub(self.bytes.len());
        if self.hasher.is_none() && run.len() > room {
            let mut hasher = Sha256Stream::default();
            hasher.update(&self.bytes);
            self.hasher = Some(hasher);
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(run);
        }
        self.bytes.extend_from_slice(&run[..run.len().min(room)]);
    }

    /// True when something of a record is there.
    pub(super) fn is_begun(&self) -> bool {
        self.length > 0
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.length = 0;
        self.hasher = None;
    }

    /// The record without trailing white space, if there is any.
    pub(super) fn take(&mut self) -> Option<Piece> {
        if self.hasher.is_none() {
            let kept = self.bytes.iter().rposition(|&byte| !is_space(byte)).map_or(0, |last| last.saturating_add(1));
            self.bytes.truncate(kept);
        }
        self.take_untrimmed()
    }

    pub(super) fn take_untrimmed(&mut self) -> Option<Piece> {
        let (offset, length) = (self.offset, self.length);
        let bytes = std::mem::take(&mut self.bytes);
        let hasher = self.hasher.take();
        self.length = 0;
        match hasher {
            Some(hasher) => Some(Piece::Oversized { offset, length, sha256: hasher.finish(), prefix: bytes }),
            None if bytes.is_empty() => None,
            None if bytes.len() > self.limit => {
                Some(Piece::Oversized { offset, length, sha256: sha256(&bytes), prefix: bytes })
            }
            None => Some(Piece::Record { offset, bytes }),
        }
    }

    /// True when the last line ends inside a string, object or array.
    pub(super) fn is_unbalanced(&self) -> bool {
        let mut nest = Nest::default();
        for &byte in &self.bytes {
            nest.step(byte);
        }
        nest.is_open()
    }
}
