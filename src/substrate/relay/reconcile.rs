//! One set reconciliation (NIP-77, Negentropy protocol v1): what the relay lists and we lack, and the other way round.

use std::time::Duration;

use negentropy::{Bound, Error, Id, Item, Negentropy, NegentropyStorageBase};
use serde_json::json;

use super::super::Stopped;
use super::super::limits::{NEG_IDS_MAX, NEG_ROUNDS_IDLE_MAX};
use super::frame::Frame;
use super::held::Entry;
use super::question::{Question, Span};
use super::session::{PageFailure, Session};
use super::talk::{Heard, Talk};
use super::tally::Tally;
use crate::domain::Sign;

/// Where the two sets differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// What the relay lists and we do not hold.
    pub(super) need: Vec<[u8; 32]>,
    /// What we hold and the relay does not list.
    pub(super) have: Vec<[u8; 32]>,
}

impl Difference {
    /// What both sides have under different times is no difference.
    fn settled(mut self) -> Self {
        self.need.sort_unstable();
        self.have.sort_unstable();
        let both: Vec<[u8; 32]> = self.have.iter().filter(|id| self.need.binary_search(id).is_ok()).copied().collect();
        self.need.retain(|id| both.binary_search(id).is_err());
        self.have.retain(|id| both.binary_search(id).is_err());
        self
    }
}

/// Why there is no difference to speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The relay does not reconcile, or not in a way that we can read.
    Unsupported,
    /// Too many events for one reconciliation: a smaller window may do.
    TooMany,
    Failed(PageFailure),
}

/// Patience and size of one reconciliation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// Longest wait for the first answer: relays that do not know NIP-77 often say nothing at all.
    pub(super) first: Duration,
    /// Largest message of ours, in bytes before hex.
    pub(super) frame_bytes: u64,
}

/// The events of a window as the protocol sees them. It knows no time before 1970.
struct View<'a>(&'a [Entry]);

impl View<'_> {
    fn item(entry: &Entry) -> Item {
        let time = u64::try_from(entry.place.time).unwrap_or(0);
        Item::with_timestamp_and_id(time, Id::from_byte_array(entry.place.id))
    }
}

impl NegentropyStorageBase for View<'_> {
    fn size(&self) -> Result<usize, Error> {
        Ok(self.0.len())
    }

    fn get_item(&self, at: usize) -> Result<Option<Item>, Error> {
        Ok(self.0.get(at).map(Self::item))
    }

    fn iterate(
        &self,
        begin: usize,
        end: usize,
        visit: &mut dyn FnMut(Item, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let part = self.0.get(begin..end).ok_or(Error::BadRange)?;
        for (entry, at) in part.iter().zip(begin..) {
            if !visit(Self::item(entry), at)? {
                break;
            }
        }
        Ok(())
    }

    fn find_lower_bound(&self, first: usize, last: usize, value: &Bound) -> usize {
        let Some(part) = self.0.get(first..last) else { return first };
        first + part.partition_point(|entry| Self::item(entry) < value.item)
    }
}

/// The span as far as the protocol can see it.
fn listed(span: Span) -> Span {
    Span { from: Some(span.from.unwrap_or(0).max(0)), ..span }
}

fn decode(hex: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; hex.len() / 2];
    faster_hex::hex_decode(hex.as_bytes(), &mut bytes).ok()?;
    Some(bytes)
}

fn opening(entries: &[Entry], terms: Terms) -> Result<String, Error> {
    let view = View(entries);
    let message = Negentropy::borrowed(&view, terms.frame_bytes)?.initiate()?;
    Ok(faster_hex::hex_string(&message))
}

/// What follows from a message of the relay.
#[derive(Debug)]
enum Turn {
    Goes(String),
    Settled,
}

/// One round on our side: reads the relay's message and writes the next one; `None` for one that can't be read.
fn round(entries: &[Entry], hex: &str, terms: Terms, found: &mut Difference) -> Option<Turn> {
    let message = decode(hex)?;
    let view = View(entries);
    // A new side per round: the set is borrowed only while a message is read.
    let mut side = Negentropy::borrowed(&view, terms.frame_bytes).ok()?;
    side.set_initiator();
    let (mut have, mut need) = (Vec::new(), Vec::new());
    let next = side.reconcile_with_ids(&message, &mut have, &mut need).ok()?;
    found.have.extend(have.iter().map(|id| id.to_bytes()));
    found.need.extend(need.iter().map(|id| id.to_bytes()));
    Some(next.map_or(Turn::Settled, |bytes| Turn::Goes(faster_hex::hex_string(&bytes))))
}

/// Reads why a relay will not reconcile: relays word it as they like.
fn refusal(reason: &str) -> Refusal {
    let words = reason.to_ascii_lowercase();
    let says = |any: &[&str]| any.iter().any(|part| words.contains(part));
    if words.starts_with("rate-limited") || words.starts_with("auth-required") || words.starts_with("closed") {
        Refusal::Failed(PageFailure::Closed(reason.to_owned()))
    } else if says(&["unsupported", "disabled", "unknown", "version"]) {
        Refusal::Unsupported
    } else if words.starts_with("blocked") || says(&["too many", "too big", "too large", "limit", "max"]) {
        Refusal::TooMany
    } else if says(&["invalid", "error", "bad", "missing", "restricted"]) {
        Refusal::Unsupported
    } else {
        Refusal::Failed(PageFailure::Closed(reason.to_owned()))
    }
}

/// True for a notice that refuses a reconciliation: older relays know no other way.
fn refuses(notice: &str) -> bool {
    let words = notice.to_ascii_lowercase();
    ["neg", "unknown", "unsupported", "unrecognized", "invalid", "bad msg", "command", "cmd"]
        .iter()
        .any(|part| words.contains(part))
}

impl Talk<'_> {
    /// Compares what the relay lists for a kind and span with what the tally holds of it.
    pub(super) async fn reconcile(
        &mut self,
        session: &mut Session,
        question: &Question,
        tally: &mut Tally,
        terms: Terms,
    ) -> Result<Result<Difference, Refusal>, Stopped> {
        let subscription = match self.begin() {
            Ok(subscription) => subscription,
            Err(failure) => return Ok(Err(Refusal::Failed(failure))),
        };
        let outcome = self.exchange(session, question, &subscription, tally, terms).await?;
        let goes_on = match &outcome {
            Err(Refusal::Failed(failure)) => !failure.breaks_connection(),
            _ => true,
        };
        if goes_on {
            self.close(session, "NEG-CLOSE", &subscription).await;
        }
        self.end(subscription, question.clone(), Heard::Open);
        Ok(outcome)
    }

    async fn exchange(
        &mut self,
        session: &mut Session,
        question: &Question,
        subscription: &str,
        tally: &mut Tally,
        terms: Terms,
    ) -> Result<Result<Difference, Refusal>, Stopped> {
        let span = listed(question.span);
        let Ok(first) = opening(tally.between(span), terms) else { return Ok(Err(Refusal::Unsupported)) };
        let mut text = json!(["NEG-OPEN", subscription, question.filter(), first]).to_string();
        let mut found = Difference::default();
        let (mut wait, mut idle_rounds) = (terms.first, 0_u32);
        loop {
            if let Err(failure) = session.send(text, self.idle()).await {
                return Ok(Err(Refusal::Failed(failure)));
            }
            let hex = match self.neg_message(session, subscription, wait, tally).await? {
                Ok(hex) => hex,
                Err(refusal) => return Ok(Err(refusal)),
            };
            wait = self.whole_page();
            let known = (found.need.len(), found.have.len());
            let next = match round(tally.between(span), &hex, terms, &mut found) {
                Some(Turn::Goes(next)) => next,
                Some(Turn::Settled) => return Ok(Ok(found.settled())),
                None => {
                    tally.note(Sign::Malformed);
                    return Ok(Err(Refusal::Unsupported));
                }
            };
            idle_rounds = if known == (found.need.len(), found.have.len()) { idle_rounds + 1 } else { 0 };
            if idle_rounds > NEG_ROUNDS_IDLE_MAX {
                tally.note(Sign::Flood);
                return Ok(Err(Refusal::Unsupported));
            }
            if found.need.len() > NEG_IDS_MAX {
                return Ok(Err(Refusal::TooMany));
            }
            if u64::try_from(found.need.len()).is_ok_and(|need| need > self.budget.events) {
                return Ok(Err(Refusal::Failed(PageFailure::Budget("events"))));
            }
            text = json!(["NEG-MSG", subscription, next]).to_string();
        }
    }

    /// Waits for the relay's next message of a reconciliation.
    async fn neg_message(
        &mut self,
        session: &mut Session,
        subscription: &str,
        wait: Duration,
        tally: &mut Tally,
    ) -> Result<Result<String, Refusal>, Stopped> {
        let mut left = wait;
        loop {
            let text = match self.hear(session, &mut left, tally).await {
                Ok(text) => text,
                // A relay that says nothing does not know what it was asked.
                Err(PageFailure::TimedOut { .. }) => return Ok(Err(Refusal::Unsupported)),
                Err(failure) => return Ok(Err(Refusal::Failed(failure))),
            };
            match self.sort_out(&text, subscription, tally)? {
                Err(failure) => return Ok(Err(Refusal::Failed(failure))),
                Ok(Some(Frame::NegMessage { hex, .. })) => return Ok(Ok(hex.into_owned())),
                Ok(Some(Frame::NegError { reason, .. } | Frame::Closed { reason, .. })) => {
                    return Ok(Err(refusal(&reason)));
                }
                Ok(Some(Frame::Notice(words))) if refuses(&words) => return Ok(Err(refusal_of_notice(&words))),
                Ok(_) => {}
            }
        }
    }
}

fn refusal_of_notice(words: &str) -> Refusal {
    match refusal(words) {
        Refusal::TooMany => Refusal::TooMany,
        _ => Refusal::Unsupported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_the_field_are_told_apart() {
        for reason in ["blocked: too many query results", "RESULTS_TOO_BIG: too many", "blocked: this query is too big"]
        {
            assert_eq!(refusal(reason), Refusal::TooMany, "{reason}");
        }
        for reason in ["unsupported: NEG", "error: negentropy disabled", "invalid: parse", "error: bad msg"] {
            assert_eq!(refusal(reason), Refusal::Unsupported, "{reason}");
        }
        for reason in ["rate-limited: slow down", "closed: you took too long to respond!", "auth-required: who are you"]
        {
            assert!(matches!(refusal(reason), Refusal::Failed(PageFailure::Closed(_))), "{reason}");
        }
    }

    #[test]
    fn notices_that_refuse_are_not_those_that_greet() {
        for notice in ["ERROR: bad msg: negentropy query missing elements", "unknown cmd", "invalid: unknown command"] {
            assert!(refuses(notice), "{notice}");
        }
        assert!(!refuses("welcome to our relay"));
    }

    #[test]
    fn crafted_messages_are_refused_and_do_not_panic() {
        let terms = Terms { first: Duration::ZERO, frame_bytes: 60_000 };
        for hex in ["", "6", "zz", "00", "62", "6100000280", "61000002ffffffff7f", "6180808080808080808080", "61000003"]
        {
            let mut found = Difference::default();
            let outcome = round(&[], hex, terms, &mut found);
            assert!(outcome.is_none() || found.need.is_empty(), "{hex} {outcome:?}");
        }
    }
}
