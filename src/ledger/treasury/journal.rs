//! The journal: every fact of the treasury in its order, and the entry that it makes. Entries are made when they are read and
//! are not kept: what is held is the place of each.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::domain::{AmountError, Digest32, EvidenceId, Msat, Sats, UnixMicros, packed_struct};
use crate::evidence::{BillableEvent, SettlementEvent};
use crate::ledger::envelope::EnvelopeLedger;
use crate::ledger::rails::Rails;
use crate::ledger::scope::Scope;

use super::account::Posting;
use super::billed::{Billed, BilledEvent};
use super::entry::{Entry, EntryKey, Tier};
use super::roll::{TreasuryLedger, Unposted};
use super::settled::{Moved, Settled};

/// Where a vesting stands: the order of [`EntryKey`], since they are numbered in the order of their identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) at: UnixMicros,
    pub(super) rank: u8,
    pub(super) number: u32,
}

impl Place {
    /// More facts than 32 bits count don't fit into memory.
    pub(super) fn new(at: UnixMicros, rank: u8, number: usize) -> Self {
        Self { at, rank, number: u32::try_from(number).unwrap_or(u32::MAX) }
    }

    pub(super) fn number(self) -> usize {
        usize::try_from(self.number).unwrap_or(usize::MAX)
    }
}

/// One fact and its entry.
pub(super) struct Step {
    pub(super) key: EntryKey,
    /// An error where a sum left 128 bits.
    pub(super) entry: Result<Entry, AmountError>,
    pub(super) cause: Cause,
}

/// What was billed, and who gets it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    pub(super) gross: Sats,
    pub(super) platform: Sats,
    pub(super) user: Sats,
    pub(super) rebate: Sats,
}

packed_struct!(Parts { gross, platform, user, rebate });

impl Parts {
    pub(super) fn of(event: &BillableEvent) -> Self {
        Self { gross: event.gross, platform: event.platform, user: event.user_earned, rebate: event.rebate }
    }
}

/// What is behind an entry.
#[derive(Debug)]
pub(super) enum Cause {
    Event(Parts),
    Vesting,
    /// `excess` is what an invoice received above the amount.
    Settlement {
        event: Box<SettlementEvent>,
        excess: Msat,
        in_flight: bool,
    },
    Claim(Box<SettlementEvent>),
}

impl Step {
    pub(super) fn new(
        key: EntryKey,
        kind: &'static str,
        postings: Result<Vec<Posting>, AmountError>,
        (mut evidence, tier): (Vec<EvidenceId>, Tier),
        cause: Cause,
    ) -> Self {
        evidence.sort_unstable();
        evidence.dedup();
        let entry = postings.map(|postings| Entry { key: key.clone(), kind, postings, evidence, tier });
        Self { key, entry, cause }
    }
}

/// One fact, from which its step is made.
pub(super) enum Job {
    Billed(BilledEvent),
    Vesting(Place),
    Moved(Box<Moved>),
}

/// Every fact of the treasury, in its order.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    billed: Billed,
    settled: Settled<'a>,
    vestings: Vec<Place>,
}

impl<'a> Facts<'a> {
    pub(super) fn gather(
        scope: Scope<'a>,
        envelopes: &EnvelopeLedger,
        unposted: &BTreeMap<Digest32, Unposted>,
        rails: &Rails,
    ) -> Self {
        let mut vestings = Vec::new();
        let (billed, settled) =
            rayon::join(|| Billed::gather(scope, envelopes, &mut vestings), || Settled::gather(scope, unposted, rails));
        vestings.par_sort_unstable();
        Self { billed, settled, vestings }
    }

    /// In their order.
    pub(super) fn jobs(&self) -> impl Iterator<Item = Job> {
        let mut billed = self.billed.events().peekable();
        let mut vestings = self.vestings.iter().copied().peekable();
        let mut settled = self.settled.facts().peekable();
        std::iter::from_fn(move || {
            let of_events = billed.peek().map(|event| (event.at(), Billed::EVENT));
            let of_vestings = vestings.peek().map(|place| (place.at, place.rank));
            let of_settled = settled.peek().map(Moved::place);
            let first = [of_events, of_vestings, of_settled].into_iter().flatten().min()?;
            if of_events == Some(first) {
                billed.next().map(Job::Billed)
            } else if of_vestings == Some(first) {
                vestings.next().map(Job::Vesting)
            } else {
                settled.next().map(|moved| Job::Moved(Box::new(moved)))
            }
        })
    }

    pub(super) fn step(&self, job: Job) -> Option<Step> {
        match job {
            Job::Billed(event) => Some(Billed::event(&event)),
            Job::Vesting(place) => self.billed.vesting(place),
            Job::Moved(moved) => Some(self.settled.step(*moved)),
        }
    }
}

/// The posted entries of a treasury, made anew for whoever reads them.
#[derive(Debug)]
pub struct Journal<'a> {
    facts: Facts<'a>,
    treasury: &'a TreasuryLedger,
}

impl<'a> Journal<'a> {
    pub(in crate::ledger) fn of(
        scope: Scope<'a>,
        envelopes: &EnvelopeLedger,
        rails: &Rails,
        treasury: &'a TreasuryLedger,
    ) -> Self {
        Self { facts: Facts::gather(scope, envelopes, &treasury.unposted, rails), treasury }
    }

    /// Every posted entry in its order; they are the same each time.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let entries = self.facts.jobs().filter_map(|job| self.facts.step(job)?.entry.ok());
        entries.filter(|entry| !self.treasury.refused.contains(&entry.key))
    }
}
