//! Entries of a gateway's payment log, in the three wire shapes that gateway versions have had (TREASURY 1.3).

use super::secret;
use crate::domain::{Code, Digest32, Finding, Media, OperationId, PaymentHash, Subject, UnixMicros, sha256};
use crate::evidence::json::Json;
use crate::evidence::limits::TEXT_FIELD_BYTES_MAX;
use crate::evidence::record::{self, Record, Refusal, missing};
use crate::evidence::{Claim, Decoded, PaymentLogEntry};

/// The unit an event kind writes its amount in (TREASURY 0.3): a mistake is a factor of 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Msat,
    Sat,
}

use Unit::{Msat, Sat};

/// Which member of a payload is its amount, and in which unit.
type AmountMember = Option<(&'static str, Unit)>;

/// (module, kind) and the member that holds its amount (TREASURY 1.4). A kind is unique only within its module.
///
/// The amount of a contract is never taken: it includes the gateway's fee, so it is neither invoiced nor moved over
/// Lightning (TREASURY 1.6: 1,010,150 against 1,000,000).
const KINDS: &[(&str, &str, AmountMember)] = &[
    ("ln", "outgoing-payment-started", Some(("invoice_amount", Msat))),
    ("ln", "outgoing-payment-succeeded", None),
    ("ln", "outgoing-payment-failed", None),
    ("ln", "incoming-payment-started", Some(("invoice_amount", Msat))),
    ("ln", "incoming-payment-succeeded", None),
    ("ln", "incoming-payment-failed", None),
    ("ln", "complete-lightning-payment-succeeded", None),
    ("ln", "payment-send", Some(("amount", Msat))),
    ("ln", "payment-send-update", None),
    ("ln", "payment-receive", Some(("amount", Msat))),
    ("lnv2", "outgoing-payment-started", Some(("invoice_amount", Msat))),
    ("lnv2", "outgoing-payment-succeeded", None),
    ("lnv2", "outgoing-payment-failed", None),
    ("lnv2", "incoming-payment-started", Some(("invoice_amount", Msat))),
    ("lnv2", "incoming-payment-succeeded", None),
    ("lnv2", "incoming-payment-failed", None),
    ("lnv2", "complete-lightning-payment-succeeded", None),
    ("lnv2", "payment-send", Some(("amount", Msat))),
    ("lnv2", "payment-send-update", None),
    ("lnv2", "payment-receive", Some(("amount", Msat))),
    ("mint", "oob-notes-spent", Some(("spent_amount", Msat))),
    ("mint", "oob-notes-reissued", Some(("amount", Msat))),
    ("mint", "payment-send", Some(("amount", Msat))),
    ("mint", "payment-receive", Some(("amount", Msat))),
    ("mint", "payment-receive-update", None),
    ("mint", "note-created", None),
    ("mint", "note-spent", None),
    ("mintv2", "payment-send", Some(("amount", Msat))),
    ("mintv2", "payment-receive", Some(("amount", Msat))),
    ("mintv2", "payment-receive-update", None),
    ("wallet", "withdraw-request", None),
    ("wallet", "deposit-confirmed", Some(("amount", Msat))),
    ("wallet", "payment-send", Some(("amount", Sat))),
    ("wallet", "payment-send-status", None),
    ("wallet", "payment-receive", Some(("amount", Msat))),
    ("walletv2", "payment-send", Some(("value", Sat))),
    ("walletv2", "payment-send-update", None),
    ("walletv2", "payment-receive", Some(("value", Sat))),
    ("walletv2", "payment-receive-update", None),
    ("", "tx-created", None),
    ("", "tx-accepted", None),
    ("", "tx-rejected", None),
];

/// The unit of the fee that a client's log states for a send; `None` where no fee is stated (TREASURY 1.4).
fn fee_unit(module: &str, kind: &str) -> Option<Unit> {
    match (module, kind) {
        ("ln" | "lnv2", "payment-send") => Some(Msat),
        ("wallet" | "walletv2", "payment-send") => Some(Sat),
        _ => None,
    }
}

fn is_number(payload: Record<'_, '_>, name: &str) -> bool {
    payload.get(name).is_some_and(|value| value.as_number().is_some())
}

/// Decodes one entry. `about` is the federation id the log was asked for, empty when unknown.
///
/// Bearer notes are named by their path only (SRC_SECRET_PRESENT); the bytes should have passed
/// [`redact_log_entry`](super::redact_log_entry) before. An unknown (module, kind) is kept and not counted
/// (SRC_UNKNOWN_KIND).
pub fn decode(about: &str, bytes: &[u8]) -> Decoded {
    match entry(about, bytes) {
        Ok((entry, secret_paths)) => {
            let mut findings = findings_about(&secret_paths, bytes);
            if !entry.known {
                let subject = Subject::new("module", &entry.module).and("kind", &entry.kind).and("federation", about);
                findings.push(
                    Finding::new(Code::SrcUnknownKind, subject)
                        .with_explanation("no published table names this kind; the entry is kept and not counted"),
                );
            }
            Decoded::Claim(Box::new(Claim::PaymentLogEntry(entry)), findings)
        }
        Err(refusal) => {
            let mut findings = vec![refusal.finding(Media::PaymentLogEntry, bytes)];
            if secret::is_present(bytes) {
                findings.extend(findings_about(&["an unreadable record".to_owned()], bytes));
            }
            Decoded::Undecodable(findings)
        }
    }
}

fn findings_about(secret_paths: &[String], bytes: &[u8]) -> Vec<Finding> {
    let finding = |path: &String| {
        let subject = Subject::new("media", Media::PaymentLogEntry).and("sha256", sha256(bytes)).and("field", path);
        Finding::new(Code::SrcSecretPresent, subject)
            .with_explanation("the log holds spendable notes; reissue them and delete the file")
    };
    secret_paths.iter().map(finding).collect()
}

/// The members common to all wire shapes.
struct Wire<'j, 'a> {
    id: &'j Json<'a>,
    kind: &'j Json<'a>,
    module: &'j Json<'a>,
    time: &'j Json<'a>,
    payload: &'j Json<'a>,
}

impl<'j, 'a> Wire<'j, 'a> {
    fn of(json: &'j Json<'a>) -> Result<Self, Refusal> {
        // Gateway 0.6: a tuple.
        if let Some(items) = json.as_array() {
            let [id, kind, module, time, payload] = items else {
                return Err(Refusal::Unreadable("not a tuple of five".to_owned()));
            };
            return Ok(Self { id, kind, module, time, payload });
        }
        let record = Record::of(json)?;
        let member = |name: &'static str| json.get(name).ok_or_else(|| missing(name));
        let optional = |name: &str| json.get(name).unwrap_or(&Json::Null);
        if record.get("event_id").is_some() {
            // Gateways 0.7 to 0.9.
            return Ok(Self {
                id: member("event_id")?,
                kind: member("event_kind")?,
                module: optional("module"),
                time: member("timestamp")?,
                payload: member("value")?,
            });
        }
        // Gateways 0.10 to 0.13.
        Ok(Self {
            id: member("id")?,
            kind: member("kind")?,
            module: optional("module"),
            time: member("ts_usecs")?,
            payload: member("payload")?,
        })
    }
}

fn entry(about: &str, bytes: &[u8]) -> Result<(PaymentLogEntry, Vec<String>), Refusal> {
    let json = record::parse(bytes)?;
    let wire = Wire::of(&json)?;
    let unreadable = |what: &str| Refusal::Unreadable(format!("the entry's {what} can't be read"));
    let module = module_name(wire.module).ok_or_else(|| unreadable("module"))?;
    let kind = short_text(wire.kind).ok_or_else(|| unreadable("kind"))?;
    let row = KINDS.iter().find(|(known_module, known_kind, _)| (*known_module, *known_kind) == (module, kind));
    let mut entry = PaymentLogEntry {
        federation_id: about.into(),
        id: wire.id.as_u64().ok_or_else(|| unreadable("id"))?,
        module: module.into(),
        kind: kind.into(),
        at: wire
            .time
            .as_u64()
            .and_then(|time| i64::try_from(time).ok())
            .map(UnixMicros)
            .ok_or_else(|| unreadable("time"))?,
        payment_hash: None,
        operation: None,
        contract: None,
        txid: None,
        amount_msat: None,
        contract_msat: None,
        fee_msat: None,
        preimage: None,
        known: row.is_some(),
    };
    // A payload that is not JSON comes as a hex string: it has no members.
    if let (Some((_, _, amount)), Ok(payload)) = (row, Record::of(wire.payload)) {
        entry.payment_hash = payment_hash(payload)?;
        entry.operation = operation(module, kind, payload)?;
        entry.amount_msat = amount.map(|(name, unit)| amount_msat(payload, name, unit)).transpose()?.flatten();
        if let Some(unit) = fee_unit(module, kind).filter(|_| is_number(payload, "fee")) {
            entry.fee_msat = amount_msat(payload, "fee", unit)?;
        }
        entry.contract_msat = contract_msat(payload);
        entry.contract = contract(module, kind, payload, entry.operation.as_ref());
        entry.txid = txid(module, payload);
        entry.preimage = preimage(payload)?;
    }
    Ok((entry, secret::paths(&json)))
}

fn short_text<'j>(value: &'j Json<'_>) -> Option<&'j str> {
    value.as_str().filter(|text| text.len() <= TEXT_FIELD_BYTES_MAX)
}

/// The module's kind out of `null`, `[kind, id]` or `{kind, id}`; empty for the core.
fn module_name<'j>(module: &'j Json<'_>) -> Option<&'j str> {
    match module {
        Json::Null => Some(""),
        Json::Array(items) => short_text(items.first()?),
        object => short_text(object.get("kind")?),
    }
}

fn amount_msat(payload: Record<'_, '_>, name: &str, unit: Unit) -> Result<Option<u64>, Refusal> {
    match unit {
        Unit::Msat => Ok(payload.msat(name)?.map(crate::domain::Msat::get)),
        Unit::Sat => Ok(payload.sats(name)?.map(|sats| sats.msat().get())),
    }
}

/// The hash by the join rules of TREASURY 1.4: `ln` by its hash, `lnv2` by its payment image when that is a hash.
fn payment_hash(payload: Record<'_, '_>) -> Result<Option<PaymentHash>, Refusal> {
    let hex = |value: &Json<'_>| value.as_str()?.parse::<PaymentHash>().ok();
    if let Some(hash) = payload.read("payment_hash", "64 hex digits", hex)? {
        return Ok(Some(hash));
    }
    let contract = payload.get("outgoing_contract").or_else(|| payload.get("incoming_contract_commitment"));
    let image = payload.get("payment_image").or_else(|| contract?.get("payment_image"));
    let lnv2 = image.and_then(|image| hex(image.get("Hash")?));
    Ok(lnv2.or_else(|| hex(contract?.get("contract")?.get("hash")?)))
}

fn operation(module: &str, kind: &str, payload: Record<'_, '_>) -> Result<Option<OperationId>, Refusal> {
    if let Some(operation) = payload.text("operation_id")? {
        return Ok(Some(OperationId::from(operation)));
    }
    if (module, kind) == ("lnv2", "outgoing-payment-started") {
        return Ok(payload.get("outgoing_contract").and_then(send_operation));
    }
    Ok(None)
}

/// The amount of an outgoing contract. It is no amount of a payment, so an odd number there refuses nothing.
fn contract_msat(payload: Record<'_, '_>) -> Option<u64> {
    let amount = payload.get("outgoing_contract")?.get("amount")?.as_u64()?;
    crate::domain::Msat::new(amount).ok().map(crate::domain::Msat::get)
}

/// `ln` names its contract; that of an LNv2 send has the id of the operation.
fn contract(module: &str, kind: &str, payload: Record<'_, '_>, operation: Option<&OperationId>) -> Option<Digest32> {
    if (module, kind) == ("lnv2", "outgoing-payment-started") {
        return operation?.as_str().parse().ok();
    }
    payload.get("contract_id").filter(|_| module == "ln")?.as_str()?.parse().ok()
}

/// The Bitcoin transaction of the wallet modules. A core entry's `txid` is of the federation, not of Bitcoin.
fn txid(module: &str, payload: Record<'_, '_>) -> Option<Digest32> {
    if !matches!(module, "wallet" | "walletv2") {
        return None;
    }
    let success = || payload.get("status").and_then(|status| status.get("Success"));
    payload.get("txid").or_else(success)?.as_str()?.parse().ok()
}

/// The operation id of an LNv2 send: the hash of the outgoing contract's consensus bytes (TREASURY 1.4), which are a
/// variant, a length, the payment hash, amount and expiration as `BigSize` (BOLT 1), and three compressed keys.
fn send_operation(contract: &Json<'_>) -> Option<OperationId> {
    let hash = contract.get("payment_image")?.get("Hash")?.as_str()?.parse::<Digest32>().ok()?;
    let mut bytes = vec![0x00, 0x20];
    bytes.extend_from_slice(hash.as_bytes());
    push_big_size(&mut bytes, contract.get("amount")?.as_u64()?);
    push_big_size(&mut bytes, contract.get("expiration")?.as_u64()?);
    for name in ["claim_pk", "refund_pk", "ephemeral_pk"] {
        let mut key = [0; 33];
        let hex = contract.get(name)?.as_str().filter(|hex| hex.len() == 66)?;
        faster_hex::hex_decode(hex.as_bytes(), &mut key).ok()?;
        bytes.extend_from_slice(&key);
    }
    Some(OperationId::from(sha256(&bytes).to_string()))
}

fn push_big_size(bytes: &mut Vec<u8>, value: u64) {
    let be = value.to_be_bytes();
    match value {
        0..=0xfc => bytes.push(be[7]),
        0xfd..=0xffff => {
            bytes.push(0xfd);
            bytes.extend_from_slice(&be[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&be[4..]);
        }
        _ => {
            bytes.push(0xff);
            bytes.extend_from_slice(&be);
        }
    }
}

/// A preimage as 64 hex digits, or as the 32 integers of a send's `{"Success":[...]}`.
fn preimage(payload: Record<'_, '_>) -> Result<Option<[u8; 32]>, Refusal> {
    let hex = |value: &Json<'_>| value.as_str()?.parse::<Digest32>().ok().map(|digest| digest.0);
    if let Some(preimage) = payload.read("preimage", "64 hex digits", hex)? {
        return Ok(Some(preimage));
    }
    let success = payload.get("status").and_then(|status| status.get("Success")?.as_array());
    let bytes =
        success.map(|items| items.iter().map(|item| u8::try_from(item.as_u64()?).ok()).collect::<Option<Vec<u8>>>());
    Ok(bytes.flatten().and_then(|bytes| bytes.try_into().ok()))
}

#[cfg(test)]
mod tests;
