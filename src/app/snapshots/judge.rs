//! Judging archives: under the keys that somebody named, or under their own; and looking into one without believing it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::cover::{Identities, Plain, open};
use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::app::seals;
use crate::domain::{Code, Condition, Digest32, EvidenceId, Finding, Outcome, PublicKey32};
use crate::evidence::snapshot::{ReadEnd, SnapshotManifest, SnapshotOutline, SnapshotSignature};
use crate::seal::{SealJudge, SealTrust, is_signature_failure, read_snapshot, snapshot_head};

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotFault {
    /// `SNAP_*`, or `SRC_PARSE` for a signed manifest that can't be read.
    pub code: Code,
    /// What it brings.
    pub condition: Condition,
    /// What, in words: with `signature_mismatch` or `checksum_error` where that is it. May hold foreign text, still raw.
    pub what: String,
}

/// One judged archive.
#[derive(Debug, Clone)]
pub struct JudgedSnapshot {
    /// The file.
    pub path: PathBuf,
    /// What was read of it.
    pub outline: SnapshotOutline,
    /// Its manifest, when that can be read. Believed when nothing is wrong.
    pub manifest: Option<SnapshotManifest>,
    /// The key that the archive names.
    pub key: Option<PublicKey32>,
    /// What does not hold.
    pub faults: Vec<SnapshotFault>,
}

/// Judged archives.
#[derive(Debug, Clone)]
pub struct SnapshotVerdict {
    /// Each, in the order in which they were named.
    pub snapshots: Vec<JudgedSnapshot>,
    /// True when somebody was named whose signature counts, and the archives' own word about that did not.
    pub strict: bool,
}

impl SnapshotVerdict {
    /// The exit code of all of them: 3 at least where nobody was named.
    pub fn exit_code(&self) -> u8 {
        let mut outcome = Outcome::default();
        let faults = self.snapshots.iter().flat_map(|one| &one.faults);
        faults.for_each(|fault| outcome.add(fault.condition));
        if !self.strict {
            outcome.add(Condition::Incomplete);
        }
        outcome.exit_code().0
    }
}

/// Judges archives together: also whether their entries ever got fewer. Without keys each is judged by the key that it names.
///
/// # Errors
/// [`AppError::Config`] for a file that is not there; [`AppError::Io`]; [`AppError::Interrupted`].
pub fn verify_snapshots(
    files: &[PathBuf],
    keys: &BTreeSet<PublicKey32>,
    cancel: &Cancel,
) -> Result<SnapshotVerdict, AppError> {
    verify_snapshots_with(files, keys, &Identities::default(), cancel)
}

/// As [`verify_snapshots`], also of archives that the identities open.
///
/// # Errors
/// As [`verify_snapshots`]; [`AppError::Config`], [`AppError::Refused`] or [`AppError::Untrusted`] for an encrypted archive that
/// they do not open.
pub fn verify_snapshots_with(
    files: &[PathBuf],
    keys: &BTreeSet<PublicKey32>,
    identities: &Identities,
    cancel: &Cancel,
) -> Result<SnapshotVerdict, AppError> {
    let trust = SealTrust::of(keys);
    let mut judge = SealJudge::new(trust);
    let mut snapshots = Vec::new();
    for path in files {
        let outline = outline_of((path, identities), trust, cancel)?;
        judge.snapshot(EvidenceId(outline.file_sha256), &outline);
        snapshots.push(JudgedSnapshot::of(path, outline));
    }
    for finding in judge.finish().findings {
        let about = |one: &&mut JudgedSnapshot| {
            finding.evidence.iter().any(|evidence| evidence.id.0 == one.outline.file_sha256)
        };
        snapshots.iter_mut().filter(about).for_each(|one| one.faults.push(fault(&finding)));
    }
    Ok(SnapshotVerdict { snapshots, strict: trust.vouches() })
}

impl JudgedSnapshot {
    fn of(path: &Path, outline: SnapshotOutline) -> Self {
        let manifest = outline.manifest().and_then(|bytes| SnapshotManifest::parse(&bytes).ok());
        let signature = outline.signature().and_then(|bytes| SnapshotSignature::parse(&bytes).ok());
        let key = signature.map(|signature| signature.key);
        Self { path: path.to_owned(), outline, manifest, key, faults: Vec::new() }
    }
}

fn fault(finding: &Finding) -> SnapshotFault {
    let Finding { code, explanation, expected, observed, .. } = finding;
    let what = format!("{explanation}: expected {expected}, found {observed}");
    let condition = if *code == Code::SrcParse { Condition::Incomplete } else { seals::condition(finding) };
    SnapshotFault { code: *code, condition, what }
}

/// What is read of an archive, and who opens it where it is encrypted.
pub(super) fn outline_of(
    (path, identities): (&Path, &Identities),
    trust: SealTrust<'_>,
    cancel: &Cancel,
) -> Result<SnapshotOutline, AppError> {
    let Plain { reader, bytes } = open(path, identities)?;
    let outline = read_snapshot(reader, bytes, trust, &|| cancel.is_cancelled()).map_err(AppError::io("read", path))?;
    if outline.is_none() {
        cancel.check()?;
    }
    outline.ok_or_else(|| AppError::Internal("reading a snapshot stopped by itself".to_owned()))
}

/// Reads and verifies a snapshot, whole; without keys by the one that it names.
///
/// # Errors
/// [`AppError::Untrusted`] with `signature_mismatch` or `checksum_error`; [`AppError::Refused`] for an unsafe archive;
/// [`AppError::Config`] for a file that is not there; [`AppError::Interrupted`].
pub(in crate::app) fn checked_snapshot(
    (path, identities): (&Path, &Identities),
    keys: &BTreeSet<PublicKey32>,
    cancel: &Cancel,
) -> Result<SnapshotOutline, AppError> {
    let trust = SealTrust::of(keys);
    let outline = outline_of((path, identities), trust, cancel)?;
    sound(path, &outline, trust)?;
    Ok(outline)
}

/// Refuses what does not hold.
pub(super) fn sound(path: &Path, outline: &SnapshotOutline, trust: SealTrust<'_>) -> Result<(), AppError> {
    let mut judge = SealJudge::new(trust);
    judge.snapshot(EvidenceId(outline.file_sha256), outline);
    let Some(finding) = judge.finish().findings.into_iter().next() else { return Ok(()) };
    let what = format!("{}: {}", path.display(), finding.explanation);
    Err(match finding.code {
        Code::SnapUnsafe => {
            AppError::Refused { what, hint: "fetch the snapshot again from whoever made it".to_owned() }
        }
        _ if is_signature_failure(&finding) => AppError::Untrusted { what: format!("signature_mismatch: {what}") },
        _ => AppError::Untrusted { what: format!("checksum_error: {what}") },
    })
}

/// What stands at the beginning of an archive. Nothing of it is verified.
#[derive(Debug, Clone)]
pub struct InspectedSnapshot {
    /// What it says that it holds.
    pub manifest: SnapshotManifest,
    /// The key that it names; `None` when its signature can't be read.
    pub key: Option<PublicKey32>,
    /// Bytes of the archive, without what it is encrypted in.
    pub file_bytes: u64,
}

/// Looks into an archive without believing it.
///
/// # Errors
/// [`AppError::Untrusted`] for what is no snapshot, or one whose manifest can't be read; [`AppError::Refused`] when its
/// manifest names what is unsafe; [`AppError::Config`] for a file that is not there.
pub fn inspect_snapshot(path: &Path, identities: &Identities) -> Result<InspectedSnapshot, AppError> {
    let Plain { reader, bytes: file_bytes } = open(path, identities)?;
    let untrusted = |what: String| AppError::Untrusted { what: format!("checksum_error: {} {what}", path.display()) };
    let (manifest, signature) =
        snapshot_head(reader).ok_or_else(|| untrusted("does not begin as a snapshot".to_owned()))?;
    let manifest = SnapshotManifest::parse(&manifest)
        .map_err(|why| untrusted(format!("has a manifest that can't be read: {why}")))?;
    if let Some((problem, name)) = manifest.problem() {
        return Err(AppError::Refused {
            what: format!("{} names a member that is unsafe: {} {name}", path.display(), problem.name()),
            hint: "fetch the snapshot again from whoever made it".to_owned(),
        });
    }
    let key = SnapshotSignature::parse(&signature).ok().map(|signature| signature.key);
    Ok(InspectedSnapshot { manifest, key, file_bytes })
}

/// True for an archive that was read to its end.
pub(super) fn is_whole(outline: &SnapshotOutline) -> bool {
    outline.end == ReadEnd::Whole
}

/// The digest of an archive's manifest, which its name begins with.
pub(super) fn manifest_sha256(manifest: &SnapshotManifest) -> Digest32 {
    crate::domain::sha256(&manifest.to_bytes())
}
