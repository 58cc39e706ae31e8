//! The instant that a state is rebuilt for: asked for, a block's own time, or the newest that signed evidence speaks of.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::str::FromStr;

use super::error::AppError;
use super::values::Instant;
use crate::domain::{BlockHeight, HeaderPolicy, Media, UnixSeconds};
use crate::evidence::{Claim, Decoded, OcMeBody, decode};
use crate::store::EvidenceStore;
use crate::verify::headers::HeaderChain;
use crate::verify::{HeaderTrust, VerifiedSet};

/// Below it a bare number is a height, from it on a time in Unix seconds: the threshold of nLockTime (BIP-65).
const HEIGHTS_END: u32 = 500_000_000;

/// What `--as-of` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOfWanted {
    /// This instant.
    Time(UnixSeconds),
    /// The time in the header of the block at this height.
    Block(BlockHeight),
}

impl FromStr for AsOfWanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<u32>() {
            Ok(height) if height < HEIGHTS_END => Ok(Self::Block(BlockHeight(height))),
            _ => Instant::from_str(text).map(|at| Self::Time(at.0)).map_err(|what| format!("{what}, nor a height")),
        }
    }
}

/// The time in the header at that height, from the headers that the store holds.
///
/// # Errors
/// [`AppError::Unestablished`] when no header of the chain from the checkpoint, and none that a pinned hash commits to,
/// stands at that height; [`AppError::Store`].
pub(super) fn block_time(
    store: &dyn EvidenceStore,
    policy: &HeaderPolicy,
    height: BlockHeight,
) -> Result<UnixSeconds, AppError> {
    let mut runs = Vec::new();
    store.scan(&[Media::Headers], &mut |id, evidence| {
        if let Decoded::Claim(claim, _) = decode(&evidence)
            && let Claim::Headers(run) = *claim
        {
            runs.push((id, run));
        }
        ControlFlow::Continue(())
    })?;
    let (chain, _, _) = HeaderChain::build(runs, policy);
    let known = chain.at(height).filter(|header| header.trust != HeaderTrust::Isolated);
    known.map(|header| header.time).ok_or_else(|| AppError::Unestablished {
        what: format!("--as-of {height}: no trusted header stands at that height"),
        hint: "declare [headers] that reach it from the checkpoint, or give a time".to_owned(),
    })
}

/// The newest instant that signed evidence speaks of, never later than the clock: the as-of when none was given.
///
/// Derived from the evidence, so that two parties who hold the same evidence judge for the same instant; the clock only
/// caps it, so that a post-dated artifact can't move it into the future (docs/adr/0008-as-of.md).
pub(super) fn as_of_from_evidence(set: &VerifiedSet, clock: UnixSeconds) -> UnixSeconds {
    let mut instants: BTreeSet<UnixSeconds> = set.tip.iter().map(|tip| tip.time).collect();
    instants.extend(set.settlements.values().map(|settlement| settlement.fact().event.settled_at));
    instants.extend(set.attestations.values().map(|attestation| attestation.fact().message.issued_at.seconds()));
    instants.extend(set.envelopes.values().filter_map(|envelope| claimed_at(&envelope.fact().body)));
    instants.extend(set.anchors.values().filter_map(|state| state.best().map(|anchor| anchor.time)));
    // Nothing signed speaks of any time: the epoch, so that even then two runs give the same bytes.
    instants.last().copied().unwrap_or_default().min(clock)
}

/// The time that an artifact claims for itself.
fn claimed_at(body: &OcMeBody) -> Option<UnixSeconds> {
    let micros = match body {
        OcMeBody::Event(event) => event.occurred_at,
        OcMeBody::Payment(payment) => payment.occurred_at,
        OcMeBody::Rebind(rebind) => rebind.at,
        OcMeBody::PayoutBinding(binding) => binding.created_at,
        OcMeBody::Distribution(distribution) => distribution.created_at,
        OcMeBody::Drop(drop) => drop.sealed_at,
        OcMeBody::Activity(activity) => activity.computed_at,
        OcMeBody::Trust => return None,
    };
    Some(micros.seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_number_is_a_height_and_everything_else_a_time() {
        assert_eq!("358391".parse(), Ok(AsOfWanted::Block(BlockHeight(358_391))));
        assert_eq!("499999999".parse(), Ok(AsOfWanted::Block(BlockHeight(499_999_999))));
        assert_eq!("500000000".parse(), Ok(AsOfWanted::Time(UnixSeconds(500_000_000))));
        assert_eq!("1985-11-05T00:53:20Z".parse(), Ok(AsOfWanted::Time(UnixSeconds(500_000_000))));
        for text in ["", "soon", "12x", "0x10"] {
            assert!(text.parse::<AsOfWanted>().is_err(), "{text}");
        }
    }
}
