//! What an event carries, by kind, longest `d` prefix and content (FORMATS 1). The two must agree; nothing is guessed.

use std::ops::Range;

use super::decode::Fault;
use super::envelope::{NESTED_MEMBERS, content_id};
use super::json::{self, Json, JsonError};
use super::{CarrierBody, NostrCarrier, NostrEvent, OcMeKind, attest, binding, custody, envelope};
use crate::domain::{AttestationId, BindingId, Digest32};

/// Who owns a `d` prefix, and what its content must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Attest,
    Binding,
    OcMe(OcMeKind),
    /// Kept for replay: the content is a JSON object.
    Json(&'static str),
    /// Kept for replay: the content is text that starts so.
    Text(&'static str, &'static str),
    /// Kept for replay: the form of the content is not published.
    Opaque(&'static str),
}

/// `(kind, d prefix, owner)`. Bare 64-hex `d` of kind 30078 is looked up apart.
const TABLE: [(u16, &str, Owner); 28] = [
    (30_078, "orangecheck:", Owner::Attest),
    (30_078, "oc-attest:", Owner::Attest),
    (30_078, "oc-lock:device:", Owner::Text("oc-lock", "oc-lock:device-bind")),
    (30_078, "oc-pledge:", Owner::Json("oc-pledge")),
    (30_078, "oc-pledge-outcome:", Owner::Json("oc-pledge")),
    (30_078, "oc-pledge-abandonment:", Owner::Json("oc-pledge")),
    (30_078, "oc-chat:device:", Owner::Text("oc-chat", "oc-chat:device-bind")),
    (30_079, "oc-attest-binding:", Owner::Binding),
    (30_080, "oc-vote:poll:", Owner::Json("oc-vote")),
    (30_081, "oc-vote:ballot:", Owner::Json("oc-vote")),
    (30_082, "oc-vote:reveal:", Owner::Json("oc-vote")),
    (30_083, "oc-stamp:", Owner::Json("oc-stamp")),
    (30_083, "oc-agent-del:", Owner::Json("oc-agent")),
    (30_084, "oc-agent-act:", Owner::Json("oc-agent")),
    (30_085, "oc-agent-rev:", Owner::Json("oc-agent")),
    (30_086, "oc-agent-sub:", Owner::Json("oc-agent")),
    (30_087, "oc-me-event:", Owner::OcMe(OcMeKind::Event)),
    (30_087, "oc-me-payment:", Owner::OcMe(OcMeKind::Payment)),
    (30_087, "oc-me-rebind:", Owner::OcMe(OcMeKind::Rebind)),
    (30_087, "oc-me-trust:", Owner::OcMe(OcMeKind::Trust)),
    (30_087, "oc-me-payout-binding:", Owner::OcMe(OcMeKind::PayoutBinding)),
    (30_087, "oc-me-distribution:", Owner::OcMe(OcMeKind::Distribution)),
    (30_087, "oc-me-drop:", Owner::OcMe(OcMeKind::Drop)),
    (30_110, "oc-lock-chat-ch:", Owner::Json("oc-chat")),
    (30_111, "oc-lock-chat-msg:", Owner::Json("oc-chat")),
    (30_112, "oc-lock-chat-seal:", Owner::Opaque("oc-chat")),
    (30_114, "oc-lock-chat-dir:", Owner::Json("oc-chat")),
    (30_114, "oc-lock-chat-chdir:", Owner::Json("oc-chat")),
];
/// Prefixes of [`TABLE`] that the relay refuses: the old aliases, and the binding that its policy does not know.
const NOT_RELAYED: [&str; 3] = ["orangecheck:", "oc-attest:", "oc-attest-binding:"];
/// Contents of the operator's own deploy probes (FORMATS 2.2).
const PROBE_WORDS: [&str; 4] = ["sweep", "final", "verify", "v3"];
/// Content kinds of guardian artifacts, for which no `d` form is assigned (FORMATS 1).
const CUSTODY_KINDS: [&str; 4] =
    ["orangecheck-graduation", "orangecheck-federation-rotation", "attest-federation-custody", "agent-federation"];
/// Family kinds without an assignment: recorded as unknown, never counted (FORMATS 1).
pub(super) const UNASSIGNED_KINDS: std::ops::RangeInclusive<u16> = 30_088..=30_099;

/// True when the operator's relay admits an event of this kind and `d` (FORMATS 1, relay gate). It never reads content.
pub fn relay_gate(kind: u16, d: &str) -> bool {
    match owner(kind, d) {
        Some((_, "")) => true,
        Some((_, prefix)) => !NOT_RELAYED.contains(&prefix),
        None => false,
    }
}

/// The carrier with what its coordinates and content make of it, and where its content is spelled as the id's serialisation does.
pub(super) fn route(event: NostrEvent, spelled: Option<Range<usize>>) -> NostrCarrier {
    let d = event.tag("d").unwrap_or_default().to_owned();
    let body = body(&event, &d);
    NostrCarrier { event, spelled, d, body }
}

fn owner(kind: u16, d: &str) -> Option<(Owner, &'static str)> {
    if kind == 30_078 && content_id(d).is_some() {
        return Some((Owner::Attest, ""));
    }
    let rows = TABLE.iter().filter(|(of, prefix, _)| *of == kind && d.starts_with(prefix));
    rows.max_by_key(|(_, prefix, _)| prefix.len()).map(|(_, prefix, owner)| (*owner, *prefix))
}

fn body(event: &NostrEvent, d: &str) -> CarrierBody {
    let content = json::parse(event.content.as_bytes());
    let content_kind = content.as_ref().ok().and_then(content_kind).unwrap_or_default();
    let is_custody = matches!(event.kind, 30_078 | 30_087) && CUSTODY_KINDS.contains(&content_kind);
    match owner(event.kind, d) {
        // No `d` form is assigned to guardian artifacts; a bare 64-hex one may well be their own id.
        None | Some((Owner::Attest, "")) if is_custody => match custody::decode(&event.content) {
            Ok(claim) => CarrierBody::Custody(Box::new(claim)),
            Err(why) => CarrierBody::NotEnvelope(why),
        },
        None if UNASSIGNED_KINDS.contains(&event.kind) => CarrierBody::Stored("unassigned"),
        None => CarrierBody::Foreign,
        Some((owner, prefix)) => {
            let suffix = d.get(prefix.len()..).unwrap_or_default();
            if let Some(mismatch) = kind_mismatch(owner, prefix, content_kind) {
                return mismatch;
            }
            if content.as_ref().is_ok_and(|json| json.get("probe").is_some()) {
                return CarrierBody::NotEnvelope("a probe: its content has a member probe".to_owned());
            }
            owned_body(event, content, owner, suffix)
        }
    }
}

/// The content's own `kind`, at the top or in a wrapped artifact.
fn content_kind<'j>(json: &'j Json<'_>) -> Option<&'j str> {
    let inner = NESTED_MEMBERS.into_iter().find_map(|name| json.get(name)?.get("kind"));
    inner.or_else(|| json.get("kind"))?.as_str()
}

fn kind_mismatch(owner: Owner, prefix: &str, content_kind: &str) -> Option<CarrierBody> {
    let agrees = match owner {
        Owner::OcMe(kind) => is_kind_of(kind, content_kind),
        // Their contents carry no discriminator of OC Me or of a guardian artifact.
        Owner::Attest | Owner::Binding | Owner::Json(_) | Owner::Text(..) | Owner::Opaque(_) => {
            content_kind != "oc-billable-event"
                && !OcMeKind::ALL.iter().any(|kind| kind.name() == content_kind)
                && !CUSTODY_KINDS.contains(&content_kind)
        }
    };
    let by_d = if prefix.is_empty() { "attestation" } else { prefix.trim_end_matches(':') };
    (!agrees && !content_kind.is_empty())
        .then(|| CarrierBody::KindMismatch { by_d: by_d.to_owned(), by_content: content_kind.to_owned() })
}

/// True when a content `kind` names that artifact; webhooks spell the billable event `oc-billable-event` (FORMATS 3.2).
pub(super) fn is_kind_of(kind: OcMeKind, content_kind: &str) -> bool {
    content_kind == kind.name() || (kind == OcMeKind::Event && content_kind == "oc-billable-event")
}

fn owned_body(event: &NostrEvent, json: Result<Json<'_>, JsonError>, owner: Owner, suffix: &str) -> CarrierBody {
    let content = event.content.as_str();
    match owner {
        Owner::Attest => addressed(content, suffix, |id| {
            let claim = attest::decode(content, AttestationId(id)).map_err(Fault::new)?;
            Ok(CarrierBody::Attestation(Box::new(claim)))
        }),
        Owner::Binding => addressed(content, suffix, |id| {
            let claim = binding::decode(content, BindingId(id)).map_err(Fault::new)?;
            Ok(CarrierBody::Binding(Box::new(claim)))
        }),
        Owner::OcMe(kind) => addressed(content, suffix, |id| {
            let carrier = envelope::from_event(kind, crate::domain::EnvelopeId(id), event, json)?;
            Ok(CarrierBody::Envelope(Box::new(carrier)))
        }),
        Owner::Json(name) => match json {
            Ok(Json::Object(_)) => CarrierBody::Stored(name),
            _ if content.trim().is_empty() => CarrierBody::NotEnvelope("no content".to_owned()),
            _ => CarrierBody::NotEnvelope("the content is not a JSON object".to_owned()),
        },
        Owner::Text(name, start) if content.starts_with(start) => CarrierBody::Stored(name),
        Owner::Text(_, start) => CarrierBody::NotEnvelope(format!("the content does not start with {start}")),
        Owner::Opaque(_) if content.trim().is_empty() || PROBE_WORDS.contains(&content.trim()) => {
            CarrierBody::NotEnvelope("a probe: its content is empty or a known probe word".to_owned())
        }
        Owner::Opaque(name) => CarrierBody::Stored(name),
    }
}

/// The body of an artifact whose `d` ends in its content address.
fn addressed(content: &str, suffix: &str, decode: impl FnOnce(Digest32) -> Result<CarrierBody, Fault>) -> CarrierBody {
    let Some(id) = content_id(suffix) else {
        return CarrierBody::NotEnvelope("the d suffix is not 64 lower-case hex digits".to_owned());
    };
    if content.trim().is_empty() {
        return CarrierBody::Blank(id.0);
    }
    decode(id.0).unwrap_or_else(|fault| CarrierBody::NotEnvelope(fault.to_string()))
}
