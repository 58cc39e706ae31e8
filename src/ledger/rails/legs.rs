//! Every payment, and where the rules lead each settlement (TREASURY 2.6).

use std::sync::Arc;

use crate::domain::{Digest32, packed_struct};
use crate::scratch::Table;

use super::leg::Leg;

/// Every leg, and where each settlement leads. Legs lie beside memory.
#[derive(Debug, Clone, Default)]
pub struct Legs {
    /// In order of number.
    pub(super) by_number: Table<Digest32, Leg>,
    /// Of the settlements of the set, in their order.
    pub(super) partners: Vec<Partners>,
    pub(super) strangers: Strangers,
}

/// Where the rules lead a settlement to: numbers for [`LegReader::leg`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Partners {
    /// R1.
    pub operation: Option<u32>,
    /// R2.
    pub hash: Option<u32>,
    /// R3.
    pub txid: Option<u32>,
    /// Some entry of the gateway's log names its operation or its payment hash, be it no part of a payment.
    pub is_logged: bool,
}

packed_struct!(Partners { operation, hash, txid, is_logged });

impl Partners {
    /// Each leg once, ascending.
    pub fn all(self) -> impl Iterator<Item = u32> {
        let mut all = [self.operation, self.hash, self.txid];
        all.sort_unstable();
        for at in 1..all.len() {
            if all[..at].contains(&all[at]) {
                all[at] = None;
            }
        }
        all.into_iter().flatten()
    }
}

/// Entries of the gateway's log that neither a settlement nor an invoice knows: a gateway serves others too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Strangers {
    /// How many.
    pub entries: u64,
    /// What they moved, in millisatoshi.
    pub msat: u128,
}

impl Legs {
    /// Rules R1 to R3 for the settlement of that number, as walks over the set count them from 0.
    pub fn partners(&self, settlement: usize) -> Partners {
        self.partners.get(settlement).copied().unwrap_or_default()
    }

    /// Of every settlement, in the order of the set.
    pub fn all_partners(&self) -> impl Iterator<Item = Partners> {
        self.partners.iter().copied()
    }

    /// What is not ours.
    pub fn strangers(&self) -> Strangers {
        self.strangers
    }

    /// Every leg with its number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Leg)> {
        (0..).zip(self.by_number.values().map(Leg::sorted))
    }

    /// Looks single legs up.
    pub fn reader(&self) -> LegReader<'_> {
        LegReader { legs: self, last: None }
    }
}

/// Looks legs up. The last one is at hand: many settlements of one payment read it once.
#[derive(Debug)]
pub struct LegReader<'l> {
    legs: &'l Legs,
    last: Option<(u32, Arc<Leg>)>,
}

impl LegReader<'_> {
    /// The leg of that number.
    pub fn leg(&mut self, number: u32) -> Option<Arc<Leg>> {
        if let Some((_, leg)) = self.last.as_ref().filter(|(last, _)| *last == number) {
            return Some(Arc::clone(leg));
        }
        let (_, leg) = self.legs.by_number.nth(usize::try_from(number).ok()?)?;
        let leg = Arc::new(leg.sorted());
        self.last = Some((number, Arc::clone(&leg)));
        Some(leg)
    }

    /// The payments that they lead to, each once.
    pub fn of_partners(&mut self, partners: Partners) -> Vec<Arc<Leg>> {
        partners.all().filter_map(|number| self.leg(number)).collect()
    }
}
