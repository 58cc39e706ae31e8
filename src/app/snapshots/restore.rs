//! Restoring a run from a snapshot: verified first, unpacked beside, verified again where it lies, then put in place.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant as Clock;

use super::contents::SCHEMA_CURSOR;
use super::cover::{Identities, Plain, open};
use super::judge::{is_whole, outline_of, sound};
use super::staging::{Staging, Unpacking};
use crate::app::custody_log::{Actor, CustodyLog, Deed, Handled};
use crate::app::error::AppError;
use crate::app::finished::FinishedRun;
use crate::app::observer::Cancel;
use crate::app::plan::config_error;
use crate::app::run::{Found, RunFolder, RunRecord};
use crate::domain::{
    CompletenessBasis, Condition, Digest32, FetchReceipt, Media, PublicKey32, Slice, SliceEnd, SourceId, UnixSeconds,
    inert_limited,
};
use crate::evidence::snapshot::{SnapshotManifest, SnapshotOutline};
use crate::seal::{Demand, SealTrust, evidence_root_of, unpack_snapshot};
use crate::store::{Engine, EvidenceStore as _, LogStore, RunLock, SideRecord};

/// Whose signature lets a snapshot in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreTrust {
    /// Only these keys; never empty.
    Keys(BTreeSet<PublicKey32>),
    /// The key that the archive names: whole, and nobody says whose.
    OwnKey,
    /// Nothing is verified but that the archive is safe to read. The state is marked for ever.
    Forced,
}

/// What the caller decides.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The archive.
    pub archive: PathBuf,
    /// Where the run is to be.
    pub run: PathBuf,
    /// Whose signature counts.
    pub trust: RestoreTrust,
    /// Put it in the place of what stands there, which is kept beside; also a snapshot from later than now.
    pub yes: bool,
    /// Verify, and write nothing.
    pub dry_run: bool,
    /// Now.
    pub clock: UnixSeconds,
    /// Who acts, for the custody log.
    pub actor: Actor,
}

/// A restored run.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What the archive holds.
    pub manifest: SnapshotManifest,
    /// sha256 of the archive.
    pub file_sha256: Digest32,
    /// Where what stood there before stands now.
    pub kept: Option<PathBuf>,
    /// False for a forced one: it holds evidence, and no report until it is rebuilt.
    pub is_finished: bool,
    /// How long it took.
    pub millis: u64,
}

/// Restores. The run's folder is the old one or the restored one at every moment, never a mixture.
///
/// # Errors
/// [`AppError::Untrusted`] with `signature_mismatch` or `checksum_error`; [`AppError::Refused`] for an unsafe archive, a member
/// that no run has, a folder that is no run, or one that is and `yes` was not said; [`AppError::Config`] for an archive of a
/// newer version; [`AppError::Store`] when the run is held by another process; [`AppError::Io`]. Nothing is changed then.
pub fn restore_snapshot(options: &RestoreOptions, cancel: &Cancel) -> Result<Restored, AppError> {
    restore_snapshot_with(options, &Identities::default(), cancel)
}

/// As [`restore_snapshot`], also of an archive that the identities open.
///
/// # Errors
/// As [`restore_snapshot`]; [`AppError::Config`] or [`AppError::Refused`] for an encrypted archive that they do not open.
pub fn restore_snapshot_with(
    options: &RestoreOptions,
    identities: &Identities,
    cancel: &Cancel,
) -> Result<Restored, AppError> {
    restore_by("snapshot restore", (options, identities), cancel)
}

/// As [`restore_snapshot`], for a command of that name.
///
/// # Errors
/// As [`restore_snapshot`].
#[expect(clippy::disallowed_methods, reason = "how long it took goes into run.json only")]
pub(in crate::app) fn restore_by(
    command: &str,
    (options, identities): (&RestoreOptions, &Identities),
    cancel: &Cancel,
) -> Result<Restored, AppError> {
    let began = Clock::now();
    let keys = match &options.trust {
        RestoreTrust::Keys(keys) => keys.clone(),
        RestoreTrust::OwnKey | RestoreTrust::Forced => BTreeSet::new(),
    };
    let trust = SealTrust::of(&keys);
    let is_forced = options.trust == RestoreTrust::Forced;
    may_replace(options)?;
    let (manifest, file_sha256) = verified((options, identities), trust, is_forced, cancel)?;
    let mut restored = Restored { manifest, file_sha256, kept: None, is_finished: !is_forced, millis: 0 };
    if options.dry_run {
        return Ok(restored);
    }
    let staging = Staging::beside(&options.run)?;
    let outline = unpack((options, identities), (trust, is_forced), &staging, cancel)?;
    if outline.file_sha256 != file_sha256 {
        return Err(AppError::Untrusted {
            what: format!("checksum_error: {} changed while it was read", options.archive.display()),
        });
    }
    if is_forced {
        mark(options, &staging, file_sha256)?;
    } else {
        sound(&options.archive, &outline, trust)?;
        note(options, (command, file_sha256, began), &staging)?;
    }
    cancel.check()?;
    // Nobody writes into the old run between here and its new name: the lock moves with its folder.
    let state = RunFolder::at(&options.run).state();
    let _held = if state.is_dir() { Some(RunLock::take(&state)?) } else { None };
    restored.kept = staging.place(&options.run)?;
    restored.millis = millis_since(began);
    Ok(restored)
}

fn may_replace(options: &RestoreOptions) -> Result<(), AppError> {
    let folder = RunFolder::at(&options.run);
    let is_empty = folder.look()? == Found::Fresh && !folder.evidence().exists();
    if is_empty || options.yes {
        return Ok(());
    }
    Err(AppError::Refused {
        what: format!("{} holds a run", options.run.display()),
        hint: "say --yes: it is kept beside; or name another folder with --run".to_owned(),
    })
}

/// The manifest and the file's digest, after everything was verified that is asked for. Nothing is written.
fn verified(
    (options, identities): (&RestoreOptions, &Identities),
    trust: SealTrust<'_>,
    is_forced: bool,
    cancel: &Cancel,
) -> Result<(SnapshotManifest, Digest32), AppError> {
    let outline = outline_of((&options.archive, identities), trust, cancel)?;
    if let Some(problem) = outline.problem {
        return Err(AppError::Refused {
            what: format!(
                "{}: unsafe: {} at {}",
                options.archive.display(),
                problem.name(),
                inert_limited(&outline.at, 100)
            ),
            hint: "fetch the snapshot again from whoever made it".to_owned(),
        });
    }
    if !is_forced {
        sound(&options.archive, &outline, trust)?;
    }
    let manifest = outline.manifest().and_then(|bytes| SnapshotManifest::parse(&bytes).ok());
    let manifest = manifest.ok_or_else(|| AppError::Untrusted {
        what: format!("checksum_error: {} has no manifest that can be read", options.archive.display()),
    })?;
    if manifest.schema_cursor > SCHEMA_CURSOR {
        return Err(config_error(
            format!("{} is of a later layout ({})", options.archive.display(), manifest.schema_cursor),
            "use a newer reledger",
        ));
    }
    Ok((manifest, outline.file_sha256))
}

fn unpack(
    (options, identities): (&RestoreOptions, &Identities),
    (trust, is_forced): (SealTrust<'_>, bool),
    staging: &Staging,
    cancel: &Cancel,
) -> Result<SnapshotOutline, AppError> {
    let archive = &options.archive;
    let demand = if is_forced { Demand::Any } else { Demand::Vouched };
    let Plain { reader, bytes } = open(archive, identities)?;
    let mut sink = Unpacking::into(staging.root(), is_forced);
    let read = unpack_snapshot(reader, bytes, (trust, demand), &mut sink, &|| cancel.is_cancelled());
    if let Some(name) = &sink.stranger {
        return Err(AppError::Refused {
            what: format!("{} holds {}, which no run has", archive.display(), inert_limited(name, 200)),
            hint: "restore with what made the snapshot".to_owned(),
        });
    }
    let outline = read.map_err(AppError::io("unpack", archive))?;
    cancel.check()?;
    let outline = outline.ok_or_else(|| AppError::Internal("reading a snapshot stopped by itself".to_owned()))?;
    // Also by force: half a log would be taken for the whole.
    match outline.problem {
        Some(problem) => Err(AppError::Refused {
            what: format!("{}: unsafe: {}", archive.display(), problem.name()),
            hint: "fetch the snapshot again from whoever made it".to_owned(),
        }),
        None if !is_whole(&outline) => {
            Err(AppError::Untrusted { what: format!("checksum_error: {} breaks off or is damaged", archive.display()) })
        }
        None => Ok(outline),
    }
}

/// Holds the unpacked run against itself, and tells in its custody log where it comes from.
fn note(
    options: &RestoreOptions,
    (command, archive, began): (&str, Digest32, Clock),
    staging: &Staging,
) -> Result<(), AppError> {
    let root = staging.root();
    let finished = FinishedRun::verified(root)?;
    let record = finished.record()?.clone();
    if !options.yes && record.started_at > options.clock.0 {
        return Err(AppError::Refused {
            what: format!("the run in the snapshot began at {}, after now", UnixSeconds(record.started_at)),
            hint: "set the clock right; or say --yes".to_owned(),
        });
    }
    let folder = RunFolder::at(root);
    let store = LogStore::open_read_only(&folder.evidence())?;
    let mut log = CustodyLog::open(&folder, Some(&record))?;
    let command = match options.trust {
        RestoreTrust::Keys(_) => command.to_owned(),
        RestoreTrust::OwnKey | RestoreTrust::Forced => format!("{command} --own-key"),
    };
    let head = log.add(&Handled {
        deed: Deed::Restore,
        actor: &options.actor,
        at: options.clock,
        command: &command,
        resumed: record.resumed,
        evidence: (evidence_root_of(&store)?, store.len()),
        manifest_sha256: Some(finished.manifest_sha256),
        report: None,
        expected_root: None,
        exit_code: Some(0),
        archive_sha256: Some(archive),
    })?;
    folder.create()?;
    let restore_millis = Some(millis_since(began));
    folder.write_record(&RunRecord { custody_head: Some(head), ended: Some(true), restore_millis, ..record })
}

fn millis_since(began: Clock) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Writes into the log itself that nobody vouches for it. Every report of this evidence tells of it, and so does every
/// snapshot's.
fn mark(options: &RestoreOptions, staging: &Staging, archive: Digest32) -> Result<(), AppError> {
    let folder = RunFolder::at(staging.root());
    folder.create()?;
    let engine = Engine::from_url("memory:").map_err(|error| AppError::Internal(error.to_string()))?;
    let mut store = LogStore::open(&folder.evidence(), &folder.state(), &engine)?;
    let receipt = FetchReceipt {
        end: SliceEnd::Refused,
        basis: CompletenessBasis::None,
        items: store.len(),
        reason: format!("restored by force from a snapshot that was not verified: sha256 {archive}"),
        ..FetchReceipt::whole(SourceId::unverified_restore(), Slice::all(Media::Snapshot.name()))
    };
    store.put_side(&[SideRecord::Receipt(receipt)])?;
    store.seal_segments()?;
    let evidence = (evidence_root_of(&store)?, store.len());
    drop(store);
    let mut log = CustodyLog::open(&folder, None)?;
    let command = "snapshot restore --force-unverified";
    let head = log.add(&Handled {
        deed: Deed::Restore,
        actor: &options.actor,
        at: options.clock,
        command,
        resumed: 0,
        evidence,
        manifest_sha256: None,
        report: None,
        expected_root: None,
        exit_code: Some(Condition::Incomplete.exit_code().0),
        archive_sha256: Some(archive),
    })?;
    let record = RunRecord::running(command, options.clock);
    folder.write_record(&RunRecord { custody_head: Some(head), ended: Some(true), ..record })
}
