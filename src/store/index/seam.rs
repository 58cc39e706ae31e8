//! What every engine of the index offers, and the watermark it keeps.

use super::super::StoreError;
#[cfg(any(feature = "redb", feature = "sled"))]
use super::super::record::Fields;
use super::super::record::{Location, Place};
use crate::domain::Digest32;
#[cfg(any(feature = "redb", feature = "sled"))]
use crate::domain::sha256;

/// The two maps of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Table {
    /// Evidence id to location.
    Evidence,
    /// Side key to the location of the record that holds.
    Side,
}

/// How much of the log an index covers: the durable watermark, with what is needed to see that it speaks of this log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Mark {
    /// The last record that is covered.
    pub(in crate::store) last: Location,
    /// Its id.
    pub(in crate::store) id: Digest32,
    /// Evidence records in the log up to here.
    pub(in crate::store) records: u64,
    /// Different pieces of evidence among them.
    pub(in crate::store) evidence: u64,
    /// Different side keys.
    pub(in crate::store) side: u64,
}

impl Mark {
    /// Where the log goes on after what is covered.
    pub(in crate::store) fn end(&self) -> Place {
        Place { segment: self.last.place.segment, offset: self.last.end() }
    }
}

#[cfg(any(feature = "redb", feature = "sled"))]
impl Mark {
    const VERSION: u32 = 1;
    const CHECK_AT: usize = 76;
    /// Size of the fixed form in bytes.
    pub(in crate::store) const LEN: usize = 84;

    /// The fixed form kept by an engine.
    pub(in crate::store) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&Self::VERSION.to_be_bytes());
        bytes[4..20].copy_from_slice(&self.last.to_bytes());
        bytes[20..52].copy_from_slice(self.id.as_bytes());
        bytes[52..60].copy_from_slice(&self.records.to_be_bytes());
        bytes[60..68].copy_from_slice(&self.evidence.to_be_bytes());
        bytes[68..76].copy_from_slice(&self.side.to_be_bytes());
        // Its own check: a watermark that is wrong by a bit would read as a log that lost its end.
        let check = sha256(&bytes[..Self::CHECK_AT]);
        bytes[Self::CHECK_AT..].copy_from_slice(&check.as_bytes()[..8]);
        bytes
    }

    /// Reads [`Mark::to_bytes`]; `None` for another version or size, and for bytes that do not check.
    pub(in crate::store) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().ok()?;
        let mut fields = Fields(bytes);
        let checks = sha256(&bytes[..Self::CHECK_AT]).as_bytes().starts_with(&bytes[Self::CHECK_AT..]);
        (checks && fields.u32() == Self::VERSION).then(|| Self {
            last: Location::from_bytes(&fields.take()),
            id: Digest32(fields.take()),
            records: fields.u64(),
            evidence: fields.u64(),
            side: fields.u64(),
        })
    }
}

/// What one commit adds. Keys ascend within each list and come once.
pub(in crate::store) struct Change {
    pub(in crate::store) evidence: Vec<([u8; 32], Location)>,
    pub(in crate::store) side: Vec<([u8; 32], Location)>,
    pub(in crate::store) mark: Mark,
}

/// An engine. Knows nothing of the log; keeps what it is given.
pub(in crate::store) trait Index: Send + Sync {
    /// The watermark; `None` when nothing was ever committed.
    fn mark(&self) -> Result<Option<Mark>, StoreError>;

    /// How far the log was acknowledged, where that may be further than the watermark; `None` when nothing ever was.
    fn acknowledged(&self) -> Result<Option<Mark>, StoreError>;

    /// Notes that the log is durable up to here, whose entries come later; durable on return where the engine is.
    fn acknowledge(&mut self, mark: &Mark) -> Result<(), StoreError>;

    /// The locations of the keys, in the order of the keys.
    fn find(&self, table: Table, keys: &[[u8; 32]]) -> Result<Vec<Option<Location>>, StoreError>;

    /// Adds or replaces entries and moves the watermark; durable on return where the engine is.
    fn commit(&mut self, change: &Change) -> Result<(), StoreError>;

    /// True when entries wait to be committed.
    fn waits(&self) -> bool {
        false
    }

    /// Commits what waits.
    fn flush(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// How many entries of evidence and of side keys the engine really holds, without those that wait.
    fn held(&self) -> Result<(u64, u64), StoreError>;
}

#[cfg(all(test, any(feature = "redb", feature = "sled")))]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_with_any_bit_flipped_is_not_read() {
        let last = Location { place: Place { segment: 3, offset: 1_000 }, len: 77 };
        let mark = Mark { last, id: sha256(b"id"), records: 9, evidence: 8, side: 7 };
        assert_eq!(Mark::from_bytes(&mark.to_bytes()), Some(mark));
        for bit in 0..Mark::LEN * 8 {
            let mut bytes = mark.to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Mark::from_bytes(&bytes), None, "bit {bit}");
        }
        assert_eq!(Mark::from_bytes(&[]), None);
    }
}
