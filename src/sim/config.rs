//! Configurations that point an auditor at a world (CONTRACT 3): as files, or at live addresses on loopback.

use super::chain::POW_LIMIT_BITS;
use super::json::quoted;
use super::ots::CALENDARS;
use super::server::{HeaderDialect, Role, Serving};
use super::settlement::FEDERATION;
use super::world::World;

/// File name of the gateway's password beside a configuration.
pub(super) const PASSWORD_FILE: &str = "gateway.password";

/// Archive that repeats events of the first one.
pub(super) const SECOND_ARCHIVE: &str = "nostr/events-2.jsonl";
/// Headers of a branch that lost.
pub(super) const STALE_HEADERS: &str = "headers/stale.headers";

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

/// The configuration of a served world. Price configs (whose domain must be the host they come from), activity
/// attestations, custody records and detached proofs stay files beside it.
pub(super) fn loopback_toml(world: &World, serving: &Serving) -> String {
    let at = |role| {
        let address = serving.addresses.get(&role).unwrap_or(&serving.http);
        format!("http://{address}")
    };
    let gateway = at(Role::PaymentLog);
    let headers = match serving.services().headers {
        HeaderDialect::Core => "bitcoin_rest",
        HeaderDialect::Esplora => "esplora",
    };
    toml(
        world,
        &Places {
            relays: serving.relays.iter().map(|relay| format!("ws://{relay}")).collect(),
            event_files: Vec::new(),
            proof_folders: vec!["ots/"],
            calendars: serving.calendars.iter().map(|calendar| format!("http://{calendar}")).collect(),
            idle_seconds: idle_seconds(serving),
            headers: format!("{headers} = \"{}\"", at(Role::Headers)),
            settlements: format!("{gateway}/settlements.json"),
            invoices: format!("{gateway}/invoices"),
            payment_log: format!("url = \"{gateway}\", password_file = \"{PASSWORD_FILE}\""),
            jwks: vec![format!("{}/.well-known/oc-envelope-jwks.json", at(Role::WellKnown))],
            auth_jwks: format!("{}/.well-known/jwks.json", at(Role::WellKnown)),
            balances: format!("api = \"{}/balances.json\"", at(Role::Balances)),
        },
    )
}

/// Servers that are slow on purpose keep their pace, so a reader need not wait longer than that; others may be slow
/// because the machine is.
fn idle_seconds(serving: &Serving) -> Option<u64> {
    let services = serving.services();
    let paced = !services.behaviours.is_empty();
    paced.then(|| services.pace_ms.saturating_mul(IDLE_PACES).div_ceil(1_000).max(1))
}

fn toml(world: &World, places: &Places) -> String {
    let mut sections = vec![
        format!(
            "# A simulated world: seed {}, to be looked at as of {}.\nprofile = \"orangecheck-2026-10\"\n",
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
