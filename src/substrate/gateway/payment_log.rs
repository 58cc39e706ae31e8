//! A Fedimint gateway's payment log, paged so that nothing is lost (TREASURY 1.3, 1.5).

use std::path::PathBuf;

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::runtime::Handle;

use super::super::address::check_http;
use super::super::http::{Http, HttpLimits, HttpOutcome, Reach, endpoint};
use super::super::limits::{LOG_ENTRIES_MAX, LOG_PAGE_BYTES_MAX, LOG_PAGE_ENTRIES, LOG_PAGES_MAX};
use super::super::{Captured, EvidenceSource, Sink, SourceError, Stopped};
use super::log_paging::{Admission, LogPaging, Turn};
use super::secret;
use crate::domain::{CompletenessBasis, FetchReceipt, Media, RawEvidence, Sign, Slice, SliceEnd, SourceId, sha256};
use crate::evidence::rails::redact_log_entry;

/// Every event kind that moves money or may (TREASURY 1.4). An empty list would mean the gateway's eleven default kinds,
/// not all. The per-note kinds are left out: they carry nonces only.
const EVENT_KINDS: [&str; 19] = [
    "outgoing-payment-started",
    "outgoing-payment-succeeded",
    "outgoing-payment-failed",
    "incoming-payment-started",
    "incoming-payment-succeeded",
    "incoming-payment-failed",
    "complete-lightning-payment-succeeded",
    "oob-notes-spent",
    "oob-notes-reissued",
    "withdraw-request",
    "deposit-confirmed",
    "payment-send",
    "payment-send-status",
    "payment-send-update",
    "payment-receive",
    "payment-receive-update",
    "tx-created",
    "tx-accepted",
    "tx-rejected",
];

/// One gateway's payment log for one federation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentLogPlan {
    /// The gateway's base address, or the address of its `payment_log` route.
    pub url: String,
    /// The federation, as hex.
    pub federation_id: String,
    /// A file that only its owner can read, with the gateway's password.
    pub password_file: PathBuf,
    /// Entries per page; at least 2, `None` for the usual 5,000.
    pub page_entries: Option<u32>,
    /// Accept `http://` outside loopback.
    pub allow_plaintext: bool,
    /// Time limits and retries; [`HttpLimits::bulk`] suits.
    pub http: HttpLimits,
}

/// A payment log as a source of evidence.
#[derive(Debug)]
pub struct PaymentLogSource {
    id: SourceId,
    url: Url,
    federation_id: String,
    page_entries: u32,
    authorization: HeaderMap,
    http: Http,
    handle: Handle,
}

impl PaymentLogSource {
    /// Checks the plan and reads the password; contacts nothing yet.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] for an address that may not be contacted, [`SourceError::Exposed`] for a password file
    /// that others can read, [`SourceError::Io`] when the file can't be read.
    pub fn new(plan: PaymentLogPlan, handle: Handle) -> Result<Self, SourceError> {
        let url = check_http(&plan.url, plan.allow_plaintext.into())?;
        let is_route = url.path().trim_end_matches('/').ends_with("/payment_log");
        let url = if is_route { url } else { endpoint(&url, "/payment_log", None) };
        let password = secret::read_line(&plan.password_file)?;
        let bearer = secret::header(&plan.password_file, &format!("Bearer {password}"))?;
        let authorization = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
        let http = Http::new(&plan.http, Reach::Named)?;
        Ok(Self {
            id: SourceId(plan.url),
            url,
            federation_id: plan.federation_id,
            page_entries: plan.page_entries.unwrap_or(LOG_PAGE_ENTRIES).max(2),
            authorization,
            http,
            handle,
        })
    }

    async fn read(&self, sink: &mut dyn Sink) -> Result<FetchReceipt, Stopped> {
        let mut log =
            Log { source: self, sink, paging: LogPaging::default(), unnamed: 0, pages: 0, retries: 0, misbehaved: 0 };
        let (end, basis, reason, sign) = match log.walk().await? {
            None => (SliceEnd::Ended, CompletenessBasis::Exhausted, String::new(), None),
            Some(halt) => (halt.end, CompletenessBasis::None, halt.reason, halt.sign),
        };
        let known = u64::try_from(log.paging.known()).unwrap_or(u64::MAX);
        Ok(FetchReceipt {
            end,
            basis,
            items: known.saturating_add(log.unnamed),
            retries: log.retries,
            misbehaved: log.misbehaved,
            reason,
            signs: sign.into_iter().map(|sign| (sign, 1)).collect(),
            backing: log.paging.into_notes().into_backing(),
            ..FetchReceipt::whole(self.id.clone(), Slice::all(Media::PaymentLogEntry.name()))
        })
    }
}

impl EvidenceSource for PaymentLogSource {
    fn id(&self) -> SourceId {
        self.id.clone()
    }

    fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
        Ok(vec![self.handle.block_on(self.read(sink))?])
    }
}

/// Why the log was not read to its end.
struct Halt {
    end: SliceEnd,
    reason: String,
    /// What was wrong with the paging, when that was it.
    sign: Option<Sign>,
}

impl Halt {
    fn budget(what: &str) -> Self {
        Self { end: SliceEnd::BudgetTripped, reason: format!("budget reached: {what}"), sign: None }
    }

    fn refused(outcome: &HttpOutcome) -> Self {
        Self { end: outcome.slice_end(), reason: outcome.to_string(), sign: None }
    }

    fn paging(sign: Sign, reason: &str) -> Self {
        Self { end: SliceEnd::Ended, reason: reason.to_owned(), sign: Some(sign) }
    }
}

/// The reading of one log.
struct Log<'a> {
    source: &'a PaymentLogSource,
    sink: &'a mut dyn Sink,
    paging: LogPaging,
    /// Entries without a readable id.
    unnamed: u64,
    pages: u64,
    retries: u32,
    misbehaved: u64,
}

impl Log<'_> {
    /// Reads page after page; answers why it stopped before the end.
    async fn walk(&mut self) -> Result<Option<Halt>, Stopped> {
        loop {
            if self.sink.cancelled() {
                return Ok(Some(Halt { end: SliceEnd::Cancelled, reason: "cancelled".to_owned(), sign: None }));
            }
            if self.pages >= LOG_PAGES_MAX {
                return Ok(Some(Halt::budget("pages")));
            }
            if self.paging.known() > LOG_ENTRIES_MAX {
                return Ok(Some(Halt::budget("entries")));
            }
            let body = match self.request().await {
                Ok(body) => body,
                Err(halt) => return Ok(Some(halt)),
            };
            if !self.take(&body)? {
                self.misbehaved += 1;
                return Ok(Some(Halt::paging(Sign::PageUnreadable, "the answer is not a list of entries")));
            }
            match self.paging.turn(sha256(&body)) {
                Turn::Ask => {}
                Turn::Done => return Ok(None),
                Turn::Halt(sign, reason) => return Ok(Some(Halt::paging(sign, reason))),
            }
        }
    }

    async fn request(&mut self) -> Result<Vec<u8>, Halt> {
        self.pages += 1;
        let source = self.source;
        let body = json!({
            "end_position": self.paging.position(),
            "pagination_size": source.page_entries,
            "federation_id": source.federation_id,
            "event_kinds": EVENT_KINDS,
        });
        let exchange =
            source.http.post_json(&source.url, &source.authorization, &body.to_string(), LOG_PAGE_BYTES_MAX).await;
        self.retries = self.retries.saturating_add(exchange.retries);
        match exchange.outcome {
            HttpOutcome::Body(body) => Ok(body),
            HttpOutcome::Status(status, text) => {
                // The text of a refusal may quote an entry, notes included.
                let text = redact_log_entry(text.as_bytes())
                    .map_or(text, |redacted| String::from_utf8_lossy(&redacted).into_owned());
                Err(Halt::refused(&HttpOutcome::Status(status, text)))
            }
            outcome => Err(Halt::refused(&outcome)),
        }
    }

    /// Takes every entry of a page; false when the page is no array.
    fn take(&mut self, body: &[u8]) -> Result<bool, Stopped> {
        let Ok(entries) = serde_json::from_slice::<Vec<&RawValue>>(body) else { return Ok(false) };
        let asked = self.paging.position();
        for (place, entry) in entries.iter().map(|raw| raw.get()).enumerate() {
            let Some(id) = log_id(entry) else {
                // Paging can't go by it; the decoder says what is wrong with it.
                self.paging.admit_unnamed();
                self.unnamed += 1;
                self.misbehaved += 1;
                self.accept(entry, place)?;
                continue;
            };
            self.misbehaved += u64::from(asked.is_some_and(|asked| id > asked));
            let mut content = [0; 16];
            content.copy_from_slice(&sha256(entry.as_bytes()).as_bytes()[..16]);
            let admission = self.paging.admit(id, content);
            self.misbehaved += u64::from(admission == Admission::Changed);
            if admission != Admission::Known {
                self.accept(entry, place)?;
            }
        }
        Ok(true)
    }

    fn accept(&mut self, entry: &str, place: usize) -> Result<(), Stopped> {
        self.sink.accept(Captured {
            evidence: RawEvidence {
                media: Media::PaymentLogEntry,
                about: self.source.federation_id.clone(),
                // Spendable notes that two modules log (TREASURY 0.4) must not be stored.
                bytes: redact_log_entry(entry.as_bytes()).unwrap_or_else(|| entry.as_bytes().to_vec()),
            }
            .into(),
            source: self.source.id.clone(),
            place: format!("payment log page {}", self.pages),
            offset: u64::try_from(place).unwrap_or(u64::MAX),
        })
    }
}

/// The log id in any of the three wire shapes (TREASURY 1.3).
fn log_id(entry: &str) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(alias = "event_id")]
        id: u64,
    }
    if entry.starts_with('[') {
        let members: Vec<&RawValue> = serde_json::from_str(entry).ok()?;
        return members.first()?.get().parse().ok();
    }
    serde_json::from_str::<Named>(entry).ok().map(|named| named.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_in_all_three_shapes() {
        for entry in [
            r#"[7,"tx-created",null,1,{}]"#,
            r#"{"event_id":7,"event_kind":"tx-created","module":null,"timestamp":1,"value":{}}"#,
            r#"{"id":7,"kind":"tx-created","module":null,"ts_usecs":1,"payload":{"id":9}}"#,
        ] {
            assert_eq!(log_id(entry), Some(7), "{entry}");
        }
        for entry in ["[]", "{}", "7", r#"{"id":-1}"#, r#"{"id":1,"event_id":2}"#, r#"["7"]"#] {
            assert_eq!(log_id(entry), None, "{entry}");
        }
    }
}
