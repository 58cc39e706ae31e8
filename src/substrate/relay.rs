//! Nostr relays: every event of the asked kinds, with a receipt per kind that says on what basis it is complete.

mod asking;
mod auth;
mod author;
mod bisect;
mod cap;
mod certificate;
mod count;
mod enumerate;
mod frame;
mod held;
mod information;
mod page;
mod post;
mod question;
mod reconcile;
mod seconds;
mod session;
mod talk;
mod tally;
mod walk;

use std::path::PathBuf;

use reqwest::Url;
use tokio::runtime::Handle;

use self::asking::Asker;
use self::auth::Auth;
use self::information::Information;
use self::question::Span;
use self::talk::Talk;
use self::walk::{Ending, Walk};
use super::address::check_ws;
use super::http::{Http, HttpLimits, HttpOutcome, Reach};
use super::limits::{CONNECT_MS, NIP11_BYTES_MAX, NIP11_MS_MAX};
use super::retry::RetryPolicy;
use super::{EvidenceSource, Sink, SourceError, Stopped};
use crate::domain::{FetchReceipt, SourceId, UnixSeconds};

pub use self::author::{EventDraft, NostrPen, SignedEvent};
pub use self::post::{Looked, Posted, look_for, post_event};

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
    /// Longest wait for this relay in the whole fetch, in milliseconds; time spent on our side does not count.
    pub fetch_ms: u64,
}

impl Default for RelayBudget {
    fn default() -> Self {
        Self {
            events: 20_000_000,
            bytes: 64 << 30,
            pages: 1_000_000,
            idle_ms: 30_000,
            total_ms: 60_000,
            fetch_ms: 4 * 3_600_000,
        }
    }
}

/// How challenges (NIP-42) are answered. Without it they are counted and passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayAuth {
    /// With a key made for this fetch and thrown away.
    Throwaway,
    /// With the key in this file: 64 hex digits, readable by its owner only.
    KeyFile(PathBuf),
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
    /// How challenges are answered.
    pub auth: Option<RelayAuth>,
}

/// A slice that was fetched.
enum Fetched {
    Settled(Box<FetchReceipt>),
    /// What later kinds show of the relay's cap may still cast doubt on it.
    Open(Box<Walk>),
}

/// One relay as a source of evidence.
#[derive(Debug)]
pub struct RelaySource {
    plan: RelayPlan,
    url: Url,
    id: SourceId,
    http: Http,
    auth: Option<Auth>,
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
        let auth = plan.auth.as_ref().map(|auth| Auth::new(auth, &plan.url)).transpose()?;
        Ok(Self { id: SourceId(plan.url.clone()), plan, url, http, auth, handle })
    }

    async fn fetch_kinds(&self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, Stopped> {
        let information = self.information().await;
        let digest = information.digest;
        let talk = Talk::new(&self.id, sink, self.plan.budgets, self.auth.as_ref());
        let mut asker = Asker::new(&self.url, self.plan.retry, talk, self.plan.page_limit.max(2), information);
        let span = Span { from: self.plan.since.map(|time| time.0), until: self.plan.until.map(|time| time.0) };
        let mut slices = Vec::with_capacity(self.plan.kinds.len());
        for kind in &self.plan.kinds {
            let mut walk = self.fetch_kind(&mut asker, *kind, span).await?;
            // What no later page can cast doubt on need not be remembered event by event.
            slices.push(if walk.is_settled() {
                Fetched::Settled(Box::new(walk.receipt(&self.id, &asker.cap, digest)))
            } else {
                Fetched::Open(Box::new(walk))
            });
        }
        for slice in &mut slices {
            if let Fetched::Open(walk) = slice {
                asker.settle(walk).await?;
            }
        }
        asker.finish().await;
        let receipt = |slice| match slice {
            Fetched::Settled(receipt) => *receipt,
            Fetched::Open(mut walk) => walk.receipt(&self.id, &asker.cap, digest),
        };
        Ok(slices.into_iter().map(receipt).collect())
    }

    async fn fetch_kind(&self, asker: &mut Asker<'_>, kind: u16, span: Span) -> Result<Walk, Stopped> {
        let mut walk = Walk::new(kind, span);
        if let Some(failure) = &asker.gave_up {
            walk.ending = Ending::Failed(failure.clone());
            return Ok(walk);
        }
        asker.talk.begin_kind();
        walk.ending = match asker.enumerate(&mut walk).await? {
            Some(ending) => ending,
            None => asker.bisect(&mut walk, &self.plan.kinds).await?,
        };
        if let Some(session) = asker.session.as_mut() {
            asker.talk.hear_out(session, &mut walk.tally).await?;
        }
        asker.note_end(walk.failure());
        Ok(walk)
    }

    /// What the relay says of itself (NIP-11); failure to get it means nothing.
    async fn information(&self) -> Information {
        information_of(&self.http, &self.url).await
    }
}

async fn information_of(http: &Http, relay: &Url) -> Information {
    let mut url = relay.clone();
    let scheme = if url.scheme() == "wss" { "https" } else { "http" };
    if url.set_scheme(scheme).is_err() {
        return Information::default();
    }
    let exchange = http.get(&url, Some("application/nostr+json"), NIP11_BYTES_MAX).await;
    match exchange.outcome {
        HttpOutcome::Body(bytes) => Information::read(&bytes),
        _ => Information::default(),
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
