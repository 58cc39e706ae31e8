//! The acceptance procedure for OC Me artifacts (FORMATS 3.1, steps 2 to 5): content address, signature, then fields.

use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_dalek::{Signature, VerifyingKey};

use super::batch::Ed25519Check;
use super::genuine::envelope_mark;
use super::keys::{KeyLookup, KeyRing};
use super::{Fate, Genuine, KnownKey, SignedEnvelope};
use crate::domain::{Code, Digest32, EvidenceId, Finding, KeyId, NostrEventId, Subject, sha256};
use crate::evidence::{BodyError, CandidateRule, EnvelopeCarrier, Named, signed_members};

/// An envelope that is not counted: what became of it, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `Pending` when only a key set is missing, `Quarantined` when it is genuine but can't be read, else `Rejected`.
    pub fate: Fate,
    /// Why.
    pub finding: Finding,
}

/// Judges one carrier. `event` names the Nostr event that it came in, if any; `signed` is there where its [`signature`] holds: the place
/// of the candidate that hashes to the id.
///
/// # Errors
/// [`Refusal`] with the first step that fails. Nothing beside the signed bytes makes an envelope acceptable.
pub fn judge(
    carrier: &EnvelopeCarrier,
    (ring, genuine): (&KeyRing, &Genuine),
    evidence: EvidenceId,
    event: Option<NostrEventId>,
    signed: Option<usize>,
) -> Result<SignedEnvelope, Box<Refusal>> {
    accept(carrier, (ring, genuine), signed).map_err(|no| {
        let subject = Subject::new("envelope", carrier.declared_id);
        let subject = match event {
            Some(event) => subject.and("event", event),
            None => subject.and("evidence", evidence),
        };
        let finding = Finding::new(no.code, subject).with_values(no.expected, no.observed);
        Box::new(Refusal {
            fate: no.fate,
            finding: finding.with_evidence(evidence, "carrier").with_explanation(no.explanation),
        })
    })
}

/// The key id under which the bytes of a carrier's id are signed: whatever they say, and whether or not they count.
pub fn signer(carrier: &EnvelopeCarrier, keys: &BTreeMap<KeyId, KnownKey>) -> Option<KeyId> {
    let bytes = carrier.named()?.bytes;
    let (sig, kid) = (carrier.sig.as_ref()?, carrier.kid.as_ref()?);
    let published = keys.get(kid).filter(|known| known.envelope)?;
    let key = VerifyingKey::from_bytes(published.key.as_bytes()).ok()?;
    key.verify_strict(bytes, &Signature::from_bytes(sig)).is_ok().then(|| kid.clone())
}

/// The bytes of a carrier's id, its signature, and the keys that it may be by; `None` where one of them is not to be had.
fn offered<'c, 'r>(
    carrier: &'c EnvelopeCarrier,
    ring: &'r KeyRing,
) -> Option<(Named<'c>, &'c [u8; 64], &'r [VerifyingKey])> {
    Some((carrier.named()?, carrier.sig.as_ref()?, keys(carrier, carrier.kid.as_ref()?, ring).ok()?))
}

/// The signature of a carrier under each key that it may be by, each with its mark; none where there is nothing to check, or one of
/// them is known already.
pub(super) fn unknown_signatures<'c>(
    carrier: &'c EnvelopeCarrier,
    ring: &KeyRing,
    is_known: impl Fn(Digest32) -> bool,
) -> Vec<(Digest32, Ed25519Check<'c>)> {
    let Some((Named { bytes: message, .. }, signature, keys)) = offered(carrier, ring) else { return Vec::new() };
    let marked = |key: &VerifyingKey| {
        let check = Ed25519Check { key: key.to_bytes(), message, signature: *signature };
        (envelope_mark(key.as_bytes(), carrier, signature), check)
    };
    let marked: Vec<_> = keys.iter().map(marked).collect();
    if marked.iter().any(|(mark, _)| is_known(*mark)) { Vec::new() } else { marked }
}

struct No {
    code: Code,
    fate: Fate,
    expected: String,
    observed: String,
    explanation: &'static str,
}

impl No {
    fn new(code: Code, expected: impl Into<String>, observed: impl Into<String>, explanation: &'static str) -> Self {
        Self { code, fate: Fate::Rejected, expected: expected.into(), observed: observed.into(), explanation }
    }

    fn with_fate(self, fate: Fate) -> Self {
        Self { fate, ..self }
    }
}

/// The place of a carrier's signed bytes among its candidates, and the one signature that decides over it (key, signed bytes, signature),
/// unless that is known already. `None` where another step or more than one key decides.
pub(super) fn signature<'c>(
    carrier: &'c EnvelopeCarrier,
    (ring, genuine): (&KeyRing, &Genuine),
) -> Option<(usize, Option<Ed25519Check<'c>>)> {
    let (Named { place, bytes: message, .. }, signature, keys) = offered(carrier, ring)?;
    let [key] = keys else { return None };
    let is_known = genuine.knows_envelope(key.as_bytes(), carrier, signature);
    Some((place, (!is_known).then(|| Ed25519Check { key: key.to_bytes(), message, signature: *signature })))
}

fn accept(
    carrier: &EnvelopeCarrier,
    (ring, genuine): (&KeyRing, &Genuine),
    signed: Option<usize>,
) -> Result<SignedEnvelope, No> {
    if let Some(key) = &carrier.duplicate_key {
        return Err(No::new(Code::EnvDuplicateKey, "distinct keys", key, "the carrier can be read two ways"));
    }
    let Named { rule, bytes, body, .. } = addressed(carrier)?;
    let (Some(sig), Some(kid)) = (&carrier.sig, &carrier.kid) else {
        let missing = if carrier.kid.is_some() { "no readable signature" } else { "no kid" };
        return Err(No::new(Code::EnvUnsigned, "a signature and a kid", missing, "not signed, so not counted"));
    };
    let keys = keys(carrier, kid, ring)?;
    let signature = Signature::from_bytes(sig);
    // verify_strict: one signature has one reading, whatever library the signer used.
    let holds = |key: &VerifyingKey| {
        genuine.knows_envelope(key.as_bytes(), carrier, sig) || key.verify_strict(bytes, &signature).is_ok()
    };
    if signed.is_none() && !keys.iter().any(holds) {
        return Err(No::new(
            Code::EnvSigBad,
            format!("a signature under {kid}"),
            "one that does not verify",
            "Ed25519 over the canonical bytes fails",
        ));
    }
    if let Err(error @ BodyError::DuplicateKey(_)) = body {
        return Err(No::new(
            Code::EnvDuplicateKey,
            "distinct keys",
            error.to_string(),
            "the signed bytes can be read two ways",
        ));
    }
    wrapper_agrees(carrier, rule, bytes)?;
    let body = Arc::clone(body.as_ref().map_err(unreadable)?);
    Ok(SignedEnvelope { id: carrier.declared_id, kind: carrier.kind, kid: kid.clone(), rule, body })
}

/// Step 2: the first candidate that hashes to the declared id.
fn addressed(carrier: &EnvelopeCarrier) -> Result<Named<'_>, No> {
    carrier.named().ok_or_else(|| {
        let first = carrier.candidates.tried().first();
        No::new(
            Code::EnvAddressMismatch,
            carrier.declared_id.to_string(),
            first.map(|(_, bytes)| sha256(bytes).to_string()).unwrap_or_default(),
            "no byte candidate hashes to the declared id",
        )
    })
}

/// Step 3, the key: one or more keys that the envelope host published under this kid.
fn keys<'r>(carrier: &EnvelopeCarrier, kid: &KeyId, ring: &'r KeyRing) -> Result<&'r [VerifyingKey], No> {
    const EXPECTED: &str = "Ed25519";
    if let Some(offer) = &carrier.alg
        && !offer.split('/').all(|part| part == "EdDSA" || part == EXPECTED)
    {
        return Err(No::new(Code::KeyAlg, EXPECTED, offer, "the carrier offers another algorithm"));
    }
    match ring.lookup(kid) {
        KeyLookup::Envelope(keys) => {
            let none = || unknown(kid, "the published key is not a point of the curve");
            if keys.is_empty() { Err(none()) } else { Ok(keys) }
        }
        KeyLookup::Other(offers) => {
            let offers: Vec<&str> = offers.iter().map(String::as_str).collect();
            Err(No::new(Code::KeyAlg, EXPECTED, offers.join("; "), "the kid names a key of another algorithm"))
        }
        KeyLookup::AuthOnly => Err(No::new(
            Code::KeyWrongSet,
            "a key of the envelope host",
            kid.as_str(),
            "the kid stands in the auth host's set only, whose keys do not sign envelopes",
        )),
        KeyLookup::Unknown => Err(unknown(kid, "the kid stands in no captured key set")),
    }
}

fn unknown(kid: &KeyId, explanation: &'static str) -> No {
    No::new(Code::KeyUnknown, "a published key", kid.as_str(), explanation).with_fate(Fate::Pending)
}

/// Step 4: an unsigned member that also stands in the signed bytes must say the same.
fn wrapper_agrees(carrier: &EnvelopeCarrier, rule: CandidateRule, bytes: &[u8]) -> Result<(), No> {
    if carrier.wrapper.is_empty() || rule.is_carrier_itself() {
        return Ok(());
    }
    let signed = signed_members(bytes).unwrap_or_default();
    let declared = format!("\"{}\"", carrier.declared_id);
    for (name, shown) in &carrier.wrapper {
        let (inner, plain) = match name.split_once('.') {
            Some((inner @ ("envelope" | "event" | "attestation"), plain)) => (inner, plain),
            Some(_) | None => ("", name.as_str()),
        };
        // An inner object that is itself signed is no wrapper.
        if signed.contains_key(inner) {
            continue;
        }
        let truth = if plain == "id" && !signed.contains_key("id") { Some(&declared) } else { signed.get(plain) };
        if let Some(truth) = truth.filter(|truth| *truth != shown) {
            return Err(No::new(
                Code::EnvWrapperDisagrees,
                format!("{plain} {truth}"),
                format!("{plain} {shown}"),
                "an unsigned member contradicts the signed bytes",
            ));
        }
    }
    Ok(())
}

fn unreadable(error: &BodyError) -> No {
    let schema = |expected: String, observed: String| {
        No::new(Code::EnvSchema, expected, observed, "genuine, but its fields can't be read: kept, not counted")
    };
    match error {
        BodyError::DuplicateKey(_) => {
            schema("readable fields".to_owned(), error.to_string()).with_fate(Fate::Quarantined)
        }
        BodyError::Schema { member, expected, found } => {
            schema(format!("{member}: {expected}"), format!("{member} is {found}")).with_fate(Fate::Quarantined)
        }
        BodyError::Amount { .. } => No::new(
            Code::AmtRange,
            "whole satoshi within the supply",
            error.to_string(),
            "a signed amount that can't be",
        ),
        BodyError::Kind(_) => No::new(
            Code::EvtKindMismatch,
            "the artifact of the d tag",
            error.to_string(),
            "the signed kind is of another artifact",
        )
        .with_fate(Fate::Quarantined),
    }
}
