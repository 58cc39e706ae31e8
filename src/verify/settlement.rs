//! Settlements: the signature first, then whether the key is one we pinned, then what the preimage proves.

use super::SignedSettlement;
use super::batch::Ed25519Check;
use crate::domain::{Code, Digest32, EvidenceId, Finding, Subject, TrustPolicy, sha256};
use crate::evidence::{SettlementClaim, SettlementEvent};

/// Judges one settlement (FORMATS 6.1, TREASURY 2.7). The answer is empty when the signature fails or the key is not
/// pinned for the federation at `settled_at`: the key that comes with a record is never trusted by itself.
///
/// A settlement with a bad preimage is still a signed statement: it is accepted, PRE_INVALID stands beside it, and
/// `preimage_proven` is false. What a kind requires, its direction and repeated operation ids are reconciled later.
/// SIG_UNSIGNED_FIELDS is found while decoding. `signed` tells that the [`signature`] is known to hold.
pub fn judge(
    claim: &SettlementClaim,
    carrier: EvidenceId,
    policy: &TrustPolicy,
    signed: bool,
) -> (Option<SignedSettlement>, Vec<Finding>) {
    let digest = sha256(&claim.canonical);
    let event = &claim.event;
    let found = |code: Code| {
        let subject = Subject::new("settlement", digest)
            .and("federation", &event.federation)
            .and("operation", &event.operation)
            .and("key", claim.pubkey);
        Finding::new(code, subject).with_evidence(carrier, "carrier")
    };
    if !signed && !signature(claim).holds() {
        let finding = found(Code::SigBad)
            .with_values("an Ed25519 signature over the canonical bytes", faster_hex::hex_string(&claim.sig))
            .with_explanation("the signature fails under the record's own key; the settlement is not counted");
        return (None, vec![finding]);
    }
    let Some(pin) = policy.settlement_key(&event.federation, &claim.pubkey, event.settled_at) else {
        let finding = found(Code::SigKeyUnknown)
            .with_values(format!("a key pinned for {} at {}", event.federation, event.settled_at), claim.pubkey)
            .with_explanation("the signature is valid, but nobody vouched for its key; the settlement is not counted");
        return (None, vec![finding]);
    };
    let preimage = preimage(event);
    let findings = match &preimage {
        Err((expected, observed)) => vec![
            found(Code::PreInvalid)
                .with_values(expected, observed)
                .with_explanation("the preimage proves no payment of this hash"),
        ],
        Ok(_) => Vec::new(),
    };
    let settlement =
        SignedSettlement { event: event.clone(), digest, key: pin.key, preimage_proven: preimage == Ok(true) };
    (Some(settlement), findings)
}

/// What has to hold by strict verification (RFC 8032 with the cofactorless equation; small-order keys and non-canonical scalars fail),
/// so that two auditors can't disagree about an odd signature.
pub(super) fn signature(claim: &SettlementClaim) -> Ed25519Check<'_> {
    Ed25519Check { key: *claim.pubkey.as_bytes(), message: &claim.canonical, signature: claim.sig }
}

/// Whether a preimage was shown and hashes to the payment hash; otherwise what was expected and what was there.
fn preimage(event: &SettlementEvent) -> Result<bool, (String, String)> {
    let Some(preimage) = &event.preimage else { return Ok(false) };
    // Preimages and digests both are 32 bytes of hex.
    let Ok(preimage) = preimage.parse::<Digest32>() else {
        return Err(("a preimage of 64 hex digits".to_owned(), preimage.clone()));
    };
    let Some(payment_hash) = &event.payment_hash else {
        return Err(("the payment hash that the preimage belongs to".to_owned(), "none".to_owned()));
    };
    let hash = sha256(preimage.as_bytes());
    match payment_hash.parse::<Digest32>() {
        Ok(declared) if declared == hash => Ok(true),
        _ => Err((hash.to_string(), payment_hash.clone())),
    }
}

#[cfg(test)]
mod tests;
