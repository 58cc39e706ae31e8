//! The last writes of a run: inputs, manifest, queues, report. Each atomic; renderings of the report follow, and after all the
//! record that says `finished`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::audit::{MANIFEST, manifest_of};
use super::conclude::{Conclusion, JudgedInputs};
use super::error::AppError;
use super::run::RunFolder;
use crate::domain::{Digest32, Sha256Stream, inert_limited, sha256};
use crate::report::write_report;
use crate::seal::{Manifest, Member, evidence_root_of};
use crate::store::{EvidenceStore, LogFile, LogStore, StoreError, members};

/// The evidence folder's file of [`JudgedInputs`].
const INPUTS_FILE: &str = "inputs.json";

/// What the custody log tells of a run that was sealed.
pub(super) struct Sealed {
    pub(super) manifest_sha256: Digest32,
    /// Digest, state root and outcome of the report.
    pub(super) report: Value,
}

/// A writer that knows the digest of what passed.
struct Hashing<'w> {
    out: &'w mut dyn Write,
    hasher: Sha256Stream,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes everything that makes a run finished.
///
/// # Errors
/// [`AppError::Io`], [`AppError::Store`]; also where a segment is not the one that an earlier end of this run sealed.
pub(super) fn finish(
    folder: &RunFolder,
    store: &LogStore,
    judged: &JudgedInputs,
    conclusion: &Conclusion,
) -> Result<Sealed, AppError> {
    let model = conclusion.model();
    folder.write("evidence/inputs.json", judged.to_text()?.as_bytes())?;
    let manifest_sha256 = write_manifest(folder, store, model.inputs.evidence_root)?;
    let mut queue = String::new();
    for item in &conclusion.reconciliation().needs_anchor {
        queue.push_str(&json!({"id": item.id.to_hex(), "reason": item.reason}).to_string());
        queue.push('\n');
    }
    fs::create_dir_all(folder.root().join("queues")).map_err(AppError::io("create", folder.root()))?;
    folder.write("queues/needs-anchor.ndjson", queue.as_bytes())?;
    let sha256 = folder.write_by("report.json", |out| {
        let mut hashed = Hashing { out, hasher: Sha256Stream::default() };
        write_report(&model, &mut hashed)?;
        Ok(hashed.hasher.finish())
    })?;
    let report = json!({
        "sha256": sha256.to_hex(), "state_root": model.seal.state_root.to_hex(), "as_of": model.as_of.time.0,
        "outcome": model.outcome.name(),
    });
    Ok(Sealed { manifest_sha256, report })
}

/// Writes the manifest of a finished run anew, after side records were added to its evidence folder and it was sealed.
/// Returns the evidence root and the manifest's digest.
///
/// # Errors
/// [`AppError::Io`], [`AppError::Store`].
pub(super) fn reseal(folder: &RunFolder, store: &LogStore) -> Result<(Digest32, Digest32), AppError> {
    let root = evidence_root_of(store)?;
    Ok((root, write_manifest(folder, store, root)?))
}

fn write_manifest(folder: &RunFolder, store: &LogStore, root: Digest32) -> Result<Digest32, AppError> {
    let files = evidence_files(folder, |evidence| store.members(evidence))?;
    still_sealed(folder, &files)?;
    let manifest = Manifest::new(root, store.len(), files);
    folder.write("evidence/manifest.json", manifest.to_text().as_bytes())?;
    Ok(manifest.digest())
}

/// That the segments which an earlier end of this run sealed are here, byte for byte: a segment of another run checks by itself, and a log
/// without its last ones is a whole log to an index that is made anew. A manifest that is none says nothing.
fn still_sealed(folder: &RunFolder, found: &[Member]) -> Result<(), AppError> {
    let Ok(bytes) = fs::read(folder.root().join(MANIFEST)) else { return Ok(()) };
    let Ok(earlier) = manifest_of(&bytes) else { return Ok(()) };
    let found: BTreeSet<&Member> = found.iter().collect();
    let mut lost = earlier.members.iter().filter(|member| !found.contains(member));
    let Some(segment) = lost.find_map(|member| member.name.strip_prefix("segments/")) else { return Ok(()) };
    let what = "it is not the segment that this run sealed and its manifest names".to_owned();
    Err(StoreError::Damaged { file: inert_limited(segment, 200), offset: 0, what }.into())
}

/// Every file of the evidence folder but the manifest itself and the custody log, which names the manifest. Reads every byte.
///
/// # Errors
/// [`AppError::Store`], [`AppError::Io`].
pub(super) fn evidence_members(folder: &RunFolder) -> Result<Vec<Member>, AppError> {
    evidence_files(folder, members)
}

fn evidence_files(
    folder: &RunFolder,
    log: impl FnOnce(&Path) -> Result<Vec<LogFile>, StoreError>,
) -> Result<Vec<Member>, AppError> {
    let inputs = folder.evidence().join(INPUTS_FILE);
    let mut all = Vec::new();
    match fs::read(&inputs) {
        Ok(bytes) => {
            // A slice's length always fits 64 bits.
            all.push(Member { name: INPUTS_FILE.to_owned(), sha256: sha256(&bytes), size: bytes.len() as u64 });
        }
        // What is gone is no member; an auditor's manifest says that it was one.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(AppError::io("read", &inputs)(error)),
    }
    if folder.evidence().join("segments").exists() {
        let files = log(&folder.evidence())?.into_iter();
        all.extend(files.map(|(name, size, sha256)| Member { name, sha256, size }));
    }
    Ok(all)
}
