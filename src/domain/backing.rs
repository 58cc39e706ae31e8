//! What a receipt's basis rests on: certificates of relays, manifests of pages, positions to go on from.

use super::digest::Digest32;
use super::id::NostrEventId;
use super::time::UnixSeconds;

/// The highest position of the oldest block of a gateway's payment log, which no walk from above reads (TREASURY 0.1,
/// 1.5): a walk of its own begins here, and the pages of a receipt show whether it did.
pub const LOG_CLOSING_POSITION: u64 = 9_999;

/// What a [`super::FetchReceipt`] can show for its basis, beside its counts. Small: bounded by its writer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
pub struct Backing {
    /// What a relay said it holds in the slice (CAPTURE 2.5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// The pages that the answer came in, in the order they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<PageNote>,
    /// Where a later capture of the slice may go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// A later fetch asked for a window that holds this receipt's: that one speaks, and this one no longer counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub superseded: bool,
}

impl Backing {
    /// True when there is nothing to show.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How a relay's slice was enumerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enumeration {
    /// The relay listed its ids (NIP-77), then gave the events by id.
    Reconciled,
    /// Windows of time were bisected until every page stayed below the relay's cap.
    Bisected,
}

/// What one relay said it holds of one slice. It proves what that relay said, never that nothing else exists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Certificate {
    /// How it was enumerated.
    pub enumeration: Enumeration,
    /// SHA-256 of the relay information document (NIP-11) as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub information: Option<Digest32>,
    /// Ids that the relay claimed to hold.
    pub claimed: u64,
    /// Those of them that it gave.
    pub served: u64,
    /// SHA-256 over the claimed ids, 32 bytes each, ascending.
    pub ids: Digest32,
    /// The relay's own count (NIP-45), when it gave an exact one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<u64>,
    /// The windows, ascending; neighbours of one state are joined.
    pub windows: Vec<Window>,
}

/// One span of `created_at`, both ends inclusive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Window {
    /// Its beginning; `None` is unbounded.
    pub from: Option<UnixSeconds>,
    /// Its end; `None` is unbounded.
    pub until: Option<UnixSeconds>,
    /// Distinct events that the relay gave in it.
    pub items: u64,
    /// Why it is open, in plain words; empty when it is closed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub open: String,
}

/// One page of a paged answer: enough to prove later that the answer was incomplete.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct PageNote {
    /// The position asked for; empty for the first page.
    pub asked: String,
    /// Records on it.
    pub items: u64,
    /// Lowest position on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest: Option<u64>,
    /// Highest position on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highest: Option<u64>,
    /// SHA-256 of the page as received.
    pub sha256: Digest32,
}

/// A place in a source's history: everything before `time`, and at `time` these events, is accounted for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// The newest second seen.
    pub time: UnixSeconds,
    /// The events of that second, ascending: several share one position.
    pub ids: Vec<NostrEventId>,
}
