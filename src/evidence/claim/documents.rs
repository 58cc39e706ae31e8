//! Key sets, price configs and balance statements (FORMATS 5, 10).

use std::collections::BTreeMap;

use super::EventClass;
use crate::domain::{Digest32, FederationSlug, KeyId, ProjectKey, PublicKey32, UnixMicros, UnixSeconds, UserKey};

/// A key set as received (RFC 7517, RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    /// True for the auth host's set: its keys do not sign envelopes.
    pub auth: bool,
    /// Host it was fetched from, empty for files.
    pub host: String,
    /// Usable Ed25519 keys.
    pub keys: Vec<(KeyId, PublicKey32)>,
    /// Keys of another type or curve: kid and what they offer (KEY_ALG when an envelope names one).
    pub other: Vec<(KeyId, String)>,
}

/// What a site pays for an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SitePays {
    /// A fixed number of satoshi. May be fractional or negative in the reference's types: kept as a double.
    FixedSats(f64),
    /// A share of the payment amount.
    PercentOfAmount(f64),
}

/// The price of one event key (FORMATS 5).
#[derive(Debug, Clone, PartialEq)]
pub struct EventPrice {
    /// Disabled prices never bill.
    pub enabled: bool,
    /// What the site pays; `None` is malformed.
    pub site_pays: Option<SitePays>,
    /// The user's share of gross.
    pub user_share_pct: f64,
    /// Overrides for agents.
    pub agent: Option<AgentPrice>,
    /// The class of a custom key, where the catalogue states it.
    pub class: Option<EventClass>,
}

/// Overrides for agents.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentPrice {
    /// Price.
    pub site_pays: Option<SitePays>,
    /// Share.
    pub user_share_pct: Option<f64>,
    /// Agents are refused.
    pub refuse: bool,
}

/// An integrator price config. Unsigned: its authority is where it was fetched from.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectConfig {
    /// Host it was fetched from; empty for files.
    pub host: String,
    /// Project.
    pub project: ProjectKey,
    /// Display name.
    pub display_name: String,
    /// Domain.
    pub domain: String,
    /// Valid from; `None` when empty or unreadable.
    pub updated_at: Option<UnixMicros>,
    /// Prices by event key.
    pub events: BTreeMap<String, EventPrice>,
    /// What FORMATS 5 forbids about it (`validate-config.json`): event key and problem.
    pub problems: Vec<(String, String)>,
}

/// A federation as the operator's directory lists it (me-client, `Federation`). Unsigned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedFederation {
    /// Its name in settlements.
    pub slug: FederationSlug,
    /// `recruiting`, `forming`, `binding` or `live`.
    pub status: String,
    /// Guardians needed and guardians in all, for example `3-of-4`.
    pub threshold: Option<String>,
    /// The hash of its charter.
    pub charter_hash: Option<Digest32>,
}

/// A federation's charter: its canonical text, or what the operator says about it (FORMATS 6.5). Unsigned here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Charter {
    /// The federation.
    pub slug: FederationSlug,
    /// The hash that is stated, or that of the canonical text.
    pub hash: Digest32,
    /// Guardians needed and guardians in all; only the text says.
    pub threshold: Option<String>,
    /// True for the text itself.
    pub is_text: bool,
}

/// One line of a reported balance statement (FORMATS 10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceLine {
    /// User.
    pub user: UserKey,
    /// Balance in satoshi.
    pub balance_sats: Option<i64>,
    /// Available part.
    pub available_sats: Option<i64>,
    /// Maturing part.
    pub maturing_sats: Option<i64>,
    /// Earned by events of class A, B, C.
    pub by_class: [Option<i64>; 3],
    /// Earned in the last seven days.
    pub last_7d: Option<i64>,
}

impl BalanceLine {
    /// Every amount that the line states.
    pub fn amounts(&self) -> impl Iterator<Item = i64> {
        let whole = [self.balance_sats, self.available_sats, self.maturing_sats, self.last_7d];
        whole.into_iter().chain(self.by_class).flatten()
    }

    /// True when it states nothing but zero.
    pub fn is_zero(&self) -> bool {
        self.amounts().all(|sats| sats == 0)
    }
}

/// What a balance statement says about itself as a whole (TREASURY 8). At least one of both is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementClaim {
    /// Its totals.
    pub totals: Option<StatementTotals>,
    /// The sample that was drawn from it.
    pub sample: Option<StatementSample>,
}

/// The totals of a balance statement; at least one of the first three is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementTotals {
    /// Users.
    pub count: Option<u64>,
    /// Sum of all balances in satoshi.
    pub sum_sats: Option<i64>,
    /// Root of the balance tree.
    pub root: Option<Digest32>,
    /// The instant stated for.
    pub as_of: Option<UnixSeconds>,
}

/// A sample of users, and what it was drawn with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementSample {
    /// The seed, as its text stands.
    pub seed: String,
    /// How many users were to be drawn.
    pub size: u64,
    /// The users drawn.
    pub users: Vec<UserKey>,
}
