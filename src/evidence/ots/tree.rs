//! A proof as the tree that the reference keeps, and the one order in which it writes it (OTS 1.4).
//!
//! One node stands for one message; equal operations on one message are one edge, so a calendar's reply merges into the
//! proof that asked for it without repeating what both say.

use std::collections::{BTreeMap, BTreeSet};

use super::parse::{
    NOTARY_BITCOIN, NOTARY_PENDING, TAG_APPEND, TAG_ATTESTATION, TAG_FORK, TAG_HEXLIFY, TAG_KECCAK256, TAG_PREPEND,
    TAG_REVERSE, TAG_RIPEMD160, TAG_SHA1, TAG_SHA256, VERSION,
};
use super::{Attestation, FileHash, MAGIC, Op, Proof, Root, Step};
use crate::domain::BlockHeight;

/// A proof or calendar reply as a tree. Node 0 is the start; a node's number is above its parent's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree<'a> {
    root: Root<'a>,
    nodes: Vec<TreeNode<'a>>,
}

/// One message of a proof.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreeNode<'a> {
    parent: Option<(usize, Op<'a>)>,
    attestations: BTreeSet<Written<'a>>,
    children: BTreeMap<(u8, &'a [u8]), usize>,
}

/// An attestation in the order of the reference: by tag, then by content; a height is a number there, not bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Written<'a> {
    tag: [u8; 8],
    content: Content<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Content<'a> {
    Height(BlockHeight),
    Address(&'a str),
    Payload(&'a [u8]),
}

impl<'a> TreeNode<'a> {
    /// The node that it was made from, and how; `None` for the start.
    pub fn parent(&self) -> Option<(usize, Op<'a>)> {
        self.parent
    }

    /// What is attested of the message, in order.
    pub fn attestations(&self) -> impl Iterator<Item = Attestation<'a>> {
        self.attestations.iter().map(|written| match written.content {
            Content::Height(height) => Attestation::Bitcoin(height),
            Content::Address(uri) => Attestation::Pending(uri),
            Content::Payload(payload) => Attestation::Unknown { tag: written.tag, payload },
        })
    }

    /// The nodes made from it, in order.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.children.values().copied()
    }
}

impl<'a> Tree<'a> {
    /// Takes a parsed proof apart.
    pub fn of(proof: &Proof<'a>) -> Self {
        let mut tree = Self { root: proof.root(), nodes: vec![TreeNode::default()] };
        let mut at = 0;
        let mut kept = Vec::new();
        for step in proof.steps() {
            match step {
                Step::Fork => kept.push(at),
                Step::Op(op) => at = tree.child(at, *op),
                Step::Attest(attestation) => {
                    tree.nodes[at].attestations.insert(written(*attestation));
                    // Parsing ended the steps with the last branch, so nothing follows an empty stack.
                    at = kept.pop().unwrap_or_default();
                }
            }
        }
        tree
    }

    /// A proof of a file's digest that says nothing yet.
    pub fn detached(hash: FileHash, digest: &'a [u8]) -> Self {
        Self { root: Root::Detached { hash, digest }, nodes: vec![TreeNode::default()] }
    }

    /// The node that the operation makes of that node, which must exist.
    pub fn grow(&mut self, at: usize, op: Op<'a>) -> usize {
        self.child(at, op)
    }

    /// What the proof starts from.
    pub fn root(&self) -> Root<'a> {
        self.root
    }

    /// Every message, parents first.
    pub fn nodes(&self) -> &[TreeNode<'a>] {
        &self.nodes
    }

    /// Adds everything that another proof says of the message at that node. A node that does not exist changes nothing.
    pub fn graft(&mut self, at: usize, other: &Self) {
        if at >= self.nodes.len() {
            return;
        }
        let mut places = Vec::with_capacity(other.nodes.len());
        for node in &other.nodes {
            let place = match node.parent {
                // Parents come first, so their place is known.
                Some((parent, op)) => self.child(places[parent], op),
                None => at,
            };
            places.push(place);
            self.nodes[place].attestations.extend(&node.attestations);
        }
    }

    fn child(&mut self, parent: usize, op: Op<'a>) -> usize {
        let next = self.nodes.len();
        let child = *self.nodes[parent].children.entry(key(op)).or_insert(next);
        if child == next {
            self.nodes.push(TreeNode { parent: Some((parent, op)), ..TreeNode::default() });
        }
        child
    }

    /// The proof's bytes as the reference writes them: attestations before operations, each in order, the last branch
    /// without a fork.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Root::Detached { hash, digest } = self.root {
            bytes.extend_from_slice(MAGIC);
            bytes.push(VERSION);
            bytes.push(match hash {
                FileHash::Sha1 => TAG_SHA1,
                FileHash::Ripemd160 => TAG_RIPEMD160,
                FileHash::Sha256 => TAG_SHA256,
            });
            bytes.extend_from_slice(digest);
        }
        // Branches still to be written, the next one last, and whether a fork stands before them.
        let mut open = vec![(0, false)];
        while let Some((at, forked)) = open.pop() {
            let node = &self.nodes[at];
            if forked {
                bytes.push(TAG_FORK);
            }
            if let Some((_, op)) = node.parent {
                write_op(op, &mut bytes);
            }
            let mut left = node.attestations.len() + node.children.len();
            for attestation in &node.attestations {
                left -= 1;
                if left > 0 {
                    bytes.push(TAG_FORK);
                }
                write_attestation(*attestation, &mut bytes);
            }
            let children = node.children().rev().enumerate();
            open.extend(children.map(|(place_from_last, child)| (child, place_from_last > 0)));
        }
        bytes
    }
}

/// Order of operations: by tag, then by argument.
fn key(op: Op<'_>) -> (u8, &[u8]) {
    match op {
        Op::Sha1 => (TAG_SHA1, &[]),
        Op::Ripemd160 => (TAG_RIPEMD160, &[]),
        Op::Sha256 => (TAG_SHA256, &[]),
        Op::Keccak256 => (TAG_KECCAK256, &[]),
        Op::Append(more) => (TAG_APPEND, more),
        Op::Prepend(more) => (TAG_PREPEND, more),
        Op::Reverse => (TAG_REVERSE, &[]),
        Op::Hexlify => (TAG_HEXLIFY, &[]),
    }
}

fn written(attestation: Attestation<'_>) -> Written<'_> {
    match attestation {
        Attestation::Bitcoin(height) => Written { tag: NOTARY_BITCOIN, content: Content::Height(height) },
        Attestation::Pending(uri) => Written { tag: NOTARY_PENDING, content: Content::Address(uri) },
        Attestation::Unknown { tag, payload } => Written { tag, content: Content::Payload(payload) },
    }
}

fn write_op(op: Op<'_>, bytes: &mut Vec<u8>) {
    let (tag, argument) = key(op);
    bytes.push(tag);
    if matches!(op, Op::Append(_) | Op::Prepend(_)) {
        write_counted(argument, bytes);
    }
}

fn write_attestation(attestation: Written<'_>, bytes: &mut Vec<u8>) {
    bytes.push(TAG_ATTESTATION);
    bytes.extend_from_slice(&attestation.tag);
    let mut payload = Vec::new();
    match attestation.content {
        Content::Height(height) => write_varint(height.0.into(), &mut payload),
        Content::Address(uri) => write_counted(uri.as_bytes(), &mut payload),
        Content::Payload(unread) => payload.extend_from_slice(unread),
    }
    write_counted(&payload, bytes);
}

fn write_counted(content: &[u8], bytes: &mut Vec<u8>) {
    // A slice's length always fits 64 bits.
    write_varint(content.len() as u64, bytes);
    bytes.extend_from_slice(content);
}

/// Little-endian groups of seven bits, as few as possible.
fn write_varint(mut value: u64, bytes: &mut Vec<u8>) {
    loop {
        let group = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            return bytes.push(group);
        }
        bytes.push(group | 0x80);
    }
}
