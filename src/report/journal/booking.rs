//! One transaction of a journal: an entry of the ledger, or what one kind of entry came to on one day.

use std::collections::BTreeMap;
use std::io;

use super::chart::sum;
use super::day::{Day, exact};
use crate::domain::{EvidenceId, MsatDelta, TaggedHasher, sha256};
use crate::ledger::{Entry, Fact, Tier};
use crate::report::Pseudonyms;

/// Evidence ids that a transaction lists; of more it says how many and their digest.
const EVIDENCE_LISTED_MAX: usize = 32;
/// Hex digits of a code.
const CODE_DIGITS: usize = 12;

/// What is written of a transaction. All of its text is ours or hexadecimal.
#[derive(Debug)]
pub(super) struct Booking {
    /// Its place in what is written, from 1; 0 until it is written.
    pub(super) number: u64,
    pub(super) day: Day,
    /// The exact time; of a day's sum, none.
    pub(super) time: Option<String>,
    pub(super) kind: &'static str,
    /// The row of TREASURY 5.2: kind and way of the money.
    pub(super) rule: String,
    /// `settlement-`, `envelope-`, `vesting-` or `day-`, and 64 hex digits.
    pub(super) fact: String,
    pub(super) tier: Tier,
    /// Entries in it.
    pub(super) entries: u64,
    pub(super) evidence: String,
    /// Places in the chart, and changes.
    pub(super) lines: Vec<(usize, MsatDelta)>,
}

impl Booking {
    /// The first digits of the fact's id.
    pub(super) fn code(&self) -> &str {
        let id = self.fact.rsplit('-').next().unwrap_or_default();
        id.get(..CODE_DIGITS).unwrap_or(id)
    }

    /// An entry as it is.
    pub(super) fn of(entry: &Entry, lines: Vec<(usize, MsatDelta)>, names: &Pseudonyms) -> io::Result<Self> {
        Ok(Self {
            number: 0,
            day: Day::of(entry.key.at),
            time: Some(exact(entry.key.at)),
            kind: entry.kind,
            rule: format!("{}/{}", entry.kind, way(entry)?),
            fact: fact(&entry.key.fact, names),
            tier: entry.tier,
            entries: 1,
            evidence: evidence(&entry.evidence),
            lines,
        })
    }
}

/// Which way an entry moves what federations hold: `in`, `out`, or `internal`.
pub(super) fn way(entry: &Entry) -> io::Result<&'static str> {
    let assets = entry.postings.iter().filter(|posting| posting.account.is_asset());
    let moved = assets.map(|posting| posting.delta).try_fold(MsatDelta::ZERO, sum)?;
    Ok(match moved.0.signum() {
        1 => "in",
        -1 => "out",
        _ => "internal",
    })
}

/// The fact's kind and id. A vesting has no id of its own: it is the digest of its window and of its user as shown, so that it
/// tells of no hidden one.
pub(super) fn fact(fact: &Fact, names: &Pseudonyms) -> String {
    match fact {
        Fact::Envelope(id) => format!("envelope-{id}"),
        Fact::Settlement(digest) => format!("settlement-{digest}"),
        Fact::Claim(digest) => format!("claim-{digest}"),
        Fact::Vesting(window, user) => {
            let mut hasher = TaggedHasher::new("reledger/journal-vesting/1");
            hasher.field(window.as_str().as_bytes()).field(names.name(user.as_str()).as_bytes());
            format!("vesting-{}", hasher.finish())
        }
    }
}

/// Ids with spaces between, or how many and the digest of that text.
fn evidence(ids: &[EvidenceId]) -> String {
    let text = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if ids.len() <= EVIDENCE_LISTED_MAX { text } else { format!("{} sha256 {}", ids.len(), sha256(text.as_bytes())) }
}

/// What one kind of entry comes to on one day. Debits and credits of an account stay apart.
pub(super) struct Group {
    entries: u64,
    tier: Tier,
    facts: TaggedHasher,
    debits: BTreeMap<usize, MsatDelta>,
    credits: BTreeMap<usize, MsatDelta>,
}

/// Rank among entries of one instant, kind, way.
pub(super) type GroupKey = (u8, &'static str, &'static str);

impl Default for Group {
    fn default() -> Self {
        Self {
            entries: 0,
            tier: Tier::T0,
            facts: TaggedHasher::new("reledger/journal-day/1"),
            debits: BTreeMap::new(),
            credits: BTreeMap::new(),
        }
    }
}

impl Group {
    pub(super) fn add(&mut self, entry: &Entry, lines: &[(usize, MsatDelta)], names: &Pseudonyms) -> io::Result<()> {
        self.entries = self.entries.saturating_add(1);
        self.tier = self.tier.max(entry.tier);
        self.facts.field(fact(&entry.key.fact, names).as_bytes());
        for (place, delta) in lines {
            let side = if *delta < MsatDelta::ZERO { &mut self.credits } else { &mut self.debits };
            let total = side.entry(*place).or_default();
            *total = sum(*total, *delta)?;
        }
        Ok(())
    }

    pub(super) fn booking(self, (_, kind, way): GroupKey, day: Day) -> Booking {
        let mut lines: Vec<(usize, MsatDelta)> = self.debits.into_iter().chain(self.credits).collect();
        lines.sort_unstable_by_key(|(place, delta)| (*place, -delta.0.signum()));
        Booking {
            number: 0,
            day,
            time: None,
            kind,
            rule: format!("{kind}/{way}"),
            fact: format!("day-{}", self.facts.finish()),
            tier: self.tier,
            entries: self.entries,
            evidence: String::new(),
            lines,
        }
    }
}
