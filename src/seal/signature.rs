//! Who may seal, and whether a signature holds (docs/checkpoint.md, section 3).

use std::collections::BTreeSet;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::domain::{Finding, PublicKey32};

/// Whose seals count.
#[derive(Debug, Clone, Copy)]
pub enum SealTrust<'k> {
    /// Only these keys, whatever a document says about itself.
    Keys(&'k BTreeSet<PublicKey32>),
    /// Any key that signs: shows that nothing was changed since, not who sealed it.
    Anyone,
}

impl<'k> SealTrust<'k> {
    /// The keys of a policy; a policy without any vouches for nobody, and then only integrity can be told.
    pub fn of(keys: &'k BTreeSet<PublicKey32>) -> Self {
        if keys.is_empty() { Self::Anyone } else { Self::Keys(keys) }
    }

    /// True when somebody was named.
    pub fn vouches(self) -> bool {
        matches!(self, Self::Keys(_))
    }
}

/// How every finding about a signature that does not count begins.
const MISMATCH: &str = "signature_mismatch";

/// Why a seal does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSeal {
    /// The key is none of the trusted ones.
    Untrusted,
    /// The key is trusted, and not for this place in the chain.
    OutOfTerm,
    /// The signature fails under the key that it names.
    Mismatch,
}

impl BadSeal {
    /// In words, which begin with `signature_mismatch`.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Untrusted => "signature_mismatch: the key is not trusted",
            Self::OutOfTerm => "signature_mismatch: the key is trusted for other checkpoints",
            Self::Mismatch => "signature_mismatch: the signature does not hold",
        }
    }
}

/// True for a finding that says a seal's signature does not count, whichever document it is on.
pub fn is_signature_failure(finding: &Finding) -> bool {
    finding.observed.starts_with(MISMATCH)
}

/// Judges the signature over the tagged bytes. Strict as for settlements: small-order keys and non-canonical scalars fail,
/// so that two auditors can't differ about an odd one.
pub(super) fn check(
    trust: SealTrust<'_>,
    tag: &str,
    bytes: &[u8],
    key: &PublicKey32,
    sig: &[u8; 64],
) -> Result<(), BadSeal> {
    if let SealTrust::Keys(keys) = trust
        && !keys.contains(key)
    {
        return Err(BadSeal::Untrusted);
    }
    let signed = tagged(tag, bytes);
    let key = VerifyingKey::from_bytes(key.as_bytes()).map_err(|_| BadSeal::Mismatch)?;
    key.verify_strict(&signed, &Signature::from_bytes(sig)).map_err(|_| BadSeal::Mismatch)
}

/// What is signed: tag and bytes, each after its length. No document of one kind can be passed off as one of another.
pub fn tagged(tag: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + tag.len() + bytes.len());
    for field in [tag.as_bytes(), bytes] {
        // A slice's length always fits 64 bits.
        out.extend((field.len() as u64).to_be_bytes());
        out.extend(field);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    #[test]
    fn a_seal_holds_for_its_key_its_tag_and_its_bytes_only() {
        let pen = SigningKey::from_bytes(&[9; 32]);
        let key = PublicKey32::from_bytes(pen.verifying_key().to_bytes());
        let other = PublicKey32::from_bytes(SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes());
        let message = b"\0\0\0\0\0\0\0\x01t\0\0\0\0\0\0\0\x04body".to_vec();
        let sig = pen.sign(&message).to_bytes();
        let (trusted, others) = (BTreeSet::from([key]), BTreeSet::from([other]));
        let keys = SealTrust::of(&trusted);
        assert_eq!(check(keys, "t", b"body", &key, &sig), Ok(()));
        assert_eq!(check(SealTrust::Anyone, "t", b"body", &key, &sig), Ok(()));
        assert_eq!(check(SealTrust::of(&others), "t", b"body", &key, &sig), Err(BadSeal::Untrusted));
        assert_eq!(check(keys, "u", b"body", &key, &sig), Err(BadSeal::Mismatch));
        assert_eq!(check(keys, "t", b"bodY", &key, &sig), Err(BadSeal::Mismatch));
        assert_eq!(check(SealTrust::Anyone, "t", b"body", &other, &sig), Err(BadSeal::Mismatch));
        // The key of order one: it would "sign" anything.
        let small = PublicKey32::from_bytes({
            let mut bytes = [0; 32];
            bytes[0] = 1;
            bytes
        });
        let mut forged = [0; 64];
        forged[0] = 1;
        assert_eq!(check(SealTrust::Anyone, "t", b"body", &small, &forged), Err(BadSeal::Mismatch));
    }
}
