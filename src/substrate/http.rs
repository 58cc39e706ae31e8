//! One way to speak HTTP: no redirects, no proxies, a byte cap, time limits, bounded retries.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, Url, redirect};

use super::SourceError;
use super::address::is_public;
use super::limits::{CONNECT_MS, HTTP_BULK_TOTAL_MS, HTTP_TOTAL_MS, REASON_CHARS_MAX};
use super::retry::RetryPolicy;
use crate::domain::{SliceEnd, inert_limited};

/// Time limits and retries of HTTP sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Name look-up, TCP and TLS together, in milliseconds.
    pub connect_ms: u64,
    /// One whole exchange, body included, in milliseconds.
    pub total_ms: u64,
    /// What happens after a transient failure.
    pub retry: RetryPolicy,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self { connect_ms: CONNECT_MS, total_ms: HTTP_TOTAL_MS, retry: RetryPolicy::default() }
    }
}

impl HttpLimits {
    /// Limits for bulk documents: the same patience to connect, ten minutes for the body.
    pub fn bulk() -> Self {
        Self { total_ms: HTTP_BULK_TOTAL_MS, ..Self::default() }
    }
}

/// Which network addresses a name may resolve to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Any: a person named this host in the config.
    Named,
    /// The public internet only: the host came to us through an allow-list (THREATS 5.3, SSRF).
    Public,
}

/// How one HTTP exchange ended, after retries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HttpOutcome {
    /// 200 with the whole body.
    Body(Vec<u8>),
    /// Any other status; the beginning of its text, inert.
    Status(u16, String),
    /// A redirect, not followed.
    Redirected(u16),
    /// The body is longer than the cap.
    TooLarge,
    /// A time limit of ours.
    TimedOut,
    /// No connection.
    Unreachable,
    /// The name resolves to an address that must not be contacted.
    Blocked,
    /// The connection broke inside the answer.
    CutOff,
}

impl HttpOutcome {
    fn is_transient(&self) -> bool {
        match self {
            Self::Status(status, _) => matches!(status, 429 | 502 | 503 | 504),
            Self::TimedOut | Self::Unreachable | Self::CutOff => true,
            Self::Body(_) | Self::Redirected(_) | Self::TooLarge | Self::Blocked => false,
        }
    }

    /// How a slice that ended like this ended.
    pub(super) fn slice_end(&self) -> SliceEnd {
        match self {
            Self::Body(_) => SliceEnd::Ended,
            Self::Status(..) | Self::Redirected(_) | Self::Blocked => SliceEnd::Refused,
            Self::TooLarge => SliceEnd::BudgetTripped,
            Self::TimedOut => SliceEnd::TimedOut,
            Self::Unreachable | Self::CutOff => SliceEnd::Unreachable,
        }
    }
}

impl fmt::Display for HttpOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(_) => Ok(()),
            Self::Status(status, text) if text.is_empty() => write!(f, "HTTP status {status}"),
            Self::Status(status, text) => write!(f, "HTTP status {status}: {text}"),
            Self::Redirected(status) => write!(f, "redirect refused (HTTP status {status})"),
            Self::TooLarge => f.write_str("answer above the byte limit"),
            Self::TimedOut => f.write_str("no complete answer in time"),
            Self::Unreachable => f.write_str("no connection"),
            Self::Blocked => f.write_str("the name resolves to an address outside the public internet"),
            Self::CutOff => f.write_str("the answer was cut off"),
        }
    }
}

/// An outcome and what it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) outcome: HttpOutcome,
    pub(super) retries: u32,
}

/// The client that every HTTP source uses.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: Client,
    retry: RetryPolicy,
}

impl Http {
    /// Builds a client; it opens nothing yet.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] when TLS can't be set up on this machine.
    pub(super) fn new(limits: &HttpLimits, reach: Reach) -> Result<Self, SourceError> {
        let mut builder = Client::builder()
            .user_agent(concat!("reledger/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_millis(limits.connect_ms))
            .timeout(Duration::from_millis(limits.total_ms));
        if reach == Reach::Public {
            builder = builder.dns_resolver(Arc::new(PublicOnly));
        }
        let client = builder.build().map_err(|_| SourceError::Misconfigured {
            what: "no TLS client on this machine",
            address: String::new(),
        })?;
        Ok(Self { client, retry: limits.retry })
    }

    /// GETs at most `bytes_max` bytes.
    pub(super) async fn get(&self, url: &Url, accept: Option<&'static str>, bytes_max: usize) -> Exchange {
        let build = || {
            let request = self.client.get(url.clone());
            match accept {
                Some(accept) => request.header(reqwest::header::ACCEPT, accept),
                None => request,
            }
        };
        self.exchange(build, bytes_max).await
    }

    /// POSTs a JSON text and reads at most `bytes_max` bytes.
    pub(super) async fn post_json(&self, url: &Url, headers: &HeaderMap, body: &str, bytes_max: usize) -> Exchange {
        let build = || {
            self.client
                .post(url.clone())
                .headers(headers.clone())
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(body.to_owned())
        };
        self.exchange(build, bytes_max).await
    }

    async fn exchange(&self, build: impl Fn() -> RequestBuilder, bytes_max: usize) -> Exchange {
        let mut retries = 0;
        loop {
            let (outcome, retry_after) = once(build(), bytes_max).await;
            if !outcome.is_transient() || !self.retry.allows(retries) {
                return Exchange { outcome, retries };
            }
            tokio::time::sleep(self.retry.delay(retries, retry_after)).await;
            retries += 1;
        }
    }
}

async fn once(request: RequestBuilder, bytes_max: usize) -> (HttpOutcome, Option<Duration>) {
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => return (failure(&error), None),
    };
    let status = response.status();
    if status.is_redirection() {
        return (HttpOutcome::Redirected(status.as_u16()), None);
    }
    if status.as_u16() != 200 {
        let retry_after = retry_after(response.headers());
        let text = match read_body(&mut response, REASON_CHARS_MAX, Overflow::Cut).await {
            Ok(bytes) => status_text(&bytes),
            Err(_) => String::new(),
        };
        return (HttpOutcome::Status(status.as_u16(), text), retry_after);
    }
    match read_body(&mut response, bytes_max, Overflow::Refuse).await {
        Ok(bytes) => (HttpOutcome::Body(bytes), None),
        Err(outcome) => (outcome, None),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Refuse,
    Cut,
}

async fn read_body(response: &mut Response, bytes_max: usize, overflow: Overflow) -> Result<Vec<u8>, HttpOutcome> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if overflow == Overflow::Refuse && announced.is_some_and(|length| length > bytes_max) {
        return Err(HttpOutcome::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        let room = bytes_max - body.len();
        if chunk.len() > room {
            if overflow == Overflow::Refuse {
                return Err(HttpOutcome::TooLarge);
            }
            body.extend_from_slice(&chunk[..room]);
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn status_text(bytes: &[u8]) -> String {
    inert_limited(String::from_utf8_lossy(bytes).trim(), REASON_CHARS_MAX)
}

/// Only the form in seconds: a date would need a clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn failure(error: &reqwest::Error) -> HttpOutcome {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(link) = cause {
        if link.is::<NotPublic>() {
            return HttpOutcome::Blocked;
        }
        cause = link.source();
    }
    if error.is_timeout() {
        HttpOutcome::TimedOut
    } else if error.is_connect() {
        HttpOutcome::Unreachable
    } else {
        HttpOutcome::CutOff
    }
}

/// A name that resolves to nothing but private addresses.
#[derive(Debug, thiserror::Error)]
#[error("resolves outside the public internet")]
struct NotPublic;

/// Resolves, then lets only public addresses through to the connector: what was checked is what is contacted.
/// Addresses written as numbers do not pass here; `address.rs` judges them.
#[derive(Debug)]
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            if name.as_str() == "localhost" {
                let loopback = [SocketAddr::from(([127, 0, 0, 1], 0)), SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0))];
                return Ok(Box::new(loopback.into_iter()) as Addrs);
            }
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One private address among public ones is as suspicious as only private ones.
            if found.iter().any(|address| !is_public(address.ip())) {
                return Err(NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The address of one route under a configured base, whose own path is kept.
pub(super) fn endpoint(base: &Url, route: &str, query: Option<&str>) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{route}", base.path().trim_end_matches('/')));
    url.set_query(query);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_stands_under_its_base() {
        let base = Url::parse("http://127.0.0.1:8332/core/").unwrap();
        assert_eq!(
            endpoint(&base, "/rest/headers/ab.bin", Some("count=5")).as_str(),
            "http://127.0.0.1:8332/core/rest/headers/ab.bin?count=5"
        );
        let bare = Url::parse("https://alice.example").unwrap();
        assert_eq!(endpoint(&bare, "/timestamp/00", None).as_str(), "https://alice.example/timestamp/00");
    }
}
