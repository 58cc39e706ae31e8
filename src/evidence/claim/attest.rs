//! Attestations and bindings (FORMATS 7).

use std::collections::BTreeMap;

use crate::domain::{AttestationId, BindingId, PublicKey32, UnixMicros};

use super::OtsMember;

/// A decoded attestation (FORMATS 7): the message is the truth, JSON members a convenience.
#[derive(Debug, Clone)]
pub struct AttestationClaim {
    /// The `d` tag or file's declared id.
    pub declared_id: AttestationId,
    /// The signed message.
    pub message: String,
    /// What the message says; an `Err` is the reason it does not parse (`decode_error`).
    pub parsed: Result<AttestationMessage, String>,
    /// JSON members that contradict the message: name, in message, in member.
    pub mismatches: Vec<(String, String, String)>,
    /// `bip322` or `legacy`.
    pub scheme: String,
    /// Signature text as received.
    pub signature: String,
    /// The `ots` member.
    pub ots: Option<OtsMember>,
}

/// What an attestation message says (FORMATS 7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationMessage {
    /// Address.
    pub address: String,
    /// `protocol:identifier`, sorted.
    pub identities: Vec<String>,
    /// 32 hex.
    pub nonce: String,
    /// Claimed time.
    pub issued_at: UnixMicros,
    /// Extensions by key.
    pub extensions: BTreeMap<String, String>,
}

/// A decoded binding (FORMATS 7.6).
#[derive(Debug, Clone)]
pub struct BindingClaim {
    /// The `d` suffix.
    pub declared_id: BindingId,
    /// The signed message.
    pub message: String,
    /// What it says; an `Err` is the specification's error name (`E_MALFORMED`, `E_BAD_HEADER`, ...).
    pub parsed: Result<BindingMessage, &'static str>,
    /// BIP-322 signature text.
    pub btc_signature: String,
}

/// What a binding message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingMessage {
    /// `did:oc:` + 32 hex.
    pub principal: String,
    /// Bitcoin address.
    pub btc: String,
    /// `npub1...` as text.
    pub npub: String,
    /// The key inside the npub.
    pub nostr_key: PublicKey32,
    /// 32 hex.
    pub nonce: String,
    /// Claimed time.
    pub issued_at: UnixMicros,
    /// Extensions by key.
    pub extensions: BTreeMap<String, String>,
}
