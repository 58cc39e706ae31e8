//! `state/shared.json`: which rows of the shared tables are this folder's.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use crate::store::StoreError;
use crate::store::disk::{Disk as _, RealDisk, io_error};

/// What stands in the file. It names the file that it stands in: a copy of the folder is another folder, and two must not
/// write the same rows.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    run: i64,
    file: u64,
}

/// The run's number; `None` where the folder has none yet, or one that is not its own.
pub(super) fn read(path: &Path) -> Result<Option<i64>, StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    let own = fs::metadata(path).map_err(io_error("read", path))?;
    let token = serde_json::from_slice::<Token>(&bytes).ok().filter(|token| token.file == number_of(&own));
    if token.is_none() {
        tracing::warn!("the rows in the shared store are another folder's: it gets rows of its own");
    }
    Ok(token.map(|token| token.run))
}

/// Writes the file, durably, or not at all.
pub(super) fn write(path: &Path, run: i64) -> Result<(), StoreError> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary).map_err(io_error("create", &temporary))?;
    let token = Token { run, file: number_of(&file.metadata().map_err(io_error("read", &temporary))?) };
    let text = serde_json::to_vec(&token).map_err(|error| io_error("write", path)(error.into()))?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(io_error("write", &temporary))?;
    fs::rename(&temporary, path).map_err(io_error("rename", path))?;
    path.parent().map_or(Ok(()), |folder| RealDisk.sync_dir(folder).map_err(io_error("sync", folder)))
}

#[cfg(unix)]
fn number_of(found: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    found.ino()
}

/// Where files have no number, the owner that each process writes into the tables keeps two apart.
#[cfg(not(unix))]
fn number_of(_: &fs::Metadata) -> u64 {
    0
}
