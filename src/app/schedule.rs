//! When a calendar is asked again for a commitment that it had not confirmed (OTS 8).
//!
//! The next try follows from the time that the commitment itself carries, from the tries so far and from nothing else, so
//! that every run says the same. Tries are kept beside the evidence and never part of it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::error::AppError;
use crate::domain::UnixSeconds;
use crate::store::{EvidenceStore, SideRecord};
use crate::verify::ots::submitted_at;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Calendars gather for hours before they write a transaction: nobody is asked before this.
const FIRST_TRY_SECONDS: i64 = HOUR;
/// A commitment that waits for longer is stale: it is asked for once a week.
const STALE_SECONDS: i64 = 7 * DAY;
/// A commitment from further in the future than block times may be does not tell its age.
const FUTURE_SECONDS: i64 = 2 * HOUR;
/// First part of the name of a try's side record; the rest is the address asked.
const NAME: &str = "ots-try:";

/// The tries for one commitment that brought a proper answer, be it "not yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tried {
    /// How many.
    pub(super) tries: u32,
    /// When the last one was made.
    pub(super) last: UnixSeconds,
}

/// All tries of a run, by address asked and commitment.
#[derive(Debug, Default)]
pub(super) struct Tries(BTreeMap<String, Tried>);

impl Tries {
    /// Reads what earlier processes left.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub(super) fn load(store: &dyn EvidenceStore) -> Result<Self, AppError> {
        let mut tries = BTreeMap::new();
        store.scan_side(&mut |record| {
            if let SideRecord::Cursor { name, value } = record
                && let Some(question) = name.strip_prefix(NAME)
                // A form that this version does not know counts as no try: the calendar is asked once too often.
                && let Ok(tried) = serde_json::from_str(&value)
            {
                tries.insert(question.to_owned(), tried);
            }
            ControlFlow::Continue(())
        })?;
        Ok(Self(tries))
    }

    /// When that calendar is asked next for that commitment. In the past for one that is due.
    pub(super) fn next(&self, address: &str, commitment: &[u8], now: UnixSeconds) -> UnixSeconds {
        next_try(submitted_at(commitment), self.0.get(&question(address, commitment)).copied(), now)
    }

    /// How often that calendar was asked.
    pub(super) fn count(&self, address: &str, commitment: &[u8]) -> u32 {
        self.0.get(&question(address, commitment)).map_or(0, |tried| tried.tries)
    }

    /// Counts one more try; returns the record that keeps it.
    ///
    /// # Errors
    /// [`AppError::Internal`]: numbers always become JSON.
    #[cfg(any(feature = "net", test))]
    pub(super) fn note(&mut self, address: &str, commitment: &[u8], now: UnixSeconds) -> Result<SideRecord, AppError> {
        let question = question(address, commitment);
        let tries = self.0.get(&question).map_or(0, |tried| tried.tries).saturating_add(1);
        let tried = Tried { tries, last: now };
        let value = serde_json::to_string(&tried).map_err(|error| AppError::Internal(error.to_string()))?;
        let name = format!("{NAME}{question}");
        self.0.insert(question, tried);
        Ok(SideRecord::Cursor { name, value })
    }
}

fn question(address: &str, commitment: &[u8]) -> String {
    let mut question = format!("{}/timestamp/", address.trim_end_matches('/'));
    for byte in commitment {
        question.push_str(&format!("{byte:02x}"));
    }
    question
}

/// An hour after the submission; then, counted from the last try, an hour, six, a day; a week once it is a week old. A
/// commitment without a believable time is asked for at once.
fn next_try(submitted: Option<UnixSeconds>, tried: Option<Tried>, now: UnixSeconds) -> UnixSeconds {
    let submitted = submitted.filter(|submitted| submitted.0 <= now.0.saturating_add(FUTURE_SECONDS));
    let Some(tried) = tried else {
        return submitted.map_or(UnixSeconds(i64::MIN), |submitted| submitted.plus(FIRST_TRY_SECONDS));
    };
    let is_stale = submitted.is_some_and(|submitted| tried.last.0.saturating_sub(submitted.0) >= STALE_SECONDS);
    let wait = match tried.tries {
        _ if is_stale => 7 * DAY,
        0 | 1 => HOUR,
        2 => 6 * HOUR,
        _ => DAY,
    };
    // A clock that was set back does not put off the next try for longer than one wait.
    UnixSeconds(tried.last.0.min(now.0)).plus(wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    const NOW: UnixSeconds = UnixSeconds(1_760_000_000);

    fn after(tries: u32, submitted_ago: i64, last_ago: i64) -> i64 {
        let tried = (tries > 0).then_some(Tried { tries, last: UnixSeconds(NOW.0 - last_ago) });
        next_try(Some(UnixSeconds(NOW.0 - submitted_ago)), tried, NOW).0 - NOW.0
    }

    #[test]
    fn the_first_try_is_an_hour_after_the_submission() {
        assert_eq!(after(0, 0, 0), HOUR);
        assert_eq!(after(0, HOUR - 1, 0), 1);
        assert_eq!(after(0, HOUR, 0), 0);
        assert!(after(0, 30 * DAY, 0) < 0);
    }

    #[test]
    fn later_tries_wait_an_hour_then_six_then_a_day_then_a_week() {
        assert_eq!(after(1, 2 * HOUR, 0), HOUR);
        assert_eq!(after(2, 3 * HOUR, 0), 6 * HOUR);
        assert_eq!(after(3, DAY, 0), DAY);
        assert_eq!(after(40, 6 * DAY, 0), DAY);
        assert_eq!(after(1, 7 * DAY, 0), 7 * DAY);
        assert_eq!(after(2, 30 * DAY, 6 * DAY), DAY);
    }

    #[test]
    fn a_time_that_cannot_be_believed_puts_nothing_off() {
        let at = |submitted| next_try(submitted, None, NOW);
        assert!(at(None) < NOW);
        assert!(at(Some(UnixSeconds(u32::MAX.into()))) < NOW);
        assert_eq!(at(Some(NOW.plus(FUTURE_SECONDS))), NOW.plus(3 * HOUR));
        // A try from the future is not waited for.
        let tried = Tried { tries: 1, last: NOW.plus(30 * DAY) };
        assert_eq!(next_try(None, Some(tried), NOW), NOW.plus(HOUR));
    }

    #[test]
    fn tries_are_found_again_by_the_next_process() {
        let mut commitment = NOW.0.to_be_bytes()[4..].to_vec();
        commitment.extend([7; 40]);
        let address = "https://alice.example/";
        let mut store = MemoryStore::default();
        let mut tries = Tries::load(&store).unwrap();
        assert_eq!(tries.next(address, &commitment, NOW), NOW.plus(HOUR));
        for (round, wait) in [(1, HOUR), (2, 6 * HOUR)] {
            let record = tries.note(address, &commitment, NOW).unwrap();
            store.put_side(&[record]).unwrap();
            tries = Tries::load(&store).unwrap();
            assert_eq!(tries.count(address, &commitment), round);
            assert_eq!(tries.next(address, &commitment, NOW), NOW.plus(wait));
        }
        assert_eq!(tries.count("https://bob.example", &commitment), 0);
    }
}
