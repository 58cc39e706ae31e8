//! Signed settlements of the federation gateway (FORMATS 6.1).

use super::json::{self, Json};
use super::record::{self, Record, Refusal, missing};
use super::{Claim, Decoded, SettlementClaim, SettlementEvent};
use crate::domain::{
    Code, Direction, Finding, Media, OperationId, ProjectKey, PublicKey32, SettlementKind, Subject, UserKey, sha256,
};

const WRAPPER: [&str; 3] = ["event", "pubkey_hex", "sig_hex"];

/// The members of an event in signing order.
const SIGNED: [&str; 18] = [
    "kind",
    "federation_slug",
    "operation_id",
    "amount_sats",
    "direction",
    "settled_at",
    "payment_hash",
    "preimage",
    "txid",
    "gateway_pubkey",
    "project_key",
    "user_address",
    "payout_binding_id",
    "distribution_id",
    "operator_id",
    "destination",
    "note",
    "fee_sats",
];

/// Decodes one `SignedSettlement`: `{event, pubkey_hex, sig_hex}`. Members may come in any order; an absent optional
/// member is read as `null`. Nothing is verified.
///
/// A member that the signature can't cover, or that stands twice, does not stop it: SIG_UNSIGNED_FIELDS names it. Of a
/// member that stands twice the last one is read, as `JSON.parse` does; the signature decides whether it was meant.
pub fn decode(bytes: &[u8]) -> Decoded {
    match claim(bytes) {
        Ok(claim) => {
            let findings = unsigned_members(&claim);
            Decoded::Claim(Box::new(Claim::Settlement(Box::new(claim))), findings)
        }
        Err(refusal) => refusal.answer(Media::Settlement, bytes),
    }
}

/// The bytes that a settlement's signature covers: compact JSON in declaration order, an absent option as `null`, and
/// `fee_sats` last, only when it is known (FORMATS 6.1).
pub fn canonical_bytes(event: &SettlementEvent) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let mut member = |name: &str, value: &Json<'_>| {
        out.push(if out.is_empty() { b'{' } else { b',' });
        json::write_string(&mut out, name);
        out.push(b':');
        out.extend_from_slice(value.to_compact().as_bytes());
    };
    member("kind", &text(event.kind.name()));
    member("federation_slug", &text(event.federation.as_str()));
    member("operation_id", &text(event.operation.as_str()));
    member("amount_sats", &Json::Number(&event.amount.to_string()));
    member("direction", &text(event.direction.name()));
    member("settled_at", &Json::Number(&event.settled_at.0.to_string()));
    let options = [
        event.payment_hash.as_deref(),
        event.preimage.as_deref(),
        event.txid.as_deref(),
        event.gateway_pubkey.as_deref(),
        event.project.as_ref().map(ProjectKey::as_str),
        event.user.as_ref().map(UserKey::as_str),
        event.payout_binding.as_deref(),
        event.distribution.as_deref(),
        event.operator.as_deref(),
        event.destination.as_deref(),
        event.note.as_deref(),
    ];
    for (name, value) in SIGNED[6..].iter().zip(options) {
        member(name, &value.map_or(Json::Null, text));
    }
    if let Some(fee) = event.fee {
        member("fee_sats", &Json::Number(&fee.to_string()));
    }
    out.push(b'}');
    out
}

fn text(value: &str) -> Json<'_> {
    Json::String(value.into())
}

fn claim(bytes: &[u8]) -> Result<SettlementClaim, Refusal> {
    record::bounded(bytes)?;
    match json::parse(bytes) {
        Ok(json) => claim_of(&json, None),
        Err(error) => {
            let Some(key) = error.duplicate_key.clone() else { return Err(error.into()) };
            let last_wins = last_of_each(bytes).ok_or_else(|| Refusal::from(error))?;
            claim_of(&json::parse(last_wins.as_bytes())?, Some(key))
        }
    }
}

/// The record with the last of each repeated member, as JavaScript reads it.
fn last_of_each(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice::<serde_json::Value>(bytes).ok().map(|value| value.to_string())
}

fn claim_of(json: &Json<'_>, duplicate: Option<String>) -> Result<SettlementClaim, Refusal> {
    let wrapper = Record::of(json)?;
    let members = wrapper.need_object("event")?;
    let event = event(members)?;
    let mut unsigned = names_outside(wrapper, &WRAPPER, "");
    unsigned.extend(names_outside(members, &SIGNED, "event."));
    unsigned.extend(duplicate);
    unsigned.sort();
    unsigned.dedup();
    Ok(SettlementClaim {
        canonical: canonical_bytes(&event),
        event,
        pubkey: wrapper
            .read("pubkey_hex", "64 hex digits", |value| value.as_str()?.parse::<PublicKey32>().ok())?
            .ok_or_else(|| missing("pubkey_hex"))?,
        sig: wrapper
            .read("sig_hex", "128 hex digits", |value| signature(value.as_str()?))?
            .ok_or_else(|| missing("sig_hex"))?,
        unsigned_members: unsigned,
    })
}

fn signature(text: &str) -> Option<[u8; 64]> {
    let mut sig = [0; 64];
    if text.len() != 128 {
        return None;
    }
    faster_hex::hex_decode(text.as_bytes(), &mut sig).ok()?;
    Some(sig)
}

fn event(members: Record<'_, '_>) -> Result<SettlementEvent, Refusal> {
    let owned = |name: &str| members.text(name).map(|text| text.map(str::to_owned));
    let kind = members.read("kind", "a settlement kind", |value| value.as_str()?.parse::<SettlementKind>().ok())?;
    let direction = members.read("direction", "in or out", |value| match value.as_str()? {
        "in" => Some(Direction::In),
        "out" => Some(Direction::Out),
        _ => None,
    })?;
    Ok(SettlementEvent {
        kind: kind.ok_or_else(|| missing("kind"))?,
        federation: members.need_text("federation_slug")?.into(),
        operation: OperationId::from(members.need_text("operation_id")?),
        amount: members.sats("amount_sats")?.ok_or_else(|| missing("amount_sats"))?,
        direction: direction.ok_or_else(|| missing("direction"))?,
        settled_at: members.seconds("settled_at")?.ok_or_else(|| missing("settled_at"))?,
        payment_hash: owned("payment_hash")?,
        preimage: owned("preimage")?,
        txid: owned("txid")?,
        gateway_pubkey: owned("gateway_pubkey")?,
        project: owned("project_key")?.map(ProjectKey::from),
        user: owned("user_address")?.map(UserKey::from),
        payout_binding: owned("payout_binding_id")?,
        distribution: owned("distribution_id")?,
        operator: owned("operator_id")?,
        destination: owned("destination")?,
        note: owned("note")?,
        fee: members.sats("fee_sats")?,
    })
}

fn names_outside(record: Record<'_, '_>, known: &[&str], prefix: &str) -> Vec<String> {
    let names = record.0.members().unwrap_or_default().iter().map(|(name, _)| name);
    names.filter(|name| !known.contains(&&***name)).map(|name| format!("{prefix}{name}")).collect()
}

fn unsigned_members(claim: &SettlementClaim) -> Vec<Finding> {
    if claim.unsigned_members.is_empty() {
        return Vec::new();
    }
    let subject = Subject::new("settlement", sha256(&claim.canonical)).and("operation", &claim.event.operation);
    vec![
        Finding::new(Code::SigUnsignedFields, subject)
            .with_values("only members that the signature covers, each once", claim.unsigned_members.join(", "))
            .with_explanation("these members are not covered by the signature; they were not used"),
    ]
}

#[cfg(test)]
mod tests;
