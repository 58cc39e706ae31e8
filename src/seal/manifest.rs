//! The manifest of a sealed evidence folder: sha256 and size of each member.

use serde::{Deserialize, Serialize};

use crate::domain::{Digest32, sha256};

/// `evidence/manifest.json`. Members are sorted by name; the text is canonical JSON with a trailing line feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `reledger/evidence-manifest/1`.
    pub schema: String,
    /// Merkle root over all evidence ids.
    pub evidence_root: Digest32,
    /// Distinct pieces of evidence.
    pub items: u64,
    /// Every other file of the folder.
    pub members: Vec<Member>,
}

/// One file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Name relative to the folder, with `/`.
    pub name: String,
    /// sha256 of its bytes.
    pub sha256: Digest32,
    /// Size in bytes.
    pub size: u64,
}

/// A manifest that can't be read or does not describe the folder.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not a manifest.
    #[error("evidence member manifest.json can't be read: {0}")]
    Unreadable(String),
    /// A member differs, is missing, or is not listed.
    #[error("evidence member {name} {what}")]
    Differs {
        /// The member.
        name: String,
        /// `is missing`, `is not in the manifest`, `has another sha256`.
        what: &'static str,
    },
}

/// The schema name written and required.
pub const MANIFEST_SCHEMA: &str = "reledger/evidence-manifest/1";

impl Manifest {
    /// A manifest over the members, which it sorts.
    pub fn new(evidence_root: Digest32, items: u64, mut members: Vec<Member>) -> Self {
        members.sort();
        Self { schema: MANIFEST_SCHEMA.to_owned(), evidence_root, items, members }
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a manifest has only text keys");
        text.push('\n');
        text
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// [`ManifestError::Unreadable`].
    pub fn from_text(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self =
            serde_json::from_str(text).map_err(|error| ManifestError::Unreadable(error.to_string()))?;
        if manifest.schema == MANIFEST_SCHEMA {
            Ok(manifest)
        } else {
            Err(ManifestError::Unreadable(format!("schema is not {MANIFEST_SCHEMA}")))
        }
    }

    /// Compares with what the folder holds now: both directions.
    ///
    /// # Errors
    /// The first [`ManifestError::Differs`] in name order.
    pub fn check(&self, found: &[Member]) -> Result<(), ManifestError> {
        let differs = |name: &str, what| ManifestError::Differs { name: name.to_owned(), what };
        for member in &self.members {
            match found.iter().find(|other| other.name == member.name) {
                None => return Err(differs(&member.name, "is missing")),
                Some(other) if other != member => return Err(differs(&member.name, "has another sha256")),
                Some(_) => {}
            }
        }
        match found.iter().find(|other| !self.members.iter().any(|member| member.name == other.name)) {
            Some(extra) => Err(differs(&extra.name, "is not in the manifest")),
            None => Ok(()),
        }
    }

    /// sha256 of the file's text: what a custody log names.
    pub fn digest(&self) -> Digest32 {
        sha256(self.to_text().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, bytes: &[u8]) -> Member {
        Member { name: name.to_owned(), sha256: sha256(bytes), size: bytes.len() as u64 }
    }

    #[test]
    fn a_changed_missing_or_added_member_is_named() {
        let manifest = Manifest::new(sha256(b""), 0, vec![member("b", b"2"), member("a", b"1")]);
        let again = Manifest::from_text(&manifest.to_text()).unwrap();
        assert_eq!(again, manifest);
        assert_eq!(again.check(&[member("a", b"1"), member("b", b"2")]), Ok(()));
        let what = |found: &[Member]| match again.check(found) {
            Err(ManifestError::Differs { name, what }) => format!("{name} {what}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(what(&[member("a", b"1")]), "b is missing");
        assert_eq!(what(&[member("a", b"1"), member("b", b"3")]), "b has another sha256");
        assert_eq!(what(&[member("a", b"1"), member("b", b"2"), member("c", b"")]), "c is not in the manifest");
    }
}
