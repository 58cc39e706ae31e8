//! Copies of records with one thing wrong each, beside the faults that the simulator plants: they come in any order with
//! the records that they were made from.

use reledger::domain::{Media, RawEvidence};
use serde_json::Value;

use crate::support::Lcg;

/// A copy of a record with an edit of its text; `None` when the edit does not apply.
type Edit = fn(&RawEvidence) -> Option<RawEvidence>;

const EDITS: [(Media, Edit); 11] = [
    (Media::NostrEvent, |raw| member(raw, "/sig", flip)),
    (Media::NostrEvent, |raw| member(raw, "/created_at", later)),
    (Media::NostrEvent, cut_off),
    (Media::NostrEvent, spaced),
    (Media::Activity, |raw| member(raw, "/sig", flip)),
    (Media::Activity, |raw| member(raw, "/attestation/id", flip)),
    (Media::Settlement, |raw| member(raw, "/sig_hex", flip)),
    (Media::Settlement, spaced),
    (Media::OtsProof, cut_off),
    (Media::OtsProof, |raw| Some(RawEvidence { about: "ab".repeat(32), ..raw.clone() })),
    (Media::Jwks, rewritten),
];

/// Adds a copy or two for each edit, of records that chance picks; key sets are rewritten in every other world only.
pub(super) fn add(evidence: &mut Vec<RawEvidence>, chance: &mut Lcg) {
    let mut damaged = Vec::new();
    for (media, edit) in EDITS {
        let fit: Vec<&RawEvidence> = evidence.iter().filter(|raw| raw.media == media).collect();
        let copies = if media == Media::Jwks { chance.below(2) } else { 1 + chance.below(2) };
        for _ in 0..copies.min(fit.len()) {
            damaged.extend(edit(fit[chance.below(fit.len())]));
        }
    }
    evidence.extend(damaged);
    evidence.sort_by_key(RawEvidence::id);
    evidence.dedup();
}

fn text(raw: &RawEvidence, value: &Value) -> RawEvidence {
    RawEvidence { bytes: value.to_string().into_bytes(), ..raw.clone() }
}

fn member(raw: &RawEvidence, pointer: &str, edit: fn(&mut Value)) -> Option<RawEvidence> {
    let mut value: Value = serde_json::from_slice(&raw.bytes).ok()?;
    edit(value.pointer_mut(pointer)?);
    Some(text(raw, &value))
}

/// Changes the first digit of a text.
fn flip(value: &mut Value) {
    if let Some(old) = value.as_str() {
        let first = if old.starts_with('0') { '1' } else { '0' };
        *value = format!("{first}{}", old.get(1..).unwrap_or_default()).into();
    }
}

fn later(value: &mut Value) {
    *value = (value.as_i64().unwrap_or_default() + 1).into();
}

fn cut_off(raw: &RawEvidence) -> Option<RawEvidence> {
    let (_, rest) = raw.bytes.split_last()?;
    Some(RawEvidence { bytes: rest.to_vec(), ..raw.clone() })
}

/// The same record with white space around it: other evidence, nothing new.
#[expect(clippy::unnecessary_wraps, reason = "one of several ways to damage a record, most of which may not apply")]
fn spaced(raw: &RawEvidence) -> Option<RawEvidence> {
    let bytes = [b" ", raw.bytes.as_slice(), b" "].concat();
    Some(RawEvidence { bytes, ..raw.clone() })
}

/// A key set in which the first key id names another key: the old one backwards.
fn rewritten(raw: &RawEvidence) -> Option<RawEvidence> {
    let mut value: Value = serde_json::from_slice(&raw.bytes).ok()?;
    let key = value["keys"].get_mut(0)?.get_mut("x")?;
    let reversed: String = key.as_str()?.chars().rev().collect();
    // The last of 43 characters holds four bits of the key: `A` is right whatever they are.
    *key = format!("{}A", reversed.get(1..)?).into();
    Some(text(raw, &value))
}
