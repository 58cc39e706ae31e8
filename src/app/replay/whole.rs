//! The whole way back: a run that is not there yet is restored from a snapshot first, and what came since is replayed into it.

use std::collections::BTreeSet;
use std::path::Path;

use super::ReplayOptions;
use crate::app::custody_log::CustodyLog;
use crate::app::error::AppError;
use crate::app::observer::{Cancel, Event, Observer};
use crate::app::options::RunOptions;
use crate::app::plan::Plan;
use crate::app::run::{Found, RunFolder};
use crate::app::snapshots::{RestoreOptions, RestoreTrust, Restored, checked_snapshot, restore_by};
use crate::domain::{Digest32, PublicKey32};
use crate::evidence::snapshot::{SnapshotManifest, SnapshotOutline};

/// The command, as the custody log of the restored run tells it.
const COMMAND: &str = "replay --from-snapshot";

/// The snapshot that a run was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredFrom {
    /// sha256 of the archive.
    pub sha256: Digest32,
    /// Its sequence number.
    pub sequence: u64,
    /// Ledger entries in it.
    pub entries: u64,
    /// The last migration of the run's layout that it contains.
    pub schema_cursor: u64,
    /// False when an earlier command restored it.
    pub is_new: bool,
}

/// What a snapshot is to a replay.
pub(super) enum Way {
    /// The run was there before, and is compared with it: the snapshot gives the instant that the replay begins at.
    Compared(SnapshotOutline),
    /// The run was made of it: its own cursors say where the replay begins. With the milliseconds that the restore took, when
    /// nothing was finished since.
    Restored(RestoredFrom, Option<u64>),
    /// The run is to be made of it: nothing was written.
    Would(RestoredFrom),
}

/// Whose snapshots count: the keys that were named, else those of the configuration.
pub(super) fn keys<'k>(plan: &'k Plan, replay: &'k ReplayOptions) -> &'k BTreeSet<PublicKey32> {
    if replay.keys.is_empty() { &plan.policy.seal_keys } else { &replay.keys }
}

/// True for a run that is not there, or empty.
pub(super) fn is_absent(run: &Path) -> Result<bool, AppError> {
    let folder = RunFolder::at(run);
    Ok(folder.look()? == Found::Fresh && !folder.evidence().join("segments").is_dir())
}

/// Verifies the snapshot, and restores a run that is not there from it. `dry` writes nothing.
///
/// # Errors
/// [`AppError::Untrusted`], [`AppError::Refused`] or [`AppError::Config`] as a restore; nothing is changed then.
pub(super) fn way(
    plan: &Plan,
    (options, replay): (&RunOptions, &ReplayOptions),
    archive: &Path,
    dry: bool,
    (observer, cancel): (&dyn Observer, &Cancel),
) -> Result<Way, AppError> {
    let folder = RunFolder::at(&options.run);
    if is_absent(&options.run)? {
        observer.event(Event::Stage { name: "restore", total: None });
        let keys = keys(plan, replay);
        may_believe(keys)?;
        let wanted = RestoreOptions {
            archive: archive.to_owned(),
            run: options.run.clone(),
            trust: RestoreTrust::Keys(keys.clone()),
            yes: options.yes,
            dry_run: dry,
            clock: options.clock,
            actor: options.actor.clone(),
        };
        let Restored { manifest, file_sha256, millis, .. } =
            restore_by(COMMAND, (&wanted, &replay.identities), cancel)?;
        let origin = origin(file_sha256, &manifest, true);
        return Ok(if dry { Way::Would(origin) } else { Way::Restored(origin, Some(millis)) });
    }
    may_believe(keys(plan, replay))?;
    let outline = checked_snapshot((archive, &replay.identities), keys(plan, replay), cancel)?;
    let record = match folder.look()? {
        Found::Fresh => None,
        Found::Unfinished(record) | Found::Finished(record) => Some(record),
    };
    let log = CustodyLog::open(&folder, record.as_deref())?;
    let manifest = outline.manifest().and_then(|bytes| SnapshotManifest::parse(&bytes).ok());
    match manifest.filter(|_| log.was_restored_from(outline.file_sha256)) {
        Some(manifest) => {
            let millis = record.and_then(|record| record.restore_millis);
            Ok(Way::Restored(origin(outline.file_sha256, &manifest, false), millis))
        }
        None => Ok(Way::Compared(outline)),
    }
}

fn origin(sha256: Digest32, manifest: &SnapshotManifest, is_new: bool) -> RestoredFrom {
    RestoredFrom {
        sha256,
        sequence: manifest.sequence,
        entries: manifest.entries,
        schema_cursor: manifest.schema_cursor,
        is_new,
    }
}

fn may_believe(keys: &BTreeSet<PublicKey32>) -> Result<(), AppError> {
    if !keys.is_empty() {
        return Ok(());
    }
    Err(AppError::Config {
        what: "nobody's key was given, so no snapshot could be believed".to_owned(),
        hint: "name the Ed25519 keys that seal by `seal.trusted_keys`, --trusted-keys or --key".to_owned(),
    })
}
