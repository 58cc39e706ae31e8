//! The journal: every fact of the treasury in its order, and the entry that it makes. Entries are made when they are read and
//! are not kept: what is held is the place of each.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::domain::{AmountError, Digest32, EvidenceId, Msat, Sats, UnixMicros, packed_struct};
use crate::evidence::{BillableEvent, SettlementEvent};
use crate::ledger::envelope::EnvelopeLedger;
use crate::ledger::scope::Scope;

use super::account::Posting;
use super::billed::{Billed, BilledEvent};
use super::entry::{Entry, EntryKey, Tier};
use super::roll::{TreasuryLedger, Unposted};
use super::settled::Settled;

/// Where a fact stands: the order of [`EntryKey`], since facts of one rank are numbered in the order of their identities.
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
pub(super) struct Step<'a> {
    pub(super) key: EntryKey,
    /// An error where a sum left 128 bits.
    pub(super) entry: Result<Entry, AmountError>,
    pub(super) cause: Cause<'a>,
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
#[derive(Debug, Clone, Copy)]
pub(super) enum Cause<'a> {
    Event(Parts),
    Vesting,
    /// `excess` is what an invoice received above the amount.
    Settlement {
        event: &'a SettlementEvent,
        excess: Msat,
        in_flight: bool,
    },
    Claim(&'a SettlementEvent),
}

impl<'a> Step<'a> {
    pub(super) fn new(
        key: EntryKey,
        kind: &'static str,
        postings: Result<Vec<Posting>, AmountError>,
        (mut evidence, tier): (Vec<EvidenceId>, Tier),
        cause: Cause<'a>,
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
    Placed(Place),
}

/// Every fact of the treasury, in its order.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    billed: Billed,
    settled: Settled<'a>,
    /// Of all facts but billed events.
    places: Vec<Place>,
}

impl<'a> Facts<'a> {
    pub(super) fn gather(
        scope: Scope<'a>,
        envelopes: &EnvelopeLedger,
        unposted: &BTreeMap<Digest32, Unposted>,
    ) -> Self {
        let (mut places, mut of_settled) = (Vec::new(), Vec::new());
        let (billed, settled) = rayon::join(
            || Billed::gather(scope, envelopes, &mut places),
            || Settled::gather(scope, unposted, &mut of_settled),
        );
        places.append(&mut of_settled);
        places.par_sort_unstable();
        Self { billed, settled, places }
    }

    /// In their order.
    pub(super) fn jobs(&self) -> impl Iterator<Item = Job> {
        let (mut billed, mut placed) = (self.billed.events().peekable(), self.places.iter().copied().peekable());
        std::iter::from_fn(move || {
            let next = billed.peek().map(|event| (event.at(), Billed::EVENT));
            let is_first = |place: &Place| next.is_none_or(|next| (place.at, place.rank) < next);
            placed.next_if(is_first).map(Job::Placed).or_else(|| billed.next().map(Job::Billed))
        })
    }

    pub(super) fn step(&self, job: &Job) -> Option<Step<'a>> {
        let place = match job {
            Job::Billed(event) => return Some(Billed::event(event)),
            Job::Placed(place) => *place,
        };
        match place.rank {
            Billed::VESTING => self.billed.vesting(place),
            Settled::CLAIM => self.settled.claim(place),
            _ => self.settled.settlement(place),
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
    pub(in crate::ledger) fn of(scope: Scope<'a>, envelopes: &EnvelopeLedger, treasury: &'a TreasuryLedger) -> Self {
        Self { facts: Facts::gather(scope, envelopes, &treasury.unposted), treasury }
    }

    /// Every posted entry in its order; they are the same each time.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let entries = self.facts.jobs().filter_map(|job| self.facts.step(&job)?.entry.ok());
        entries.filter(|entry| !self.treasury.refused.contains(&entry.key))
    }
}
