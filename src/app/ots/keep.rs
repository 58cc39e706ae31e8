//! Writing a completed proof: the original first, under another name.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::file::ProofFile;
use crate::app::{AppError, write_atomic, write_result};

/// Where the original is kept.
pub(super) fn backup_of(file: &ProofFile) -> PathBuf {
    let mut name = file.path.clone().into_os_string();
    name.push(".bak");
    PathBuf::from(name)
}

pub(super) fn taken_already(backup: &Path) -> AppError {
    AppError::Refused {
        what: format!("{} is there already", backup.display()),
        hint: "move it away, or overwrite it with --yes".to_owned(),
    }
}

/// Keeps the original as `<name>.bak`, then puts the new bytes in its place, each of them whole or not at all.
///
/// # Errors
/// [`AppError::Refused`] when the `.bak` is there already and `yes` is not given; [`AppError::Io`]. The original stands
/// then.
pub(super) fn replace(file: &ProofFile, bytes: &[u8], yes: bool) -> Result<(), AppError> {
    let backup = backup_of(file);
    if yes {
        write_atomic(&backup, &file.bytes)?;
    } else {
        let made = OpenOptions::new().write(true).create_new(true).open(&backup);
        let mut made = made.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => taken_already(&backup),
            _ => AppError::io("create", &backup)(error),
        })?;
        let kept = made.write_all(&file.bytes).and_then(|()| made.sync_all());
        kept.map_err(AppError::io("write", &backup))?;
    }
    write_result(&file.path, bytes)
}
