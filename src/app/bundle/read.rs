//! From a foreign file to a case that may be judged: every digest, order and bound is checked before anything is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::case::Case;
use super::format::{BUNDLE_BYTES_MAX, Bundle, ITEMS_MAX, SCHEMA, SCHEMA_NUMBER, file_digest, id_of};
use super::grounds::rule_set;
use super::privacy::forbidden;
use crate::domain::{Code, EvidenceId, UnixSeconds};
use crate::report::canonical_json;

/// The last second of the year 9999, and as far before 1970: arithmetic on times never meets a larger one.
const SECONDS_MAX: u64 = 253_402_300_799;
/// Any other number: all millisatoshi that there will ever be.
const NUMBER_MAX: u64 = 2_100_000_000_000_000_000;
/// Members that hold times or spans in seconds.
const TIMES: [&str; 11] = [
    "as_of",
    "at",
    "date",
    "expires",
    "from",
    "ots_late_seconds",
    "ots_overdue_seconds",
    "rpo_seconds",
    "since",
    "time",
    "until",
];

/// A bundle that is intact.
pub(super) struct Intact {
    pub(super) bundle: Bundle,
    pub(super) code: Code,
    pub(super) case: Case,
}

/// Why a file is not judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is damaged, or no bundle.
    Damaged(String),
    /// It is intact and of another release.
    Other(String),
}

fn damaged(what: &str) -> Unread {
    Unread::Damaged(format!("checksum_error: {what}"))
}

/// Reads a bundle.
pub(super) fn read(bytes: &[u8]) -> Result<Intact, Unread> {
    if bytes.len() > BUNDLE_BYTES_MAX {
        return Err(damaged("larger than a bundle may be"));
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|_| damaged("not JSON"))?;
    if canonical_json(&value) != bytes {
        return Err(damaged("not canonical JSON"));
    }
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    if !value.is_object() || text("sha256") != file_digest(&value).to_hex() {
        return Err(damaged("sha256 is not the digest of the file"));
    }
    let schema = text("schema");
    match schema.strip_prefix(SCHEMA).and_then(|number| number.parse::<u32>().ok()) {
        Some(SCHEMA_NUMBER) => {}
        Some(number) if number > SCHEMA_NUMBER => {
            return Err(Unread::Other(format!(
                "schema {schema} is newer than this release, which judges {SCHEMA_NUMBER}"
            )));
        }
        _ => return Err(damaged("the schema is no bundle's")),
    }
    if text("id") != id_of(&value).to_hex() {
        return Err(damaged("id is not the digest of the content"));
    }
    if text("rule_set_sha256") != rule_set().to_hex() {
        return Err(Unread::Other("it was judged by another rule set than this release has".to_owned()));
    }
    typed(value, bytes)
}

fn typed(value: Value, bytes: &[u8]) -> Result<Intact, Unread> {
    bounded("", &value)?;
    let bundle: Bundle = serde_json::from_value(value)
        .map_err(|error| damaged(&format!("a member is missing, foreign or misshapen: {error}")))?;
    if bundle.to_bytes() != bytes {
        return Err(damaged("a member is foreign or spelled in another way"));
    }
    let code: Code = bundle.code.parse().map_err(|()| damaged("the code is none of ours"))?;
    if bundle.policy.digest() != bundle.policy_sha256 {
        return Err(damaged("policy_sha256 is not the digest of the policy"));
    }
    let case = case(&bundle)?;
    if let Some(why) = forbidden(&case) {
        return Err(damaged(&format!("what no bundle may hold: {why}")));
    }
    Ok(Intact { bundle, code, case })
}

/// Refuses numbers that no honest bundle holds.
// Recursion is bounded by the depth that parsing allows.
fn bounded(member: &str, value: &Value) -> Result<(), Unread> {
    match value {
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            let limit = if TIMES.contains(&member) { SECONDS_MAX } else { NUMBER_MAX };
            if size.is_some_and(|size| size <= limit) { Ok(()) } else { Err(damaged("a number out of range")) }
        }
        Value::Array(items) => items.iter().try_for_each(|item| bounded(member, item)),
        Value::Object(members) => members.iter().try_for_each(|(name, value)| bounded(name, value)),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

fn case(bundle: &Bundle) -> Result<Case, Unread> {
    let items = bundle.evidence.len().max(bundle.receipts.len()).max(bundle.sightings.len());
    if items > ITEMS_MAX {
        return Err(damaged("more items than a bundle may hold"));
    }
    let mut pieces = BTreeMap::new();
    let mut last: Option<EvidenceId> = None;
    for piece in &bundle.evidence {
        let raw = piece.evidence().ok_or_else(|| damaged("a piece of evidence is not what it says"))?;
        if last.is_some_and(|last| last >= piece.id) {
            return Err(damaged("evidence is repeated or out of order"));
        }
        last = Some(piece.id);
        pieces.insert(piece.id, Arc::new(raw));
    }
    if !bundle.receipts.is_sorted_by(|one, next| one < next) {
        return Err(damaged("receipts are repeated or out of order"));
    }
    let in_order = bundle.sightings.is_sorted_by(|one, next| one.evidence < next.evidence);
    if !in_order || bundle.sightings.iter().any(|seen| !pieces.contains_key(&seen.evidence)) {
        return Err(damaged("sightings are repeated, out of order, or of nothing"));
    }
    let sightings =
        bundle.sightings.iter().map(|seen| (seen.evidence, seen.sources.iter().cloned().collect::<BTreeSet<_>>()));
    Ok(Case {
        receipts: bundle.receipts.clone(),
        sightings: sightings.collect(),
        policy: bundle.policy.clone(),
        declared: bundle.declared.clone(),
        as_of: UnixSeconds(bundle.as_of),
        limits: bundle.limits.clone(),
        pieces,
    })
}
