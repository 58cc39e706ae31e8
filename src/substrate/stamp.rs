//! OpenTimestamps calendars: submits a digest to be stamped (OTS 2.3). Called for one command only.

use bitcoin::secp256k1::rand::{self, RngCore as _};
use futures_util::future::join_all;
use reqwest::Url;
use tokio::runtime::Handle;

use super::SourceError;
use super::address::normalise_calendar;
use super::http::{Http, HttpLimits, HttpOutcome, Reach, endpoint};
use super::limits::REASON_CHARS_MAX;
use super::retry::RetryPolicy;
use crate::domain::{Digest32, inert_limited};
use crate::evidence::limits::CALENDAR_REPLY_BYTES_MAX;

const ACCEPT: &str = "application/vnd.opentimestamps.v1";
/// One exchange in all: the reference client gives up after five seconds.
const SUBMIT_MS: u64 = 10_000;
/// A calendar that takes a digest twice makes two commitments of it: it is asked twice at most.
const ATTEMPTS: u32 = 2;

/// What one calendar answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The address as configured.
    pub calendar: String,
    /// What it gave, which nobody has looked at; or why there is nothing, in inert words.
    pub answer: Result<Vec<u8>, String>,
}

/// Sixteen bytes that nobody can guess: with them hashed in, a calendar does not learn what is stamped.
pub fn stamp_nonce() -> [u8; 16] {
    let mut nonce = [0; 16];
    rand::thread_rng().fill_bytes(&mut nonce);
    nonce
}

/// Submits the digest to all calendars at once; the answers stand in their order.
///
/// # Errors
/// [`SourceError::Misconfigured`] for an address that no calendar may have: then nobody is asked.
pub fn submit_digest(digest: &Digest32, calendars: &[String], handle: &Handle) -> Result<Vec<Submission>, SourceError> {
    let bad =
        |address: &String| SourceError::Misconfigured { what: "not a calendar's address", address: address.clone() };
    let base = |address: &String| {
        let base = normalise_calendar(address).and_then(|base| Url::parse(&base).ok());
        base.ok_or_else(|| bad(address))
    };
    let bases: Vec<Url> = calendars.iter().map(base).collect::<Result<_, _>>()?;
    let retry = RetryPolicy { attempts: ATTEMPTS, ..RetryPolicy::default() };
    let http = Http::new(&HttpLimits { total_ms: SUBMIT_MS, retry, ..HttpLimits::default() }, Reach::Public)?;
    let asked = bases.iter().map(|base| submit(&http, base, digest));
    let answers = handle.block_on(join_all(asked));
    let submissions = calendars.iter().zip(answers);
    Ok(submissions.map(|(calendar, answer)| Submission { calendar: calendar.clone(), answer }).collect())
}

async fn submit(http: &Http, base: &Url, digest: &Digest32) -> Result<Vec<u8>, String> {
    // A constant far below 2^64.
    let limit = CALENDAR_REPLY_BYTES_MAX as u64;
    let exchange = http.post_bytes(&endpoint(base, "/digest", None), ACCEPT, digest.as_bytes(), limit).await;
    match exchange.outcome {
        HttpOutcome::Body(reply) => Ok(reply),
        outcome => Err(inert_limited(&outcome.to_string(), REASON_CHARS_MAX)),
    }
}
