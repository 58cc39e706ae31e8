//! One short conversation with a relay: gives it one event, or asks it for some. Every wait and every count is bounded.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::super::SourceError;
use super::super::address::{Plaintext, check_ws};
use super::super::http::{Http, HttpLimits, Reach};
use super::super::limits::{AUTH_ANSWERS_MAX, CONNECT_MS, NIP11_MS_MAX, REASON_CHARS_MAX};
use super::super::retry::RetryPolicy;
use super::auth::answer;
use super::author::{NostrPen, SignedEvent};
use super::frame::Frame;
use super::information_of;
use super::session::{PageFailure, Received, Session};
use crate::domain::inert_limited;

/// Messages of one such conversation: notices, challenges, pings, and the answer.
const MESSAGES_MAX: u32 = 1_000;
/// Bytes of one such conversation.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Events of one answer: a reader wants the newest of an author's reports.
const EVENTS_MAX: usize = 200;
/// The only subscription.
const SUBSCRIPTION: &str = "reledger";

/// What became of one event at one relay. Words are inert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// The relay took it, or has it already.
    Accepted(String),
    /// It did not, and said why.
    Refused(String),
    /// It said neither, or could not be spoken to.
    Unheard(String),
}

/// What a relay gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Events, of which nothing is verified.
    pub events: Vec<Vec<u8>>,
    /// Why the answer did not come to its end, in inert words.
    pub fault: Option<String>,
}

/// Gives the event to all relays at once, each with its own patience; the answers stand in their order. Who wants to know
/// who asks (NIP-42) is told by the same key.
///
/// # Errors
/// [`SourceError::Misconfigured`] for an address that may not be contacted: then nobody is.
pub fn post_event(
    relays: &[String],
    event: &SignedEvent,
    pen: &NostrPen,
    wait_ms: u64,
    handle: &Handle,
) -> Result<Vec<Posted>, SourceError> {
    let urls = relays.iter().map(|relay| check_ws(relay, Plaintext::LoopbackOnly));
    let urls: Vec<Url> = urls.collect::<Result<_, _>>()?;
    let http = hints(wait_ms)?;
    let posts = relays.iter().zip(&urls).map(|(relay, url)| {
        let talk = Talk { relay, pen: Some(pen), left: Duration::from_millis(wait_ms), bytes: 0, messages: 0 };
        talk.post(url, &http, event)
    });
    Ok(handle.block_on(join_all(posts)))
}

/// Asks a relay for what that filter admits.
///
/// # Errors
/// [`SourceError::Misconfigured`] for an address that may not be contacted.
pub fn look_for(relay: &str, filter: &Value, wait_ms: u64, handle: &Handle) -> Result<Looked, SourceError> {
    let url = check_ws(relay, Plaintext::LoopbackOnly)?;
    let talk = Talk { relay, pen: None, left: Duration::from_millis(wait_ms), bytes: 0, messages: 0 };
    Ok(handle.block_on(talk.look(&url, filter)))
}

fn hints(wait_ms: u64) -> Result<Http, SourceError> {
    let hint_ms = wait_ms.min(NIP11_MS_MAX);
    let retry = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
    Http::new(&HttpLimits { connect_ms: hint_ms.min(CONNECT_MS), total_ms: hint_ms, retry }, Reach::Named)
}

fn words(text: &str) -> String {
    inert_limited(text, REASON_CHARS_MAX)
}

struct Talk<'a> {
    relay: &'a str,
    pen: Option<&'a NostrPen>,
    /// What is left of our patience.
    left: Duration,
    bytes: usize,
    messages: u32,
}

impl Talk<'_> {
    async fn post(mut self, url: &Url, http: &Http, event: &SignedEvent) -> Posted {
        let message = format!("[\"EVENT\",{}]", event.json);
        let limit = information_of(http, url).await.message_bytes();
        if limit.is_some_and(|limit| u64::try_from(message.len()).unwrap_or(u64::MAX) > limit) {
            let size = message.len();
            return Posted::Refused(format!("not sent: {size} bytes are more than it says it takes"));
        }
        let mut session = match Session::open(url, self.left).await {
            Ok(session) => session,
            Err(failure) => return Posted::Unheard(words(&failure.to_string())),
        };
        let mut said = String::new();
        let posted = match self.give(&mut session, &message, event, &mut said).await {
            Ok(posted) => posted,
            Err(failure) if said.is_empty() => Posted::Unheard(words(&failure.to_string())),
            Err(failure) => Posted::Unheard(words(&format!("{failure}; it said: {said}"))),
        };
        session.close(self.left.min(Duration::from_secs(1))).await;
        posted
    }

    /// Sends the event and waits for the word on it; what is said in passing goes to `said`.
    async fn give(
        &mut self,
        session: &mut Session,
        message: &str,
        event: &SignedEvent,
        said: &mut String,
    ) -> Result<Posted, PageFailure> {
        session.send(message.to_owned(), self.left).await?;
        let (mut challenge, mut answered, mut refusal) = (None, 0, None);
        loop {
            let text = self.hear(session).await?;
            match Frame::read(&text) {
                Frame::Ok { id, accepted, reason } if id == event.id.to_string() => {
                    if accepted {
                        return Ok(Posted::Accepted(words(&reason)));
                    }
                    if !reason.trim_start().to_ascii_lowercase().starts_with("auth-required") {
                        return Ok(Posted::Refused(words(&reason)));
                    }
                    refusal = Some(words(&reason));
                }
                Frame::Auth(words) => challenge = Some(words.into_owned()),
                Frame::Notice(notice) => *said = words(&notice),
                _ => {}
            }
            let Some(refused) = &refusal else { continue };
            if answered == AUTH_ANSWERS_MAX {
                return Ok(Posted::Refused(refused.clone()));
            }
            // The challenge may come before the refusal or after it.
            if let Some(text) = challenge.take().zip(self.pen).and_then(|(words, pen)| answer(pen, self.relay, &words))
            {
                answered += 1;
                refusal = None;
                session.send(text, self.left).await?;
                session.send(message.to_owned(), self.left).await?;
            } else if answered > 0 {
                return Ok(Posted::Refused(refused.clone()));
            }
        }
    }

    async fn look(mut self, url: &Url, filter: &Value) -> Looked {
        let mut looked = Looked { events: Vec::new(), fault: None };
        let mut session = match Session::open(url, self.left).await {
            Ok(session) => session,
            Err(failure) => return Looked { fault: Some(words(&failure.to_string())), ..looked },
        };
        looked.fault =
            self.ask(&mut session, filter, &mut looked.events).await.err().map(|why| words(&why.to_string()));
        session.close(self.left.min(Duration::from_secs(1))).await;
        looked
    }

    async fn ask(
        &mut self,
        session: &mut Session,
        filter: &Value,
        events: &mut Vec<Vec<u8>>,
    ) -> Result<(), PageFailure> {
        session.send(json!(["REQ", SUBSCRIPTION, filter]).to_string(), self.left).await?;
        loop {
            let text = match self.hear(session).await {
                Err(PageFailure::TimedOut { .. }) => {
                    let events = u64::try_from(events.len()).unwrap_or(u64::MAX);
                    return Err(PageFailure::TimedOut { events });
                }
                heard => heard?,
            };
            match Frame::read(&text) {
                Frame::Event { subscription, event } if subscription == SUBSCRIPTION => {
                    if events.len() >= EVENTS_MAX {
                        return Err(PageFailure::Budget("events"));
                    }
                    events.push(event.as_bytes().to_vec());
                }
                Frame::Eose { subscription, .. } if subscription == SUBSCRIPTION => return Ok(()),
                Frame::Closed { subscription, reason } if subscription == SUBSCRIPTION => {
                    return Err(PageFailure::Closed(reason.into_owned()));
                }
                _ => {}
            }
        }
    }

    /// The next text message.
    async fn hear(&mut self, session: &mut Session) -> Result<Utf8Bytes, PageFailure> {
        loop {
            let idle = self.left;
            let received = session.receive(idle, &mut self.left).await?;
            self.messages += 1;
            let (bytes, text) = match received {
                Received::Text(text) => (text.len(), Some(text)),
                Received::Other { bytes, .. } => (bytes, None),
                Received::Echo => (0, None),
            };
            self.bytes = self.bytes.saturating_add(bytes);
            if self.bytes > BYTES_MAX || self.messages > MESSAGES_MAX {
                return Err(PageFailure::Budget("bytes or messages"));
            }
            if let Some(text) = text {
                return Ok(text);
            }
        }
    }
}
