//! The running conversation with one relay: budgets, what belongs to no open question, what is said in passing.

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::super::limits::{AUTH_ANSWERS_MAX, AUTH_QUIET_MAX, CHATTER_QUIET_MAX, ECHO_MS_MAX};
use super::super::{Captured, Sink, Stopped};
use super::RelayBudget;
use super::auth::Auth;
use super::frame::{Frame, Header};
use super::question::{Narrow, Question};
use super::session::{PageFailure, Received, Session};
use super::tally::Tally;
use crate::domain::{Media, RawEvidence, Sign, SourceId};

/// The question before the current one: its answer may still be under way.
#[derive(Debug, Clone)]
struct Previous {
    subscription: String,
    question: Question,
    answer: Heard,
}

/// How far the answer to a question came.
#[derive(Debug, Clone, Copy)]
pub(super) enum Heard {
    /// It broke off: more of it may come and is welcome.
    Open,
    /// EOSE came, after a page whose newest event was of this second.
    Ended { newest: Option<i64> },
}

/// The running conversation with one relay.
pub(super) struct Talk<'a> {
    pub(super) source: &'a SourceId,
    pub(super) sink: &'a mut dyn Sink,
    pub(super) budget: RelayBudget,
    auth: Option<&'a Auth>,
    events: u64,
    bytes: u64,
    pages: u64,
    waited: Duration,
    /// Challenges on the connection in use.
    challenges: u64,
    /// Those of them that were answered.
    answered: u64,
    /// A challenge to answer.
    challenge: Option<String>,
    /// Messages of the current page that answer no question.
    chatter: u64,
    previous: Option<Previous>,
}

impl<'a> Talk<'a> {
    pub(super) fn new(
        source: &'a SourceId,
        sink: &'a mut dyn Sink,
        budget: RelayBudget,
        auth: Option<&'a Auth>,
    ) -> Self {
        Self {
            source,
            sink,
            budget,
            auth,
            events: 0,
            bytes: 0,
            pages: 0,
            waited: Duration::ZERO,
            challenges: 0,
            answered: 0,
            challenge: None,
            chatter: 0,
            previous: None,
        }
    }

    pub(super) fn idle(&self) -> Duration {
        Duration::from_millis(self.budget.idle_ms)
    }

    pub(super) fn whole_page(&self) -> Duration {
        Duration::from_millis(self.budget.total_ms)
    }

    /// A new connection begins: its challenges count anew.
    pub(super) fn begin_connection(&mut self) {
        (self.challenges, self.answered, self.challenge) = (0, 0, None);
    }

    /// A new kind begins: what still comes for the one before is no business of its tally.
    pub(super) fn begin_kind(&mut self) {
        self.previous = None;
    }

    /// True when a challenge of this connection was answered.
    pub(super) fn has_authenticated(&self) -> bool {
        self.answered > 0
    }

    /// Begins one more question: pays for it and names it. A fresh name per question, so that a late answer can't be
    /// taken for the current one.
    pub(super) fn begin(&mut self) -> Result<String, PageFailure> {
        if self.sink.cancelled() {
            return Err(PageFailure::Cancelled);
        }
        if self.pages >= self.budget.pages {
            return Err(PageFailure::Budget("pages"));
        }
        // Between questions only: one of them waits no longer than its own bound.
        if self.waited >= Duration::from_millis(self.budget.fetch_ms) {
            return Err(PageFailure::Budget("time"));
        }
        self.pages += 1;
        self.chatter = 0;
        Ok(format!("r{}", self.pages))
    }

    /// The question is over, in whatever way.
    pub(super) fn end(&mut self, subscription: String, question: Question, answer: Heard) {
        self.previous = Some(Previous { subscription, question, answer });
    }

    /// Says that an answer is no longer awaited.
    pub(super) async fn close(&self, session: &mut Session, verb: &str, subscription: &str) {
        if session.send(json!([verb, subscription]).to_string(), self.idle()).await.is_err() {
            // The next question will find the connection broken and say so.
            tracing::debug!(source = %self.source, "the relay left while a subscription was closed");
        }
    }

    /// Waits for the next text message and pays for it; everything else is counted on the way.
    pub(super) async fn hear(
        &mut self,
        session: &mut Session,
        left: &mut Duration,
        tally: &mut Tally,
    ) -> Result<Utf8Bytes, PageFailure> {
        loop {
            if let Some(text) = self.challenge.take().zip(self.auth).and_then(|(words, auth)| auth.answer(&words)) {
                self.answered += 1;
                session.send(text, self.idle()).await?;
            }
            let before = *left;
            let received = session.receive(self.idle(), left).await;
            self.waited = self.waited.saturating_add(before.saturating_sub(*left));
            match received {
                Ok(Received::Text(text)) => {
                    self.spend_bytes(text.len())?;
                    return Ok(text);
                }
                Ok(received) => self.spend_other(&received, tally)?,
                Err(failure) => {
                    if let Some(offence) = failure.offence() {
                        tally.note(offence);
                    }
                    return Err(failure);
                }
            }
        }
    }

    fn spend_other(&mut self, received: &Received, tally: &mut Tally) -> Result<(), PageFailure> {
        if let Received::Other { bytes, binary } = received {
            if *binary {
                tally.note(Sign::Malformed);
                tally.unread += 1;
            } else {
                self.chatters(tally);
            }
            self.spend_bytes(*bytes)?;
        }
        Ok(())
    }

    /// One more message that answers no question: a few are idle talk, many are a flood.
    fn chatters(&mut self, tally: &mut Tally) {
        self.chatter += 1;
        if self.chatter > CHATTER_QUIET_MAX {
            tally.note(Sign::Flood);
        }
    }

    fn spend_bytes(&mut self, bytes: usize) -> Result<(), PageFailure> {
        // An empty message costs something too, or a flood of them would be free.
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(2);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.budget.bytes { Err(PageFailure::Budget("bytes")) } else { Ok(()) }
    }

    fn spend_event(&mut self) -> Result<(), PageFailure> {
        self.events += 1;
        if self.events > self.budget.events { Err(PageFailure::Budget("events")) } else { Ok(()) }
    }

    /// Deals with a message that is not part of the current answer; gives back one that is, or a notice, which may be
    /// an answer too.
    pub(super) fn sort_out<'t>(
        &mut self,
        text: &'t str,
        current: &str,
        tally: &mut Tally,
    ) -> Result<Result<Option<Frame<'t>>, PageFailure>, Stopped> {
        let frame = Frame::read(text);
        match &frame {
            Frame::Event { subscription, event } => {
                if let Err(failure) = self.spend_event() {
                    return Ok(Err(failure));
                }
                if subscription == current {
                    return Ok(Ok(Some(frame)));
                }
                self.take_late(subscription, event, tally)?;
            }
            Frame::Eose { subscription, .. }
            | Frame::Closed { subscription, .. }
            | Frame::Count { subscription, .. }
            | Frame::NegMessage { subscription, .. }
            | Frame::NegError { subscription, .. }
                if subscription == current =>
            {
                return Ok(Ok(Some(frame)));
            }
            Frame::Notice(_) => {
                self.chatters(tally);
                return Ok(Ok(Some(frame)));
            }
            Frame::Auth(challenge) => self.challenged(challenge, tally),
            Frame::Malformed => {
                tally.note(Sign::Malformed);
                tally.unread += 1;
            }
            // The end of an earlier question, or messages that nobody asked for.
            _ => self.chatters(tally),
        }
        Ok(Ok(None))
    }

    fn challenged(&mut self, challenge: &str, tally: &mut Tally) {
        self.challenges += 1;
        if self.challenges > AUTH_QUIET_MAX {
            tally.note(Sign::AuthFlood);
        }
        if self.auth.is_some() && self.answered < AUTH_ANSWERS_MAX {
            self.challenge = Some(challenge.to_owned());
        }
    }

    /// An event for a question that is no longer open.
    fn take_late(&mut self, subscription: &str, event: &str, tally: &mut Tally) -> Result<(), Stopped> {
        let Some(previous) = self.previous.as_ref().filter(|previous| previous.subscription == subscription) else {
            if self.was_ours(subscription) {
                // Closed longer ago: it crossed our CLOSE on the way.
                tally.misbehaved += 1;
            } else {
                tally.stray(Sign::WrongSubscription);
            }
            return Ok(());
        };
        let Some(header) = Header::read(event).filter(|header| previous.question.admits(header)) else {
            tally.stray(Sign::WrongFilter);
            return Ok(());
        };
        if previous.question.narrow == Narrow::Measure || !tally.admit_late(&header, event) {
            return Ok(());
        }
        if let Heard::Ended { newest } = previous.answer {
            // Published this moment is possible only above everything stored, in a window that is open upwards.
            let stored = newest.is_none_or(|newest| header.created_at <= newest);
            tally.contradicted |= stored || previous.question.span.until.is_some();
        }
        self.accept(event, header.kind, tally.page(), 0)
    }

    /// True for the name of a question that was asked.
    fn was_ours(&self, subscription: &str) -> bool {
        let number = subscription.strip_prefix('r').and_then(|number| number.parse::<u64>().ok());
        number.is_some_and(|number| (1..=self.pages).contains(&number))
    }

    pub(super) fn accept(&mut self, event: &str, kind: u64, page: u32, frame: u64) -> Result<(), Stopped> {
        self.sink.accept(Captured {
            evidence: RawEvidence { media: Media::NostrEvent, about: String::new(), bytes: event.as_bytes().to_vec() }
                .into(),
            source: self.source.clone(),
            place: format!("kind {kind} page {page}"),
            offset: frame,
        })
    }

    /// Waits for the echo of a ping, so that whatever the relay still sends for the last question is heard now.
    pub(super) async fn hear_out(&mut self, session: &mut Session, tally: &mut Tally) -> Result<(), Stopped> {
        let wait = self.idle().min(Duration::from_millis(ECHO_MS_MAX));
        if session.ping(wait).await.is_err() {
            return Ok(());
        }
        let mut left = wait;
        loop {
            let text = match session.receive(wait, &mut left).await {
                Ok(Received::Text(text)) => text,
                Ok(Received::Echo) | Err(_) => return Ok(()),
                Ok(received) => match self.spend_other(&received, tally) {
                    Ok(()) => continue,
                    Err(_) => return Ok(()),
                },
            };
            if self.spend_bytes(text.len()).is_err() || self.sort_out(&text, "", tally)?.is_err() {
                return Ok(());
            }
        }
    }
}
