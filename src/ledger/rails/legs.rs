//! Single payments, each put together from the log entries and records that share a key (TREASURY 1.4, 2.6).

use std::collections::BTreeSet;

use crate::domain::{Digest32, EvidenceId, PaymentHash, UnixMicros};
use crate::evidence::{InvoiceRecord, InvoiceState, PaymentLogEntry, SettlementEvent};
use crate::ledger::treasury::Movement;
use crate::verify::VerifiedSet;

/// An entry of a gateway's log with its evidence.
pub type Logged = (EvidenceId, PaymentLogEntry);
/// An invoice or payment record with its evidence.
pub type Recorded = (EvidenceId, InvoiceRecord);

/// One payment over a rail. A gateway serves others too, so most legs are not ours.
#[derive(Debug, Clone, Copy)]
pub struct Leg<'a, 'l> {
    /// In order of (federation, log id).
    pub entries: &'l [&'a Logged],
    /// In the order of their evidence ids.
    pub records: &'l [&'a Recorded],
}

/// What two pieces about one payment share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Hash(PaymentHash),
    Operation(&'a str),
    Contract(Digest32),
    Txid(Digest32),
}

/// Every leg, and where each key leads. Pieces lie leg by leg in two lists: a list for each leg would take more than they do.
#[derive(Debug, Default)]
pub struct Legs<'a> {
    entries: Vec<&'a Logged>,
    records: Vec<&'a Recorded>,
    /// Where each leg ends in both lists; legs stand in order of their first pieces, entries as logged before records.
    ends: Vec<[usize; 2]>,
    /// Ascending, each key once.
    by_key: Vec<(Key<'a>, usize)>,
}

/// Where the rules lead a settlement to: places for [`Legs::leg`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Partners {
    /// R1.
    pub operation: Option<usize>,
    /// R2.
    pub hash: Option<usize>,
    /// R3.
    pub txid: Option<usize>,
}

impl Partners {
    /// Each leg once, ascending.
    pub fn all(self) -> impl Iterator<Item = usize> {
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

impl<'a> Leg<'a, '_> {
    /// Every payment hash that some piece names.
    pub fn hashes(&self) -> BTreeSet<PaymentHash> {
        let logged = self.entries.iter().filter_map(|(_, entry)| entry.payment_hash);
        logged.chain(self.records.iter().map(|(_, record)| record.payment_hash)).collect()
    }

    /// Every Bitcoin transaction that some entry names.
    pub fn txids(&self) -> BTreeSet<Digest32> {
        self.entries.iter().filter_map(|(_, entry)| entry.txid).collect()
    }

    /// Every operation that some entry runs under.
    pub fn operations(&self) -> BTreeSet<&'a str> {
        self.entries.iter().filter_map(|(_, entry)| Some(entry.operation.as_ref()?.as_str())).collect()
    }

    /// Operations of the gateway itself. Those of a client's own log number the client's side of the same payment.
    pub fn gateway_operations(&self) -> BTreeSet<&'a str> {
        let of_gateway = self.entries.iter().filter(|(_, entry)| is_gateways(entry));
        of_gateway.filter_map(|(_, entry)| Some(entry.operation.as_ref()?.as_str())).collect()
    }

    /// Which way the money went. A payment from the gateway to itself goes both ways.
    pub fn ways(&self) -> BTreeSet<Movement> {
        let of_record = |record: &InvoiceRecord| if record.fee_msat.is_some() { Movement::Out } else { Movement::In };
        let recorded = self.records.iter().map(|(_, record)| of_record(record));
        self.entries.iter().filter_map(|(_, entry)| way(entry)).chain(recorded).collect()
    }

    /// Every amount that some piece states, in millisatoshi.
    pub fn amounts_msat(&self) -> BTreeSet<u64> {
        let of_record = |record: &InvoiceRecord| record.received_msat.or(record.asked_msat);
        let recorded = self.records.iter().filter_map(|(_, record)| of_record(record));
        self.entries.iter().filter_map(|(_, entry)| entry.amount_msat).chain(recorded).collect()
    }

    /// When it was last heard of.
    pub fn last_at(&self) -> Option<UnixMicros> {
        let recorded = self.records.iter().filter_map(|(_, record)| record.settled_at.map(UnixMicros::from));
        self.entries.iter().map(|(_, entry)| entry.at).chain(recorded).max()
    }

    /// True when nothing says that money moved: it failed in the log and never succeeded, and no record is paid.
    pub fn is_void(&self) -> bool {
        let ends = |suffix: &str| self.entries.iter().any(|(_, entry)| entry.kind.ends_with(suffix));
        let paid = self.records.iter().any(|(_, record)| record.state == InvoiceState::Settled);
        !paid && !ends("-succeeded") && (ends("-failed") || self.entries.is_empty())
    }

    /// The piece with the lowest id: a stable representative.
    pub fn first_evidence(&self) -> Option<EvidenceId> {
        self.entries.iter().map(|(id, _)| *id).chain(self.records.iter().map(|(id, _)| *id)).min()
    }
}

fn is_gateways(entry: &PaymentLogEntry) -> bool {
    ["outgoing-payment-", "incoming-payment-"].iter().any(|prefix| entry.kind.starts_with(prefix))
}

fn way(entry: &PaymentLogEntry) -> Option<Movement> {
    let starts = |prefix: &str| entry.kind.starts_with(prefix);
    if starts("outgoing-payment-") || starts("payment-send") || &*entry.kind == "withdraw-request" {
        return Some(Movement::Out);
    }
    let is_in = starts("incoming-payment-") || starts("payment-receive") || starts("complete-lightning-payment-");
    (is_in || &*entry.kind == "deposit-confirmed").then_some(Movement::In)
}

impl<'a> Legs<'a> {
    /// Puts the whole log and all records together.
    pub fn of(set: &'a VerifiedSet) -> Self {
        // Core entries (`tx-accepted` and so on) share operation ids with a payment and are none: R1 does not name them.
        let entries: Vec<&Logged> = set.payment_log.iter().filter(|(_, entry)| !entry.module.is_empty()).collect();
        // Millions of them: a list that outgrows its room lies there twice.
        let count = entries.iter().map(|(_, entry)| keys(entry).count()).sum::<usize>() + set.invoices.len();
        let mut keyed: Vec<(Key<'a>, usize)> = Vec::with_capacity(count);
        for (piece, (_, entry)) in entries.iter().enumerate() {
            keyed.extend(keys(entry).map(|key| (key, piece)));
        }
        let records = set.invoices.iter().map(|(_, record)| Key::Hash(record.payment_hash));
        keyed.extend(records.zip(entries.len()..));
        keyed.sort_unstable();
        let mut joined = Union((0..entries.len() + set.invoices.len()).collect());
        for pair in keyed.windows(2) {
            if let [(one, first), (other, second)] = pair
                && one == other
            {
                joined.join(*first, *second);
            }
        }
        // What has no key at all belongs to no leg.
        let mut has_key = vec![false; joined.0.len()];
        for (_, piece) in &keyed {
            has_key[*piece] = true;
        }
        let (mut leg_of, mut count): (Vec<Option<usize>>, usize) = (vec![None; joined.0.len()], 0);
        for piece in (0..joined.0.len()).filter(|piece| has_key[*piece]) {
            // The first piece stands for its leg, and is met first.
            let root = joined.root(piece);
            leg_of[piece] = leg_of[root].or_else(|| {
                count += 1;
                Some(count - 1)
            });
        }
        let (of_entries, of_records) = leg_of.split_at(entries.len());
        let (entries, entries_end) = grouped(entries, of_entries, count);
        let (records, records_end) = grouped(set.invoices.iter(), of_records, count);
        let ends = entries_end.into_iter().zip(records_end).map(|(entries, records)| [entries, records]).collect();
        keyed.dedup_by(|one, other| one.0 == other.0);
        let places = keyed.into_iter().map(|(key, piece)| (key, leg_of[joined.root(piece)]));
        let by_key = places.filter_map(|(key, leg)| Some((key, leg?))).collect();
        Self { entries, records, ends, by_key }
    }

    /// The leg of that number.
    pub fn leg(&self, number: usize) -> Option<Leg<'a, '_>> {
        let [entries_end, records_end] = *self.ends.get(number)?;
        let [entries, records] = number.checked_sub(1).and_then(|at| self.ends.get(at)).copied().unwrap_or_default();
        Some(Leg { entries: self.entries.get(entries..entries_end)?, records: self.records.get(records..records_end)? })
    }

    /// Every leg with its number.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Leg<'a, '_>)> {
        (0..self.ends.len()).filter_map(|number| Some((number, self.leg(number)?)))
    }

    /// Rules R1 to R3.
    pub fn partners(&self, event: &SettlementEvent) -> Partners {
        let hash = event.payment_hash.as_ref().and_then(|hash| hash.parse().ok());
        let txid = event.txid.as_ref().and_then(|txid| txid.parse().ok());
        Partners {
            operation: self.find(&Key::Operation(event.operation.as_str())),
            hash: hash.and_then(|hash| self.find(&Key::Hash(hash))),
            txid: txid.and_then(|txid| self.find(&Key::Txid(txid))),
        }
    }

    /// The payments that they lead to, each once.
    pub fn of_partners(&self, partners: Partners) -> impl Iterator<Item = Leg<'a, '_>> {
        partners.all().filter_map(|at| self.leg(at))
    }

    fn find(&self, key: &Key<'_>) -> Option<usize> {
        let place = self.by_key.binary_search_by(|(held, _)| held.cmp(key)).ok()?;
        self.by_key.get(place).map(|(_, leg)| *leg)
    }
}

/// The pieces leg by leg, each leg's in their order, and where each leg ends. Pieces of no leg are left out.
fn grouped<T>(pieces: impl IntoIterator<Item = T>, leg_of: &[Option<usize>], count: usize) -> (Vec<T>, Vec<usize>) {
    let mut sorted: Vec<(usize, T)> =
        leg_of.iter().zip(pieces).filter_map(|(leg, piece)| Some(((*leg)?, piece))).collect();
    sorted.sort_by_key(|(leg, _)| *leg);
    let mut ends = vec![0; count];
    for (leg, _) in &sorted {
        ends[*leg] += 1;
    }
    let mut end = 0;
    for own in &mut ends {
        end += *own;
        *own = end;
    }
    (sorted.into_iter().map(|(_, piece)| piece).collect(), ends)
}

fn keys(entry: &PaymentLogEntry) -> impl Iterator<Item = Key<'_>> {
    let operation = entry.operation.as_ref().map(|operation| Key::Operation(operation.as_str()));
    let (hash, contract) = (entry.payment_hash.map(Key::Hash), entry.contract.map(Key::Contract));
    [hash, operation, contract, entry.txid.map(Key::Txid)].into_iter().flatten()
}

/// Union-find: the parent of each piece. The piece that came first stands for all that are joined with it.
struct Union(Vec<usize>);

impl Union {
    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other);
    }

    fn root(&mut self, piece: usize) -> usize {
        let mut at = piece;
        while self.0[at] != at {
            // Halving keeps every path short.
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }
}
