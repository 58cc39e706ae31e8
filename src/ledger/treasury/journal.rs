//! The journal: every fact of the treasury in its order, and the entry that it makes. Entries are made when they are read and
//! are not kept: what is held is the place of each.

use std::collections::BTreeMap;

use crate::domain::{AmountError, Digest32, EvidenceId, Msat, Sats, packed_struct};
use crate::evidence::{BillableEvent, SettlementEvent};
use crate::ledger::envelope::EnvelopeLedger;
use crate::ledger::rails::Rails;
use crate::ledger::scope::Scope;

use super::account::Posting;
use super::billed::{Billed, BilledEvent, Vesting};
use super::entry::{Entry, EntryKey, Tier};
use super::roll::{TreasuryLedger, Unposted};
use super::settled::{Moved, Settled};

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
pub(super) enum Job<'f> {
    Billed(BilledEvent),
    Vesting(&'f Vesting),
    Moved(Box<Moved>),
}

/// Every fact of the treasury, in its order.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    billed: Billed,
    settled: Settled<'a>,
}

impl<'a> Facts<'a> {
    pub(super) fn gather(
        scope: Scope<'a>,
        envelopes: &EnvelopeLedger,
        unposted: &BTreeMap<Digest32, Unposted>,
        rails: &Rails,
    ) -> Self {
        let (billed, settled) =
            rayon::join(|| Billed::gather(scope, envelopes), || Settled::gather(scope, unposted, rails));
        Self { billed, settled }
    }

    /// In their order.
    pub(super) fn jobs(&self) -> impl Iterator<Item = Job<'_>> {
        let mut billed = self.billed.events().peekable();
        let mut vestings = self.billed.vestings().iter().peekable();
        let mut settled = self.settled.facts().peekable();
        std::iter::from_fn(move || {
            let of_events = billed.peek().map(|event| (event.at(), Billed::EVENT));
            let of_vestings = vestings.peek().map(|vesting| (vesting.at(), Billed::VESTING));
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

    pub(super) fn step(&self, job: Job<'_>) -> Step {
        match job {
            Job::Billed(event) => Billed::event(&event),
            Job::Vesting(vesting) => self.billed.vesting(vesting),
            Job::Moved(moved) => self.settled.step(*moved),
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
        let entries = self.facts.jobs().filter_map(|job| self.facts.step(job).entry.ok());
        entries.filter(|entry| !self.treasury.refused.contains(&entry.key))
    }
}
