//! What runs say about their sources, end to end: growth against an earlier run, takedowns, lists that drift, pages.
//! What belongs here: promises that need more than one file or more than one run.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use reledger::sim::{World, serve, serve_toml, write};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::{arg, code, drill, report, run, shown};

const AS_OF: [&str; 2] = ["--as-of", "2026-10-01T00:00:00Z"];

/// An honest world as files, drilled once.
struct Place {
    folder: TempDir,
    config: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        write(&World::generate(7, 12), &folder.path().join("world")).unwrap();
        let config = folder.path().join("world/reledger.toml");
        let place = Self { folder, config };
        let (exit, found) = place.drill("first");
        assert_eq!((exit, codes_of(&found, "SRC_")), (0, Vec::new()));
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("world").join(name)
    }

    fn rewrite(&self, name: &str, edit: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.file(name)).unwrap();
        fs::write(self.file(name), edit(text)).unwrap();
    }

    fn configure(&self, section: &str) {
        self.rewrite("reledger.toml", |text| format!("{text}\n{section}"));
    }

    fn run_dir(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn drill(&self, name: &str) -> (i32, Value) {
        let output = drill(&self.config, &self.run_dir(name), &AS_OF);
        assert!([0, 1, 3].contains(&code(&output)), "{}", shown(&output));
        (code(&output), report(&self.run_dir(name)))
    }
}

/// (code, subject) of every divergence whose code starts so.
fn codes_of(report: &Value, prefix: &str) -> Vec<(String, Value)> {
    let all = report["divergences"].as_array().unwrap().iter();
    let named = all.map(|divergence| (divergence["code"].as_str().unwrap().to_owned(), divergence["subject"].clone()));
    named.filter(|(code, _)| code.starts_with(prefix)).collect()
}

fn without_first_line(text: &str) -> String {
    text.split_once('\n').unwrap().1.to_owned()
}

const HISTORY: &str = "[history]\nruns = [\"../first\"]\n";

#[test]
fn a_log_that_lost_an_entry_since_a_sealed_run_has_shrunk_and_an_audit_agrees() {
    let place = Place::new();
    place.configure(HISTORY);
    place.rewrite("gateway/settlements.jsonl", |text| without_first_line(&text));
    let (exit, found) = place.drill("second");
    assert_eq!(exit, 1);
    assert_eq!(codes_of(&found, "SRC_"), [("SRC_SHRANK".to_owned(), json!({"source": "files:settlement"}))]);
    let again = run(&["audit", arg(&place.run_dir("second"))]);
    assert_eq!(code(&again), 1, "{}", shown(&again));
}

#[test]
fn a_log_that_only_grew_or_is_written_otherwise_has_not_shrunk() {
    let place = Place::new();
    place.configure(HISTORY);
    place.rewrite("gateway/settlements.jsonl", |text| {
        let mut lines: Vec<String> = text.lines().map(|line| line.replace("\":", "\": ")).collect();
        lines.reverse();
        lines.join("\n")
    });
    let (exit, found) = place.drill("second");
    assert_eq!((exit, codes_of(&found, "SRC_")), (0, Vec::new()));
    assert!(found["checks"].to_string().contains("capture.growth"));
}

#[test]
fn what_is_missing_inside_a_registered_gap_has_not_shrunk() {
    let place = Place::new();
    let text = fs::read_to_string(place.file("gateway/settlements.jsonl")).unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let at = first["event"]["settled_at"].as_i64().unwrap();
    place.configure(&format!(
        "{HISTORY}[[gaps]]\nsource = \"files:settlement\"\nfrom = {at}\nuntil = {}\n\
         reason = \"the log was down\"\ncite = \"status page\"\nexpires = 2027-01-01\n",
        at + 1
    ));
    place.rewrite("gateway/settlements.jsonl", |text| without_first_line(&text));
    let (_, found) = place.drill("second");
    assert!(codes_of(&found, "SRC_SHRANK").is_empty(), "{:?}", codes_of(&found, "SRC_"));
}

#[test]
fn an_archive_that_lost_an_event_has_shrunk_and_a_gateways_invoices_need_not_grow() {
    let place = Place::new();
    place.configure(HISTORY);
    place.rewrite("nostr/events.jsonl", |text| without_first_line(&text));
    place.rewrite("gateway/invoices.json", |text| {
        let mut records: Vec<Value> = serde_json::from_str(&text).unwrap();
        records.retain(|record| record["status"] != "expired");
        Value::Array(records).to_string()
    });
    let (_, found) = place.drill("second");
    assert_eq!(codes_of(&found, "SRC_"), [("SRC_SHRANK".to_owned(), json!({"source": "files:nostr-event"}))]);
}

/// Drills with a file on standard input.
fn drill_with_input(place: &Place, name: &str, input: &str) -> (i32, Vec<u8>) {
    let file = place.file("input");
    fs::write(&file, input).unwrap();
    let output = crate::support::reledger()
        .args(["drill", "-c", arg(&place.config), "--run", arg(&place.run_dir(name)), "--progress", "none"])
        .args(AS_OF)
        .stdin(fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    assert!([0, 1, 3].contains(&code(&output)), "{}", shown(&output));
    (code(&output), crate::support::report_bytes(&place.run_dir(name)))
}

#[test]
fn archives_in_every_packing_and_on_standard_input_unite_to_the_same_report() {
    let place = Place::new();
    let first = crate::support::report_bytes(&place.run_dir("first"));
    let text = fs::read_to_string(place.file("nostr/events.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let part = |from: usize, to: usize| lines[from * lines.len() / 8..to * lines.len() / 8].join("\n") + "\n";
    // Each part overlaps its neighbours: what two archives hold is held once.
    fs::write(place.file("nostr/a.jsonl"), part(0, 3)).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, part(2, 5).as_bytes()).unwrap();
    fs::write(place.file("nostr/b.jsonl.gz"), gzip.finish().unwrap()).unwrap();
    fs::write(place.file("nostr/c.jsonl.zst"), zstd::encode_all(part(4, 7).as_bytes(), 1).unwrap()).unwrap();
    fs::remove_file(place.file("nostr/events.jsonl")).unwrap();
    let named = "\"nostr/a.jsonl\", \"nostr/b.jsonl.gz\", \"nostr/c.jsonl.zst\", \"-\"";
    place.rewrite("reledger.toml", |text| text.replace("\"nostr/events.jsonl\"", named));
    assert_eq!(drill_with_input(&place, "united", &part(6, 8)), (0, first));
    // What one archive loses and another still holds is not lost; what none holds is.
    place.configure(HISTORY);
    drill_with_input(&place, "moved", &part(7, 8));
    assert_eq!(codes_of(&report(&place.run_dir("moved")), "SRC_SHRANK"), []);
    fs::write(place.file("nostr/a.jsonl"), part(1, 3)).unwrap();
    drill_with_input(&place, "lost", &part(6, 8));
    let told = codes_of(&report(&place.run_dir("lost")), "SRC_SHRANK");
    assert_eq!(told, [("SRC_SHRANK".to_owned(), json!({"source": "files:nostr-event"}))]);
}

#[test]
fn what_other_tools_add_to_an_event_changes_nothing_that_it_says() {
    let place = Place::new();
    let state = report(&place.run_dir("first"))["state_root"].clone();
    // `strfry export --fried` adds a member; dumps of relay traffic keep the message around the event.
    place.rewrite("nostr/events.jsonl", |text| {
        let edit = |(at, line): (usize, &str)| match at % 3 {
            0 => line.replacen('{', "{\"fried\":\"00ff\",", 1),
            1 => format!("[\"EVENT\",\"sub\",{line}]"),
            _ => line.to_owned(),
        };
        text.lines().enumerate().map(edit).collect::<Vec<_>>().join("\n")
    });
    let (exit, found) = place.drill("second");
    assert_eq!((exit, &found["state_root"], codes_of(&found, "SRC_")), (0, &state, Vec::new()));
}

#[test]
fn a_history_that_is_no_sealed_run_is_refused_before_anything_is_fetched() {
    let place = Place::new();
    place.configure("[history]\nruns = [\"../nowhere\"]\n");
    let output = drill(&place.config, &place.run_dir("second"), &AS_OF);
    assert_eq!(code(&output), 2, "{}", shown(&output));
    assert!(!place.run_dir("second").exists());
    place.rewrite("reledger.toml", |text| text.replace("nowhere", "first"));
    fs::write(place.run_dir("first").join("evidence/inputs.json"), "{}").unwrap();
    let output = drill(&place.config, &place.run_dir("second"), &AS_OF);
    assert_eq!(code(&output), 5, "{}", shown(&output));
}

/// That settlement with one satoshi more, signed again by the federation's key.
fn resigned(world: &World, line: &str) -> String {
    let (event, _) = line.strip_prefix("{\"event\":").unwrap().split_once(",\"pubkey_hex\"").unwrap();
    let amount = serde_json::from_str::<Value>(event).unwrap()["amount_sats"].as_u64().unwrap();
    let more = event.replace(&format!("\"amount_sats\":{amount},"), &format!("\"amount_sats\":{},", amount + 1));
    assert_ne!(more, event);
    let (hand, key) = (world.hand(), "settlement");
    let (public, signature) = (hand.ed25519_public(key), hand.ed25519(key, more.as_bytes()));
    format!("{{\"event\":{more},\"pubkey_hex\":\"{public}\",\"sig_hex\":\"{signature}\"}}")
}

fn operation_of(line: &str) -> Value {
    serde_json::from_str::<Value>(line).unwrap()["event"]["operation_id"].clone()
}

#[test]
fn a_source_that_signs_another_history_than_it_did_equivocates() {
    let place = Place::new();
    place.configure(HISTORY);
    let world = World::generate(7, 12);
    let line = world.settlements[0].clone();
    place.rewrite("gateway/settlements.jsonl", |text| text.replace(&line, &resigned(&world, &line)));
    let (exit, found) = place.drill("second");
    assert_eq!(exit, 1);
    let equivocation = ("SRC_EQUIVOCATION".to_owned(), json!({"operation": operation_of(&line)}));
    let shrank = ("SRC_SHRANK".to_owned(), json!({"source": "files:settlement"}));
    let mut codes = codes_of(&found, "SRC_");
    codes.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(codes, [equivocation, shrank]);
}

/// A world on loopback with its configuration, as long as the test runs.
struct Served {
    world: Arc<World>,
    place: TempDir,
    relays: Vec<String>,
    _runtime: tokio::runtime::Runtime,
}

impl Served {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let world = Arc::new(World::generate(7, 12));
        let serving = runtime.block_on(serve(Arc::clone(&world), std::future::pending())).unwrap();
        let place = tempdir().unwrap();
        let config = serve_toml(&serving, &world, place.path()).unwrap();
        fs::write(place.path().join("reledger.toml"), config).unwrap();
        let relays = serving.relays.iter().map(|relay| format!("ws://{relay}")).collect();
        Self { world, place, relays, _runtime: runtime }
    }

    /// Drills with these texts of the configuration replaced.
    fn drill(&self, name: &str, replaced: &[(&str, String)]) -> (i32, Value) {
        let mut text = fs::read_to_string(self.place.path().join("reledger.toml")).unwrap();
        for (from, to) in replaced {
            assert!(text.contains(from), "{from} in {text}");
            text = text.replacen(from, to, 1);
        }
        let config = self.place.path().join(format!("{name}.toml"));
        fs::write(&config, text).unwrap();
        let run_dir = self.place.path().join(name);
        let output = drill(&config, &run_dir, &AS_OF);
        assert!([0, 1, 3].contains(&code(&output)), "{}", shown(&output));
        (code(&output), report(&run_dir))
    }
}

#[test]
fn a_log_that_tells_another_history_over_http_than_in_its_copy_equivocates() {
    let served = Served::new();
    let line = &served.world.settlements[0];
    let with_copy = |name: &str, copy: &str| {
        let file = served.place.path().join(format!("{name}.jsonl"));
        fs::write(&file, format!("{copy}\n")).unwrap();
        served.drill(name, &[("settlements = [", format!("settlements = [\"{}\", ", arg(&file)))])
    };
    let (exit, found) = with_copy("honest", line);
    assert_eq!((exit, codes_of(&found, "SRC_")), (0, Vec::new()));
    let (exit, found) = with_copy("forked", &resigned(&served.world, line));
    assert_eq!(exit, 1);
    let subject = json!({"operation": operation_of(line)});
    assert_eq!(codes_of(&found, "SRC_"), [("SRC_EQUIVOCATION".to_owned(), subject.clone())]);
    assert_eq!(codes_of(&found, "OP_CONFLICT"), [("OP_CONFLICT".to_owned(), subject)]);
}

#[test]
fn a_takedown_of_the_operator_explains_what_its_relay_lacks_and_no_other_relay() {
    let served = Served::new();
    let d = "oc-me-event:a record that was taken down";
    let tags = vec![vec!["d".to_owned(), d.to_owned()]];
    let at = 1_788_220_800; // 2026-09-01
    let event = served.world.hand().event("service", 30_087, at, tags, "{}".to_owned());
    fs::write(served.place.path().join("archive.jsonl"), event.line() + "\n").unwrap();
    let archive = ("[nostr]\n", "[nostr]\nfiles = [\"archive.jsonl\"]\ntransparency = [\"log.jsonl\"]\n".to_owned());
    let subjects = |date: &str| {
        let line = json!({"kind": 30_087, "d": d, "date": date}).to_string();
        fs::write(served.place.path().join("log.jsonl"), line).unwrap();
        let (_, found) = served.drill(date, std::slice::from_ref(&archive));
        codes_of(&found, "SRC_")
    };
    let lacks = |relay: &String| ("SRC_OMITS".to_owned(), json!({"source": relay, "kind": "30087"}));
    let explained = json!({"source": served.relays[0], "kind": "30087", "d": d});
    let mut found = subjects("2026-09-10");
    found.sort_by_key(|(code, subject)| (code.clone(), subject.to_string()));
    let mut expected: Vec<_> = served.relays[1..].iter().map(lacks).collect();
    expected.push(("SRC_TAKEN_DOWN".to_owned(), explained));
    assert_eq!(found, expected);
    // Published after the day of the takedown: it explains nothing.
    let mut found = subjects("2026-08-31");
    found.retain(|(code, _)| code != "SRC_INCOMPLETE");
    found.sort_by_key(|(code, subject)| (code.clone(), subject.to_string()));
    let mut expected: Vec<_> = served.relays.iter().map(lacks).collect();
    expected.sort_by_key(|(code, subject)| (code.clone(), subject.to_string()));
    assert_eq!(found, expected);
}

#[test]
fn a_list_of_kinds_shorter_than_the_profiles_is_drift() {
    let served = Served::new();
    let (_, found) = served.drill("short", &[("[nostr]\n", "[nostr]\nkinds = [{ kind = 30087 }]\n".to_owned())]);
    assert_eq!(codes_of(&found, "SRC_DRIFT"), [("SRC_DRIFT".to_owned(), json!({"list": "nostr.kinds"}))]);
}

/// So many invoices as LND lists them, beside the world's own.
fn lnd_invoices(count: u64, left_out: u64) -> String {
    let record = |index: u64| {
        let hash = reledger::domain::sha256(format!("invoice {index}").as_bytes()).to_hex();
        json!({"r_hash": hash, "add_index": index.to_string(), "state": "CANCELED", "value_msat": "1000"})
    };
    let records: Vec<Value> = (1..=count).filter(|index| *index != left_out).map(record).collect();
    json!({"invoices": records, "first_index_offset": "1", "last_index_offset": count.to_string()}).to_string()
}

#[test]
fn an_unpaged_list_and_a_list_with_a_hole_are_told_and_a_whole_one_is_not() {
    let place = Place::new();
    place.rewrite("reledger.toml", |text| text.replace("invoices = [", "invoices = [\"lnd.json\", "));
    let drill = |name: &str, text: String| {
        fs::write(place.file("lnd.json"), text).unwrap();
        let (exit, found) = place.drill(name);
        (exit, codes_of(&found, "SRC_"))
    };
    assert_eq!(drill("whole", lnd_invoices(101, 0)), (0, Vec::new()));
    let cut = ("SRC_CUTOFF_100".to_owned(), json!({"source": "files:invoice", "media": "invoice"}));
    assert_eq!(drill("cut", lnd_invoices(100, 0)), (1, vec![cut]));
    let hole = ("SRC_CAPTURE_GAP".to_owned(), json!({"source": "files:invoice", "about": "add_index"}));
    assert_eq!(drill("hole", lnd_invoices(50, 7)), (1, vec![hole]));
    let count = lnd_invoices(50, 0).replacen('{', "{\"count\": 51, ", 1);
    let count_differs = ("SRC_CAPTURE_GAP".to_owned(), json!({"source": "files:invoice", "about": "count"}));
    assert_eq!(drill("count", count), (1, vec![count_differs]));
}

#[test]
fn a_statement_that_sums_up_otherwise_than_its_lines_is_told() {
    let place = Place::new();
    let lines = fs::read_to_string(place.file("balances.jsonl")).unwrap();
    let balances: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sum: i64 = balances.iter().map(|line| line["balance_sats"].as_i64().unwrap()).sum();
    let drill = |name: &str, count: usize, sum: i64| {
        let whole = json!({"count": count, "sum_sats": sum, "as_of": "2026-10-01T00:00:00Z"});
        fs::write(place.file("balances.jsonl"), format!("{lines}{whole}\n")).unwrap();
        let (exit, found) = place.drill(name);
        (exit, codes_of(&found, "BALANCE_"))
    };
    assert_eq!(drill("true", balances.len(), sum), (0, Vec::new()));
    let total = ("BALANCE_ROOT".to_owned(), json!({"statement": "total"}));
    assert_eq!(drill("total", balances.len(), sum + 1), (1, vec![total]));
    let count = ("BALANCE_ROOT".to_owned(), json!({"statement": "count"}));
    assert_eq!(drill("count", balances.len() + 1, sum), (1, vec![count]));
}
