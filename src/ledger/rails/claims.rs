//! How far the federation's side of a payment is: claimed or not, by the gateway's log (TREASURY 1.4).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{EvidenceId, PaymentHash, UnixMicros, sha256};
use crate::evidence::{PaymentLogEntry, SettlementEvent};
use crate::verify::VerifiedSet;

use super::legs::{Leg, Legs};

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
#[derive(Debug, Default)]
pub struct Claims<'a> {
    /// The earliest acceptance by operation.
    accepted: BTreeMap<&'a str, (UnixMicros, EvidenceId)>,
    /// Federations whose log names their transactions. One asked for the default kinds has no core entry at all: it is
    /// silent about every claim.
    telling: BTreeSet<&'a str>,
}

impl<'a> Claims<'a> {
    /// Reads the whole log.
    pub fn of(set: &'a VerifiedSet) -> Self {
        let mut claims = Self::default();
        for (id, entry) in set.payment_log.iter().filter(|(_, entry)| is_of_federation(entry)) {
            claims.telling.insert(&entry.federation_id);
            if let (true, Some(operation)) = (&*entry.kind == "tx-accepted", &entry.operation) {
                let first = claims.accepted.entry(operation.as_str()).or_insert((entry.at, *id));
                *first = (entry.at, *id).min(*first);
            }
        }
        claims
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
        operations.into_iter().filter_map(|operation| self.accepted.get(operation)).min().copied()
    }

    /// What is known of the claim behind a settlement: the payments that rules R1 to R3 lead to, and their operations.
    pub fn of_settlement(&self, event: &SettlementEvent, legs: &Legs<'a>) -> Claim {
        let joined: Vec<Leg<'a, '_>> = legs.of_partners(legs.partners(event)).collect();
        let mut entries = joined.iter().flat_map(|leg| leg.entries).map(|(_, entry)| entry);
        if !entries.any(|entry| self.is_told(&entry.federation_id) && paid(entry).is_some()) {
            return Claim::Silent;
        }
        let own = [event.operation.as_str()].into_iter();
        let operations = joined.iter().flat_map(Leg::operations).chain(own);
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
