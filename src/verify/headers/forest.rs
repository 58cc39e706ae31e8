//! Cuts runs into linked pieces and joins them into trees.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bitcoin::Target;
use rayon::prelude::*;

use super::pow;
use crate::domain::{BlockHash, BlockHeight, Counts, EvidenceId, HeaderPolicy, sha256};
use crate::evidence::HeaderRun;

/// One header.
pub(super) struct Node {
    pub(super) hash: [u8; 32],
    pub(super) root: [u8; 32],
    pub(super) time: u32,
    pub(super) bits: u32,
    /// The piece that it stands in.
    piece: usize,
    /// The header that it builds on; `None` when that is not among the runs.
    pub(super) parent: Option<usize>,
    /// Steps down from its tree's root.
    pub(super) depth: u32,
    /// Its tree.
    pub(super) tree: usize,
    /// Breaks a rule, or builds on one that does.
    pub(super) invalid: bool,
    /// Descends from the checkpoint.
    pub(super) chained: bool,
    /// A pinned hash or the checkpoint commits to it.
    pub(super) pinned: bool,
}

/// Headers of one run that link to each other and meet their own targets.
pub(super) struct Piece {
    pub(super) run: usize,
    pub(super) nodes: Range<usize>,
    pub(super) prev: [u8; 32],
    /// Claimed height of its first header.
    pub(super) claimed: Option<u32>,
}

/// Headers joined by links. Height is that of the root, once known.
pub(super) struct Tree {
    /// Hash that the root builds on.
    pub(super) root_prev: [u8; 32],
    /// Its part of [`Forest::order`].
    pub(super) span: Range<usize>,
    pub(super) height: Option<u32>,
}

/// A broken rule.
pub(super) struct Offence {
    pub(super) rule: &'static str,
    pub(super) height: Option<BlockHeight>,
    pub(super) expected: String,
    pub(super) observed: String,
}

/// Every header of every run, deduplicated and linked.
pub(super) struct Forest {
    /// Evidence ids, ascending.
    pub(super) runs: Vec<EvidenceId>,
    pub(super) nodes: Vec<Node>,
    pub(super) pieces: Vec<Piece>,
    /// The first of equal headers stands for all of them.
    canonical: Vec<usize>,
    /// Leading hash bytes and node, sorted.
    index: Vec<(u64, usize)>,
    /// Canonical nodes, parents before children, tree by tree.
    pub(super) order: Vec<usize>,
    pub(super) trees: Vec<Tree>,
    /// The first offence of each run.
    run_offences: BTreeMap<usize, Offence>,
    /// Offences of single nodes.
    node_offences: BTreeMap<usize, Offence>,
    /// Hashes of the headers that fail by themselves and are no nodes.
    worthless: BTreeSet<[u8; 32]>,
}

impl Forest {
    pub(super) fn grow(mut runs: Vec<(EvidenceId, HeaderRun)>, policy: &HeaderPolicy) -> Self {
        // The order of arrival ends here: everything below follows the evidence ids.
        runs.sort_by_key(|(id, _)| *id);
        runs.dedup_by_key(|(id, _)| *id);
        let limit = pow::target(policy.pow_limit);
        let cuts: Vec<Cut> = runs.par_iter().map(|(_, run)| Cut::of(run, limit)).collect();
        let mut forest = Self {
            runs: runs.into_iter().map(|(id, _)| id).collect(),
            nodes: Vec::new(),
            pieces: Vec::new(),
            canonical: Vec::new(),
            index: Vec::new(),
            order: Vec::new(),
            trees: Vec::new(),
            run_offences: BTreeMap::new(),
            node_offences: BTreeMap::new(),
            worthless: BTreeSet::new(),
        };
        // Hundreds of thousands of headers: a list that grows would be copied again and again.
        forest.nodes.reserve_exact(cuts.iter().flat_map(|cut| &cut.pieces).map(|piece| piece.headers.len()).sum());
        for (run, cut) in cuts.into_iter().enumerate() {
            forest.plant(run, cut);
        }
        forest.deduplicate();
        forest.link();
        forest.sort_topologically();
        forest
    }

    fn plant(&mut self, run: usize, cut: Cut) {
        self.worthless.extend(cut.worthless);
        if let Some(offence) = cut.offence {
            self.offend(run, offence);
        }
        for loose in cut.pieces {
            let piece = self.pieces.len();
            let first = self.nodes.len();
            self.nodes.extend(loose.headers.into_iter().map(|mut node| {
                node.piece = piece;
                node
            }));
            let nodes = first..self.nodes.len();
            self.pieces.push(Piece { run, nodes, prev: loose.prev, claimed: loose.claimed });
        }
    }

    fn deduplicate(&mut self) {
        self.index = self.nodes.iter().enumerate().map(|(at, node)| (key(&node.hash), at)).collect();
        self.index.par_sort_unstable();
        self.canonical = (0..self.nodes.len()).collect();
        for same_key in self.index.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
            for (_, at) in &same_key[1..] {
                let twin = same_key.iter().find(|(_, first)| self.nodes[*first].hash == self.nodes[*at].hash);
                self.canonical[*at] = twin.map_or(*at, |(_, first)| *first);
            }
        }
    }

    fn link(&mut self) {
        for piece in &self.pieces {
            let mut parent = find(&self.index, &self.nodes, &piece.prev);
            for at in piece.nodes.clone() {
                self.nodes[at].parent = parent;
                parent = Some(self.canonical[at]);
            }
        }
    }

    /// Orders canonical nodes so that parents stand before their children, without recursion.
    fn sort_topologically(&mut self) {
        let mut first_child = vec![0_usize; self.nodes.len() + 1];
        let canonical: Vec<usize> = (0..self.nodes.len()).filter(|at| self.canonical[*at] == *at).collect();
        for parent in canonical.iter().filter_map(|at| self.nodes[*at].parent) {
            first_child[parent + 1] += 1;
        }
        for at in 1..first_child.len() {
            first_child[at] += first_child[at - 1];
        }
        let mut free = first_child.clone();
        let mut children = vec![0_usize; first_child[self.nodes.len()]];
        for at in &canonical {
            if let Some(parent) = self.nodes[*at].parent {
                children[free[parent]] = *at;
                free[parent] += 1;
            }
        }
        let mut open = Vec::new();
        for root in canonical.into_iter().filter(|at| self.nodes[*at].parent.is_none()).collect::<Vec<_>>() {
            let from = self.order.len();
            open.push((root, 0));
            while let Some((at, depth)) = open.pop() {
                self.order.push(at);
                self.nodes[at].depth = depth;
                self.nodes[at].tree = self.trees.len();
                open.extend(children[first_child[at]..first_child[at + 1]].iter().map(|child| (*child, depth + 1)));
            }
            let root_prev = self.pieces[self.nodes[root].piece].prev;
            self.trees.push(Tree { root_prev, span: from..self.order.len(), height: None });
        }
    }

    /// What became of each distinct header.
    pub(super) fn counts(&self) -> Counts {
        let rejected = u64::try_from(self.worthless.len()).unwrap_or(u64::MAX);
        let mut counts = Counts { unique: rejected, rejected, ..Counts::default() };
        for at in &self.order {
            counts.unique += 1;
            match (self.nodes[*at].invalid, self.height(*at)) {
                (true, _) => counts.rejected += 1,
                (false, Some(_)) => counts.accepted += 1,
                (false, None) => counts.pending += 1,
            }
        }
        counts
    }

    /// The node with that hash.
    pub(super) fn find(&self, hash: BlockHash) -> Option<usize> {
        find(&self.index, &self.nodes, &hash.0)
    }

    /// The node that stands for this one.
    pub(super) fn canonical(&self, at: usize) -> usize {
        self.canonical[at]
    }

    /// Height of a node, when its tree has one.
    pub(super) fn height(&self, at: usize) -> Option<u32> {
        let node = &self.nodes[at];
        self.trees[node.tree].height?.checked_add(node.depth)
    }

    /// The run that brought a node.
    pub(super) fn run_of(&self, at: usize) -> usize {
        self.pieces[self.nodes[at].piece].run
    }

    /// Notes an offence of a run; the first one stays.
    pub(super) fn offend(&mut self, run: usize, offence: Offence) {
        self.run_offences.entry(run).or_insert(offence);
    }

    /// Notes an offence of a header.
    pub(super) fn offend_node(&mut self, at: usize, offence: Offence) {
        self.nodes[at].invalid = true;
        self.node_offences.entry(at).or_insert(offence);
    }

    /// The offence that a run is rejected for: its own, or that of the first invalid header in it.
    pub(super) fn offence_of(&self, run: usize) -> Option<&Offence> {
        self.run_offences.get(&run).or_else(|| {
            let mut nodes = self.pieces_of(run).flat_map(|piece| piece.nodes.clone()).map(|at| self.canonical[at]);
            let invalid = nodes.find(|at| self.nodes[*at].invalid)?;
            self.node_offences.get(&self.first_invalid(invalid))
        })
    }

    /// Follows an invalid header up to the one that broke the rule.
    fn first_invalid(&self, mut at: usize) -> usize {
        while let Some(parent) = self.nodes[at].parent.filter(|parent| self.nodes[*parent].invalid) {
            at = parent;
        }
        at
    }

    /// True when some header of the run stands at no height.
    pub(super) fn is_unplaced(&self, run: usize) -> bool {
        self.pieces_of(run).any(|piece| self.height(self.canonical[piece.nodes.start]).is_none())
    }

    /// Pieces are planted run by run, so a run's pieces stand together.
    fn pieces_of(&self, run: usize) -> impl Iterator<Item = &Piece> {
        let from = self.pieces.partition_point(|piece| piece.run < run);
        self.pieces[from..].iter().take_while(move |piece| piece.run == run)
    }
}

/// The low end of a hash: the high end is zeros because of the proof of work.
fn key(hash: &[u8; 32]) -> u64 {
    let mut low = [0; 8];
    low.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(low)
}

fn find(index: &[(u64, usize)], nodes: &[Node], hash: &[u8; 32]) -> Option<usize> {
    let key = key(hash);
    let from = index.partition_point(|(other, _)| *other < key);
    index[from..].iter().take_while(|(other, _)| *other == key).map(|(_, at)| *at).find(|at| nodes[*at].hash == *hash)
}

struct LoosePiece {
    headers: Vec<Node>,
    prev: [u8; 32],
    claimed: Option<u32>,
}

/// One run, cut at every header that fails by itself or does not link to the one before.
struct Cut {
    pieces: Vec<LoosePiece>,
    offence: Option<Offence>,
    /// Hashes of the headers that fail by themselves.
    worthless: Vec<[u8; 32]>,
}

impl Cut {
    fn of(run: &HeaderRun, limit: Option<Target>) -> Self {
        let mut cut = Self { pieces: Vec::new(), offence: None, worthless: Vec::new() };
        let (mut joined, mut targets) = (false, Targets { limit, last: None });
        for (offset, raw) in (0_u32..).zip(&run.headers) {
            let height = run.start.and_then(|start| start.0.checked_add(offset));
            if run.start.is_some() && height.is_none() {
                cut.offend(None, "height fits 32 bits", "a height", "beyond the last");
                break;
            }
            let (prev, node) = read(raw);
            if let Err(observed) = targets.own_work(&node) {
                cut.offend(height, "proof of work", "a hash that meets an allowed target", observed);
                cut.worthless.push(node.hash);
                joined = false;
                continue;
            }
            let last = cut.pieces.last_mut().filter(|_| joined);
            match last {
                Some(piece) if piece.headers.last().is_some_and(|last| last.hash == prev) => piece.headers.push(node),
                Some(piece) => {
                    let expected = piece.headers.last().map_or_else(String::new, |last| text(last.hash));
                    cut.offend(height, "previous hash", &expected, &text(prev));
                    cut.begin(node, prev, height, run);
                }
                None => cut.begin(node, prev, height, run),
            }
            joined = true;
        }
        cut
    }

    fn begin(&mut self, first: Node, prev: [u8; 32], claimed: Option<u32>, run: &HeaderRun) {
        // Most runs are one piece; of one that is cut, the others take no more room than they need.
        let mut headers = Vec::with_capacity(if self.pieces.is_empty() { run.headers.len() } else { 1 });
        headers.push(first);
        self.pieces.push(LoosePiece { headers, prev, claimed });
    }

    fn offend(&mut self, height: Option<u32>, rule: &'static str, expected: &str, observed: &str) {
        self.offence.get_or_insert(Offence {
            rule,
            height: height.map(BlockHeight),
            expected: expected.to_owned(),
            observed: observed.to_owned(),
        });
    }
}

/// Internal byte order becomes the order that people read.
pub(super) fn text(hash: [u8; 32]) -> String {
    BlockHash(hash).to_string()
}

/// Layout of a header: version 4, previous hash 32, Merkle root 32, time 4, bits 4, nonce 4; little-endian numbers.
fn read(raw: &[u8; 80]) -> ([u8; 32], Node) {
    let mut prev = [0; 32];
    prev.copy_from_slice(&raw[4..36]);
    let mut root = [0; 32];
    root.copy_from_slice(&raw[36..68]);
    let number = |at: usize| u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
    let node = Node {
        hash: sha256(sha256(raw).as_bytes()).0,
        root,
        time: number(68),
        bits: number(72),
        piece: 0,
        parent: None,
        depth: 0,
        tree: 0,
        invalid: false,
        chained: false,
        pinned: false,
    };
    (prev, node)
}

/// The targets that headers name, of which thousands in a row name the same.
struct Targets {
    limit: Option<Target>,
    last: Option<(u32, Target)>,
}

impl Targets {
    fn own_work(&mut self, node: &Node) -> Result<(), &'static str> {
        let target = match self.last {
            Some((bits, target)) if bits == node.bits => target,
            _ => self.allowed(node.bits)?,
        };
        self.last = Some((node.bits, target));
        if pow::is_met(target, node.hash) { Ok(()) } else { Err("a hash above its target") }
    }

    fn allowed(&self, bits: u32) -> Result<Target, &'static str> {
        match (pow::target(bits), self.limit) {
            (None, _) => Err("bits that are no target"),
            (_, None) => Err("no target is allowed by the policy"),
            (Some(target), Some(limit)) if target > limit => Err("a target easier than the limit"),
            (Some(target), Some(_)) => Ok(target),
        }
    }
}
