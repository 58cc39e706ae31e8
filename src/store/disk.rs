//! The few ways in which the store changes the disk, behind one seam so that tests can fail each of them in turn.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::StoreError;

/// Everything that changes the disk, one method per system call that can fail.
pub(super) trait Disk: Send + Sync {
    /// Creates a file that must not exist yet.
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    /// Writes all bytes at the offset.
    fn write(&self, mut file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    /// Makes the file's bytes and length durable.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Cuts the file.
    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }

    /// Gives the file its other name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    /// Makes names in the folder durable. Where folders can't be opened as files, the system keeps names by itself.
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
    }

    /// Called before each commit of the index, whose engine writes by its own means.
    fn before_index_commit(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The disk of production.
pub(super) struct RealDisk;

impl Disk for RealDisk {}

/// Makes the error of a failed action on a file. Only the file's name is kept, never where the run lives.
pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    move |source| StoreError::Io { action, file, source }
}
