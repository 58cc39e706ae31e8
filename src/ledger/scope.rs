//! What a rebuild is a function of, and the questions every fold asks of it.

use std::collections::BTreeMap;

use crate::domain::{AsOf, BlockHeight, Digest32, TrustPolicy, UnixMicros, UnixSeconds};
use crate::scratch::Ascending;
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

impl Scope<'_> {
    /// True when a claimed time is not after the as-of.
    pub(crate) fn has_happened(&self, claimed: UnixMicros) -> bool {
        claimed <= UnixMicros::from(self.as_of.time)
    }

    /// The lowest verified anchor of a digest.
    pub(crate) fn anchor(&self, digest: &Digest32) -> Option<Anchor> {
        self.set.anchors.get(digest)?.best().copied()
    }

    /// The lowest verified anchors of digests that are asked for in ascending order.
    pub(crate) fn anchors(&self) -> AscendingAnchors {
        AscendingAnchors { left: Ascending::over(&self.set.anchors), as_of: self.as_of, blocks: BTreeMap::new() }
    }
}

/// The anchors beside whoever walks digests in their order, and the blocks met on the way.
pub(crate) struct AscendingAnchors {
    left: Ascending<Digest32, AnchorState>,
    as_of: AsOf,
    blocks: BTreeMap<BlockHeight, UnixSeconds>,
}

impl AscendingAnchors {
    /// As [`Scope::anchor`], for digests that only ascend.
    pub(crate) fn of(&mut self, digest: &Digest32) -> Option<Anchor> {
        let blocks = &mut self.blocks;
        self.left.get_past(digest, |passed| blocks.extend(placed(&passed, self.as_of)))?.best().copied()
    }

    /// Blocks known to exist at the as-of with the time their headers state. Isolated headers don't count: their height is
    /// only a claim.
    pub(crate) fn known_blocks(self) -> BTreeMap<BlockHeight, UnixSeconds> {
        let mut blocks = self.blocks;
        self.left.rest().for_each(|state| blocks.extend(placed(&state, self.as_of)));
        if let Some(tip) = self.as_of.tip {
            blocks.entry(tip.height).or_insert(tip.time.min(self.as_of.time));
        }
        blocks
    }
}

/// The blocks with a place in time that were there by then.
fn placed(state: &AnchorState, as_of: AsOf) -> impl Iterator<Item = (BlockHeight, UnixSeconds)> {
    let known = state.confirmed.iter().filter(move |anchor| anchor.is_placed() && anchor.time <= as_of.time);
    known.map(|anchor| (anchor.height, anchor.time))
}
