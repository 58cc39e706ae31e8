//! Walks a parsed proof from a message to the ends of its branches (OTS 2.2).

use bitcoin::hashes::{Hash as _, ripemd160, sha1, sha256};
use sha3::{Digest as _, Keccak256};

use crate::evidence::ots::{Attestation, Op, Proof, Step};

/// What messages of calendars' proofs fit into: two digests, or a transaction.
const MESSAGE_BYTES_USUAL: usize = 256;

/// The end of one branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf<'a> {
    pub(super) attestation: Attestation<'a>,
    /// What the branch's operations made of the start.
    pub(super) message: Vec<u8>,
    /// The branch passed through a message of a calendar's commitment shape.
    pub(super) through_commitment: bool,
    /// Where its message stands in [`Walked::parents`].
    pub(super) place: usize,
}

/// Every branch's end, and how they hang together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Walked<'a> {
    /// In the order of the file.
    pub(super) leaves: Vec<Leaf<'a>>,
    /// For every message the one that it was made from; the start stands for itself.
    parents: Vec<usize>,
    /// Bytes that were read, written or copied: what parsing foretold.
    pub(super) work: usize,
}

impl Walked<'_> {
    /// Which messages lie on the way to one of these leaves, the leaves' own included.
    pub(super) fn ways_to<'l>(&self, leaves: impl Iterator<Item = &'l Leaf<'l>>) -> Vec<bool> {
        let mut on_way = vec![false; self.parents.len()];
        for leaf in leaves {
            let mut at = leaf.place;
            while !std::mem::replace(&mut on_way[at], true) {
                at = self.parents[at];
            }
        }
        on_way
    }
}

/// Every branch's end; `None` when the start has not the length that the proof was parsed for.
///
/// Costs [`Proof::work`] bytes of hashing and copying, which parsing has bounded.
pub(super) fn walk<'a>(proof: &Proof<'a>, start: &[u8]) -> Option<Walked<'a>> {
    if start.len() != proof.start_len() {
        return None;
    }
    let mut walked = Walked { parents: Vec::with_capacity(1 + proof.steps().len()), ..Walked::default() };
    walked.parents.push(0);
    let mut kept = Vec::new();
    let (mut message, mut through_commitment, mut place) = (Vec::with_capacity(MESSAGE_BYTES_USUAL), false, 0);
    message.extend_from_slice(start);
    for step in proof.steps() {
        walked.work += message.len();
        match step {
            Step::Fork => kept.push((message.clone(), through_commitment, place)),
            Step::Op(op) => {
                apply(*op, &mut message);
                walked.work += message.len();
                walked.parents.push(place);
                place = walked.parents.len() - 1;
                through_commitment |= matches!(op, Op::Append(_) | Op::Prepend(_)) && is_commitment(&message);
            }
            Step::Attest(attestation) => {
                walked.leaves.push(Leaf { attestation: *attestation, message, through_commitment, place });
                // Parsing ended the steps with the last branch, so nothing follows an empty stack.
                (message, through_commitment, place) = kept.pop().unwrap_or_default();
            }
        }
    }
    Some(walked)
}

/// Calendars attest a digest between a 4-byte time and an 8-byte code; the oldest had no code (OTS 2.3).
pub(super) fn is_commitment(message: &[u8]) -> bool {
    matches!(message.len(), 36 | 44)
}

pub(super) fn apply(op: Op<'_>, message: &mut Vec<u8>) {
    match op {
        Op::Sha1 => becomes(message, &sha1::Hash::hash(message).to_byte_array()),
        Op::Ripemd160 => becomes(message, &ripemd160::Hash::hash(message).to_byte_array()),
        Op::Sha256 => becomes(message, &sha256::Hash::hash(message).to_byte_array()),
        Op::Keccak256 => becomes(message, &Keccak256::digest(&message)),
        Op::Append(more) => message.extend_from_slice(more),
        Op::Prepend(more) => {
            let len = message.len();
            message.resize(len + more.len(), 0);
            message.copy_within(..len, more.len());
            message[..more.len()].copy_from_slice(more);
        }
        Op::Reverse => message.reverse(),
        Op::Hexlify => *message = faster_hex::hex_string(message).into_bytes(),
    }
}

fn becomes(message: &mut Vec<u8>, bytes: &[u8]) {
    message.clear();
    message.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let mut bytes = vec![0; text.len() / 2];
        faster_hex::hex_decode(text.as_bytes(), &mut bytes).unwrap();
        bytes
    }

    /// FIPS 180-4, the RIPEMD-160 paper and the Keccak submission: the digests of "abc".
    #[test]
    fn operations_agree_with_published_vectors() {
        let of_abc = |op: Op<'_>| {
            let mut message = b"abc".to_vec();
            apply(op, &mut message);
            message
        };
        assert_eq!(of_abc(Op::Sha1), hex("a9993e364706816aba3e25717850c26c9cd0d89d"));
        assert_eq!(of_abc(Op::Ripemd160), hex("8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"));
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_abc(Op::Sha256), hex(sha256));
        let keccak256 = "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45";
        assert_eq!(of_abc(Op::Keccak256), hex(keccak256));
        assert_eq!(of_abc(Op::Append(b"de")), b"abcde");
        assert_eq!(of_abc(Op::Prepend(b"de")), b"deabc");
        assert_eq!(of_abc(Op::Reverse), b"cba");
        let mut bytes = vec![0xab, 0x0c];
        apply(Op::Hexlify, &mut bytes);
        assert_eq!(bytes, b"ab0c");
    }
}
