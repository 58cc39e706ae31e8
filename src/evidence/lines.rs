//! The line form that attestation and binding messages share: `key: value` lines, one trailing line feed (FORMATS 3.10).

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::UnixMicros;

/// Extension lines by key.
pub(crate) type Extensions = BTreeMap<String, String>;

/// The message's lines without their line feeds.
///
/// # Errors
/// The reason when the text ends in no line feed or in two, or holds a carriage return or a byte order mark.
pub(crate) fn split(message: &str) -> Result<std::str::Split<'_, char>, String> {
    if message.contains('\r') {
        return Err("message contains a carriage return".to_owned());
    }
    if message.starts_with('\u{feff}') {
        return Err("message starts with a byte order mark".to_owned());
    }
    let body = message.strip_suffix('\n').ok_or("message has no trailing line feed")?;
    if body.ends_with('\n') {
        return Err("message has two trailing line feeds".to_owned());
    }
    Ok(body.split('\n'))
}

/// What follows `key: ` in a line.
///
/// # Errors
/// The reason when the line has another key.
pub(crate) fn value<'a>(line: &'a str, key: &str) -> Result<&'a str, String> {
    line.strip_prefix(key)
        .and_then(|rest| rest.strip_prefix(": "))
        .ok_or_else(|| format!("line does not start with {key}"))
}

/// What is wrong with extension lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExtensionError {
    /// A line is not `key: value` with both present.
    Shape,
    /// Keys do not strictly ascend.
    Unsorted,
}

impl fmt::Display for ExtensionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "extension is not key: value",
            Self::Unsorted => "extensions are not sorted, or one stands twice",
        })
    }
}

/// Reads the remaining lines as extensions.
///
/// # Errors
/// [`ExtensionError`] for a malformed line or keys out of order.
pub(crate) fn extensions<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Extensions, ExtensionError> {
    let mut extensions = Extensions::new();
    for line in lines {
        let (key, value) = line.split_once(": ").ok_or(ExtensionError::Shape)?;
        if !is_extension_key(key) || value.is_empty() {
            return Err(ExtensionError::Shape);
        }
        if extensions.last_key_value().is_some_and(|(last, _)| last.as_str() >= key) {
            return Err(ExtensionError::Unsorted);
        }
        extensions.insert(key.to_owned(), value.to_owned());
    }
    Ok(extensions)
}

/// Extension lines in canonical order; empty values are left out (vector tv15).
///
/// # Errors
/// The reason when a key or value could forge a line.
pub(crate) fn extension_lines(extensions: &Extensions) -> Result<String, String> {
    let mut lines = Vec::new();
    for (key, value) in extensions.iter().filter(|(_, value)| !value.is_empty()) {
        if !is_extension_key(key) {
            return Err("extension key is empty or holds a colon, space or control character".to_owned());
        }
        if value.chars().any(char::is_control) {
            return Err("extension value contains a newline or another control character".to_owned());
        }
        lines.push(format!("{key}: {value}\n"));
    }
    Ok(lines.concat())
}

fn is_extension_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

/// True for exactly that many lower-case hex digits.
pub(crate) fn is_lower_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// An ISO-8601 UTC instant.
pub(crate) fn instant(text: &str) -> Option<UnixMicros> {
    text.parse().ok()
}
