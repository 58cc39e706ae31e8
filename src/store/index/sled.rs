//! The index in sled 0.34: three trees in one folder.
//!
//! Measured with cut power, sled's own `flush` lost acknowledged records in 24 of 30 cuts, because it does not sync what it
//! wrote; followed by a sync of its files and folder it lost none. So every commit ends with both.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sled::{Batch, Db, Tree};

use super::{Change, Index, Mark, Table};
use crate::store::StoreError;
use crate::store::disk::{Disk, io_error};
use crate::store::record::Location;

const CACHE_BYTES: u64 = 64 << 20;
/// How long files may stay locked that this process has closed, and how often is asked.
const RELEASED_WITHIN: Duration = Duration::from_secs(5);
const ASKED_EVERY: Duration = Duration::from_millis(10);
const MARK: &[u8] = b"mark";
const ACKNOWLEDGED: &[u8] = b"acknowledged";

/// An open database.
pub(in crate::store) struct SledIndex {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    db: Db,
    evidence: Tree,
    side: Tree,
}

impl SledIndex {
    /// Opens or creates the folder.
    pub(in crate::store) fn open(folder: PathBuf, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        // No flushing by a clock: every commit flushes itself.
        let config = sled::Config::new().path(&folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let db = open_released(&config)?;
        let evidence = db.open_tree("evidence").map_err(failed)?;
        let side = db.open_tree("side").map_err(failed)?;
        let index = Self { folder, disk, db, evidence, side };
        index.sync()?;
        Ok(index)
    }

    fn tree(&self, table: Table) -> &Tree {
        match table {
            Table::Evidence => &self.evidence,
            Table::Side => &self.side,
        }
    }

    fn mark_at(&self, key: &[u8]) -> Result<Option<Mark>, StoreError> {
        match self.db.get(key).map_err(failed)? {
            None => Ok(None),
            Some(bytes) => Mark::from_bytes(&bytes).map(Some).ok_or_else(unreadable),
        }
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(failed)?;
        sync_files(&*self.disk, &self.folder)
    }
}

/// Opens what this process may have closed a moment ago: threads of the engine hold the lock of its files somewhat longer than the
/// database, and a run's own lock keeps everybody else away. That is no reason to set an index aside.
fn open_released(config: &sled::Config) -> Result<Db, StoreError> {
    let mut waited = Duration::ZERO;
    loop {
        match config.open() {
            Err(sled::Error::Io(error)) if waited < RELEASED_WITHIN && is_locked(&error) => {
                thread::sleep(ASKED_EVERY);
                waited += ASKED_EVERY;
            }
            other => return other.map_err(failed),
        }
    }
}

/// The engine says so in words alone.
fn is_locked(error: &std::io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

fn sync_files(disk: &dyn Disk, folder: &Path) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(folder).map_err(io_error("list", folder))? {
        let entry = entry.map_err(io_error("list", folder))?;
        let path = entry.path();
        if entry.file_type().map_err(io_error("list", folder))?.is_dir() {
            sync_files(disk, &path)?;
        } else {
            let file = OpenOptions::new().read(true).write(true).open(&path).map_err(io_error("open", &path))?;
            disk.sync(&file).map_err(io_error("sync", &path))?;
        }
    }
    disk.sync_dir(folder).map_err(io_error("sync", folder))
}

impl Index for SledIndex {
    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        self.mark_at(MARK)
    }

    fn acknowledged(&self) -> Result<Option<Mark>, StoreError> {
        self.mark_at(ACKNOWLEDGED)
    }

    fn acknowledge(&mut self, mark: &Mark) -> Result<(), StoreError> {
        self.db.insert(ACKNOWLEDGED, mark.to_bytes().as_slice()).map_err(failed)?;
        self.sync()
    }

    fn find(&self, table: Table, keys: &[[u8; 32]]) -> Result<Vec<Option<Location>>, StoreError> {
        let tree = self.tree(table);
        keys.iter()
            .map(|key| match tree.get(key).map_err(failed)? {
                None => Ok(None),
                Some(found) => match found.as_ref().try_into() {
                    Ok(bytes) => Ok(Some(Location::from_bytes(bytes))),
                    Err(_) => Err(unreadable()),
                },
            })
            .collect()
    }

    fn commit(&mut self, change: &Change) -> Result<(), StoreError> {
        for (table, entries) in [(Table::Evidence, &change.evidence), (Table::Side, &change.side)] {
            let mut batch = Batch::default();
            for (key, location) in entries {
                batch.insert(key, &location.to_bytes());
            }
            self.tree(table).apply_batch(batch).map_err(failed)?;
        }
        // Entries before the watermark: should only the entries survive, the log is replayed over them.
        self.db.insert(MARK, change.mark.to_bytes().as_slice()).map_err(failed)?;
        self.sync()
    }

    fn held(&self) -> Result<(u64, u64), StoreError> {
        Ok((self.evidence.len() as u64, self.side.len() as u64))
    }
}

fn unreadable() -> StoreError {
    StoreError::Index("an entry can't be read".to_owned())
}

fn failed(error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(source) => StoreError::Io { action: "use", file: "index.sled".to_owned(), source },
        other => StoreError::Index(other.to_string()),
    }
}
