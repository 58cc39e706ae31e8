//! Where a server is, as an operator writes it: the parts of an address that mean the same whatever its scheme (RFC 3986).

use std::borrow::Cow;

/// Why a place can't be read. Never holds the text: a password may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceError {
    /// Nothing that can be a host.
    NoHost,
    /// A port that is no number of 16 bits.
    BadPort,
}

impl PlaceError {
    /// A clause about `whose` address.
    pub fn told(self, whose: &str) -> String {
        match self {
            Self::NoHost => format!("{whose} names no host"),
            Self::BadPort => format!("{whose}'s port is no number"),
        }
    }
}

/// Host and port of `host[:port]` or `[v6][:port]` (RFC 3986, 3.2.2); the host without brackets.
///
/// # Errors
/// [`PlaceError`].
pub fn host_and_port(text: &str, default_port: u16) -> Result<(String, u16), PlaceError> {
    let (host, port) = match text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || "@[]".contains(c)) {
        return Err(PlaceError::NoHost);
    }
    let port = port.map_or(Ok(default_port), |port| port.parse().map_err(|_| PlaceError::BadPort))?;
    Ok((host.to_owned(), port))
}

/// A host as it stands in an address: a number of version 6 in brackets.
pub fn bracketed(host: &str) -> Cow<'_, str> {
    if host.contains(':') { format!("[{host}]").into() } else { host.into() }
}

/// The text behind percent escapes (RFC 3986, 2.1); `None` for a broken one, and for bytes that are no text.
pub fn percent_decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_with_and_without_brackets_and_port() {
        for (text, host, port) in [
            ("h", "h", 7),
            ("h:1", "h", 1),
            ("[::1]", "::1", 7),
            ("[2001:db8::1]:65535", "2001:db8::1", 65_535),
            ("127.0.0.1:0", "127.0.0.1", 0),
        ] {
            assert_eq!(host_and_port(text, 7), Ok((host.to_owned(), port)), "{text}");
        }
        for text in ["", ":1", "[]", "a b", "a@b", "a]b", "a\u{1}"] {
            assert_eq!(host_and_port(text, 7), Err(PlaceError::NoHost), "{text}");
        }
        for text in ["h:", "h:x", "h:65536", "[::1]:-1"] {
            assert_eq!(host_and_port(text, 7), Err(PlaceError::BadPort), "{text}");
        }
        assert_eq!((bracketed("h"), bracketed("::1")), ("h".into(), "[::1]".into()));
    }

    #[test]
    fn escapes_are_two_hex_digits_of_utf_8() {
        assert_eq!(percent_decoded("s%40c%3Aret%C3%a9").as_deref(), Some("s@c:ret\u{e9}"));
        for text in ["%", "%4", "%zz", "a%ff", "%\u{e9}"] {
            assert_eq!(percent_decoded(text), None, "{text}");
        }
    }
}
