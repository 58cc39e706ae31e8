//! A writer of OpenTimestamps proofs (OTS 2.2): operations, attestations, detached files.

use sha2::{Digest as _, Sha256};

/// The calendar's fixed name: proofs are written before any port is known.
pub(super) const CALENDAR: &str = "https://alice.btc.calendar.opentimestamps.org";

/// Magic, major version 1, and "the file's hash is SHA-256".
const DETACHED_HEADER: &[u8] = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08";
const PENDING_TAG: [u8; 8] = [0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e];
const BITCOIN_TAG: [u8; 8] = [0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01];

/// One operation on the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    Append(Vec<u8>),
    Prepend(Vec<u8>),
    Sha256,
}

/// What the operations make of a message.
pub(super) fn run(ops: &[Op], message: &[u8]) -> Vec<u8> {
    ops.iter().fold(message.to_vec(), |message, op| match op {
        Op::Append(suffix) => [message.as_slice(), suffix].concat(),
        Op::Prepend(prefix) => [prefix, message.as_slice()].concat(),
        Op::Sha256 => Sha256::digest(&message).to_vec(),
    })
}

/// How many times a tree hashes a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hashing {
    /// Calendars.
    Once,
    /// Bitcoin blocks.
    Twice,
}

/// A Merkle tree over the leaves: its root, and the path of each leaf to it. An odd node moves up unchanged.
pub(super) fn tree(leaves: &[[u8; 32]], hashing: Hashing) -> ([u8; 32], Vec<Vec<Op>>) {
    let times = if hashing == Hashing::Twice { 2 } else { 1 };
    let mut paths = vec![Vec::new(); leaves.len()];
    let mut level: Vec<([u8; 32], Vec<usize>)> =
        leaves.iter().enumerate().map(|(at, leaf)| (*leaf, vec![at])).collect();
    while level.len() > 1 {
        let mut next = Vec::with_capacity(level.len().div_ceil(2));
        let mut nodes = level.into_iter();
        while let Some((left, mut under)) = nodes.next() {
            let Some((right, under_right)) = nodes.next() else {
                next.push((left, under));
                break;
            };
            for (members, op) in [(&under, Op::Append(right.to_vec())), (&under_right, Op::Prepend(left.to_vec()))] {
                for member in members {
                    paths[*member].push(op.clone());
                    paths[*member].extend(std::iter::repeat_n(Op::Sha256, times));
                }
            }
            let mut node: [u8; 32] = Sha256::new().chain_update(left).chain_update(right).finalize().into();
            if hashing == Hashing::Twice {
                node = Sha256::digest(node).into();
            }
            under.extend(under_right);
            next.push((node, under));
        }
        level = next;
    }
    (level.first().map_or([0; 32], |(root, _)| *root), paths)
}

/// The way from a commitment to a block.
#[derive(Debug, Clone)]
pub(super) struct Confirmation {
    /// From the commitment to the block's Merkle root.
    pub(super) ops: Vec<Op>,
    pub(super) height: usize,
}

/// What hangs on the commitment inside a proof.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tail<'a> {
    /// Only the calendar's promise.
    Pending,
    /// Only the block: a pruned proof.
    Confirmed(&'a Confirmation),
    /// Both, as an upgrade leaves them.
    Upgraded(&'a Confirmation),
}

/// A bare timestamp that starts at the digest.
pub(super) fn bare(head: &[Op], tail: Tail<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for op in head {
        write_op(&mut out, op);
    }
    match tail {
        Tail::Pending => write_pending(&mut out),
        Tail::Confirmed(confirmation) => out.extend(calendar_reply(confirmation)),
        Tail::Upgraded(confirmation) => {
            out.push(0xff); // a fork: one branch here, the last one after it
            write_pending(&mut out);
            out.extend(calendar_reply(confirmation));
        }
    }
    out
}

/// A detached file: header, digest, timestamp.
pub(super) fn detached(digest: &[u8; 32], timestamp: &[u8]) -> Vec<u8> {
    [DETACHED_HEADER, digest.as_slice(), timestamp].concat()
}

/// What the calendar answers once it is confirmed: a bare timestamp that starts at the commitment.
pub(super) fn calendar_reply(confirmation: &Confirmation) -> Vec<u8> {
    let mut out = Vec::new();
    for op in &confirmation.ops {
        write_op(&mut out, op);
    }
    let mut payload = Vec::new();
    write_number(&mut payload, confirmation.height);
    write_attestation(&mut out, BITCOIN_TAG, &payload);
    out
}

fn write_op(out: &mut Vec<u8>, op: &Op) {
    let (tag, argument) = match op {
        Op::Append(suffix) => (0xf0, suffix),
        Op::Prepend(prefix) => (0xf1, prefix),
        Op::Sha256 => return out.push(0x08),
    };
    out.push(tag);
    write_bytes(out, argument);
}

fn write_pending(out: &mut Vec<u8>) {
    let mut payload = Vec::new();
    write_bytes(&mut payload, CALENDAR.as_bytes());
    write_attestation(out, PENDING_TAG, &payload);
}

fn write_attestation(out: &mut Vec<u8>, tag: [u8; 8], payload: &[u8]) {
    out.push(0x00);
    out.extend_from_slice(&tag);
    write_bytes(out, payload);
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Little-endian base 128, high bit set on all but the last byte.
fn write_number(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_a_tree_lead_to_its_root() {
        for count in 1..=9_u8 {
            let leaves: Vec<[u8; 32]> = (0..count).map(|index| [index; 32]).collect();
            for hashing in [Hashing::Once, Hashing::Twice] {
                let (root, paths) = tree(&leaves, hashing);
                for (leaf, path) in leaves.iter().zip(&paths) {
                    assert_eq!(run(path, leaf), root, "{count} {hashing:?}");
                }
            }
        }
    }

    #[test]
    fn another_reader_reads_every_form() {
        let head = [Op::Append(vec![7; 16]), Op::Sha256, Op::Prepend(vec![1, 2, 3, 4]), Op::Append(vec![9; 8])];
        let confirmation = Confirmation { ops: vec![Op::Sha256, Op::Append(vec![5; 200]), Op::Sha256], height: 17_000 };
        for tail in [Tail::Pending, Tail::Confirmed(&confirmation), Tail::Upgraded(&confirmation)] {
            let file = detached(&[3; 32], &bare(&head, tail));
            let read = opentimestamps::DetachedTimestampFile::from_reader(file.as_slice()).unwrap();
            let mut written = Vec::new();
            read.to_writer(&mut written).unwrap();
            assert_eq!(written, file);
            let text = read.to_string();
            let confirmed = !matches!(tail, Tail::Pending);
            assert_eq!(text.contains("17000"), confirmed, "{text}");
            assert_eq!(text.contains(CALENDAR), !matches!(tail, Tail::Confirmed(_)), "{text}");
        }
    }
}
