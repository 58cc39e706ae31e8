//! Binding attestations: one text that names a principal, a Bitcoin address and a Nostr key (FORMATS 3.10 and 7.6).

use super::json::{self, Json};
use super::limits::RECORD_BYTES_MAX;
use super::lines::{self, ExtensionError, Extensions};
use super::{BindingClaim, BindingMessage};
use crate::domain::{BindingId, UnixMicros};
use crate::evidence::bech32::decode_npub;

const HEADER: &str = "orangecheck-binding";
const VERSION: &str = "1";
const ACK: &str = "I attest the keys named in this message are one principal.";

/// A member of the envelope contradicts the message.
pub const E_FIELD_MISMATCH: &str = "E_FIELD_MISMATCH";
/// The envelope names a signature scheme other than BIP-322.
pub const E_BAD_SCHEME: &str = "E_BAD_SCHEME";
const E_MALFORMED: &str = "E_MALFORMED";
const E_BAD_HEADER: &str = "E_BAD_HEADER";
const E_BAD_ACK: &str = "E_BAD_ACK";
const E_BAD_PRINCIPAL: &str = "E_BAD_PRINCIPAL";
const E_EXT_UNSORTED: &str = "E_EXT_UNSORTED";

/// What a binding message is built from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BindingDraft {
    /// `did:oc:` and 32 hex digits.
    pub principal: String,
    /// Bitcoin address.
    pub btc: String,
    /// `npub1...`.
    pub npub: String,
    /// 32 hex digits.
    pub nonce: String,
    /// ISO-8601 UTC.
    pub issued_at: String,
    /// `expires`, `network`; empty values are left out.
    pub extensions: Extensions,
}

/// Builds the text that is hashed and signed, with its one trailing line feed.
///
/// # Errors
/// The reason: an unsafe character in a field, or the code under which the result would not read back.
pub fn canonical_message(draft: &BindingDraft) -> Result<String, String> {
    let BindingDraft { principal, btc, npub, nonce, issued_at, extensions } = draft;
    for (name, value) in
        [("principal", principal), ("btc", btc), ("nostr", npub), ("nonce", nonce), ("issued_at", issued_at)]
    {
        if value.chars().any(|character| character.is_control() || character.is_whitespace()) {
            return Err(format!("unsafe character in {name}"));
        }
    }
    let mut message = format!(
        "{HEADER}\nv: {VERSION}\nprincipal: {principal}\nbtc: {btc}\nnostr: {npub}\nnonce: {nonce}\n\
         issued_at: {issued_at}\nack: {ACK}\n"
    );
    message.push_str(&lines::extension_lines(extensions)?);
    parse_message(&message).map_err(str::to_owned)?;
    Ok(message)
}

/// Reads the canonical text.
///
/// # Errors
/// The specification's error name: `E_MALFORMED`, `E_BAD_HEADER`, `E_BAD_ACK`, `E_BAD_PRINCIPAL` or `E_EXT_UNSORTED`,
/// the first in this order that applies.
pub fn parse_message(message: &str) -> Result<BindingMessage, &'static str> {
    let all: Vec<&str> = lines::split(message).map_err(|_| E_MALFORMED)?.collect();
    let [header, version, principal, btc, nostr, nonce, issued_at, ack, extensions @ ..] = all.as_slice() else {
        return Err(if all.first() == Some(&HEADER) { E_MALFORMED } else { E_BAD_HEADER });
    };
    let value = |line, key| lines::value(line, key).map_err(|_| E_MALFORMED);
    // A text of another kind or version is named as such before its lines are held against this version's.
    if *header != HEADER || *version != format!("v: {VERSION}") {
        return Err(E_BAD_HEADER);
    }
    let (principal, btc) = (value(principal, "principal")?, value(btc, "btc")?);
    let (npub, nonce) = (value(nostr, "nostr")?, value(nonce, "nonce")?);
    let issued_at = lines::instant(value(issued_at, "issued_at")?).ok_or(E_MALFORMED)?;
    let nostr_key = decode_npub(npub).ok_or(E_MALFORMED)?;
    let is_address = !btc.is_empty() && btc.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_address || !lines::is_lower_hex(nonce, 32) {
        return Err(E_MALFORMED);
    }
    if value(ack, "ack")? != ACK {
        return Err(E_BAD_ACK);
    }
    if !principal.strip_prefix("did:oc:").is_some_and(|hex| lines::is_lower_hex(hex, 32)) {
        return Err(E_BAD_PRINCIPAL);
    }
    let extensions = lines::extensions(extensions.iter().copied()).map_err(|error| match error {
        ExtensionError::Shape => E_MALFORMED,
        ExtensionError::Unsorted => E_EXT_UNSORTED,
    })?;
    if extensions.get("expires").is_some_and(|text| lines::instant(text).is_none()) {
        return Err(E_MALFORMED);
    }
    Ok(BindingMessage {
        principal: principal.to_owned(),
        btc: btc.to_owned(),
        npub: npub.to_owned(),
        nostr_key,
        nonce: nonce.to_owned(),
        issued_at,
        extensions,
    })
}

/// Decodes the content of a binding event published under `declared`. A message that does not parse is part of the claim.
///
/// # Errors
/// The reason when the content is no binding envelope at all.
pub fn decode(content: &str, declared: BindingId) -> Result<BindingClaim, String> {
    if content.len() > RECORD_BYTES_MAX {
        return Err(format!("longer than {RECORD_BYTES_MAX} bytes"));
    }
    let envelope = json::parse(content.as_bytes()).map_err(|error| error.to_string())?;
    let text = |name: &str| envelope.get(name).and_then(Json::as_str).ok_or_else(|| format!("no {name} member"));
    let message = text("message")?.to_owned();
    let btc_signature = text("btc_signature")?.to_owned();
    let parsed = parse_message(&message).and_then(|parsed| match contradiction(&envelope, &parsed) {
        Some(code) => Err(code),
        None => Ok(parsed),
    });
    Ok(BindingClaim { declared_id: declared, message, parsed, btc_signature })
}

/// Members beside the message are optional; where they stand, they must say what it says.
fn contradiction(envelope: &Json<'_>, parsed: &BindingMessage) -> Option<&'static str> {
    let members =
        [("principal", &parsed.principal), ("btc", &parsed.btc), ("nostr", &parsed.npub), ("nonce", &parsed.nonce)];
    let differs = |name: &str, value: &str| envelope.get(name).is_some_and(|member| member.as_str() != Some(value));
    let instant = |member: &Json<'_>| -> Option<UnixMicros> { lines::instant(member.as_str()?) };
    if members.into_iter().any(|(name, value)| differs(name, value))
        || envelope.get("issued_at").is_some_and(|member| instant(member) != Some(parsed.issued_at))
    {
        return Some(E_FIELD_MISMATCH);
    }
    differs("btc_scheme", "bip322").then_some(E_BAD_SCHEME)
}
