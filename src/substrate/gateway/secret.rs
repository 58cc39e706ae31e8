//! Secrets in files: a gateway's password, a node's macaroon or rune. They are read once, never shown, never stored.

use std::io::Read as _;
use std::path::Path;

use reqwest::header::HeaderValue;

use super::super::SourceError;
use super::super::limits::PASSWORD_BYTES_MAX;

/// The bytes of a file that only its owner can read.
///
/// # Errors
/// [`SourceError::Exposed`] when others can read it, [`SourceError::Io`] when it can't be read,
/// [`SourceError::Misconfigured`] when it is empty.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    let shown = || path.display().to_string();
    let io = |source| SourceError::Io { path: shown(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The opened file is judged, not the path: it can't be swapped in between.
        if file.metadata().map_err(io)?.permissions().mode() & 0o077 != 0 {
            return Err(SourceError::Exposed { file: shown() });
        }
    }
    let mut bytes = Vec::new();
    file.take(PASSWORD_BYTES_MAX).read_to_end(&mut bytes).map_err(io)?;
    if bytes.is_empty() { Err(unusable(path)) } else { Ok(bytes) }
}

/// The text of such a file without its line end.
///
/// # Errors
/// As [`read`]; [`SourceError::Misconfigured`] when it is no text.
pub(super) fn read_line(path: &Path) -> Result<String, SourceError> {
    let text = String::from_utf8(read(path)?).map_err(|_| unusable(path))?;
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() { Err(unusable(path)) } else { Ok(line.to_owned()) }
}

/// A header value that debug output leaves out.
///
/// # Errors
/// [`SourceError::Misconfigured`] when the text can't stand in a header.
pub(super) fn header(path: &Path, text: &str) -> Result<HeaderValue, SourceError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| unusable(path))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unusable(path: &Path) -> SourceError {
    SourceError::Misconfigured { what: "file without a usable secret", address: path.display().to_string() }
}
