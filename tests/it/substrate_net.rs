//! Network sources against servers on loopback that answer well and badly.
//!
//! Goal: whatever a server does, what was captured is exactly what it gave, the receipt says how far that goes, and no
//! time or memory is spent without bound. Method: real sockets; each server follows a script; whole receipts and exact
//! sets are compared. Waits are short limits of the code under test, never sleeps of the test.

#![expect(clippy::unwrap_used, reason = "clippy knows test functions, not the servers and helpers around them")]

mod calendar;
mod documents;
mod gateway;
mod headers;
mod headers_command;
mod hostile_calendar;
mod hostile_uri;
mod http_server;
mod node;
mod ots_command;
mod pages;
mod paging;
mod relay;
mod relay_drawn;
mod relay_faults;
mod relay_server;
mod relay_sets;
mod runs;
mod whole_world;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use reledger::domain::{CompletenessBasis, FetchReceipt, Media, Slice, SliceEnd, SourceId};
use reledger::substrate::{Captured, EvidenceSource, HttpLimits, RetryPolicy, Sink, Stopped};
use tokio::runtime::{Builder, Handle, Runtime};

/// One runtime for servers and sources alike.
fn runtime() -> Handle {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()).handle().clone()
}

/// Keeps what it is given; may stop or be cancelled after some of it.
#[derive(Default)]
struct Collected {
    items: Vec<Captured>,
    stop_after: Option<usize>,
    cancel_after: Option<usize>,
}

impl Collected {
    fn texts(&self) -> BTreeSet<String> {
        self.items.iter().map(|item| String::from_utf8(item.evidence.bytes.clone()).unwrap()).collect()
    }
}

impl Sink for Collected {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        if self.stop_after.is_some_and(|most| self.items.len() >= most) {
            return Err(Stopped);
        }
        self.items.push(captured);
        Ok(())
    }

    fn cancelled(&self) -> bool {
        self.cancel_after.is_some_and(|most| self.items.len() >= most)
    }
}

/// Fetches everything from a source that has no local failure.
fn fetch(source: &mut dyn EvidenceSource) -> (Collected, Vec<FetchReceipt>) {
    let mut sink = Collected::default();
    let receipts = source.fetch(&mut sink).unwrap();
    (sink, receipts)
}

fn quick_retry(attempts: u32) -> RetryPolicy {
    RetryPolicy { attempts, base_ms: 1, max_ms: 2 }
}

/// Ample time, three attempts.
fn patient() -> HttpLimits {
    HttpLimits { connect_ms: 5_000, total_ms: 20_000, retry: quick_retry(3) }
}

/// Little time, two attempts.
fn hasty() -> HttpLimits {
    HttpLimits { connect_ms: 200, total_ms: 200, retry: quick_retry(2) }
}

/// A receipt for a slice that is complete.
fn complete(source: &str, kind: &str, items: u64) -> FetchReceipt {
    FetchReceipt { items, ..FetchReceipt::whole(SourceId(source.to_owned()), Slice::all(kind)) }
}

/// A receipt for a slice that came to nothing or broke off.
fn broken(source: &str, kind: &str, end: SliceEnd, items: u64, reason: &str) -> FetchReceipt {
    let whole = complete(source, kind, items);
    FetchReceipt { end, basis: CompletenessBasis::None, reason: reason.to_owned(), ..whole }
}

fn media(media: Media) -> &'static str {
    media.name()
}
