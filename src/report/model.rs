//! The one model that every rendering reads. It decides nothing.

use crate::domain::{AsOf, Digest32, Divergence, LostStore, Outcome, Population, Severity, State};
use crate::ledger::{CustodyCourse, LedgerView};
use crate::reconcile::{ByMonth, Reconciliation, Runbook};
use crate::seal::StateSeal;

/// What a run established, ready to be put into words.
#[derive(Debug, Clone, Copy)]
pub struct Model<'a> {
    /// The instant and tip the state was rebuilt for.
    pub as_of: AsOf,
    /// Digests of everything the report is a function of.
    pub inputs: &'a Inputs,
    /// All conditions; empty is clean.
    pub outcome: &'a Outcome,
    /// Fates of all populations.
    pub population: &'a Population,
    /// What reconciliation established.
    pub reconciliation: &'a Reconciliation,
    /// Coverage month by month.
    pub months: &'a ByMonth,
    /// Custody over time.
    pub custody: &'a CustodyCourse,
    /// The ledgers' views, in the order of the seal.
    pub views: &'a [LedgerView],
    /// The roots.
    pub seal: &'a StateSeal,
    /// Stores that no substrate holds.
    pub not_rebuilt: &'a [LostStore],
    /// Step by step, and whether writes may go on.
    pub runbook: &'a Runbook,
    /// An open divergence at least this bad fails the run.
    pub fail_on: Severity,
    /// Users stand in clear.
    pub reveal_users: bool,
}

/// Digests of the inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// Merkle root over all evidence ids.
    pub evidence_root: Digest32,
    /// Digest of the configuration without local paths.
    pub config_sha256: Digest32,
    /// Digest of the trust policy.
    pub policy_sha256: Digest32,
    /// The profile's name.
    pub profile: String,
}

impl Model<'_> {
    /// Open divergences at or above the threshold.
    pub fn failing(&self) -> impl Iterator<Item = &Divergence> {
        self.reconciliation.divergences.iter().filter(|divergence| divergence.fails(self.fail_on))
    }

    /// Divergences that are neither explained nor acknowledged.
    pub fn unexplained(&self) -> u64 {
        self.in_state(State::Open)
    }

    /// Divergences in that state.
    pub fn in_state(&self, state: State) -> u64 {
        self.reconciliation.divergences.iter().filter(|divergence| divergence.state == state).count() as u64
    }

    /// The run's one sentence: verdict, counts with denominators, what leaked keys exclude, exit code.
    pub fn sentence(&self) -> String {
        let envelopes = self.population.get("envelopes");
        let settlements = self.population.get("settlements");
        let proofs = self.population.get("proofs");
        let excluded = match self.key_compromised() {
            0 => String::new(),
            1 => " 1 envelope excluded under leaked keys;".to_owned(),
            count => format!(" {count} envelopes excluded under leaked keys;"),
        };
        let acknowledged = match self.in_state(State::Acknowledged) {
            0 => String::new(),
            count => format!(" {count} acknowledged;"),
        };
        format!(
            "{}: {} of {} envelopes, {} of {} proofs, {} of {} settlements accepted;{excluded} {} of {} checks ran; \
             {} unexplained divergences, {} at or above {};{acknowledged} exit {}",
            self.outcome.name(),
            envelopes.accepted,
            envelopes.unique,
            proofs.accepted,
            proofs.unique,
            settlements.accepted,
            settlements.unique,
            self.reconciliation.checks.len(),
            self.reconciliation.checks.len() + self.reconciliation.unverifiable.len(),
            self.unexplained(),
            self.failing().count(),
            self.fail_on,
            self.outcome.exit_code(),
        )
    }

    /// Accepted envelopes of all ledgers that leaked keys keep out of every sum.
    fn key_compromised(&self) -> i128 {
        self.views.iter().filter_map(|view| view.totals.get("key_compromised")).sum()
    }

    /// What even a clean report does not prove.
    pub fn does_not_prove(&self) -> Vec<String> {
        let mut sentences = vec![
            "That nothing was omitted: relays, calendars and gateways show what they choose to show; omission is visible only \
             through drop manifests, activity attestations, rebind chains, distributions and balances."
                .to_owned(),
            "That an envelope existed at its claimed time: an anchor proves only that it existed before its block.".to_owned(),
            "That an incoming Lightning payment arrived: the payee knows the preimage from the start.".to_owned(),
            "That balances outside this ledger are right: payments made from a user's own federation wallet do not touch it."
                .to_owned(),
        ];
        if self.as_of.tip.is_none() {
            sentences
                .push("Anything about Bitcoin's best chain: no header chain from the checkpoint was given.".to_owned());
        }
        sentences
    }
}
