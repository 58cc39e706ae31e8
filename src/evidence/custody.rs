//! Guardian descriptors, graduations and rotations (FORMATS 8.1 to 8.5).

use super::json::{self, Json};
use super::limits::{GUARDIANS_MAX, RECORD_BYTES_MAX};
use super::{
    Claim, CustodyClaim, Decoded, DescriptorClaim, DescriptorForm, GraduationClaim, GuardianSignature, RotationClaim,
};
use super::{kept, merge_record, ots_member};
use crate::domain::{Code, DescriptorId, Digest32, Finding, Media, Subject, UnixSeconds, sha256};

const CUSTODY_DESCRIPTOR: &str = "attest-federation-custody";
const AGENT_DESCRIPTOR: &str = "agent-federation";
const GRADUATION: &str = "orangecheck-graduation";
const ROTATION: &str = "orangecheck-federation-rotation";
/// The content `kind` members that belong here.
pub const KINDS: [&str; 4] = [CUSTODY_DESCRIPTOR, AGENT_DESCRIPTOR, GRADUATION, ROTATION];

/// Each guardian and the user, each at most twice: what lies above is no proof but work for the verifier.
const SIGNATURES_MAX: usize = 2 * GUARDIANS_MAX;
/// Characters of a wrong member that a finding repeats: every address and id fits.
const SHOWN_CHARS_MAX: usize = 100;

/// Decodes a file or archive line that is said to be a custody artifact.
pub fn decode_record(bytes: &[u8]) -> Decoded {
    let subject = || Subject::new("media", Media::Custody).and("sha256", sha256(bytes));
    let undecodable = |reason: String| {
        Decoded::Undecodable(vec![
            Finding::new(Code::SrcParse, subject())
                .with_values("a guardian descriptor, graduation, rotation or merge record", reason),
        ])
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => match merge_record::decode(text).unwrap_or_else(|| decode(text)) {
            Ok(claim) => Decoded::Claim(Box::new(Claim::Custody(claim)), Vec::new()),
            Err(reason) => undecodable(reason),
        },
        Err(error) => undecodable(format!("invalid UTF-8 at byte {}", error.valid_up_to())),
    }
}

/// Decodes the JSON text of a descriptor, graduation or rotation, chosen by its `kind` member. What FORMATS 8.3 forbids
/// about a descriptor is part of the claim.
///
/// # Errors
/// The reason when it is none of them, or a graduation or rotation lacks what its canonical message needs.
pub fn decode(text: &str) -> Result<CustodyClaim, String> {
    if text.len() > RECORD_BYTES_MAX {
        return Err(format!("longer than {RECORD_BYTES_MAX} bytes"));
    }
    let object = json::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    match object.get("kind").and_then(Json::as_str) {
        Some(CUSTODY_DESCRIPTOR) => Ok(CustodyClaim::Descriptor(descriptor(&object, DescriptorForm::Custody))),
        Some(AGENT_DESCRIPTOR) => Ok(CustodyClaim::Descriptor(descriptor(&object, DescriptorForm::Agent))),
        Some(GRADUATION) => graduation(&object).map(CustodyClaim::Graduation),
        Some(ROTATION) => rotation(&object).map(CustodyClaim::Rotation),
        Some(_) => Err("another kind".to_owned()),
        None => Err("no kind member".to_owned()),
    }
}

// ---------------------------------------------------------------- descriptors

fn descriptor(object: &Json<'_>, form: DescriptorForm) -> DescriptorClaim {
    let mut malformed = Vec::new();
    if object.get("v").and_then(Json::as_u64) != Some(1) {
        malformed.push(format!("v {}: expected 1", shown(object.get("v"))));
    }
    let address = match form {
        DescriptorForm::Custody => Some(word(object.get("address"), "address", &mut malformed)),
        DescriptorForm::Agent => None,
    };
    let guardians = guardians(object, &mut malformed);
    let threshold_text = object.get("threshold").and_then(Json::as_str).unwrap_or_default().to_owned();
    let threshold = threshold(object.get("threshold"), guardians.len(), &mut malformed);
    DescriptorClaim {
        declared_id: declared_descriptor(object, form, &mut malformed),
        canonical: canonical_descriptor(address.as_deref(), &threshold_text, &guardians),
        form,
        address,
        threshold,
        threshold_text,
        guardians,
        malformed,
    }
}

/// The lines that a descriptor's id hashes: no trailing line feed; `address` only in the custody form.
pub fn canonical_descriptor(address: Option<&str>, threshold: &str, guardians: &[String]) -> String {
    let mut lines = match address {
        Some(address) => vec!["oc-attest:federation-custody:v1".to_owned(), format!("address: {address}")],
        None => vec!["oc-agent:federation:v1".to_owned()],
    };
    lines.push(format!("threshold: {threshold}"));
    lines.extend(guardians.iter().map(|guardian| format!("guardian: {guardian}")));
    lines.join("\n")
}

/// M of `M-of-N`, 0 when there is none. Leading zeros would give one rule two ids, so they are refused (FORMATS 8.3).
fn threshold(member: Option<&Json<'_>>, guardians: usize, malformed: &mut Vec<String>) -> u32 {
    let number = |digits: &str| -> Option<u32> {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok())?
    };
    let text = member.and_then(Json::as_str).unwrap_or_default();
    let parsed = text.split_once("-of-").and_then(|(m, n)| Some((number(m)?, number(n)?)));
    let Some((m, n)) = parsed else {
        malformed.push(format!("threshold {}: expected M-of-N", shown(member)));
        return 0;
    };
    if text != format!("{m}-of-{n}") {
        malformed.push(format!("threshold {text}: expected {m}-of-{n}, without leading zeros"));
    }
    if m == 0 || m > n {
        malformed.push(format!("threshold {text}: expected M from 1 to {n}"));
    }
    if usize::try_from(n) != Ok(guardians) {
        malformed.push(format!("guardians has {guardians}: expected {n} by the threshold"));
    }
    m
}

fn guardians(object: &Json<'_>, malformed: &mut Vec<String>) -> Vec<String> {
    let Some(listed) = object.get("guardians").and_then(Json::as_array) else {
        malformed.push(format!("guardians {}: expected a list", shown(object.get("guardians"))));
        return Vec::new();
    };
    if listed.len() > GUARDIANS_MAX {
        malformed.push(format!("guardians has {}: expected at most {GUARDIANS_MAX}", listed.len()));
    }
    let mut addresses = Vec::new();
    for (place, guardian) in listed.iter().take(GUARDIANS_MAX).enumerate() {
        addresses.push(word(guardian.get("address"), &format!("guardians[{place}].address"), malformed));
        if guardian.get("alg").and_then(Json::as_str) != Some("bip322") {
            malformed.push(format!("guardians[{place}].alg {}: expected bip322", shown(guardian.get("alg"))));
        }
    }
    addresses.sort();
    for pair in addresses.windows(2) {
        if pair[0] == pair[1] {
            malformed.push(format!("guardians has {} twice: expected each once", pair[0]));
        }
    }
    addresses
}

/// A text of letters and digits only: anything else could forge a line of the canonical text.
fn word(value: Option<&Json<'_>>, name: &str, malformed: &mut Vec<String>) -> String {
    let text = value.and_then(Json::as_str).unwrap_or_default();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        malformed.push(format!("{name} {}: expected letters and digits", shown(value)));
    }
    text.to_owned()
}

/// A member as it stands: a text without its quotes, anything else as JSON, cut where it is long.
fn shown(member: Option<&Json<'_>>) -> String {
    let Some(member) = member else { return "is missing".to_owned() };
    let text = member.as_str().map_or_else(|| member.to_compact(), str::to_owned);
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn declared_descriptor(object: &Json<'_>, form: DescriptorForm, malformed: &mut Vec<String>) -> Option<DescriptorId> {
    let declared = object.get_some("id").or_else(|| object.get_some("descriptor_id"))?;
    let id = declared.as_str().and_then(|text| match form {
        DescriptorForm::Custody => federation_id(text).ok(),
        DescriptorForm::Agent => lower_hex_digest(text).map(DescriptorId),
    });
    if id.is_none() {
        let expected = match form {
            DescriptorForm::Custody => "fed: and 64 lower-case hex digits",
            DescriptorForm::Agent => "64 lower-case hex digits",
        };
        malformed.push(format!("declared id {}: expected {expected}", shown(Some(declared))));
    }
    id
}

// ---------------------------------------------------------------- graduations and rotations

fn graduation(object: &Json<'_>) -> Result<GraduationClaim, String> {
    let envelope = Envelope { object };
    envelope.check_version()?;
    let (address, from, to) = (envelope.line("address")?, envelope.line("from_federation")?, envelope.line("to")?);
    let graduated_at = envelope.line("graduated_at")?;
    if !matches!(to, "single-key" | "federation") {
        return Err("to is neither single-key nor federation".to_owned());
    }
    let to_federation = object.get_some("to_federation").map(|_| envelope.line("to_federation")).transpose()?;
    let mut lines = vec![
        "oc-attest:graduation:v1".to_owned(),
        format!("address: {address}"),
        format!("from_federation: {from}"),
        format!("to: {to}"),
    ];
    lines.extend(to_federation.map(|id| format!("to_federation: {id}")));
    lines.push(format!("graduated_at: {graduated_at}"));
    Ok(GraduationClaim {
        address: address.to_owned(),
        from_federation: federation_id(from)?,
        to: to.to_owned(),
        to_federation: to_federation.map(federation_id).transpose()?,
        graduated_at: instant(graduated_at)?,
        changed: kept::changed(object),
        proof: envelope.proof()?,
        profiles: envelope.profiles(lines.join("\n")),
        declared_id: envelope.declared_id()?,
        ots: ots_member::read(object),
    })
}

fn rotation(object: &Json<'_>) -> Result<RotationClaim, String> {
    let envelope = Envelope { object };
    envelope.check_version()?;
    let (address, rotated_at) = (envelope.line("address")?, envelope.line("rotated_at")?);
    let (from, to) = (envelope.line("from_federation")?, envelope.line("to_federation")?);
    if from == to {
        return Err("rotation from a descriptor to itself".to_owned());
    }
    let text = format!(
        "oc-attest:federation-rotation:v1\naddress: {address}\nfrom_federation: {from}\nto_federation: {to}\n\
         rotated_at: {rotated_at}"
    );
    Ok(RotationClaim {
        address: address.to_owned(),
        from_federation: federation_id(from)?,
        to_federation: federation_id(to)?,
        rotated_at: instant(rotated_at)?,
        proof: envelope.proof()?,
        profiles: envelope.profiles(text),
        declared_id: envelope.declared_id()?,
        ots: ots_member::read(object),
    })
}

/// What graduations and rotations have in common.
struct Envelope<'j, 'a> {
    object: &'j Json<'a>,
}

impl<'j> Envelope<'j, '_> {
    fn check_version(&self) -> Result<(), String> {
        (self.object.get("v").and_then(Json::as_u64) == Some(1)).then_some(()).ok_or_else(|| "v is not 1".to_owned())
    }

    /// A member that becomes a line of profile L, so it must be one printable word.
    fn line(&self, name: &str) -> Result<&'j str, String> {
        let text = self.object.get(name).and_then(Json::as_str).ok_or_else(|| format!("no {name} member"))?;
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        plain.then_some(text).ok_or_else(|| format!("{name} is not one printable word"))
    }

    /// Neither message form is published, so both candidates of FORMATS 8.4 are handed on: L the lines, J the RFC 8785
    /// form of the object without what cannot be inside its own signature. J is offered only where that form is certain,
    /// which is when all its numbers are plain integers of at most 2^53 - 1.
    fn profiles(&self, lines: String) -> Vec<(&'static str, String)> {
        let mut profiles = vec![("L", lines)];
        let members = self.object.members().unwrap_or_default();
        let signed = members.iter().filter(|(key, _)| !matches!(key.as_ref(), "proof" | "id" | "ots"));
        let object = Json::Object(signed.cloned().collect());
        if has_plain_numbers(&object) {
            profiles.push(("J", object.to_jcs()));
        }
        profiles
    }

    fn declared_id(&self) -> Result<Option<Digest32>, String> {
        let Some(member) = self.object.get_some("id") else { return Ok(None) };
        let text = member.as_str().ok_or("id is not text")?;
        lower_hex_digest(text).map(Some).ok_or_else(|| "id is not 64 lower-case hex digits".to_owned())
    }

    fn proof(&self) -> Result<Vec<GuardianSignature>, String> {
        let listed = self.object.get("proof").ok_or("no proof member")?;
        signatures(listed)
    }
}

/// Reads a list of `{address, sig, kind?}`.
pub(crate) fn signatures(listed: &Json<'_>) -> Result<Vec<GuardianSignature>, String> {
    let listed = listed.as_array().ok_or("proof is not a list")?;
    if listed.len() > SIGNATURES_MAX {
        return Err(format!("proof of more than {SIGNATURES_MAX} signatures"));
    }
    listed
        .iter()
        .map(|item| {
            Some(GuardianSignature {
                address: item.get("address")?.as_str()?.to_owned(),
                sig: item.get("sig")?.as_str()?.to_owned(),
                self_key: item.get("kind").and_then(Json::as_str) == Some("self-key"),
            })
        })
        .collect::<Option<_>>()
        .ok_or_else(|| "a signature lacks address or sig".to_owned())
}

/// RFC 8785 prints numbers as ECMAScript does; for these tokens that is the token itself.
fn has_plain_numbers(value: &Json<'_>) -> bool {
    match value {
        Json::Null | Json::Bool(_) | Json::String(_) => true,
        Json::Number(_) => value.as_i64().is_some_and(|number| number.unsigned_abs() < 1 << 53),
        Json::Array(items) => items.iter().all(has_plain_numbers),
        Json::Object(members) => members.iter().all(|(_, member)| has_plain_numbers(&member.value)),
    }
}

/// `fed:` and 64 lower-case hex digits.
pub(crate) fn federation_id(text: &str) -> Result<DescriptorId, String> {
    text.strip_prefix("fed:")
        .and_then(lower_hex_digest)
        .map(DescriptorId)
        .ok_or_else(|| "federation is not fed: and 64 lower-case hex digits".to_owned())
}

fn lower_hex_digest(text: &str) -> Option<Digest32> {
    Digest32::from_hex(text).ok().filter(|digest| digest.to_hex() == text)
}

fn instant(text: &str) -> Result<UnixSeconds, String> {
    text.parse().map_err(|_| "time is not ISO-8601 UTC".to_owned())
}

#[cfg(test)]
mod tests;
