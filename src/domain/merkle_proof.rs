//! Proofs about the trees of `merkle.rs`: RFC 6962, sections 2.1.1 and 2.1.2, checked as RFC 9162, 2.1.3.2 and 2.1.4.2 say.

use super::digest::{Digest32, sha256};
use super::merkle::{MerkleTree, node};

/// Siblings that a proof may have: one a level of a tree of 2^64 leaves, and one more at the bottom of a consistency proof.
pub const MERKLE_PATH_MAX: usize = 65;

/// The siblings of the leaf at `index`, lowest first; `None` where there is no such leaf. `leaves` are hashes of leaves.
pub fn inclusion_path(leaves: &[Digest32], index: usize) -> Option<Vec<Digest32>> {
    let (mut rest, mut index, mut path) = (leaves, index, Vec::new());
    rest.get(index)?;
    while rest.len() > 1 {
        let (left, right) = rest.split_at(split(rest.len()));
        let other;
        (rest, other) = if index < left.len() { (left, right) } else { (right, left) };
        index -= if index < left.len() { 0 } else { left.len() };
        path.push(root(other));
    }
    path.reverse();
    Some(path)
}

/// The nodes that show that the tree over the first `older` leaves is the beginning of the one over all; `None` where there are
/// not so many. Over none or all of them no node is needed.
pub fn consistency_path(leaves: &[Digest32], older: usize) -> Option<Vec<Digest32>> {
    if older > leaves.len() {
        return None;
    }
    let (mut rest, mut older, mut is_whole, mut path) = (leaves, older, true, Vec::new());
    while older != 0 && older != rest.len() {
        let (left, right) = rest.split_at(split(rest.len()));
        if older <= left.len() {
            path.push(root(right));
            rest = left;
        } else {
            path.push(root(left));
            older -= left.len();
            (rest, is_whole) = (right, false);
        }
    }
    // A root that the verifier has is not told again.
    if !is_whole {
        path.push(root(rest));
    }
    path.reverse();
    Some(path)
}

/// True when `leaf`, a leaf's hash, stands at `index` of the `size` leaves below `root`.
pub fn is_included(leaf: Digest32, (index, size): (u64, u64), path: &[Digest32], root: Digest32) -> bool {
    if index >= size || path.len() > MERKLE_PATH_MAX {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf.0);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            hash = node(&sibling.0, &hash);
            (at, last) = up_to_right(at, last);
        } else {
            hash = node(&hash, &sibling.0);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == root.0
}

/// A tree as others see it: how many leaves, and their root.
pub type TreeHead = (u64, Digest32);

/// True when the older tree is the beginning of the newer one.
pub fn is_consistent((older, older_root): TreeHead, (newer, newer_root): TreeHead, path: &[Digest32]) -> bool {
    if older == 0 || older >= newer {
        let same = if older == 0 { older_root == sha256(b"") } else { older == newer && older_root == newer_root };
        // Of the empty tree every tree is a continuation; an empty newer one has the same root.
        return same && path.is_empty() && (newer != 0 || newer_root == older_root);
    }
    let (known, path) = if older.is_power_of_two() {
        (older_root, path)
    } else {
        let Some((first, rest)) = path.split_first() else { return false };
        (*first, rest)
    };
    if path.is_empty() || path.len() > MERKLE_PATH_MAX {
        return false;
    }
    let shift = (older - 1).trailing_ones();
    // `older` is below 2^64, so fewer than 64 ones stand there unless it is u64::MAX + 1.
    let (mut at, mut last) = ((older - 1) >> shift.min(63), (newer - 1) >> shift.min(63));
    let (mut from, mut to) = (known.0, known.0);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            from = node(&sibling.0, &from);
            to = node(&sibling.0, &to);
            (at, last) = up_to_right(at, last);
        } else {
            to = node(&to, &sibling.0);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && from == older_root.0 && to == newer_root.0
}

/// Past the levels at which an odd last node goes up as it is.
const fn up_to_right(at: u64, last: u64) -> (u64, u64) {
    let levels = if at == 0 { 0 } else { at.trailing_zeros() };
    (at >> levels, last >> levels)
}

/// The largest power of two below `length`, which is at least 2.
const fn split(length: usize) -> usize {
    1 << (length - 1).ilog2()
}

fn root(leaves: &[Digest32]) -> Digest32 {
    let mut tree = MerkleTree::new();
    for leaf in leaves {
        tree.push_hash(*leaf);
    }
    tree.root()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::leaf_hash;

    fn leaves(count: u64) -> Vec<Digest32> {
        (0..count).map(|at| leaf_hash(&at.to_be_bytes())).collect()
    }

    // RFC 6962, section 2.1.3, names the nodes of these proofs for seven leaves.
    #[test]
    #[expect(clippy::many_single_char_names, reason = "the standard's own")]
    fn the_examples_of_the_standard_have_the_nodes_that_it_names() {
        let all = leaves(7);
        let (a, b, c, d, f, j) = (all[0], all[1], all[2], all[3], all[5], all[6]);
        let over = |range: std::ops::Range<usize>| root(&all[range]);
        let (g, h, i, k, l) = (over(0..2), over(2..4), over(4..6), over(0..4), over(4..7));
        assert_eq!(inclusion_path(&all, 0).unwrap(), [b, h, l]);
        assert_eq!(inclusion_path(&all, 3).unwrap(), [c, g, l]);
        assert_eq!(inclusion_path(&all, 4).unwrap(), [f, j, k]);
        assert_eq!(inclusion_path(&all, 6).unwrap(), [i, k]);
        assert_eq!(consistency_path(&all, 3).unwrap(), [c, d, g, l]);
        assert_eq!(consistency_path(&all, 4).unwrap(), [l]);
        assert_eq!(consistency_path(&all, 6).unwrap(), [i, j, k]);
        assert_ne!(a, b);
        assert_eq!((inclusion_path(&all, 7), consistency_path(&all, 8)), (None, None));
    }

    /// Every way to change one thing: a node, its removal, a node more, another order.
    fn altered(path: &[Digest32]) -> Vec<Vec<Digest32>> {
        let mut all = Vec::new();
        for at in 0..path.len() {
            let mut changed = path.to_vec();
            changed[at].0[at % 32] ^= 1;
            all.push(changed);
            let mut without = path.to_vec();
            without.remove(at);
            all.push(without);
            let mut moved = path.to_vec();
            moved.swap(at, 0);
            all.push(moved);
        }
        for at in [0, path.len()] {
            let mut more = path.to_vec();
            more.insert(at, sha256(b"more"));
            all.push(more);
        }
        all.retain(|other| other != path);
        all
    }

    #[test]
    fn every_inclusion_in_trees_of_up_to_300_leaves_is_shown_and_no_alteration_is() {
        let all = leaves(301);
        for size in 1..=300_u64 {
            let tree = &all[..usize::try_from(size).unwrap()];
            let head = root(tree);
            for index in 0..size {
                let leaf = tree[usize::try_from(index).unwrap()];
                let path = inclusion_path(tree, usize::try_from(index).unwrap()).unwrap();
                assert!(is_included(leaf, (index, size), &path, head), "{index} of {size}");
                assert!(!is_included(all[300], (index, size), &path, head));
                assert!(!is_included(leaf, (index, size), &path, sha256(b"other")));
                assert!(!is_included(leaf, (size, size), &path, head));
                // Alterations cost more: every index of small trees, the edges of large ones.
                if size < 16 || [0, size / 2, size - 1].contains(&index) {
                    assert!(altered(&path).iter().all(|other| !is_included(leaf, (index, size), other, head)));
                    let others = (0..size).filter(|other| *other != index);
                    assert!(others.into_iter().all(|other| !is_included(leaf, (other, size), &path, head)));
                }
            }
        }
    }

    #[test]
    fn every_consistency_of_trees_of_up_to_300_leaves_is_shown_and_no_alteration_is() {
        let all = leaves(300);
        let mut growing = MerkleTree::new();
        let heads: Vec<Digest32> = std::iter::once(growing.root())
            .chain(all.iter().map(|leaf| {
                growing.push_hash(*leaf);
                growing.root()
            }))
            .collect::<Vec<_>>();
        let head = |size: usize| (size as u64, heads[size]);
        for newer in 1..=300 {
            for older in 0..=newer {
                let path = consistency_path(&all[..newer], older).unwrap();
                assert!(is_consistent(head(older), head(newer), &path), "{older} of {newer}");
                if newer < 16 || [1, newer / 2, newer - 1].contains(&older) {
                    let fails = |other: &Vec<Digest32>| !is_consistent(head(older), head(newer), other);
                    assert!(altered(&path).iter().all(fails), "{older} of {newer}");
                    let wrong = sha256(b"other");
                    assert!(!is_consistent((older as u64, wrong), head(newer), &path));
                    assert!(older == 0 || !is_consistent(head(older), (newer as u64, wrong), &path));
                    if older != newer && older != 0 {
                        assert!(!is_consistent(head(newer), head(older), &path));
                        assert!(!is_consistent((older as u64 - 1, head(older).1), head(newer), &path));
                    }
                }
            }
        }
    }

    #[test]
    fn sizes_at_the_edge_of_64_bits_are_judged() {
        let path = vec![sha256(b"x"); MERKLE_PATH_MAX + 1];
        let root = sha256(b"root");
        for size in [u64::MAX, 1 << 63, (1 << 63) + 1] {
            assert!(!is_included(root, (size - 1, size), &path, root));
            assert!(!is_consistent((size - 1, root), (size, root), &path[..64]));
            assert!(!is_consistent((size, root), (u64::MAX, sha256(b"y")), &path[..63]));
        }
        assert!(!is_included(root, (0, 0), &[], root));
    }
}
