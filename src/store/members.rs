//! What the evidence folder holds, for its manifest.

use std::collections::BTreeMap;
use std::path::Path;

use super::StoreError;
use super::disk::io_error;
use super::footer::digest_prefix;
use super::segment::{list, open_path, sealed_path, segments_dir};
use crate::domain::Digest32;

/// A file of the evidence log: name relative to the evidence folder (with `/`), size in bytes, SHA-256.
pub type LogFile = (String, u64, Digest32);

/// Lists the files of the evidence log in order. Files that the store did not write are not listed. Reads every byte; checks the digests of
/// no record.
///
/// # Errors
/// [`StoreError::Io`]; [`StoreError::Damaged`] when a segment is missing.
pub fn members(evidence_dir: &Path) -> Result<Vec<LogFile>, StoreError> {
    members_knowing(evidence_dir, &BTreeMap::new())
}

/// As [`members`]; segments whose digest is known from writing them are not read again.
pub(super) fn members_knowing(
    evidence_dir: &Path,
    known: &BTreeMap<u32, (u64, Digest32)>,
) -> Result<Vec<LogFile>, StoreError> {
    let dir = segments_dir(evidence_dir);
    let listing = list(&dir)?;
    let sealed = (1..=listing.sealed).map(|segment| (sealed_path(&dir, segment), known.get(&segment)));
    let open = listing.open.then(|| (open_path(&dir, listing.sealed.saturating_add(1)), None));
    sealed
        .chain(open)
        .map(|(path, known)| {
            let len = std::fs::metadata(&path).map_err(io_error("read", &path))?.len();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let digest = match known {
                Some((size, digest)) if *size == len => *digest,
                _ => digest_prefix(&path, len)?,
            };
            Ok((format!("segments/{name}"), len, digest))
        })
        .collect()
}
