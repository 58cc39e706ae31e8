//! The configuration file (CONTRACT 3), exactly as written: TOML with unknown keys refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::acknowledgements::AcknowledgementsSection;
use super::budgets::BudgetsSection;
use super::error::AppError;
use super::gateway::InvoicesSection;
use super::limits::CapsSection;
use super::restore::RestoreSection;
use super::seals::SealSection;
use super::values::{Instant, Span};
use crate::domain::LostStore;
use crate::store::Address;

/// The whole file. A missing section means that its substrate is not declared.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Built-in profile.
    pub profile: Option<String>,
    /// A register of known gaps beside `[[gaps]]`, which `reledger gaps` edits. Where it lies changes no digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gaps_file: Option<String>,
    /// Nostr relays and archives.
    pub nostr: Option<NostrSection>,
    /// OpenTimestamps calendars and proofs.
    pub ots: Option<OtsSection>,
    /// Bitcoin headers.
    pub headers: Option<HeadersSection>,
    /// Federation gateway.
    pub gateway: Option<GatewaySection>,
    /// Settlement keys and direction policy by federation slug.
    #[serde(default)]
    pub federations: BTreeMap<String, FederationSection>,
    /// Envelope keys.
    pub keys: Option<KeysSection>,
    /// Integrator price configs.
    pub projects: Option<ProjectsSection>,
    /// Guardian descriptors, graduations, rotations.
    pub custody: Option<CustodySection>,
    /// Reported balances.
    pub balances: Option<BalancesSection>,
    /// Recovery objectives.
    pub budgets: Option<BudgetsSection>,
    /// Published abuse limits, where they differ from the profile's. What is not there changes no digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caps: Option<CapsSection>,
    /// Known gaps.
    #[serde(default)]
    pub gaps: Vec<GapSection>,
    /// Who may acknowledge divergences, and where they do. What is not there changes no digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledgements: Option<AcknowledgementsSection>,
    /// Stores that no substrate holds, beside those of the profile or in other words. What is not there changes no digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_rebuilt: Vec<LostStore>,
    /// Earlier runs.
    pub history: Option<HistorySection>,
    /// Checkpoints and snapshots.
    pub seal: Option<SealSection>,
    /// Where the evidence index lives.
    pub store: Option<StoreSection>,
    /// How the keys of a restored store are named. Changes no digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreSection>,
}

/// `[nostr]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NostrSection {
    /// Relay URLs; `ws://` only on loopback unless `allow_plaintext`.
    pub relays: Vec<String>,
    /// Relays of the operator, for the verdict without them.
    pub operator_relays: Vec<String>,
    /// Event archives: JSON Lines, `.gz`, `.zst`, `-`.
    pub files: Vec<String>,
    /// Activity attestation bundles, one a line.
    pub activity: Vec<String>,
    /// The operator's transparency log: `{"kind","d","date"}` a line.
    pub transparency: Vec<String>,
    /// Kinds and `d` prefixes; default is the profile's.
    pub kinds: Vec<KindFilter>,
    /// Earliest `created_at` asked for.
    pub since: Option<Instant>,
    /// Latest `created_at` asked for.
    pub until: Option<Instant>,
    /// What counts as covered.
    pub require: Option<RequireSection>,
    /// Allow `ws://` and `http://` beyond loopback.
    pub allow_plaintext: bool,
    /// A relay that sends nothing for so long is given up.
    pub idle_timeout: Option<Span>,
    /// What one relay may cost before it is cut off.
    pub relay_budget: Option<RelayBudgetSection>,
    /// Challenges (NIP-42) are answered with a key that is thrown away.
    pub auth: Option<AuthWord>,
    /// Challenges (NIP-42) are answered with the key in this file: 64 hex digits that only its owner can read.
    pub auth_key_file: Option<String>,
}

/// `nostr.relay_budget`. What is not named keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelayBudgetSection {
    /// Events sent, repeated ones included.
    pub events: Option<u64>,
    /// Bytes of messages.
    pub bytes: Option<u64>,
    /// Questions asked.
    pub questions: Option<u64>,
    /// Time waited for it.
    pub time: Option<Span>,
}

/// `nostr.auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthWord {
    /// A key made for each fetch.
    Throwaway,
}

/// One entry of `nostr.kinds`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KindFilter {
    /// Kind number.
    pub kind: u16,
    /// `d` prefixes of interest; empty is all. Events are fetched by kind and judged by prefix.
    #[serde(default)]
    pub d: Vec<String>,
}

/// `nostr.require`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RequireSection {
    /// So many relays must be covered.
    pub min_relays: Option<u32>,
    /// Weakest basis that counts.
    pub basis: Option<crate::domain::CompletenessBasis>,
}

/// `[ots]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OtsSection {
    /// Allow-list of calendars.
    pub calendars: Vec<String>,
    /// Proof files and folders.
    pub files: Vec<String>,
    /// A pending proof older than this is overdue.
    pub overdue: Option<Span>,
    /// Where to ask instead for a calendar (a mirror, a test server on loopback), by calendar address.
    pub resolve: BTreeMap<String, String>,
}

/// `[headers]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeadersSection {
    /// Files of consecutive 80-byte headers; a stem of digits is the start height.
    pub files: Vec<String>,
    /// Bitcoin Core REST.
    pub bitcoin_rest: Option<String>,
    /// Esplora.
    pub esplora: Option<String>,
    /// Trusted header.
    pub checkpoint: Option<CheckpointSection>,
    /// Depth at which an anchor is final.
    pub min_depth: Option<u32>,
    /// Easiest allowed target, compact form in hex; `1d00ffff` on mainnet.
    pub pow_limit: Option<String>,
}

/// `headers.checkpoint`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointSection {
    /// Height.
    pub height: u32,
    /// Block hash as explorers print it.
    pub hash: String,
}

/// `[gateway]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewaySection {
    /// Settlement logs: URLs and files.
    pub settlements: Vec<String>,
    /// Payment logs.
    pub payment_log: Vec<PaymentLogSection>,
    /// Invoice records: URLs, files, and nodes.
    pub invoices: Vec<InvoicesSection>,
}

/// One entry of `gateway.payment_log`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentLogSection {
    /// The gateway's address.
    pub url: Option<String>,
    /// An exported log.
    pub file: Option<String>,
    /// The federation whose log is asked for.
    pub federation_id: Option<String>,
    /// A file that holds the gateway's password; readable by its owner only.
    pub password_file: Option<String>,
}

/// `[federations.<slug>]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FederationSection {
    /// Pinned keys: hex, or `{ key, from, until }`.
    pub settlement_keys: Vec<toml::Value>,
    /// Allowed direction by settlement kind.
    pub directions: BTreeMap<String, crate::domain::Direction>,
    /// Who bears the routing fee, by settlement kind: `platform` unless said here. What is not there changes no digest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fee_bearers: BTreeMap<String, crate::domain::FeeBearer>,
    /// The operator's directory of federations: URL or file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The federation's charter, or the operator's reply about it: URL or file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charter: Option<String>,
    /// What the federation was seen to hold. What is not there changes no digest of the configuration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<ObservedSection>,
    /// What guardians' audits said. What is not there changes no digest of the configuration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audits: Vec<AuditSection>,
}

/// One entry of `audits`: what a guardian's `audit` answered, in millisatoshi.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSection {
    /// When.
    pub at: Instant,
    /// `net_assets` over all modules.
    pub net_assets: i64,
    /// `net_assets` by kind of module.
    #[serde(default)]
    pub modules: BTreeMap<String, i64>,
}

/// One entry of `observed`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedSection {
    /// When.
    pub at: Instant,
    /// The client's balance and open positions, in millisatoshi.
    pub msat: u64,
}

/// `[keys]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeysSection {
    /// Key sets of the envelope host: URLs and files.
    pub jwks: Vec<String>,
    /// Key sets of the auth host: their keys do not sign envelopes.
    pub auth_jwks: Vec<String>,
    /// Key ids that leaked.
    pub compromised: Vec<CompromisedSection>,
    /// A register of leaks beside `[[keys.compromised]]`, which `reledger keys` edits. Where it lies changes no digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compromised_file: Option<String>,
}

/// `[[keys.compromised]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CompromisedSection {
    /// Key id.
    pub kid: String,
    /// Leaked from this instant on.
    pub at: Instant,
    /// How that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `[projects]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectsSection {
    /// Price configs: URLs, files, folders.
    pub configs: Vec<String>,
}

/// `[custody]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CustodySection {
    /// Descriptors, graduations, rotations: one JSON object a line.
    pub files: Vec<String>,
}

/// `[balances]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BalancesSection {
    /// A statement file: one user a line.
    pub statement: Option<String>,
    /// A statement address.
    pub api: Option<String>,
    /// Sample size where only single users can be asked.
    pub sample: Option<u32>,
    /// `beacon`, `beacon:HEIGHT`, or a literal text that the report marks as chosen.
    pub seed: Option<String>,
    /// What each draw takes: users, or satoshi. What is not there changes no digest of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<crate::domain::Sampling>,
}

/// `[[gaps]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GapSection {
    /// Source as configured.
    pub source: String,
    /// Start.
    pub from: Instant,
    /// End (exclusive).
    pub until: Instant,
    /// Why.
    pub reason: String,
    /// Where that is written down.
    pub cite: String,
    /// Explains nothing from this instant on.
    pub expires: Instant,
}

/// `[history]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HistorySection {
    /// Folders of finished runs, with which sources that must only grow are compared.
    pub runs: Vec<String>,
}

/// `[store]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSection {
    /// `redb:`, `sled:`, `memory:` or `postgres://user@host/database`.
    pub url: Option<String>,
}

impl Config {
    /// As it may be shown: without a password in the store's address.
    #[must_use]
    pub fn shown(&self) -> Self {
        let mut shown = self.clone();
        if let Some(url) = shown.store.as_mut().and_then(|store| store.url.as_mut()).filter(|url| url.contains("://")) {
            *url = url.parse::<Address>().map_or_else(|why| format!("({why})"), |address| address.to_string());
        }
        shown
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// [`AppError::Config`] with line and column, and the nearest known key where one is misspelt.
    pub fn from_toml(text: &str) -> Result<Self, AppError> {
        toml::from_str(text).map_err(|error| {
            let place = error.span().map(|span| place(text, span.start)).unwrap_or_default();
            AppError::Config {
                what: format!("the configuration can't be read{place}: {}", one_line(error.message())),
                hint: "`reledger init` writes a commented configuration with every key".to_owned(),
            }
        })
    }
}

/// Line, column and the line itself.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count();
    let column = before.rsplit('\n').next().map_or(1, |tail| tail.chars().count() + 1);
    let shown = text.lines().nth(line).unwrap_or_default().trim();
    format!(" at line {}, column {column} (`{}`)", line + 1, crate::domain::inert_limited(shown, 60))
}

fn one_line(text: &str) -> String {
    crate::domain::inert(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_example_is_accepted() {
        let text = r#"
profile = "orangecheck-2026-10"
[nostr]
relays = ["wss://relay.ochk.io", "wss://nos.lol"]
operator_relays = ["wss://relay.ochk.io"]
files = ["archive/events.jsonl"]
kinds = [{ kind = 30087, d = ["oc-me-event:", "oc-me-rebind:"] }]
since = 2026-01-01T00:00:00Z
require = { min_relays = 1, basis = "exhausted" }
relay_budget = { events = 1000, bytes = 1000000, questions = 100, time = "1h" }
auth_key_file = "relay.key"
[ots]
calendars = ["https://alice.btc.calendar.opentimestamps.org"]
files = ["proofs/"]
overdue = "48h"
[headers]
files = ["headers.bin"]
bitcoin_rest = "http://127.0.0.1:8332"
checkpoint = { height = 0, hash = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f" }
min_depth = 6
[gateway]
settlements = ["settlements.jsonl"]
payment_log = [{ url = "https://gw.example", federation_id = "c5", password_file = "pw" }, { file = "payment_log.json" }]
invoices = ["lnd-invoices.json", { cln = "https://node.example:3010", rune_file = "rune" }]
[federations.oc-me-v1]
settlement_keys = ["8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"]
directions = { "escrow.rebate" = "out" }
observed = [{ at = 2026-09-30T12:00:00Z, msat = 123 }]
directory = "https://me.ochk.io/api/federations"
charter = "charter.md"
[keys]
jwks = ["https://me.ochk.io/.well-known/oc-envelope-jwks.json"]
[[keys.compromised]]
kid = "env-2026-03"
at = 2026-08-01T00:00:00Z
reason = "a laptop was stolen"
[caps]
class_a_per_day = 4
window = "rolling"
[[caps.limits]]
from = 2026-09-01T00:00:00Z
site_share_percent = 50
[projects]
configs = ["configs/"]
[custody]
files = ["custody.jsonl"]
[balances]
statement = "balances.jsonl"
sample = 50
seed = "beacon"
[budgets]
rto = "60m"
rpo = "15m"
[[gaps]]
source = "wss://relay.ochk.io"
from = 2026-05-08T00:00:00Z
until = 2026-06-05T00:00:00Z
reason = "write plugin could not start"
cite = "strfry.conf comment"
expires = 2027-01-01
[acknowledgements]
file = "acknowledgements.jsonl"
[history]
runs = ["earlier-run/"]
[store]
url = "redb:"
"#;
        let config = Config::from_toml(text).unwrap();
        assert_eq!(config.nostr.unwrap().relays.len(), 2);
        assert_eq!(config.gaps[0].expires.0.to_string(), "2027-01-01T00:00:00Z");
    }

    #[test]
    fn a_password_in_the_store_s_address_is_never_shown() {
        for url in ["postgres://ann:secret@db.example/books", "postgres://ann:secret@/", "mysql://ann:secret@h/b"] {
            let config = Config::from_toml(&format!("[store]\nurl = \"{url}\"\n")).unwrap();
            let shown = serde_json::to_string(&config.shown()).unwrap();
            assert!(!shown.contains("secret"), "{shown}");
        }
        let config = Config::from_toml("[store]\nurl = \"redb:\"\n").unwrap();
        assert_eq!(config.shown(), config);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        let error = Config::from_toml("[nostr]\nrelay = []\n").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(error.to_string().contains("relay"), "{error}");
        assert_eq!(error.condition().exit_code().0, 2);
    }
}
