//! A snapshot's manifest and signature, and the outline: what was read of an archive (docs/snapshot.md).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::json::{self, Json};
use super::limits::{
    SNAPSHOT_EXPANDED_BYTES_MAX, SNAPSHOT_MANIFEST_BYTES_MAX, SNAPSHOT_MEMBERS_MAX, SNAPSHOT_OUTLINE_BYTES_MAX,
    SNAPSHOT_SIGNATURE_BYTES_MAX,
};
use super::record::Refusal;
use super::sealed::{exact_members, lower_digest, signature_of, whole_number};
use super::tar::{Problem, name_problem};
use super::{Claim, Decoded};
use crate::domain::{Digest32, Media, PublicKey32};

/// `schema` of a manifest; also the tag under which the manifest is signed.
pub const SNAPSHOT_SCHEMA: &str = "reledger/snapshot/1";
/// `schema` of an outline.
pub const OUTLINE_SCHEMA: &str = "reledger/snapshot-outline/1";
/// The archive's first member.
pub const MANIFEST_NAME: &str = "manifest.json";
/// The archive's second member.
pub const SIGNATURE_NAME: &str = "manifest.sig";

const MANIFEST_MEMBERS: [&str; 5] = ["entries", "members", "schema", "schema_cursor", "sequence"];
/// Bytes of an unexpected text shown to people.
const SHOWN_MAX: usize = 200;

/// One member as a manifest names it, or as it was measured.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotMember {
    /// Its name.
    pub name: String,
    /// sha256 of its content.
    pub sha256: Digest32,
    /// Bytes of content.
    pub size: u64,
}

/// What a snapshot says it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotManifest {
    /// Counts the snapshots of one ledger, upwards.
    pub sequence: u64,
    /// Ledger entries below it; they never get fewer.
    pub entries: u64,
    /// The last migration of the store's schema that it contains.
    pub schema_cursor: u64,
    /// The other members, in the order of the archive.
    pub members: Vec<SnapshotMember>,
}

impl SnapshotManifest {
    /// Reads the bytes that the signature covers. Strict: canonical JSON, every member and no other.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        manifest(bytes).map_err(words)
    }

    /// The bytes that are signed: canonical JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let member = |member: &SnapshotMember| {
            let name = serde_json::Value::from(member.name.as_str());
            format!("{{\"name\":{name},\"sha256\":\"{}\",\"size\":{}}}", member.sha256, member.size)
        };
        let members: Vec<String> = self.members.iter().map(member).collect();
        format!(
            "{{\"entries\":{},\"members\":[{}],\"schema\":\"{SNAPSHOT_SCHEMA}\",\"schema_cursor\":{},\"sequence\":{}}}",
            self.entries,
            members.join(","),
            self.schema_cursor,
            self.sequence
        )
        .into_bytes()
    }

    /// Why an archive of this manifest must not be read, whoever signed it, and the member that it is about.
    pub fn problem(&self) -> Option<(Problem, &str)> {
        if self.members.len() > SNAPSHOT_MEMBERS_MAX {
            return Some((Problem::Entries, ""));
        }
        let mut names = BTreeSet::from([MANIFEST_NAME, SIGNATURE_NAME]);
        let mut bytes = 0_u64;
        for member in &self.members {
            if let Some(problem) = name_problem(&member.name) {
                return Some((problem, &member.name));
            }
            if !names.insert(&member.name) {
                return Some((Problem::Duplicate, &member.name));
            }
            bytes = bytes.saturating_add(member.size);
            if bytes > SNAPSHOT_EXPANDED_BYTES_MAX {
                return Some((Problem::Size, &member.name));
            }
        }
        None
    }
}

fn manifest(bytes: &[u8]) -> Result<SnapshotManifest, Refusal> {
    bounded(bytes, SNAPSHOT_MANIFEST_BYTES_MAX)?;
    let json = json::parse(bytes)?;
    exact_members(&json, &MANIFEST_MEMBERS)?;
    if json.to_jcs().as_bytes() != bytes {
        return Err(Refusal::Unreadable("the manifest is not canonical JSON".to_owned()));
    }
    if json.get("schema").and_then(Json::as_str) != Some(SNAPSHOT_SCHEMA) {
        return Err(Refusal::Unreadable(format!("schema is not {SNAPSHOT_SCHEMA}")));
    }
    let members = json.get("members").and_then(Json::as_array);
    let members = members.ok_or_else(|| Refusal::Unreadable("members is no array".to_owned()))?;
    Ok(SnapshotManifest {
        sequence: whole_number(&json, "sequence")?,
        entries: whole_number(&json, "entries")?,
        schema_cursor: whole_number(&json, "schema_cursor")?,
        members: members.iter().map(member).collect::<Result<_, _>>()?,
    })
}

fn member(json: &Json<'_>) -> Result<SnapshotMember, Refusal> {
    exact_members(json, &["name", "sha256", "size"])?;
    let name = json.get("name").and_then(Json::as_str);
    Ok(SnapshotMember {
        name: name.ok_or_else(|| Refusal::Unreadable("name is no text".to_owned()))?.to_owned(),
        sha256: lower_digest(json, "sha256")?,
        size: whole_number(json, "size")?,
    })
}

/// `manifest.sig`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotSignature {
    /// `key_id`: the Ed25519 key that it says it is made with.
    pub key: PublicKey32,
    /// The signature.
    pub sig: [u8; 64],
}

impl SnapshotSignature {
    /// Reads the member's bytes.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let read = || {
            bounded(bytes, SNAPSHOT_SIGNATURE_BYTES_MAX)?;
            let json = json::parse(bytes)?;
            exact_members(&json, &["key_id", "sig"])?;
            Ok(Self { key: PublicKey32(lower_digest(&json, "key_id")?), sig: signature_of(&json)? })
        };
        read().map_err(words)
    }
}

fn bounded(bytes: &[u8], limit: usize) -> Result<(), Refusal> {
    if bytes.len() > limit {
        return Err(Refusal::Unreadable(format!("more than {limit} bytes: the limit")));
    }
    Ok(())
}

fn words(refusal: Refusal) -> String {
    match refusal {
        Refusal::Unreadable(_) | Refusal::Member { .. } => refusal.reason().chars().take(SHOWN_MAX).collect(),
        Refusal::Amount { member, .. } => member,
    }
}

/// How far an archive was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadEnd {
    /// To its end, which was as it should be.
    Whole,
    /// Up to a signature by nobody who was trusted then, or to where it should have been. No member was read.
    Unvouched,
    /// Up to a signed manifest that can't be read.
    Unreadable,
    /// The stream ends too early.
    CutOff,
    /// The compressed stream is damaged.
    Damaged,
    /// Up to something unsafe.
    Unsafe,
}

/// What was read of one archive: as much as its verdict needs, whoever draws it. The archive itself is no evidence; it
/// stays where it lies, and its digest is here.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotOutline {
    schema: String,
    /// sha256 of the archive's file.
    pub file_sha256: Digest32,
    /// Its size in bytes.
    pub file_bytes: u64,
    /// `manifest.json` as it stands in the archive, in base64.
    manifest: Option<String>,
    /// `manifest.sig` as it stands in the archive, in base64.
    signature: Option<String>,
    /// The members that were read whole, as measured, in the order of the archive.
    pub members: Vec<SnapshotMember>,
    /// How far it was read.
    pub end: ReadEnd,
    /// What was unsafe.
    pub problem: Option<Problem>,
    /// The name at which reading ended, for people.
    pub at: String,
}

impl SnapshotOutline {
    /// An outline of nothing read yet.
    pub fn new(file_sha256: Digest32, file_bytes: u64) -> Self {
        Self {
            schema: OUTLINE_SCHEMA.to_owned(),
            file_sha256,
            file_bytes,
            manifest: None,
            signature: None,
            members: Vec::new(),
            end: ReadEnd::Whole,
            problem: None,
            at: String::new(),
        }
    }

    /// Keeps the manifest's bytes.
    pub fn set_manifest(&mut self, bytes: &[u8]) {
        self.manifest = Some(STANDARD.encode(bytes));
    }

    /// Keeps the signature's bytes.
    pub fn set_signature(&mut self, bytes: &[u8]) {
        self.signature = Some(STANDARD.encode(bytes));
    }

    /// `manifest.json`, when it was read.
    pub fn manifest(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.manifest.as_ref()?).ok()
    }

    /// `manifest.sig`, when it was read.
    pub fn signature(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.signature.as_ref()?).ok()
    }

    /// Keeps where reading ended; a name of any length is cut.
    pub fn set_at(&mut self, name: &str) {
        self.at = name.chars().take(SHOWN_MAX).collect();
    }

    /// The evidence: JSON, members in the order of the specification.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an outline has only text keys")
    }
}

/// Decodes an outline.
pub fn decode(bytes: &[u8]) -> Decoded {
    match outline(bytes) {
        Ok(outline) => Decoded::Claim(Box::new(Claim::Snapshot(Box::new(outline))), Vec::new()),
        Err(refusal) => refusal.answer(Media::Snapshot, bytes),
    }
}

fn outline(bytes: &[u8]) -> Result<SnapshotOutline, Refusal> {
    bounded(bytes, SNAPSHOT_OUTLINE_BYTES_MAX)?;
    let outline: SnapshotOutline = serde_json::from_slice(bytes)
        .map_err(|error| Refusal::Unreadable(error.to_string().chars().take(SHOWN_MAX).collect()))?;
    let bad = |what: &str| Err(Refusal::Unreadable(what.to_owned()));
    let decodes = |text: &Option<String>| text.as_ref().is_none_or(|text| STANDARD.decode(text).is_ok());
    if outline.schema != OUTLINE_SCHEMA {
        return bad("schema is not that of an outline");
    }
    if !decodes(&outline.manifest) || !decodes(&outline.signature) {
        return bad("manifest or signature is not base64");
    }
    if outline.problem.is_some() != (outline.end == ReadEnd::Unsafe) {
        return bad("a problem stands where reading ended for another reason");
    }
    Ok(outline)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(members: &[(&str, u64)]) -> String {
        let member =
            |(name, size): &(&str, u64)| format!(r#"{{"name":"{name}","sha256":"{}","size":{size}}}"#, "ab".repeat(32));
        let members: Vec<String> = members.iter().map(member).collect();
        format!(
            r#"{{"entries":9,"members":[{}],"schema":"reledger/snapshot/1","schema_cursor":3,"sequence":2}}"#,
            members.join(",")
        )
    }

    fn problem(members: &[(&str, u64)]) -> Option<Problem> {
        let manifest = SnapshotManifest::parse(text(members).as_bytes()).unwrap();
        manifest.problem().map(|(problem, _)| problem)
    }

    #[test]
    fn a_manifest_is_canonical_and_has_every_member() {
        let manifest = SnapshotManifest::parse(text(&[("a", 5)]).as_bytes()).unwrap();
        assert_eq!((manifest.sequence, manifest.entries, manifest.schema_cursor), (2, 9, 3));
        assert_eq!((manifest.members[0].name.as_str(), manifest.members[0].size), ("a", 5));
        let edits: [(&str, &str); 8] = [
            ("\"entries\":9", "\"entries\": 9"),
            ("\"entries\":9", "\"entries\":9.0"),
            ("snapshot/1", "snapshot/2"),
            ("\"sequence\":2", "\"sequence\":2,\"x\":1"),
            (",\"sequence\":2", ""),
            ("abab", "ABAB"),
            ("\"size\":5", "\"size\":\"5\""),
            ("[{", "[0,{"),
        ];
        for (from, to) in edits {
            let edited = text(&[("a", 5)]).replacen(from, to, 1);
            assert!(SnapshotManifest::parse(edited.as_bytes()).is_err(), "{from} -> {to}");
        }
    }

    #[test]
    fn an_unsafe_manifest_is_told_and_one_at_the_limits_is_not() {
        assert_eq!(problem(&[("a", 5), ("b/c", 6)]), None);
        assert_eq!(problem(&[("../a", 5)]), Some(Problem::Traversal));
        assert_eq!(problem(&[("a", 5), ("a", 5)]), Some(Problem::Duplicate));
        assert_eq!(problem(&[("manifest.json", 5)]), Some(Problem::Duplicate));
        assert_eq!(problem(&[("a", SNAPSHOT_EXPANDED_BYTES_MAX)]), None);
        assert_eq!(problem(&[("a", SNAPSHOT_EXPANDED_BYTES_MAX), ("b", 1)]), Some(Problem::Size));
        let names: Vec<String> = (0..=SNAPSHOT_MEMBERS_MAX).map(|at| format!("m{at}")).collect();
        let members: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        assert_eq!(problem(&members), Some(Problem::Entries));
        assert_eq!(problem(&members[1..]), None);
    }

    #[test]
    fn an_outline_reads_back_as_written() {
        let mut written = SnapshotOutline::new(Digest32([7; 32]), 12);
        written.set_manifest(b"\xff{}");
        written.set_at(&"x".repeat(1_000));
        let read = outline(&written.to_bytes()).unwrap();
        assert_eq!(read, written);
        assert_eq!((read.manifest(), read.signature(), read.at.len()), (Some(b"\xff{}".to_vec()), None, 200));
        written.problem = Some(Problem::Link);
        assert!(outline(&written.to_bytes()).is_err(), "a problem needs an unsafe end");
    }
}
