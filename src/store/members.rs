//! What the evidence folder holds, for its manifest.

use std::path::Path;

use super::StoreError;
use super::disk::io_error;
use super::footer::digest_prefix;
use super::segment::{list, open_path, sealed_path, segments_dir};
use crate::domain::Digest32;

/// Lists the files of the evidence log in order: name relative to the evidence folder (with `/`), size in bytes, SHA-256.
///
/// Files that the store did not write are not listed. Reads every byte; checks the digests of no record.
///
/// # Errors
/// [`StoreError::Io`]; [`StoreError::Damaged`] when a segment is missing.
pub fn members(evidence_dir: &Path) -> Result<Vec<(String, u64, Digest32)>, StoreError> {
    let dir = segments_dir(evidence_dir);
    let listing = list(&dir)?;
    let sealed = (1..=listing.sealed).map(|segment| sealed_path(&dir, segment));
    let open = listing.open.then(|| open_path(&dir, listing.sealed.saturating_add(1)));
    sealed
        .chain(open)
        .map(|path| {
            let len = std::fs::metadata(&path).map_err(io_error("read", &path))?.len();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Ok((format!("segments/{name}"), len, digest_prefix(&path, len)?))
        })
        .collect()
}
