//! # substrate: where the world comes in
//!
//! Purpose: fetch bytes from files, relays, calendars, gateways, header sources and well-known documents, with a receipt
//! for every slice asked.
//! May import: domain, scratch, evidence
//! External crates: bitcoin, bytes, faster_hex, fastrand, flate2, futures_util, negentropy, reqwest, serde, serde_json, thiserror, tokio, tokio_tungstenite, tracing, zstd
//! Never: verify; write to the store
//! Invariants: INV-8 no claim of completeness without a basis; INV-11 no address is contacted that the config or an
//! allow-list did not name; every read, queue and retry is bounded.

#[cfg(feature = "net")]
mod address;
#[cfg(feature = "net")]
mod balances;
#[cfg(feature = "net")]
mod calendar;
mod documents;
mod files;
#[cfg(feature = "net")]
mod gateway;
#[cfg(feature = "net")]
mod headers;
#[cfg(feature = "net")]
mod http;
#[cfg(feature = "net")]
mod limits;
#[cfg(feature = "net")]
mod probe;
#[cfg(feature = "net")]
mod relay;
#[cfg(feature = "net")]
mod resolve;
#[cfg(feature = "net")]
mod retry;
#[cfg(feature = "net")]
mod stamp;
#[cfg(feature = "net")]
mod wellknown;

#[cfg(feature = "net")]
pub use balances::{BalancesPlan, BalancesSource};
#[cfg(feature = "net")]
pub use calendar::{CalendarAnswer, CalendarLog, CalendarPlan, CalendarSource};
pub use files::{FilePrints, FilesSource, print_of};
#[cfg(feature = "net")]
pub use gateway::{NodeApi, NodePlan, NodeSource, PaymentLogPlan, PaymentLogSource, RecordsPlan, RecordsSource};
#[cfg(feature = "net")]
pub use headers::{HeadersPlan, HeadersSource};
#[cfg(feature = "net")]
pub use http::HttpLimits;
#[cfg(feature = "net")]
pub use probe::{ProbePlan, Probed, probe_all};
#[cfg(feature = "net")]
pub use relay::{
    EventDraft, Looked, NostrPen, Posted, RelayAuth, RelayBudget, RelayPlan, RelaySource, SignedEvent, look_for,
    post_event,
};
#[cfg(feature = "net")]
pub use retry::RetryPolicy;
#[cfg(feature = "net")]
pub use stamp::{Submission, stamp_nonce, submit_digest};
#[cfg(feature = "net")]
pub use wellknown::{WellKnownPlan, WellKnownSource};

use crate::domain::{Addressed, FetchReceipt, Sighting, SourceId};
use crate::scratch::ScratchError;

/// A piece of evidence on its way in, with the place it was seen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// The bytes, and their address.
    pub evidence: Addressed,
    /// Who gave them.
    pub source: SourceId,
    /// Where in the source, for people: file name, page, frame.
    pub place: String,
    /// Byte offset in that place.
    pub offset: u64,
}

impl Captured {
    /// The evidence with its address, and the side record that says where it was seen.
    pub fn addressed(self) -> (Addressed, Sighting) {
        let Self { evidence, source, place, offset } = self;
        let sighting = Sighting { evidence: evidence.id(), source, place, offset };
        (evidence, sighting)
    }
}

/// The receiver is gone or the run was cancelled: stop fetching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("fetching was stopped")]
pub struct Stopped;

/// Where a source puts what it captures. Blocks when the writer is behind (bounded queue).
pub trait Sink {
    /// Hands over one piece of evidence.
    ///
    /// # Errors
    /// [`Stopped`] when the source must end now.
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped>;

    /// True when the run was cancelled; sources look at it between pages.
    fn cancelled(&self) -> bool;
}

/// A local failure: the world's failures are receipts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A configured file or folder can't be read.
    #[error("read {path}")]
    Io {
        /// The path as configured.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The configured address is not usable.
    #[error("{what}: {address}")]
    Misconfigured {
        /// What is wrong, for example `plaintext address outside loopback`.
        what: &'static str,
        /// The address as configured.
        address: String,
    },
    /// A file with a secret that others can read.
    #[error("the secret in {file} can be read by others than its owner")]
    Exposed {
        /// The path as configured.
        file: String,
    },
    /// `--offline` forbids sockets.
    #[error("--offline forbids contacting {address}")]
    Offline {
        /// The address that would have been contacted.
        address: String,
    },
    /// What came can't be counted.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// We were told to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// One place that evidence is fetched from. Runs on its own thread; may block; holds no store and no clock but timeouts.
pub trait EvidenceSource: Send {
    /// The name in receipts and reports.
    fn id(&self) -> SourceId;

    /// Fetches everything this source was configured for.
    ///
    /// Foreign failures (refused, timed out, cut off) become receipts; what came before them stays captured.
    ///
    /// # Errors
    /// [`SourceError`] for local failures only.
    fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError>;
}
