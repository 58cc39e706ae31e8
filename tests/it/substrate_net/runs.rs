//! Gateways, nodes and published documents seen through the command: what a run keeps of them and what it reports.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use super::gateway::password_file;
use super::http_server::{Answer, HttpServer, Request};
use crate::support::{arg, code, drill, report, run, shown};

const AS_OF: [&str; 2] = ["--as-of", "2026-10-01T00:00:00Z"];
const NOTE: &str = "AgEEsSPENDABLEnote0123456789";

/// (code, subject) of every divergence whose code starts so.
fn found(report: &Value, prefix: &str) -> Vec<(String, Value)> {
    let all = report["divergences"].as_array().unwrap().iter();
    let named = all.map(|one| (one["code"].as_str().unwrap().to_owned(), one["subject"].clone()));
    named.filter(|(code, _)| code.starts_with(prefix)).collect()
}

fn codes(report: &Value, prefix: &str) -> Vec<String> {
    found(report, prefix).into_iter().map(|(code, _)| code).collect()
}

/// Drills with that configuration alone.
fn drilled(folder: &TempDir, config: &str, name: &str) -> Value {
    let file = folder.path().join(format!("{name}.toml"));
    fs::write(&file, config).unwrap();
    let run_dir = folder.path().join(name);
    let output = drill(&file, &run_dir, &AS_OF);
    assert!([0, 1, 3, 8].contains(&code(&output)), "{}", shown(&output));
    report(&run_dir)
}

/// True when any file below holds these bytes, compressed segments of the store included.
fn holds(folder: &Path, needle: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        let bytes = fs::read(&path).unwrap();
        // A frame of the compression may begin anywhere in a segment.
        let magic = [0x28, 0xb5, 0x2f, 0xfd];
        let frames = bytes.windows(4).enumerate().filter(|(_, window)| *window == magic);
        let expanded = frames.filter_map(|(at, _)| zstd::stream::decode_all(&bytes[at..]).ok());
        let within = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        within(&bytes) || expanded.into_iter().any(|bytes| within(&bytes))
    })
}

fn log_entry(id: u64) -> Value {
    json!({"id": id, "kind": "payment-send", "module": {"kind": "mint", "id": 1}, "ts_usecs": 1_779_408_003_234_567_u64,
        "payload": {"operation_id": "ab".repeat(32), "amount": 1000, "oob_notes": NOTE}})
}

#[test]
fn bearer_notes_of_a_log_reach_no_file_of_a_run_and_are_told() {
    let folder = tempdir().unwrap();
    password_file(&folder, 0o600);
    let server = HttpServer::start(|request: &Request, _| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let end = body["end_position"].as_u64().unwrap_or(u64::MAX);
        let page = if end >= 7 { vec![log_entry(7)] } else { Vec::new() };
        Answer::ok(Value::Array(page).to_string())
    });
    // A copy in a file, cut off inside its second entry.
    let cut = json!([log_entry(8), log_entry(9)]).to_string();
    fs::write(folder.path().join("log.json"), &cut[..cut.len() - 9]).unwrap();
    let config = format!(
        "[gateway]\npayment_log = [{{ url = \"{}\", federation_id = \"c5\", password_file = \"password\" }}, \
         {{ file = \"log.json\" }}]\n",
        server.base
    );
    let report = drilled(&folder, &config, "run");
    assert_eq!(codes(&report, "SRC_SECRET_PRESENT").len(), 3, "{report}");
    assert!(!report.to_string().contains(NOTE));
    assert!(!holds(&folder.path().join("run"), NOTE.as_bytes()));
    // The search finds what is there.
    assert!(holds(&folder.path().join("run"), b"redacted:sha256:"));
}

/// A settlement log on pages of two, whose third page is what the test wants.
fn paged(folder: &TempDir, name: &str, third: impl Fn() -> Answer + Send + Sync + 'static) -> (Value, String) {
    let page = |numbers: [u64; 2], next: &str| {
        let records = numbers.map(|number| format!("{{\"n\":{number}}}"));
        Answer::ok(format!("{{\"settlements\":[{}],\"next_cursor\":{next}}}", records.join(",")))
    };
    let server = HttpServer::start(move |request: &Request, _| match request.target.as_str() {
        "/s" => page([1, 2], "\"b\""),
        "/s?cursor=b" => page([3, 4], "\"c\""),
        _ => third(),
    });
    let config = format!("[gateway]\nsettlements = [\"{}/s\"]\n", server.base);
    (drilled(folder, &config, name), format!("{}/s", server.base))
}

#[test]
fn pages_that_lead_astray_are_a_gap_and_a_whole_log_is_none() {
    let folder = tempdir().unwrap();
    let (report, _) = paged(&folder, "whole", || Answer::ok(r#"{"settlements":[{"n":5}],"next_cursor":null}"#));
    assert_eq!(report["coverage"][0]["basis"], "exhausted");
    assert_eq!((&report["coverage"][0]["events"], codes(&report, "SRC_CAPTURE_GAP")), (&json!(5), Vec::new()));
    let cases: [(&str, fn() -> Answer); 6] = [
        ("loop", || Answer::ok(r#"{"settlements":[{"n":5}],"next_cursor":"b"}"#)),
        ("elsewhere", || Answer::ok(r#"{"settlements":[{"n":5}],"next":"https://evil.example/s"}"#)),
        ("gone", || Answer::status(404, "gone")),
        ("moved", || Answer::Full(302, vec!["location: https://evil.example/".to_owned()], Vec::new())),
        ("cut", || Answer::ok(r#"{"settlements":[{"n":5"#)),
        ("count", || Answer::ok(r#"{"count":9,"settlements":[{"n":5}]}"#)),
    ];
    for (name, third) in cases {
        let (report, source) = paged(&folder, name, third);
        let about = if name == "count" { "count" } else { "pages" };
        let gap = ("SRC_CAPTURE_GAP".to_owned(), json!({"source": source, "about": about}));
        assert_eq!(found(&report, "SRC_CAPTURE_GAP"), [gap], "{name}");
        assert_eq!(report["coverage"][0]["complete"], json!(name == "count"), "{name}");
    }
}

/// LND with these invoices, asked by the command.
fn lnd_run(folder: &TempDir, name: &str, indexes: Vec<u64>) -> Value {
    let server = HttpServer::start(move |request: &Request, _| {
        let query = request.target.split_once('?').unwrap().1;
        let offset: u64 =
            query.split('&').find_map(|pair| pair.strip_prefix("index_offset=")).unwrap().parse().unwrap();
        let record = |index: &u64| {
            let hash = reledger::domain::sha256(&index.to_be_bytes()).to_hex();
            json!({"r_hash": hash, "add_index": index.to_string(), "state": "CANCELED", "value_msat": "1000"})
        };
        let page: Vec<Value> = indexes.iter().filter(|index| **index > offset).take(60).map(record).collect();
        Answer::ok(if request.target.starts_with("/v1/invoices") {
            json!({"invoices": page}).to_string()
        } else {
            json!({"payments": []}).to_string()
        })
    });
    password_file(folder, 0o600);
    let config = format!("[gateway]\ninvoices = [{{ lnd = \"{}\", macaroon_file = \"password\" }}]\n", server.base);
    drilled(folder, &config, name)
}

#[test]
fn a_node_that_is_asked_page_by_page_is_never_cut_off_and_its_holes_are_told() {
    let folder = tempdir().unwrap();
    let whole = lnd_run(&folder, "whole", (1..=100).collect());
    assert_eq!(whole["population"]["invoices"]["accepted"], json!(100));
    assert_eq!((codes(&whole, "SRC_CUTOFF"), codes(&whole, "SRC_CAPTURE_GAP")), (Vec::new(), Vec::new()), "{whole}");
    let holed = lnd_run(&folder, "holed", (1..=100).filter(|index| *index != 61).collect());
    let gaps = found(&holed, "SRC_CAPTURE_GAP");
    assert_eq!((gaps.len(), &gaps[0].1["about"]), (1, &json!("add_index")));
}

#[test]
fn every_version_of_a_published_document_is_kept_with_its_time() {
    let folder = tempdir().unwrap();
    let served = Arc::new(Mutex::new(r#"{"keys":[]}"#.to_owned()));
    let serving = Arc::clone(&served);
    let server = HttpServer::start(move |_, _| Answer::ok(serving.lock().unwrap().clone()));
    let url = format!("{}/.well-known/oc-envelope-jwks.json", server.base);
    let config = folder.path().join("reledger.toml");
    fs::write(&config, format!("[keys]\njwks = [\"{url}\"]\n")).unwrap();
    let run_dir = folder.path().join("run");
    let capture = |now: &str| {
        let output = run(&["capture", "-c", arg(&config), "--run", arg(&run_dir), "--now", now, "--progress", "none"]);
        assert!([0, 3].contains(&code(&output)), "{}", shown(&output));
    };
    capture("2026-09-01T00:00:00Z");
    r#"{"keys":[ ]}"#.clone_into(&mut served.lock().unwrap());
    capture("2026-09-02T00:00:00Z");
    capture("2026-09-03T00:00:00Z");
    let record: Value = serde_json::from_slice(&fs::read(run_dir.join("run.json")).unwrap()).unwrap();
    let seen = record["documents"].as_array().unwrap();
    let times: Vec<(i64, i64)> =
        seen.iter().map(|one| (one["first_seen"].as_i64().unwrap(), one["last_seen"].as_i64().unwrap())).collect();
    assert_eq!(times, [(1_788_220_800, 1_788_220_800), (1_788_307_200, 1_788_393_600)]);
    assert!(seen.iter().all(|one| one["source"] == json!(url) && one["media"] == "jwks"), "{seen:?}");
    // Both are evidence, and neither time is in the report.
    let output =
        run(&["rebuild", "-c", arg(&config), "--run", arg(&run_dir), "--progress", "none", AS_OF[0], AS_OF[1]]);
    assert!([1, 3].contains(&code(&output)), "{}", shown(&output));
    for one in seen {
        let explained = run(&["explain", one["evidence"].as_str().unwrap(), "--run", arg(&run_dir)]);
        assert_eq!(code(&explained), 0, "{}", shown(&explained));
    }
    assert!(!report(&run_dir).to_string().contains("1788220800"));
}

#[test]
fn a_key_that_changed_since_an_earlier_run_is_told_and_a_key_that_was_added_is_not() {
    let folder = tempdir().unwrap();
    let served = Arc::new(Mutex::new(String::new()));
    let serving = Arc::clone(&served);
    let server = HttpServer::start(move |_, _| Answer::ok(serving.lock().unwrap().clone()));
    let url = format!("{}/.well-known/oc-envelope-jwks.json", server.base);
    let publish = |keys: &[(&str, u8)]| {
        use base64::Engine as _;
        let x = |byte: u8| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([byte; 32]);
        let keys = keys.iter().map(|(kid, byte)| json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x(*byte)}));
        *served.lock().unwrap() = json!({"keys": keys.collect::<Vec<_>>()}).to_string();
    };
    let keys = format!("[keys]\njwks = [\"{url}\"]\n");
    publish(&[("a", 1)]);
    drilled(&folder, &keys, "first");
    let later = format!("{keys}[history]\nruns = [\"first/\"]\n");
    publish(&[("a", 1), ("b", 2)]);
    let report = drilled(&folder, &later, "added");
    assert_eq!(codes(&report, "KEY_SET_REWRITTEN"), Vec::<String>::new());
    publish(&[("a", 3)]);
    let report = drilled(&folder, &later, "changed");
    let rewritten = ("KEY_SET_REWRITTEN".to_owned(), json!({"kid": "a", "set": "envelope"}));
    assert_eq!(found(&report, "KEY_SET_REWRITTEN"), [rewritten]);
    let again = run(&["audit", arg(&folder.path().join("changed"))]);
    assert_eq!(code(&again), 1, "the earlier version is evidence of the run: {}", shown(&again));
    let record: Value = serde_json::from_slice(&fs::read(folder.path().join("changed/run.json")).unwrap()).unwrap();
    assert_eq!(record["documents"].as_array().unwrap().len(), 2, "both versions have their times");
    // A document that is no longer asked for stays where it was.
    let elsewhere = later.replace(&url, &format!("{}/jwks.json", server.base));
    let report = drilled(&folder, &elsewhere, "elsewhere");
    assert_eq!(codes(&report, "KEY_SET_REWRITTEN"), Vec::<String>::new());
}

#[test]
fn a_charter_that_its_directory_does_not_name_is_drift_and_the_published_one_is_none() {
    let vector = crate::support::fixtures().join("vectors/oc-docs/charter-oc-me-v1.json");
    let vector: Value = serde_json::from_slice(&fs::read(vector).unwrap()).unwrap();
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("charter.md"), vector["canonical_text"].as_str().unwrap()).unwrap();
    let drift = |name: &str, hash: &str| {
        let listed = json!({"ok": true, "federations": [{"slug": "oc-me-v1", "name": "OC-Me", "status": "live",
            "threshold": "3-of-4", "target_guardian_count": 4, "invite": null, "charter_hash": hash}]});
        let server = HttpServer::start(move |_, _| Answer::ok(listed.to_string()));
        let config = format!(
            "[federations.oc-me-v1]\ndirectory = \"{}/api/federations\"\ncharter = \"charter.md\"\n",
            server.base
        );
        let report = drilled(&folder, &config, name);
        assert_eq!(report["population"]["federations"]["accepted"], json!(2), "{report}");
        found(&report, "SRC_DRIFT")
    };
    assert_eq!(drift("agrees", vector["sha256"].as_str().unwrap()), []);
    let expected = ("SRC_DRIFT".to_owned(), json!({"list": "federations.oc-me-v1.charter"}));
    assert_eq!(drift("differs", &"00".repeat(32)), [expected]);
}
