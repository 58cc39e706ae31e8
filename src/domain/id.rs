//! Newtypes for everything that names something. Fixed-width ids print as lower-case hex.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::digest::Digest32;
use super::packed_newtype;

/// A text that is not the hex of the expected width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not {expected} hex digits")]
pub struct HexError {
    /// How many hex digits were wanted.
    pub expected: usize,
}

/// Decodes exactly `2 * N` hex digits.
pub(crate) fn decode_hex<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let mut out = [0_u8; N];
    if text.len() != 2 * N {
        return Err(HexError { expected: 2 * N });
    }
    faster_hex::hex_decode(text.as_bytes(), &mut out).map_err(|_| HexError { expected: 2 * N })?;
    Ok(out)
}

macro_rules! digest_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Digest32);

        packed_newtype!($name);
        impl $name {
            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] { self.0.as_bytes() }
            /// Wraps 32 bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self { Self(Digest32(bytes)) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(&self.0, f) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(&self.0, f) }
        }
        impl FromStr for $name {
            type Err = HexError;
            fn from_str(text: &str) -> Result<Self, HexError> { Digest32::from_hex(text).map(Self) }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { self.0.serialize(s) }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Digest32::deserialize(d).map(Self)
            }
        }
    };
}

digest_id!(
    /// Content address of one piece of raw evidence: media, subject and bytes (see `RawEvidence::id`).
    EvidenceId
);
digest_id!(
    /// sha256 of an OC Me envelope's canonical bytes (FORMATS 3.1).
    EnvelopeId
);
digest_id!(
    /// NIP-01 event id.
    NostrEventId
);
digest_id!(
    /// sha256 of an attestation message (FORMATS 7.1).
    AttestationId
);
digest_id!(
    /// sha256 of a binding message (FORMATS 7.6).
    BindingId
);
digest_id!(
    /// sha256 of a guardian descriptor's canonical lines (FORMATS 8.1), without the `fed:` prefix.
    DescriptorId
);
digest_id!(
    /// sha256 of a Lightning preimage.
    PaymentHash
);
digest_id!(
    /// A 32-byte public key: x-only secp256k1 or Ed25519, as the context says.
    PublicKey32
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        packed_newtype!($name);
        impl $name {
            /// The text as received.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Debug::fmt(&self.0, f) }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str { &self.0 }
        }
        impl From<Arc<str>> for $name {
            fn from(text: Arc<str>) -> Self { Self(text) }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self { Self(text.into()) }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self { Self(text.into()) }
        }
    };
}

text_id!(
    /// A settlement's idempotency key; a Fedimint operation id is 64 hex digits (TREASURY 2.1).
    OperationId
);
text_id!(
    /// An integrator project (`pk_live_...`).
    ProjectKey
);
text_id!(
    /// A user as the envelope names it: an address or `did:oc:...`; opaque.
    UserKey
);
text_id!(
    /// A JWKS key id.
    KeyId
);
text_id!(
    /// A federation's slug, for example `oc-me-v1`.
    FederationSlug
);
text_id!(
    /// A drop window id (`w_...`).
    WindowId
);
text_id!(
    /// A site's domain as the envelope spells it.
    SiteName
);
text_id!(
    /// What was billed: a subtype of the published list or a project's custom event key (FORMATS 4.4).
    Subtype
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_prints_what_it_parses() {
        let text = "139b228a4ee681e35722b6c4f9cf99023eb33df8982765486b23a9535fc80288";
        assert_eq!(text.parse::<EnvelopeId>().unwrap().to_string(), text);
        assert!("139b".parse::<EnvelopeId>().is_err());
        assert!("zz9b228a4ee681e35722b6c4f9cf99023eb33df8982765486b23a9535fc80288".parse::<EnvelopeId>().is_err());
    }
}
