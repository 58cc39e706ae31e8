//! Attestations as files, and the proofs that stand beside them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::app::error::AppError;
use crate::domain::PublicKey32;
use crate::evidence::decode_npub;
use crate::evidence::limits::OTS_BYTES_MAX;
use crate::seal::{ENVELOPE_BYTES_MAX, IN_TOTO_PAYLOAD};

/// The attestation of a run, inside its folder.
pub const ATTESTATION_FILE: &str = "attestation.json";
/// One byte more than an envelope may have is enough to refuse it.
const READ_MAX: u64 = ENVELOPE_BYTES_MAX as u64 + 1;

/// Where the proof of a file stands: beside it, as the reference client writes it.
pub fn attestation_proof(file: &Path) -> PathBuf {
    let mut name = file.to_owned().into_os_string();
    name.push(".ots");
    PathBuf::from(name)
}

/// The bytes of an attestation; `-` is standard input. Of what is too large for one, enough to see that it is.
///
/// # Errors
/// [`AppError::Config`] for a file that is not there; [`AppError::Io`].
pub fn read_attestation(file: &Path) -> Result<Vec<u8>, AppError> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(READ_MAX).read_to_end(&mut bytes)
    } else {
        File::open(file).map_err(AppError::missing(file))?.take(READ_MAX).read_to_end(&mut bytes)
    };
    read.map_err(AppError::io("read", file))?;
    Ok(bytes)
}

/// The bytes of a proof. Of what is too large for one, enough to see that it is.
///
/// # Errors
/// [`AppError::Config`] for a file that is not there; [`AppError::Io`].
pub fn read_proof(file: &Path) -> Result<Vec<u8>, AppError> {
    let mut bytes = Vec::new();
    let open = File::open(file).map_err(AppError::missing(file))?;
    // One byte more than a proof may have is enough to refuse it.
    open.take(OTS_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(AppError::io("read", file))?;
    Ok(bytes)
}

/// The author that a text names: `npub1...` (NIP-19) or 64 hex digits.
pub fn nostr_author(text: &str) -> Option<PublicKey32> {
    decode_npub(text).or_else(|| text.parse().ok())
}

/// The bytes of a file that is meant for an attestation; of a file that can't be read, or is too large for one, nothing.
pub(in crate::app) fn envelope_in(file: &Path) -> Option<Vec<u8>> {
    let found = std::fs::metadata(file).ok()?;
    if !found.is_file() || found.len() >= READ_MAX {
        return None;
    }
    let bytes = read_attestation(file).ok()?;
    looks_like_envelope(&bytes).then_some(bytes)
}

/// True for one JSON object with the three members of an envelope, around an in-toto statement.
pub(in crate::app) fn looks_like_envelope(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Look {
        #[serde(rename = "payloadType")]
        payload_type: String,
        #[serde(rename = "payload")]
        _payload: IgnoredAny,
        #[serde(rename = "signatures")]
        _signatures: IgnoredAny,
    }
    serde_json::from_slice::<Look>(bytes).is_ok_and(|look| look.payload_type == IN_TOTO_PAYLOAD)
}
