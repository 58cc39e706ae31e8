//! A folder beside the run in which a restore takes shape, and the moment at which it takes the run's place.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::contents::{belongs, is_segment};
use crate::app::error::AppError;
use crate::app::run::{create_folders, parent_of, sync_folder};
use crate::domain::Digest32;
use crate::seal::MemberSink;

/// Folders of earlier restores that stand beside a run.
const NUMBERS: u32 = 10_000;

/// The folder. It is removed when it goes out of use before it took its place.
pub(super) struct Staging {
    root: PathBuf,
    placed: bool,
}

impl Staging {
    /// Makes a new folder beside the run's.
    ///
    /// # Errors
    /// [`AppError::Io`].
    pub(super) fn beside(run: &Path) -> Result<Self, AppError> {
        create_folders(parent_of(run))?;
        let root = free(run, "restoring")?;
        fs::create_dir(&root).map_err(AppError::io("create", &root))?;
        Ok(Self { root, placed: false })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Puts the folder where the run is to be; what stood there stands beside it then, under the name that is returned.
    ///
    /// # Errors
    /// [`AppError::Io`]; the old run stands in its place then.
    pub(super) fn place(mut self, run: &Path) -> Result<Option<PathBuf>, AppError> {
        sync_folders(&self.root).map_err(AppError::io("sync", &self.root))?;
        // An empty folder is nothing to keep: the rename takes its place.
        let is_empty = fs::read_dir(run).is_ok_and(|mut entries| entries.next().is_none());
        let before = if run.exists() && !is_empty { Some(free(run, "before-restore")?) } else { None };
        let in_place = "put the restored run in place at";
        match &before {
            None => fs::rename(&self.root, run).inspect(|()| self.placed = true),
            Some(before) => self.change_places(run, before),
        }
        .map_err(AppError::io(in_place, run))?;
        sync_folder(parent_of(run)).map_err(AppError::io(in_place, run))?;
        Ok(before)
    }

    /// The folder stands at `run` afterwards, and what stood there at `before`; on an error all stands as it did, or the error
    /// says where.
    fn change_places(&mut self, run: &Path, before: &Path) -> io::Result<()> {
        let told = |error: io::Error, place: &Path| {
            io::Error::new(error.kind(), format!("{error}; what stood there is in {}", place.display()))
        };
        // One step where the system has it: there is no moment without a run.
        if exchange(&self.root, run)? {
            // From here on the folder of our name is the old run: it is nobody's to remove.
            self.placed = true;
            let Err(error) = fs::rename(&self.root, before) else { return Ok(()) };
            self.placed = !exchange(&self.root, run).unwrap_or(false);
            return Err(if self.placed { told(error, &self.root) } else { error });
        }
        fs::rename(run, before)?;
        self.placed = true;
        let Err(error) = fs::rename(&self.root, run) else { return Ok(()) };
        self.placed = fs::rename(before, run).is_err();
        Err(if self.placed { told(error, before) } else { error })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.placed {
            // Half a run is of no use to anyone; a failure to remove it changes nothing.
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

/// Lets two folders change names at once; false where the system has no such step.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> io::Result<bool> {
    Ok(false)
}

/// `RUN.WORD-N` with the first number that is free.
fn free(run: &Path, word: &str) -> Result<PathBuf, AppError> {
    let name = run.file_name().map(|name| name.to_string_lossy().into_owned()).ok_or_else(|| AppError::Config {
        what: format!("{} names no folder", run.display()),
        hint: "name the run's folder with --run".to_owned(),
    })?;
    let paths = (1..NUMBERS).map(|number| run.with_file_name(format!("{name}.{word}-{number}")));
    paths.into_iter().find(|path| path.symlink_metadata().is_err()).ok_or_else(|| AppError::Refused {
        what: format!("too many folders stand beside {} from earlier restores", run.display()),
        hint: "look them through, and remove those that nobody needs".to_owned(),
    })
}

/// Syncs the folders from the inside out.
fn sync_folders(root: &Path) -> io::Result<()> {
    for name in ["evidence/segments", "evidence", "queues", "checkpoints", "state", ""] {
        let path = root.join(name);
        if path.is_dir() {
            File::open(&path)?.sync_all()?;
        }
    }
    Ok(())
}

/// Writes members of a snapshot into a folder, each under a name that a run has.
pub(super) struct Unpacking<'s> {
    root: &'s Path,
    /// Only the evidence: what was concluded from it is drawn anew.
    evidence_only: bool,
    file: Option<File>,
    /// A name that no run has.
    pub(super) stranger: Option<String>,
}

impl<'s> Unpacking<'s> {
    pub(super) fn into(root: &'s Path, evidence_only: bool) -> Self {
        Self { root, evidence_only, file: None, stranger: None }
    }
}

impl MemberSink for Unpacking<'_> {
    fn begin(&mut self, name: &str, _size: u64) -> io::Result<()> {
        self.file = None;
        // Never by the archive's word: only under names of our own.
        if !belongs(name) {
            self.stranger = Some(name.to_owned());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a name that no run has"));
        }
        if self.evidence_only && !is_segment(name) {
            return Ok(());
        }
        let path = self.root.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        self.file = Some(File::options().write(true).create_new(true).open(&path)?);
        Ok(())
    }

    fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    fn end(&mut self, _: &Digest32) -> io::Result<()> {
        self.file.take().map_or(Ok(()), |file| file.sync_all())
    }
}
