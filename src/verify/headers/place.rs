//! Gives each tree a height: from the checkpoint, else from a pinned hash, else from what its runs claim.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::Target;
use bitcoin::constants::ChainHash;

use super::forest::{Forest, Offence, Tree, text};
use super::pow;
use crate::domain::{BlockHash, BlockHeight, HeaderPolicy};
use crate::verify::epochs;

/// True when the pinned mainnet table speaks about this policy's chain.
pub(super) fn is_mainnet(policy: &HeaderPolicy) -> bool {
    policy.pow_limit == epochs::MAINNET_POW_LIMIT || policy.checkpoint.hash.0 == ChainHash::BITCOIN.to_bytes()
}

/// Why a claimed height is not believed.
enum Misfit {
    /// It contradicts a pinned value or the checkpoint.
    Contradicts { height: u32, expected: String, observed: String },
    /// Nothing is pinned there, and the target is far easier than the last pinned one.
    Unpinned,
}

/// Places every tree that can be placed, marks what pinned hashes commit to, and notes claims that do not hold.
pub(super) fn place(forest: &mut Forest, policy: &HeaderPolicy) {
    for (hash, height) in anchors(policy) {
        anchor(forest, hash, height);
    }
    let roots: BTreeMap<BlockHash, BlockHeight> = anchors(policy).collect();
    for tree in forest.trees.iter_mut().filter(|tree| tree.height.is_none()) {
        tree.height = roots.get(&BlockHash(tree.root_prev)).and_then(|height| height.0.checked_add(1));
    }
    place_by_claims(forest, policy);
    judge_claims(forest);
}

/// Hashes whose heights are known beforehand, strongest first.
fn anchors(policy: &HeaderPolicy) -> impl Iterator<Item = (BlockHash, BlockHeight)> {
    let pinned = epochs::all().map(|epoch| (epoch.last_hash, epoch.last_height));
    let pinned = pinned.take(if is_mainnet(policy) { usize::MAX } else { 0 });
    std::iter::once((policy.checkpoint.hash, policy.checkpoint.height)).chain(pinned)
}

/// Places the tree that holds the hash and marks the header and all its ancestors as pinned.
fn anchor(forest: &mut Forest, hash: BlockHash, height: BlockHeight) {
    let Some(at) = forest.find(hash) else { return };
    let (tree, depth) = (forest.nodes[at].tree, forest.nodes[at].depth);
    let Some(root_height) = height.0.checked_sub(depth) else { return };
    // A table that disagrees with the checkpoint about one tree is no help: the first placing stays.
    if *forest.trees[tree].height.get_or_insert(root_height) != root_height {
        return;
    }
    let mut next = Some(at);
    while let Some(at) = next.filter(|at| !forest.nodes[*at].pinned) {
        forest.nodes[at].pinned = true;
        next = forest.nodes[at].parent;
    }
}

/// Trees that only their runs speak for. The lowest claim that contradicts nothing is taken: any fixed choice does.
fn place_by_claims(forest: &mut Forest, policy: &HeaderPolicy) {
    let mut claims: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
    for (tree, root_height, _) in claimed_heights(forest) {
        if forest.trees[tree].height.is_none()
            && let Some(root_height) = root_height
        {
            claims.entry(tree).or_default().insert(root_height);
        }
    }
    let mut refused: BTreeMap<(usize, u32), Misfit> = BTreeMap::new();
    for (tree, heights) in claims {
        for root_height in heights {
            match fits(forest, &forest.trees[tree], root_height, policy) {
                Ok(()) => {
                    forest.trees[tree].height = Some(root_height);
                    break;
                }
                Err(misfit) => {
                    refused.insert((tree, root_height), misfit);
                }
            }
        }
    }
    for (tree, root_height, run) in claimed_heights(forest) {
        let misfit = root_height.and_then(|root_height| refused.get(&(tree, root_height)));
        if let Some(Misfit::Contradicts { height, expected, observed }) = misfit {
            let (expected, observed) = (expected.clone(), observed.clone());
            let height = Some(BlockHeight(*height));
            forest.offend(run, Offence { rule: "pinned header", height, expected, observed });
        }
    }
}

/// For every piece with a claim: its tree, the height that the claim gives the tree's root, and its run.
fn claimed_heights(forest: &Forest) -> Vec<(usize, Option<u32>, usize)> {
    let claimed = forest.pieces.iter().filter_map(|piece| {
        let first = &forest.nodes[forest.canonical(piece.nodes.start)];
        Some((first.tree, piece.claimed?.checked_sub(first.depth), piece.run))
    });
    claimed.collect()
}

/// Checks a claimed placing of a tree that no pinned hash speaks for.
fn fits(forest: &Forest, tree: &Tree, root_height: u32, policy: &HeaderPolicy) -> Result<(), Misfit> {
    let mainnet = is_mainnet(policy);
    let easiest = easiest_unpinned();
    for at in &forest.order[tree.span.clone()] {
        let node = &forest.nodes[*at];
        let Some(height) = root_height.checked_add(node.depth) else { return Err(Misfit::Unpinned) };
        let contradicts = |expected: String, observed: String| Misfit::Contradicts { height, expected, observed };
        if height == policy.checkpoint.height.0 {
            return Err(contradicts(policy.checkpoint.hash.to_string(), text(node.hash)));
        }
        if !mainnet {
            continue;
        }
        if let Some(pinned) = epochs::hash_at(BlockHeight(height)) {
            return Err(contradicts(pinned.to_string(), text(node.hash)));
        }
        match epochs::bits_at(BlockHeight(height)) {
            Some(bits) if bits != node.bits => {
                return Err(contradicts(format!("bits {bits:08x}"), format!("bits {:08x}", node.bits)));
            }
            None if pow::target(node.bits) > easiest => return Err(Misfit::Unpinned),
            _ => {}
        }
    }
    Ok(())
}

/// Beyond the table a lone header is believed only near the last known difficulty: one easy hash must not make a block.
fn easiest_unpinned() -> Option<Target> {
    let last = pow::target(epochs::last_bits())?;
    let limit = pow::target(epochs::MAINNET_POW_LIMIT)?;
    pow::retarget_bounds(last, limit).map(|(_, easiest)| easiest)
}

/// A run that claims another height than its links prove is wrong about itself.
fn judge_claims(forest: &mut Forest) {
    let offences: Vec<(usize, Offence)> = forest
        .pieces
        .iter()
        .filter_map(|piece| {
            let first = forest.canonical(piece.nodes.start);
            let (claimed, height) = (piece.claimed?, forest.height(first)?);
            (claimed != height).then(|| {
                let (expected, observed) = (format!("height {height}"), format!("height {claimed}"));
                let height = Some(BlockHeight(claimed));
                (piece.run, Offence { rule: "claimed height", height, expected, observed })
            })
        })
        .collect();
    for (run, offence) in offences {
        forest.offend(run, offence);
    }
}
