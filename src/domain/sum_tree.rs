//! The balance sum tree. Specified in `docs/state-root.md`, section 5.

use super::digest::{Digest32, Sha256Stream, sha256};

/// A node of the balance tree: a hash and the sum below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SumNode {
    /// Commits to both children's hashes and both children's sums.
    pub hash: Digest32,
    /// The sum of all leaves below, in satoshi.
    pub sum: i128,
}

impl SumNode {
    /// What stands over no leaf: the hash of nothing.
    pub fn empty() -> Self {
        Self { hash: sha256(&[]), sum: 0 }
    }

    /// One user and what is owed to them, at that place.
    pub fn leaf(index: u64, user: &str, sats: i128) -> Self {
        let mut hasher = Sha256Stream::default();
        hasher.update(&[0x00]);
        hasher.update(&index.to_be_bytes());
        // A length in memory always fits 64 bits.
        hasher.update(&(user.len() as u64).to_be_bytes());
        hasher.update(user.as_bytes());
        hasher.update(&sats.to_be_bytes());
        Self { hash: hasher.finish(), sum: sats }
    }

    /// What stands over two nodes; `None` when the sum overflows 128 bits.
    ///
    /// It commits to *both* child sums (the repair of Maxwell's tree, ePrint 2018/1139), so no leaf can hide inside a sum.
    pub fn over(left: &Self, right: &Self) -> Option<Self> {
        let mut hasher = Sha256Stream::default();
        hasher.update(&[0x01]);
        hasher.update(left.hash.as_bytes());
        hasher.update(&left.sum.to_be_bytes());
        hasher.update(right.hash.as_bytes());
        hasher.update(&right.sum.to_be_bytes());
        let sum = left.sum.checked_add(right.sum)?;
        Some(Self { hash: hasher.finish(), sum })
    }
}

/// Incremental sum tree: keeps one node per level, so a root over any number of users costs O(log n) memory.
///
/// Users come in ascending order of their bytes; whoever pushes sees to that.
#[derive(Debug, Clone, Default)]
pub struct SumTree {
    /// (size of the perfect subtree, its node), sizes strictly falling.
    peaks: Vec<(u64, SumNode)>,
    next: u64,
    overflowed: bool,
}

impl SumTree {
    /// A tree whose first leaf stands at that place: zero for a whole tree, a multiple of a power of two that is not
    /// smaller than its size for a part of one.
    pub fn starting_at(first: u64) -> Self {
        Self { next: first, ..Self::default() }
    }

    /// Appends one user.
    pub fn push(&mut self, user: &str, sats: i128) {
        let mut node = SumNode::leaf(self.next, user, sats);
        let mut size = 1;
        while let Some((peak_size, peak)) = self.peaks.pop_if(|(peak_size, _)| *peak_size == size) {
            size = peak_size * 2;
            match SumNode::over(&peak, &node) {
                Some(above) => node = above,
                None => self.overflowed = true,
            }
        }
        self.peaks.push((size, node));
        self.next += 1;
    }

    /// The node over everything so far; `None` when a sum overflows 128 bits.
    pub fn root(&self) -> Option<SumNode> {
        if self.overflowed {
            return None;
        }
        let mut peaks = self.peaks.iter().rev().map(|(_, node)| *node);
        let Some(last) = peaks.next() else { return Some(SumNode::empty()) };
        peaks.try_fold(last, |right, left| SumNode::over(&left, &right))
    }
}

/// Root of the balance tree over users with their satoshi, ascending by user. `None` when a sum overflows 128 bits.
pub fn sum_root<U: AsRef<str>>(users: impl IntoIterator<Item = (U, i128)>) -> Option<SumNode> {
    sum_node(0, users)
}

/// The node over a part of the users that begins at an aligned place; see [`SumTree::starting_at`].
pub fn sum_node<U: AsRef<str>>(first: u64, users: impl IntoIterator<Item = (U, i128)>) -> Option<SumNode> {
    let mut tree = SumTree::starting_at(first);
    for (user, sats) in users {
        tree.push(user.as_ref(), sats);
    }
    tree.root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_satoshi_between_siblings_changes_the_sum_root_but_not_the_sum() {
        let a = sum_root([("a", 5), ("b", 5), ("c", 1)]).unwrap();
        let b = sum_root([("a", 6), ("b", 4), ("c", 1)]).unwrap();
        assert_eq!((a.sum, b.sum), (11, 11));
        assert_ne!(a.hash, b.hash);
    }

    #[test]
    fn an_overflow_anywhere_has_no_root() {
        for users in [[("a", i128::MAX), ("b", 1), ("c", -5)], [("a", -5), ("b", i128::MIN), ("c", 7)]] {
            assert_eq!(sum_root(users), None, "{users:?}");
        }
        assert_eq!(sum_root([("a", i128::MAX), ("b", 0)]).unwrap().sum, i128::MAX);
        // In the third place it meets the others only at the top.
        assert_eq!(sum_root([("a", 1), ("b", 1), ("c", i128::MAX)]), None);
    }

    #[test]
    fn a_part_of_a_tree_is_the_node_over_it() {
        let users: Vec<(String, i128)> = (0..7).map(|at| (format!("u{at}"), at)).collect();
        let all = users.clone();
        let left = sum_node(0, all[..4].iter().cloned()).unwrap();
        let right = sum_node(4, all[4..].iter().cloned()).unwrap();
        assert_eq!(SumNode::over(&left, &right), sum_root(users));
    }
}
