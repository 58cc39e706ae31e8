//! OC Attest attestations: the canonical message (FORMATS 7.1) and the JSON envelope around it (7.2).

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::json::{self, Json};
use super::limits::{IDENTITIES_BYTES_MAX, RECORD_BYTES_MAX};
use super::lines::{self, Extensions};
use super::ots_member;
use super::{AttestationClaim, AttestationMessage, GuardianSignature, custody};
use crate::domain::{AttestationId, DescriptorId, UnixMicros, sha256};

const HEADER: &str = "orangecheck";
const PURPOSE: &str = "portable reputation attestation (non-custodial)";
const ACK: &str = "I attest control of this address and bind it to my identities.";

/// The scheme recorded for an attestation that guardians sign (`custody: "federation"`, FORMATS 8.3).
pub const FEDERATION_SCHEME: &str = "federation";

/// One identity before it becomes `protocol:identifier`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// For example `github`.
    pub protocol: String,
    /// For example `alice`; may hold colons.
    pub identifier: String,
}

/// What an attestation message is built from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttestationDraft {
    /// Bitcoin address.
    pub address: String,
    /// In any order.
    pub identities: Vec<Identity>,
    /// 32 hex digits.
    pub nonce: String,
    /// ISO-8601 UTC.
    pub issued_at: String,
    /// Empty values are left out.
    pub extensions: BTreeMap<String, String>,
}

/// Joins identities in the order of their `protocol:identifier` texts.
///
/// # Errors
/// The reason when an identity could forge a line or a second identity, or the list is too long.
pub fn format_identities(identities: &[Identity]) -> Result<String, String> {
    let mut texts = Vec::with_capacity(identities.len());
    for identity in identities {
        check_identity(&identity.protocol, &identity.identifier)?;
        texts.push(format!("{}:{}", identity.protocol, identity.identifier));
    }
    texts.sort();
    let list = texts.join(",");
    if list.len() > IDENTITIES_BYTES_MAX {
        return Err(format!("identity list longer than {IDENTITIES_BYTES_MAX} bytes"));
    }
    Ok(list)
}

fn check_identity(protocol: &str, identifier: &str) -> Result<(), String> {
    let mut bytes = protocol.bytes();
    let shaped = bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
    if !shaped {
        return Err("identity protocol is not [a-z][a-z0-9_-]*".to_owned());
    }
    if identifier.is_empty() {
        return Err("identity identifier is empty".to_owned());
    }
    if identifier.contains(['\n', '\r']) {
        return Err("identity identifier contains a newline".to_owned());
    }
    if identifier.contains(',') {
        return Err("identity identifier contains a comma".to_owned());
    }
    Ok(())
}

/// Builds the text that is hashed and signed, with its one trailing line feed.
///
/// # Errors
/// The reason when the result would not read back as what it was built from.
pub fn canonical_message(draft: &AttestationDraft) -> Result<String, String> {
    let identities = format_identities(&draft.identities)?;
    let mut message = format!(
        "{HEADER}\nidentities: {identities}\naddress: {}\npurpose: {PURPOSE}\nnonce: {}\nissued_at: {}\nack: {ACK}\n",
        draft.address, draft.nonce, draft.issued_at
    );
    message.push_str(&lines::extension_lines(&draft.extensions)?);
    parse_message(&message)?;
    Ok(message)
}

/// Reads the canonical text, which must be exactly what [`canonical_message`] would build.
///
/// # Errors
/// The reason, for people; the specification's status for all of them is `decode_error`.
pub fn parse_message(message: &str) -> Result<AttestationMessage, String> {
    let mut rest = lines::split(message)?;
    let mut next = || rest.next().ok_or_else(|| "message ends early".to_owned());
    if next()? != HEADER {
        return Err(format!("first line is not {HEADER}"));
    }
    let identities = parse_identities(lines::value(next()?, "identities")?)?;
    let address = lines::value(next()?, "address")?;
    if address.is_empty() || !address.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("address is not a word of letters and digits".to_owned());
    }
    if lines::value(next()?, "purpose")? != PURPOSE {
        return Err("purpose differs".to_owned());
    }
    let nonce = lines::value(next()?, "nonce")?;
    if !lines::is_lower_hex(nonce, 32) {
        return Err("nonce is not 32 lower-case hex digits".to_owned());
    }
    let issued_at = lines::instant(lines::value(next()?, "issued_at")?).ok_or("issued_at is not a UTC time")?;
    if lines::value(next()?, "ack")? != ACK {
        return Err("ack differs".to_owned());
    }
    let extensions = lines::extensions(rest).map_err(|error| error.to_string())?;
    check_extensions(&extensions)?;
    Ok(AttestationMessage { address: address.to_owned(), identities, nonce: nonce.to_owned(), issued_at, extensions })
}

fn parse_identities(list: &str) -> Result<Vec<String>, String> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    if list.len() > IDENTITIES_BYTES_MAX {
        return Err(format!("identity list longer than {IDENTITIES_BYTES_MAX} bytes"));
    }
    let identities: Vec<String> = list.split(',').map(str::to_owned).collect();
    for identity in &identities {
        let (protocol, identifier) = identity.split_once(':').ok_or("identity without a protocol")?;
        check_identity(protocol, identifier)?;
    }
    if !identities.is_sorted() {
        return Err("identities are not sorted".to_owned());
    }
    Ok(identities)
}

/// Registered extensions whose values have a form (FORMATS 7.1); unknown keys are signed and ignored.
fn check_extensions(extensions: &Extensions) -> Result<(), String> {
    if let Some(bond) = extensions.get("bond")
        && !bond.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err("bond is not an integer".to_owned());
    }
    if let Some(expires) = extensions.get("expires")
        && lines::instant(expires).is_none()
    {
        return Err("expires is not a UTC time".to_owned());
    }
    Ok(())
}

/// Decodes an envelope published under `declared`. A message that does not parse, and members that contradict it, are
/// part of the claim.
///
/// # Errors
/// The reason when the content is no attestation envelope at all.
pub fn decode(content: &str, declared: AttestationId) -> Result<AttestationClaim, String> {
    if content.len() > RECORD_BYTES_MAX {
        return Err(format!("longer than {RECORD_BYTES_MAX} bytes"));
    }
    let envelope = json::parse(content.as_bytes()).map_err(|error| error.to_string())?;
    let text = |name: &str| envelope.get(name).and_then(Json::as_str);
    let message = text("message").ok_or("no message member")?.to_owned();
    let mut mismatches = Mismatches::default();
    let (scheme, signature) = if text("custody") == Some("federation") {
        (FEDERATION_SCHEME, federated_signature(&envelope)?)
    } else {
        let scheme = text("scheme").unwrap_or_default();
        if !matches!(scheme, "bip322" | "legacy") {
            mismatches.note("scheme", "bip322 or legacy", scheme);
        }
        (scheme, text("signature").ok_or("no signature member")?.to_owned())
    };
    let parsed = parse_message(&message);
    compare_encodings(&envelope, &message, &mut mismatches);
    if let Ok(parsed) = &parsed {
        compare_members(&envelope, parsed, &mut mismatches);
    }
    Ok(AttestationClaim {
        declared_id: declared,
        scheme: scheme.to_owned(),
        signature,
        mismatches: mismatches.0,
        ots: ots_member::read(&envelope),
        message,
        parsed,
    })
}

/// A guardians' proof stands in for the one signature: exact source texts, read again by [`federated_proof`].
fn federated_signature(envelope: &Json<'_>) -> Result<String, String> {
    let slice =
        |name: &str| envelope.member(name).map(|member| member.slice).ok_or_else(|| format!("no {name} member"));
    Ok(format!("{{\"federation\":{},\"proof\":{}}}", slice("federation")?, slice("proof")?))
}

/// The descriptor and the guardians' signatures of an attestation whose scheme is [`FEDERATION_SCHEME`].
///
/// # Errors
/// The reason when they cannot be read.
pub fn federated_proof(claim: &AttestationClaim) -> Result<(DescriptorId, Vec<GuardianSignature>), String> {
    let object = json::parse(claim.signature.as_bytes()).map_err(|error| error.to_string())?;
    let federation = object.get("federation").and_then(Json::as_str).ok_or("federation is not text")?;
    let proof = object.get("proof").ok_or("no proof member")?;
    Ok((custody::federation_id(federation)?, custody::signatures(proof)?))
}

/// Members that contradict the message: name, in the message, in the member.
#[derive(Default)]
struct Mismatches(Vec<(String, String, String)>);

impl Mismatches {
    fn note(&mut self, name: &str, in_message: impl fmt::Display, in_member: impl fmt::Display) {
        self.0.push((name.to_owned(), in_message.to_string(), in_member.to_string()));
    }

    fn compare(&mut self, name: &str, in_message: &str, member: Option<&Json<'_>>) {
        let Some(member) = member else { return };
        if member.as_str() != Some(in_message) {
            self.note(name, in_message, shown(member));
        }
    }
}

/// A member for people: a string as it is, anything else as JSON.
fn shown(member: &Json<'_>) -> String {
    member.as_str().map_or_else(|| member.to_compact(), str::to_owned)
}

fn compare_encodings(envelope: &Json<'_>, message: &str, mismatches: &mut Mismatches) {
    mismatches.compare("attestation_id", &sha256(message.as_bytes()).to_hex(), envelope.get("attestation_id"));
    let Some(member) = envelope.get("message_b64url") else { return };
    let decoded = member.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    if decoded.as_deref() != Some(message.as_bytes()) {
        mismatches.note("message_b64url", URL_SAFE_NO_PAD.encode(message), shown(member));
    }
}

fn compare_members(envelope: &Json<'_>, parsed: &AttestationMessage, mismatches: &mut Mismatches) {
    mismatches.compare("address", &parsed.address, envelope.get("address"));
    if let Some(member) = envelope.get("identities")
        && member_identities(member).as_ref() != Some(&parsed.identities)
    {
        mismatches.note("identities", parsed.identities.join(","), shown(member));
    }
    compare_instant(envelope.get("issued_at"), "issued_at", Some(parsed.issued_at), mismatches);
    let expires = parsed.extensions.get("expires").and_then(|text| lines::instant(text));
    compare_instant(envelope.get_some("expires_at"), "expires_at", expires, mismatches);
}

fn compare_instant(member: Option<&Json<'_>>, name: &str, in_message: Option<UnixMicros>, mismatches: &mut Mismatches) {
    let Some(member) = member else { return };
    if member.as_str().and_then(lines::instant) != in_message || in_message.is_none() {
        let micros = in_message.map_or_else(|| "absent".to_owned(), |instant| instant.seconds().to_string());
        mismatches.note(name, micros, shown(member));
    }
}

fn member_identities(member: &Json<'_>) -> Option<Vec<String>> {
    let mut texts: Vec<String> = member
        .as_array()?
        .iter()
        .map(|item| Some(format!("{}:{}", item.get("protocol")?.as_str()?, item.get("identifier")?.as_str()?)))
        .collect::<Option<_>>()?;
    texts.sort();
    Some(texts)
}
