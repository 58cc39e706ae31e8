//! When a transition happened, as far as that is known: its claim, bounded by the block that commits to it.

use crate::domain::{BlockHeight, Digest32, Finding, UnixMicros, UnixSeconds};
use crate::ledger::scope::{BLOCK_TIME_SLACK_SECONDS, Scope};
use crate::verify::Anchor;

/// A claimed time and what bounds it (docs/adr/0016-custody-at-an-instant.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dated {
    /// What the signed bytes say.
    pub claimed: UnixMicros,
    /// The lowest verified block that commits to it and whose place in time is established.
    pub anchor: Option<Anchor>,
    /// From when on it counts: the claim, or the time of the block that is older than the claim allows.
    pub effective: UnixMicros,
}

/// Order within the rebind ledger: effective time, the anchored first, lower blocks first. Ids decide what is left.
pub(super) type Place = (UnixMicros, bool, Option<BlockHeight>);

impl Dated {
    /// Bounds a claim by its anchor. An isolated header proves work but no place in time, so it bounds nothing.
    pub(super) fn of(scope: Scope<'_>, id: &Digest32, claimed: UnixMicros) -> Self {
        let confirmed = scope.set.anchors.get(id).map(|state| state.confirmed).unwrap_or_default();
        let anchor = confirmed.into_iter().find(Anchor::is_placed);
        let effective = match anchor {
            // The block commits to the transition: by then it existed, whatever it says of itself.
            Some(anchor) if is_after(claimed, anchor.time) => UnixMicros::from(anchor.time),
            _ => claimed,
        };
        Self { claimed, anchor, effective }
    }

    /// Time of the block by which it existed. Block times are loose by two hours (BIP-0113).
    pub fn not_after(&self) -> Option<UnixSeconds> {
        self.anchor.map(|anchor| anchor.time)
    }

    /// True when a final block of that instant or an earlier one commits to it. The lowest block is final if any is.
    pub fn is_proven_by(&self, at: UnixMicros) -> bool {
        self.anchor.is_some_and(|anchor| anchor.is_final && UnixMicros::from(anchor.time) <= at)
    }

    pub(super) fn place(&self) -> Place {
        (self.effective, self.anchor.is_none(), self.anchor.map(|anchor| anchor.height))
    }
}

/// True when a claim lies later than a block of that time allows (`REB_ANCHOR_TIME`).
fn is_after(claimed: UnixMicros, block: UnixSeconds) -> bool {
    claimed > UnixMicros::from(block.plus(BLOCK_TIME_SLACK_SECONDS))
}

/// REB_ANCHOR_TIME about that record: its claim against its lowest verified block, whose place in time need not be established.
pub(super) fn after_its_anchor(
    scope: Scope<'_>,
    id: &Digest32,
    dated: &Dated,
    what: &str,
    finding: impl FnOnce() -> Finding,
) -> Option<Finding> {
    let anchor = scope.anchor(id)?;
    is_after(dated.claimed, anchor.time).then(|| {
        let limit = anchor.time.plus(BLOCK_TIME_SLACK_SECONDS);
        finding()
            .with_values(format!("not after {limit}"), dated.claimed.seconds())
            .with_evidence(anchor.proof, "proof")
            .with_explanation(format!("The claimed time is later than the block that already commits to the {what}."))
    })
}
