//! Opening an index, and putting a bad one aside.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lagging::Lagging;
use super::memory::MemoryIndex;
use super::{Change, Index, Mark, Table};
use crate::store::disk::{Disk, io_error};
use crate::store::record::Location;
use crate::store::{Engine, StoreError};

/// Opens the engine's index with its watermark. One that will not open is set aside and an empty one is made.
///
/// # Errors
/// [`StoreError::EngineMissing`]; [`StoreError::Index`] or [`StoreError::Io`] when an empty one can't be made either.
pub(in crate::store) fn open(
    engine: &Engine,
    state_dir: &Path,
    disk: &Arc<dyn Disk>,
) -> Result<(Box<dyn Index>, Option<Mark>), StoreError> {
    match attempt(engine, state_dir, disk) {
        // Files of an engine that this build leaves out are not bad: another build may still want them.
        Err(error @ StoreError::EngineMissing { .. }) => Err(error),
        // Nor are those of a disk that is full, or of somebody else: aside they would take room, and the log's acknowledged end is in them.
        Err(StoreError::Io { action, file, source }) if is_refusal(source.kind()) => {
            Err(StoreError::Io { action, file, source })
        }
        Err(error) if path(engine, state_dir).is_some_and(|path| path.exists()) => {
            tracing::warn!(engine = engine.name(), %error, "the index does not open and is rebuilt from the log");
            set_aside(engine, state_dir, &**disk)?;
            attempt(engine, state_dir, disk)
        }
        other => other,
    }
}

/// True when the system would not have it, whatever stands in the files.
fn is_refusal(kind: ErrorKind) -> bool {
    use ErrorKind::{OutOfMemory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    [StorageFull, QuotaExceeded, PermissionDenied, ReadOnlyFilesystem, OutOfMemory].contains(&kind)
}

fn attempt(
    engine: &Engine,
    state_dir: &Path,
    disk: &Arc<dyn Disk>,
) -> Result<(Box<dyn Index>, Option<Mark>), StoreError> {
    disk.before_index_commit().map_err(|source| StoreError::Io { action: "open", file: "index".to_owned(), source })?;
    let index = Lagging::new(Guarded(Some(guard(|| make(engine, state_dir, disk))?)))?;
    let mark = index.mark()?;
    index.acknowledged()?;
    Ok((Box::new(index), mark))
}

/// Engines panic on some damaged files (sled 0.34: 5 of 30 after cut power). A cache must not take the run with it.
struct Guarded(Option<Box<dyn Index>>);

impl Guarded {
    fn engine(&self) -> Result<&dyn Index, StoreError> {
        self.0.as_deref().ok_or_else(closed)
    }

    fn engine_mut(&mut self) -> Result<&mut Box<dyn Index>, StoreError> {
        self.0.as_mut().ok_or_else(closed)
    }
}

impl Drop for Guarded {
    /// An engine that panicked once may do so again when it closes.
    fn drop(&mut self) {
        let engine = self.0.take();
        drop(catch_unwind(AssertUnwindSafe(|| drop(engine))));
    }
}

fn closed() -> StoreError {
    StoreError::Index("the engine is closed".to_owned())
}

fn guard<T>(call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(StoreError::Index("the engine panicked on its own files".to_owned())))
}

impl Index for Guarded {
    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        guard(|| self.engine()?.mark())
    }

    fn acknowledged(&self) -> Result<Option<Mark>, StoreError> {
        guard(|| self.engine()?.acknowledged())
    }

    fn acknowledge(&mut self, mark: &Mark) -> Result<(), StoreError> {
        guard(|| self.engine_mut()?.acknowledge(mark))
    }

    fn find(&self, table: Table, keys: &[[u8; 32]]) -> Result<Vec<Option<Location>>, StoreError> {
        guard(|| self.engine()?.find(table, keys))
    }

    fn commit(&mut self, change: &Change) -> Result<(), StoreError> {
        guard(|| self.engine_mut()?.commit(change))
    }

    fn held(&self) -> Result<(u64, u64), StoreError> {
        guard(|| self.engine()?.held())
    }
}

#[cfg_attr(not(feature = "sled"), expect(unused_variables, reason = "only sled is synced by us"))]
fn make(engine: &Engine, state_dir: &Path, disk: &Arc<dyn Disk>) -> Result<Box<dyn Index>, StoreError> {
    match engine {
        Engine::Memory => Ok(Box::new(MemoryIndex::default())),
        #[cfg(feature = "redb")]
        Engine::Redb => Ok(Box::new(super::redb::RedbIndex::open(&state_dir.join(REDB))?)),
        #[cfg(feature = "sled")]
        Engine::Sled => Ok(Box::new(super::sled::SledIndex::open(state_dir.join(SLED), Arc::clone(disk))?)),
        #[allow(unreachable_patterns, reason = "reached when an engine's feature is off")]
        missing => Err(StoreError::EngineMissing { engine: missing.name() }),
    }
}

const REDB: &str = "index.redb";
const SLED: &str = "index.sled";

fn path(engine: &Engine, state_dir: &Path) -> Option<PathBuf> {
    match engine {
        Engine::Memory | Engine::Postgres(_) => None,
        Engine::Redb => Some(state_dir.join(REDB)),
        Engine::Sled => Some(state_dir.join(SLED)),
    }
}

/// Renames the engine's files to the first free `*.set-aside-N`. The engine must be closed.
pub(in crate::store) fn set_aside(engine: &Engine, state_dir: &Path, disk: &dyn Disk) -> Result<(), StoreError> {
    let Some(path) = path(engine, state_dir).filter(|path| path.exists()) else { return Ok(()) };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (1..=u32::MAX)
        .map(|number| state_dir.join(format!("{name}.set-aside-{number}")))
        .find(|candidate| !candidate.exists());
    let Some(free) = free else { return Err(StoreError::Index("no name is left to set it aside".to_owned())) };
    disk.rename(&path, &free).map_err(io_error("rename", &path))?;
    disk.sync_dir(state_dir).map_err(io_error("sync", state_dir))
}
