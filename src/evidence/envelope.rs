//! Carriers of OC Me artifacts: byte candidates, signature, key id and wrapper members (FORMATS 3.1, step 1).

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::json::{self, Json, JsonError, Member};
use super::limits::RECORD_BYTES_MAX;
use super::{CandidateRule, EnvelopeCarrier, NostrEvent, OcMeKind, decode::Fault, ots_member};
use crate::domain::{EnvelopeId, KeyId, sha256};

/// Members of a wrapper that never belong to the canonical bytes (FORMATS 3.1, step 1.4).
const WRAPPER_MEMBERS: [&str; 12] = [
    "id",
    "sig",
    "signature",
    "sig_hex",
    "kid",
    "ots",
    "verify_url",
    "canonical_b64",
    "canonical_bytes_b64",
    "canonical",
    "co_sig",
    "project_sig",
];
/// Members that may hold the artifact inside a wrapper.
pub(super) const NESTED_MEMBERS: [&str; 3] = ["envelope", "event", "attestation"];
const SIGNATURE_MEMBERS: [&str; 3] = ["sig", "signature", "sig_hex"];

type Members<'a> = [(Cow<'a, str>, Member<'a>)];

/// The carrier inside an event's content; signature and key id may stand in the tags `sig` and `kid`. `content` is what reading
/// the event's content came to.
pub(super) fn from_event(
    kind: OcMeKind,
    declared_id: EnvelopeId,
    event: &NostrEvent,
    content: Result<Json<'_>, JsonError>,
) -> Result<EnvelopeCarrier, Fault> {
    let mut carrier = read(kind, declared_id, event.content.as_bytes(), content)?;
    carrier.sig = carrier.sig.or_else(|| event.tag("sig").and_then(signature));
    carrier.kid = carrier.kid.or_else(|| event.tag("kid").map(KeyId::from));
    Ok(carrier)
}

/// The carrier inside an archive record, an API reply or an event's content.
///
/// # Errors
/// [`Fault`] when the bytes are not a JSON object. A duplicate key is not an error here: the carrier names it.
pub fn record(kind: OcMeKind, declared_id: EnvelopeId, bytes: &[u8]) -> Result<EnvelopeCarrier, Fault> {
    read(kind, declared_id, bytes, json::parse(bytes))
}

fn read(
    kind: OcMeKind,
    declared_id: EnvelopeId,
    bytes: &[u8],
    json: Result<Json<'_>, JsonError>,
) -> Result<EnvelopeCarrier, Fault> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(Fault::new(format!("a record of {} bytes, above the limit", bytes.len())));
    }
    let mut carrier = EnvelopeCarrier {
        kind,
        declared_id,
        candidates: Vec::new(),
        sig: None,
        kid: None,
        alg: None,
        wrapper: BTreeMap::new(),
        ots: None,
        duplicate_key: None,
    };
    let json = match json {
        Ok(json) => json,
        Err(JsonError { duplicate_key: Some(key), .. }) => {
            carrier.duplicate_key = Some(key);
            Search::of(&mut carrier).verbatim(bytes);
            return Ok(carrier);
        }
        Err(error) => return Err(error.into()),
    };
    let members = json.members().ok_or_else(|| Fault::new("not a JSON object"))?;
    let nested = nested(&json);
    let is_addressed = add_candidates(&mut carrier, bytes, members, nested);
    let places = [Some(&json), nested.map(|(_, member)| &member.value)];
    let find = |name: &str| places.iter().flatten().find_map(|place| place.get_some(name));
    carrier.sig = SIGNATURE_MEMBERS.into_iter().find_map(find).and_then(Json::as_str).and_then(signature);
    carrier.kid = find("kid").and_then(Json::as_str).map(KeyId::from);
    carrier.alg = offered_algorithm(&json);
    carrier.ots = places.iter().flatten().find_map(|place| ots_member::read(place));
    // Where nothing is what the id names, there is nothing that a wrapper could contradict.
    if let (true, Some((rule, signed))) = (is_addressed, carrier.candidates.last())
        && !rule.is_carrier_itself()
    {
        carrier.wrapper = wrapper(members, nested, signed, declared_id);
    }
    Ok(carrier)
}

/// An activity attestation bundle `{attestation: {id, ...}, sig, kid, canonical_b64}` (FORMATS 3.8).
pub(super) fn bundle(bytes: &[u8]) -> Result<EnvelopeCarrier, Fault> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(Fault::new(format!("a bundle of {} bytes, above the limit", bytes.len())));
    }
    let declared = match json::parse(bytes) {
        Ok(json) => declared_id(&json).ok_or_else(|| Fault::new("no attestation with a 64-hex id"))?,
        Err(error) => return Err(error.into()),
    };
    record(OcMeKind::Activity, declared, bytes)
}

fn declared_id(json: &Json<'_>) -> Option<EnvelopeId> {
    let id = nested(json).and_then(|(_, member)| member.value.get("id")).or_else(|| json.get("id"))?.as_str()?;
    content_id(id)
}

/// An id as content addresses are written: 64 lower-case hex digits.
pub(super) fn content_id(text: &str) -> Option<EnvelopeId> {
    (!text.bytes().any(|byte| byte.is_ascii_uppercase())).then(|| text.parse().ok())?
}

/// The members of signed bytes as compact, key-sorted texts: what wrapper members are compared with. `None` when the
/// bytes are not one JSON object without duplicate keys.
pub(crate) fn signed_members(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    let json = json::parse(bytes).ok()?;
    Some(json.members()?.iter().map(|(name, member)| (name.to_string(), member.value.to_jcs())).collect())
}

fn nested<'j, 'a>(json: &'j Json<'a>) -> Option<(&'static str, &'j Member<'a>)> {
    NESTED_MEMBERS.into_iter().find_map(|name| {
        let member = json.member(name)?;
        member.value.members().map(|_| (name, member))
    })
}

/// FORMATS 3.1, step 1, in its order; then the readings of FORMATS 13 rows 3 and 4 that the step leaves out. True when the last
/// one hashes to the id: nothing after it is asked for.
fn add_candidates(
    carrier: &mut EnvelopeCarrier,
    bytes: &[u8],
    members: &Members<'_>,
    nested: Option<(&'static str, &Member<'_>)>,
) -> bool {
    let mut search = Search::of(carrier);
    search.offer(CandidateRule::CanonicalMember, || canonical_member(members));
    search.verbatim(bytes);
    search.offer(CandidateRule::MemberSlice, || nested.map(|(_, member)| member.slice.as_bytes().to_vec()));
    search.stripped(Some(members));
    search.stripped(nested.and_then(|(_, member)| member.value.members()));
    search.offer(CandidateRule::VerbatimWithLf, || {
        (bytes.last() != Some(&b'\n')).then(|| [bytes, b"\n".as_slice()].concat())
    });
    search.is_over
}

/// The search for the bytes that the declared id is the hash of.
struct Search<'c> {
    carrier: &'c mut EnvelopeCarrier,
    is_over: bool,
}

impl<'c> Search<'c> {
    fn of(carrier: &'c mut EnvelopeCarrier) -> Self {
        Self { carrier, is_over: false }
    }

    /// Makes and keeps a candidate, unless an earlier one was found or has the same bytes.
    fn offer(&mut self, rule: CandidateRule, make: impl FnOnce() -> Option<Vec<u8>>) {
        if self.is_over {
            return;
        }
        let Some(bytes) = make() else { return };
        if !self.carrier.candidates.iter().any(|(_, held)| *held == bytes) {
            self.is_over = sha256(&bytes) == self.carrier.declared_id.0;
            self.carrier.candidates.push((rule, bytes));
        }
    }

    fn verbatim(&mut self, bytes: &[u8]) {
        self.offer(CandidateRule::Verbatim, || Some(bytes.to_vec()));
        self.offer(CandidateRule::VerbatimWithoutLf, || bytes.strip_suffix(b"\n").map(<[u8]>::to_vec));
    }

    fn stripped(&mut self, members: Option<&Members<'_>>) {
        let Some(members) = members.filter(|_| !self.is_over) else { return };
        let kept = members.iter().filter(|(name, _)| !WRAPPER_MEMBERS.contains(&&**name)).cloned().collect();
        let object = Json::Object(kept);
        self.offer(CandidateRule::StrippedReceivedOrder, || Some(object.to_compact().into_bytes()));
        self.offer(CandidateRule::StrippedJcs, || Some(object.to_jcs().into_bytes()));
    }
}

/// The first canonical member: base64, or the JSON text itself, which no base64 starts like.
fn canonical_member(members: &Members<'_>) -> Option<Vec<u8>> {
    let text = |name: &str| members.iter().find(|(key, _)| key == name).and_then(|(_, member)| member.value.as_str());
    let encoded = text("canonical_b64").or_else(|| text("canonical_bytes_b64"));
    let canonical = encoded.or_else(|| text("canonical"))?;
    if canonical.starts_with('{') { Some(canonical.as_bytes().to_vec()) } else { STANDARD.decode(canonical).ok() }
}

/// 128 hex digits, or standard base64 of 64 bytes (FORMATS 13, row 5).
fn signature(text: &str) -> Option<[u8; 64]> {
    let mut out = [0; 64];
    if text.len() == 128 && faster_hex::hex_decode(text.as_bytes(), &mut out).is_ok() {
        return Some(out);
    }
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn offered_algorithm(json: &Json<'_>) -> Option<String> {
    let offers: Vec<&str> = ["alg", "crv"].into_iter().filter_map(|name| json.get(name)?.as_str()).collect();
    (!offers.is_empty()).then(|| offers.join("/"))
}

/// What stands beside the signed bytes under a name that stands in them too, and says something else. An `id` that they do not
/// have is compared with the declared one.
fn wrapper(
    members: &Members<'_>,
    nested: Option<(&'static str, &Member<'_>)>,
    signed: &[u8],
    declared: EnvelopeId,
) -> BTreeMap<String, String> {
    let signed = json::parse(signed).ok();
    let declared = format!("\"{declared}\"");
    // `None` where it says the same, or where nothing is signed under that name.
    let contradiction = |name: &str, member: &Member<'_>| {
        let shown = || member.value.to_jcs();
        match signed.as_ref().and_then(|json| json.member(name)) {
            Some(truth) if truth.value == member.value => None,
            Some(truth) => Some(shown()).filter(|shown| *shown != truth.value.to_jcs()),
            None if name == "id" => Some(shown()).filter(|shown| *shown != declared),
            None => None,
        }
    };
    let is_outer = |name: &str| nested.is_none_or(|(inner, _)| inner != name) && !name.starts_with("canonical");
    let outer = || members.iter().filter(|(name, _)| is_outer(name));
    let mut out: BTreeMap<String, String> =
        outer().filter_map(|(name, member)| Some((name.to_string(), contradiction(name, member)?))).collect();
    let Some((inner, member)) = nested else { return out };
    for (name, member) in member.value.members().unwrap_or_default() {
        let Some(value) = contradiction(name, member) else { continue };
        // A name that stands in both places with two values keeps both, so that neither escapes the comparison.
        let differs = |(outer, it): &(Cow<'_, str>, Member<'_>)| outer == name && it.value.to_jcs() != value;
        let name = if outer().any(differs) { format!("{inner}.{name}") } else { name.to_string() };
        out.insert(name, value);
    }
    out
}
