//! The truth about a world in counts: what an auditor of it must find.

use std::collections::BTreeMap;

use super::press::Tallies;

/// How much of everything a world holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Manifest {
    /// Signed envelopes by `kind` member, activity attestations included.
    pub envelopes: BTreeMap<&'static str, usize>,
    /// Nostr events by kind number.
    pub events: BTreeMap<u16, usize>,
    /// Digests (envelopes and bonded attestations) with a confirmed anchor somewhere.
    pub anchored: usize,
    /// Digests that the calendar still waits for.
    pub pending: usize,
    /// Headers.
    pub headers: usize,
    /// Settlements by kind.
    pub settlements: BTreeMap<&'static str, usize>,
    /// Invoice records.
    pub invoices: usize,
    /// Entries of the gateway's payment log.
    pub payment_log: usize,
    /// Projects.
    pub projects: usize,
    /// Names of users: some stand for the same person.
    pub users: usize,
    /// Sum of gross fees in satoshi.
    pub gross_sats: u64,
    /// Sum of user shares in satoshi.
    pub earned_sats: u64,
    /// Sum of settled distributions in satoshi.
    pub paid_sats: u64,
    /// Sum of corrections in favour of users in satoshi, less those against them.
    pub adjusted_sats: u64,
}

impl Manifest {
    pub(super) fn count(tallies: &Tallies<'_>) -> Self {
        let mut manifest = Self {
            envelopes: BTreeMap::new(),
            events: BTreeMap::new(),
            anchored: tallies.anchored,
            pending: tallies.pending,
            headers: tallies.headers,
            settlements: BTreeMap::new(),
            invoices: tallies.invoices,
            payment_log: tallies.payment_log,
            projects: tallies.projects,
            users: tallies.users,
            gross_sats: tallies.gross_sats,
            earned_sats: tallies.earned_sats,
            paid_sats: tallies.paid_sats,
            adjusted_sats: tallies.adjusted_sats,
        };
        for kind in &tallies.envelopes {
            *manifest.envelopes.entry(kind.name()).or_default() += 1;
        }
        for event in &tallies.events {
            *manifest.events.entry(event.kind).or_default() += 1;
        }
        for kind in &tallies.settlements {
            *manifest.settlements.entry(kind).or_default() += 1;
        }
        manifest
    }
}
