//! Documents of records over HTTP: JSON Lines, an array, or an object that holds the array, page after page.

use std::collections::BTreeSet;

use reqwest::Url;
use tokio::runtime::Handle;

use super::super::address::check_http;
use super::super::documents::Documents;
use super::super::http::{Exchange, Http, HttpLimits, HttpOutcome, Part, Reach};
use super::super::limits::{RECORDS_BYTES_MAX, RECORDS_PAGES_MAX};
use super::super::{Captured, EvidenceSource, Sink, SourceError, Stopped};
use super::follow::{Next, next};
use super::notes::PageNotes;
use crate::domain::{
    CompletenessBasis, Digest32, FetchReceipt, Media, PageNote, RawEvidence, Sha256Stream, Sign, Slice, SliceEnd,
    SourceId, sha256,
};
use crate::evidence::limits::RECORD_BYTES_MAX;
use crate::evidence::split::{CONTAINER_MEMBERS, Container, Held, Piece, RecordSplitter, StreamEnd};

/// A longer position is noted by its digest.
const ASKED_BYTES_MAX: usize = 256;

/// A document of records: JSON Lines, an array, or an object that holds the array (FORMATS 6.2), on one page or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordsPlan {
    /// The address of its first page; https, or http on loopback. Other pages are followed on the same origin only.
    pub url: String,
    /// What its records are, for example [`Media::Settlement`] or [`Media::Invoice`].
    pub media: Media,
    /// Accept `http://` outside loopback.
    pub allow_plaintext: bool,
    /// Most pages; `None` for the usual 100,000.
    pub pages_max: Option<usize>,
    /// Time limits and retries, for each page; [`HttpLimits::bulk`] suits.
    pub http: HttpLimits,
}

/// A document of records as a source of evidence, read as a stream.
#[derive(Debug)]
pub struct RecordsSource {
    id: SourceId,
    url: Url,
    media: Media,
    pages_max: usize,
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
        let pages_max = plan.pages_max.unwrap_or(RECORDS_PAGES_MAX);
        Ok(Self { id: SourceId(plan.url), url, media: plan.media, pages_max, http, handle })
    }

    async fn read(&self, sink: &mut dyn Sink) -> Result<FetchReceipt, Stopped> {
        let mut walk = Walk::new(self);
        let mut url = self.url.clone();
        loop {
            let page = self.page(&url, walk.room, sink).await?;
            match walk.take(&url, page) {
                Some(next) => url = next,
                None => return Ok(walk.into_receipt()),
            }
        }
    }

    async fn page(&self, url: &Url, room: u64, sink: &mut dyn Sink) -> Result<Page, Stopped> {
        let mut reading = Reading::new(self, url, sink);
        let exchange = self.http.get_stream(url, room, &mut |part| reading.take(&part)).await?;
        reading.finish(exchange)
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

/// One page as it came.
struct Page {
    exchange: Exchange,
    end: StreamEnd,
    held: Vec<Held>,
    items: u64,
    /// Records above the limit or cut off.
    misfits: u64,
    bytes: u64,
    sha256: Digest32,
}

impl Page {
    fn judge(&self) -> (CompletenessBasis, String) {
        judge(&self.exchange, self.end)
    }
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

/// The pages so far.
struct Walk<'a> {
    source: &'a RecordsSource,
    /// Bytes that may still come.
    room: u64,
    asked: BTreeSet<String>,
    /// Pages that held records, by digest.
    seen: BTreeSet<Digest32>,
    documents: Documents,
    notes: PageNotes,
    /// The last page was read.
    ended: bool,
    receipt: FetchReceipt,
}

impl<'a> Walk<'a> {
    fn new(source: &'a RecordsSource) -> Self {
        Self {
            source,
            room: RECORDS_BYTES_MAX,
            asked: BTreeSet::from([source.url.to_string()]),
            seen: BTreeSet::new(),
            documents: Documents::default(),
            notes: PageNotes::default(),
            ended: false,
            receipt: FetchReceipt::whole(source.id.clone(), Slice::all(source.media.name())),
        }
    }

    /// Takes one page; answers where the next one is, or nothing when the walk is over.
    fn take(&mut self, url: &Url, page: Page) -> Option<Url> {
        let (basis, reason) = page.judge();
        let receipt = &mut self.receipt;
        receipt.end = page.exchange.outcome.slice_end();
        receipt.basis = receipt.basis.min(basis);
        if receipt.reason.is_empty() {
            receipt.reason = reason;
        }
        receipt.items = receipt.items.saturating_add(page.items);
        receipt.retries = receipt.retries.saturating_add(page.exchange.retries);
        receipt.misbehaved = receipt.misbehaved.saturating_add(page.misfits);
        self.room = self.room.saturating_sub(page.bytes);
        if !matches!(page.exchange.outcome, HttpOutcome::Body(_)) {
            return None;
        }
        let asked = if self.notes.len() == 0 { String::new() } else { shown(url) };
        self.notes.push(PageNote { asked, items: page.items, lowest: None, highest: None, sha256: page.sha256 });
        let follows = next(&page.held, &page.exchange.links, &self.source.url, url);
        self.documents.note(page.held);
        let is_new = page.items == 0 || self.seen.insert(page.sha256);
        match follows {
            // What a broken page says about the next one is worth nothing.
            _ if basis == CompletenessBasis::None => None,
            Next::Last => self.last(),
            // Cursors of streams always name a position; an empty page that names its own has nothing after it.
            Next::At(next) if page.items == 0 && next == *url => self.last(),
            Next::Unreachable => {
                self.halt(SliceEnd::Ended, Sign::MorePages, "a next page is named that can't be followed")
            }
            Next::At(next) => {
                if !is_new || !self.asked.insert(next.to_string()) {
                    self.halt(SliceEnd::Ended, Sign::PageLoop, "a page leads back to one that was read")
                } else if self.asked.len() > self.source.pages_max {
                    self.halt(SliceEnd::BudgetTripped, Sign::MorePages, "budget reached: pages")
                } else {
                    Some(next)
                }
            }
        }
    }

    fn last(&mut self) -> Option<Url> {
        self.ended = true;
        None
    }

    fn halt(&mut self, end: SliceEnd, sign: Sign, reason: &str) -> Option<Url> {
        let receipt = &mut self.receipt;
        receipt.end = end;
        receipt.basis = CompletenessBasis::None;
        reason.clone_into(&mut receipt.reason);
        receipt.signs.insert(sign, 1);
        None
    }

    fn into_receipt(self) -> FetchReceipt {
        let mut receipt = self.receipt;
        // What each page named was followed, so that nothing named is left.
        let told = |sign: &Sign| !self.ended || *sign != Sign::MorePages;
        for (sign, count) in self.documents.signs().into_iter().filter(|(sign, _)| told(sign)) {
            receipt.signs.entry(sign).or_insert(count);
        }
        receipt.backing = self.notes.into_backing();
        receipt
    }
}

/// The position of a page: what its address adds to its origin.
fn shown(url: &Url) -> String {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let text = format!("{}{query}", url.path());
    if text.len() <= ASKED_BYTES_MAX { text } else { format!("sha256:{}", sha256(text.as_bytes())) }
}

fn splitter() -> RecordSplitter {
    RecordSplitter::new(Container::Detect(CONTAINER_MEMBERS), RECORD_BYTES_MAX)
}

/// One page on its way through the splitter into the sink.
struct Reading<'a> {
    source: &'a RecordsSource,
    place: String,
    splitter: RecordSplitter,
    held: Vec<Held>,
    items: u64,
    misfits: u64,
    bytes: u64,
    hasher: Sha256Stream,
    sink: &'a mut dyn Sink,
}

impl<'a> Reading<'a> {
    fn new(source: &'a RecordsSource, url: &Url, sink: &'a mut dyn Sink) -> Self {
        Self {
            source,
            place: url.path().to_owned(),
            splitter: splitter(),
            held: Vec::new(),
            items: 0,
            misfits: 0,
            bytes: 0,
            hasher: Sha256Stream::default(),
            sink,
        }
    }

    fn take(&mut self, part: &Part<'_>) -> Result<(), Stopped> {
        let bytes = match *part {
            Part::Begin => {
                // The whole page comes again; what is captured already is known by its content.
                self.splitter = splitter();
                self.held.clear();
                (self.items, self.misfits, self.bytes) = (0, 0, 0);
                self.hasher = Sha256Stream::default();
                return Ok(());
            }
            Part::Bytes(bytes) => bytes,
        };
        if self.sink.cancelled() {
            return Err(Stopped);
        }
        // A slice's length always fits 64 bits.
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.hasher.update(bytes);
        let mut pieces = Vec::new();
        self.splitter.feed(bytes, &mut |piece| pieces.push(piece));
        self.held.append(&mut self.splitter.take_containers());
        // Many small documents in one body: only the last of them can name a next page.
        if self.held.len() > HELD_MAX {
            self.held.drain(..self.held.len() - HELD_MAX);
        }
        self.hand_over(pieces)
    }

    fn finish(mut self, exchange: Exchange) -> Result<Page, Stopped> {
        let mut pieces = Vec::new();
        let splitter = std::mem::replace(&mut self.splitter, splitter());
        let end = splitter.finish(&mut |piece| pieces.push(piece));
        self.hand_over(pieces)?;
        let Self { held, items, misfits, bytes, hasher, .. } = self;
        Ok(Page { exchange, end, held, items, misfits, bytes, sha256: hasher.finish() })
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
                evidence: RawEvidence { media: self.source.media, about: String::new(), bytes }.into(),
                source: self.source.id.clone(),
                place: self.place.clone(),
                offset,
            })?;
        }
        Ok(())
    }
}

/// Containers of one body that are remembered.
const HELD_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(outcome: HttpOutcome, framed: bool) -> Exchange {
        Exchange { outcome, retries: 0, framed, links: String::new() }
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

    #[test]
    fn a_long_position_is_noted_by_its_digest() {
        let url = |cursor: &str| Url::parse(&format!("https://gw.example/s?cursor={cursor}")).unwrap();
        assert_eq!(shown(&url("abc")), "/s?cursor=abc");
        assert_eq!(shown(&url(&"a".repeat(300))).len(), "sha256:".len() + 64);
    }
}
