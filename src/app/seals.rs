//! Checkpoints and snapshots in a run: who is trusted, how archives come in, and their verdicts among the others.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::AppError;
use super::inspect::JudgedRecord;
use super::observer::Cancel;
use super::plan::config_error;
use crate::domain::{
    Addressed, Code, CompletenessBasis, Condition, EvidenceId, FetchReceipt, Finding, Media, PublicKey32, RawEvidence,
    Slice, SliceEnd, SourceId, TrustPolicy,
};
use crate::evidence::snapshot::SnapshotSignature;
use crate::evidence::sniff::SNAPSHOT_SUFFIX;
use crate::evidence::{Claim, Decoded, decode};
use crate::seal::{SealJudge, SealTrust, is_signature_failure, is_snapshot, read_snapshot};
use crate::store::EvidenceStore;
use crate::substrate::{Captured, EvidenceSource, Sink, SourceError};
use crate::verify::VerifiedSet;

/// `[seal]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SealSection {
    /// Checkpoint chains: one checkpoint a line.
    pub checkpoints: Vec<String>,
    /// Snapshot archives, and folders of `*.tar.zst`.
    pub snapshots: Vec<String>,
    /// Who may sign them: hex Ed25519 keys.
    pub trusted_keys: Vec<String>,
}

/// The keys that may seal.
///
/// # Errors
/// [`AppError::Config`] for a text that is no key, and for files to judge without anybody to trust.
pub(super) fn trusted_keys(section: Option<&SealSection>) -> Result<BTreeSet<PublicKey32>, AppError> {
    let Some(section) = section else { return Ok(BTreeSet::new()) };
    let bad =
        |text: &String| config_error(format!("`seal.trusted_keys` has `{text}`"), "64 hex digits: an Ed25519 key");
    let keys = section.trusted_keys.iter().map(|text| text.parse().map_err(|_| bad(text)));
    let keys: BTreeSet<PublicKey32> = keys.collect::<Result<_, _>>()?;
    if keys.is_empty() && !(section.checkpoints.is_empty() && section.snapshots.is_empty()) {
        let what = "`seal.trusted_keys` is empty, so no checkpoint or snapshot could be believed";
        return Err(config_error(what.to_owned(), "name the Ed25519 keys that seal, in hex"));
    }
    Ok(keys)
}

/// The condition that a seal's finding brings instead of `divergent` (CONTRACT 2); `None` for any other code.
pub(super) const fn distrust(code: Code) -> Option<Condition> {
    match code {
        Code::SnapSignature | Code::SnapChecksum => Some(Condition::UntrustedInput),
        Code::SnapUnsafe => Some(Condition::Refused),
        _ => None,
    }
}

/// Judges every checkpoint and snapshot that the store holds, and joins findings and counts to the others'.
///
/// # Errors
/// [`AppError::Store`]; [`AppError::Interrupted`].
pub(super) fn judge(
    store: &dyn EvidenceStore,
    policy: &TrustPolicy,
    set: &mut VerifiedSet,
    cancel: &Cancel,
) -> Result<(), AppError> {
    let mut judge = SealJudge::new(SealTrust::of(&policy.seal_keys));
    store.scan(&[Media::Checkpoint, Media::Snapshot], &mut |id, evidence| {
        // What does not decode was told and counted by verification.
        if let Decoded::Claim(claim, _) = decode(&evidence) {
            match *claim {
                Claim::Checkpoint(claim) => judge.checkpoint(id, &claim),
                Claim::Snapshot(outline) => judge.snapshot(id, &outline),
                _ => {}
            }
        }
        if cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    cancel.check()?;
    let judgement = judge.finish();
    set.findings.extend(judgement.findings);
    for (name, counts) in [("checkpoints", judgement.checkpoints), ("snapshots", judgement.snapshots)] {
        if counts.unique > 0 {
            *set.population.of(name) += counts;
        }
    }
    Ok(())
}

/// What a bad record's finding brings: what [`distrust`] says, and for a checkpoint that nobody trusted signed the same as
/// for a snapshot.
pub(super) fn condition(finding: &Finding) -> Condition {
    let forged = finding.code == Code::ChkChain && is_signature_failure(finding);
    distrust(finding.code).unwrap_or(if forged { Condition::UntrustedInput } else { Condition::Divergent })
}

/// What a seal that was judged by itself says, and by which key; `None` for any other record.
///
/// # Errors
/// [`AppError::Store`].
pub(super) fn said_of(
    store: &dyn EvidenceStore,
    policy: &TrustPolicy,
    record: &JudgedRecord,
) -> Result<Option<String>, AppError> {
    if !matches!(record.media, Media::Checkpoint | Media::Snapshot) {
        return Ok(None);
    }
    let Some(evidence) = store.get(&record.id)? else { return Ok(None) };
    let Decoded::Claim(claim, _) = decode(&evidence) else { return Ok(None) };
    let (what, key) = match *claim {
        Claim::Checkpoint(claim) => (format!("seq {} state {}", claim.seq, claim.state_root), Some(claim.key)),
        Claim::Snapshot(outline) => {
            let signature = outline.signature().and_then(|bytes| SnapshotSignature::parse(&bytes).ok());
            (format!("file {}", outline.file_sha256), signature.map(|signature| signature.key))
        }
        _ => return Ok(None),
    };
    Ok(Some(match key {
        Some(key) if policy.seal_keys.contains(&key) => format!("{what} key {key} (trusted)"),
        Some(key) => format!("{what} key {key} (vouched for by nobody)"),
        None => format!("{what} without a key"),
    }))
}

/// True for a file that begins as a snapshot does, whatever its name.
pub(super) fn looks_like_snapshot(path: &Path) -> bool {
    File::open(path).is_ok_and(is_snapshot)
}

/// Snapshot archives as one source: each leaves an outline, never itself (docs/adr/0011-seals.md).
pub(super) struct SnapshotSource {
    paths: Vec<PathBuf>,
    keys: BTreeSet<PublicKey32>,
}

/// Why the source is not complete, as receipts say it; the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Cancelled,
    Unreadable,
    LinkOutside,
}

impl SnapshotSource {
    /// Archives, and folders whose `*.tar.zst` are taken (not those of folders inside).
    pub(super) fn new(paths: Vec<PathBuf>, keys: BTreeSet<PublicKey32>) -> Self {
        Self { paths, keys }
    }

    /// Every archive in order, without repetition.
    fn archives(&self, faults: &mut BTreeSet<Fault>) -> Result<BTreeSet<PathBuf>, SourceError> {
        let mut archives = BTreeSet::new();
        for path in &self.paths {
            let unreadable = |source| SourceError::Io { path: path.display().to_string(), source };
            let kind = fs::metadata(path).map_err(unreadable)?;
            if kind.is_dir() {
                in_folder(path, &mut archives, faults).map_err(unreadable)?;
            } else if kind.is_file() {
                archives.insert(path.clone());
            } else {
                let what = "neither a file nor a folder; a snapshot is read from a file";
                return Err(unreadable(io::Error::new(io::ErrorKind::InvalidInput, what)));
            }
        }
        Ok(archives)
    }

    fn read(&self, path: &Path, sink: &dyn Sink) -> io::Result<Option<RawEvidence>> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let outline = read_snapshot(file, size, SealTrust::of(&self.keys), &|| sink.cancelled())?;
        Ok(outline.map(|outline| RawEvidence {
            media: Media::Snapshot,
            about: String::new(),
            bytes: outline.to_bytes(),
        }))
    }
}

fn in_folder(folder: &Path, archives: &mut BTreeSet<PathBuf>, faults: &mut BTreeSet<Fault>) -> io::Result<()> {
    let root = fs::canonicalize(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') || !name.ends_with(SNAPSHOT_SUFFIX) {
            continue;
        }
        match fs::canonicalize(&path) {
            Ok(target) if !target.starts_with(&root) => drop(faults.insert(Fault::LinkOutside)),
            Ok(target) if target.is_file() => drop(archives.insert(path)),
            Ok(_) => {}
            Err(_) => drop(faults.insert(Fault::Unreadable)),
        }
    }
    Ok(())
}

impl EvidenceSource for SnapshotSource {
    fn id(&self) -> SourceId {
        SourceId::files(Media::Snapshot)
    }

    /// # Errors
    /// [`SourceError::Io`] when a configured path is not there. An archive of a folder that can't be read makes the receipt
    /// incomplete.
    fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
        let mut faults = BTreeSet::new();
        let mut ids: BTreeSet<EvidenceId> = BTreeSet::new();
        for path in self.archives(&mut faults)? {
            match self.read(&path, sink) {
                Ok(Some(evidence)) => {
                    let evidence = Addressed::from(evidence);
                    ids.insert(evidence.id());
                    let place = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                    sink.accept(Captured { evidence, source: self.id(), place, offset: 0 })?;
                }
                Ok(None) => {
                    faults.insert(Fault::Cancelled);
                    break;
                }
                Err(_) => {
                    faults.insert(Fault::Unreadable);
                }
            }
        }
        Ok(vec![receipt(self.id(), ids.len(), &faults)])
    }
}

fn receipt(source: SourceId, items: usize, faults: &BTreeSet<Fault>) -> FetchReceipt {
    let reasons = faults.iter().map(|fault| match fault {
        Fault::Cancelled => "cancelled",
        Fault::Unreadable => "a file can't be read",
        Fault::LinkOutside => "a link out of the folder was not followed",
    });
    FetchReceipt {
        end: match faults.first() {
            None => SliceEnd::Ended,
            Some(Fault::Cancelled) => SliceEnd::Cancelled,
            Some(Fault::Unreadable) => SliceEnd::Unreachable,
            Some(Fault::LinkOutside) => SliceEnd::Refused,
        },
        basis: if faults.is_empty() { CompletenessBasis::Exhausted } else { CompletenessBasis::None },
        // A set's length always fits 64 bits.
        items: items as u64,
        reason: reasons.collect::<Vec<_>>().join("; "),
        ..FetchReceipt::whole(source, Slice::all(Media::Snapshot.name()))
    }
}
