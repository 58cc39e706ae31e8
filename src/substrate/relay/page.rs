//! One question, one answer: reads a page to its end and checks every frame against what was asked.

use std::collections::BTreeSet;

use super::super::Stopped;
use super::frame::{Frame, Header, Hint};
use super::question::{Narrow, Question};
use super::session::{PageFailure, Session};
use super::talk::{Heard, Talk};
use super::tally::{Novelty, Tally};
use crate::domain::{Sign, sha256};

/// The events of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    /// EVENT frames of this subscription, whatever they held.
    pub(super) frames: u64,
    /// Distinct events that match the question, and what could not be read.
    pub(super) events: u64,
    /// Those of them that no earlier page of this kind held.
    pub(super) fresh: u64,
    /// Those of them without a readable header: no window can keep them out.
    pub(super) timeless: u64,
    pub(super) oldest: Option<i64>,
    pub(super) newest: Option<i64>,
    pub(super) hint: Hint,
}

impl Page {
    /// What this page may have filled the relay's cap with: repeats and strays take room, too.
    pub(super) fn size(&self) -> u64 {
        self.frames.max(self.events)
    }

    pub(super) const EMPTY: Self =
        Self { frames: 0, events: 0, fresh: 0, timeless: 0, oldest: None, newest: None, hint: Hint::Silent };

    /// Adds what another attempt at the same question brought.
    pub(super) fn join(&mut self, other: &Self) {
        self.frames = self.frames.saturating_add(other.frames);
        self.events = self.events.max(other.events);
        self.fresh = self.fresh.saturating_add(other.fresh);
        self.timeless = self.timeless.max(other.timeless);
        self.oldest = self.oldest.into_iter().chain(other.oldest).min();
        self.newest = self.newest.max(other.newest);
        self.hint = other.hint;
    }
}

/// What asking came to: only an EOSE ends a page properly, but what came before a failure is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) page: Page,
    pub(super) failure: Option<PageFailure>,
}

impl Answer {
    pub(super) fn failed(failure: PageFailure) -> Self {
        Self { page: Page::EMPTY, failure: Some(failure) }
    }
}

/// One answer while it is read.
struct Reading<'q> {
    question: &'q Question,
    page: Page,
    notice: Option<String>,
    /// Ids of an answer that is only measured.
    measured: BTreeSet<[u8; 32]>,
}

impl Talk<'_> {
    /// Asks one question and reads its answer up to its end. What came before a failure stays captured and counted.
    pub(super) async fn read_page(
        &mut self,
        session: &mut Session,
        question: &Question,
        tally: &mut Tally,
    ) -> Result<Answer, Stopped> {
        let subscription = match self.begin() {
            Ok(subscription) => subscription,
            Err(failure) => return Ok(Answer::failed(failure)),
        };
        tally.begin_page();
        let mut reading = Reading { question, page: Page::EMPTY, notice: None, measured: BTreeSet::new() };
        let failure = self.converse(session, &mut reading, &subscription, tally).await?.err();
        let page = reading.page;
        let heard = if failure.is_some() { Heard::Open } else { Heard::Ended { newest: page.newest } };
        self.end(subscription.clone(), question.clone(), heard);
        if failure.as_ref().is_none_or(|failure| !failure.breaks_connection()) {
            self.close(session, "CLOSE", &subscription).await;
        }
        Ok(Answer { page, failure })
    }

    async fn converse(
        &mut self,
        session: &mut Session,
        reading: &mut Reading<'_>,
        subscription: &str,
        tally: &mut Tally,
    ) -> Result<Result<(), PageFailure>, Stopped> {
        if let Err(failure) = session.send(reading.question.request(subscription), self.idle()).await {
            return Ok(Err(failure));
        }
        let mut left = self.whole_page();
        loop {
            let text = match self.hear(session, &mut left, tally).await {
                Ok(text) => text,
                Err(PageFailure::TimedOut { .. }) => {
                    return Ok(Err(match reading.notice.take() {
                        Some(notice) if reading.page.frames == 0 => PageFailure::NoticeOnly(notice),
                        _ => PageFailure::TimedOut { events: reading.page.events },
                    }));
                }
                Err(failure) => return Ok(Err(failure)),
            };
            match self.sort_out(&text, subscription, tally)? {
                Err(failure) => return Ok(Err(failure)),
                Ok(Some(Frame::Event { event, .. })) => self.take(event, reading, tally)?,
                Ok(Some(Frame::Eose { hint, .. })) => {
                    reading.page.hint = hint;
                    return Ok(Ok(()));
                }
                Ok(Some(Frame::Closed { reason, .. })) => return Ok(Err(PageFailure::Closed(reason.into_owned()))),
                Ok(Some(Frame::Notice(words))) => {
                    reading.notice.get_or_insert_with(|| words.into_owned());
                }
                Ok(_) => {}
            }
        }
    }

    fn take(&mut self, event: &str, reading: &mut Reading<'_>, tally: &mut Tally) -> Result<(), Stopped> {
        let (question, page) = (reading.question, &mut reading.page);
        let place = page.frames;
        page.frames += 1;
        let header = Header::read(event);
        if header.as_ref().is_some_and(|header| !question.admits(header)) {
            tally.stray(Sign::WrongFilter);
            return Ok(());
        }
        if question.narrow == Narrow::Measure {
            // What nobody could read proves nothing of a page's size.
            let id = header.map(|header| sha256(header.id.as_bytes()));
            page.events += u64::from(id.is_some_and(|id| reading.measured.insert(id.0)));
            return Ok(());
        }
        let kind = header.as_ref().map_or(question.kinds.first().copied().map_or(0, u64::from), |header| header.kind);
        match tally.admit(header.as_ref(), event) {
            Novelty::Repeat => {
                if header.is_some() {
                    tally.repeat();
                }
                return Ok(());
            }
            Novelty::Variant => {
                // Both are kept: which of them is the event is for the verifier to say.
                tally.misbehaved += 1;
                self.accept(event, kind, tally.page(), place)?;
            }
            Novelty::Fresh => {
                page.fresh += 1;
                self.accept(event, kind, tally.page(), place)?;
            }
            Novelty::Known => {}
        }
        page.events += 1;
        tally.shown += 1;
        // NIP-01 makes a limit binding in spirit only: twice as much is a relay of its own mind, more is a flood.
        if page.events > 2 * u64::from(question.limit) {
            tally.note(Sign::Flood);
        }
        match header {
            Some(header) => {
                let time = header.created_at;
                page.oldest = Some(page.oldest.map_or(time, |oldest| oldest.min(time)));
                page.newest = Some(page.newest.map_or(time, |newest| newest.max(time)));
            }
            // The decoder judges it; it has no time to page by.
            None => page.timeless += 1,
        }
        Ok(())
    }
}
