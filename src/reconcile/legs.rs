//! Step 4, rails: single payments, each put together from the log entries and records that share a key (TREASURY 1.4, 2.6).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Digest32, EvidenceId, PaymentHash, UnixMicros};
use crate::evidence::{InvoiceRecord, InvoiceState, PaymentLogEntry, SettlementEvent};
use crate::ledger::Movement;

use super::reconciler::Input;

/// One payment over a rail. A gateway serves others too, so most legs are not ours.
#[derive(Debug, Default)]
pub(super) struct Leg<'a> {
    /// In order of (federation, log id).
    pub(super) entries: Vec<(EvidenceId, &'a PaymentLogEntry)>,
    pub(super) records: Vec<(EvidenceId, &'a InvoiceRecord)>,
}

/// What two pieces about one payment share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Hash(PaymentHash),
    Operation(&'a str),
    Contract(Digest32),
    Txid(Digest32),
}

/// Every leg, and where each key leads.
#[derive(Debug, Default)]
pub(super) struct Legs<'a> {
    pub(super) legs: Vec<Leg<'a>>,
    by_key: BTreeMap<Key<'a>, usize>,
}

/// Where the rules lead a settlement to: places in [`Legs::legs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Partners {
    /// R1.
    pub(super) operation: Option<usize>,
    /// R2.
    pub(super) hash: Option<usize>,
    /// R3.
    pub(super) txid: Option<usize>,
}

impl Partners {
    /// Each leg once.
    pub(super) fn all(self) -> BTreeSet<usize> {
        [self.operation, self.hash, self.txid].into_iter().flatten().collect()
    }
}

impl<'a> Leg<'a> {
    pub(super) fn hashes(&self) -> BTreeSet<PaymentHash> {
        let logged = self.entries.iter().filter_map(|(_, entry)| entry.payment_hash);
        logged.chain(self.records.iter().map(|(_, record)| record.payment_hash)).collect()
    }

    pub(super) fn txids(&self) -> BTreeSet<Digest32> {
        self.entries.iter().filter_map(|(_, entry)| entry.txid).collect()
    }

    pub(super) fn operations(&self) -> BTreeSet<&'a str> {
        self.entries.iter().filter_map(|(_, entry)| Some(entry.operation.as_ref()?.as_str())).collect()
    }

    /// Operations of the gateway itself. Those of a client's own log number the client's side of the same payment.
    pub(super) fn gateway_operations(&self) -> BTreeSet<&'a str> {
        let of_gateway = self.entries.iter().filter(|(_, entry)| is_gateways(entry));
        of_gateway.filter_map(|(_, entry)| Some(entry.operation.as_ref()?.as_str())).collect()
    }

    /// Which way the money went. A payment from the gateway to itself goes both ways.
    pub(super) fn ways(&self) -> BTreeSet<Movement> {
        let of_record = |record: &InvoiceRecord| if record.fee_msat.is_some() { Movement::Out } else { Movement::In };
        let recorded = self.records.iter().map(|(_, record)| of_record(record));
        self.entries.iter().filter_map(|(_, entry)| way(entry)).chain(recorded).collect()
    }

    /// Every amount that some piece states, in millisatoshi.
    pub(super) fn amounts_msat(&self) -> BTreeSet<u64> {
        let of_record = |record: &InvoiceRecord| record.received_msat.or(record.asked_msat);
        let recorded = self.records.iter().filter_map(|(_, record)| of_record(record));
        self.entries.iter().filter_map(|(_, entry)| entry.amount_msat).chain(recorded).collect()
    }

    /// When it was last heard of.
    pub(super) fn last_at(&self) -> Option<UnixMicros> {
        let recorded = self.records.iter().filter_map(|(_, record)| record.settled_at.map(UnixMicros::from));
        self.entries.iter().map(|(_, entry)| entry.at).chain(recorded).max()
    }

    /// True when nothing says that money moved: it failed in the log and never succeeded, and no record is paid.
    pub(super) fn is_void(&self) -> bool {
        let ends = |suffix: &str| self.entries.iter().any(|(_, entry)| entry.kind.ends_with(suffix));
        let paid = self.records.iter().any(|(_, record)| record.state == InvoiceState::Settled);
        !paid && !ends("-succeeded") && (ends("-failed") || self.entries.is_empty())
    }

    /// The piece with the lowest id: a stable representative.
    pub(super) fn first_evidence(&self) -> Option<EvidenceId> {
        self.entries.iter().map(|(id, _)| *id).chain(self.records.iter().map(|(id, _)| *id)).min()
    }
}

fn is_gateways(entry: &PaymentLogEntry) -> bool {
    ["outgoing-payment-", "incoming-payment-"].iter().any(|prefix| entry.kind.starts_with(prefix))
}

fn way(entry: &PaymentLogEntry) -> Option<Movement> {
    let starts = |prefix: &str| entry.kind.starts_with(prefix);
    if starts("outgoing-payment-") || starts("payment-send") || entry.kind == "withdraw-request" {
        return Some(Movement::Out);
    }
    let is_in = starts("incoming-payment-") || starts("payment-receive") || starts("complete-lightning-payment-");
    (is_in || entry.kind == "deposit-confirmed").then_some(Movement::In)
}

impl<'a> Legs<'a> {
    /// Puts the whole log and all records together.
    pub(super) fn of(input: &Input<'a>) -> Self {
        let mut union = Union::default();
        // Core entries (`tx-accepted` and so on) share operation ids with a payment and are none: R1 does not name them.
        let entries: Vec<_> = input.set.payment_log.iter().filter(|(_, entry)| !entry.module.is_empty()).collect();
        let pieces = entries.iter().map(|(_, entry)| keys(entry));
        let records = input.set.invoices.iter().map(|(_, record)| vec![Key::Hash(record.payment_hash)]);
        let places: Vec<Option<usize>> = pieces.chain(records).map(|keys| union.add(&keys)).collect();
        let mut legs = Self::default();
        let mut of_root: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, place) in places.iter().enumerate() {
            let Some(place) = place else { continue };
            let fresh = legs.legs.len();
            let leg = *of_root.entry(union.root(*place)).or_insert(fresh);
            if leg == fresh {
                legs.legs.push(Leg::default());
            }
            if let Some((id, entry)) = entries.get(at) {
                legs.legs[leg].entries.push((*id, entry));
            } else if let Some((id, record)) = input.set.invoices.get(at - entries.len()) {
                legs.legs[leg].records.push((*id, record));
            }
        }
        let firsts = std::mem::take(&mut union.firsts);
        legs.by_key = firsts.into_iter().map(|(key, place)| (key, of_root[&union.root(place)])).collect();
        legs
    }

    /// Rules R1 to R3.
    pub(super) fn partners(&self, event: &SettlementEvent) -> Partners {
        let hash = event.payment_hash.as_ref().and_then(|hash| hash.parse().ok());
        let txid = event.txid.as_ref().and_then(|txid| txid.parse().ok());
        let find = |key: Key<'_>| self.by_key.get(&key).copied();
        Partners {
            operation: find(Key::Operation(event.operation.as_str())),
            hash: hash.and_then(|hash| find(Key::Hash(hash))),
            txid: txid.and_then(|txid| find(Key::Txid(txid))),
        }
    }
}

fn keys(entry: &PaymentLogEntry) -> Vec<Key<'_>> {
    let operation = entry.operation.as_ref().map(|operation| Key::Operation(operation.as_str()));
    let (hash, contract) = (entry.payment_hash.map(Key::Hash), entry.contract.map(Key::Contract));
    [hash, operation, contract, entry.txid.map(Key::Txid)].into_iter().flatten().collect()
}

/// Union-find over places, one for each key that was seen first.
#[derive(Default)]
struct Union<'a> {
    firsts: BTreeMap<Key<'a>, usize>,
    parents: Vec<usize>,
}

impl<'a> Union<'a> {
    /// A place of the piece with these keys; `None` when it has none.
    fn add(&mut self, keys: &[Key<'a>]) -> Option<usize> {
        let mut joined: Option<usize> = None;
        for key in keys {
            let fresh = self.parents.len();
            let place = *self.firsts.entry(*key).or_insert(fresh);
            if place == fresh {
                self.parents.push(fresh);
            }
            let root = self.root(place);
            if let Some(other) = joined.map(|other| self.root(other)) {
                // The older root stands, whatever the order of keys.
                self.parents[root.max(other)] = root.min(other);
            }
            joined = Some(place);
        }
        joined
    }

    fn root(&mut self, place: usize) -> usize {
        let mut at = place;
        while self.parents[at] != at {
            // Halving keeps every path short.
            self.parents[at] = self.parents[self.parents[at]];
            at = self.parents[at];
        }
        at
    }
}
