//! Making a snapshot of a finished run: measured, signed, written beside, read back, and only then given its name.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;

use super::contents::SCHEMA_CURSOR;
use super::cover::{Identities, Recipients};
use super::folder::{FolderLock, SnapshotName, snapshots_in};
use super::frozen::{Frozen, busy};
use super::judge::{checked_snapshot, manifest_sha256};
use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::app::pen::Pen;
use crate::app::plan::config_error;
use crate::app::run::{create_folders, sync_folder, write_private};
use crate::domain::{Digest32, PublicKey32, UnixSeconds};
use crate::evidence::snapshot::{SnapshotManifest, SnapshotMember};
use crate::seal::{is_sealed_by, manifest_message, pack_snapshot, signature_bytes, snapshot_head};

/// What the newest encrypted snapshot of a folder holds: its manifest and signature, a line each.
const NEWEST: &str = ".newest";

/// What the caller decides.
#[derive(Debug, Clone)]
pub struct SnapshotOptions {
    /// The run's folder.
    pub run: PathBuf,
    /// The folder of snapshots.
    pub out: PathBuf,
    /// The time that stands in the name.
    pub clock: UnixSeconds,
    /// Also with fewer entries than an earlier one has.
    pub yes: bool,
    /// Say what would be made, and write nothing.
    pub dry_run: bool,
}

/// A snapshot of the run.
#[derive(Debug, Clone)]
pub struct CreatedSnapshot {
    /// Its file.
    pub path: PathBuf,
    /// What it holds.
    pub manifest: SnapshotManifest,
    /// Who signed.
    pub key: PublicKey32,
    /// sha256 and bytes of the file; `None` for one that was not written.
    pub file: Option<(Digest32, u64)>,
    /// False when the newest one of the folder holds the same, which this is then.
    pub is_new: bool,
    /// True when another run is on in the folder, or was and never came to its end: this is the state that was finished before.
    pub is_live: bool,
}

/// How many states are held before a maker gives up.
const TRIES: u32 = 3;

/// Packs and signs the last finished state of a run, also while another run is on in the folder. The same state, sequence number
/// and key give the same bytes.
///
/// # Errors
/// [`AppError::Config`] for a folder without a finished run; [`AppError::Untrusted`] when a member of it is not what its manifest
/// says; [`AppError::Busy`] when it turned over each time it was looked at, or another process makes a snapshot into the folder;
/// [`AppError::Refused`] for fewer entries than before without `yes`, or more than an archive may hold; [`AppError::Io`]. Nothing is
/// left behind then.
pub fn create_snapshot(options: &SnapshotOptions, pen: &Pen, cancel: &Cancel) -> Result<CreatedSnapshot, AppError> {
    create_snapshot_for(options, None, pen, cancel)
}

/// As [`create_snapshot`], encrypted for recipients where there are any. Beside the archives `.newest` tells what the newest
/// encrypted one holds, by its signed manifest: who makes the next one need not be able to open it.
///
/// # Errors
/// As [`create_snapshot`]; [`AppError::Config`] when the folder has encrypted ones, and `.newest` does not tell of them.
pub fn create_snapshot_for(
    options: &SnapshotOptions,
    recipients: Option<&Recipients>,
    pen: &Pen,
    cancel: &Cancel,
) -> Result<CreatedSnapshot, AppError> {
    for _ in 1..TRIES {
        let frozen = Frozen::of(&options.run, cancel)?;
        match create_of(&frozen, options, recipients, pen, cancel) {
            // A run that began while this one was verified: it is held beside that now.
            Err(AppError::Busy { .. }) if frozen.is_over(&options.run) => {}
            made => return made,
        }
    }
    create_of(&Frozen::of(&options.run, cancel)?, options, recipients, pen, cancel)
}

fn create_of(
    frozen: &Frozen,
    options: &SnapshotOptions,
    recipients: Option<&Recipients>,
    pen: &Pen,
    cancel: &Cancel,
) -> Result<CreatedSnapshot, AppError> {
    cancel.check()?;
    let entries = entries(&frozen.report)?;
    let _one = if options.dry_run {
        None
    } else {
        create_folders(&options.out)?;
        Some(FolderLock::take(&options.out, cancel)?)
    };
    let before = Before::of(&options.out, &pen.key())?;
    if entries < before.entries && !options.yes {
        return Err(AppError::Refused {
            what: format!("the run has {entries} entries, and an earlier snapshot has {}", before.entries),
            hint: "a ledger only grows: find out what is missing; or say --yes, and every later run tells of it"
                .to_owned(),
        });
    }
    if let Some((path, manifest)) = before.newest.filter(|(_, manifest)| manifest.members == frozen.members) {
        frozen.verify(&options.run)?;
        let is_live = frozen.is_live;
        return Ok(CreatedSnapshot { path, manifest, key: pen.key(), file: None, is_new: false, is_live });
    }
    let sequence = before.sequence.map_or(Ok(0), |last| {
        last.checked_add(1).ok_or_else(|| AppError::Internal("the last sequence number is used up".to_owned()))
    })?;
    let manifest =
        SnapshotManifest { sequence, entries, schema_cursor: SCHEMA_CURSOR, members: frozen.members.clone() };
    if let Some((problem, name)) = manifest.problem() {
        return Err(AppError::Refused {
            what: format!("the run does not fit into a snapshot: {} at {name}", problem.name()),
            hint: "a snapshot has at most 10,000 members and 4 GiB".to_owned(),
        });
    }
    let is_encrypted = recipients.is_some();
    let name = SnapshotName { is_encrypted, ..SnapshotName::of(options.clock, &manifest_sha256(&manifest)) };
    let path = options.out.join(name.to_file_name());
    let is_live = frozen.is_live;
    let mut made = CreatedSnapshot { path, manifest, key: pen.key(), file: None, is_new: true, is_live };
    if options.dry_run {
        frozen.verify(&options.run)?;
    } else {
        made.file = Some(write(options, (&made, frozen, recipients), pen, cancel)?);
    }
    Ok(made)
}

fn entries(report: &Value) -> Result<u64, AppError> {
    let ledgers = report["ledgers"].as_object();
    let counts =
        ledgers.and_then(|ledgers| ledgers.values().map(|one| one["entries"].as_u64()).collect::<Option<Vec<u64>>>());
    let total = counts.and_then(|counts| counts.into_iter().try_fold(0_u64, u64::checked_add));
    total.ok_or_else(|| AppError::Untrusted { what: "checksum_error: report.json counts no entries".to_owned() })
}

/// What the folder's snapshots come to, of those that this key has signed.
#[derive(Default)]
struct Before {
    sequence: Option<u64>,
    entries: u64,
    newest: Option<(PathBuf, SnapshotManifest)>,
}

impl Before {
    fn of(folder: &Path, key: &PublicKey32) -> Result<Self, AppError> {
        let mut before = Self::default();
        if !folder.exists() {
            return Ok(before);
        }
        let mut heads = Vec::new();
        let mut encrypted = None;
        for (name, path) in snapshots_in(folder)? {
            if name.is_encrypted {
                // By the names the newest comes last.
                encrypted = Some(path);
                continue;
            }
            let file = File::open(&path).map_err(AppError::io("open", &path))?;
            heads.extend(snapshot_head(file).map(|head| (path, head)));
        }
        if let Some(path) = encrypted {
            heads.push((path, newest_head(folder)?));
        }
        for (path, (manifest, signature)) in heads {
            if !is_sealed_by(&manifest, &signature, key) {
                continue;
            }
            let Ok(manifest) = SnapshotManifest::parse(&manifest) else { continue };
            before.entries = before.entries.max(manifest.entries);
            if before.sequence.is_none_or(|last| manifest.sequence >= last) {
                before.sequence = Some(manifest.sequence);
                // A number that was told of beside the archives, and never used: its archive is not there.
                before.newest = is_of(&path, &manifest).then_some((path, manifest));
            }
        }
        Ok(before)
    }
}

/// False for an encrypted snapshot whose name says that it has another manifest.
fn is_of(path: &Path, manifest: &SnapshotManifest) -> bool {
    let own = |name: &SnapshotName| SnapshotName::of(name.at, &manifest_sha256(manifest)).content == name.content;
    SnapshotName::of_path(path).is_none_or(|name| !name.is_encrypted || own(&name))
}

/// Manifest and signature of the newest encrypted snapshot, as they stand in clear beside it.
fn newest_head(folder: &Path) -> Result<(Vec<u8>, Vec<u8>), AppError> {
    let path = folder.join(NEWEST);
    let told = fs::read(&path).map_err(|error| {
        let what = format!("{} has encrypted snapshots, and {} can't be read: {error}", folder.display(), NEWEST);
        config_error(what, "it says which number comes next: bring it back, or name another folder by --out")
    })?;
    let mut parts = told.splitn(2, |byte| *byte == b'\n').map(|part| part.trim_ascii().to_vec());
    Ok((parts.next().unwrap_or_default(), parts.next().unwrap_or_default()))
}

/// Beside, synced, read back as a stranger would, renamed, and the folder synced.
fn write(
    options: &SnapshotOptions,
    (made, frozen, recipients): (&CreatedSnapshot, &Frozen, Option<&Recipients>),
    pen: &Pen,
    cancel: &Cancel,
) -> Result<(Digest32, u64), AppError> {
    let name = made.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = options.out.join(format!(".{name}.tmp"));
    let attempt = || -> Result<(Digest32, u64), AppError> {
        let signature = signature_bytes(&made.key, &pen.sign_bytes(&manifest_message(&made.manifest.to_bytes())));
        let mut open = |member: &SnapshotMember| -> io::Result<Box<dyn Read>> {
            if cancel.is_cancelled() {
                return Err(io::Error::other("interrupted"));
            }
            frozen.open(&member.name)
        };
        let mut written = || -> io::Result<Identities> {
            let out = BufWriter::new(File::create(&beside)?);
            let mut pack = |out: &mut dyn Write| pack_snapshot(out, &made.manifest, &signature, &mut open).map(drop);
            let (mut out, once) = if let Some(recipients) = recipients {
                recipients.write(out, &mut pack)?
            } else {
                let mut out = out;
                pack(&mut out)?;
                (out, Identities::default())
            };
            out.flush()?;
            out.get_ref().sync_all()?;
            Ok(once)
        };
        // Side by side: what the run is worth, and its archive, which has no name before both are known.
        let (verified, written) = thread::scope(|scope| {
            let verified = scope.spawn(|| frozen.verify(&options.run));
            let written = written();
            (verified.join().unwrap_or_else(|panic| resume_unwind(panic)), written)
        });
        cancel.check()?;
        verified?;
        let once = written.map_err(|error| failed(options, &beside, cancel, error))?;
        // What a stranger would refuse is no snapshot, whatever we meant to write.
        let outline = checked_snapshot((&beside, &once), &BTreeSet::from([made.key]), cancel)?;
        if recipients.is_some() {
            // Before the archive has its name: a number that is told of and was not used does no harm.
            let told = [made.manifest.to_bytes().as_slice(), b"\n", &signature, b"\n"].concat();
            write_private(&options.out.join(NEWEST), &told)?;
        }
        let placed = || -> io::Result<()> {
            fs::rename(&beside, &made.path)?;
            sync_folder(&options.out)
        };
        placed().map_err(AppError::io("write", &made.path))?;
        Ok((outline.file_sha256, outline.file_bytes))
    };
    attempt().inspect_err(|_| {
        // The half-written file is of no use to anyone; a failure to remove it changes nothing.
        let _ = fs::remove_file(&beside);
    })
}

fn failed(options: &SnapshotOptions, beside: &Path, cancel: &Cancel, error: io::Error) -> AppError {
    if let Err(interrupted) = cancel.check() {
        return interrupted;
    }
    if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::NotFound) {
        return busy(&options.run);
    }
    AppError::io("write", beside)(error)
}
