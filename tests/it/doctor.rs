//! `reledger doctor` against an honest world on loopback and the same world with one thing that drifted. What belongs here:
//! each drift is found under its name and its near miss is not, an honest world alarms nobody, exit codes. The lists under
//! test are edited by hand here; what is right about them stands in the documents of the formats.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use reledger::sim::{SimEvent, World, serve, serve_toml};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;

use crate::support::{arg, code, run, shown, stderr, stdout};

/// The instant at which worlds add up; their newest header is a little older.
const NOW: &str = "2026-10-01T00:00:00Z";

static SERVERS: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());

/// An honest world on loopback, captured once by its own configuration.
struct Clinic {
    world: Arc<World>,
    place: TempDir,
    config: String,
    relays: Vec<String>,
}

static CLINIC: LazyLock<Clinic> = LazyLock::new(|| {
    let world = Arc::new(World::generate(7, 12));
    let serving = SERVERS.block_on(serve(Arc::clone(&world), std::future::pending())).unwrap();
    let place = tempdir().unwrap();
    let config = serve_toml(&serving, &world, place.path()).unwrap();
    let relays = serving.relays.iter().map(|relay| format!("ws://{relay}")).collect();
    let clinic = Clinic { world, place, config, relays };
    clinic.capture("honest", &clinic.config);
    clinic
});

impl Clinic {
    fn configure(&self, name: &str, text: &str) -> PathBuf {
        let config = self.place.path().join(format!("{name}.toml"));
        fs::write(&config, text).unwrap();
        config
    }

    fn capture(&self, name: &str, text: &str) {
        let (config, run_dir) = (self.configure(name, text), self.place.path().join(name));
        let output =
            run(&["capture", "-c", arg(&config), "--run", arg(&run_dir), "--progress", "none", "--as-of", NOW]);
        assert!([0, 3].contains(&code(&output)), "{}", shown(&output));
    }

    /// Asks about that run with this configuration; every check as (name, state), and the exit code.
    fn ask(&self, run_name: &str, text: &str, more: &[&str]) -> (i32, Vec<Value>) {
        let unique = reledger::domain::sha256(format!("{run_name}{text}{more:?}").as_bytes()).to_hex();
        let config = self.configure(&unique, text);
        let run_dir = self.place.path().join(run_name);
        let base = ["doctor", "-c", arg(&config), "--run", arg(&run_dir), "--json", "--progress", "none"];
        let output = run(&[&base[..], more].concat());
        let checks: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", shown(&output)));
        (code(&output), checks.as_array().unwrap().clone())
    }

    fn replaced(&self, from: &str, to: &str) -> String {
        assert!(self.config.contains(from), "{from} in {}", self.config);
        self.config.replacen(from, to, 1)
    }
}

/// No run: for lists and sources, which are looked at without one.
const NO_RUN: &str = "no-run";

/// What is not ok, as (name, state); that there is no run to compare with is no complaint.
fn complaints(checks: &[Value]) -> Vec<(String, String)> {
    let text = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    let bad = checks.iter().filter(|check| check["state"] != "ok" && check["check"] != "drift.evidence");
    bad.map(|check| (text(check, "check"), text(check, "state"))).collect()
}

/// The world with this configuration has exactly these complaints, and exit 1.
fn drifts(run_name: &str, text: &str, more: &[&str], wanted: &[(&str, &str)]) -> Vec<Value> {
    let (exit, checks) = CLINIC.ask(run_name, text, more);
    let wanted: Vec<(String, String)> =
        wanted.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect();
    assert_eq!(complaints(&checks), wanted, "{checks:?}");
    assert_eq!(exit, 1);
    assert!(checks.iter().filter(|check| check["state"] != "ok").all(|check| check["hint"] != ""), "{checks:?}");
    checks
}

fn is_well(run_name: &str, text: &str, more: &[&str]) {
    let (exit, checks) = CLINIC.ask(run_name, text, more);
    assert_eq!((exit, complaints(&checks)), (0, Vec::new()), "{checks:?}");
}

const AT_NOW: [&str; 2] = ["--now", NOW];

#[test]
fn an_honest_world_on_loopback_alarms_nobody() {
    is_well("honest", &CLINIC.config, &AT_NOW);
    let (_, checks) = CLINIC.ask("honest", &CLINIC.config, &AT_NOW);
    for name in [
        "config",
        "paths",
        "permissions",
        "store.engine",
        "store.lock",
        "store.readable",
        "drift.kinds.profile",
        "drift.kinds.evidence",
        "drift.kinds.relay",
        "drift.relays.published",
        "drift.keys.evidence",
        "drift.keys.hosts",
        "drift.keys.live",
        "drift.federations.evidence",
        "drift.calendars.evidence",
        "headers.age",
        "clock.headers",
        "clock.servers",
        "relay.information",
        "relay.limits",
    ] {
        assert!(checks.iter().any(|check| check["check"] == name), "{name}");
    }
    assert!(checks.iter().filter(|check| check["check"] == "source").count() >= 8);
}

#[test]
fn nothing_is_contacted_offline_and_what_was_not_looked_at_is_no_pass() {
    let more = ["--offline", AT_NOW[0], AT_NOW[1]];
    let (exit, checks) = CLINIC.ask("honest", &CLINIC.config, &more);
    assert_eq!(exit, 3);
    assert!(complaints(&checks).iter().all(|one| *one == ("source".to_owned(), "skipped".to_owned())), "{checks:?}");
    assert!(complaints(&checks).len() >= 8);
    // Without a run there is nothing to compare with, which nobody declared.
    let (exit, checks) = CLINIC.ask("never-made", "profile = \"orangecheck-2026-10\"\n", &more);
    let state = |name: &str| checks.iter().find(|check| check["check"] == name).map(|check| check["state"].clone());
    assert_eq!((exit, state("drift.evidence")), (0, Some("skipped".into())));
    assert!(!CLINIC.place.path().join("never-made").exists(), "it writes nothing");
}

#[test]
fn a_configuration_that_does_not_read_names_its_key_and_exits_2() {
    let config = CLINIC.configure("misspelt", "[nostr]\nrelay = []\n");
    let output = run(&["doctor", "-c", arg(&config)]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("relay") && stderr(&output).contains("hint: "), "{}", stderr(&output));
}

/// The profile's kinds as a list of the configuration.
fn kinds(left_out: Option<u16>, more: &[u16]) -> String {
    let all = (30_078..=30_087).chain([30_110, 30_111, 30_112, 30_114]).chain(more.iter().copied());
    let list: Vec<String> =
        all.filter(|kind| Some(*kind) != left_out).map(|kind| format!("{{ kind = {kind} }}")).collect();
    CLINIC.replaced("[nostr]\n", &format!("[nostr]\nkinds = [{}]\n", list.join(", ")))
}

#[test]
fn a_kind_of_the_profile_that_is_not_asked_is_found() {
    // The run was captured with all kinds, so that events of that kind stand in it too.
    let found = [("drift.kinds.profile", "fail"), ("drift.kinds.evidence", "fail")];
    let checks = drifts("honest", &kinds(Some(30_087), &[]), &AT_NOW, &found);
    assert!(checks.iter().any(|check| check["found"].as_str().unwrap().contains("kind 30087 (")), "{checks:?}");
    is_well("honest", &kinds(None, &[30_120]), &AT_NOW);
}

fn event(kind: u16, d: &str) -> SimEvent {
    let tags = vec![vec!["d".to_owned(), d.to_owned()]];
    CLINIC.world.hand().event("a stranger", kind, 1_788_220_800, tags, "{}".to_owned())
}

/// The world with one more archive.
fn archived(name: &str, events: &[SimEvent]) -> String {
    let lines: Vec<String> = events.iter().map(SimEvent::line).collect();
    fs::write(CLINIC.place.path().join(format!("{name}.jsonl")), lines.join("\n") + "\n").unwrap();
    CLINIC.replaced("[nostr]\n", &format!("[nostr]\nfiles = [\"{name}.jsonl\"]\n"))
}

/// The same, captured as a run of that name.
fn with_archive(name: &str, events: &[SimEvent]) -> String {
    let text = archived(name, events);
    CLINIC.capture(name, &text);
    text
}

#[test]
fn a_kind_that_the_substrate_holds_and_nobody_asks_for_is_found() {
    let text = with_archive("kind-drift", &[event(30_120, "oc-me-refund:1"), event(30_090, "x")]);
    drifts("kind-drift", &text, &AT_NOW, &[("drift.kinds.evidence", "fail")]);
}

#[test]
fn a_relay_of_a_published_document_that_is_not_asked_is_found() {
    let text = with_document("relay-drift", &CLINIC.config, "wss://elsewhere.example");
    CLINIC.capture("relay-drift", &text);
    drifts("relay-drift", &text, &AT_NOW, &[("drift.relays.published", "fail")]);
}

/// That configuration with one more price config, which names a relay.
fn with_document(name: &str, text: &str, relay: &str) -> String {
    let folder = CLINIC.place.path().join(format!("{name}-documents"));
    fs::create_dir_all(&folder).unwrap();
    let config = json!({
        "project_key": "pk_other", "display_name": "Other", "domain": "other.example",
        "events": {}, "nostr": {"relays": [relay]},
    });
    fs::write(folder.join("oc-config.json"), config.to_string()).unwrap();
    assert!(text.contains("configs = ["));
    text.replacen("configs = [", &format!("configs = [\"{name}-documents/\", "), 1)
}

/// An event of the world that carries an envelope, with its key's name.
fn publisher() -> (&'static str, SimEvent) {
    let world = &CLINIC.world;
    let carrier = world.events.iter().find(|event| {
        event.tag_values("d").any(|d| d.starts_with("oc-me-event:")) && event.content.contains("canonical_b64")
    });
    ("a publisher", carrier.unwrap().clone())
}

#[test]
fn a_publishers_relay_list_counts_and_a_strangers_does_not() {
    let (publisher, carrier) = publisher();
    let hand = CLINIC.world.hand();
    let again = hand.event(publisher, carrier.kind, carrier.created_at.0, carrier.tags, carrier.content);
    let text = with_archive("list-drift", &[again, relay_list(publisher), relay_list("a stranger")]);
    let checks = drifts("list-drift", &text, &AT_NOW, &[("drift.relays.published", "fail")]);
    let found = checks.iter().find(|check| check["check"] == "drift.relays.published").unwrap();
    assert_eq!(found["found"], "wss://written.example");
}

/// Relays that an author reads and writes at (NIP-65).
fn relay_list(author: &str) -> SimEvent {
    let tag = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    let tags = vec![tag(&["r", "wss://only.read.example", "read"]), tag(&["r", "wss://written.example"])];
    CLINIC.world.hand().event(author, 10_002, 1_788_220_800, tags, String::new())
}

#[test]
fn what_is_next_to_a_drift_in_a_run_is_none() {
    // What others write under other kinds, relays that a stranger likes, a published relay in another spelling, envelopes that
    // name the host their keys come from.
    let mut events = published_again("127.0.0.1");
    events.extend([event(1, "oh-well"), event(30_120, "not-oc-me:1"), relay_list("a stranger")]);
    let text = archived("near", &events);
    let relay = CLINIC.relays[0].replace("ws://", "WS://") + "/";
    let text = with_document("near", &text, &relay);
    let slug = text.lines().find_map(|line| line.strip_prefix("[federations.")?.strip_suffix(']')).unwrap().to_owned();
    let text = with_directory("near", &text, &slug);
    CLINIC.capture("near", &text);
    is_well("near", &text, &AT_NOW);
}

#[test]
fn an_operators_relay_that_is_not_asked_is_found() {
    let operator = format!("operator_relays = [\"{}\"]", CLINIC.relays[0]);
    let text = CLINIC.replaced(&operator, "operator_relays = [\"wss://own.example\"]");
    drifts(NO_RUN, &text, &AT_NOW, &[("drift.relays.operator", "fail")]);
    let text = CLINIC.replaced(&operator, &format!("operator_relays = [\"{}/\"]", CLINIC.relays[0]));
    is_well(NO_RUN, &text, &AT_NOW);
}

#[test]
fn a_key_id_that_envelopes_name_and_no_key_set_has_is_found() {
    let start = CLINIC.config.find("\njwks = [").unwrap() + 1;
    let line = CLINIC.config[start..].lines().next().unwrap();
    // The auth host's set in its place: its keys sign no envelope.
    let auth = CLINIC.config.lines().find(|line| line.starts_with("auth_jwks")).unwrap();
    let text = CLINIC.replaced(line, &auth.replace("auth_jwks", "jwks"));
    let text = text.replacen(&format!("\n{auth}\n"), "\n", 1);
    CLINIC.capture("keys-drift", &text);
    drifts("keys-drift", &text, &AT_NOW, &[("drift.keys.evidence", "fail")]);
}

#[test]
fn a_host_of_keys_other_than_the_one_that_envelopes_name_is_found() {
    let text = with_archive("host-drift", &published_again("elsewhere.example"));
    drifts("host-drift", &text, &AT_NOW, &[("drift.keys.hosts", "fail")]);
}

/// Every envelope published once more in a record that names a host where it can be looked at.
fn published_again(host: &str) -> Vec<SimEvent> {
    let (publisher, _) = publisher();
    let again = |event: &SimEvent| {
        let Ok(Value::Object(mut content)) = serde_json::from_str(&event.content) else { return event.clone() };
        content.insert("verify_url".to_owned(), format!("https://{host}/verify/00").into());
        let content = Value::Object(content).to_string();
        CLINIC.world.hand().event(publisher, event.kind, event.created_at.0, event.tags.clone(), content)
    };
    CLINIC.world.events.iter().filter(|event| event.kind == 30_087).map(again).collect()
}

/// Answers every request with what is set, and with this `Date`.
struct Scripted {
    address: String,
    body: Arc<Mutex<(String, String)>>,
}

impl Scripted {
    fn new(body: &str, date: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Mutex::new((body.to_owned(), date.to_owned())));
        let answers = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let (body, date) = answers.lock().unwrap().clone();
                let date = if date.is_empty() { date } else { format!("date: {date}\r\n") };
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\n{date}content-type: application/json\r\ncontent-length: {}\r\n\
                     connection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { address, body: shared }
    }

    fn set(&self, body: &str) {
        body.clone_into(&mut self.body.lock().unwrap().0);
    }
}

#[test]
fn a_key_that_changed_since_it_was_captured_or_is_gone_is_found() {
    let key = |kid: &str, seed: u8| {
        let public = CLINIC.world.hand().ed25519_public(&format!("key {seed}"));
        let bytes: Vec<u8> =
            (0..64).step_by(2).map(|at| u8::from_str_radix(&public[at..at + 2], 16).unwrap()).collect();
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": base64url(&bytes)})
    };
    let set = |keys: &[Value]| json!({"keys": keys}).to_string();
    let server = Scripted::new(&set(&[key("a", 1), key("b", 2)]), "");
    let url = format!("http://{}/jwks.json", server.address);
    let text = CLINIC.replaced("\njwks = [", &format!("\njwks = [\"{url}\", "));
    CLINIC.capture("rotated", &text);
    is_well("rotated", &text, &AT_NOW);
    server.set(&set(&[key("a", 1), key("b", 2), key("c", 3)]));
    is_well("rotated", &text, &AT_NOW);
    server.set(&set(&[key("a", 1), key("b", 3)]));
    drifts("rotated", &text, &AT_NOW, &[("drift.keys.live", "fail")]);
    server.set(&set(&[key("a", 1)]));
    drifts("rotated", &text, &AT_NOW, &[("drift.keys.live", "fail")]);
}

/// RFC 4648, section 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[usize::try_from(number >> (18 - 6 * digit) & 63).unwrap()]));
        }
    }
    text
}

#[test]
fn a_tip_that_is_old_and_a_clock_that_is_behind_are_found() {
    let tip = i64::from(u32::from_le_bytes(CLINIC.world.headers.last().unwrap()[68..72].try_into().unwrap()));
    let at = |seconds: i64| (tip + seconds).to_string();
    let ask = |now: &str| {
        let (exit, checks) = CLINIC.ask("honest", &CLINIC.config, &["--now", now]);
        (exit, complaints(&checks))
    };
    let warn = |name: &str| (name.to_owned(), "warn".to_owned());
    // A live source may be three hours old, what a run holds a day.
    assert_eq!(ask(&at(3 * 3600)), (0, Vec::new()));
    assert_eq!(ask(&at(3 * 3600 + 1)), (1, vec![warn("headers.age")]));
    assert_eq!(ask(&at(86_401)), (1, vec![warn("headers.age"), warn("headers.age")]));
    assert_eq!(ask(&at(-7_200)), (0, Vec::new()));
    assert_eq!(ask(&at(-7_201)), (1, vec![warn("clock.headers"), warn("clock.headers")]));
}

/// A date of HTTP so many seconds from this machine's clock.
fn http_date(offset: i64) -> String {
    let now = std::process::Command::new("date").args(["-u", "+%s"]).output().unwrap().stdout;
    let now: i64 = String::from_utf8(now).unwrap().trim().parse().unwrap();
    let at = reledger::domain::UnixSeconds(now + offset);
    let (year, month, day) = at.civil_date();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let time: String = at.to_string().chars().skip(11).take(8).collect();
    format!("Mon, {day:02} {} {year} {time} GMT", months[usize::from(month) - 1])
}

#[test]
fn a_server_whose_time_is_not_this_machines_is_found() {
    let with = |offset: i64| {
        let server = Scripted::new("[]", &http_date(offset));
        CLINIC.replaced("\nsettlements = [", &format!("\nsettlements = [\"http://{}/log\", ", server.address))
    };
    for offset in [2 * 3600 + 60, -2 * 3600 - 60] {
        drifts(NO_RUN, &with(offset), &AT_NOW, &[("clock.servers", "warn")]);
    }
    is_well(NO_RUN, &with(2 * 3600 - 60), &AT_NOW);
}

#[test]
fn a_password_that_others_can_read_is_found() {
    let file = CLINIC.place.path().join("loose.password");
    fs::write(&file, "secret").unwrap();
    let text = CLINIC.replaced("\"gateway.password\"", "\"loose.password\"");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let checks = drifts(NO_RUN, &text, &AT_NOW, &[("permissions", "fail")]);
    assert!(checks.iter().any(|check| check["hint"].as_str().unwrap().starts_with("chmod 600 ")), "{checks:?}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    is_well(NO_RUN, &text, &AT_NOW);
}

#[test]
fn what_a_relay_says_of_itself_against_what_is_asked_of_it_is_found() {
    let with = |document: &Value| {
        let relay = Scripted::new(&document.to_string(), "");
        CLINIC.replaced("\nrelays = [", &format!("\nrelays = [\"ws://{}\", ", relay.address))
    };
    let nip11 = |limits: Value| json!({"name": "r", "supported_nips": [1, 11], "limitation": limits});
    is_well(NO_RUN, &with(&nip11(json!({"max_limit": 500, "default_limit": 500}))), &AT_NOW);
    let contradicting = with(&nip11(json!({"max_limit": 100, "default_limit": 500})));
    drifts(NO_RUN, &contradicting, &AT_NOW, &[("relay.limits", "warn")]);
    drifts(NO_RUN, &with(&nip11(json!({"auth_required": true}))), &AT_NOW, &[("relay.limits", "fail")]);
    let retains = |kinds: Value| json!({"retention": [{"kinds": kinds, "time": 0}]});
    drifts(NO_RUN, &with(&retains(json!([[30_080, 30_087]]))), &AT_NOW, &[("drift.kinds.relay", "fail")]);
    is_well(NO_RUN, &with(&retains(json!([[1, 7], 30_088]))), &AT_NOW);
    drifts(NO_RUN, &with(&json!("hello")), &AT_NOW, &[("relay.information", "warn")]);
}

#[test]
fn a_calendar_of_proofs_outside_the_allow_list_is_found() {
    let line = CLINIC.config.lines().find(|line| line.starts_with("calendars = [")).unwrap();
    let names: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
    let text = CLINIC.replaced(line, &format!("calendars = [\"{}\"]", names[0]));
    let checks = drifts("honest", &text, &AT_NOW, &[("drift.calendars.evidence", "fail")]);
    let found = checks.iter().find(|check| check["check"] == "drift.calendars.evidence").unwrap();
    assert!(names[1..].iter().any(|name| found["found"].as_str().unwrap().contains(name)), "{found}");
    // The order of a list says nothing.
    let reversed: Vec<String> = names.iter().rev().map(|name| format!("\"{name}\"")).collect();
    is_well("honest", &CLINIC.replaced(line, &format!("calendars = [{}]", reversed.join(", "))), &AT_NOW);
}

#[test]
fn a_federation_that_settles_and_is_not_configured_is_found() {
    let line = CLINIC.config.lines().find(|line| line.starts_with("[federations.")).unwrap();
    let text = CLINIC.replaced(line, "[federations.another]");
    let found = [("drift.federations.evidence", "fail"), ("drift.federations.keys", "fail")];
    drifts("honest", &text, &AT_NOW, &found);
    let more = format!("{}\n[federations.another]\n", CLINIC.config);
    is_well("honest", &more, &AT_NOW);
}

/// That configuration with a federation directory, which lists one live federation of that name.
fn with_directory(name: &str, text: &str, slug: &str) -> String {
    let listed = json!({"ok": true, "federations": [{"slug": slug, "name": "F", "status": "live", "threshold": "3-of-4",
        "target_guardian_count": 4, "invite": null, "charter_hash": null}]});
    fs::write(CLINIC.place.path().join(format!("{name}-federations.json")), listed.to_string()).unwrap();
    let line = text.lines().find(|line| line.starts_with("[federations.")).unwrap();
    text.replacen(line, &format!("{line}\ndirectory = \"{name}-federations.json\""), 1)
}

#[test]
fn a_federation_directory_that_says_otherwise_is_found() {
    let text = with_directory("directory-drift", &CLINIC.config, "another");
    CLINIC.capture("directory-drift", &text);
    let checks = drifts("directory-drift", &text, &AT_NOW, &[("drift.federations.published", "fail")]);
    let found = checks.iter().find(|check| check["check"] == "drift.federations.published").unwrap();
    assert!(found["found"].as_str().unwrap().contains("without another"), "{found}");
}

#[test]
fn a_source_that_is_not_there_and_a_path_that_is_wrong_are_found() {
    // A port that was free a moment ago: nobody listens.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = CLINIC.replaced("\nrelays = [", &format!("\nrelays = [\"ws://127.0.0.1:{port}\", "));
    drifts(NO_RUN, &text, &AT_NOW, &[("source", "fail")]);
    let text = CLINIC.replaced("\"configs/\"", "\"configs/\", \"nowhere/\"");
    drifts(NO_RUN, &text, &AT_NOW, &[("paths", "fail")]);
}

#[test]
fn a_damaged_run_is_told_and_people_get_lines_with_a_sentence() {
    let damaged = CLINIC.place.path().join("damaged");
    let segments = damaged.join("evidence/segments");
    fs::create_dir_all(&segments).unwrap();
    fs::copy(CLINIC.place.path().join("honest/run.json"), damaged.join("run.json")).unwrap();
    for entry in fs::read_dir(CLINIC.place.path().join("honest/evidence/segments")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(segments.join(path.file_name().unwrap()), bytes).unwrap();
    }
    let (exit, checks) = CLINIC.ask("damaged", &CLINIC.config, &AT_NOW);
    assert_eq!(exit, 1);
    assert_eq!(complaints(&checks)[0], ("store.readable".to_owned(), "fail".to_owned()), "{checks:?}");
    let config = CLINIC.configure("people", &CLINIC.config);
    let run_dir = CLINIC.place.path().join("honest");
    let output = run(&["doctor", "-c", arg(&config), "--run", arg(&run_dir), "--now", NOW]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(stdout(&output).lines().all(|line| line.starts_with("ok ") || line.ends_with("exit 0")));
}
