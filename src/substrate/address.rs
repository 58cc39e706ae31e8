//! Which addresses may be contacted at all: schemes, user names, loopback, private ranges, the calendar allow-list.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

use super::SourceError;

/// Whether unencrypted addresses outside loopback are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plaintext {
    /// `ws://` and `http://` only to this machine.
    LoopbackOnly,
    /// The config said `allow_plaintext = true`.
    Allowed,
}

impl From<bool> for Plaintext {
    fn from(allow: bool) -> Self {
        if allow { Self::Allowed } else { Self::LoopbackOnly }
    }
}

/// Checks a relay's address.
pub(super) fn check_ws(text: &str, plaintext: Plaintext) -> Result<Url, SourceError> {
    check(text, "wss", "ws", plaintext)
}

/// Checks an HTTP address.
pub(super) fn check_http(text: &str, plaintext: Plaintext) -> Result<Url, SourceError> {
    check(text, "https", "http", plaintext)
}

fn check(text: &str, secure: &str, plain: &str, plaintext: Plaintext) -> Result<Url, SourceError> {
    let refuse = |what| Err(SourceError::Misconfigured { what, address: text.to_owned() });
    // The URL standard drops tabs and line ends and reads a backslash as a slash: what a person reads is then not what
    // is contacted.
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains('\\') {
        return refuse("address with characters that do not belong there");
    }
    let Ok(url) = Url::parse(text) else { return refuse("not an address") };
    if url.host_str().is_none_or(str::is_empty) {
        return refuse("address without a host");
    }
    // Parsers forgive missing and surplus slashes; a reader of the config would not know which part is the host.
    if authority(text).is_empty() {
        return refuse("address without a host");
    }
    if authority(text).contains('@') || !url.username().is_empty() || url.password().is_some() {
        return refuse("address with a user name");
    }
    if url.scheme() == secure || (url.scheme() == plain && (is_loopback(&url) || plaintext == Plaintext::Allowed)) {
        return Ok(url);
    }
    if url.scheme() == plain {
        return refuse("plaintext address outside loopback");
    }
    refuse("address of another scheme")
}

fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or("")
}

fn literal_ip(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host).parse().ok()
}

/// True for 127.0.0.0/8, `[::1]` and `localhost`.
pub(super) fn is_loopback(url: &Url) -> bool {
    url.host_str() == Some("localhost") || literal_ip(url).is_some_and(|ip| ip.is_loopback())
}

/// The one spelling of a calendar's address that is compared with the allow-list, or `None` for an address that no
/// calendar may have: other scheme, user name, other port than the scheme's (loopback excepted), IP literal (loopback
/// excepted), a host spelled otherwise than it is read, characters outside the set that OpenTimestamps allows in
/// pending attestations (OTS 2.2, 2.3).
pub(super) fn normalise_calendar(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._/:-[]".contains(&byte);
    if text.is_empty() || !text.bytes().all(allowed) {
        return None;
    }
    let url = check_http(text, Plaintext::LoopbackOnly).ok()?;
    let host = url.host_str()?;
    let written = authority(text).to_ascii_lowercase();
    let written_host = match written.rfind(']') {
        Some(end) => &written[..=end],
        None => written.split(':').next()?,
    };
    // `2130706433` and `0x7f.1` are read as 127.0.0.1: refuse what is not written as it is read.
    if written_host != host {
        return None;
    }
    if !is_loopback(&url) && (literal_ip(&url).is_some() || url.port().is_some()) {
        return None;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() || host.ends_with('.') || url.path().contains("//") {
        return None;
    }
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    Some(format!("{}://{host}{port}{}", url.scheme(), url.path().trim_end_matches('/')))
}

/// True for addresses of the public internet: no loopback, private, link-local, shared, benchmark, documentation,
/// multicast or reserved range, and no IPv6 form that carries such an IPv4 address.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    // 2000::/3 is all that is allotted to the public; inside it, 6to4 and Teredo carry IPv4 addresses and 2001:db8::/32
    // is documentation. NAT64 (64:ff9b::/96) lies outside and is refused with the rest.
    segments[0] & 0xe000 == 0x2000
        && segments[0] != 0x2002
        && !(segments[0] == 0x2001 && [0, 0xdb8].contains(&segments[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_is_for_loopback_only() {
        for text in ["ws://127.0.0.1:7777", "ws://localhost", "ws://[::1]:1/x", "ws://127.9.9.9", "wss://relay.example"]
        {
            assert!(check_ws(text, Plaintext::LoopbackOnly).is_ok(), "{text}");
        }
        for text in
            ["ws://relay.example", "ws://10.0.0.1", "ws://localhost.evil.example", "ws://127.0.0.1.evil.example"]
        {
            assert!(check_ws(text, Plaintext::LoopbackOnly).is_err(), "{text}");
            assert!(check_ws(text, Plaintext::Allowed).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_plain_address_is_refused() {
        for text in [
            "",
            "relay.example",
            "https://relay.example",
            "wss://",
            "wss:relay.example",
            "wss:///relay.example",
            "wss:///user@relay.example",
            "wss://user@relay.example",
            "wss://user:pass@relay.example",
            "wss://@relay.example",
            "wss://relay.example\\@evil.example",
            "wss://relay.example/a b",
            "wss://relay.\texample",
            " wss://relay.example",
            "file:///etc/passwd",
            "javascript:alert(1)",
        ] {
            assert!(check_ws(text, Plaintext::Allowed).is_err(), "{text}");
        }
        assert!(check_http("ftp://a.example", Plaintext::Allowed).is_err());
        assert!(check_http("https://a.example/x?y=1", Plaintext::LoopbackOnly).is_ok());
    }

    #[test]
    fn one_calendar_has_one_spelling() {
        let wanted = Some("https://alice.btc.calendar.opentimestamps.org".to_owned());
        for text in [
            "https://alice.btc.calendar.opentimestamps.org",
            "https://alice.btc.calendar.opentimestamps.org/",
            "https://ALICE.btc.calendar.opentimestamps.org",
            "https://alice.btc.calendar.opentimestamps.org.",
            "https://alice.btc.calendar.opentimestamps.org:443",
        ] {
            assert_eq!(normalise_calendar(text), wanted, "{text}");
        }
        assert_eq!(normalise_calendar("http://127.0.0.1:8080/"), Some("http://127.0.0.1:8080".to_owned()));
        assert_eq!(normalise_calendar("http://[::1]:80/cal"), Some("http://[::1]/cal".to_owned()));
    }

    #[test]
    fn no_calendar_hides_behind_a_trick() {
        for text in [
            "http://alice.btc.calendar.opentimestamps.org",
            "https://evil.example:80.calendar.opentimestamps.org",
            "https://alice.btc.calendar.opentimestamps.org:8443",
            "https://alice.btc.calendar.opentimestamps.org@evil.example",
            "https://alice.btc.calendar.opentimestamps.org:443@evil.example",
            "https://10.0.0.1",
            "https://169.254.169.254",
            "https://8.8.8.8",
            "https://[2001:4860:4860::8888]",
            "http://2130706433",
            "http://0x7f.1",
            "http://127.1",
            "http://0177.0.0.1",
            "https://alice%2ebtc.calendar.opentimestamps.org",
            "https://alice.btc.calendar.opentimestamps.org?x",
            "https://alice.btc.calendar.opentimestamps.org#x",
            "https://alice.btc.calendar.opentimestamps.org..",
            "https:alice.btc.calendar.opentimestamps.org",
            "https:///alice.btc.calendar.opentimestamps.org",
            "file:///etc/passwd",
            "",
        ] {
            assert_eq!(normalise_calendar(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_public_internet_is_public() {
        for text in ["8.8.8.8", "1.1.1.1", "193.0.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }
}
