//! Bitcoin headers from Bitcoin Core's REST interface or from an Esplora server (OTS 4.1). Nothing is verified here.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};
use reqwest::Url;
use tokio::runtime::Handle;

use super::address::check_http;
use super::http::{Exchange, Http, HttpLimits, HttpOutcome, Reach, endpoint};
use super::limits::{HEADER_TEXT_BYTES_MAX, HEADERS_MAX, REST_HEADERS_MAX};
use super::{Captured, EvidenceSource, Sink, SourceError, Stopped};
use crate::domain::{
    BlockHash, BlockHeight, CompletenessBasis, FetchReceipt, Media, RawEvidence, Sign, Slice, SliceEnd, SourceId,
};

const HEADER_BYTES: usize = 80;
/// Esplora calls in flight: two calls a header need some overlap, a public server deserves restraint.
const ESPLORA_CONCURRENCY: usize = 4;

/// Where to get headers, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadersPlan {
    /// Base address of a Bitcoin Core node with `-rest`; asked first.
    pub rest: Option<String>,
    /// Base address of an Esplora server; asked when there is no node or it failed.
    pub esplora: Option<String>,
    /// First height of the whole chain: the checkpoint's.
    pub from: BlockHeight,
    /// Only these heights; `None` is the whole chain up to the tip.
    pub heights: Option<BTreeSet<BlockHeight>>,
    /// Accept `http://` outside loopback.
    pub allow_plaintext: bool,
    /// Time limits and retries.
    pub http: HttpLimits,
}

/// A header source.
#[derive(Debug)]
pub struct HeadersSource {
    servers: Vec<Server>,
    from: BlockHeight,
    heights: Option<BTreeSet<BlockHeight>>,
    http: Http,
    handle: Handle,
}

#[derive(Debug)]
struct Server {
    id: SourceId,
    base: Url,
    dialect: Dialect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Rest,
    Esplora,
}

/// Consecutive heights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    start: u32,
    count: u32,
}

/// What a server gave so far.
#[derive(Debug, Default)]
struct Progress {
    headers: u64,
    retries: u32,
    misbehaved: u64,
}

/// Why a run stopped before its end.
enum Halt {
    /// The server has no block at this height.
    BeyondTip,
    Failed(SliceEnd, String),
    Stopped(Stopped),
}

impl From<Stopped> for Halt {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

impl HeadersSource {
    /// Checks the plan; contacts nothing yet.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] for an address that may not be contacted, or when none is given.
    pub fn new(plan: HeadersPlan, handle: Handle) -> Result<Self, SourceError> {
        let mut servers = Vec::new();
        for (address, dialect) in [(plan.rest, Dialect::Rest), (plan.esplora, Dialect::Esplora)] {
            if let Some(address) = address {
                let base = check_http(&address, plan.allow_plaintext.into())?;
                servers.push(Server { id: SourceId(address), base, dialect });
            }
        }
        if servers.is_empty() {
            return Err(SourceError::Misconfigured { what: "no header source", address: String::new() });
        }
        let http = Http::new(&plan.http, Reach::Named)?;
        Ok(Self { servers, from: plan.from, heights: plan.heights, http, handle })
    }

    async fn fetch_all(&self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, Stopped> {
        let mut receipts = Vec::new();
        for server in &self.servers {
            let receipt = self.fetch_from(server, sink).await?;
            let done = receipt.basis == CompletenessBasis::Exhausted || receipt.end == SliceEnd::Cancelled;
            receipts.push(receipt);
            if done {
                break;
            }
        }
        Ok(receipts)
    }

    async fn fetch_from(&self, server: &Server, sink: &mut dyn Sink) -> Result<FetchReceipt, Stopped> {
        let mut progress = Progress::default();
        let (end, reason) = match &self.heights {
            Some(heights) => self.fetch_named(server, heights, &mut progress, sink).await?,
            None => self.fetch_chain(server, &mut progress, sink).await?,
        };
        let whole = end == SliceEnd::Ended && reason.is_empty();
        // A receipt takes the place of an earlier one about the same slice: what a server gave of its chain must not be
        // forgotten because it lacks a height that some proof names.
        let name = Media::Headers.name();
        let kind = if self.heights.is_some() { format!("{name}-by-height") } else { name.to_owned() };
        Ok(FetchReceipt {
            end,
            basis: if whole { CompletenessBasis::Exhausted } else { CompletenessBasis::None },
            items: progress.headers,
            retries: progress.retries,
            misbehaved: progress.misbehaved,
            signs: malformed(progress.misbehaved),
            reason,
            ..FetchReceipt::whole(server.id.clone(), Slice::all(kind))
        })
    }

    async fn fetch_chain(
        &self,
        server: &Server,
        progress: &mut Progress,
        sink: &mut dyn Sink,
    ) -> Result<(SliceEnd, String), Stopped> {
        let mut start = self.from.0;
        loop {
            if sink.cancelled() {
                return Ok((SliceEnd::Cancelled, "cancelled".to_owned()));
            }
            if start.saturating_sub(self.from.0) >= HEADERS_MAX {
                return Ok((SliceEnd::BudgetTripped, "budget reached: headers".to_owned()));
            }
            let run = Run { start, count: REST_HEADERS_MAX };
            match self.fetch_run(server, run, progress, sink).await {
                Ok(got) if got == run.count => start = start.saturating_add(got),
                // A short run ends at the tip.
                Ok(_) => return Ok((SliceEnd::Ended, String::new())),
                Err(Halt::BeyondTip) if progress.headers > 0 => return Ok((SliceEnd::Ended, String::new())),
                Err(Halt::BeyondTip) => {
                    return Ok((SliceEnd::Refused, format!("no block at height {start}")));
                }
                Err(Halt::Failed(end, reason)) => return Ok((end, reason)),
                Err(Halt::Stopped(stopped)) => return Err(stopped),
            }
        }
    }

    async fn fetch_named(
        &self,
        server: &Server,
        heights: &BTreeSet<BlockHeight>,
        progress: &mut Progress,
        sink: &mut dyn Sink,
    ) -> Result<(SliceEnd, String), Stopped> {
        let mut missing = 0_u64;
        for run in runs(heights) {
            if sink.cancelled() {
                return Ok((SliceEnd::Cancelled, "cancelled".to_owned()));
            }
            match self.fetch_run(server, run, progress, sink).await {
                Ok(got) => missing += u64::from(run.count - got),
                Err(Halt::BeyondTip) => missing += u64::from(run.count),
                Err(Halt::Failed(end, reason)) => return Ok((end, reason)),
                Err(Halt::Stopped(stopped)) => return Err(stopped),
            }
        }
        if missing > 0 {
            let reason = format!("{missing} of {} heights are not on the server's chain", heights.len());
            return Ok((SliceEnd::Refused, reason));
        }
        Ok((SliceEnd::Ended, String::new()))
    }

    /// Fetches one run, at most `run.count` headers, hands it over, and says how many came. A chain comes in pieces as
    /// large as a call; headers asked for by height each are a piece, because which heights are asked for together depends
    /// on when a capture was interrupted.
    async fn fetch_run(
        &self,
        server: &Server,
        run: Run,
        progress: &mut Progress,
        sink: &mut dyn Sink,
    ) -> Result<u32, Halt> {
        let bytes = match server.dialect {
            Dialect::Rest => self.rest_run(server, run, progress).await?,
            Dialect::Esplora => self.esplora_run(server, run, progress).await?,
        };
        let count = u32::try_from(bytes.len() / HEADER_BYTES).unwrap_or(u32::MAX);
        progress.headers += u64::from(count);
        let size = if self.heights.is_some() { HEADER_BYTES } else { bytes.len().max(1) };
        for (height, piece) in (run.start..).zip(bytes.chunks(size)) {
            sink.accept(Captured {
                evidence: RawEvidence { media: Media::Headers, about: height.to_string(), bytes: piece.to_vec() }
                    .into(),
                source: server.id.clone(),
                place: format!("height {height}"),
                offset: 0,
            })?;
        }
        Ok(count)
    }

    async fn rest_run(&self, server: &Server, run: Run, progress: &mut Progress) -> Result<Vec<u8>, Halt> {
        let route = format!("/rest/blockhashbyheight/{}.hex", run.start);
        let hash = self.hash(server, &route, progress).await?;
        let bytes_max = u64::from(run.count) * 80;
        let query = format!("count={}", run.count);
        let url = endpoint(&server.base, &format!("/rest/headers/{hash}.bin"), Some(&query));
        let mut outcome = progress.note(self.http.get(&url, None, bytes_max).await);
        if matches!(outcome, HttpOutcome::Status(400 | 404, _)) {
            // Before version 24 the count stood in the path.
            let url = endpoint(&server.base, &format!("/rest/headers/{}/{hash}.bin", run.count), None);
            outcome = progress.note(self.http.get(&url, None, bytes_max).await);
        }
        let HttpOutcome::Body(bytes) = outcome else { return Err(failed(&outcome)) };
        if bytes.is_empty() || bytes.len() % HEADER_BYTES != 0 {
            progress.misbehaved += 1;
            return Err(Halt::Failed(SliceEnd::Ended, "the answer is not a whole number of headers".to_owned()));
        }
        Ok(bytes)
    }

    async fn esplora_run(&self, server: &Server, run: Run, progress: &mut Progress) -> Result<Vec<u8>, Halt> {
        let tip = self.esplora_tip(server, progress).await?;
        if run.start > tip {
            return Err(Halt::BeyondTip);
        }
        let last = run.start.saturating_add(run.count - 1).min(tip);
        let mut headers = stream::iter(run.start..=last)
            .map(|height| async move {
                let mut progress = Progress::default();
                let header = self.esplora_header(server, height, &mut progress).await;
                (header, progress)
            })
            .buffered(ESPLORA_CONCURRENCY);
        let mut bytes = Vec::new();
        while let Some((header, one)) = headers.next().await {
            progress.retries = progress.retries.saturating_add(one.retries);
            progress.misbehaved += one.misbehaved;
            bytes.extend_from_slice(&header?);
        }
        Ok(bytes)
    }

    async fn esplora_tip(&self, server: &Server, progress: &mut Progress) -> Result<u32, Halt> {
        let url = endpoint(&server.base, "/blocks/tip/height", None);
        let text = self.text(&url, progress).await?;
        text.parse().map_err(|_| {
            progress.misbehaved += 1;
            Halt::Failed(SliceEnd::Ended, "the answer is not a height".to_owned())
        })
    }

    async fn esplora_header(
        &self,
        server: &Server,
        height: u32,
        progress: &mut Progress,
    ) -> Result<[u8; HEADER_BYTES], Halt> {
        let hash = self.hash(server, &format!("/block-height/{height}"), progress).await?;
        let url = endpoint(&server.base, &format!("/block/{hash}/header"), None);
        let text = self.text(&url, progress).await?;
        decode_header(&text).ok_or_else(|| {
            progress.misbehaved += 1;
            Halt::Failed(SliceEnd::Ended, "the answer is not a header".to_owned())
        })
    }

    async fn hash(&self, server: &Server, route: &str, progress: &mut Progress) -> Result<BlockHash, Halt> {
        let text = self.text(&endpoint(&server.base, route, None), progress).await?;
        text.parse().map_err(|_| {
            progress.misbehaved += 1;
            Halt::Failed(SliceEnd::Ended, "the answer is not a block hash".to_owned())
        })
    }

    async fn text(&self, url: &Url, progress: &mut Progress) -> Result<String, Halt> {
        let outcome = progress.note(self.http.get(url, None, HEADER_TEXT_BYTES_MAX).await);
        let HttpOutcome::Body(bytes) = outcome else { return Err(failed(&outcome)) };
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }
}

impl EvidenceSource for HeadersSource {
    fn id(&self) -> SourceId {
        self.servers.first().map_or_else(|| SourceId(String::new()), |server| server.id.clone())
    }

    fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
        Ok(self.handle.block_on(self.fetch_all(sink))?)
    }
}

impl Progress {
    fn note(&mut self, exchange: Exchange) -> HttpOutcome {
        self.retries = self.retries.saturating_add(exchange.retries);
        exchange.outcome
    }
}

/// Core answers 404 for a height above its tip, Esplora likewise.
fn failed(outcome: &HttpOutcome) -> Halt {
    match outcome {
        HttpOutcome::Status(404, _) => Halt::BeyondTip,
        other => Halt::Failed(other.slice_end(), other.to_string()),
    }
}

/// Groups heights into consecutive runs that one call can answer.
fn runs(heights: &BTreeSet<BlockHeight>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for BlockHeight(height) in heights {
        match runs.last_mut() {
            Some(run) if run.start.checked_add(run.count) == Some(*height) && run.count < REST_HEADERS_MAX => {
                run.count += 1;
            }
            _ => runs.push(Run { start: *height, count: 1 }),
        }
    }
    runs
}

fn decode_header(text: &str) -> Option<[u8; HEADER_BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * HEADER_BYTES {
        return None;
    }
    let mut header = [0; HEADER_BYTES];
    for (byte, pair) in header.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(header)
}

/// Answers that are nothing of what was asked for.
fn malformed(answers: u64) -> BTreeMap<Sign, u64> {
    if answers == 0 { BTreeMap::new() } else { BTreeMap::from([(Sign::Malformed, answers)]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_asked_in_runs() {
        let heights = [5, 6, 7, 9, u32::MAX - 1, u32::MAX].map(BlockHeight).into_iter().collect();
        let run = |start, count| Run { start, count };
        assert_eq!(runs(&heights), [run(5, 3), run(9, 1), run(u32::MAX - 1, 2)]);
    }

    #[test]
    fn only_160_hex_digits_are_a_header() {
        assert_eq!(decode_header(&"0f".repeat(80)), Some([0x0f; 80]));
        for text in [String::new(), "0f".repeat(79), "0f".repeat(81), "+f".repeat(80), "\u{e9}".repeat(80)] {
            assert_eq!(decode_header(&text), None);
        }
    }
}
