//! One payment over a rail: what log entries and records say of it.

use std::collections::BTreeSet;

use crate::domain::{Digest32, EvidenceId, PaymentHash, UnixMicros, packed_struct};
use crate::evidence::{InvoiceRecord, InvoiceState, PaymentLogEntry};
use crate::ledger::treasury::Movement;

/// An entry of a gateway's log with its evidence.
pub type Logged = (EvidenceId, PaymentLogEntry);
/// An invoice or payment record with its evidence.
pub type Recorded = (EvidenceId, InvoiceRecord);

/// One payment over a rail. A gateway serves others too, so most legs are not ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leg {
    /// In order of (federation, log id).
    pub entries: Vec<Logged>,
    /// In the order of their evidence ids.
    pub records: Vec<Recorded>,
}

packed_struct!(Leg { entries, records });

impl Leg {
    pub(super) fn of_entry(id: EvidenceId, entry: PaymentLogEntry) -> Self {
        Self { entries: vec![(id, entry)], records: Vec::new() }
    }

    pub(super) fn of_record(id: EvidenceId, record: InvoiceRecord) -> Self {
        Self { entries: Vec::new(), records: vec![(id, record)] }
    }

    /// Takes other pieces of the same payment.
    pub(super) fn join(&mut self, mut other: Self) {
        self.entries.append(&mut other.entries);
        self.records.append(&mut other.records);
    }

    /// Pieces in their order.
    pub(super) fn sorted(mut self) -> Self {
        let order = |(id, entry): &Logged, (other_id, other): &Logged| {
            (&entry.federation_id, entry.id, id).cmp(&(&other.federation_id, other.id, other_id))
        };
        self.entries.sort_unstable_by(order);
        self.records.sort_unstable_by_key(|(id, _)| *id);
        self
    }

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
    pub fn operations(&self) -> BTreeSet<&str> {
        self.entries.iter().filter_map(|(_, entry)| Some(entry.operation.as_ref()?.as_str())).collect()
    }

    /// Operations of the gateway itself. Those of a client's own log number the client's side of the same payment.
    pub fn gateway_operations(&self) -> BTreeSet<&str> {
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
