//! One look at an HTTP address: does it answer, what does it say, what time does it have. Nothing is captured.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::header::{ACCEPT, DATE, HeaderMap};
use reqwest::{Certificate, Client, Response, Url, redirect};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::SourceError;
use super::address::{Plaintext, check_http, check_ws};
use super::limits::{CONNECT_MS, REASON_CHARS_MAX};
use crate::domain::{UnixSeconds, inert_limited};

/// One whole look, in milliseconds.
const LOOK_MS: u64 = 15_000;
/// Months as RFC 9110 writes them.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbePlan {
    /// `https://`, or the `wss://` address of a relay, whose information document (NIP-11) is asked for; plaintext on
    /// loopback.
    pub url: String,
    /// Most bytes of the body that are read; 0 reads none.
    pub bytes_max: usize,
    /// Accept plaintext outside loopback.
    pub allow_plaintext: bool,
    /// The server's own certificate authority (PEM): it is trusted, and no other.
    pub certificate: Option<Vec<u8>>,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// The HTTP status, or why there is none, in words.
    pub status: Result<u16, String>,
    /// The body, as far as it was asked for; empty when it is longer.
    pub body: Vec<u8>,
    /// The server's own time (`Date`, RFC 9110 section 6.6.1).
    pub date: Option<UnixSeconds>,
}

/// Looks at all addresses at once; the answers stand in the order of the plans. No redirect is followed, nothing is asked
/// twice, and no proxy is used.
///
/// # Errors
/// [`SourceError::Misconfigured`] for an address that may not be contacted, or a certificate that is none: then nobody is.
pub fn probe_all(handle: &Handle, plans: &[ProbePlan]) -> Result<Vec<Probed>, SourceError> {
    let usual = client(None)?;
    let mut looks = Vec::with_capacity(plans.len());
    for plan in plans {
        let (url, accept) = target(plan)?;
        let client = if plan.certificate.is_some() { client(plan.certificate.as_deref())? } else { usual.clone() };
        looks.push(async move {
            let look = look(&client, url, accept, plan.bytes_max);
            let late = Probed { status: Err("no answer in time".to_owned()), body: Vec::new(), date: None };
            timeout(Duration::from_millis(LOOK_MS), look).await.unwrap_or(late)
        });
    }
    Ok(handle.block_on(join_all(looks)))
}

fn client(certificate: Option<&[u8]>) -> Result<Client, SourceError> {
    let bad = |what| SourceError::Misconfigured { what, address: String::new() };
    let mut builder = Client::builder()
        .user_agent(concat!("reledger/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_millis(CONNECT_MS));
    if let Some(pem) = certificate {
        let root = Certificate::from_pem(pem).map_err(|_| bad("no PEM certificate"))?;
        builder = builder.tls_built_in_root_certs(false).add_root_certificate(root);
    }
    builder.build().map_err(|_| bad("no TLS client on this machine"))
}

fn target(plan: &ProbePlan) -> Result<(Url, &'static str), SourceError> {
    let plaintext = Plaintext::from(plan.allow_plaintext);
    if !plan.url.starts_with("ws") {
        return Ok((check_http(&plan.url, plaintext)?, "*/*"));
    }
    let mut url = check_ws(&plan.url, plaintext)?;
    let scheme = if url.scheme() == "wss" { "https" } else { "http" };
    url.set_scheme(scheme)
        .map_err(|()| SourceError::Misconfigured { what: "not a relay's address", address: plan.url.clone() })?;
    Ok((url, "application/nostr+json"))
}

async fn look(client: &Client, url: Url, accept: &'static str, bytes_max: usize) -> Probed {
    let mut response = match client.get(url).header(ACCEPT, accept).send().await {
        Ok(response) => response,
        Err(error) => {
            let why = if error.is_connect() { "no connection" } else { "the answer was cut off" };
            return Probed { status: Err(why.to_owned()), body: Vec::new(), date: None };
        }
    };
    let (status, date) = (response.status().as_u16(), date(response.headers()));
    let body = if bytes_max > 0 { whole(&mut response, bytes_max).await } else { Vec::new() };
    Probed { status: Ok(status), body, date }
}

/// The body; nothing when it is too long or cut off: half a document is none.
async fn whole(response: &mut Response, bytes_max: usize) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) <= bytes_max => body.extend_from_slice(&chunk),
            Ok(None) => return body,
            Ok(Some(_)) | Err(_) => return Vec::new(),
        }
    }
}

fn date(headers: &HeaderMap) -> Option<UnixSeconds> {
    imf_fixdate(headers.get(DATE)?.to_str().ok()?)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that servers may send (RFC 9110 section 5.6.7).
fn imf_fixdate(text: &str) -> Option<UnixSeconds> {
    let (_, rest) = text.split_once(", ")?;
    let parts: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, time, "GMT"] = parts[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    format!("{year}-{month:02}-{day}T{time}Z").parse().ok()
}

impl Probed {
    /// Why there is no document, in words; `None` for a status of 200.
    pub fn refusal(&self) -> Option<String> {
        match &self.status {
            Ok(200) => None,
            Ok(status) => Some(format!("HTTP status {status}")),
            Err(why) => Some(inert_limited(why, REASON_CHARS_MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_the_standard_is_read_and_other_texts_are_none() {
        // RFC 9110, section 5.6.7.
        assert_eq!(imf_fixdate("Sun, 06 Nov 1994 08:49:37 GMT"), Some(UnixSeconds(784_111_777)));
        for text in [
            "",
            "Sun, 06 Nov 1994 08:49:37",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
        ] {
            assert_eq!(imf_fixdate(text), None, "{text}");
        }
    }

    #[test]
    fn a_relay_is_asked_for_its_document_over_http_and_plaintext_beyond_loopback_is_refused() {
        let plan =
            |url: &str| ProbePlan { url: url.to_owned(), bytes_max: 1, allow_plaintext: false, certificate: None };
        let (url, accept) = target(&plan("wss://relay.example/nostr")).unwrap();
        assert_eq!((url.as_str(), accept), ("https://relay.example/nostr", "application/nostr+json"));
        assert_eq!(target(&plan("ws://127.0.0.1:7777")).unwrap().0.as_str(), "http://127.0.0.1:7777/");
        assert!(target(&plan("ws://relay.example")).is_err());
        assert!(target(&plan("http://gateway.example")).is_err());
    }
}
