//! Puts payments together: pieces that share a key are of one leg, and a settlement leads to the leg that knows its key.
//!
//! Keys are joined by sorting them beside memory. In memory are numbers alone: some ten bytes of each piece.

use crate::domain::{Digest32, packed_struct, sha256};
use crate::evidence::{PaymentLogEntry, SettlementEvent};
use crate::scratch::{Sorter, by_number};
use crate::verify::VerifiedSet;

use super::leg::Leg;
use super::legs::{Legs, Partners, Strangers};

/// What pieces about one payment share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Hash = 1,
    Operation,
    Contract,
    Txid,
}

impl Key {
    const ALL: [Self; 4] = [Self::Hash, Self::Operation, Self::Contract, Self::Txid];

    /// What it is sorted by. Hashed, since a gateway may write what it likes.
    fn of(self, bytes: &[u8]) -> Digest32 {
        let mut key = sha256(bytes);
        key.0[0] = self as u8;
        key
    }

    fn kind(key: &Digest32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == key.0[0])
    }
}

/// Who names one key, by number.
#[derive(Debug, Default)]
struct Naming {
    entries: Vec<u32>,
    /// Core entries (`tx-accepted` and so on): they share operation ids with a payment and are none, so R1 does not name them.
    core: Vec<u32>,
    records: Vec<u32>,
    settlements: Vec<u32>,
}

packed_struct!(Naming { entries, core, records, settlements });

impl Naming {
    fn join(&mut self, mut other: Self) {
        self.entries.append(&mut other.entries);
        self.core.append(&mut other.core);
        self.records.append(&mut other.records);
        self.settlements.append(&mut other.settlements);
    }
}

/// Puts the whole log and all records together; only a settlement that is posted makes a payment hash ours.
pub(super) fn legs(set: &VerifiedSet, is_posted: impl Fn(&Digest32) -> bool) -> Legs {
    let namings = namings(set);
    let mut joining = Joining::over(set, is_posted);
    namings.each(Naming::join, |key, naming| joining.meet(&key, &naming));
    joining.finish(set)
}

/// Four thousand million pieces would not fit into memory, however small their numbers.
fn short(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn namings(set: &VerifiedSet) -> Sorter<Digest32, Naming> {
    let mut namings: Sorter<Digest32, Naming> = set.payment_log.sorter();
    for (number, (_, entry)) in set.payment_log.iter().enumerate() {
        let numbers = vec![short(number)];
        let naming = if entry.module.is_empty() {
            Naming { core: numbers, ..Naming::default() }
        } else {
            Naming { entries: numbers, ..Naming::default() }
        };
        of_entry(&entry).for_each(|key| namings.push(&key, &naming));
    }
    for (number, (_, record)) in set.invoices.iter().enumerate() {
        let naming = Naming { records: vec![short(number)], ..Naming::default() };
        namings.push(&Key::Hash.of(record.payment_hash.as_bytes()), &naming);
    }
    for (number, (_, verified)) in set.settlements.iter().enumerate() {
        let naming = Naming { settlements: vec![short(number)], ..Naming::default() };
        of_settlement(&verified.fact().event).for_each(|key| namings.push(&key, &naming));
    }
    namings
}

fn of_entry(entry: &PaymentLogEntry) -> impl Iterator<Item = Digest32> {
    let keys = [
        entry.payment_hash.map(|hash| Key::Hash.of(hash.as_bytes())),
        entry.operation.as_ref().map(|operation| Key::Operation.of(operation.as_str().as_bytes())),
        entry.contract.map(|contract| Key::Contract.of(contract.as_bytes())),
        entry.txid.map(|txid| Key::Txid.of(txid.as_bytes())),
    ];
    keys.into_iter().flatten()
}

/// Rules R1 to R3.
fn of_settlement(event: &SettlementEvent) -> impl Iterator<Item = Digest32> {
    let parsed = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<Digest32>().ok());
    let keys = [
        Some(Key::Operation.of(event.operation.as_str().as_bytes())),
        parsed(&event.payment_hash).map(|hash| Key::Hash.of(hash.as_bytes())),
        parsed(&event.txid).map(|txid| Key::Txid.of(txid.as_bytes())),
    ];
    keys.into_iter().flatten()
}

/// What is known while keys are met. Pieces are entries of the log, then records.
struct Joining {
    joined: Union,
    /// What has no key at all belongs to no leg.
    has_key: Vec<bool>,
    /// Entries that a settlement or an invoice knows.
    is_ours: Vec<bool>,
    is_posted: Vec<bool>,
    /// With pieces in the place of legs.
    partners: Vec<Partners>,
}

impl Joining {
    fn over(set: &VerifiedSet, is_posted: impl Fn(&Digest32) -> bool) -> Self {
        let pieces = set.payment_log.len() + set.invoices.len();
        Self {
            joined: Union((0..short(pieces)).collect()),
            has_key: vec![false; pieces],
            is_ours: vec![false; set.payment_log.len()],
            is_posted: set.settlements.keys().map(|digest| is_posted(&digest)).collect(),
            partners: vec![Partners::default(); set.settlements.len()],
        }
    }

    fn meet(&mut self, key: &Digest32, naming: &Naming) {
        let Naming { entries, core, records, settlements } = naming;
        let Some(kind) = Key::kind(key) else { return };
        let before = short(self.is_ours.len());
        let first = entries.first().copied().or(records.first().map(|record| before + record));
        for piece in entries.iter().copied().chain(records.iter().map(|record| before + record)) {
            if let (Some(first), Some(has_key)) = (first, self.has_key.get_mut(piece as usize)) {
                *has_key = true;
                self.joined.join(first, piece);
            }
        }
        let is_logged = !entries.is_empty() || !core.is_empty();
        for settlement in settlements {
            let Some(partners) = self.partners.get_mut(*settlement as usize) else { continue };
            match kind {
                Key::Hash => partners.hash = first,
                Key::Operation => partners.operation = first,
                Key::Txid => partners.txid = first,
                Key::Contract => {}
            }
            partners.is_logged |= is_logged && matches!(kind, Key::Hash | Key::Operation);
        }
        let is_posted = |settlement: &u32| self.is_posted.get(*settlement as usize) == Some(&true);
        let is_ours = match kind {
            Key::Hash => !records.is_empty() || settlements.iter().any(is_posted),
            Key::Operation => !settlements.is_empty(),
            Key::Contract | Key::Txid => false,
        };
        for entry in entries.iter().chain(core).filter(|_| is_ours) {
            if let Some(is_ours) = self.is_ours.get_mut(*entry as usize) {
                *is_ours = true;
            }
        }
    }

    /// Numbers legs in order of their first pieces, and lays each one's pieces together.
    fn finish(self, set: &VerifiedSet) -> Legs {
        let Self { mut joined, has_key, is_ours, mut partners, .. } = self;
        let (mut leg_of, mut count): (Vec<u32>, u32) = (vec![u32::MAX; has_key.len()], 0);
        for (piece, _) in has_key.iter().enumerate().filter(|(_, has_key)| **has_key) {
            // The first piece stands for its leg, and is met first.
            let root = joined.root(short(piece)) as usize;
            if leg_of[root] == u32::MAX {
                leg_of[root] = count;
                count += 1;
            }
            leg_of[piece] = leg_of[root];
        }
        let mut legs: Sorter<Digest32, Leg> = set.payment_log.sorter();
        let mut strangers = Strangers::default();
        for (number, (id, entry)) in set.payment_log.iter().enumerate() {
            if !is_ours[number] {
                strangers.entries += 1;
                strangers.msat += u128::from(entry.amount_msat.unwrap_or_default());
            }
            if leg_of[number] != u32::MAX {
                legs.push(&by_number(leg_of[number], &[]), &Leg::of_entry(id, entry));
            }
        }
        for (number, (id, record)) in (is_ours.len()..).zip(&set.invoices) {
            legs.push(&by_number(leg_of[number], &[]), &Leg::of_record(id, record));
        }
        let to_leg = |piece: &mut Option<u32>| *piece = piece.and_then(|piece| leg_of.get(piece as usize).copied());
        for Partners { operation, hash, txid, .. } in &mut partners {
            [operation, hash, txid].into_iter().for_each(to_leg);
        }
        Legs { by_number: legs.finish(Leg::join), partners, strangers }
    }
}

/// Union-find: the parent of each piece. The piece that came first stands for all that are joined with it.
struct Union(Vec<u32>);

impl Union {
    fn join(&mut self, one: u32, other: u32) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other) as usize] = one.min(other);
    }

    fn root(&mut self, piece: u32) -> u32 {
        let mut at = piece;
        while self.0[at as usize] != at {
            // Halving keeps every path short.
            self.0[at as usize] = self.0[self.0[at as usize] as usize];
            at = self.0[at as usize];
        }
        at
    }
}
