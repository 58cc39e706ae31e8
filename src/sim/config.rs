//! Configurations that point an auditor at a world (CONTRACT 3): as files, or at live addresses on loopback.

use std::collections::BTreeMap;

use super::chain::POW_LIMIT_BITS;
use super::json::quoted;
use super::ots::CALENDARS;
use super::server::{HeaderDialect, Role, Services, Serving};
use super::settlement::FEDERATION;
use super::world::World;

/// File name of the gateway's password beside a configuration.
pub(super) const PASSWORD_FILE: &str = "gateway.password";

/// Archive that repeats events of the first one.
pub(super) const SECOND_ARCHIVE: &str = "nostr/events-2.jsonl";
/// Headers of a branch that lost.
pub(super) const STALE_HEADERS: &str = "headers/stale.headers";

/// How the configuration of every world begins.
pub(super) const WORLD_HEADER: &str = "# A simulated world: seed ";

/// Where the parts of a world are found.
struct Places {
    relays: Vec<String>,
    event_files: Vec<String>,
    proof_folders: Vec<&'static str>,
    /// Live addresses of the calendars.
    calendars: Vec<String>,
    /// Seconds that a relay may be silent for.
    idle_seconds: Option<u64>,
    /// A member of `[balances]`.
    balances: String,
    /// A member of `[headers]`.
    headers: String,
    settlements: String,
    invoices: String,
    /// A table of `payment_log`.
    payment_log: String,
    jwks: Vec<String>,
    auth_jwks: String,
}

/// The configuration of a world written as files, with a second archive or without. Paths are relative to it.
pub(super) fn files_toml(world: &World, has_archive: bool) -> String {
    let key_file = |name: &str| format!("keys/{name}");
    let mut event_files = vec!["nostr/events.jsonl".to_owned()];
    if has_archive {
        event_files.push(SECOND_ARCHIVE.to_owned());
    }
    let mut headers = vec!["headers/0.headers"];
    if !world.stale.is_empty() {
        headers.push(STALE_HEADERS);
    }
    toml(
        world,
        &Places {
            relays: Vec::new(),
            event_files,
            // Without a live calendar the completed proofs come as files too.
            proof_folders: vec!["ots/", "ots-upgraded/"],
            calendars: Vec::new(),
            idle_seconds: None,
            balances: "statement = \"balances.jsonl\"".to_owned(),
            headers: format!("files = {}", list(&headers)),
            settlements: "gateway/settlements.jsonl".to_owned(),
            invoices: "gateway/invoices.json".to_owned(),
            payment_log: "file = \"gateway/payment_log.json\"".to_owned(),
            jwks: world.key_sets.iter().map(|document| key_file(&document.name)).collect(),
            auth_jwks: key_file(&world.auth_key_set.name),
        },
    )
}

/// Paces of silence after which a relay is given up: far more than any slow one needs.
const IDLE_PACES: u64 = 200;

/// Headers of a branch that lost, beside servers.
pub(super) const SERVED_STALE: &str = "headers-stale/stale.headers";
/// What archives hold besides the relays, beside servers.
pub(super) const SERVED_ARCHIVE: &str = "nostr-past/events.jsonl";
/// The folder of key sets that a host no longer publishes, beside servers.
pub(super) const PAST_KEYS: &str = "keys-past";

/// Where servers are.
pub(super) struct Addresses {
    pub(super) relays: Vec<String>,
    pub(super) calendars: Vec<String>,
    /// The address of everything else, without a path.
    by_role: BTreeMap<Role, String>,
    headers: HeaderDialect,
    idle_seconds: Option<u64>,
}

impl Addresses {
    pub(super) fn of(serving: &Serving) -> Self {
        let services = serving.services();
        let address = |role: Role| format!("http://{}", serving.addresses.get(&role).unwrap_or(&serving.http));
        Self {
            relays: serving.relays.iter().map(|relay| format!("ws://{relay}")).collect(),
            calendars: serving.calendars.iter().map(|calendar| format!("http://{calendar}")).collect(),
            by_role: Role::ALL.into_iter().map(|role| (role, address(role))).collect(),
            headers: services.headers,
            idle_seconds: idle_seconds(services),
        }
    }

    /// Addresses that nobody has, of servers that are not open yet.
    pub(super) fn named(services: &Services) -> Self {
        Self {
            relays: services.relays.iter().map(|_| String::new()).collect(),
            calendars: CALENDARS.iter().map(|_| String::new()).collect(),
            by_role: BTreeMap::new(),
            headers: services.headers,
            idle_seconds: None,
        }
    }

    pub(super) fn at(&self, role: Role) -> &str {
        self.by_role.get(&role).map_or("", String::as_str)
    }

    /// What a report calls the only source in that role.
    pub(super) fn source(&self, role: Role) -> String {
        let path = match role {
            Role::Settlements => "/settlements.json",
            Role::Invoices => "/invoices",
            Role::Balances => "/balances.json",
            Role::WellKnown => "/.well-known/oc-envelope-jwks.json",
            _ => "",
        };
        format!("{}{path}", self.at(role))
    }
}

/// The configuration of a served world. Price configs (whose domain must be the host they come from), activity
/// attestations, custody records, detached proofs, archives, earlier key sets and lost branches stay files beside it.
pub(super) fn loopback_toml(world: &World, addresses: &Addresses) -> String {
    let dialect = match addresses.headers {
        HeaderDialect::Core => "bitcoin_rest",
        HeaderDialect::Esplora => "esplora",
    };
    let mut headers = format!("{dialect} = \"{}\"", addresses.source(Role::Headers));
    if !world.stale.is_empty() {
        headers += &format!("\nfiles = [\"{SERVED_STALE}\"]");
    }
    let past = world.key_sets.split_last().map(|(_, past)| past).unwrap_or_default();
    let past = past.iter().map(|document| format!("{PAST_KEYS}/{}", document.name));
    toml(
        world,
        &Places {
            relays: addresses.relays.clone(),
            event_files: if world.archived.is_empty() { Vec::new() } else { vec![SERVED_ARCHIVE.to_owned()] },
            // An empty folder would be a source that holds nothing.
            proof_folders: if world.proofs.is_empty() { Vec::new() } else { vec!["ots/"] },
            calendars: addresses.calendars.clone(),
            idle_seconds: addresses.idle_seconds,
            headers,
            settlements: addresses.source(Role::Settlements),
            invoices: addresses.source(Role::Invoices),
            payment_log: format!(
                "url = \"{}\", password_file = \"{PASSWORD_FILE}\"",
                addresses.source(Role::PaymentLog)
            ),
            jwks: [addresses.source(Role::WellKnown)].into_iter().chain(past).collect(),
            auth_jwks: format!("{}/.well-known/jwks.json", addresses.at(Role::WellKnown)),
            balances: format!("api = \"{}\"", addresses.source(Role::Balances)),
        },
    )
}

/// Servers that are slow on purpose keep their pace, so a reader need not wait longer than that; others may be slow
/// because the machine is.
fn idle_seconds(services: &Services) -> Option<u64> {
    let paced = !services.behaviours.is_empty();
    paced.then(|| services.pace_ms.saturating_mul(IDLE_PACES).div_ceil(1_000).max(1))
}

fn toml(world: &World, places: &Places) -> String {
    let mut sections = vec![
        format!(
            "{WORLD_HEADER}{}, to be looked at as of {}.\nprofile = \"orangecheck-2026-10\"\n",
            world.seed,
            world.as_of()
        ),
        nostr(places),
        ots(places),
    ];
    sections.extend([
        format!(
            "[headers]\n{}\npow_limit = \"{POW_LIMIT_BITS:08x}\"\nmin_depth = 6\n\
             checkpoint = {{ height = 0, hash = \"{}\" }}\n",
            places.headers,
            world.genesis_hash()
        ),
        format!(
            "[gateway]\nsettlements = [\"{}\"]\npayment_log = [{{ {}, federation_id = \"{}\" }}]\n\
             invoices = [\"{}\"]\n",
            places.settlements, places.payment_log, world.federation_id, places.invoices
        ),
        format!(
            "[federations.{FEDERATION}]\nsettlement_keys = [\"{}\"]\n\
             directions = {{ \"escrow.rebate\" = \"out\", \"platform.accrual\" = \"in\" }}\n",
            world.settlement_key
        ),
        format!("[keys]\njwks = {}\nauth_jwks = [\"{}\"]\n", list(&places.jwks), places.auth_jwks),
        "[projects]\nconfigs = [\"configs/\"]\n".to_owned(),
        format!("[balances]\n{}\n", places.balances),
    ]);
    if !world.custody.is_empty() {
        sections.push("[custody]\nfiles = [\"custody.jsonl\"]\n".to_owned());
    }
    sections.join("\n")
}

/// A world of files names no calendar: it is judged without network, and its youngest proofs stay pending.
fn ots(places: &Places) -> String {
    let files = list(&places.proof_folders);
    if places.calendars.is_empty() {
        return format!("[ots]\nfiles = {files}\n");
    }
    let resolved = CALENDARS.iter().zip(&places.calendars).map(|(name, server)| format!("\"{name}\" = \"{server}\""));
    let resolved = resolved.collect::<Vec<_>>().join(", ");
    format!("[ots]\ncalendars = {}\nfiles = {files}\nresolve = {{ {resolved} }}\n", list(&CALENDARS))
}

fn nostr(places: &Places) -> String {
    let mut lines = vec!["[nostr]".to_owned()];
    if let [operator, ..] = places.relays.as_slice() {
        lines.push(format!("relays = {}", list(&places.relays)));
        lines.push(format!("operator_relays = [{}]", quoted(operator)));
    }
    if !places.event_files.is_empty() {
        lines.push(format!("files = {}", list(&places.event_files)));
    }
    if let Some(seconds) = places.idle_seconds {
        lines.push(format!("idle_timeout = \"{seconds}s\""));
    }
    lines.push("activity = [\"activity/activity.jsonl\"]".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

/// A TOML array of texts; JSON strings of printable ASCII are TOML strings too.
fn list<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}
