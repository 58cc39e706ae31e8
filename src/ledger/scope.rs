//! What a rebuild is a function of, and the questions every fold asks of it.

use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;

use crate::domain::{AsOf, BlockHeight, Digest32, TrustPolicy, UnixMicros, UnixSeconds};
use crate::verify::{Anchor, AnchorState, VerifiedSet};

use super::people::People;

/// A claimed time may be this much later than its anchoring block's time: block times are loose by two hours (BIP-0113).
pub(crate) const BLOCK_TIME_SLACK_SECONDS: i64 = 2 * 3600;

/// The inputs of a rebuild.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) set: &'a VerifiedSet,
    pub(crate) policy: &'a TrustPolicy,
    pub(crate) as_of: AsOf,
    pub(crate) people: &'a People,
}

impl<'a> Scope<'a> {
    /// True when a claimed time is not after the as-of.
    pub(crate) fn has_happened(&self, claimed: UnixMicros) -> bool {
        claimed <= UnixMicros::from(self.as_of.time)
    }

    /// The lowest verified anchor of a digest.
    pub(crate) fn anchor(&self, digest: &Digest32) -> Option<&'a Anchor> {
        self.set.anchors.get(digest)?.best()
    }

    /// The lowest verified anchors of digests that are asked for in ascending order.
    pub(crate) fn anchors(&self) -> AscendingAnchors<'a> {
        AscendingAnchors { left: self.set.anchors.iter().peekable(), as_of: self.as_of, blocks: Vec::new() }
    }
}

/// Walks the anchors beside whoever walks digests in their order: a search for each would cost more than all folds together.
pub(crate) struct AscendingAnchors<'a> {
    left: Peekable<btree_map::Iter<'a, Digest32, AnchorState>>,
    as_of: AsOf,
    /// Blocks met on the way.
    blocks: Vec<(BlockHeight, UnixSeconds)>,
}

impl<'a> AscendingAnchors<'a> {
    /// As [`Scope::anchor`], for digests that only ascend.
    pub(crate) fn of(&mut self, digest: &Digest32) -> Option<&'a Anchor> {
        while let Some((_, passed)) = self.left.next_if(|(held, _)| *held < digest) {
            self.meet(passed);
        }
        self.left.peek().filter(|(held, _)| *held == digest).and_then(|(_, state)| state.best())
    }

    fn meet(&mut self, state: &AnchorState) {
        let known = |anchor: &&Anchor| anchor.is_placed() && anchor.time <= self.as_of.time;
        self.blocks.extend(state.confirmed.iter().filter(known).map(|anchor| (anchor.height, anchor.time)));
    }

    /// Blocks known to exist at the as-of with the time their headers state. Isolated headers don't count: their height is
    /// only a claim.
    pub(crate) fn known_blocks(mut self) -> BTreeMap<BlockHeight, UnixSeconds> {
        while let Some((_, state)) = self.left.next() {
            self.meet(state);
        }
        let mut blocks: BTreeMap<BlockHeight, UnixSeconds> = self.blocks.into_iter().collect();
        if let Some(tip) = self.as_of.tip {
            blocks.entry(tip.height).or_insert(tip.time.min(self.as_of.time));
        }
        blocks
    }
}
