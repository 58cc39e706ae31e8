//! What a federation's gateway tells: settlements and invoices as documents of records, and its payment log.

mod payment_log;

use reqwest::Url;
use tokio::runtime::Handle;

pub use payment_log::{PaymentLogPlan, PaymentLogSource};

use super::address::check_http;
use super::documents::Documents;
use super::http::{Exchange, Http, HttpLimits, HttpOutcome, Part, Reach};
use super::limits::RECORDS_BYTES_MAX;
use super::{Captured, EvidenceSource, Sink, SourceError, Stopped};
use crate::domain::{Backing, CompletenessBasis, FetchReceipt, Media, RawEvidence, Slice, SourceId};
use crate::evidence::limits::RECORD_BYTES_MAX;
use crate::evidence::split::{Container, Piece, RecordSplitter, StreamEnd};

/// The members of an object whose array holds records (FORMATS 6.2, TREASURY 3).
const CONTAINER_MEMBERS: &[&str] = &["settlements", "invoices", "events", "payments", "transactions", "balances"];

/// One document of records: JSON Lines, an array, or an object that holds the array (FORMATS 6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordsPlan {
    /// Its address; https, or http on loopback.
    pub url: String,
    /// What its records are, for example [`Media::Settlement`] or [`Media::Invoice`].
    pub media: Media,
    /// Accept `http://` outside loopback.
    pub allow_plaintext: bool,
    /// Time limits and retries; [`HttpLimits::bulk`] suits.
    pub http: HttpLimits,
}

/// A document of records as a source of evidence, read as a stream.
#[derive(Debug)]
pub struct RecordsSource {
    id: SourceId,
    url: Url,
    media: Media,
    http: Http,
    handle: Handle,
}

impl RecordsSource {
    /// Checks the plan; contacts nothing yet.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] for an address that may not be contacted.
    pub fn new(plan: RecordsPlan, handle: Handle) -> Result<Self, SourceError> {
        let url = check_http(&plan.url, plan.allow_plaintext.into())?;
        let http = Http::new(&plan.http, Reach::Named)?;
        Ok(Self { id: SourceId(plan.url), url, media: plan.media, http, handle })
    }

    async fn read(&self, sink: &mut dyn Sink) -> Result<FetchReceipt, Stopped> {
        let mut reading =
            Reading { source: self, splitter: splitter(), items: 0, misfits: 0, documents: Documents::default(), sink };
        let exchange = self.http.get_stream(&self.url, RECORDS_BYTES_MAX, &mut |part| reading.take(&part)).await?;
        let end = reading.finish()?;
        let (basis, reason) = judge(&exchange, end);
        Ok(FetchReceipt {
            source: self.id.clone(),
            slice: Slice { kind: self.media.name().to_owned(), from: None, until: None },
            end: exchange.outcome.slice_end(),
            basis,
            items: reading.items,
            retries: exchange.retries,
            misbehaved: reading.misfits,
            reason,
            signs: reading.documents.signs(),
            backing: Backing::default(),
        })
    }
}

fn splitter() -> RecordSplitter {
    RecordSplitter::new(Container::Detect(CONTAINER_MEMBERS), RECORD_BYTES_MAX)
}

fn judge(exchange: &Exchange, end: StreamEnd) -> (CompletenessBasis, String) {
    if !matches!(exchange.outcome, HttpOutcome::Body(_)) {
        return (CompletenessBasis::None, exchange.outcome.to_string());
    }
    match end {
        StreamEnd::CutOff => (CompletenessBasis::None, "the document ends inside a record".to_owned()),
        StreamEnd::Proper if !exchange.framed => {
            (CompletenessBasis::Heuristic, "only the end of the connection marks the end of the document".to_owned())
        }
        StreamEnd::Proper => (CompletenessBasis::Exhausted, String::new()),
    }
}

impl EvidenceSource for RecordsSource {
    fn id(&self) -> SourceId {
        self.id.clone()
    }

    fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
        Ok(vec![self.handle.block_on(self.read(sink))?])
    }
}

/// One document on its way through the splitter into the sink.
struct Reading<'a> {
    source: &'a RecordsSource,
    splitter: RecordSplitter,
    items: u64,
    /// Records above the limit or cut off.
    misfits: u64,
    documents: Documents,
    sink: &'a mut dyn Sink,
}

impl Reading<'_> {
    fn take(&mut self, part: &Part<'_>) -> Result<(), Stopped> {
        let bytes = match *part {
            Part::Begin => {
                // The whole document comes again; what is captured already is known by its content.
                self.splitter = splitter();
                self.items = 0;
                self.misfits = 0;
                self.documents.clear();
                return Ok(());
            }
            Part::Bytes(bytes) => bytes,
        };
        if self.sink.cancelled() {
            return Err(Stopped);
        }
        let mut pieces = Vec::new();
        self.splitter.feed(bytes, &mut |piece| pieces.push(piece));
        self.documents.note(self.splitter.take_containers());
        self.hand_over(pieces)
    }

    fn finish(&mut self) -> Result<StreamEnd, Stopped> {
        let mut pieces = Vec::new();
        let splitter = std::mem::replace(&mut self.splitter, splitter());
        let end = splitter.finish(&mut |piece| pieces.push(piece));
        self.hand_over(pieces)?;
        Ok(end)
    }

    fn hand_over(&mut self, pieces: Vec<Piece>) -> Result<(), Stopped> {
        for piece in pieces {
            let (offset, bytes, whole) = match piece {
                Piece::Record { offset, bytes } => (offset, bytes, true),
                Piece::Oversized { offset, prefix, .. } => (offset, prefix, false),
                Piece::Truncated { offset, bytes } => (offset, bytes, false),
            };
            self.items += 1;
            self.misfits += u64::from(!whole);
            self.sink.accept(Captured {
                evidence: RawEvidence { media: self.source.media, about: String::new(), bytes },
                source: self.source.id.clone(),
                place: self.source.url.path().to_owned(),
                offset,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SliceEnd;

    fn exchange(outcome: HttpOutcome, framed: bool) -> Exchange {
        Exchange { outcome, retries: 0, framed }
    }

    #[test]
    fn only_a_whole_marked_document_is_complete() {
        let body = || HttpOutcome::Body(Vec::new());
        assert_eq!(judge(&exchange(body(), true), StreamEnd::Proper).0, CompletenessBasis::Exhausted);
        assert_eq!(judge(&exchange(body(), false), StreamEnd::Proper).0, CompletenessBasis::Heuristic);
        assert_eq!(judge(&exchange(body(), true), StreamEnd::CutOff).0, CompletenessBasis::None);
        assert_eq!(judge(&exchange(HttpOutcome::CutOff, true), StreamEnd::Proper).0, CompletenessBasis::None);
        assert_eq!(HttpOutcome::CutOff.slice_end(), SliceEnd::Unreachable);
    }
}
