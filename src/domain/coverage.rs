//! What was asked of whom, how it ended, and on what basis it is complete.

use std::collections::BTreeMap;
use std::fmt;

use super::backing::Backing;
use super::evidence::Media;
use super::time::UnixSeconds;

/// A source as reports name it: a URL as configured, or `files:<media>` for all local files of one media together.
///
/// Local files of one media are one source, so that splitting, renaming or repeating files changes no report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SourceId(pub String);

impl SourceId {
    /// The one source that stands for all local files of a media.
    pub fn files(media: Media) -> Self {
        Self(format!("files:{media}"))
    }
}

/// The one spelling in which two relay addresses are compared: scheme and host in lower case, no default port, no
/// trailing slash.
pub fn relay_spelling(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let scheme = scheme.to_ascii_lowercase();
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = host.to_ascii_lowercase();
    let default_port = if scheme == "wss" { ":443" } else { ":80" };
    let host = host.strip_suffix(default_port).unwrap_or(&host);
    format!("{scheme}://{host}{}", path.trim_end_matches('/'))
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an answer is believed to be complete, weakest first (CAPTURE.md 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompletenessBasis {
    /// No basis at all: nothing came, or the answer was cut off.
    None,
    /// A single second holds as much as the source gives; the rest cannot be asked for.
    Saturated,
    /// A plain end-of-stored-events on an unpaged answer: suggestive, not evidence.
    Heuristic,
    /// Paged down until a page came back strictly below the observed cap, every page ended properly; or a whole file was read.
    Exhausted,
    /// The source said definitively that nothing is left (NIP-67 `finish`).
    FinishHint,
    /// The set of ids was proven equal (NIP-77).
    SetEqual,
}

impl CompletenessBasis {
    /// The kebab-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Saturated => "saturated",
            Self::Heuristic => "heuristic",
            Self::Exhausted => "exhausted",
            Self::FinishHint => "finish-hint",
            Self::SetEqual => "set-equal",
        }
    }
}

impl fmt::Display for CompletenessBasis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl SourceId {
    /// Who left the receipt that a state carries for ever once it was restored from an archive that nobody vouches for.
    pub fn unverified_restore() -> Self {
        Self("restore:unverified".to_owned())
    }
}

/// What part of a source was asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Slice {
    /// The kind asked for: a Nostr kind number as text, or a media name.
    pub kind: String,
    /// Earliest time asked for; `None` is unbounded.
    pub from: Option<UnixSeconds>,
    /// Latest time asked for; `None` is unbounded.
    pub until: Option<UnixSeconds>,
}

impl Slice {
    /// All of a kind, whenever.
    pub fn all(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), from: None, until: None }
    }
}

/// How a fetch of one slice ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SliceEnd {
    /// The source ended it properly.
    Ended,
    /// The source refused (CLOSED, HTTP 4xx).
    Refused,
    /// The connection broke or never came.
    Unreachable,
    /// A timeout of ours.
    TimedOut,
    /// A budget of ours (events, bytes, pages) tripped.
    BudgetTripped,
    /// We were told to stop.
    Cancelled,
}

/// Something noticed about a source's answers beside what they held. Counted per receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// Offence: more authentication challenges on one connection than any use explains.
    AuthFlood,
    /// Offence: far more than was asked for, or chatter that no question calls for.
    Flood,
    /// Offence: messages that can't be read.
    Malformed,
    /// Offence: messages above the byte limit.
    Oversized,
    /// Offence: events repeated inside one answer, more often than once each.
    Repeats,
    /// Offence: events that the question's filter does not admit.
    WrongFilter,
    /// Offence: events for a subscription that was never opened.
    WrongSubscription,
    /// It answered, but with nothing that was asked for.
    Blind,
    /// Paging fault: a document states another number of records than it holds.
    CountDiffers,
    /// Paging fault: a document says that more pages follow.
    MorePages,
    /// Paging fault: a page brought nothing new and nothing lower, and was not empty.
    PageLoop,
    /// Paging fault: a page held entries above the position asked for.
    PageRegress,
    /// Paging fault: a page is no list of entries.
    PageUnreadable,
    /// Different documents with paging positions.
    Paged,
}

impl Sign {
    /// The kebab-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthFlood => "auth-flood",
            Self::Flood => "flood",
            Self::Malformed => "malformed",
            Self::Oversized => "oversized",
            Self::Repeats => "repeats",
            Self::WrongFilter => "wrong-filter",
            Self::WrongSubscription => "wrong-subscription",
            Self::Blind => "blind",
            Self::CountDiffers => "count-differs",
            Self::MorePages => "more-pages",
            Self::PageLoop => "page-loop",
            Self::PageRegress => "page-regress",
            Self::PageUnreadable => "page-unreadable",
            Self::Paged => "paged",
        }
    }

    /// True for what the protocol allows nobody to do (SRC_MISBEHAVES).
    pub const fn is_offence(self) -> bool {
        matches!(
            self,
            Self::AuthFlood
                | Self::Flood
                | Self::Malformed
                | Self::Oversized
                | Self::Repeats
                | Self::WrongFilter
                | Self::WrongSubscription
        )
    }

    /// True when pages do not cover what was asked for (SRC_CAPTURE_GAP).
    pub const fn is_paging_fault(self) -> bool {
        matches!(self, Self::CountDiffers | Self::MorePages | Self::PageLoop | Self::PageRegress | Self::PageUnreadable)
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The record that every fetch leaves: stored after the evidence it speaks of is durable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct FetchReceipt {
    /// Whom we asked.
    pub source: SourceId,
    /// What we asked for.
    pub slice: Slice,
    /// How it ended.
    pub end: SliceEnd,
    /// On what basis the answer is complete.
    pub basis: CompletenessBasis,
    /// Distinct items that came.
    pub items: u64,
    /// Attempts beyond the first.
    pub retries: u32,
    /// Items thrown away because they did not match what was asked (wrong kind, filter, subscription), kept as a count.
    pub misbehaved: u64,
    /// A reason in plain words where the end was not proper. Inert text, no path, no host name beyond the source.
    pub reason: String,
    /// What was noticed about the answers, counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signs: BTreeMap<Sign, u64>,
    /// What the basis rests on.
    #[serde(default, skip_serializing_if = "Backing::is_empty")]
    pub backing: Backing,
}

impl FetchReceipt {
    /// A slice that was read to its end at once, and held nothing.
    pub fn whole(source: SourceId, slice: Slice) -> Self {
        Self {
            source,
            slice,
            end: SliceEnd::Ended,
            basis: CompletenessBasis::Exhausted,
            items: 0,
            retries: 0,
            misbehaved: 0,
            reason: String::new(),
            signs: BTreeMap::new(),
            backing: Backing::default(),
        }
    }
}

/// One row of the report's coverage table: all receipts of one source and slice, joined.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coverage {
    /// Whom we asked.
    pub source: SourceId,
    /// What we asked for.
    pub slice: Slice,
    /// The weakest basis among the receipts, after contradicted claims were withdrawn.
    pub basis: CompletenessBasis,
    /// True when the basis meets the requirement.
    pub complete: bool,
    /// Distinct items that came.
    pub items: u64,
    /// Items that other sources have in this slice and this one lacks.
    pub missing_here: u64,
    /// Attempts beyond the first.
    pub retries: u32,
    /// Why it is not complete, or empty.
    pub reason: String,
}
