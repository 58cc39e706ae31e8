//! The bytes of a slice in the tables: payloads behind their lengths, compressed together.

use crate::domain::{Digest32, EvidenceId, MerkleTree, RawEvidence};
use crate::store::StoreError;
use crate::store::record::{evidence_len, parse_evidence, write_evidence};

/// The level at which a byte less in the database costs about what it costs to get rid of it.
const LEVEL: i32 = 1;

/// Evidence gathered into a slice. It holds no ids: whoever opens it computes them, and can be told no other.
#[derive(Debug, Default)]
pub struct Parcel {
    tree: MerkleTree,
    payloads: Vec<u8>,
}

impl Parcel {
    /// Bytes from which on nothing more is added: a row stays small enough for servers that advise against large ones.
    const FULL_BYTES: usize = 4 << 20;
    /// The most bytes of one piece of evidence. A larger one stays in the log alone.
    pub const ITEM_BYTES: usize = 16 << 20;
    /// What a parcel comes to at most, lengths included; more is not read.
    const MAX_BYTES: usize = Self::FULL_BYTES + Self::ITEM_BYTES + 4;
    /// The most bytes of a row that are asked for: compression never makes twice as many.
    pub(super) const ROW_BYTES: i32 = 2 * (20 << 20);

    /// Adds a piece of evidence under its id.
    pub fn push(&mut self, id: EvidenceId, evidence: &RawEvidence) {
        self.tree.push(id.as_bytes());
        let len = u32::try_from(evidence_len(evidence)).unwrap_or(u32::MAX);
        self.payloads.extend_from_slice(&len.to_be_bytes());
        write_evidence(&mut self.payloads, evidence);
    }

    /// True for one that is small enough to be part of a parcel.
    pub fn takes(evidence: &RawEvidence) -> bool {
        evidence_len(evidence) <= Self::ITEM_BYTES
    }

    /// How many pieces it holds.
    pub fn items(&self) -> u64 {
        self.tree.count()
    }

    /// Bytes before compression.
    pub fn len(&self) -> usize {
        self.payloads.len()
    }

    /// True when it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.payloads.is_empty()
    }

    /// True when it has as many bytes as a slice may have.
    pub fn is_full(&self) -> bool {
        self.len() >= Self::FULL_BYTES
    }

    /// The Merkle root over the ids, in the order in which they came.
    pub fn root(&self) -> Digest32 {
        self.tree.root()
    }

    /// The bytes for the tables.
    ///
    /// # Errors
    /// [`StoreError::Io`] where there is no memory for them.
    pub fn compressed(&self) -> Result<Vec<u8>, StoreError> {
        zstd::bulk::compress(&self.payloads, LEVEL).map_err(|source| StoreError::Io {
            action: "compress",
            file: "a slice for the shared store".to_owned(),
            source,
        })
    }

    /// What is in [`Self::compressed`]; `None` for any other bytes. Nothing of it is checked.
    pub fn opened(bytes: &[u8]) -> Option<Vec<RawEvidence>> {
        let payloads = zstd::bulk::decompress(bytes, Self::MAX_BYTES).ok()?;
        let (mut rest, mut evidence) = (payloads.as_slice(), Vec::new());
        while let Some((len, tail)) = rest.split_first_chunk::<4>() {
            let (payload, tail) = tail.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
            let (media, about, bytes) = parse_evidence(payload)?;
            evidence.push(RawEvidence { media, about: about.to_owned(), bytes: bytes.to_vec() });
            rest = tail;
        }
        rest.is_empty().then_some(evidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Media, merkle_root};

    fn evidence(number: u8) -> RawEvidence {
        RawEvidence { media: Media::NostrEvent, about: "x".repeat(number.into()), bytes: vec![number; 3_000] }
    }

    fn parcel(numbers: std::ops::Range<u8>) -> Parcel {
        let mut parcel = Parcel::default();
        numbers.map(evidence).for_each(|it| parcel.push(it.id(), &it));
        parcel
    }

    #[test]
    fn what_is_put_in_comes_out_in_its_order_and_under_its_ids() {
        for count in [0, 1, 40] {
            let parcel = parcel(0..count);
            let opened = Parcel::opened(&parcel.compressed().unwrap()).unwrap();
            assert_eq!(opened, (0..count).map(evidence).collect::<Vec<_>>());
            assert_eq!(parcel.root(), merkle_root(opened.iter().map(|it| *it.id().as_bytes())));
            assert_eq!((parcel.items(), parcel.is_empty()), (u64::from(count), count == 0));
        }
    }

    #[test]
    fn bytes_of_another_form_are_nothing_and_never_more_than_a_slice() {
        let bytes = parcel(0..40).compressed().unwrap();
        for cut in [1, 20, bytes.len() - 1] {
            assert_eq!(Parcel::opened(&bytes[..cut]), None, "{cut} bytes");
        }
        let forms: [&[u8]; 4] = [b"\0\0\0", b"\0\0\0\x09short", b"\xff\xff\xff\xff", &[0, 0, 0, 1, 200]];
        for form in forms {
            assert_eq!(Parcel::opened(&zstd::bulk::compress(form, 1).unwrap()), None, "{form:?}");
        }
        // What decompresses to more than any parcel of ours is not decompressed.
        let huge = zstd::bulk::compress(&vec![0; Parcel::MAX_BYTES + 1], 1).unwrap();
        assert!(huge.len() < 100_000);
        assert_eq!(Parcel::opened(&huge), None);
    }
}
