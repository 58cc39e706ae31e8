//! What the head of an answer says.

use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, HeaderMap, LINK, RETRY_AFTER, TRANSFER_ENCODING};
use reqwest::{Response, Version};

/// HTTP/1 marks the end of a body by a length or by chunks; HTTP/2 always does.
pub(super) fn is_framed(response: &Response) -> bool {
    response.version() >= Version::HTTP_2
        || response.headers().contains_key(CONTENT_LENGTH)
        || response.headers().contains_key(TRANSFER_ENCODING)
}

/// The `Link` headers (RFC 8288), joined.
pub(super) fn links(headers: &HeaderMap) -> String {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
}

/// Only the form in seconds: a date would need a clock.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
