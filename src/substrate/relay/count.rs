//! The relay's own count of what a filter matches (NIP-45): a cross-check, never a basis of its own.

use std::time::Duration;

use serde_json::json;

use super::super::Stopped;
use super::super::limits::COUNT_MS_MAX;
use super::frame::Frame;
use super::question::Question;
use super::session::{PageFailure, Session};
use super::talk::{Heard, Talk};
use super::tally::Tally;

impl Talk<'_> {
    /// Asks for a count; `None` for an answer that is approximate.
    pub(super) async fn count(
        &mut self,
        session: &mut Session,
        question: &Question,
        tally: &mut Tally,
    ) -> Result<Result<Option<u64>, PageFailure>, Stopped> {
        let subscription = match self.begin() {
            Ok(subscription) => subscription,
            Err(failure) => return Ok(Err(failure)),
        };
        let text = json!(["COUNT", subscription, question.filter()]).to_string();
        if let Err(failure) = session.send(text, self.idle()).await {
            return Ok(Err(failure));
        }
        let outcome = self.counted(session, &subscription, tally).await;
        self.end(subscription, question.clone(), Heard::Open);
        outcome
    }

    async fn counted(
        &mut self,
        session: &mut Session,
        subscription: &str,
        tally: &mut Tally,
    ) -> Result<Result<Option<u64>, PageFailure>, Stopped> {
        let mut left = self.idle().min(Duration::from_millis(COUNT_MS_MAX));
        loop {
            let text = match self.hear(session, &mut left, tally).await {
                Ok(text) => text,
                // No answer is no reason to give the connection up.
                Err(PageFailure::TimedOut { .. }) => return Ok(Err(PageFailure::Closed(String::new()))),
                Err(failure) => return Ok(Err(failure)),
            };
            match self.sort_out(&text, subscription, tally)? {
                Err(failure) => return Ok(Err(failure)),
                Ok(Some(Frame::Count { count, .. })) => return Ok(Ok(count)),
                Ok(Some(Frame::Closed { reason, .. })) => return Ok(Err(PageFailure::Closed(reason.into_owned()))),
                Ok(Some(Frame::Notice(words))) => return Ok(Err(PageFailure::Closed(words.into_owned()))),
                Ok(_) => {}
            }
        }
    }
}
