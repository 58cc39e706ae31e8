//! Where rows lie, and what went wrong there.

use std::fs::File;
use std::io::{self, BufWriter, IntoInnerError, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Bytes that a sorter gathers before it puts them into its file. Debug builds gather little: what they are tested with, a few
/// hundred rows, goes the way that millions go.
const GATHERED_MAX: usize = if cfg!(debug_assertions) { 16 << 10 } else { 4 << 20 };

/// The room for rows failed: the disk is full, or does not give back what was written. What was made of rows since is nothing to
/// conclude from.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{action} {}", self.place())]
pub struct ScratchError {
    /// What was attempted, for example `write`.
    pub action: &'static str,
    /// In which folder.
    pub folder: PathBuf,
    /// The cause.
    #[source]
    pub cause: Arc<io::Error>,
}

/// Where sorters may put rows: beside memory, in a folder, or nowhere but in memory. Copies are the same place, with the same
/// failure.
#[derive(Debug, Clone)]
pub struct Scratch(Arc<Place>);

#[derive(Debug)]
struct Place {
    folder: Option<PathBuf>,
    gathered_max: usize,
    failure: OnceLock<ScratchError>,
    /// What stands for every file, in tests.
    #[cfg(test)]
    instead: Option<File>,
}

impl ScratchError {
    /// Where, in words.
    pub fn place(&self) -> String {
        format!("a working file in {}", self.folder.display())
    }

    /// The cause, as a value of its own.
    pub fn into_io(self) -> io::Error {
        io::Error::new(self.cause.kind(), self.cause.to_string())
    }
}

impl Default for Scratch {
    /// In memory alone, for what has its bounds elsewhere.
    fn default() -> Self {
        Self::of(None, usize::MAX)
    }
}

impl Scratch {
    fn of(folder: Option<PathBuf>, gathered_max: usize) -> Self {
        Self(Arc::new(Place {
            folder,
            gathered_max,
            failure: OnceLock::new(),
            #[cfg(test)]
            instead: None,
        }))
    }

    /// In that folder, or where the system keeps temporary files when no file can be made there.
    pub fn in_folder(folder: &Path) -> Self {
        Self::of(Some(folder.to_owned()), GATHERED_MAX)
    }

    /// The same, and so many bytes are gathered: for tests, which have few.
    #[cfg(test)]
    pub(super) fn gathering(folder: &Path, gathered_max: usize) -> Self {
        Self::of(Some(folder.to_owned()), gathered_max)
    }

    /// With that file in the place of each: for tests, whose disks are not full.
    #[cfg(test)]
    pub(crate) fn on(file: File, gathered_max: usize) -> Self {
        Self(Arc::new(Place { folder: None, gathered_max, failure: OnceLock::new(), instead: Some(file) }))
    }

    /// Bytes that one sorter may gather in memory.
    pub(super) fn gathered_max(&self) -> usize {
        self.0.gathered_max
    }

    /// Fails when anything failed here: to be asked before anything is concluded from rows.
    ///
    /// # Errors
    /// The first failure.
    pub fn check(&self) -> Result<(), ScratchError> {
        self.0.failure.get().cloned().map_or(Ok(()), Err)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.0.failure.get().is_some()
    }

    pub(super) fn fail(&self, action: &'static str, cause: io::Error) {
        let folder = self.0.folder.clone().unwrap_or_default();
        let _ = self.0.failure.set(ScratchError { action, folder, cause: Arc::new(cause) });
    }

    /// What `done` gives; nothing when it fails, which is kept.
    pub(super) fn attempt<T>(&self, action: &'static str, done: io::Result<T>) -> Option<T> {
        done.map_err(|cause| self.fail(action, cause)).ok()
    }

    /// What was written into a file, once all of it is there.
    pub(super) fn written(&self, file: BufWriter<File>) -> Option<Bytes> {
        let file = self.attempt("write", file.into_inner().map_err(IntoInnerError::into_error))?;
        Some(Bytes::File(Mutex::new(file)))
    }

    /// A file that is gone once nobody holds it, whatever becomes of the process.
    pub(super) fn file(&self) -> Option<File> {
        #[cfg(test)]
        if let Some(file) = &self.0.instead {
            return self.attempt("make", file.try_clone());
        }
        let made = match &self.0.folder {
            Some(folder) => tempfile::tempfile_in(folder).or_else(|_| tempfile::tempfile()),
            None => tempfile::tempfile(),
        };
        self.attempt("make", made)
    }
}

/// Bytes that were written once, in memory or in a file.
#[derive(Debug)]
pub(super) enum Bytes {
    Memory(Vec<u8>),
    File(Mutex<File>),
}

impl Bytes {
    /// Fills the buffer from there.
    pub(super) fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => {
                let held = usize::try_from(at).ok().and_then(|at| bytes.get(at..)?.get(..into.len()));
                into.copy_from_slice(held.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
            Self::File(file) => {
                // Nothing is half done in the file when a reader panics.
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(at))?;
                file.read_exact(into)
            }
        }
    }
}
