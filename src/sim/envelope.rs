//! Signed OC Me envelopes (FORMATS 3.1): canonical bytes, their digest, an Ed25519 signature over the bytes.

use super::json::Object;
use super::keys::Ed25519Key;
use super::time::{MONTHS, Millis, seconds};
use crate::domain::{EnvelopeId, KeyId, UnixSeconds, sha256};

/// The OC Me artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Artifact {
    /// Billable event.
    Event,
    /// Payment.
    Payment,
    /// Custody transition.
    Rebind,
    /// Trust attestation.
    Trust,
    /// Payout destination.
    PayoutBinding,
    /// Distribution batch.
    Distribution,
    /// Drop manifest.
    Drop,
    /// Activity attestation.
    Activity,
}

impl Artifact {
    /// The `kind` member and, with a colon, the `d` prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "oc-me-event",
            Self::Payment => "oc-me-payment",
            Self::Rebind => "oc-me-rebind",
            Self::Trust => "oc-me-trust",
            Self::PayoutBinding => "oc-me-payout-binding",
            Self::Distribution => "oc-me-distribution",
            Self::Drop => "oc-me-drop",
            Self::Activity => "oc-me-activity",
        }
    }

    /// Sources disagree whether canonical bytes are sorted (RFC 8785) or in declaration order: the world has both.
    const fn is_sorted(self) -> bool {
        matches!(self, Self::Drop | Self::PayoutBinding | Self::Trust)
    }
}

/// A signed envelope.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// What it is.
    pub kind: Artifact,
    /// sha256 of the canonical bytes.
    pub id: EnvelopeId,
    /// The time it claims.
    pub at: UnixSeconds,
    /// The bytes that are hashed and signed.
    pub canonical: Vec<u8>,
    /// Ed25519 signature over the bytes, 128 hex digits.
    pub signature: String,
    /// The key that signed.
    pub kid: KeyId,
    /// The members in declaration order.
    pub(super) members: Object,
}

/// The envelope keys of three generations: the second took over at the beginning of July, the third of August.
pub(super) struct Mint {
    pub(super) keys: [Ed25519Key; 3],
}

impl Mint {
    /// The names of the keys.
    pub(super) const LABELS: [&'static str; 3] = ["env-2026-05", "env-2026-07", "env-2026-08"];

    /// Signs an artifact. `members` come in declaration order and without `v` and `kind`.
    pub(super) fn sign(&self, kind: Artifact, v: u8, at: Millis, members: &Object) -> Envelope {
        self.seal(Unsigned::new(kind, v, at, members))
    }

    /// Signs what was written before.
    pub(super) fn seal(&self, unsigned: Unsigned) -> Envelope {
        let Unsigned { kind, at, id, canonical, members } = unsigned;
        let [_, july, august, ..] = MONTHS;
        let [first, second, third] = &self.keys;
        let key = if at < july {
            first
        } else if at < august {
            second
        } else {
            third
        };
        let at = UnixSeconds(seconds(at));
        Envelope {
            kind,
            id,
            at,
            signature: key.sign(&canonical),
            canonical,
            kid: KeyId::from(key.kid.clone()),
            members,
        }
    }
}

/// An artifact before it is signed: its id is known already.
pub(super) struct Unsigned {
    pub(super) kind: Artifact,
    pub(super) at: Millis,
    pub(super) id: EnvelopeId,
    canonical: Vec<u8>,
    members: Object,
}

impl Unsigned {
    /// `members` come in declaration order and without `v` and `kind`.
    pub(super) fn new(kind: Artifact, v: u8, at: Millis, members: &Object) -> Self {
        let members = Object::new().plain("v", v).text("kind", kind.name()).all(members);
        let text = if kind.is_sorted() { members.clone().sorted().compact() } else { members.compact() };
        let canonical = text.into_bytes();
        Self { kind, at, id: EnvelopeId(sha256(&canonical)), canonical, members }
    }
}
