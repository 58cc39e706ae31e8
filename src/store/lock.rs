//! One writer per run: a lock of the operating system, so that a killed process leaves none behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::StoreError;
use super::disk::io_error;

/// Holds the run until it is dropped.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes `lock` in the state folder, which is made when missing.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process, or another store of this one, holds it.
    pub fn take(state_dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(state_dir).map_err(io_error("create", state_dir))?;
        let path = state_dir.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(io_error("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked),
            Err(TryLockError::Error(source)) => Err(io_error("lock", &path)(source)),
        }
    }
}
