//! Which side record stands for which key, and which of two holds. Shared by all stores, so that they can't differ.

use super::{SideRecord, StoreError};
use crate::domain::{Digest32, TaggedHasher, UnixSeconds};

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

/// The JSON kept in the log: stable, because serde writes fields in the order of their declaration.
pub(super) fn to_json(record: &SideRecord) -> Result<Vec<u8>, StoreError> {
    // Only a map with keys that are no strings can fail, and a side record has none; it is an error all the same.
    serde_json::to_vec(record).map_err(|error| StoreError::Io {
        action: "encode",
        file: "side record".to_owned(),
        source: error.into(),
    })
}

/// Reads [`to_json`]; `None` for a form this version does not know.
pub(super) fn from_json(json: &[u8]) -> Option<SideRecord> {
    serde_json::from_slice(json).ok()
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
