//! Bindings of a principal, a Bitcoin address and a Nostr key: the codes of FORMATS 7.6, the first one wins.

use super::SignedBinding;
use super::bip322::{self, Bip322Failure};
use crate::domain::{Code, EvidenceId, Finding, PublicKey32, Subject, sha256};
use crate::evidence::binding::{E_BAD_SCHEME, E_FIELD_MISMATCH};
use crate::evidence::{BindingClaim, BindingMessage};

/// Judges a binding carried by an event of `event_key`, whose own id and signature (`E_NOSTR_ID_INVALID`,
/// `E_NOSTR_SIG_INVALID`) are judged as for every event. `E_EXPIRED` depends on the as-of and is not judged here.
///
/// # Errors
/// One `ATT_ID`, `ATT_FIELDS`, `ATT_SIG` or `ATT_SCRIPT`; the specification's name stands in `observed`.
pub fn judge(
    claim: &BindingClaim,
    event_key: &PublicKey32,
    carrier: EvidenceId,
) -> Result<SignedBinding, Vec<Finding>> {
    match check(claim, event_key) {
        Ok(message) => Ok(SignedBinding { id: claim.declared_id, message: message.clone() }),
        Err(refusal) => {
            let mut finding = Finding::new(refusal.code, Subject::new("binding", claim.declared_id))
                .with_values(refusal.expected, refusal.name)
                .with_evidence(carrier, "carrier");
            if let Some(explanation) = refusal.explanation {
                finding = finding.with_explanation(explanation);
            }
            Err(vec![finding])
        }
    }
}

struct Refusal {
    code: Code,
    name: &'static str,
    expected: String,
    explanation: Option<String>,
}

impl Refusal {
    fn new(code: Code, name: &'static str, expected: impl Into<String>) -> Self {
        Self { code, name, expected: expected.into(), explanation: None }
    }
}

/// The order of the specification: parse, id, field, network, scheme, Bitcoin signature, Nostr key.
fn check<'c>(claim: &'c BindingClaim, event_key: &PublicKey32) -> Result<&'c BindingMessage, Refusal> {
    // These two are found while decoding, but rank behind the id.
    if let Err(code) = claim.parsed
        && !matches!(code, E_FIELD_MISMATCH | E_BAD_SCHEME)
    {
        return Err(Refusal::new(Code::AttFields, code, "a canonical binding message"));
    }
    let hash = sha256(claim.message.as_bytes());
    if hash != claim.declared_id.0 {
        return Err(Refusal::new(Code::AttId, "E_ID_MISMATCH", hash.to_hex()));
    }
    let contradiction = |code: &&'static str| Refusal::new(Code::AttFields, code, "members that repeat the message");
    let message = claim.parsed.as_ref().map_err(contradiction)?;
    let network = message.extensions.get("network").map(String::as_str);
    if let Err(failure) =
        bip322::verify_single_key(&message.btc, claim.message.as_bytes(), &claim.btc_signature, network)
    {
        return Err(bitcoin_refusal(failure));
    }
    if message.nostr_key != *event_key {
        return Err(Refusal::new(Code::AttSig, "E_NOSTR_KEY_MISMATCH", message.npub.as_str()));
    }
    Ok(message)
}

fn bitcoin_refusal(failure: Bip322Failure) -> Refusal {
    let (code, name) = match failure {
        Bip322Failure::Network => (Code::AttSig, "E_NETWORK"),
        Bip322Failure::Invalid | Bip322Failure::Decode => (Code::AttSig, "E_BTC_SIG_INVALID"),
        Bip322Failure::UnsupportedScript | Bip322Failure::Inconclusive => (Code::AttScript, "E_BTC_SIG_INVALID"),
    };
    Refusal {
        explanation: Some(failure.status().to_owned()),
        ..Refusal::new(code, name, "a BIP-322 signature by the bound address")
    }
}
