//! Asking calendars and header sources on behalf of files: nothing is stored.

use std::collections::BTreeSet;

use super::answers::Answers;
use crate::app::chain::Runs;
use crate::app::observer::Cancel;
use crate::app::sources::sockets;
use crate::app::{AppError, Plan};
use crate::domain::BlockHeight;
use crate::substrate::{
    CalendarAnswer, CalendarLog, CalendarPlan, CalendarSource, Captured, EvidenceSource as _, HeadersPlan,
    HeadersSource, HttpLimits, Sink, Stopped,
};

struct Taking<'a> {
    answers: &'a mut Answers,
    cancel: &'a Cancel,
}

impl Sink for Taking<'_> {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        self.answers.take(&captured.evidence);
        Ok(())
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

/// Asks each calendar its questions; returns how each ended, by address.
///
/// # Errors
/// [`AppError::Source`] for an address that no calendar may have; [`AppError::Interrupted`].
pub(super) fn ask_calendars(
    questions: BTreeSet<(String, Vec<u8>)>,
    plan: &Plan,
    answers: &mut Answers,
    cancel: &Cancel,
) -> Result<Vec<(String, CalendarAnswer)>, AppError> {
    let runtime = sockets()?;
    let log = CalendarLog::default();
    let allowed = plan.calendars.values().cloned().collect();
    let polite = CalendarPlan::polite(questions.into_iter().collect(), allowed);
    let mut source = CalendarSource::new(CalendarPlan { log: log.clone(), ..polite }, runtime.handle().clone())?;
    let fetched = source.fetch(&mut Taking { answers, cancel });
    cancel.check()?;
    fetched?;
    Ok(log.take().into_iter().map(|(calendar, _, answer)| (calendar.0, answer)).collect())
}

/// Asks the configured header sources for single heights; true when one was there to be asked.
///
/// # Errors
/// [`AppError::Source`] for an address that can't be contacted; [`AppError::Interrupted`].
pub(super) fn ask_headers(heights: BTreeSet<BlockHeight>, plan: &Plan, runs: &mut Runs<'_>) -> Result<bool, AppError> {
    if plan.bitcoin_rest.is_none() && plan.esplora.is_none() {
        return Ok(false);
    }
    let runtime = sockets()?;
    let wanted = HeadersPlan {
        rest: plan.bitcoin_rest.clone(),
        esplora: plan.esplora.clone(),
        from: plan.policy.headers.checkpoint.height,
        heights: Some(heights),
        allow_plaintext: plan.allow_plaintext,
        http: HttpLimits::default(),
    };
    runs.fetch(&mut HeadersSource::new(wanted, runtime.handle().clone())?)?;
    Ok(true)
}
