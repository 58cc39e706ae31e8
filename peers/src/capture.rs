//! The capture of one relay, and what is to be said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Instant;

use reledger::domain::{CompletenessBasis, FetchReceipt};
use reledger::substrate::{
    Captured, EvidenceSource as _, RelayBudget, RelayPlan, RelaySource, RetryPolicy, Sink, Stopped,
};
use serde_json::Value;
use tokio::runtime::Handle;

use super::events::{Event, KIND};
use super::meter::Meter;

/// What a capture of one relay came to.
pub struct Verdict {
    asked: u32,
    held: usize,
    captured: usize,
    basis: CompletenessBasis,
    reason: String,
    /// Windows named open, with their bounds.
    open: Vec<String>,
    messages: u64,
    seconds: u64,
    /// Events that are missing although the slice is called complete, or outside every open window.
    pub lost_silently: usize,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, held, captured, basis, open, messages, seconds, .. } = self;
        write!(f, "asked {asked} held {held} captured {captured} basis {basis} open windows {}", open.len())?;
        if !open.is_empty() {
            write!(f, " ({})", open.join(", "))?;
        }
        write!(f, " messages {messages} seconds {seconds}")?;
        if !self.reason.is_empty() {
            write!(f, " reason: {}", self.reason)?;
        }
        if self.lost_silently > 0 {
            write!(f, " LOST SILENTLY {}", self.lost_silently)?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Ids(BTreeSet<String>);

impl Sink for Ids {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        let event: Value = serde_json::from_slice(&captured.evidence.bytes).unwrap_or_default();
        self.0.extend(event["id"].as_str().map(str::to_owned));
        Ok(())
    }

    fn cancelled(&self) -> bool {
        false
    }
}

/// Captures the relay through the public client.
pub async fn capture(url: &str, page_limit: u32, held: &[Event]) -> Result<Verdict, String> {
    let meter = Meter::before(url).await.map_err(|error| error.to_string())?;
    let plan = RelayPlan {
        url: meter.url.clone(),
        kinds: vec![KIND],
        since: None,
        until: None,
        allow_plaintext: false,
        auth: None,
        budgets: RelayBudget::default(),
        page_limit,
        retry: RetryPolicy::default(),
    };
    let mut source = RelaySource::new(plan, Handle::current()).map_err(|error| error.to_string())?;
    let began = Instant::now();
    let fetched = tokio::task::spawn_blocking(move || {
        let mut ids = Ids::default();
        source.fetch(&mut ids).map(|receipts| (ids.0, receipts))
    });
    let (ids, receipts) = fetched.await.map_err(|_| "the capture panicked")?.map_err(|error| error.to_string())?;
    let receipt = receipts.first().ok_or("no receipt")?;
    let seconds = began.elapsed().as_secs();
    Ok(Verdict { asked: page_limit, messages: meter.messages(), seconds, ..verdict(held, &ids, receipt) })
}

fn verdict(held: &[Event], ids: &BTreeSet<String>, receipt: &FetchReceipt) -> Verdict {
    let held: BTreeMap<String, i64> = held
        .iter()
        .map(|event| (event.id.to_hex(), i64::try_from(event.created_at.as_secs()).unwrap_or(i64::MAX)))
        .collect();
    let windows = receipt.backing.certificate.iter().flat_map(|certificate| &certificate.windows);
    let open: Vec<_> = windows.filter(|window| !window.open.is_empty()).collect();
    let is_open = |at: i64| {
        open.iter()
            .any(|window| window.from.is_none_or(|from| at >= from.0) && window.until.is_none_or(|until| at <= until.0))
    };
    let complete = receipt.basis >= CompletenessBasis::Exhausted;
    let missing = held.iter().filter(|(id, _)| !ids.contains(*id));
    let certified = receipt.backing.certificate.is_some();
    let lost_silently = missing.filter(|(_, at)| complete || (certified && !is_open(**at))).count();
    let bound = |time: Option<reledger::domain::UnixSeconds>| time.map_or("any".to_owned(), |time| time.0.to_string());
    Verdict {
        asked: 0,
        held: held.len(),
        captured: held.keys().filter(|id| ids.contains(*id)).count(),
        basis: receipt.basis,
        reason: receipt.reason.clone(),
        open: open.iter().map(|window| format!("{}..{}", bound(window.from), bound(window.until))).collect(),
        messages: 0,
        seconds: 0,
        lost_silently,
    }
}
