//! How far the federation's side of a payment is: claimed or not, by the gateway's log (TREASURY 1.4).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::{Digest32, EvidenceId, PaymentHash, UnixMicros, sha256};
use crate::evidence::{PaymentLogEntry, SettlementEvent};
use crate::scratch::{Sorter, Table};
use crate::verify::VerifiedSet;

use super::leg::Leg;

/// What the log tells about the claim behind a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// Nothing: the payment is not in it as done, or it names no federation transaction at all. The settlement is believed.
    Silent,
    /// The payment is done and the federation has not accepted its claim.
    Open,
    /// Accepted then, by that entry of the log.
    Accepted(UnixMicros, EvidenceId),
}

/// A position that is open for longer is no payment under way any more.
pub const OPEN_SECONDS_MAX: i64 = 24 * 3_600;

/// Every accepted claim of the log.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The earliest acceptance by sha256 of the operation.
    accepted: Table<Digest32, (UnixMicros, EvidenceId)>,
    /// Federations whose log names their transactions. One asked for the default kinds has no core entry at all: it is
    /// silent about every claim.
    telling: BTreeSet<Arc<str>>,
}

impl Claims {
    /// Reads the whole log.
    pub(super) fn of(set: &VerifiedSet) -> Self {
        let mut accepted: Sorter<Digest32, (UnixMicros, EvidenceId)> = set.payment_log.sorter();
        let mut telling = BTreeSet::new();
        for (id, entry) in set.payment_log.iter().filter(|(_, entry)| is_of_federation(entry)) {
            if let (true, Some(operation)) = (&*entry.kind == "tx-accepted", &entry.operation) {
                accepted.push(&sha256(operation.as_str().as_bytes()), &(entry.at, id));
            }
            if !telling.contains(&entry.federation_id) {
                telling.insert(entry.federation_id);
            }
        }
        Self { accepted: accepted.finish(|first, other| *first = other.min(*first)), telling }
    }

    /// True when the log of that federation names its transactions.
    pub fn is_told(&self, federation: &str) -> bool {
        self.telling.contains(federation)
    }

    /// True when no log names any: whatever is asked, the answer is [`Claim::Silent`].
    pub fn are_silent(&self) -> bool {
        self.telling.is_empty()
    }

    /// The earliest acceptance of a claim under one of these operations.
    pub fn accepted<'o>(&self, operations: impl IntoIterator<Item = &'o str>) -> Option<(UnixMicros, EvidenceId)> {
        operations.into_iter().filter_map(|operation| self.accepted.get(&sha256(operation.as_bytes()))).min()
    }

    /// What is known of the claim behind a settlement, by the payments that rules R1 to R3 lead to and their operations.
    pub fn of_settlement(&self, event: &SettlementEvent, joined: &[Arc<Leg>]) -> Claim {
        let mut entries = joined.iter().flat_map(|leg| &leg.entries).map(|(_, entry)| entry);
        if !entries.any(|entry| self.is_told(&entry.federation_id) && paid(entry).is_some()) {
            return Claim::Silent;
        }
        let mut operations: BTreeSet<&str> = joined.iter().flat_map(|leg| leg.operations()).collect();
        operations.insert(event.operation.as_str());
        self.accepted(operations).map_or(Claim::Open, |(at, entry)| Claim::Accepted(at, entry))
    }
}

/// A word of the federation about one of its transactions; such an entry has no module.
fn is_of_federation(entry: &PaymentLogEntry) -> bool {
    entry.module.is_empty() && entry.kind.starts_with("tx-")
}

/// The hash of an outgoing payment that this entry says is done: by its success, or by the preimage that a send got.
pub fn paid(entry: &PaymentLogEntry) -> Option<PaymentHash> {
    let shown = || entry.preimage.map(|preimage| PaymentHash(sha256(&preimage)));
    match &*entry.kind {
        "outgoing-payment-succeeded" => entry.payment_hash.or_else(shown),
        "payment-send-update" => shown(),
        _ => None,
    }
}
