//! Proofs that a user stands in a balance tree, or does not. Specified in `docs/state-root.md`, section 5.

use thiserror::Error;

use super::sum_tree::{SumNode, sum_node};

/// What a proof is judged against: the published root of a balance tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SumRoot {
    /// Hash and total.
    pub node: SumNode,
    /// How many users it is over.
    pub count: u64,
}

/// One leaf with the nodes beside its way to the root, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumPath {
    /// Its place among the users.
    pub index: u64,
    /// The user.
    pub user: String,
    /// What is owed to the user, in satoshi; negative for one who was paid too much.
    pub sats: i128,
    /// The siblings. Which side each stands on follows from the place and the count.
    pub siblings: Vec<SumNode>,
}

/// What a proof claims of its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SumClaim {
    /// The user is owed so many satoshi.
    Included(i128),
    /// The tree holds no such user.
    Absent,
}

/// A proof about one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumProof {
    /// The tree.
    pub root: SumRoot,
    /// The user.
    pub user: String,
    /// The claim.
    pub claim: SumClaim,
    /// Of an inclusion the user's leaf; of an absence its neighbours in ascending order: two, or one at an end of the tree,
    /// or none in an empty one.
    pub leaves: Vec<SumPath>,
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SumFault {
    /// A leaf's place is not below the count.
    #[error("a leaf stands outside the tree")]
    OutsideTree,
    /// A path is shorter or longer than the place and the count say.
    #[error("a path is not as long as its place in the tree demands")]
    PathLength,
    /// Something may be hidden behind a sibling that lowers the total.
    #[error("a sibling's sum is negative")]
    NegativeSibling,
    /// 128 bits do not hold a sum.
    #[error("a sum overflows")]
    Overflow,
    /// The path ends in another hash.
    #[error("the path does not lead to the root")]
    OtherRoot,
    /// The path ends in another total.
    #[error("the sums do not add up to the total")]
    OtherTotal,
    /// The leaves are not the user's, or not the places where the user would stand.
    #[error("the leaves do not show what is claimed of the user")]
    OtherClaim,
}

impl SumPath {
    /// The leaf at that place with its siblings; `None` outside of the tree, or when a sum overflows.
    ///
    /// Hashes every user once. `users` ascend by their bytes.
    pub fn of<U: AsRef<str>>(users: &[(U, i128)], index: usize) -> Option<Self> {
        let (user, sats) = users.get(index)?;
        let mut siblings = Vec::new();
        let (mut place, mut size) = (index, 1_usize);
        while size < users.len() {
            let start = (place ^ 1).checked_mul(size)?;
            // At a ragged right edge the node has no sibling here and goes up as it is.
            if start < users.len() {
                let end = start.saturating_add(size).min(users.len());
                let part = users.get(start..end)?.iter().map(|(user, sats)| (user, *sats));
                siblings.push(sum_node(u64::try_from(start).ok()?, part)?);
            }
            (place, size) = (place / 2, size.checked_mul(2)?);
        }
        Some(Self { index: u64::try_from(index).ok()?, user: user.as_ref().to_owned(), sats: *sats, siblings })
    }

    /// Checks the way to the root: hashes, sums, length, and that no sibling's sum is negative.
    ///
    /// # Errors
    /// [`SumFault`].
    pub fn check(&self, root: &SumRoot) -> Result<(), SumFault> {
        let Some(mut last) = root.count.checked_sub(1).filter(|last| self.index <= *last) else {
            return Err(SumFault::OutsideTree);
        };
        if self.siblings.iter().any(|sibling| sibling.sum < 0) {
            return Err(SumFault::NegativeSibling);
        }
        let mut node = SumNode::leaf(self.index, &self.user, self.sats);
        let mut place = self.index;
        let mut siblings = self.siblings.iter();
        while last > 0 {
            let above = if place % 2 == 1 {
                let left = siblings.next().ok_or(SumFault::PathLength)?;
                SumNode::over(left, &node)
            } else if place < last {
                let right = siblings.next().ok_or(SumFault::PathLength)?;
                SumNode::over(&node, right)
            } else {
                Some(node)
            };
            node = above.ok_or(SumFault::Overflow)?;
            (place, last) = (place / 2, last / 2);
        }
        if siblings.next().is_some() {
            return Err(SumFault::PathLength);
        }
        if node.hash != root.node.hash {
            return Err(SumFault::OtherRoot);
        }
        // A leaf's own sum stands in its hash; that of a tree with one leaf is not committed to by any node above.
        if node.sum == root.node.sum { Ok(()) } else { Err(SumFault::OtherTotal) }
    }
}

impl SumProof {
    /// Proves what the tree over these users says of one: `None` when a sum overflows.
    ///
    /// `users` ascend strictly by their bytes. Costs a few passes over them and no memory beside them.
    pub fn of<U: AsRef<str>>(users: &[(U, i128)], user: &str) -> Option<Self> {
        let node = sum_node(0, users.iter().map(|(user, sats)| (user, *sats)))?;
        let root = SumRoot { node, count: u64::try_from(users.len()).ok()? };
        let (claim, places) = match users.binary_search_by(|(other, _)| other.as_ref().cmp(user)) {
            Ok(place) => (SumClaim::Included(users.get(place)?.1), place..place + 1),
            Err(place) => (SumClaim::Absent, place.saturating_sub(1)..users.len().min(place + 1)),
        };
        let leaves = places.map(|place| SumPath::of(users, place)).collect::<Option<_>>()?;
        Some(Self { root, user: user.to_owned(), claim, leaves })
    }

    /// Checks the proof against the tree that it names. Whether that is the published one is for who reads it to compare.
    ///
    /// # Errors
    /// [`SumFault`].
    pub fn check(&self) -> Result<(), SumFault> {
        let shown = match (self.claim, self.leaves.as_slice()) {
            (SumClaim::Included(sats), [leaf]) => leaf.user == self.user && leaf.sats == sats,
            (SumClaim::Absent, []) => self.root.count == 0 && self.root.node == SumNode::empty(),
            (SumClaim::Absent, [end]) => {
                let is_before = end.index == 0 && self.user < end.user;
                // A leaf outside the tree is refused below, so the count is not zero.
                let is_after = end.index == self.root.count.wrapping_sub(1) && end.user < self.user;
                is_before || is_after
            }
            (SumClaim::Absent, [before, after]) => {
                before.index.checked_add(1) == Some(after.index) && before.user < self.user && self.user < after.user
            }
            _ => false,
        };
        self.leaves.iter().try_for_each(|leaf| leaf.check(&self.root))?;
        if shown { Ok(()) } else { Err(SumFault::OtherClaim) }
    }
}
