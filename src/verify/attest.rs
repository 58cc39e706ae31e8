//! Attestations: id, members against the message, BIP-322 (FORMATS 7.1 to 7.4); guardian quorum for federated ones (8.3).

use std::collections::BTreeMap;

use super::bip322::{self, Bip322Failure};
use super::quorum::{self, Vote};
use super::{ClaimedAttestation, KnownDescriptor, SignedAttestation, Verified};
use crate::domain::{Code, DescriptorId, EvidenceId, Finding, Subject, sha256};
use crate::evidence::attest::{FEDERATION_SCHEME, federated_proof};
use crate::evidence::{AttestationClaim, AttestationMessage, DescriptorForm};

/// Judges an attestation that one key signs. A federated one is listed as `ATT_SCRIPT`: it needs [`judge_federated`].
///
/// # Errors
/// Every `ATT_ID`, `ATT_FIELDS` and `ATT_SIG` or `ATT_SCRIPT` that applies; the status of FORMATS 7.4 stands in `observed`.
pub fn judge(claim: &AttestationClaim, carrier: EvidenceId) -> Result<SignedAttestation, Vec<Finding>> {
    let mut findings = contradictions(claim, carrier);
    if let Ok(message) = &claim.parsed {
        findings.extend(signature_finding(claim, message, carrier));
    }
    conclude(claim, findings)
}

/// Judges an attestation with `custody: "federation"`: at least M distinct guardians of the named descriptor over the same
/// canonical message, the descriptor's address being the attested one. Any other attestation goes to [`judge`].
///
/// # Errors
/// As [`judge`]; `UNVERIFIABLE` when the descriptor is not known, `ATT_SIG` below the threshold.
pub fn judge_federated(
    claim: &AttestationClaim,
    descriptors: &BTreeMap<DescriptorId, Verified<KnownDescriptor>>,
    carrier: EvidenceId,
) -> Result<SignedAttestation, Vec<Finding>> {
    if claim.scheme != FEDERATION_SCHEME {
        return judge(claim, carrier);
    }
    let mut findings = contradictions(claim, carrier);
    if let Ok(message) = &claim.parsed {
        findings.extend(quorum_finding(claim, message, descriptors, carrier));
    }
    conclude(claim, findings)
}

/// What remains of an attestation that does not hold: the word of its Nostr event.
pub(super) fn claimed(claim: &AttestationClaim, findings: &[Finding]) -> ClaimedAttestation {
    ClaimedAttestation {
        id: claim.declared_id,
        digest: sha256(claim.message.as_bytes()),
        message: claim.parsed.as_ref().ok().cloned(),
        reasons: findings.iter().map(|finding| finding.code).collect(),
    }
}

fn conclude(claim: &AttestationClaim, findings: Vec<Finding>) -> Result<SignedAttestation, Vec<Finding>> {
    match &claim.parsed {
        Ok(message) if findings.is_empty() => {
            Ok(SignedAttestation { id: claim.declared_id, message: message.clone(), scheme: claim.scheme.clone() })
        }
        // A message that does not parse always has a finding: see `contradictions`.
        _ => Err(findings),
    }
}

fn finding(code: Code, claim: &AttestationClaim, carrier: EvidenceId) -> Finding {
    Finding::new(code, Subject::new("attestation", claim.declared_id)).with_evidence(carrier, "carrier")
}

/// What the claim says against itself, signature aside.
fn contradictions(claim: &AttestationClaim, carrier: EvidenceId) -> Vec<Finding> {
    let mut findings = Vec::new();
    let hash = sha256(claim.message.as_bytes());
    if hash != claim.declared_id.0 {
        findings.push(
            finding(Code::AttId, claim, carrier)
                .with_values(hash, claim.declared_id)
                .with_explanation("invalid_attestation_id: the declared id is not the hash of the message"),
        );
    }
    if let Err(reason) = &claim.parsed {
        findings.push(
            finding(Code::AttFields, claim, carrier)
                .with_values("a canonical attestation message", format!("decode_error: {reason}"))
                .with_explanation("the message is not in canonical form"),
        );
    }
    for (member, in_message, in_member) in &claim.mismatches {
        let code = if member == "attestation_id" { Code::AttId } else { Code::AttFields };
        let status = if member == "scheme" { "invalid_scheme: " } else { "" };
        let mut mismatch = finding(code, claim, carrier)
            .with_values(in_message, format!("{status}{in_member}"))
            .with_explanation("a member of the envelope contradicts the signed message");
        mismatch.subject = mismatch.subject.and("member", member);
        findings.push(mismatch);
    }
    findings
}

fn signature_finding(claim: &AttestationClaim, message: &AttestationMessage, carrier: EvidenceId) -> Option<Finding> {
    let expected = "a BIP-322 signature by the attested address";
    let script = |observed: &str| finding(Code::AttScript, claim, carrier).with_values(expected, observed);
    match claim.scheme.as_str() {
        "bip322" | "legacy" => {}
        FEDERATION_SCHEME => {
            return Some(
                script("custody: federation").with_explanation("signed by guardians, of which no descriptor was given"),
            );
        }
        // An unknown scheme is a contradiction already.
        _ => return None,
    }
    let network = message.extensions.get("network").map(String::as_str);
    let failure =
        bip322::verify_by_scheme(&claim.scheme, &message.address, claim.message.as_bytes(), &claim.signature, network)
            .err()?;
    Some(match failure {
        Bip322Failure::UnsupportedScript | Bip322Failure::Inconclusive => {
            script(failure.status()).with_explanation("not counted: the signature is of a type that is not judged")
        }
        Bip322Failure::Invalid | Bip322Failure::Decode | Bip322Failure::Network => {
            finding(Code::AttSig, claim, carrier)
                .with_values(expected, failure.status())
                .with_explanation("the signature does not sign the message for the address")
        }
    })
}

fn quorum_finding(
    claim: &AttestationClaim,
    message: &AttestationMessage,
    descriptors: &BTreeMap<DescriptorId, Verified<KnownDescriptor>>,
    carrier: EvidenceId,
) -> Option<Finding> {
    let (federation, proof) = match federated_proof(claim) {
        Ok(read) => read,
        Err(reason) => {
            return Some(
                finding(Code::AttFields, claim, carrier)
                    .with_values("federation and proof", format!("decode_error: {reason}")),
            );
        }
    };
    let Some(descriptor) = descriptors.get(&federation).map(Verified::fact) else {
        return Some(
            finding(Code::Unverifiable, claim, carrier)
                .with_values(format!("descriptor fed:{federation}"), "unknown")
                .with_explanation("the guardian descriptor was not among the evidence"),
        );
    };
    if descriptor.form != DescriptorForm::Custody || descriptor.address.as_ref() != Some(&message.address) {
        return Some(
            finding(Code::AttFields, claim, carrier)
                .with_values(format!("descriptor of {}", message.address), format!("fed:{federation}"))
                .with_explanation("the named descriptor governs another address"),
        );
    }
    let network = message.extensions.get("network").map(String::as_str);
    let votes: Vec<Vote<'_>> = proof
        .iter()
        .map(|listed| Vote {
            signer: &listed.address,
            valid: descriptor.guardians.contains(&listed.address)
                && bip322::verify_single_key(&listed.address, claim.message.as_bytes(), &listed.sig, network).is_ok(),
        })
        .collect();
    let count = quorum::count_custody(&descriptor.guardians, &votes);
    (!count.reaches(descriptor.threshold)).then(|| {
        finding(Code::AttSig, claim, carrier)
            .with_values(format!("{} distinct valid guardian signatures", descriptor.threshold), count.valid.len())
            .with_explanation("below the threshold of the guardian descriptor")
    })
}
