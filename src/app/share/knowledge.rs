//! What one process tells another of a slice: which signatures hold, and what the ids in it come to.

use rayon::prelude::*;

use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::domain::{Digest32, EvidenceId, KeyId, PublicKey32, RawEvidence, merkle_root};
use crate::store::{Lease, Queue};
use crate::verify::Genuine;
use crate::verify::keys::KeyRing;

/// A program, by version and by the digest of its executable where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tool {
    pub(super) version: String,
    pub(super) build: String,
}

impl Tool {
    /// The one that runs.
    pub(super) fn own(executable: Option<Digest32>) -> Self {
        let build = executable.map(|digest| digest.to_hex()).unwrap_or_default();
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), build }
    }
}

impl std::fmt::Display for Tool {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let build = if self.build.is_empty() { "unnamed build" } else { self.build.get(..12).unwrap_or(&self.build) };
        let text = format!("{} ({build})", self.version);
        out.write_str(&crate::domain::inert_limited(&text, 100))
    }
}

/// The keys of a work, as its row holds them: a line each, hex and then the kid.
pub(super) fn keys_to_bytes(ring: &KeyRing) -> Vec<u8> {
    let line = |(kid, key): (KeyId, PublicKey32)| format!("{key} {kid}\n").into_bytes();
    ring.signers().into_iter().flat_map(line).collect()
}

/// Reads [`keys_to_bytes`]. A line that does not read is left out: what is signed with that key is checked by whoever asked.
pub(super) fn keys_of_bytes(bytes: &[u8]) -> KeyRing {
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    KeyRing::of_signers(lines.filter_map(|line| {
        let (key, kid) = line.split_once(' ')?;
        Some((KeyId::from(kid), key.parse().ok()?))
    }))
}

/// What is known of a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vouched {
    /// The Merkle root over the ids of what was read, in its order. They are digests over its bytes, so no other bytes have it.
    pub(super) root: Digest32,
    pub(super) items: u64,
    /// What [`Genuine`] remembers of it.
    pub(super) marks: Vec<Digest32>,
}

impl Vouched {
    /// Root, count, marks.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(40 + 32 * self.marks.len());
        bytes.extend_from_slice(self.root.as_bytes());
        bytes.extend_from_slice(&self.items.to_be_bytes());
        self.marks.iter().for_each(|mark| bytes.extend_from_slice(mark.as_bytes()));
        bytes
    }

    /// Reads [`Self::to_bytes`]; `None` for any other form.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (root, rest) = bytes.split_first_chunk::<32>()?;
        let (items, rest) = rest.split_first_chunk::<8>()?;
        let (marks, odd) = rest.as_chunks::<32>();
        let marks = marks.iter().copied().map(Digest32).collect();
        odd.is_empty().then(|| Self { root: Digest32(*root), items: u64::from_be_bytes(*items), marks })
    }
}

/// What one process did of a slice.
pub(super) struct Done {
    pub(super) vouched: Vouched,
    pub(super) checks: u64,
}

/// Reads a slice out of the shared store and checks its signatures, as a memory does that knows nothing.
///
/// # Errors
/// [`AppError::Store`]; [`AppError::Interrupted`], with the lease given back.
pub(super) fn vouch(
    queue: &mut Queue,
    lease: &Lease,
    (ring, nothing): (&KeyRing, &Genuine),
    threads: &rayon::ThreadPool,
    cancel: &Cancel,
) -> Result<Done, AppError> {
    // A slice that does not read is one without evidence: its root is nobody's.
    let evidence = queue.read(lease)?.unwrap_or_default();
    let mut genuine = nothing.anew();
    // INV-1: the ids are those of the bytes that were read.
    let ids: Vec<EvidenceId> = threads.install(|| evidence.par_iter().map(RawEvidence::id).collect());
    for batch in evidence.chunks(nothing.batch_items()) {
        if cancel.is_cancelled() {
            queue.give_back(lease)?;
            cancel.check()?;
        }
        threads.install(|| genuine.check_all(batch, ring));
    }
    let root = merkle_root(ids.iter().map(EvidenceId::as_bytes));
    let vouched = Vouched { root, items: ids.len() as u64, marks: genuine.marks().collect() };
    Ok(Done { vouched, checks: genuine.checks() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_slice_is_read_as_it_was_written_and_no_other_way() {
        let digest = |byte| Digest32([byte; 32]);
        let vouched = Vouched { root: digest(1), items: 3, marks: vec![digest(2), digest(3)] };
        let bytes = vouched.to_bytes();
        assert_eq!(Vouched::of_bytes(&bytes), Some(vouched));
        for cut in [0, 1, 39, 41, bytes.len() - 1] {
            assert_eq!(Vouched::of_bytes(&bytes[..cut]), None, "{cut} bytes");
        }
    }

    #[test]
    fn keys_are_read_as_they_were_written_with_whatever_name() {
        let key = |byte| PublicKey32::from_bytes([byte; 32]);
        let signers =
            vec![(KeyId::from("a b"), key(1)), (KeyId::from("env-2026"), key(2)), (KeyId::from("env-2026"), key(3))];
        let ring = KeyRing::of_signers(signers.clone());
        assert_eq!(keys_of_bytes(&keys_to_bytes(&ring)).signers(), signers);
        // A name with a line break in it is another name then: what it signs is checked by whoever asked.
        let broken = KeyRing::of_signers([(KeyId::from("a\nb"), key(1))]);
        assert_eq!(keys_of_bytes(&keys_to_bytes(&broken)).signers(), [(KeyId::from("a"), key(1))]);
    }
}
