//! The instant that a state is rebuilt for: asked for, a block's own time, or the newest that signed evidence speaks of.

use std::ops::ControlFlow;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
    let chain = header_chain(store, policy)?;
    let known = chain.at(height).filter(|header| header.trust != HeaderTrust::Isolated);
    known.map(|header| header.time).ok_or_else(|| AppError::Unestablished {
        what: format!("--as-of {height}: no trusted header stands at that height"),
        hint: "declare [headers] that reach it from the checkpoint, or give a time".to_owned(),
    })
}

/// The headers that the store holds, judged.
///
/// # Errors
/// [`AppError::Store`].
pub(super) fn header_chain(store: &dyn EvidenceStore, policy: &HeaderPolicy) -> Result<HeaderChain, AppError> {
    let mut runs = Vec::new();
    store.scan(&[Media::Headers], &mut |id, evidence| {
        if let Decoded::Claim(claim, _) = decode(&evidence)
            && let Claim::Headers(run) = *claim
        {
            runs.push((id, run));
        }
        ControlFlow::Continue(())
    })?;
    Ok(HeaderChain::build(runs, policy).0)
}

/// The newest instant that signed evidence speaks of and that is not after the clock: the as-of when none was given.
///
/// Derived from the evidence, so that two parties who hold the same evidence judge for the same instant. What speaks of a
/// time that has not come decides nothing: else one post-dated artifact would make the clock judge (docs/adr/0008-as-of.md).
pub(super) fn as_of_from_evidence(set: &VerifiedSet, clock: UnixSeconds) -> UnixSeconds {
    Derived::of(set, clock).at
}

/// What the evidence says of the as-of when none is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Derived {
    /// As [`as_of_from_evidence`].
    pub(super) at: UnixSeconds,
    /// The next instant that signed evidence speaks of, which the clock had not reached; `None` where there is none.
    pub(super) next: Option<UnixSeconds>,
}

impl Derived {
    /// Of a set, by that clock.
    pub(super) fn of(set: &VerifiedSet, clock: UnixSeconds) -> Self {
        // Nothing signed speaks of any time: the epoch, so that even then two runs give the same bytes.
        let mut derived = Self { at: UnixSeconds::default(), next: None };
        let mut reached = None;
        let mut visit = |instant: UnixSeconds| {
            if instant <= clock {
                reached = reached.max(Some(instant));
            } else {
                derived.next = Some(derived.next.map_or(instant, |next| next.min(instant)));
            }
        };
        set.tip.iter().for_each(|tip| visit(tip.time));
        set.settlements.values().for_each(|settlement| visit(settlement.fact().event.settled_at));
        set.attestations.values().for_each(|attestation| visit(attestation.fact().message.issued_at.seconds()));
        set.envelopes.values().filter_map(|envelope| claimed_at(&envelope.fact().body)).for_each(&mut visit);
        set.anchors.values().filter_map(|state| Some(state.best()?.time)).for_each(&mut visit);
        derived.at = reached.unwrap_or(derived.at);
        derived
    }

    /// What it comes to by another clock; `None` where only the evidence can say.
    pub(super) fn by(self, clock: UnixSeconds) -> Option<UnixSeconds> {
        (self.at <= clock && self.next.is_none_or(|next| clock < next)).then_some(self.at)
    }
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
    use crate::domain::{BlockHash, EnvelopeId, EvidenceId, KeyId, Tip, UnixMicros, UserKey, sha256};
    use crate::evidence::{CandidateRule, OcMeKind, PayoutBinding};
    use crate::verify::{SignedEnvelope, Verified};

    /// A payout binding of that time.
    fn signed_at(set: &mut VerifiedSet, at: i64) {
        let id = EnvelopeId(sha256(at.to_string().as_bytes()));
        let body = OcMeBody::PayoutBinding(PayoutBinding {
            user: UserKey::from("u"),
            destination: "a@b".to_owned(),
            created_at: UnixMicros::from(UnixSeconds(at)),
        });
        let (kind, rule, kid) = (OcMeKind::PayoutBinding, CandidateRule::Verbatim, KeyId::from("k"));
        let fact = SignedEnvelope { id, kind, kid, rule, body: std::sync::Arc::new(body) };
        set.envelopes.insert(id, Verified::assumed(fact, EvidenceId(id.0)));
    }

    #[test]
    fn a_claim_of_the_future_never_decides_the_default_whatever_the_clock() {
        let mut set = VerifiedSet::default();
        for at in [1_780_000_000, 1_780_000_500, 253_402_214_400] {
            signed_at(&mut set, at);
        }
        for (clock, wanted) in [
            (1_780_000_500, 1_780_000_500),
            (1_790_000_000, 1_780_000_500),
            (1_900_000_000, 1_780_000_500),
            // What the clock has not reached is the future of that clock.
            (1_780_000_499, 1_780_000_000),
            (253_402_214_400, 253_402_214_400),
            (1_700_000_000, 0),
        ] {
            assert_eq!(as_of_from_evidence(&set, UnixSeconds(clock)), UnixSeconds(wanted), "{clock}");
            let derived = Derived::of(&set, UnixSeconds(clock));
            for later in [clock, 1_780_000_000, 1_780_000_499, 1_780_000_500, 1_800_000_000, 253_402_214_400] {
                let known = derived.by(UnixSeconds(later));
                let anew = as_of_from_evidence(&set, UnixSeconds(later));
                assert!(known.is_none_or(|known| known == anew), "{clock} {later}");
                assert!(known.is_some() || anew != UnixSeconds(wanted), "{clock} {later}: it would be the same");
            }
        }
        set.tip = Some(Tip { height: BlockHeight(9), hash: BlockHash([0; 32]), time: UnixSeconds(1_785_000_000) });
        assert_eq!(as_of_from_evidence(&set, UnixSeconds(1_790_000_000)), UnixSeconds(1_785_000_000));
    }

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
