//! Carriers of OC Me artifacts: byte candidates, signature, key id and wrapper members (FORMATS 3.1, step 1).

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::json::{self, Json, JsonError, Member};
use super::limits::RECORD_BYTES_MAX;
use super::oc_me::{BodyError, parse_body, read_body};
use super::{CandidateRule, Candidates, EnvelopeCarrier, NostrEvent, OcMeBody, OcMeKind, decode::Fault, ots_member};
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
/// An artifact inside a wrapper, and the name that it has there.
type Nested<'j, 'a> = (&'static str, &'j Member<'a>);

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
        candidates: Candidates::default(),
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
            let mut search = Search::of(&mut carrier);
            search.verbatim(bytes);
            if let (true, Some((_, signed))) = (search.is_over, carrier.candidates.tried().last()) {
                let body = parse_body(kind, signed);
                carrier.candidates.note(kind, declared_id, body);
            }
            return Ok(carrier);
        }
        Err(error) => return Err(error.into()),
    };
    let members = json.members().ok_or_else(|| Fault::new("not a JSON object"))?;
    let nested = nested(&json);
    let (is_addressed, left) = add_candidates(&mut carrier, bytes, members, nested);
    let places = [Some(&json), nested.map(|(_, member)| &member.value)];
    let find = |name: &str| places.iter().flatten().find_map(|place| place.get_some(name));
    carrier.sig = SIGNATURE_MEMBERS.into_iter().find_map(find).and_then(Json::as_str).and_then(signature);
    carrier.kid = find("kid").and_then(Json::as_str).map(KeyId::from);
    carrier.alg = offered_algorithm(&json);
    carrier.ots = places.iter().flatten().find_map(|place| ots_member::read(place));
    // Where nothing is what the id names, there is nothing that a wrapper could contradict.
    if let (true, Some((rule, signed))) = (is_addressed, carrier.candidates.tried().last()) {
        let (body, wrapper) = said(kind, declared_id, (&json, members, nested), (*rule, signed), left.as_ref());
        carrier.wrapper = wrapper;
        carrier.candidates.note(kind, declared_id, body);
    }
    Ok(carrier)
}

/// A body, and the members of a wrapper that contradict it.
type Said = (Result<OcMeBody, BodyError>, BTreeMap<String, String>);

/// What the signed bytes say, and what stands beside them and contradicts. Where they are a slice of the carrier, or `left` of it,
/// reading the carrier has read them.
fn said(
    kind: OcMeKind,
    declared: EnvelopeId,
    (json, members, nested): (&Json<'_>, &Members<'_>, Option<Nested<'_, '_>>),
    (rule, bytes): (CandidateRule, &[u8]),
    left: Option<&Json<'_>>,
) -> Said {
    let read;
    let signed = match (rule, nested, left) {
        (rule, ..) if rule.is_carrier_itself() => Ok(json),
        (CandidateRule::MemberSlice, Some((_, member)), _) => Ok(&member.value),
        (CandidateRule::StrippedReceivedOrder, _, Some(left)) => Ok(left),
        _ => {
            read = json::parse(bytes);
            read.as_ref()
        }
    };
    let body = signed.map_err(|error| error.clone().into()).and_then(|signed| read_body(kind, signed));
    let wrapper = if rule.is_carrier_itself() {
        BTreeMap::new()
    } else {
        // What is signed itself contradicts nothing.
        let inner = nested.filter(|_| rule != CandidateRule::MemberSlice);
        wrapper(members, (nested, inner), signed.ok(), declared)
    };
    (body, wrapper)
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

fn nested<'j, 'a>(json: &'j Json<'a>) -> Option<Nested<'j, 'a>> {
    NESTED_MEMBERS.into_iter().find_map(|name| {
        let member = json.member(name)?;
        member.value.members().map(|_| (name, member))
    })
}

/// FORMATS 3.1, step 1, in its order; then the readings of FORMATS 13 rows 3 and 4 that the step leaves out. True when the last
/// one hashes to the id: nothing after it is asked for; with what was left of the carrier, where it is the text of that.
fn add_candidates<'a>(
    carrier: &mut EnvelopeCarrier,
    bytes: &[u8],
    members: &Members<'a>,
    nested: Option<Nested<'_, 'a>>,
) -> (bool, Option<Json<'a>>) {
    let mut search = Search::of(carrier);
    search.offer(CandidateRule::CanonicalMember, || canonical_member(members));
    // What holds its own signature is hardly what was signed: it is hashed when nothing else is what the id names.
    search.is_doubtful = members.iter().any(|(name, _)| SIGNATURE_MEMBERS.contains(&&**name));
    search.verbatim(bytes);
    search.is_doubtful = false;
    search.offer(CandidateRule::MemberSlice, || nested.map(|(_, member)| member.slice.as_bytes().to_vec()));
    let left = search.stripped(Some(members));
    let left = left.or_else(|| search.stripped(nested.and_then(|(_, member)| member.value.members())));
    search.offer(CandidateRule::VerbatimWithLf, || {
        (bytes.last() != Some(&b'\n')).then(|| [bytes, b"\n".as_slice()].concat())
    });
    (search.is_over || search.look_again(), left)
}

/// The search for the bytes that the declared id is the hash of.
struct Search<'c> {
    carrier: &'c mut EnvelopeCarrier,
    is_over: bool,
    /// What is offered is kept and not hashed yet.
    is_doubtful: bool,
}

impl<'c> Search<'c> {
    fn of(carrier: &'c mut EnvelopeCarrier) -> Self {
        Self { carrier, is_over: false, is_doubtful: false }
    }

    /// Makes and keeps a candidate, unless an earlier one was found or has the same bytes.
    fn offer(&mut self, rule: CandidateRule, make: impl FnOnce() -> Option<Vec<u8>>) {
        if self.is_over {
            return;
        }
        let Some(bytes) = make() else { return };
        if let Some(kept) = self.carrier.candidates.keep(rule, bytes) {
            self.is_over = !self.is_doubtful && sha256(kept) == self.carrier.declared_id.0;
        }
    }

    /// True when one that was kept hashes to the id after all.
    fn look_again(self) -> bool {
        self.carrier.candidates.end_with(self.carrier.declared_id.0)
    }

    fn verbatim(&mut self, bytes: &[u8]) {
        self.offer(CandidateRule::Verbatim, || Some(bytes.to_vec()));
        self.offer(CandidateRule::VerbatimWithoutLf, || bytes.strip_suffix(b"\n").map(<[u8]>::to_vec));
    }

    /// Gives back what was left where the first of the two hashes to the id.
    fn stripped<'a>(&mut self, members: Option<&Members<'a>>) -> Option<Json<'a>> {
        let members = members.filter(|_| !self.is_over)?;
        let kept = members.iter().filter(|(name, _)| !WRAPPER_MEMBERS.contains(&&**name)).cloned().collect();
        let object = Json::Object(kept);
        self.offer(CandidateRule::StrippedReceivedOrder, || Some(object.to_compact().into_bytes()));
        if self.is_over {
            return Some(object);
        }
        self.offer(CandidateRule::StrippedJcs, || Some(object.to_jcs().into_bytes()));
        None
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
    (nested, inner): (Option<Nested<'_, '_>>, Option<Nested<'_, '_>>),
    signed: Option<&Json<'_>>,
    declared: EnvelopeId,
) -> BTreeMap<String, String> {
    let declared = declared.to_string();
    // `None` where it says the same, or where nothing is signed under that name.
    let contradiction = |name: &str, member: &Member<'_>| {
        let shown = || member.value.to_jcs();
        match signed.and_then(|json| json.member(name)) {
            Some(truth) if truth.value == member.value => None,
            Some(truth) => Some(shown()).filter(|shown| *shown != truth.value.to_jcs()),
            None if name == "id" => (member.value.as_str() != Some(declared.as_str())).then(shown),
            None => None,
        }
    };
    let is_outer = |name: &str| nested.is_none_or(|(inner, _)| inner != name) && !name.starts_with("canonical");
    let outer = || members.iter().filter(|(name, _)| is_outer(name));
    let mut out: BTreeMap<String, String> =
        outer().filter_map(|(name, member)| Some((name.to_string(), contradiction(name, member)?))).collect();
    let Some((inner, member)) = inner else { return out };
    for (name, member) in member.value.members().unwrap_or_default() {
        let Some(value) = contradiction(name, member) else { continue };
        // A name that stands in both places with two values keeps both, so that neither escapes the comparison.
        let differs = |(outer, it): &(Cow<'_, str>, Member<'_>)| outer == name && it.value.to_jcs() != value;
        let name = if outer().any(differs) { format!("{inner}.{name}") } else { name.to_string() };
        out.insert(name, value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, id: &str) -> EnvelopeCarrier {
        record(OcMeKind::Trust, EnvelopeId(sha256(id.as_bytes())), text.as_bytes()).unwrap()
    }

    #[test]
    fn a_carrier_that_holds_a_signature_is_what_the_id_names_where_nothing_else_is() {
        let text = r#"{"kind":"oc-me-trust","sig":"00","envelope":{"kind":"oc-me-trust"}}"#;
        let whole = read(text, text);
        let named = whole.named().unwrap();
        assert_eq!((named.rule, named.bytes, named.place), (CandidateRule::Verbatim, text.as_bytes(), 0));
        assert_eq!(whole.candidates.tried().len(), 1, "what comes after it is forgotten");
        assert_eq!(*named.body.as_deref().unwrap(), OcMeBody::Trust);
        let slice = read(text, r#"{"kind":"oc-me-trust"}"#);
        assert_eq!(slice.named().unwrap().rule, CandidateRule::MemberSlice);
        assert!(read(text, "another").named().is_none());
    }

    #[test]
    fn what_one_id_names_as_one_kind_is_named_by_no_other() {
        let text = r#"{"kind":"oc-me-trust"}"#;
        let carrier = read(text, text);
        assert!(carrier.named().is_some());
        assert!(EnvelopeCarrier { kind: OcMeKind::Drop, ..carrier.clone() }.named().is_none());
        let other = EnvelopeId(sha256(b"another"));
        assert!(EnvelopeCarrier { declared_id: other, ..carrier }.named().is_none());
    }
}
