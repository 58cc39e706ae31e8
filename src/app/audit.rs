//! The auditor's run: the evidence of a finished run, judged again without network, compared byte for byte.

use std::fs;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use super::beacon::beacon;
use super::conclude::{Conclusion, INPUTS_SCHEMA, JudgedInputs};
use super::custody_log::{CUSTODY_FILE, CustodyLog};
use super::error::AppError;
use super::finish::evidence_members;
use super::finished::{newer_version, too_new};
use super::judge::{Known, judge_knowing, side_tables, worker_threads};
use super::observer::{Cancel, Observer};
use super::render::with_report_bytes;
use super::run::{Found, RunFolder};
use super::takedowns::d_tags;
use crate::domain::{Digest32, inert_limited, sha256};
use crate::report::{report_json, summary_text};
use crate::seal::{MANIFEST_SCHEMA, Manifest, checked_evidence_root, evidence_root_of};
use crate::store::{LogStore, StoreError};
use crate::verify::{Checks, Genuine};

/// The manifest's name in the run's folder.
pub(super) const MANIFEST: &str = "evidence/manifest.json";

/// What the audit established.
#[derive(Debug)]
pub struct Audited {
    /// The conclusion drawn anew.
    pub conclusion: Conclusion,
    /// The report drawn anew.
    pub report: Vec<u8>,
    /// Its summary for people.
    pub summary: String,
    /// True when it equals the report found in the folder, byte for byte.
    pub reproduced: bool,
    /// The first member of the two reports that differs, when they do.
    pub first_difference: Option<String>,
    /// The custody log, whose chain holds and ends with the manifest; `None` for a run of an earlier version.
    pub custody: Option<CustodyLog>,
}

/// Judges a finished run's evidence again on so many threads (0 is one per core) and with such checks, with the policy, as-of and threshold that
/// the run recorded. Writes nothing.
///
/// # Errors
/// [`AppError::Untrusted`] when a member does not match the manifest; [`AppError`] for local failures.
pub fn audit(
    root: &Path,
    (jobs, checks): (usize, Checks),
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Audited, AppError> {
    let (store, manifest, custody) = sealed_run(root)?;
    let mut judged = recorded_inputs(root)?;
    let found = read(root, "report.json")?;
    let root = manifest.evidence_root;
    let mut tables = side_tables(&store)?;
    tables.d_tags = d_tags(&store, &judged.declared)?;
    judged.declared.beacon = beacon(&store, &judged.policy.headers, &judged.declared, judged.as_of)?;
    let threads = worker_threads(jobs)?;
    let known = Known { policy: &judged.policy, genuine: &Genuine::checking(checks), tables: &tables, share: None };
    let (set, _) = judge_knowing(&store, known, &threads, observer, cancel)?;
    let conclusion = threads.install(|| Conclusion::draw(set, &tables, &judged, root))?;
    let report = report_json(&conclusion.model());
    let reproduced = report == found;
    let first_difference = if reproduced { None } else { Some(first_difference(&report, &found)) };
    let summary = with_report_bytes(&report, summary_text)?;
    Ok(Audited { conclusion, report, summary, reproduced, first_difference, custody })
}

pub(super) fn read(root: &Path, name: &str) -> Result<Vec<u8>, AppError> {
    let path = root.join(name);
    fs::read(&path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            AppError::Config {
                what: format!("{} is not a finished run: {name} is missing", root.display()),
                hint: "give the folder that was named by --run".to_owned(),
            }
        } else if error.kind() == std::io::ErrorKind::IsADirectory {
            AppError::Untrusted { what: format!("checksum_error: {name} is a folder") }
        } else {
            AppError::io("read", &path)(error)
        }
    })
}

/// Opens the evidence of a finished run, after everything about it was checked against its manifest.
///
/// # Errors
/// [`AppError::Config`] for a folder that holds no finished run; [`AppError::Untrusted`] when a member does not match;
/// [`AppError`] for local failures.
pub(super) fn sealed_store(root: &Path) -> Result<(LogStore, Manifest), AppError> {
    let (store, manifest, _) = sealed_run(root)?;
    Ok((store, manifest))
}

/// As [`sealed_store`], with the custody log.
fn sealed_run(root: &Path) -> Result<(LogStore, Manifest, Option<CustodyLog>), AppError> {
    let (store, manifest) = sealed(root, LogStore::open_read_only)?;
    let custody = custody_of(root)?;
    holds(evidence_root_of(&store)?, &manifest)?;
    Ok((store, manifest, custody))
}

/// Checks the evidence of a finished run as [`sealed_store`] does, and opens none of it.
///
/// # Errors
/// As [`sealed_store`].
pub(super) fn evidence_stands(root: &Path) -> Result<(), AppError> {
    let (found, manifest) = sealed(root, checked_evidence_root)?;
    holds(found, &manifest)
}

/// What `open` makes of the evidence of a finished run, and the manifest that every file of it agrees with.
fn sealed<T: Send>(root: &Path, open: fn(&Path) -> Result<T, StoreError>) -> Result<(T, Manifest), AppError> {
    let folder = RunFolder::at(root);
    // A run that is begun again keeps the old manifest until it ends: its folder is unfinished, not forged.
    if let Ok(Found::Unfinished(_)) = folder.look() {
        return Err(AppError::Config {
            what: format!("the run in {} is not finished", root.display()),
            hint: "wait for it, or resume it with the command that began it".to_owned(),
        });
    }
    let manifest = manifest_of(&read(root, MANIFEST)?)?;
    no_strangers(&folder.evidence(), &manifest)?;
    // Two looks at every byte, the file's digest and each record's: side by side, and told in this order.
    let (found, opened) = thread::scope(|scope| {
        let found = scope.spawn(|| evidence_members(&folder));
        let opened = open(&folder.evidence());
        (found.join().unwrap_or_else(|panic| resume_unwind(panic)), opened)
    });
    manifest.check(&found?).map_err(|error| untrusted(&error))?;
    Ok((opened?, manifest))
}

fn holds(found: Digest32, manifest: &Manifest) -> Result<(), AppError> {
    if found == manifest.evidence_root {
        return Ok(());
    }
    Err(AppError::Untrusted { what: "checksum_error: the evidence root differs from the manifest's".to_owned() })
}

/// The custody log of a finished run, verified; `None` for a run of an earlier version.
///
/// # Errors
/// [`AppError::Untrusted`] when a line was altered or is missing, or the log does not end with the manifest at hand.
pub fn custody_of(root: &Path) -> Result<Option<CustodyLog>, AppError> {
    let folder = RunFolder::at(root);
    // An auditor may have the evidence alone; without the record its end can't be held against what it says.
    let record = match folder.look() {
        Ok(Found::Finished(record)) => Some(record),
        _ => None,
    };
    CustodyLog::of_finished(&folder, record.as_deref(), &sha256(&read(root, MANIFEST)?))
}

fn text<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, AppError> {
    std::str::from_utf8(bytes).map_err(|error| AppError::Untrusted { what: format!("checksum_error: {name}: {error}") })
}

/// A manifest out of its bytes.
///
/// # Errors
/// [`AppError::Untrusted`] for what is none; [`AppError::Config`] for one of a newer version.
pub(super) fn manifest_of(bytes: &[u8]) -> Result<Manifest, AppError> {
    let text = text(MANIFEST, bytes)?;
    if let Some(newer) = serde_json::from_str(text).ok().and_then(|value| newer_version(&value, MANIFEST_SCHEMA)) {
        return Err(too_new(MANIFEST, &newer));
    }
    Manifest::from_text(text).map_err(|error| untrusted(&error))
}

/// Refuses what the manifest does not name: a file of another kind beside the segments, or a link in the place of one. And a
/// folder without what it does name, which would else be told as a hole in the log.
fn no_strangers(evidence: &Path, manifest: &Manifest) -> Result<(), AppError> {
    if let Some(lost) = manifest.members.iter().find(|member| !evidence.join(&member.name).exists()) {
        return Err(AppError::Untrusted {
            what: format!("checksum_error: evidence member {} is missing", inert_limited(&lost.name, 200)),
        });
    }
    for folder in ["", "segments"] {
        let path = evidence.join(folder);
        let entries = match fs::read_dir(&path) {
            // A missing member is told by the manifest's own check.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(AppError::io("read", &path))?,
        };
        for entry in entries {
            let entry = entry.map_err(AppError::io("read", &path))?;
            let kind = entry.file_type().map_err(AppError::io("read", &path))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let own_folder = kind.is_dir() && name == "segments";
            let known = name == "manifest.json"
                || name == CUSTODY_FILE
                || manifest.members.iter().any(|member| member.name == name);
            if !(own_folder || kind.is_file() && known) {
                let what = match (kind.is_symlink(), kind.is_dir()) {
                    (true, _) => "is a link",
                    (_, true) => "is a folder",
                    _ => "is not in the manifest",
                };
                return Err(AppError::Untrusted { what: format!("checksum_error: evidence member {name} {what}") });
            }
        }
    }
    Ok(())
}

fn untrusted(error: &dyn std::error::Error) -> AppError {
    AppError::Untrusted { what: format!("checksum_error: {error}") }
}

/// What a finished run was judged by, as it recorded it.
///
/// # Errors
/// [`AppError::Untrusted`] when it can't be read; [`AppError`] for local failures.
pub(super) fn recorded_inputs(root: &Path) -> Result<JudgedInputs, AppError> {
    judged_inputs(text("evidence/inputs.json", &read(root, "evidence/inputs.json")?)?)
}

fn judged_inputs(text: &str) -> Result<JudgedInputs, AppError> {
    if let Some(newer) = serde_json::from_str(text).ok().and_then(|value| newer_version(&value, INPUTS_SCHEMA)) {
        return Err(too_new("evidence/inputs.json", &newer));
    }
    let judged: JudgedInputs = serde_json::from_str(text)
        .map_err(|error| AppError::Untrusted { what: format!("checksum_error: evidence/inputs.json: {error}") })?;
    if judged.schema == INPUTS_SCHEMA {
        Ok(judged)
    } else {
        Err(AppError::Untrusted { what: format!("checksum_error: evidence/inputs.json is not {INPUTS_SCHEMA}") })
    }
}

/// The path of the first member that differs, or the byte where they part when one is no JSON.
fn first_difference(ours: &[u8], theirs: &[u8]) -> String {
    let parsed = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    if let (Some(ours), Some(theirs)) = (parsed(ours), parsed(theirs))
        && let Some(path) = differing(&ours, &theirs, "")
    {
        return path;
    }
    let at = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    format!("byte {at}")
}

fn differing(ours: &serde_json::Value, theirs: &serde_json::Value, path: &str) -> Option<String> {
    use serde_json::Value;
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            names.into_iter().find_map(|name| match (a.get(name), b.get(name)) {
                (Some(a), Some(b)) => differing(a, b, &format!("{path}/{name}")),
                _ => Some(format!("{path}/{name}")),
            })
        }
        (Value::Array(a), Value::Array(b)) => {
            let common = a.iter().zip(b).enumerate();
            common
                .into_iter()
                .find_map(|(at, (a, b))| differing(a, b, &format!("{path}/{at}")))
                .or_else(|| (a.len() != b.len()).then(|| format!("{path}/{}", a.len().min(b.len()))))
        }
        (a, b) => (a != b).then(|| path.to_owned()),
    }
}
