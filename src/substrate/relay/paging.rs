//! Paging that proves: down one kind until nothing is below, with the basis on which that is believed (CAPTURE 2.5).

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Url;

use super::super::Stopped;
use super::super::limits::{REASON_CHARS_MAX, RELAY_STRIKES_MAX};
use super::super::retry::RetryPolicy;
use super::cap::CapKnowledge;
use super::frame::Hint;
use super::page::{Page, Question, Talk};
use super::session::{PageFailure, Session};
use super::tally::Tally;
use crate::domain::{
    Backing, CompletenessBasis, FetchReceipt, Sign, Slice, SliceEnd, SourceId, UnixSeconds, inert_limited,
};

/// One kind, fetched as far as it goes. The basis is settled only when every page of the relay is known.
#[derive(Debug)]
pub(super) struct Walk {
    kind: u16,
    tally: Tally,
    retries: u32,
    /// The largest page that held one second only.
    tallest: Option<Tallest>,
    ending: Ending,
}

#[derive(Debug, Clone, Copy)]
struct Tallest {
    events: u64,
    second: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Ending {
    /// Nothing is below, on this basis.
    Bottom(CompletenessBasis),
    /// The relay answered, but never with anything that was asked for.
    Blind,
    Failed(PageFailure),
}

impl Walk {
    /// The record of this slice, judged with all that was learned about the relay's cap.
    pub(super) fn receipt(
        &self,
        source: &SourceId,
        window: (Option<UnixSeconds>, Option<UnixSeconds>),
        cap: &CapKnowledge,
    ) -> FetchReceipt {
        let (end, basis, reason) = self.judge(cap);
        FetchReceipt {
            source: source.clone(),
            slice: Slice { kind: self.kind.to_string(), from: window.0, until: window.1 },
            end,
            basis,
            items: self.tally.items(),
            retries: self.retries,
            misbehaved: self.tally.misbehaved,
            reason: inert_limited(&reason, REASON_CHARS_MAX),
            signs: self.signs(),
            backing: Backing {
                position: (end == SliceEnd::Ended).then(|| self.tally.position()).flatten(),
                ..Backing::default()
            },
        }
    }

    fn signs(&self) -> BTreeMap<Sign, u64> {
        let mut signs = self.tally.signs();
        if self.is_blind() {
            signs.insert(Sign::Blind, 1);
        }
        signs
    }

    /// It answered, and nothing of it was asked for.
    fn is_blind(&self) -> bool {
        match self.ending {
            Ending::Bottom(_) => self.tally.items() == 0 && self.tally.strays > 0,
            Ending::Blind => true,
            Ending::Failed(_) => false,
        }
    }

    fn judge(&self, cap: &CapKnowledge) -> (SliceEnd, CompletenessBasis, String) {
        if let Ending::Failed(failure) = &self.ending {
            return (failure.slice_end(), CompletenessBasis::None, failure.to_string());
        }
        // INV-8: a contradicted claim is withdrawn.
        if self.tally.contradicted {
            let reason = "stored events came after the end-of-stored-events".to_owned();
            return (SliceEnd::Ended, CompletenessBasis::None, reason);
        }
        let claimed = match self.ending {
            Ending::Bottom(basis) if !self.is_blind() => basis,
            _ => {
                let reason = "answered only with events that were not asked for".to_owned();
                return (SliceEnd::Ended, CompletenessBasis::None, reason);
            }
        };
        if let Some(tallest) = self.tallest.filter(|tallest| cap.may_be_cut(tallest.events)) {
            let reason = format!(
                "the second {} holds at least {} events, as many as the relay gives",
                tallest.second, tallest.events
            );
            return (SliceEnd::Ended, CompletenessBasis::Saturated, reason);
        }
        if self.tally.unread > 0 {
            let reason = format!("{} messages could not be read", self.tally.unread);
            return (SliceEnd::Ended, CompletenessBasis::Heuristic, reason);
        }
        (SliceEnd::Ended, claimed, String::new())
    }
}

/// What asking once, with retries, came to.
type Answer = Result<Page, PageFailure>;

/// Walks the kinds of one relay over one connection, reopened when it breaks.
pub(super) struct Walker<'a> {
    url: &'a Url,
    retry: RetryPolicy,
    talk: Talk<'a>,
    session: Option<Session>,
    pub(super) cap: CapKnowledge,
    strikes: u32,
    gave_up: Option<PageFailure>,
}

impl<'a> Walker<'a> {
    pub(super) fn new(url: &'a Url, retry: RetryPolicy, talk: Talk<'a>, cap: CapKnowledge) -> Self {
        Self { url, retry, talk, session: None, cap, strikes: 0, gave_up: None }
    }

    /// Fetches one kind inside a window.
    pub(super) async fn walk(&mut self, kind: u16, since: Option<i64>, until: Option<i64>) -> Result<Walk, Stopped> {
        let mut walk = Walk { kind, tally: Tally::default(), retries: 0, tallest: None, ending: Ending::Blind };
        if let Some(failure) = &self.gave_up {
            walk.ending = Ending::Failed(failure.clone());
            return Ok(walk);
        }
        self.talk.begin_kind();
        walk.ending = self.exhaust(&mut walk, since, until).await?;
        if let Some(session) = self.session.as_mut() {
            self.talk.hear_out(session, &mut walk.tally).await?;
        }
        self.note_failure(&walk.ending);
        Ok(walk)
    }

    fn note_failure(&mut self, ending: &Ending) {
        let Ending::Failed(failure) = ending else {
            self.strikes = 0;
            return;
        };
        self.strikes += 1;
        if failure.ends_fetch() || self.strikes >= RELAY_STRIKES_MAX {
            self.gave_up = Some(failure.clone());
        }
    }

    /// Descends to the bottom, then looks upwards: a relay that sends its oldest events first, or that received some
    /// meanwhile, has more above what it sent.
    async fn exhaust(&mut self, walk: &mut Walk, since: Option<i64>, until: Option<i64>) -> Result<Ending, Stopped> {
        let mut floor = since;
        loop {
            let ending = self.descend(walk, floor, until).await?;
            let newest = walk.tally.newest;
            if ending != Ending::Bottom(CompletenessBasis::Exhausted) || newest.is_none() || newest == until {
                return Ok(ending);
            }
            let above = Question { kind: walk.kind, since: newest, until };
            let page = match self.ask(walk, above).await? {
                Ok(page) => page,
                Err(failure) => return Ok(Ending::Failed(failure)),
            };
            walk.saw(&page);
            if page.fresh == 0 {
                return Ok(ending);
            }
            // Fresh in the same second only: nothing is above, and the second is judged by its size.
            if page.newest == newest {
                return Ok(ending);
            }
            floor = newest;
        }
    }

    async fn descend(&mut self, walk: &mut Walk, since: Option<i64>, until: Option<i64>) -> Result<Ending, Stopped> {
        let mut cursor = until;
        let mut above: Option<Page> = None;
        let mut asked_twice = false;
        loop {
            let question = Question { kind: walk.kind, since, until: cursor };
            let page = match self.ask(walk, question).await? {
                Ok(page) => page,
                Err(failure) => return Ok(Ending::Failed(failure)),
            };
            // This window lies inside the one above, so whatever is fresh in it was left out there.
            if let Some(above) = above.filter(|_| page.fresh > 0) {
                self.cap.saw_cut(above.events);
            }
            if page.hint == Hint::More {
                self.cap.saw_cut(page.events);
            }
            if page.hint == Hint::Finish {
                return Ok(Ending::Bottom(CompletenessBasis::FinishHint));
            }
            walk.saw(&page);
            let Some(oldest) = page.oldest else {
                if page.frames > 0 {
                    return Ok(Ending::Blind);
                }
                // An empty first page says little: a relay in trouble answers so too. It has to say it twice.
                if above.is_some() || asked_twice {
                    return Ok(Ending::Bottom(CompletenessBasis::Exhausted));
                }
                asked_twice = true;
                continue;
            };
            if cursor == Some(oldest) {
                if let Some(failure) = self.ask_second_alone(walk, &page, oldest).await? {
                    return Ok(Ending::Failed(failure));
                }
                if oldest <= 0 || Some(oldest) == since {
                    return Ok(Ending::Bottom(CompletenessBasis::Exhausted));
                }
                cursor = Some(oldest - 1);
            } else {
                // The second at the edge may be cut: ask it again, inclusive.
                cursor = Some(oldest);
            }
            above = Some(page);
        }
    }

    /// Steps past a second that fills a page: asked alone once more, it may show more, or prove that it is saturated.
    async fn ask_second_alone(
        &mut self,
        walk: &mut Walk,
        page: &Page,
        second: i64,
    ) -> Result<Option<PageFailure>, Stopped> {
        if !self.cap.may_be_cut(page.events) {
            return Ok(None);
        }
        let alone = Question { kind: walk.kind, since: Some(second), until: Some(second) };
        match self.ask(walk, alone).await? {
            Ok(page) => {
                walk.saw(&page);
                Ok(None)
            }
            Err(failure) => Ok(Some(failure)),
        }
    }

    /// Asks one question until it is answered, refused for good, or out of attempts.
    async fn ask(&mut self, walk: &mut Walk, question: Question) -> Result<Answer, Stopped> {
        let mut retries = 0;
        loop {
            let failure = match self.ask_once(walk, question).await? {
                Ok(page) => {
                    self.cap.saw_page(page.events);
                    return Ok(Ok(page));
                }
                Err(failure) => failure,
            };
            if failure.breaks_connection() {
                self.session = None;
            }
            if !failure.is_transient() || !self.retry.allows(retries) {
                return Ok(Err(failure));
            }
            tracing::debug!(source = %self.talk.source, kind = question.kind, %failure, "asking again");
            tokio::time::sleep(self.retry.delay(retries, None)).await;
            retries += 1;
            walk.retries = walk.retries.saturating_add(1);
        }
    }

    async fn ask_once(&mut self, walk: &mut Walk, question: Question) -> Result<Answer, Stopped> {
        let session = match &mut self.session {
            Some(session) => session,
            empty => match Session::open(self.url, Duration::from_millis(self.talk.budget.total_ms)).await {
                Ok(session) => {
                    self.talk.begin_connection();
                    empty.insert(session)
                }
                Err(failure) => return Ok(Err(failure)),
            },
        };
        self.talk.read_page(session, question, &mut walk.tally).await
    }

    /// Closes the connection and hands back what was learned about the cap.
    pub(super) async fn finish(self) -> CapKnowledge {
        if let Some(session) = self.session {
            session.close(Duration::from_millis(self.talk.budget.idle_ms.min(1_000))).await;
        }
        self.cap
    }
}

impl Walk {
    fn saw(&mut self, page: &Page) {
        if page.hint == Hint::Finish || page.oldest != page.newest {
            return;
        }
        if let Some(second) = page.oldest
            && self.tallest.is_none_or(|tallest| tallest.events < page.events)
        {
            self.tallest = Some(Tallest { events: page.events, second });
        }
    }
}
