//! The block whose hash seeds the sample of balances: mined after a height that was named beforehand.

use super::as_of::header_chain;
use super::error::AppError;
use crate::domain::{Beacon, BlockHeight, HeaderPolicy, UnixSeconds};
use crate::reconcile::Declared;
use crate::store::EvidenceStore;
use crate::verify::HeaderTrust;
use crate::verify::headers::HeaderChain;

/// `balances.seed` for the first block after the as-of; behind a colon a height may be named instead.
const BEACON: &str = "beacon";

/// What `balances.seed` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seed {
    /// A text that stands for itself.
    Literal,
    /// The first block after the as-of.
    AfterAsOf,
    /// The first block after this height.
    After(BlockHeight),
}

impl Seed {
    /// Reads it; `None` for a beacon whose height is none.
    pub(super) fn of(text: &str) -> Option<Self> {
        let Some(rest) = text.strip_prefix(BEACON) else { return Some(Self::Literal) };
        match rest.strip_prefix(':') {
            None if rest.is_empty() => Some(Self::AfterAsOf),
            None => Some(Self::Literal),
            Some(height) => {
                let is_plain = !height.is_empty() && height.bytes().all(|byte| byte.is_ascii_digit());
                height.parse().ok().filter(|_| is_plain).map(|height| Self::After(BlockHeight(height)))
            }
        }
    }
}

/// Finds the block in the evidence: on the most-work chain from the checkpoint, and final. `None` when no beacon is
/// declared, or the block is not known so well.
///
/// # Errors
/// [`AppError::Store`].
pub(super) fn beacon(
    store: &dyn EvidenceStore,
    policy: &HeaderPolicy,
    declared: &Declared,
    as_of: UnixSeconds,
) -> Result<Option<Beacon>, AppError> {
    let seed = declared.sample_seed.as_deref().and_then(Seed::of);
    if matches!(seed, None | Some(Seed::Literal)) {
        return Ok(None);
    }
    let chain = header_chain(store, policy)?;
    let after = match seed {
        Some(Seed::After(height)) => Some(height),
        _ => last_before(&chain, as_of),
    };
    let found = after.and_then(|after| {
        let height = BlockHeight(after.0.checked_add(1)?);
        let block = chain.at(height).filter(|block| block.trust != HeaderTrust::Isolated && chain.is_final(height))?;
        Some(Beacon { after, height, hash: block.hash })
    });
    Ok(found)
}

/// The highest block whose time is not after that instant. Times may go back a little from one block to the next.
fn last_before(chain: &HeaderChain, as_of: UnixSeconds) -> Option<BlockHeight> {
    let extent = chain.extent()?;
    let heights = (extent.from.0..=extent.tip.height.0).rev().map(BlockHeight);
    let mut before = heights.filter(|height| chain.at(*height).is_some_and(|block| block.time <= as_of));
    before.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beacon_may_name_a_height_and_everything_else_is_a_text() {
        assert_eq!(Seed::of("beacon"), Some(Seed::AfterAsOf));
        assert_eq!(Seed::of("beacon:900144"), Some(Seed::After(BlockHeight(900_144))));
        assert_eq!(Seed::of("beacon:0"), Some(Seed::After(BlockHeight(0))));
        for text in ["beacons", "Beacon", "", "900144"] {
            assert_eq!(Seed::of(text), Some(Seed::Literal), "{text}");
        }
        for text in ["beacon:", "beacon:x", "beacon:-1", "beacon:+1", "beacon:4294967296", "beacon: 1"] {
            assert_eq!(Seed::of(text), None, "{text}");
        }
    }
}
