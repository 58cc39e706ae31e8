//! What can be read only once: standard input, and pipes that have a name.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use super::{BUNDLE_READ_MAX, first_media, place_of};
use crate::app::attest::looks_like_envelope;
use crate::app::balance_proofs;
use crate::app::bundle::looks_like_bundle;
use crate::app::checkpoints;
use crate::app::error::AppError;
use crate::domain::Media;
use crate::seal::BALANCE_PROOF_BYTES_MAX;
use crate::substrate::FilesSource;

/// Bytes looked at to tell what it is: one whole record.
const SNIFF_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// One byte more than a proof may have.
const PROOF_READ_MAX: u64 = BALANCE_PROOF_BYTES_MAX as u64 + 1;

type Reader = Box<dyn Read + Send>;

/// What came through.
pub(super) enum Piped {
    Records(FilesSource),
    Bundle(Vec<u8>),
    Proof(Vec<u8>),
    CheckpointProof(Vec<u8>),
    Attestation(Vec<u8>),
}

/// A file that can be read only once, with how it is called; `None` for one that can be read again.
pub(super) fn only_once(file: &Path) -> Result<Option<(String, Reader)>, AppError> {
    if file.as_os_str() == "-" {
        return Ok(Some(("-".to_owned(), Box::new(std::io::stdin()))));
    }
    let found = std::fs::metadata(file).map_err(AppError::missing(file))?;
    if found.is_file() || found.is_dir() {
        return Ok(None);
    }
    let open = File::open(file).map_err(AppError::io("open", file))?;
    Ok(Some((place_of(file), Box::new(open))))
}

/// Its beginning is looked at, and given back where records are read.
pub(super) fn read(mut reader: Reader) -> Result<Piped, AppError> {
    let mut head = Vec::new();
    on(reader.as_mut(), SNIFF_BYTES_MAX, &mut head)?;
    if looks_like_bundle("", &head, &head) {
        on(reader.as_mut(), BUNDLE_READ_MAX, &mut head)?;
        return Ok(Piped::Bundle(head));
    }
    if balance_proofs::is_meant(&head) {
        on(reader.as_mut(), PROOF_READ_MAX, &mut head)?;
        return Ok(Piped::Proof(head));
    }
    if checkpoints::is_meant(&head) {
        return Ok(Piped::CheckpointProof(head));
    }
    if looks_like_envelope(&head) {
        return Ok(Piped::Attestation(head));
    }
    let source = |media, reader| {
        let source = FilesSource::new(media, vec![PathBuf::from("-")]);
        source.with_standard_input(reader)
    };
    let media = first_media(source(Media::NostrEvent, Box::new(Cursor::new(head.clone()))))?;
    Ok(Piped::Records(source(media, Box::new(Cursor::new(head).chain(reader)))))
}

/// Reads on until so many bytes are held.
fn on(reader: &mut dyn Read, limit: u64, held: &mut Vec<u8>) -> Result<(), AppError> {
    let rest = limit.saturating_sub(held.len() as u64);
    let failed = AppError::io("read", Path::new("standard input"));
    reader.take(rest).read_to_end(held).map_err(failed)?;
    Ok(())
}
