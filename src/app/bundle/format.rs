//! The file: one canonical JSON object. docs/bundle.md says enough for another implementation.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::case::Limits;
use super::prefix::Prefix;
use crate::domain::{Digest32, EvidenceId, FetchReceipt, RawEvidence, Severity, SourceId, State, TrustPolicy, sha256};
use crate::reconcile::Declared;
use crate::report::canonical_json;

/// The schema's name without its number.
pub(super) const SCHEMA: &str = "reledger/bundle/";
/// The number that this release writes and judges.
pub(super) const SCHEMA_NUMBER: u32 = 1;
/// A larger file is not read to its end.
pub const BUNDLE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Pieces of evidence, receipts and sightings in one bundle.
pub(super) const ITEMS_MAX: usize = 100_000;
/// Members that the id does not cover: itself, the digest over the file, and who wrote it.
const NOT_IN_ID: [&str; 3] = ["id", "sha256", "software"];
/// How much of a file's beginning and end is looked at to tell whether it is a bundle.
const LOOK_BYTES: usize = 8 * 1024;

/// Who wrote a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Software {
    pub(super) name: String,
    pub(super) version: String,
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Piece {
    /// What it is about, as its carrier says; mostly empty.
    pub(super) about: String,
    /// Base64, for bytes that are no plain text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) bytes: Option<String>,
    pub(super) id: EvidenceId,
    pub(super) media: String,
    /// The parts that the divergence gives it, joined by `+`; `support` where it cites it not.
    pub(super) role: String,
    pub(super) sha256: Digest32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) text: Option<String>,
}

impl Piece {
    pub(super) fn of(raw: &RawEvidence, role: String) -> Self {
        let text = std::str::from_utf8(&raw.bytes).ok().map(str::to_owned);
        Self {
            about: raw.about.clone(),
            bytes: text.is_none().then(|| STANDARD.encode(&raw.bytes)),
            id: raw.id(),
            media: raw.media.name().to_owned(),
            role,
            sha256: sha256(&raw.bytes),
            text,
        }
    }

    /// The evidence, when media, form, digest and id agree with each other.
    pub(super) fn evidence(&self) -> Option<RawEvidence> {
        let bytes = match (&self.text, &self.bytes) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(encoded)) => STANDARD.decode(encoded).ok()?,
            _ => return None,
        };
        let raw = RawEvidence { media: self.media.parse().ok()?, about: self.about.clone(), bytes };
        (Self::of(&raw, self.role.clone()) == *self).then_some(raw)
    }
}

/// Which sources gave a piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenAt {
    pub(super) evidence: EvidenceId,
    pub(super) sources: Vec<SourceId>,
}

/// A check of the program that says so, and what it says it of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Predicate {
    pub(super) check: String,
    pub(super) inputs: Vec<EvidenceId>,
}

/// A name in the evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disclosed {
    pub(super) name: String,
    pub(super) pieces: u64,
}

/// The span of what the evidence dates itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Window {
    pub(super) from: i64,
    pub(super) until: i64,
}

/// The whole object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bundle {
    pub(super) as_of: i64,
    pub(super) code: String,
    pub(super) declared: Declared,
    pub(super) discloses: Vec<Disclosed>,
    pub(super) evidence: Vec<Piece>,
    pub(super) expected: String,
    pub(super) fingerprint: Digest32,
    pub(super) first_failing_prefix: Option<Prefix>,
    pub(super) id: Digest32,
    pub(super) limits: Limits,
    pub(super) meaning: String,
    pub(super) observed: String,
    pub(super) policy: TrustPolicy,
    pub(super) policy_sha256: Digest32,
    pub(super) predicates: Vec<Predicate>,
    /// What further evidence could do; why it is not self-contained, when it is not.
    pub(super) reason: Option<String>,
    pub(super) receipts: Vec<FetchReceipt>,
    /// The evidence shows the divergence, and the words agree.
    pub(super) reproduced: bool,
    pub(super) rule_set_sha256: Digest32,
    pub(super) schema: String,
    pub(super) self_contained: bool,
    pub(super) severity: Severity,
    pub(super) sha256: Digest32,
    pub(super) sightings: Vec<SeenAt>,
    pub(super) software: Software,
    pub(super) state: State,
    pub(super) step: u8,
    pub(super) subject: BTreeMap<String, String>,
    pub(super) users_revealed: bool,
    pub(super) window: Option<Window>,
}

impl Bundle {
    /// Computes `id` and `sha256`.
    pub(super) fn sealed(mut self) -> Self {
        self.id = id_of(&self.value());
        self.sha256 = file_digest(&self.value());
        self
    }

    fn value(&self) -> Value {
        // Text keys, integers, texts: serde_json writes them all.
        serde_json::to_value(self).expect("a bundle has no map with keys that are no text")
    }

    /// The file.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        canonical_json(&self.value())
    }

    /// The same content, as far as the id covers it.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        id_of(&self.value()) == id_of(&other.value())
    }
}

/// sha256 of the canonical bytes without the members that the id does not cover.
pub(super) fn id_of(value: &Value) -> Digest32 {
    without(value, &NOT_IN_ID)
}

/// sha256 of the canonical bytes without that digest. The same for every version of the schema.
pub(super) fn file_digest(value: &Value) -> Digest32 {
    without(value, &["sha256"])
}

fn without(value: &Value, members: &[&str]) -> Digest32 {
    let mut bare = value.clone();
    if let Some(object) = bare.as_object_mut() {
        for member in members {
            object.remove(*member);
        }
    }
    sha256(&canonical_json(&bare))
}

/// True for a file that is meant to be a bundle, whole or damaged: by its name, or by what stands at its beginning or end.
pub fn looks_like_bundle(name: &str, head: &[u8], tail: &[u8]) -> bool {
    let has = |part: &[u8], mark: &str| part.windows(mark.len()).any(|window| window == mark.as_bytes());
    let head = head.get(..LOOK_BYTES).unwrap_or(head);
    let tail = tail.get(tail.len().saturating_sub(LOOK_BYTES)..).unwrap_or(tail);
    let number = head.strip_prefix(b"{\"as_of\":").map(|rest| {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
        rest.get(digits..).unwrap_or_default()
    });
    name.to_ascii_lowercase().ends_with(".bundle.json")
        || number.is_some_and(|rest| rest.starts_with(b",\"code\":\""))
        || [head, tail].into_iter().any(|part| {
            has(part, "\"schema\":\"reledger/bundle/")
                || has(part, "\"self_contained\":") && has(part, "\"users_revealed\":")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Media;

    #[test]
    fn a_piece_whose_parts_disagree_is_no_evidence() {
        let raw = RawEvidence { media: Media::Settlement, about: String::new(), bytes: b"{}".to_vec() };
        let piece = Piece::of(&raw, "support".to_owned());
        assert_eq!(piece.evidence(), Some(raw.clone()));
        let binary = RawEvidence { media: Media::OtsProof, bytes: vec![0, 255], ..raw };
        assert_eq!(Piece::of(&binary, String::new()).evidence(), Some(binary));
        for broken in [
            Piece { sha256: sha256(b"other"), ..piece.clone() },
            Piece { text: Some("{} ".to_owned()), ..piece.clone() },
            Piece { about: "x".to_owned(), ..piece.clone() },
            Piece { media: "invoice".to_owned(), ..piece.clone() },
            Piece { media: "nothing".to_owned(), ..piece.clone() },
            Piece { text: None, ..piece.clone() },
            // Base64 of what is plain text is a second spelling of the same.
            Piece { text: None, bytes: Some("e30=".to_owned()), ..piece.clone() },
            Piece { bytes: Some("e30=".to_owned()), ..piece },
        ] {
            assert_eq!(broken.evidence(), None, "{broken:?}");
        }
    }

    #[test]
    fn a_bundle_is_known_by_name_beginning_or_end_and_a_report_is_none() {
        assert!(looks_like_bundle("my.bundle.json", b"", b""));
        assert!(looks_like_bundle("x", b"{\"as_of\":17,\"code\":\"SIG_BAD\"", b""));
        assert!(looks_like_bundle("x", b"damaged", b"\"schema\":\"reledger/bundle/1\""));
        assert!(!looks_like_bundle("report.json", b"{\"as_of\":{\"time\":1", b"\"schema\":\"reledger/report/1\""));
        assert!(!looks_like_bundle("events.jsonl", b"{\"content\":\"\"", b"}\n"));
    }
}
