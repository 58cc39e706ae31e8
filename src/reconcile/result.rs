//! What reconciliation says.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Beacon, Code, Coverage, Digest32, Divergence, EvidenceId, LostStore, OperationId, ProjectKey, Ratio, Sampling,
    SignedStatement, SourceId, UnixSeconds, UserKey,
};

use super::acknowledge::JudgedStatement;
use super::book::Balance;

/// A check that could not be made with the given inputs. Never counted as passed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Unverifiable {
    /// The check's name.
    pub check: String,
    /// Why it could not be made.
    pub reason: String,
    /// How many items it would have covered, where known.
    pub items: u64,
    /// True when the configuration declared the check's substrate: the run is then incomplete (exit 3).
    pub declared: bool,
}

/// A check that ran, with the size of what it covered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct CheckRun {
    /// The check's name.
    pub check: String,
    /// Items it covered.
    pub items: u64,
    /// Items that disagreed.
    pub disagreed: u64,
    /// What it said of them: the codes of its findings, as far as they are its own.
    pub codes: BTreeSet<Code>,
}

/// What the configuration declared: each declared substrate owes its checks.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one independent answer per substrate, as the configuration has sections"
)]
pub struct Declared {
    /// Any Nostr relay or archive.
    pub nostr: bool,
    /// Relay URLs.
    pub relays: Vec<SourceId>,
    /// Every configured source (relays, URLs, `files:<media>`): each owes a receipt.
    pub sources: Vec<SourceId>,
    /// Addresses of calendars that may be asked; they owe a receipt only when there was something to ask.
    #[serde(default)]
    pub calendars: Vec<SourceId>,
    /// OTS calendars or proof files.
    pub ots: bool,
    /// Any header source.
    pub headers: bool,
    /// Settlement logs.
    pub settlements: bool,
    /// Gateway payment logs.
    pub payment_log: bool,
    /// Invoice records.
    pub invoices: bool,
    /// Envelope key sets.
    pub keys: bool,
    /// Price configs.
    pub projects: bool,
    /// Custody files.
    pub custody: bool,
    /// A balance statement.
    pub balances: bool,
    /// Lists that disagree with each other or with the profile.
    #[serde(default)]
    pub drift: Vec<Drift>,
    /// The operator's transparency log.
    #[serde(default)]
    pub takedowns: Vec<Takedown>,
    /// sha256 of each line of that log that can't be read, sorted.
    #[serde(default)]
    pub unread_takedowns: Vec<Digest32>,
    /// What sealed earlier runs saw, as far as it matters to this one.
    #[serde(default)]
    pub earlier: Vec<EarlierRun>,
    /// `balances.sample`.
    #[serde(default)]
    pub sample_size: Option<u32>,
    /// `balances.seed`.
    #[serde(default)]
    pub sample_seed: Option<String>,
    /// `balances.sampling`.
    #[serde(default, skip_serializing_if = "Sampling::is_users")]
    pub sampling: Sampling,
    /// `balances.api` is asked for the users of the sample alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub balances_sampled: bool,
    /// The block whose hash is the seed. Found in the evidence each time, therefore not recorded.
    #[serde(skip)]
    pub beacon: Option<Beacon>,
    /// A checkpoint chain.
    #[serde(default)]
    pub checkpoints: bool,
    /// Snapshot archives.
    #[serde(default)]
    pub snapshots: bool,
    /// What was signed about divergences, sorted, each once; judged by [`super::reconcile`], so nothing of it is verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acknowledgements: Vec<SignedStatement>,
    /// Stores that no substrate holds, and what follows when they are lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_rebuilt: Vec<LostStore>,
}

/// A list of the configuration that disagrees with another list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// The list, as its key is written.
    pub list: String,
    /// What the other list has.
    pub expected: String,
    /// What this one has.
    pub observed: String,
}

/// One line of a relay's transparency log: it names what was taken down and no more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Takedown {
    /// Kind.
    pub kind: u16,
    /// The `d` tag.
    pub d: String,
    /// The first second of the day of the takedown.
    pub date: UnixSeconds,
}

/// A sealed earlier run, compared with this one's capture. Its evidence is not part of this run's, therefore recorded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierRun {
    /// sha256 of its manifest.
    pub manifest: Digest32,
    /// The sources it saw that must only grow.
    pub sources: Vec<EarlierSource>,
    /// Signed settlements of operations for which this run's capture of the source holds none of the same digest.
    pub operations: Vec<EarlierOperation>,
}

/// What an earlier run saw of one source that must only grow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierSource {
    /// The source.
    pub source: SourceId,
    /// Items it held then.
    pub held: u64,
    /// Those of them that it lacks now, outside registered gaps.
    pub lost: u64,
    /// Those that it lacks now inside registered gaps.
    pub in_gaps: u64,
    /// A few of the lost ones.
    pub named: Vec<EvidenceId>,
}

/// A settlement that an earlier run saw.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierOperation {
    /// Its operation.
    pub operation: OperationId,
    /// The source that gave it.
    pub source: SourceId,
    /// sha256 of its signed bytes.
    pub digest: Digest32,
    /// The record.
    pub evidence: EvidenceId,
}

/// Could the state be rebuilt from what is public?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reconstructible {
    /// Envelopes held by any source.
    pub with_operator: u64,
    /// Envelopes held by a source that is not the operator's relay.
    pub without_operator: u64,
}

/// The balance comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BalanceSummary {
    /// Users with a recomputed balance.
    pub users: u64,
    /// Root of the sum tree over all users.
    pub root: Option<Digest32>,
    /// Sum of all balances.
    pub sum_sats: i128,
    /// Users who were paid more than they earned.
    pub negative_users: u64,
    /// What they owe, below zero: the sum of all balances is so much lower than what is owed to users.
    pub negative_sats: i128,
    /// The users with their balances, ascending: the leaves of the sum tree.
    pub accounts: Vec<(UserKey, Balance)>,
    /// What users would have earned by envelopes under leaked keys, which no balance holds.
    pub excluded_sats: i128,
    /// Users who would have earned it.
    pub excluded_users: u64,
    /// Users compared with a reported balance.
    pub compared: u64,
    /// Equal.
    pub equal: u64,
    /// Different.
    pub different: u64,
    /// How the sample was seeded; empty when all were compared.
    pub seed: String,
    /// The sample that the configuration asks for.
    pub sample: Option<BalanceSample>,
}

/// A sample of users, drawn by a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceSample {
    /// How many draws.
    pub size: u64,
    /// Users drawn from.
    pub population: u64,
    /// What each draw takes.
    pub sampling: Sampling,
    /// Where the seed comes from.
    pub origin: SeedOrigin,
    /// The users drawn, ascending.
    pub users: Vec<UserKey>,
    /// How likely it finds what is wrong.
    pub detection: Vec<Detection>,
}

/// Where a sample's seed comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedOrigin {
    /// The hash of a block after a height that was named beforehand.
    Beacon(Beacon),
    /// A text of the configuration: whoever wrote it could choose the sample.
    Chosen,
}

/// How likely a sample finds one wrong balance at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detection {
    /// So many users are wrong; of a draw by money, so many satoshi side by side.
    pub wrong: u64,
    /// At least so likely.
    pub found: Ratio,
}

/// Recovery point: how old is the newest thing that would survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// As-of minus the newest envelope's claimed time.
    pub rpo_claimed_seconds: Option<i64>,
    /// As-of minus the newest anchor's block time.
    pub rpo_provable_seconds: Option<i64>,
    /// The newest envelope's claimed time.
    pub newest_envelope: Option<UnixSeconds>,
    /// The newest anchor's block time.
    pub newest_anchor: Option<UnixSeconds>,
}

/// An envelope or bonded attestation without an anchored proof: a line of `queues/needs-anchor.ndjson`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct NeedsAnchor {
    /// Its id.
    pub id: Digest32,
    /// `absent`, `pending`, `overdue`, `refused`, `reorg` (its block left the chain) or `header-missing`.
    pub reason: &'static str,
}

/// Settlements that a rule matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Matched {
    /// How many.
    pub settlements: u64,
    /// Their sum.
    pub sats: u128,
}

/// By which rule posted settlements are matched (TREASURY 2.6). R0, one for each operation, decides what is posted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matching {
    /// To a payment: `R1` operation, `R2` payment hash, `R3` transaction, `R7` suggested by amount and time, `contradicted`,
    /// `internal` (no payment to find), `none`. Empty without any record of payments.
    pub rail: BTreeMap<&'static str, Matched>,
    /// To what it is for: `R4` distribution or drop, `R5` vested shares, `R6` project, `unruled`, `none`.
    pub ledger: BTreeMap<&'static str, Matched>,
}

/// How old what is open is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ages {
    /// Divergences by age bucket.
    pub counts: BTreeMap<String, u64>,
    /// Satoshi at stake by age bucket, rounded down; only buckets with something at stake.
    pub sats: BTreeMap<String, i128>,
}

/// Everything that reconciliation established.
#[derive(Debug, Clone, Default)]
pub struct Reconciliation {
    /// Divergences of all rooms, sorted by (severity descending, code, fingerprint), one per fingerprint.
    pub divergences: Vec<Divergence>,
    /// Checks that ran.
    pub checks: Vec<CheckRun>,
    /// Checks that could not run.
    pub unverifiable: Vec<Unverifiable>,
    /// Which checks of this room said which codes.
    pub said_by: BTreeMap<Code, BTreeSet<String>>,
    /// Coverage by source and slice.
    pub coverage: Vec<Coverage>,
    /// With and without the operator.
    pub reconstructible: Reconstructible,
    /// How settlements are matched.
    pub matching: Matching,
    /// Balances.
    pub balances: BalanceSummary,
    /// Recovery point.
    pub recovery: Recovery,
    /// Queue for anchoring, sorted.
    pub needs_anchor: Vec<NeedsAnchor>,
    /// Divergences that ask for a person.
    pub needs_review: u64,
    /// Open divergences by age.
    pub ages: Ages,
    /// The same by project: open divergences that are about one project.
    pub by_project: BTreeMap<ProjectKey, Ages>,
    /// Satoshi at stake by code over all divergences, whatever their state; only codes that are about amounts.
    pub by_code_sats: BTreeMap<Code, i128>,
    /// Every recorded statement about divergences, with where it stands.
    pub acknowledgements: Vec<JudgedStatement>,
}
