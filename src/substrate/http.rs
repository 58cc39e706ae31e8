//! One way to speak HTTP: no redirects, no proxies, a byte cap, time limits, bounded retries.

mod head;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Certificate, Client, RequestBuilder, Response, Url, redirect};
use tokio::time::{Instant, timeout};

use head::{is_framed, links, retry_after};

use super::limits::{CONNECT_MS, HTTP_BULK_TOTAL_MS, HTTP_TOTAL_MS, REASON_CHARS_MAX};
use super::resolve::{NotPublic, PublicOnly};
use super::retry::RetryPolicy;
use super::{SourceError, Stopped};
use crate::domain::{SliceEnd, inert_limited};

/// Time limits and retries of HTTP sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Name look-up, TCP and TLS together, in milliseconds.
    pub connect_ms: u64,
    /// One whole exchange, body included, in milliseconds; time spent on our side does not count.
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
    /// 200 or 201 with the whole body.
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
    /// False when only the end of the connection marked the end of the body: it may as well have been cut off.
    pub(super) framed: bool,
    /// The `Link` headers (RFC 8288), joined.
    pub(super) links: String,
}

/// A body on its way.
pub(super) enum Part<'a> {
    /// An attempt was answered with 200: what an earlier attempt brought is void.
    Begin,
    /// The next bytes.
    Bytes(&'a [u8]),
}

/// Who takes a body, or refuses more of it. Time spent here does not count against the server.
type Taker<'a, E> = dyn FnMut(Part<'_>) -> Result<(), E> + 'a;

/// The client that every HTTP source uses.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: Client,
    total: Duration,
    retry: RetryPolicy,
}

impl Http {
    /// Builds a client; it opens nothing yet.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] when TLS can't be set up on this machine.
    pub(super) fn new(limits: &HttpLimits, reach: Reach) -> Result<Self, SourceError> {
        Self::with_root(limits, reach, None)
    }

    /// The same for a server whose own certificate is trusted, and no other.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn with_root(limits: &HttpLimits, reach: Reach, root: Option<Certificate>) -> Result<Self, SourceError> {
        let resolver = match reach {
            Reach::Named => None,
            Reach::Public => Some(PublicOnly::default()),
        };
        Self::build(limits, resolver, root)
    }

    /// As [`Self::new`], with this way to resolve names.
    #[cfg(test)]
    pub(super) fn resolving(limits: &HttpLimits, resolver: Option<PublicOnly>) -> Result<Self, SourceError> {
        Self::build(limits, resolver, None)
    }

    fn build(
        limits: &HttpLimits,
        resolver: Option<PublicOnly>,
        root: Option<Certificate>,
    ) -> Result<Self, SourceError> {
        let mut builder = Client::builder()
            .user_agent(concat!("reledger/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_millis(limits.connect_ms));
        if let Some(resolver) = resolver {
            builder = builder.dns_resolver(Arc::new(resolver));
        }
        if let Some(root) = root {
            builder = builder.tls_built_in_root_certs(false).add_root_certificate(root);
        }
        let client = builder.build().map_err(|_| SourceError::Misconfigured {
            what: "no TLS client on this machine",
            address: String::new(),
        })?;
        Ok(Self { client, total: Duration::from_millis(limits.total_ms), retry: limits.retry })
    }

    /// GETs at most `bytes_max` bytes.
    pub(super) async fn get(&self, url: &Url, accept: Option<&'static str>, bytes_max: u64) -> Exchange {
        self.whole(|| self.get_request(url, accept), bytes_max).await
    }

    /// The same with these headers.
    pub(super) async fn get_with(&self, url: &Url, headers: &HeaderMap, bytes_max: u64) -> Exchange {
        self.whole(|| self.get_request(url, None).headers(headers.clone()), bytes_max).await
    }

    /// POSTs a JSON text and reads at most `bytes_max` bytes.
    pub(super) async fn post_json(&self, url: &Url, headers: &HeaderMap, body: &str, bytes_max: u64) -> Exchange {
        let build = || {
            let request = self.client.post(url.clone()).headers(headers.clone());
            request.header(CONTENT_TYPE, "application/json").body(body.to_owned())
        };
        self.whole(build, bytes_max).await
    }

    /// POSTs these bytes and reads at most `bytes_max` bytes.
    pub(super) async fn post_bytes(&self, url: &Url, accept: &'static str, body: &[u8], bytes_max: u64) -> Exchange {
        let build = || self.client.post(url.clone()).header(ACCEPT, accept).body(body.to_vec());
        self.whole(build, bytes_max).await
    }

    /// GETs at most `bytes_max` bytes and hands them over as they come; [`HttpOutcome::Body`] is then empty.
    ///
    /// # Errors
    /// [`Stopped`] when the taker says so.
    pub(super) async fn get_stream(
        &self,
        url: &Url,
        bytes_max: u64,
        take: &mut Taker<'_, Stopped>,
    ) -> Result<Exchange, Stopped> {
        self.exchange(|| self.get_request(url, None), bytes_max, take).await
    }

    fn get_request(&self, url: &Url, accept: Option<&'static str>) -> RequestBuilder {
        let request = self.client.get(url.clone());
        match accept {
            Some(accept) => request.header(ACCEPT, accept),
            None => request,
        }
    }

    async fn whole(&self, build: impl Fn() -> RequestBuilder, bytes_max: u64) -> Exchange {
        let mut body = Vec::new();
        let mut take = |part: Part<'_>| {
            match part {
                Part::Begin => body.clear(),
                Part::Bytes(bytes) => body.extend_from_slice(bytes),
            }
            Ok::<(), Infallible>(())
        };
        let exchange = match self.exchange(build, bytes_max, &mut take).await {
            Ok(exchange) => exchange,
            Err(never) => match never {},
        };
        match exchange.outcome {
            HttpOutcome::Body(_) => Exchange { outcome: HttpOutcome::Body(body), ..exchange },
            _ => exchange,
        }
    }

    async fn exchange<E>(
        &self,
        build: impl Fn() -> RequestBuilder,
        bytes_max: u64,
        take: &mut Taker<'_, E>,
    ) -> Result<Exchange, E> {
        let mut retries = 0;
        loop {
            let attempt = self.attempt(build(), bytes_max, take).await?;
            if !attempt.outcome.is_transient() || !self.retry.allows(retries) {
                let Attempt { outcome, framed, links, .. } = attempt;
                return Ok(Exchange { outcome, retries, framed, links });
            }
            tokio::time::sleep(self.retry.delay(retries, attempt.retry_after)).await;
            retries += 1;
        }
    }

    async fn attempt<E>(&self, request: RequestBuilder, bytes_max: u64, take: &mut Taker<'_, E>) -> Result<Attempt, E> {
        let mut wait = Wait { left: self.total };
        let mut response = match wait.for_answer(request.send()).await {
            Ok(response) => response,
            Err(outcome) => return Ok(Attempt::of(outcome)),
        };
        let status = response.status();
        if status.is_redirection() {
            return Ok(Attempt::of(HttpOutcome::Redirected(status.as_u16())));
        }
        // Core Lightning answers every call with 201.
        if !matches!(status.as_u16(), 200 | 201) {
            let text = read_beginning(&mut response, &mut wait).await;
            let retry_after = retry_after(response.headers());
            return Ok(Attempt { retry_after, ..Attempt::of(HttpOutcome::Status(status.as_u16(), text)) });
        }
        let (framed, links) = (is_framed(&response), links(response.headers()));
        if response.content_length().is_some_and(|length| length > bytes_max) {
            return Ok(Attempt::of(HttpOutcome::TooLarge));
        }
        take(Part::Begin)?;
        let mut room = bytes_max;
        loop {
            let chunk = match wait.for_answer(response.chunk()).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(Attempt { framed, links, ..Attempt::of(HttpOutcome::Body(Vec::new())) }),
                Err(outcome) => return Ok(Attempt::of(outcome)),
            };
            let Some(rest) = u64::try_from(chunk.len()).ok().and_then(|length| room.checked_sub(length)) else {
                return Ok(Attempt::of(HttpOutcome::TooLarge));
            };
            room = rest;
            take(Part::Bytes(&chunk))?;
        }
    }
}

struct Attempt {
    outcome: HttpOutcome,
    retry_after: Option<Duration>,
    framed: bool,
    links: String,
}

impl Attempt {
    fn of(outcome: HttpOutcome) -> Self {
        Self { outcome, retry_after: None, framed: false, links: String::new() }
    }
}

/// The time left for one exchange; only waiting for the server is taken off.
struct Wait {
    left: Duration,
}

impl Wait {
    async fn for_answer<T>(
        &mut self,
        answer: impl Future<Output = Result<T, reqwest::Error>>,
    ) -> Result<T, HttpOutcome> {
        let began = Instant::now();
        let result = timeout(self.left, answer).await;
        self.left = self.left.saturating_sub(began.elapsed());
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(HttpOutcome::TimedOut),
        }
    }
}

/// The beginning of an error's text.
async fn read_beginning(response: &mut Response, wait: &mut Wait) -> String {
    let mut body = Vec::new();
    while body.len() < REASON_CHARS_MAX
        && let Ok(Some(chunk)) = wait.for_answer(response.chunk()).await
    {
        let room = REASON_CHARS_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    inert_limited(String::from_utf8_lossy(&body).trim(), REASON_CHARS_MAX)
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
