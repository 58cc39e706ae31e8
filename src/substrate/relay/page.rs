//! One question, one answer: reads a page to its end and checks every frame against what was asked.

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::super::limits::{AUTH_QUIET_MAX, CHATTER_QUIET_MAX, ECHO_MS_MAX};
use super::super::{Captured, Sink, Stopped};
use super::RelayBudget;
use super::frame::{Frame, Header, Hint};
use super::session::{PageFailure, Received, Session};
use super::tally::{Novelty, Tally};
use crate::domain::{Media, RawEvidence, Sign, SourceId};

/// One REQ: a kind and an inclusive window of `created_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) kind: u16,
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
}

impl Question {
    fn request(&self, subscription: &str, limit: u32) -> String {
        let mut filter = json!({"kinds": [self.kind], "limit": limit});
        if let Some(since) = self.since {
            filter["since"] = since.into();
        }
        if let Some(until) = self.until {
            filter["until"] = until.into();
        }
        json!(["REQ", subscription, filter]).to_string()
    }

    fn admits(&self, header: &Header<'_>) -> bool {
        header.kind == u64::from(self.kind)
            && self.since.is_none_or(|since| header.created_at >= since)
            && self.until.is_none_or(|until| header.created_at <= until)
    }
}

/// A page that ended with EOSE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    /// EVENT frames of this subscription, whatever they held.
    pub(super) frames: u64,
    /// Distinct events that match the question.
    pub(super) events: u64,
    /// Those of them that no earlier page of this kind held.
    pub(super) fresh: u64,
    pub(super) oldest: Option<i64>,
    pub(super) newest: Option<i64>,
    pub(super) hint: Hint,
}

/// The question before the current one: its answer may still be under way.
#[derive(Debug, Clone)]
struct Previous {
    subscription: String,
    question: Question,
    answer: Answer,
}

/// How far the answer to a question came.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// It broke off: more of it may come and is welcome.
    Open,
    /// EOSE came, after a page whose newest event was of this second.
    Ended { newest: Option<i64> },
}

/// The running conversation with one relay: budgets, the sink, the subscription counter.
pub(super) struct Talk<'a> {
    pub(super) source: &'a SourceId,
    pub(super) sink: &'a mut dyn Sink,
    pub(super) budget: RelayBudget,
    pub(super) limit: u32,
    events: u64,
    bytes: u64,
    pages: u64,
    /// Challenges on the connection in use.
    challenges: u64,
    /// Messages of the current page that answer no question.
    chatter: u64,
    previous: Option<Previous>,
}

/// What one frame does to the page being read.
enum Step {
    Goes,
    Ends(Hint),
    Fails(PageFailure),
}

impl<'a> Talk<'a> {
    pub(super) fn new(source: &'a SourceId, sink: &'a mut dyn Sink, budget: RelayBudget, limit: u32) -> Self {
        Self { source, sink, budget, limit, events: 0, bytes: 0, pages: 0, challenges: 0, chatter: 0, previous: None }
    }

    fn idle(&self) -> Duration {
        Duration::from_millis(self.budget.idle_ms)
    }

    /// A new connection begins: its challenges count anew.
    pub(super) fn begin_connection(&mut self) {
        self.challenges = 0;
    }

    /// A new kind begins: what still comes for the one before is no business of its tally.
    pub(super) fn begin_kind(&mut self) {
        self.previous = None;
    }

    /// Asks one question and reads its answer up to its end. What came before a failure stays captured and counted.
    pub(super) async fn read_page(
        &mut self,
        session: &mut Session,
        question: Question,
        tally: &mut Tally,
    ) -> Result<Result<Page, PageFailure>, Stopped> {
        if self.sink.cancelled() {
            return Ok(Err(PageFailure::Cancelled));
        }
        if self.pages >= self.budget.pages {
            return Ok(Err(PageFailure::Budget("pages")));
        }
        self.pages += 1;
        self.chatter = 0;
        tally.begin_page();
        // A fresh name per question: a late answer can't be taken for the current one.
        let subscription = format!("r{}", self.pages);
        let outcome = self.converse(session, question, &subscription, tally).await?;
        let answer = outcome.as_ref().map_or(Answer::Open, |page| Answer::Ended { newest: page.newest });
        self.previous = Some(Previous { subscription: subscription.clone(), question, answer });
        let still_open = outcome.as_ref().err().is_none_or(|failure| !failure.breaks_connection());
        if still_open && session.send(json!(["CLOSE", subscription]).to_string(), self.idle()).await.is_err() {
            // The next question will find the connection broken and say so.
            tracing::debug!(source = %self.source, "the relay left while a subscription was closed");
        }
        Ok(outcome)
    }

    async fn converse(
        &mut self,
        session: &mut Session,
        question: Question,
        subscription: &str,
        tally: &mut Tally,
    ) -> Result<Result<Page, PageFailure>, Stopped> {
        if let Err(failure) = session.send(question.request(subscription, self.limit), self.idle()).await {
            return Ok(Err(failure));
        }
        let mut page = Page { frames: 0, events: 0, fresh: 0, oldest: None, newest: None, hint: Hint::Silent };
        let mut notice = None;
        let mut left = Duration::from_millis(self.budget.total_ms);
        loop {
            let text = match session.receive(self.idle(), &mut left).await {
                Ok(Received::Text(text)) => text,
                Ok(received) => match self.spend_other(&received, tally) {
                    Ok(()) => continue,
                    Err(failure) => return Ok(Err(failure)),
                },
                Err(PageFailure::TimedOut { .. }) => {
                    return Ok(Err(match notice {
                        Some(notice) if page.frames == 0 => PageFailure::NoticeOnly(notice),
                        _ => PageFailure::TimedOut { events: page.events },
                    }));
                }
                Err(failure) => {
                    if let Some(offence) = failure.offence() {
                        tally.note(offence);
                    }
                    return Ok(Err(failure));
                }
            };
            match self.judge(&text, question, subscription, &mut page, &mut notice, tally)? {
                Step::Goes => {}
                Step::Ends(hint) => return Ok(Ok(Page { hint, ..page })),
                Step::Fails(failure) => return Ok(Err(failure)),
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

    fn judge(
        &mut self,
        text: &Utf8Bytes,
        question: Question,
        current: &str,
        page: &mut Page,
        notice: &mut Option<String>,
        tally: &mut Tally,
    ) -> Result<Step, Stopped> {
        if let Err(failure) = self.spend_bytes(text.len()) {
            return Ok(Step::Fails(failure));
        }
        match Frame::read(text) {
            Frame::Event { subscription, event } => {
                self.events += 1;
                if self.events > self.budget.events {
                    return Ok(Step::Fails(PageFailure::Budget("events")));
                }
                if subscription == current {
                    self.take(event, question, page, tally)?;
                } else {
                    self.take_late(&subscription, event, tally)?;
                }
            }
            Frame::Eose { subscription, hint } if subscription == current => return Ok(Step::Ends(hint)),
            Frame::Closed { subscription, reason } if subscription == current => {
                return Ok(Step::Fails(PageFailure::Closed(reason.into_owned())));
            }
            Frame::Notice(words) => {
                self.chatters(tally);
                notice.get_or_insert_with(|| words.into_owned());
            }
            Frame::Auth => {
                self.challenges += 1;
                if self.challenges > AUTH_QUIET_MAX {
                    tally.note(Sign::AuthFlood);
                }
            }
            Frame::Malformed => {
                tally.note(Sign::Malformed);
                tally.unread += 1;
            }
            // The end of an earlier subscription, or messages that nobody asked for.
            Frame::Eose { .. } | Frame::Closed { .. } | Frame::Foreign => self.chatters(tally),
        }
        Ok(Step::Goes)
    }

    fn take(&mut self, event: &str, question: Question, page: &mut Page, tally: &mut Tally) -> Result<(), Stopped> {
        let place = page.frames;
        page.frames += 1;
        let Some(header) = Header::read(event) else {
            // The decoder judges it; it has no time to page by.
            if tally.admit(event, event) == Novelty::Fresh {
                self.accept(event, question.kind, tally.page(), place)?;
            }
            return Ok(());
        };
        if !question.admits(&header) {
            tally.stray(Sign::WrongFilter);
            return Ok(());
        }
        match tally.admit(&header.id, event) {
            Novelty::Repeat => {
                tally.repeat();
                return Ok(());
            }
            Novelty::Variant => {
                // Both are kept: which of them is the event is for the verifier to say.
                tally.misbehaved += 1;
                return self.accept(event, question.kind, tally.page(), place);
            }
            Novelty::Fresh => {
                page.fresh += 1;
                self.accept(event, question.kind, tally.page(), place)?;
            }
            Novelty::Known => {}
        }
        page.events += 1;
        tally.shown += 1;
        // NIP-01 makes a limit binding in spirit only: twice as much is a relay of its own mind, more is a flood.
        if page.events > 2 * u64::from(self.limit) {
            tally.note(Sign::Flood);
        }
        let time = header.created_at;
        page.oldest = Some(page.oldest.map_or(time, |oldest| oldest.min(time)));
        page.newest = Some(page.newest.map_or(time, |newest| newest.max(time)));
        tally.saw(&header.id, time);
        Ok(())
    }

    /// An event for a subscription that is no longer open.
    fn take_late(&mut self, subscription: &str, event: &str, tally: &mut Tally) -> Result<(), Stopped> {
        let Some(previous) = self.previous.as_ref().filter(|previous| previous.subscription == subscription).cloned()
        else {
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
        if !tally.admit_late(&header.id, event) {
            return Ok(());
        }
        if let Answer::Ended { newest } = previous.answer {
            // Published this moment is possible only above everything stored, in a window that is open upwards.
            let stored = newest.is_none_or(|newest| header.created_at <= newest);
            tally.contradicted |= stored || previous.question.until.is_some();
        }
        tally.saw(&header.id, header.created_at);
        self.accept(event, previous.question.kind, tally.page(), 0)
    }

    /// True for the name of a question that was asked.
    fn was_ours(&self, subscription: &str) -> bool {
        let number = subscription.strip_prefix('r').and_then(|number| number.parse::<u64>().ok());
        number.is_some_and(|number| (1..=self.pages).contains(&number))
    }

    fn accept(&mut self, event: &str, kind: u16, page: u64, frame: u64) -> Result<(), Stopped> {
        self.sink.accept(Captured {
            evidence: RawEvidence { media: Media::NostrEvent, about: String::new(), bytes: event.as_bytes().to_vec() },
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
            if self.spend_bytes(text.len()).is_err() {
                return Ok(());
            }
            if let Frame::Event { subscription, event } = Frame::read(&text) {
                self.events += 1;
                if self.events > self.budget.events {
                    return Ok(());
                }
                self.take_late(&subscription, event, tally)?;
            }
        }
    }
}
