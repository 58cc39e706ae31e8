//! Lightning invoice records of three dialects: LND (lncli and REST), Core Lightning, and the minimal one of FORMATS 6.3.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::domain::{Digest32, Media, Msat, PaymentHash, ProjectKey, Sats, UnixSeconds};
use crate::evidence::json::Json;
use crate::evidence::record::{self, Record, Refusal, missing};
use crate::evidence::{Claim, Decoded, InvoiceDialect, InvoiceRecord, InvoiceState};

/// Decodes one invoice, or one payment that a node sent, which has the same members.
///
/// Amounts are normalised to millisatoshi. `index` is LND's `add_index` or Core Lightning's `pay_index`: of each
/// node the one that has no holes when nothing is missing.
pub fn decode(bytes: &[u8]) -> Decoded {
    match invoice(bytes) {
        Ok(invoice) => Decoded::Claim(Box::new(Claim::Invoice(invoice)), Vec::new()),
        Err(refusal) => refusal.answer(Media::Invoice, bytes),
    }
}

fn invoice(bytes: &[u8]) -> Result<InvoiceRecord, Refusal> {
    let json = record::parse(bytes)?;
    let members = Record::of(&json)?;
    let state = members.read("state", "a state", state)?.or(members.read("status", "a status", state)?);
    let state = state.or_else(|| members.get("settled")?.as_bool().map(settled_or_open));
    let state = state.ok_or_else(|| missing("status"))?;
    let hash = first(members, &["r_hash", "payment_hash"], "32 bytes as hex or base64", bytes32)?;
    let preimage =
        first(members, &["r_preimage", "payment_preimage", "preimage"], "32 bytes as hex or base64", bytes32)?;
    Ok(InvoiceRecord {
        payment_hash: PaymentHash(Digest32(hash.ok_or_else(|| missing("payment_hash"))?)),
        // LND shows 32 zero bytes for a hold invoice whose preimage it does not know.
        preimage: preimage.filter(|preimage| *preimage != [0; 32]),
        asked_msat: asked_msat(members)?,
        received_msat: received_msat(members, state)?,
        fee_msat: fee_msat(members)?,
        state,
        settled_at: first(
            members,
            &["settle_date", "paid_at", "settled_at", "completed_at", "timestamp_secs"],
            "a time",
            time,
        )?
        .filter(|time| time.0 > 0),
        bolt11: first(members, &["payment_request", "bolt11"], "a text", |value| value.as_str())?.map(str::to_owned),
        index: first(members, &["add_index", "pay_index"], "an index", integer)?.filter(|index| *index > 0),
        project: members.text("project_key")?.map(ProjectKey::from),
        dialect: dialect(members),
    })
}

/// Members that one list has and no other.
fn dialect(members: Record<'_, '_>) -> InvoiceDialect {
    let has = |names: &[&str]| names.iter().any(|name| members.get(name).is_some());
    if has(&["payment_kind"]) {
        let sent = members.get("direction").and_then(Json::as_str) == Some("Outbound");
        if sent { InvoiceDialect::GatewaySent } else { InvoiceDialect::GatewayReceived }
    } else if has(&["payment_index", "creation_time_ns"]) {
        InvoiceDialect::LndPayment
    } else if has(&["add_index", "r_hash", "amt_paid_msat"]) {
        InvoiceDialect::LndInvoice
    } else if has(&["pay_index", "created_index", "expires_at", "amount_received_msat", "amount_sent_msat"]) {
        InvoiceDialect::CoreLightning
    } else {
        InvoiceDialect::Plain
    }
}

/// The first of these members that is there, read by `read`. LND writes an empty text for what was never set.
fn first<'j, 'a, T>(
    members: Record<'j, 'a>,
    names: &[&str],
    what: &str,
    read: impl Fn(&'j Json<'a>) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    for name in names.iter().filter(|name| members.get(name).and_then(Json::as_str) != Some("")) {
        if let Some(found) = members.read(name, what, &read)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

const fn settled_or_open(settled: bool) -> InvoiceState {
    if settled { InvoiceState::Settled } else { InvoiceState::Open }
}

/// LND `ACCEPTED` holds the money without taking it, so the invoice is still open.
fn state(value: &Json<'_>) -> Option<InvoiceState> {
    match value.as_str()?.to_ascii_lowercase().as_str() {
        "open" | "accepted" | "unpaid" | "pending" | "in_flight" | "initiated" => Some(InvoiceState::Open),
        "settled" | "paid" | "complete" | "succeeded" => Some(InvoiceState::Settled),
        "expired" => Some(InvoiceState::Expired),
        "canceled" | "cancelled" | "failed" => Some(InvoiceState::Cancelled),
        _ => None,
    }
}

/// LND writes zero for what was never set: an invoice of any amount has no asked amount.
fn asked_msat(members: Record<'_, '_>) -> Result<Option<u64>, Refusal> {
    // A gateway's list states what was invoiced, in millisatoshi (TREASURY 1.2).
    let names: &[&str] =
        if members.get("payment_kind").is_some() { &["amount"] } else { &["value_msat", "amount_msat"] };
    for name in names {
        if let Some(msat) =
            amount(members, name, |value| Msat::new(value).ok().map(Msat::get))?.filter(|msat| *msat > 0)
        {
            return Ok(Some(msat));
        }
    }
    for name in ["value", "amount_sats"] {
        if let Some(msat) = amount(members, name, sats_as_msat)?.filter(|msat| *msat > 0) {
            return Ok(Some(msat));
        }
    }
    Ok(None)
}

/// A payment that was sent states no received amount.
fn received_msat(members: Record<'_, '_>, state: InvoiceState) -> Result<Option<u64>, Refusal> {
    let mut received = None;
    for name in ["amt_paid_msat", "amount_received_msat"] {
        received = received.or(amount(members, name, |value| Msat::new(value).ok().map(Msat::get))?);
    }
    let received = received.or(amount(members, "amt_paid_sat", sats_as_msat)?);
    Ok(received.filter(|msat| *msat > 0 || state == InvoiceState::Settled))
}

/// What the node paid for routing: LND states it, Core Lightning states what was sent and what arrived.
fn fee_msat(members: Record<'_, '_>) -> Result<Option<u64>, Refusal> {
    let msat = |name| amount(members, name, |value| Msat::new(value).ok().map(Msat::get));
    if let Some(fee) = msat("fee_msat")?.or(amount(members, "fee_sat", sats_as_msat)?) {
        return Ok(Some(fee));
    }
    let (sent, arrived) = (msat("amount_sent_msat")?, msat("amount_msat")?);
    Ok(sent.zip(arrived).and_then(|(sent, arrived)| sent.checked_sub(arrived)))
}

fn sats_as_msat(value: u64) -> Option<u64> {
    Sats::new(value).ok().map(|sats| sats.msat().get())
}

/// An integer, an integer in a string (LND), or one with the suffix `msat` (older Core Lightning).
fn amount(members: Record<'_, '_>, name: &str, accept: impl Fn(u64) -> Option<u64>) -> Result<Option<u64>, Refusal> {
    let Some(value) = members.get(name) else { return Ok(None) };
    let digits = match value {
        Json::Number(text) => *text,
        Json::String(text) => text.strip_suffix("msat").unwrap_or(text),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => {
            return Err(Refusal::Unreadable(format!("member {name} is not an amount")));
        }
    };
    if digits.is_empty() || digits.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
        return Err(Refusal::Unreadable(format!("member {name} is not an amount")));
    }
    match plain_integer(digits).and_then(accept) {
        Some(amount) => Ok(Some(amount)),
        None => Err(Refusal::Amount { member: name.to_owned(), found: digits.to_owned() }),
    }
}

/// Text has the form of a JSON number: no sign, no fraction, no exponent, no leading zero.
fn plain_integer(digits: &str) -> Option<u64> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    is_plain.then(|| digits.parse().ok())?
}

fn integer(value: &Json<'_>) -> Option<u64> {
    value.as_u64().or_else(|| plain_integer(value.as_str()?))
}

/// Unix seconds, as integer or text, or an ISO-8601 text.
fn time(value: &Json<'_>) -> Option<UnixSeconds> {
    match value.as_str() {
        Some(text) if text.contains('T') => text.parse().ok(),
        _ => i64::try_from(integer(value)?).ok().map(UnixSeconds),
    }
}

/// 32 bytes: 64 hex digits (lncli, Core Lightning) or 44 characters of base64 (LND REST); told apart by length.
fn bytes32(value: &Json<'_>) -> Option<[u8; 32]> {
    let text = value.as_str()?;
    if text.len() == 64 {
        return text.parse::<Digest32>().ok().map(|digest| digest.0);
    }
    if text.len() != 44 {
        return None;
    }
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests;
