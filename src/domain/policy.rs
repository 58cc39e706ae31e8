//! What the operator or auditor trusts and demands. Hashed into every report.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::amount::Msat;
use super::caps::Caps;
use super::chain::{BlockHash, BlockHeight};
use super::coverage::{CompletenessBasis, SourceId};
use super::digest::{Digest32, sha256};
use super::id::{FederationSlug, KeyId, PublicKey32};
use super::time::UnixSeconds;

/// The seven settlement kinds (FORMATS 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum SettlementKind {
    /// A project funds its escrow.
    #[serde(rename = "escrow.deposit")]
    EscrowDeposit,
    /// A site rebate is returned or withdrawn.
    #[serde(rename = "escrow.rebate")]
    EscrowRebate,
    /// Unused escrow goes back.
    #[serde(rename = "escrow.refund")]
    EscrowRefund,
    /// Platform fees are taken.
    #[serde(rename = "platform.accrual")]
    PlatformAccrual,
    /// A user is paid.
    #[serde(rename = "distribution.settled")]
    DistributionSettled,
    /// A guardian operator is paid.
    #[serde(rename = "operator.payout")]
    OperatorPayout,
    /// A manual correction.
    #[serde(rename = "adjustment")]
    Adjustment,
}

impl SettlementKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::EscrowDeposit,
        Self::EscrowRebate,
        Self::EscrowRefund,
        Self::PlatformAccrual,
        Self::DistributionSettled,
        Self::OperatorPayout,
        Self::Adjustment,
    ];

    /// The wire name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EscrowDeposit => "escrow.deposit",
            Self::EscrowRebate => "escrow.rebate",
            Self::EscrowRefund => "escrow.refund",
            Self::PlatformAccrual => "platform.accrual",
            Self::DistributionSettled => "distribution.settled",
            Self::OperatorPayout => "operator.payout",
            Self::Adjustment => "adjustment",
        }
    }
}

impl fmt::Display for SettlementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SettlementKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(())
    }
}

/// Which way a settlement moves money, seen from the federation's custody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Into custody.
    In,
    /// Out of custody.
    Out,
}

impl Direction {
    /// The wire name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// Who pays the routing fee of a payout. Nothing published says so for any kind: it is policy (TREASURY 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeeBearer {
    /// The platform, out of its accrued fees.
    #[default]
    Platform,
    /// Whoever is paid, out of what they are owed.
    Payee,
}

/// A settlement key that is trusted for a federation, in a window of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct PinnedKey {
    /// The Ed25519 key.
    pub key: PublicKey32,
    /// Valid from this instant; `None` is always.
    pub from: Option<UnixSeconds>,
    /// Valid until this instant (exclusive); `None` is for ever.
    pub until: Option<UnixSeconds>,
}

impl PinnedKey {
    /// True when it is that key, and trusted at that instant.
    pub fn is_for(&self, key: &PublicKey32, at: UnixSeconds) -> bool {
        self.key == *key && self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until)
    }
}

/// What a federation was seen to hold at an instant: the client's balance and open positions (TREASURY 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ObservedCustody {
    /// The instant.
    pub at: UnixSeconds,
    /// What was there.
    pub msat: Msat,
}

/// What a guardian's `audit` said at an instant (TREASURY 1.9), in millisatoshi: assets positive, what is owed negative.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct FederationAudit {
    /// The instant.
    pub at: UnixSeconds,
    /// Over all modules.
    pub net_assets: i64,
    /// By kind of module: `mint`, `ln`, `wallet`, ...
    pub modules: BTreeMap<String, i64>,
}

/// A key id that leaked at a known time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct CompromisedKey {
    /// The key id.
    pub kid: KeyId,
    /// From this instant on, only an anchor before it or a matching settlement makes an envelope count.
    pub at: UnixSeconds,
}

/// A header that is trusted without proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checkpoint {
    /// Its height.
    pub height: BlockHeight,
    /// Its hash.
    pub hash: BlockHash,
}

/// How headers are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HeaderPolicy {
    /// The chain must pass through this header.
    pub checkpoint: Checkpoint,
    /// An anchor must be at least this deep below the tip to be final.
    pub min_depth: u32,
    /// Easiest allowed target in compact form: `1d00ffff` on mainnet; test chains are easier.
    pub pow_limit: u32,
}

/// A registered absence: what is missing inside it is explained, and still listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct KnownGap {
    /// The source it concerns.
    pub source: SourceId,
    /// Start.
    pub from: UnixSeconds,
    /// End (exclusive).
    pub until: UnixSeconds,
    /// Why.
    pub reason: String,
    /// Where that is written down.
    pub cite: String,
    /// From this instant on the registration no longer explains anything.
    pub expires: UnixSeconds,
}

/// What counts as covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Requirement {
    /// So many relays must have given a covered answer.
    pub min_relays: u32,
    /// The weakest basis that counts.
    pub basis: CompletenessBasis,
}

/// Everything that decides what is believed. Two parties with the same policy and evidence get the same report.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TrustPolicy {
    /// The dated profile, for example `orangecheck-2026-10`.
    pub profile: String,
    /// Nostr kinds asked for and judged.
    pub kinds: BTreeSet<u16>,
    /// Hosts of allowed OpenTimestamps calendars.
    pub calendars: BTreeSet<String>,
    /// A pending proof older than this many seconds is overdue.
    pub ots_overdue_seconds: i64,
    /// An anchor later than this after the claimed time is late (published interval plus Bitcoin's latency).
    pub ots_late_seconds: i64,
    /// How headers are judged.
    pub headers: HeaderPolicy,
    /// Trusted settlement keys by federation.
    pub settlement_keys: BTreeMap<FederationSlug, Vec<PinnedKey>>,
    /// Allowed direction where the contract is silent, by federation and kind.
    pub directions: BTreeMap<FederationSlug, BTreeMap<SettlementKind, Direction>>,
    /// Who bears routing fees where it is not the platform, by federation and kind. What is not there changes no digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fee_bearers: BTreeMap<FederationSlug, BTreeMap<SettlementKind, FeeBearer>>,
    /// Balances that somebody observed, by federation, sorted. What is not there changes no digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub observed: BTreeMap<FederationSlug, Vec<ObservedCustody>>,
    /// Audits of guardians, by federation, sorted. What is not there changes no digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub audits: BTreeMap<FederationSlug, Vec<FederationAudit>>,
    /// Key ids that leaked.
    pub compromised: Vec<CompromisedKey>,
    /// Registered absences.
    pub gaps: Vec<KnownGap>,
    /// Relays run by the operator, for the verdict without them.
    pub operator_relays: BTreeSet<String>,
    /// What counts as covered.
    pub require: Requirement,
    /// Published abuse limits.
    pub caps: Caps,
    /// Ed25519 keys that may sign checkpoints and snapshots. Without any, a policy reads as it did before there were seals.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub seal_keys: BTreeSet<PublicKey32>,
    /// Who may acknowledge divergences, each in a window of time that a statement's own date falls into. What is not there
    /// changes no digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acknowledgement_keys: Vec<PinnedKey>,
}

impl TrustPolicy {
    /// sha256 of the policy's canonical JSON (struct order; maps and sets sorted).
    pub fn digest(&self) -> Digest32 {
        // A policy holds only text keys, integers and enums, which serde_json always can write.
        sha256(&serde_json::to_vec(self).expect("a policy has no map with non-text keys"))
    }

    /// The earliest instant at which that key is known to have leaked: of several registrations the first counts.
    pub fn leaked_at(&self, kid: &KeyId) -> Option<UnixSeconds> {
        self.compromised.iter().filter(|leak| leak.kid == *kid).map(|leak| leak.at).min()
    }

    /// The pinned key of that federation that equals `key` and is valid at `at`.
    pub fn settlement_key(
        &self,
        federation: &FederationSlug,
        key: &PublicKey32,
        at: UnixSeconds,
    ) -> Option<&PinnedKey> {
        self.settlement_keys.get(federation)?.iter().find(|pin| pin.is_for(key, at))
    }
}
