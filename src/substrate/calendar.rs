//! OpenTimestamps calendars: asks for the completed proofs of pending commitments (OTS 2.3, 8).

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt as _};
use reqwest::Url;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::address::{is_loopback, normalise_calendar};
use super::http::{Exchange, Http, HttpLimits, HttpOutcome, Reach, endpoint};
use super::limits::{
    CALENDAR_CONCURRENCY, CALENDAR_FAILURES_MAX, CALENDAR_INTERVAL_MS, COMMITMENT_BYTES_MAX, REASON_CHARS_MAX,
};
use super::{Captured, EvidenceSource, Sink, SourceError, Stopped};
use crate::domain::{CompletenessBasis, FetchReceipt, Media, RawEvidence, Slice, SliceEnd, SourceId, inert_limited};
use crate::evidence::limits::CALENDAR_REPLY_BYTES_MAX;

const ACCEPT: &str = "application/vnd.opentimestamps.v1";
/// A constant far below 2^64.
const REPLY_BYTES_MAX: u64 = CALENDAR_REPLY_BYTES_MAX as u64;

/// Which commitments to ask for, and which calendars may be contacted at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarPlan {
    /// Address and commitment of each pending attestation, as the proofs name them: untrusted.
    pub requests: Vec<(String, Vec<u8>)>,
    /// Base addresses of the calendars that may be contacted. https, or http on loopback.
    pub allowed: Vec<String>,
    /// Time limits and retries.
    pub http: HttpLimits,
    /// Least time between two requests to one calendar, in milliseconds; none is owed to this machine's own.
    pub interval_ms: u64,
    /// Where to note how each request ended.
    pub log: CalendarLog,
}

/// How one request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CalendarAnswer {
    /// A proof, or what is said to be one.
    Replied,
    /// The calendar knows no more yet.
    NotYet,
    /// No proper answer.
    Failed,
    /// Not asked: too many failures before.
    Skipped,
}

/// Address asked, commitment, answer.
type Noted = (SourceId, Vec<u8>, CalendarAnswer);

/// What became of every request. Shared with the one who made the plan.
#[derive(Debug, Clone, Default)]
pub struct CalendarLog(Arc<Mutex<Vec<Noted>>>);

impl PartialEq for CalendarLog {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for CalendarLog {}

impl CalendarLog {
    /// Takes out what was noted so far.
    pub fn take(&self) -> Vec<Noted> {
        // A list is whole whatever its last writer died of.
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, calendar: &SourceId, commitment: &[u8], answer: CalendarAnswer) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push((calendar.clone(), commitment.to_vec(), answer));
    }
}

impl CalendarPlan {
    /// A plan with the limits that public calendars deserve (OTS 8).
    pub fn polite(requests: Vec<(String, Vec<u8>)>, allowed: Vec<String>) -> Self {
        Self {
            requests,
            allowed,
            http: HttpLimits::default(),
            interval_ms: CALENDAR_INTERVAL_MS,
            log: CalendarLog::default(),
        }
    }
}

#[derive(Debug)]
struct Calendar {
    id: SourceId,
    base: Url,
    host: String,
    commitments: BTreeSet<Vec<u8>>,
    /// Which gate it shares with others of its host.
    gate: usize,
}

/// What all calendars of one host share while they are asked.
#[derive(Debug)]
struct Gate {
    open: Semaphore,
    /// Failures in a row.
    failures: Cell<u32>,
}

/// All allowed calendars together as a source of evidence; one receipt for each that was asked.
#[derive(Debug)]
pub struct CalendarSource {
    calendars: Vec<Calendar>,
    refused: BTreeSet<(String, Vec<u8>)>,
    http: Http,
    interval: Duration,
    log: CalendarLog,
    handle: Handle,
}

impl CalendarSource {
    /// Sorts the requests by calendar; contacts nothing yet. Each commitment is asked of each calendar once.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] for an allowed address that no calendar may have.
    pub fn new(plan: CalendarPlan, handle: Handle) -> Result<Self, SourceError> {
        let misconfigured = |address: &String| SourceError::Misconfigured {
            what: "not a calendar's address",
            address: address.clone(),
        };
        let mut by_base = BTreeMap::new();
        for address in &plan.allowed {
            let base = normalise_calendar(address).ok_or_else(|| misconfigured(address))?;
            let url = Url::parse(&base).map_err(|_| misconfigured(address))?;
            let host = url.host_str().unwrap_or_default().to_owned();
            let id = SourceId(address.clone());
            by_base.entry(base).or_insert(Calendar { id, base: url, host, commitments: BTreeSet::new(), gate: 0 });
        }
        let mut refused = BTreeSet::new();
        for (address, commitment) in plan.requests {
            // INV-11: an address out of a proof is contacted only when it is, in its one spelling, on the list.
            let calendar = normalise_calendar(&address).and_then(|base| by_base.get_mut(&base));
            match calendar {
                Some(calendar) if (1..=COMMITMENT_BYTES_MAX).contains(&commitment.len()) => {
                    calendar.commitments.insert(commitment);
                }
                _ => {
                    refused.insert((address, commitment));
                }
            }
        }
        let asked = by_base.into_values().filter(|calendar| !calendar.commitments.is_empty());
        let mut calendars: Vec<Calendar> = asked.collect();
        let mut hosts = BTreeMap::new();
        for calendar in &mut calendars {
            let next = hosts.len();
            let authority = (calendar.host.clone(), calendar.base.port_or_known_default());
            calendar.gate = *hosts.entry(authority).or_insert(next);
        }
        let http = Http::new(&plan.http, Reach::Public)?;
        Ok(Self { calendars, refused, http, interval: Duration::from_millis(plan.interval_ms), log: plan.log, handle })
    }

    /// The requests that will not be made: address outside the allow-list, or a commitment of impossible length.
    pub fn refused(&self) -> &BTreeSet<(String, Vec<u8>)> {
        &self.refused
    }

    async fn ask_all(&self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, Stopped> {
        let gate = |_| Gate { open: Semaphore::new(CALENDAR_CONCURRENCY), failures: Cell::new(0) };
        let gates: Vec<Gate> = self.calendars.iter().map(gate).collect();
        let mut results: Vec<Results> = self.calendars.iter().map(|_| Results::default()).collect();
        // Calendars run side by side: a slow one never holds up another.
        let streams = self.calendars.iter().enumerate();
        let mut answers = stream::select_all(
            streams.map(|(index, calendar)| Box::pin(self.ask(index, calendar, &gates[calendar.gate]))),
        );
        while let Some((index, commitment, exchange)) = answers.next().await {
            let calendar = &self.calendars[index];
            let answer = exchange.as_ref().map_or(CalendarAnswer::Skipped, |exchange| answer(&exchange.outcome));
            self.log.note(&calendar.id, commitment, answer);
            if let Some(reply) = results[index].note(exchange) {
                let digits = hex(commitment);
                sink.accept(Captured {
                    evidence: RawEvidence {
                        media: Media::CalendarReply,
                        about: format!("{}/{digits}", calendar.host),
                        bytes: reply,
                    }
                    .into(),
                    source: calendar.id.clone(),
                    place: format!("timestamp/{digits}"),
                    offset: 0,
                })?;
            }
            if sink.cancelled() {
                break;
            }
        }
        Ok(self.calendars.iter().zip(&results).map(|(calendar, results)| results.receipt(calendar)).collect())
    }

    fn ask<'a>(
        &'a self,
        index: usize,
        calendar: &'a Calendar,
        gate: &'a Gate,
    ) -> impl Stream<Item = (usize, &'a [u8], Option<Exchange>)> + 'a {
        let paced = stream::iter(calendar.commitments.iter().enumerate()).then(move |(nth, commitment)| async move {
            if nth > 0 && !is_loopback(&calendar.base) {
                tokio::time::sleep(self.interval).await;
            }
            commitment
        });
        paced
            .map(move |commitment| async move {
                // The gate is never closed; without a permit nothing is asked.
                let permit = gate.open.acquire().await;
                if gate.failures.get() >= CALENDAR_FAILURES_MAX || permit.is_err() {
                    return (index, commitment.as_slice(), None);
                }
                let url = endpoint(&calendar.base, &format!("/timestamp/{}", hex(commitment)), None);
                let exchange = self.http.get(&url, Some(ACCEPT), REPLY_BYTES_MAX).await;
                let failed = answer(&exchange.outcome) == CalendarAnswer::Failed;
                gate.failures.set(if failed { gate.failures.get().saturating_add(1) } else { 0 });
                (index, commitment.as_slice(), Some(exchange))
            })
            .buffered(CALENDAR_CONCURRENCY)
    }
}

impl EvidenceSource for CalendarSource {
    fn id(&self) -> SourceId {
        SourceId("ots:calendars".to_owned())
    }

    fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
        let handle = self.handle.clone();
        Ok(handle.block_on(self.ask_all(sink))?)
    }
}

/// Anything that is neither a proof nor a proper "not yet" is a failure.
fn answer(outcome: &HttpOutcome) -> CalendarAnswer {
    match outcome {
        HttpOutcome::Body(_) => CalendarAnswer::Replied,
        HttpOutcome::Status(404, _) => CalendarAnswer::NotYet,
        _ => CalendarAnswer::Failed,
    }
}

/// What one calendar answered.
#[derive(Debug, Default)]
struct Results {
    asked: u64,
    replies: u64,
    skipped: u64,
    retries: u32,
    not_yet: BTreeMap<String, u64>,
    failures: BTreeMap<String, (SliceEnd, u64)>,
}

impl Results {
    fn note(&mut self, exchange: Option<Exchange>) -> Option<Vec<u8>> {
        self.asked += 1;
        let Some(exchange) = exchange else {
            self.skipped += 1;
            return None;
        };
        self.retries = self.retries.saturating_add(exchange.retries);
        match exchange.outcome {
            HttpOutcome::Body(reply) => {
                self.replies += 1;
                return Some(reply);
            }
            HttpOutcome::Status(404, text) => *self.not_yet.entry(state_of(&text)).or_default() += 1,
            outcome => {
                let end = outcome.slice_end();
                self.failures.entry(whitelisted(&outcome.to_string())).or_insert((end, 0)).1 += 1;
            }
        }
        None
    }

    fn receipt(&self, calendar: &Calendar) -> FetchReceipt {
        let wanted = u64::try_from(calendar.commitments.len()).unwrap_or(u64::MAX);
        let (end, basis) = match self.failures.values().next() {
            Some((end, _)) => (*end, CompletenessBasis::None),
            None if self.asked < wanted => (SliceEnd::Cancelled, CompletenessBasis::None),
            // Every commitment was answered, be it with "not yet".
            None => (SliceEnd::Ended, CompletenessBasis::Exhausted),
        };
        let mut reason = String::new();
        let failures = self.failures.iter().map(|(text, (_, count))| (text, count));
        for (text, count) in failures.chain(&self.not_yet) {
            let gap = if reason.is_empty() { "" } else { "; " };
            // Writing to a String cannot fail.
            let _ = write!(reason, "{gap}{count} of {wanted}: {text}");
        }
        if self.skipped > 0 {
            let _ = write!(reason, "; {} not asked after repeated failures", self.skipped);
        }
        FetchReceipt {
            end,
            basis,
            items: self.replies,
            retries: self.retries,
            reason: inert_limited(&reason, REASON_CHARS_MAX),
            ..FetchReceipt::whole(calendar.id.clone(), Slice::all(Media::CalendarReply.name()))
        }
    }
}

/// A calendar's word on a commitment that is not complete. Transaction id and confirmations change from one minute to the
/// next and are left out, so that two captures of one state read the same.
fn state_of(text: &str) -> String {
    if text.starts_with("Timestamped by transaction") {
        return "Timestamped, waiting for confirmations".to_owned();
    }
    whitelisted(text)
}

fn whitelisted(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || " ._/:;,()-".contains(c) { c } else { '_' };
    text.chars().take(REASON_CHARS_MAX).map(plain).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut digits, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendars_text_is_reduced_to_harmless_characters() {
        assert_eq!(
            state_of("Pending confirmation in Bitcoin blockchain"),
            "Pending confirmation in Bitcoin blockchain"
        );
        assert_eq!(state_of("<b>\u{1b}[31m"), "_b___31m");
        assert_eq!(
            state_of("Timestamped by transaction ab12; waiting for 3 confirmations"),
            "Timestamped, waiting for confirmations"
        );
        assert_eq!(state_of(&"x".repeat(1_000)).len(), REASON_CHARS_MAX);
    }
}
