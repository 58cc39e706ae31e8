//! Nostr relays: every event of the asked kinds, with a receipt per kind that says on what basis it is complete.

mod cap;
mod frame;
mod page;
mod paging;
mod session;
mod tally;

use reqwest::Url;
use serde::Deserialize;
use tokio::runtime::Handle;

use self::cap::CapKnowledge;
use self::page::Talk;
use self::paging::Walker;
use super::address::check_ws;
use super::http::{Http, HttpLimits, HttpOutcome, Reach};
use super::limits::{CONNECT_MS, NIP11_BYTES_MAX, NIP11_MS_MAX};
use super::retry::RetryPolicy;
use super::{EvidenceSource, Sink, SourceError, Stopped};
use crate::domain::{FetchReceipt, SourceId, UnixSeconds};

/// What one relay may cost in one fetch. A budget that trips ends the fetch with receipts that say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayBudget {
    /// EVENT frames, repeats and misfits included.
    pub events: u64,
    /// Bytes of messages.
    pub bytes: u64,
    /// Questions asked, repeated ones included.
    pub pages: u64,
    /// Longest wait for one whole message, in milliseconds.
    pub idle_ms: u64,
    /// Longest wait for one whole page, in milliseconds; time spent on our side does not count.
    pub total_ms: u64,
}

impl Default for RelayBudget {
    fn default() -> Self {
        Self { events: 20_000_000, bytes: 64 << 30, pages: 1_000_000, idle_ms: 30_000, total_ms: 60_000 }
    }
}

/// What to ask of one relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayPlan {
    /// `wss://`, or `ws://` on loopback.
    pub url: String,
    /// The kinds, each a slice of its own.
    pub kinds: Vec<u16>,
    /// Earliest `created_at`, inclusive.
    pub since: Option<UnixSeconds>,
    /// Latest `created_at`, inclusive. `None` includes what is dated into the future.
    pub until: Option<UnixSeconds>,
    /// Accept `ws://` outside loopback.
    pub allow_plaintext: bool,
    /// What it may cost.
    pub budgets: RelayBudget,
    /// The `limit` of each question; the relay's own cap is learned from its pages.
    pub page_limit: u32,
    /// What happens after anything but a proper end.
    pub retry: RetryPolicy,
}

/// One relay as a source of evidence.
#[derive(Debug)]
pub struct RelaySource {
    plan: RelayPlan,
    url: Url,
    id: SourceId,
    http: Http,
    handle: Handle,
}

impl RelaySource {
    /// Checks the plan; contacts nothing yet.
    ///
    /// `handle` must be of a multi-threaded runtime, and `fetch` must be called from a thread that is not one of its
    /// workers.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] for an address that may not be contacted.
    pub fn new(mut plan: RelayPlan, handle: Handle) -> Result<Self, SourceError> {
        let url = check_ws(&plan.url, plan.allow_plaintext.into())?;
        plan.kinds.sort_unstable();
        plan.kinds.dedup();
        let hint_ms = plan.budgets.total_ms.min(NIP11_MS_MAX);
        let limits = HttpLimits {
            connect_ms: hint_ms.min(CONNECT_MS),
            total_ms: hint_ms,
            retry: RetryPolicy { attempts: 1, ..plan.retry },
        };
        let http = Http::new(&limits, Reach::Named)?;
        Ok(Self { id: SourceId(plan.url.clone()), plan, url, http, handle })
    }

    async fn fetch_kinds(&self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, Stopped> {
        let hinted = self.hinted_cap().await;
        let limit = self.plan.page_limit.max(2);
        let talk = Talk::new(&self.id, sink, self.plan.budgets, limit);
        let mut walker = Walker::new(&self.url, self.plan.retry, talk, CapKnowledge::new(u64::from(limit), hinted));
        let mut walks = Vec::with_capacity(self.plan.kinds.len());
        let window = (self.plan.since.map(|time| time.0), self.plan.until.map(|time| time.0));
        for kind in &self.plan.kinds {
            walks.push(walker.walk(*kind, window.0, window.1).await?);
        }
        let cap = walker.finish().await;
        // Only now: a cap that shows itself on the last kind also judges the first.
        Ok(walks.iter().map(|walk| walk.receipt(&self.id, (self.plan.since, self.plan.until), &cap)).collect())
    }

    /// The page cap that the relay's information document claims (NIP-11). It can only add suspicion; failure to get
    /// it means nothing.
    async fn hinted_cap(&self) -> Option<u64> {
        #[derive(Deserialize)]
        struct Document {
            limitation: Option<Limitation>,
        }
        #[derive(Deserialize)]
        struct Limitation {
            max_limit: Option<u64>,
        }
        let mut url = self.url.clone();
        let scheme = if url.scheme() == "wss" { "https" } else { "http" };
        url.set_scheme(scheme).ok()?;
        let exchange = self.http.get(&url, Some("application/nostr+json"), NIP11_BYTES_MAX).await;
        let HttpOutcome::Body(bytes) = exchange.outcome else { return None };
        let document: Document = serde_json::from_slice(&bytes).ok()?;
        document.limitation?.max_limit.filter(|cap| *cap > 0)
    }
}

impl EvidenceSource for RelaySource {
    fn id(&self) -> SourceId {
        self.id.clone()
    }

    fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
        Ok(self.handle.block_on(self.fetch_kinds(sink))?)
    }
}
