//! One entry of the journal: its place, its postings, and what it rests on.

use crate::domain::{Digest32, EnvelopeId, EvidenceId, Subject, UnixMicros, UserKey, WindowId};
use crate::ledger::canonical::Leaf;

use super::account::Posting;

/// How well a stranger can verify an entry (TREASURY 3.4): the weakest of what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// By anyone: an outgoing payment with its preimage and the payee's invoice.
    T0,
    /// Given pinned keys: signed settlements and envelopes.
    T1,
    /// Only that it was said: an unsigned record.
    T2,
    /// Not at all.
    T3,
}

impl Tier {
    /// `T0` to `T3`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::T0 => "T0",
            Self::T1 => "T1",
            Self::T2 => "T2",
            Self::T3 => "T3",
        }
    }
}

/// The ledger fact behind an entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// A billable event.
    Envelope(EnvelopeId),
    /// A user's share of one drop window vests.
    Vesting(WindowId, UserKey),
    /// A settlement, by the digest of its signed bytes.
    Settlement(Digest32),
    /// The federation accepts the claim of a settlement that was sent before.
    Claim(Digest32),
}

/// The journal's total order: time, then what must come first on ties (money in, billing, vesting, money out, claims), then
/// identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryKey {
    /// Claimed time.
    pub at: UnixMicros,
    /// Rank on ties: the lenient order, so that no shortage is an artefact of equal times.
    pub rank: u8,
    /// Identity.
    pub fact: Fact,
}

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub key: EntryKey,
    /// What kind of fact, for example `escrow.deposit`.
    pub kind: &'static str,
    /// Sorted by account; sums to zero.
    pub postings: Vec<Posting>,
    /// What it rests on; not part of its leaf, since carriers are provenance.
    pub evidence: Vec<EvidenceId>,
    /// The weakest of what it rests on.
    pub tier: Tier,
}

impl Entry {
    pub(in crate::ledger) fn leaf(&self) -> Vec<u8> {
        let leaf = Leaf::new(self.kind).int("at_micros", self.key.at.0).text("tier", self.tier.name());
        let leaf = match &self.key.fact {
            Fact::Envelope(id) => leaf.text("envelope", id),
            Fact::Vesting(window, user) => leaf.text("window", window).text("user", user),
            Fact::Settlement(digest) | Fact::Claim(digest) => leaf.text("settlement", digest),
        };
        leaf.pairs("postings", self.postings.iter().map(|posting| (&posting.account, posting.delta))).bytes()
    }

    /// The fact behind it as one text, which no other entry of a journal has.
    pub(in crate::ledger) fn name(&self) -> String {
        match &self.key.fact {
            Fact::Envelope(id) => format!("envelope:{id}"),
            // A window may hold a colon; escaped, the first one ends it.
            Fact::Vesting(window, user) => {
                let window = window.as_str().replace('%', "%25").replace(':', "%3A");
                format!("vesting:{window}:{user}")
            }
            Fact::Settlement(digest) => format!("settlement:{digest}"),
            Fact::Claim(digest) => format!("claim:{digest}"),
        }
    }

    pub(super) fn subject(&self) -> Subject {
        match &self.key.fact {
            Fact::Envelope(id) => Subject::new("envelope", id),
            Fact::Vesting(window, user) => Subject::new("window", window).and("user", user),
            Fact::Settlement(digest) | Fact::Claim(digest) => Subject::new("settlement", digest),
        }
    }
}
