//! Members of our own sealed documents, which are read more strictly than anybody else's: all of them, and no other.

use super::json::Json;
use super::record::Refusal;
use crate::domain::Digest32;

/// Demands an object of exactly these members.
///
/// # Errors
/// [`Refusal::Unreadable`] naming the first member that is missing or unknown.
pub(super) fn exact_members(json: &Json<'_>, names: &[&str]) -> Result<(), Refusal> {
    let members = json.members().ok_or_else(|| Refusal::Unreadable("not an object".to_owned()))?;
    if let Some(missing) = names.iter().find(|name| json.get(name).is_none()) {
        return Err(Refusal::Unreadable(format!("no {missing}")));
    }
    // The reader refuses repeated members, so more members than names means an unknown one.
    if members.len() > names.len() {
        return Err(Refusal::Unreadable(format!("a member beside {}", names.join(", "))));
    }
    Ok(())
}

/// 64 hex digits in lower case: one digest has one text.
///
/// # Errors
/// [`Refusal::Unreadable`].
pub(super) fn lower_digest(json: &Json<'_>, name: &str) -> Result<Digest32, Refusal> {
    let digest = json.get(name).and_then(Json::as_str).and_then(|text| {
        let digest: Digest32 = text.parse().ok()?;
        (digest.to_hex() == text).then_some(digest)
    });
    digest.ok_or_else(|| Refusal::Unreadable(format!("{name} is not 64 hex digits in lower case")))
}

/// The Ed25519 signature in member `sig`: 128 hex digits in lower case.
///
/// # Errors
/// [`Refusal::Unreadable`].
pub(super) fn signature_of(json: &Json<'_>) -> Result<[u8; 64], Refusal> {
    let signature = json.get("sig").and_then(Json::as_str).and_then(|text| {
        let mut bytes = [0; 64];
        // The decoder reads as many digits as there is room for: the length is ours to check.
        let whole = text.len() == 2 * bytes.len() && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        (whole && faster_hex::hex_decode(text.as_bytes(), &mut bytes).is_ok()).then_some(bytes)
    });
    signature.ok_or_else(|| Refusal::Unreadable("sig is not 128 hex digits in lower case".to_owned()))
}

/// A whole number that is not negative.
///
/// # Errors
/// [`Refusal::Unreadable`].
pub(super) fn whole_number(json: &Json<'_>, name: &str) -> Result<u64, Refusal> {
    let number = json.get(name).and_then(Json::as_u64);
    number.ok_or_else(|| Refusal::Unreadable(format!("{name} is no whole number")))
}
