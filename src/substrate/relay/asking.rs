//! Asks one relay over one connection, reopened when it breaks, with retries, and remembers what was learned of it.

use std::time::Duration;

use reqwest::Url;

use super::super::Stopped;
use super::super::limits::{NEG_QUIET_MS, RATE_LIMITED_MORE, RELAY_STRIKES_MAX};
use super::super::retry::RetryPolicy;
use super::cap::CapKnowledge;
use super::information::Information;
use super::page::{Answer, Page};
use super::question::{Narrow, Question, Span};
use super::reconcile::{Difference, Refusal, Terms};
use super::session::{PageFailure, Session};
use super::talk::Talk;
use super::tally::Tally;
use super::walk::Walk;

/// Something that a relay may or may not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skill {
    Unknown,
    Has,
    Lacks,
}

/// What was found wrong with a relay's answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Doubts {
    /// Its lists lack what it gives.
    pub(super) lists_lack: bool,
    /// It counts less than it gives.
    pub(super) counts_low: bool,
    /// An answer lacked what the same question brought when it was asked again.
    pub(super) voids: bool,
}

/// One relay under question.
pub(super) struct Asker<'a> {
    url: &'a Url,
    retry: RetryPolicy,
    pub(super) talk: Talk<'a>,
    pub(super) session: Option<Session>,
    pub(super) cap: CapKnowledge,
    pub(super) information: Information,
    /// The `limit` of a plain question.
    pub(super) limit: u32,
    pub(super) reconciles: Skill,
    pub(super) counts: Skill,
    /// Whether it takes the first digits of ids for ids.
    pub(super) prefixes: Skill,
    /// True once the page cap was measured over all kinds.
    pub(super) measured: bool,
    /// True once any question was answered properly.
    answered: bool,
    pub(super) doubts: Doubts,
    reconcile_failures: u32,
    strikes: u32,
    pub(super) gave_up: Option<PageFailure>,
}

impl<'a> Asker<'a> {
    pub(super) fn new(url: &'a Url, retry: RetryPolicy, talk: Talk<'a>, limit: u32, information: Information) -> Self {
        let skill = |nip| if information.lacks(nip) { Skill::Lacks } else { Skill::Unknown };
        Self {
            url,
            retry,
            talk,
            session: None,
            cap: CapKnowledge::new(information.max_limit),
            limit,
            reconciles: Skill::Unknown,
            // Only a cross-check: a relay that says that it can't is not asked.
            counts: skill(45),
            prefixes: Skill::Unknown,
            measured: false,
            answered: false,
            doubts: Doubts::default(),
            reconcile_failures: 0,
            strikes: 0,
            gave_up: None,
            information,
        }
    }

    /// A plain question about one kind.
    pub(super) fn question(&self, kind: u16, span: Span) -> Question {
        Question { kinds: vec![kind], span, narrow: Narrow::Nothing, limit: self.limit }
    }

    /// Counts slices that failed in a row; too many, or a failure that nothing else will get over, end the fetch.
    pub(super) fn note_end(&mut self, failure: Option<&PageFailure>) {
        let Some(failure) = failure else {
            self.strikes = 0;
            return;
        };
        self.strikes += 1;
        if failure.ends_fetch() || self.strikes >= RELAY_STRIKES_MAX {
            self.gave_up = Some(failure.clone());
        }
    }

    /// Asks one question until it is answered, refused for good, or out of attempts.
    pub(super) async fn ask(&mut self, walk: &mut Walk, question: &Question) -> Result<Answer, Stopped> {
        let mut all = Page::EMPTY;
        let mut retries = 0;
        let mut authenticated = self.talk.has_authenticated();
        loop {
            let answer = self.ask_once(&mut walk.tally, question).await?;
            let fresh = all.fresh.saturating_add(answer.page.fresh);
            all.join(&answer.page);
            let Some(failure) = answer.failure else {
                self.answered = true;
                self.cap.saw_page(answer.page.events);
                return Ok(Answer { page: Page { fresh, ..answer.page }, failure: None });
            };
            if failure.breaks_connection() {
                self.session = None;
            }
            let now_known = self.talk.has_authenticated() && !authenticated && failure.is_auth_required();
            authenticated |= now_known;
            let again = now_known || failure.is_transient() && self.may_retry(walk, &failure, retries);
            if !again {
                return Ok(Answer { page: all, failure: Some(failure) });
            }
            self.wait(walk, retries, &failure).await;
            retries += 1;
        }
    }

    fn may_retry(&self, walk: &Walk, failure: &PageFailure, retries: u32) -> bool {
        let some_came = matches!(failure, PageFailure::TimedOut { events } if *events > 0);
        if failure.is_rate_limited() && self.answered {
            // It answers, but not so fast.
            return retries < self.retry.attempts.saturating_add(RATE_LIMITED_MORE);
        }
        // What stumbles again and again is not worth all attempts each time.
        let most = match (walk.failures, some_came) {
            (0, false) => u32::MAX,
            (0, true) => 1,
            _ => 0,
        };
        self.retry.allows(retries) && retries < most
    }

    async fn wait(&self, walk: &mut Walk, retries: u32, failure: &PageFailure) {
        tracing::debug!(source = %self.talk.source, kind = walk.kind, %failure, "asking again");
        tokio::time::sleep(self.retry.delay(retries, None)).await;
        walk.retries = walk.retries.saturating_add(1);
    }

    async fn connect(&mut self) -> Result<(), PageFailure> {
        if self.session.is_none() {
            let session = Session::open(self.url, self.talk.whole_page()).await?;
            self.talk.begin_connection();
            self.session = Some(session);
        }
        Ok(())
    }

    async fn ask_once(&mut self, tally: &mut Tally, question: &Question) -> Result<Answer, Stopped> {
        if let Err(failure) = self.connect().await {
            return Ok(Answer::failed(failure));
        }
        let Some(session) = self.session.as_mut() else { return Ok(Answer::failed(PageFailure::Disconnected)) };
        self.talk.read_page(session, question, tally).await
    }

    /// Compares sets with the relay, with retries where that may help.
    pub(super) async fn reconcile(
        &mut self,
        walk: &mut Walk,
        span: Span,
    ) -> Result<Result<Difference, Refusal>, Stopped> {
        let claims = self.reconciles == Skill::Has || self.information.claims(77);
        let quiet = Duration::from_millis(NEG_QUIET_MS);
        let terms = Terms {
            first: if claims { self.talk.whole_page() } else { self.talk.idle().min(quiet) },
            frame_bytes: self.information.frame_bytes(),
        };
        let question = self.question(walk.kind, span);
        let mut retries = 0;
        let mut authenticated = self.talk.has_authenticated();
        loop {
            let outcome = match self.connect().await {
                Err(failure) => Err(Refusal::Failed(failure)),
                Ok(()) => match self.session.as_mut() {
                    Some(session) => self.talk.reconcile(session, &question, &mut walk.tally, terms).await?,
                    None => Err(Refusal::Failed(PageFailure::Disconnected)),
                },
            };
            let Err(Refusal::Failed(failure)) = outcome else { return Ok(outcome) };
            if failure.breaks_connection() {
                self.session = None;
            }
            let now_known = self.talk.has_authenticated() && !authenticated && failure.is_auth_required();
            authenticated |= now_known;
            let again = now_known || failure.is_transient() && self.may_retry(walk, &failure, retries);
            if !again {
                self.reconcile_failures += 1;
                if self.reconcile_failures >= RELAY_STRIKES_MAX {
                    self.reconciles = Skill::Lacks;
                }
                return Ok(Err(Refusal::Failed(failure)));
            }
            self.wait(walk, retries, &failure).await;
            retries += 1;
        }
    }

    /// The relay's own exact count of a span (NIP-45), when it has one.
    pub(super) async fn count(&mut self, walk: &mut Walk, span: Span) -> Result<Option<u64>, Stopped> {
        if self.counts == Skill::Lacks {
            return Ok(None);
        }
        let question = Question { kinds: vec![walk.kind], span, narrow: Narrow::Nothing, limit: 0 };
        // A connection that breaks says nothing of the skill, the first time.
        for is_last in [false, true] {
            if self.connect().await.is_err() {
                return Ok(None);
            }
            let Some(session) = self.session.as_mut() else { return Ok(None) };
            match self.talk.count(session, &question, &mut walk.tally).await? {
                Ok(count) => {
                    self.counts = Skill::Has;
                    self.doubts.counts_low |= count.is_some_and(|count| count < walk.tally.count(span));
                    return Ok(count);
                }
                Err(failure) => {
                    if failure.breaks_connection() {
                        self.session = None;
                        if !is_last {
                            continue;
                        }
                    }
                    // It knew before: this once is no reason never to ask again.
                    if self.counts == Skill::Unknown {
                        self.counts = Skill::Lacks;
                    }
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    /// Learns how large a page can be from one question over all kinds, of which nothing is kept.
    pub(super) async fn measure(&mut self, walk: &mut Walk, kinds: Vec<u16>, limit: u32) -> Result<(), Stopped> {
        // Anything at all is from any time, too.
        let span = if kinds.is_empty() { Span { from: None, until: None } } else { walk.span };
        let question = Question { kinds, span, narrow: Narrow::Measure, limit };
        let answer = self.ask_once(&mut walk.tally, &question).await?;
        match answer.failure {
            None => self.cap.saw_page(answer.page.events),
            // The next question meets whatever is wrong.
            Some(failure) if failure.breaks_connection() => self.session = None,
            Some(_) => {}
        }
        Ok(())
    }

    /// Closes the connection.
    pub(super) async fn finish(&mut self) {
        if let Some(session) = self.session.take() {
            session.close(self.talk.idle().min(Duration::from_secs(1))).await;
        }
    }
}
