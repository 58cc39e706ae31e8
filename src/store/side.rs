//! Which side record stands for which key, which of two holds, and how the log keeps them.

use serde::{Deserialize, Serialize};

use super::{SideRecord, StoreError};
use crate::domain::{Digest32, EvidenceId, Sighting, SourceId, TaggedHasher, UnixSeconds};

/// What one place of a source gave, as one record of the log: sightings are as many as events, and a record each, with an entry
/// of the index each, cost more than all else of the log together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenAt {
    pub(super) source: SourceId,
    pub(super) place: String,
    /// Each with its byte offset in the place.
    pub(super) evidence: Vec<(EvidenceId, u64)>,
}

/// How a side record that stands for many begins.
const MANY: &[u8] = b"{\"sightings\":";

/// A side record as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// Receipts, cursors, and sightings of logs that kept one for each.
    One(Box<SideRecord>),
    /// Sightings.
    Many(SeenAt),
}

impl Kept {
    /// The key in the index. One record's is what it is about; many have none but themselves: the id of the JSON.
    pub(super) fn key(&self, id: &Digest32) -> Digest32 {
        match self {
            Self::One(record) => key(record),
            Self::Many(_) => digest("sightings", &[id.as_bytes()]),
        }
    }

    /// As [`replaces`].
    pub(super) fn replaces(&self) -> bool {
        match self {
            Self::One(record) => replaces(record),
            Self::Many(_) => false,
        }
    }

    /// How many side records it stands for; at least one.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(seen) => seen.evidence.len().max(1),
        }
    }

    /// The side records that it stands for.
    pub(super) fn records(self) -> Box<dyn Iterator<Item = SideRecord>> {
        match self {
            Self::One(record) => Box::new(std::iter::once(*record)),
            Self::Many(SeenAt { source, place, evidence }) => {
                Box::new(evidence.into_iter().map(move |(id, offset)| {
                    SideRecord::Sighting(Sighting {
                        evidence: id,
                        source: source.clone(),
                        place: place.clone(),
                        offset,
                    })
                }))
            }
        }
    }

    /// The JSON kept in the log: stable, because serde writes fields in the order of their declaration.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, StoreError> {
        #[derive(Serialize)]
        struct Many<'a> {
            sightings: &'a SeenAt,
        }
        let json = match self {
            Self::One(record) => serde_json::to_vec(record),
            Self::Many(sightings) => serde_json::to_vec(&Many { sightings }),
        };
        // Only a map with keys that are no strings can fail, and a side record has none; it is an error all the same.
        json.map_err(|error| StoreError::Io { action: "encode", file: "side record".to_owned(), source: error.into() })
    }

    /// Reads [`Self::to_json`]; `None` for a form this version does not know.
    pub(super) fn from_json(json: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Many {
            sightings: SeenAt,
        }
        if json.starts_with(MANY) {
            return serde_json::from_slice(json).ok().map(|Many { sightings }| Self::Many(sightings));
        }
        serde_json::from_slice(json).ok().map(|one| Self::One(Box::new(one)))
    }
}

/// The key of a side record: a sighting's (evidence, source), a receipt's (source, slice), a cursor's name.
pub(super) fn key(record: &SideRecord) -> Digest32 {
    match record {
        SideRecord::Sighting(sighting) => {
            digest("sighting", &[sighting.evidence.as_bytes(), sighting.source.0.as_bytes()])
        }
        SideRecord::Receipt(receipt) => digest(
            "receipt",
            &[
                receipt.source.0.as_bytes(),
                receipt.slice.kind.as_bytes(),
                &instant(receipt.slice.from),
                &instant(receipt.slice.until),
            ],
        ),
        SideRecord::Cursor { name, .. } => cursor_key(name),
    }
}

/// The key of the cursor of that name.
pub(super) fn cursor_key(name: &str) -> Digest32 {
    digest("cursor", &[name.as_bytes()])
}

/// True when a record holds against an earlier one of the same key: a sighting never, a receipt or cursor always.
pub(super) fn replaces(record: &SideRecord) -> bool {
    match record {
        SideRecord::Sighting(_) => false,
        SideRecord::Receipt(_) | SideRecord::Cursor { .. } => true,
    }
}

fn instant(time: Option<UnixSeconds>) -> Vec<u8> {
    time.map_or_else(Vec::new, |time| time.0.to_be_bytes().to_vec())
}

fn digest(kind: &str, parts: &[&[u8]]) -> Digest32 {
    let mut hasher = TaggedHasher::new("reledger/side-key/1");
    hasher.field(kind.as_bytes());
    for part in parts {
        hasher.field(part);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sha256;

    #[test]
    fn what_many_records_say_is_read_back_one_by_one() {
        let id = |number: u8| EvidenceId(sha256(&[number]));
        let (source, place) = (SourceId("files:\"a\"".to_owned()), "page\n1".to_owned());
        let many = Kept::Many(SeenAt { source, place, evidence: vec![(id(1), 0), (id(2), u64::MAX)] });
        let json = many.to_json().unwrap();
        assert!(json.starts_with(MANY));
        assert_eq!(Kept::from_json(&json), Some(many.clone()));
        for (record, number) in many.records().zip([1, 2]) {
            let one = Kept::One(Box::new(record.clone()));
            assert!(matches!(&record, SideRecord::Sighting(sighting) if sighting.evidence == id(number)));
            assert_eq!(Kept::from_json(&one.to_json().unwrap()), Some(one), "as logs kept one for each");
        }
    }

    #[test]
    fn a_form_of_later_versions_is_not_guessed_at() {
        let known = r#"{"sightings":{"source":"a","place":"b","evidence":[]}}"#;
        assert!(Kept::from_json(known.as_bytes()).is_some());
        for unknown in [
            r#"{"sightings":{"source":"a","place":"b"}}"#,
            r#"{"sightings":{"source":"a","place":"b","evidence":[],"more":1}}"#,
            r#"{"sightings":{"source":"a","place":"b","evidence":[]},"more":1}"#,
            r#"{"sightings":{"source":"a","place":"b","evidence":[["00",1]]}}"#,
            r#"{"observation":{}}"#,
        ] {
            assert!(Kept::from_json(unknown.as_bytes()).is_none(), "{unknown}");
        }
    }
}
