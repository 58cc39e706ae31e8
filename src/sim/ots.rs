//! A writer of OpenTimestamps proofs (OTS 2.2): operations, attestations, detached files.

use sha2::{Digest as _, Sha256};

/// The calendars' fixed names: proofs are written before any port is known.
pub(super) const CALENDARS: [&str; 3] = [
    "https://alice.btc.calendar.opentimestamps.org",
    "https://bob.btc.calendar.opentimestamps.org",
    "https://finney.calendar.eternitywall.com",
];

/// Magic, major version 1, and "the file's hash is SHA-256".
const DETACHED_HEADER: &[u8] = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08";
/// One branch follows here, the others or the last one after it.
const FORK: u8 = 0xff;
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

/// A Merkle tree, level by level from the leaves up. An odd node moves up unchanged.
pub(super) struct Tree {
    levels: Vec<Vec<[u8; 32]>>,
    hashing: Hashing,
}

impl Tree {
    pub(super) fn new(leaves: Vec<[u8; 32]>, hashing: Hashing) -> Self {
        let mut levels = vec![leaves];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            let nodes = level.chunks(2).map(|pair| match pair {
                [left, right] => node(left, right, hashing),
                // A chunk is never empty.
                rest => rest.first().copied().unwrap_or_default(),
            });
            levels.push(nodes.collect());
        }
        Self { levels, hashing }
    }

    pub(super) fn root(&self) -> [u8; 32] {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// The way from that leaf to the root.
    pub(super) fn path(&self, leaf: usize) -> Vec<Op> {
        let times = if self.hashing == Hashing::Twice { 2 } else { 1 };
        let mut path = Vec::new();
        let mut at = leaf;
        for level in &self.levels {
            let sibling = if at.is_multiple_of(2) {
                level.get(at + 1).map(|right| Op::Append(right.to_vec()))
            } else {
                level.get(at - 1).map(|left| Op::Prepend(left.to_vec()))
            };
            if let Some(op) = sibling {
                path.push(op);
                path.extend(std::iter::repeat_n(Op::Sha256, times));
            }
            at /= 2;
        }
        path
    }
}

fn node(left: &[u8; 32], right: &[u8; 32], hashing: Hashing) -> [u8; 32] {
    let node: [u8; 32] = Sha256::new().chain_update(left).chain_update(right).finalize().into();
    if hashing == Hashing::Twice { Sha256::digest(node).into() } else { node }
}

/// A Merkle tree over the leaves: its root, and the path of each leaf to it.
pub(super) fn tree(leaves: &[[u8; 32]], hashing: Hashing) -> ([u8; 32], Vec<Vec<Op>>) {
    let tree = Tree::new(leaves.to_vec(), hashing);
    (tree.root(), (0..leaves.len()).map(|leaf| tree.path(leaf)).collect())
}

/// The way from a commitment to a block.
#[derive(Debug, Clone)]
pub(super) struct Confirmation {
    /// From the commitment to the block's Merkle root.
    pub(super) ops: Vec<Op>,
    pub(super) height: usize,
}

/// What one calendar made of a digest.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) calendar: &'static str,
    /// From the submitted message to the commitment.
    pub(super) ops: Vec<Op>,
    /// The message that the calendar indexes.
    pub(super) commitment: Vec<u8>,
    /// Absent while the calendar waits for the block or for confirmations.
    pub(super) confirmation: Option<Confirmation>,
}

/// How much of what the calendars know a proof shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// Only the calendars' promises.
    Pending,
    /// Only the lowest block: a pruned proof.
    Pruned,
    /// Promises and blocks, as an upgrade leaves them.
    Upgraded,
}

/// The branch that reached the lowest block.
pub(super) fn lowest(branches: &[Branch]) -> Option<(&Branch, &Confirmation)> {
    let confirmed = branches.iter().filter_map(|branch| Some((branch, branch.confirmation.as_ref()?)));
    confirmed.min_by_key(|(_, confirmation)| confirmation.height)
}

/// A bare timestamp that starts at the digest: to the submitted message by `head`, then a branch for each calendar.
pub(super) fn bare(head: &[Op], branches: &[Branch], tail: Tail) -> Vec<u8> {
    let mut out = Vec::new();
    write_ops(&mut out, head);
    if let (Tail::Pruned, Some((branch, confirmation))) = (tail, lowest(branches)) {
        write_ops(&mut out, &branch.ops);
        out.extend(calendar_reply(confirmation));
        return out;
    }
    for (index, branch) in branches.iter().enumerate() {
        if index + 1 < branches.len() {
            out.push(FORK);
        }
        write_ops(&mut out, &branch.ops);
        let reply = branch.confirmation.as_ref().filter(|_| tail != Tail::Pending).map(calendar_reply);
        if reply.is_some() {
            out.push(FORK);
        }
        write_pending(&mut out, branch.calendar);
        out.extend(reply.into_iter().flatten());
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
    write_ops(&mut out, &confirmation.ops);
    let mut payload = Vec::new();
    write_number(&mut payload, confirmation.height);
    write_attestation(&mut out, BITCOIN_TAG, &payload);
    out
}

fn write_ops(out: &mut Vec<u8>, ops: &[Op]) {
    for op in ops {
        write_op(out, op);
    }
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

/// What a calendar says of a message that it took: the way to its commitment, and its own name.
pub(super) fn promise(ops: &[Op], calendar: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write_ops(&mut out, ops);
    write_pending(&mut out, calendar);
    out
}

/// A calendar's reply that completes nothing and names another calendar.
pub(super) fn pending_reply(calendar: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write_pending(&mut out, calendar);
    out
}

fn write_pending(out: &mut Vec<u8>, calendar: &str) {
    let mut payload = Vec::new();
    write_bytes(&mut payload, calendar.as_bytes());
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
        let head = [Op::Append(vec![7; 16]), Op::Sha256];
        let branch = |calendar: usize, height: Option<usize>| {
            let ops = vec![Op::Prepend(vec![1, 2, 3, 4]), Op::Append(vec![u8::try_from(calendar).unwrap(); 8])];
            let confirmation = height
                .map(|height| Confirmation { ops: vec![Op::Sha256, Op::Append(vec![5; 200]), Op::Sha256], height });
            Branch { calendar: CALENDARS[calendar], ops, commitment: Vec::new(), confirmation }
        };
        for branches in [
            vec![branch(0, Some(17_000))],
            vec![branch(1, None)],
            vec![branch(0, Some(17_000)), branch(2, None)],
            vec![branch(1, Some(17_003)), branch(0, Some(17_000))],
        ] {
            for tail in [Tail::Pending, Tail::Pruned, Tail::Upgraded] {
                let file = detached(&[3; 32], &bare(&head, &branches, tail));
                let read = opentimestamps::DetachedTimestampFile::from_reader(file.as_slice()).unwrap();
                let mut written = Vec::new();
                read.to_writer(&mut written).unwrap();
                assert_eq!(written, file);
                let text = read.to_string();
                let confirmed = branches.iter().any(|branch| branch.confirmation.is_some());
                assert_eq!(text.contains("17000"), confirmed && tail != Tail::Pending, "{text}");
                let promised = branches.iter().filter(|branch| text.contains(branch.calendar)).count();
                assert_eq!(promised, if tail == Tail::Pruned && confirmed { 0 } else { branches.len() }, "{text}");
            }
        }
    }
}
