//! Bytes of an attacker: whatever arrives, for whatever media, `decode` answers and says why. It never panics.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value;
use tempfile::tempdir;

use reledger::domain::{Code, Finding, Media, RawEvidence, TrustPolicy};
use reledger::evidence::{Decoded, decode};
use reledger::verify::Verifier;

use crate::support::{arg, code, drill, report, run, shown, stderr, stdout, write_world};

fn answer(media: Media, about: &str, bytes: &[u8]) -> Decoded {
    decode(&RawEvidence { media, about: about.to_owned(), bytes: bytes.to_vec() })
}

/// The findings, when the bytes do not decode.
fn refusal(media: Media, bytes: &[u8]) -> Option<Vec<Finding>> {
    match answer(media, "", bytes) {
        Decoded::Undecodable(findings) => Some(findings),
        Decoded::Claim(..) => None,
    }
}

/// Inputs that no format of ours allows. None has a multiple of 80 bytes, which would make it raw headers.
fn hostile_inputs() -> Vec<(&'static str, Vec<u8>)> {
    let deep = |open: &str, close: &str| (open.repeat(10_007) + &close.repeat(10_007)).into_bytes();
    vec![
        ("empty", Vec::new()),
        ("one byte", vec![b'{']),
        ("truncated object", br#"{"id":"ab","keys":[{"kid"#.to_vec()),
        ("not UTF-8", b"{\"id\":\"\xff\xfe\"}".to_vec()),
        ("overlong UTF-8", b"{\"id\":\"\xc0\x80\"}".to_vec()),
        ("byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("deep arrays", deep("[", "]")),
        ("deep objects", deep(r#"{"a":"#, "}")),
        ("deep and unclosed", b"[".repeat(10_007)),
        ("duplicate key", br#"{"keys":[],"keys":[],"kind":"a","kind":"b"}"#.to_vec()),
        ("NUL bytes", vec![0; 100]),
        ("NUL in a string", b"{\"id\":\"a\0b\"}".to_vec()),
        ("escape characters", b"\x1b]52;c;AAAA\x07\x1b[2J".to_vec()),
        ("lone surrogate", br#"{"id":"\ud800"}"#.to_vec()),
        ("trailing bytes", br#"{"keys":[]} {"keys":[]}"#.to_vec()),
        ("a huge number", [b"9".repeat(100_000), b"x".to_vec()].concat()),
        ("two MiB of spaces", b" ".repeat(2 * 1024 * 1024)),
        ("two MiB of quotes", b"\"".repeat(2 * 1024 * 1024)),
        ("two MiB of zeros", vec![0; 2 * 1024 * 1024]),
        ("two MiB of ones", vec![0xff; 2 * 1024 * 1024]),
    ]
}

#[test]
fn no_media_accepts_hostile_bytes_and_each_says_why() {
    for media in Media::ALL {
        for (name, bytes) in hostile_inputs() {
            let findings = refusal(media, &bytes).unwrap_or_else(|| panic!("{media} accepts: {name}"));
            assert!(!findings.is_empty(), "{media} is silent about: {name}");
            assert!(findings.iter().all(|finding| !finding.observed.is_empty()), "{media}, {name}");
            assert!(findings.iter().all(|finding| finding.observed.len() < 4096), "{media} quotes at length: {name}");
        }
    }
}

#[test]
fn a_json_fault_is_told_with_its_offset() {
    for media in [Media::NostrEvent, Media::Jwks, Media::AuthJwks, Media::Activity] {
        let findings = refusal(media, br#"{"a":1,"a":2}"#).unwrap();
        assert!(findings[0].observed.contains("duplicate key a at offset 7"), "{media}: {}", findings[0].observed);
        let expected = if media == Media::NostrEvent { Code::EvtMalformed } else { Code::SrcParse };
        assert_eq!(findings[0].code, expected);
        assert!(findings[0].subject.get("sha256").is_some_and(|digest| digest.len() == 64));
    }
}

#[test]
fn oversized_records_are_refused_however_well_formed() {
    let pad = " ".repeat(2 * 1024 * 1024);
    for (media, text) in [
        (Media::Jwks, format!(r#"{{{pad}"keys":[]}}"#)),
        (Media::NostrEvent, format!(r#"{{{pad}"id":""}}"#)),
        (Media::Activity, format!(r#"{{{pad}"attestation":{{"id":"{}"}}}}"#, "ab".repeat(32))),
    ] {
        let findings = refusal(media, text.as_bytes()).unwrap();
        assert!(findings[0].observed.contains("limit"), "{media}: {}", findings[0].observed);
    }
}

#[test]
fn hostile_bytes_of_every_media_pass_the_driver_and_are_counted() {
    let policy = TrustPolicy::orangecheck_2026_10();
    let raws = Media::ALL.into_iter().flat_map(|media| {
        let raw = move |(_, bytes)| RawEvidence { media, about: "x/\0\u{202e}".to_owned(), bytes };
        hostile_inputs().into_iter().map(raw)
    });
    let evidence: Vec<_> = raws.map(|raw: RawEvidence| (raw.id(), raw)).collect();
    let mut verifier = Verifier::new(&policy);
    verifier.first_pass(&evidence);
    verifier.begin_second_pass();
    verifier.second_pass(&evidence);
    let set = verifier.finish();
    let total: u64 = set.population.0.values().map(|counts| counts.quarantined).sum();
    assert_eq!(total, u64::try_from(evidence.len()).unwrap());
    assert!(set.population.0.values().all(|counts| counts.accepted == 0));
}

/// JSON-like soup: far more often close to a real record than raw bytes are.
fn soup() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\\u",
        "d800",
        "0",
        "-",
        ".",
        "e9",
        "null",
        "true",
        " ",
        "\n",
        "\"id\"",
        "\"kind\"",
        "\"keys\"",
        "\"content\"",
        "\"tags\"",
        "\"attestation\"",
        "\"event\"",
        "\"sig\"",
        "\u{e9}",
        "\0",
    ]);
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), about in "\\PC{0,70}") {
        for media in Media::ALL {
            if let Decoded::Undecodable(findings) = answer(media, &about, &bytes) {
                prop_assert!(!findings.is_empty());
            }
        }
    }

    #[test]
    fn almost_json_never_panics(text in soup()) {
        for media in Media::ALL {
            if let Decoded::Undecodable(findings) = answer(media, "", text.as_bytes()) {
                prop_assert!(!findings.is_empty());
            }
        }
    }
}

/// A world with one more file in one place of its configuration.
fn world_with(folder: &Path, place: &str, name: &str, bytes: &[u8]) -> PathBuf {
    let config = write_world(&folder.join("world"), 5, 12);
    let bad = folder.join(name);
    fs::write(&bad, bytes).unwrap();
    let text = fs::read_to_string(&config).unwrap();
    let with = text.replacen(&format!("\n{place} = ["), &format!("\n{place} = [\"{}\", ", bad.display()), 1);
    assert_ne!(with, text, "{place} is in the configuration");
    fs::write(&config, with).unwrap();
    config
}

fn accepted(report: &Value, population: &str) -> u64 {
    report["population"][population]["accepted"].as_u64().unwrap_or_default()
}

#[test]
fn a_declared_document_that_cannot_be_read_is_incomplete_and_the_rest_counts() {
    let folder = tempdir().unwrap();
    let reference = folder.path().join("reference");
    assert_eq!(code(&drill(&write_world(&folder.path().join("honest"), 5, 12), &reference, &[])), 0);
    let reference = report(&reference);
    let cases = [("jwks", "jwks"), ("auth_jwks", "auth-jwks"), ("configs", "project-config"), ("invoices", "invoice")];
    for (place, media) in cases {
        let own = folder.path().join(place);
        fs::create_dir(&own).unwrap();
        let config = world_with(&own, place, "bad.json", b"\xff\x1b[2J{\"keys\":");
        let output = drill(&config, &own.join("run"), &[]);
        assert_eq!(code(&output), 3, "{place}: {}", shown(&output));
        assert!(!shown(&output).contains('\x1b'), "{place}");
        let report = report(&own.join("run"));
        for population in ["envelopes", "settlements", "keys", "configs", "invoices", "headers"] {
            assert_eq!(accepted(&report, population), accepted(&reference, population), "{place}: {population}");
        }
        let divergences = report["divergences"].as_array().unwrap();
        let unread = divergences.iter().find(|found| found["code"] == "SRC_PARSE").unwrap();
        assert_eq!(unread["subject"]["media"], media);
        // The hash of the finding leads to the file and the offset in it.
        let sha256 = unread["subject"]["sha256"].as_str().unwrap();
        let told = run(&["explain", sha256, "--run", arg(&own.join("run"))]);
        assert!(stdout(&told).contains("bad.json"), "{}", shown(&told));
        assert!(stdout(&told).contains("offset 0"), "{}", shown(&told));
    }
}

#[test]
fn an_empty_file_beside_a_full_one_is_told() {
    let folder = tempdir().unwrap();
    for place in ["settlements", "invoices", "activity"] {
        let own = folder.path().join(place);
        fs::create_dir(&own).unwrap();
        let config = world_with(&own, place, "empty.jsonl", b"");
        let output = drill(&config, &own.join("run"), &[]);
        assert_eq!(code(&output), 3, "{place}: {}", shown(&output));
        assert!(report(&own.join("run"))["coverage"].to_string().contains("a file is empty"), "{place}");
        // A near miss: a list without members says something.
        fs::write(own.join("empty.jsonl"), b"[]").unwrap();
        assert_eq!(code(&drill(&config, &own.join("again"), &[])), 0, "{place}");
    }
}

#[test]
fn a_compressed_file_that_does_not_expand_is_kept_as_it_is() {
    let folder = tempdir().unwrap();
    let garbage = [&[0x28, 0xb5, 0x2f, 0xfd][..], &[0xde, 0xad, 0xbe, 0xef].repeat(40)].concat();
    let config = world_with(folder.path(), "settlements", "log.zst", &garbage);
    let run_dir = folder.path().join("run");
    assert_eq!(code(&drill(&config, &run_dir, &[])), 1);
    let sha256 = reledger::domain::sha256(&garbage).to_hex();
    let told = run(&["explain", &sha256, "--run", arg(&run_dir)]);
    assert!(stdout(&told).contains("log.zst"), "{}", shown(&told));
    assert!(stdout(&told).contains(&format!("{} bytes", garbage.len())), "{}", shown(&told));
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_at_once() {
    let folder = tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let config = folder.path().join("c.toml");
    fs::write(&config, "[nostr]\nfiles = [\"pipe\"]\n").unwrap();
    let output = drill(&config, &folder.path().join("run"), &[]);
    assert_eq!(code(&output), 2, "{}", shown(&output));
    assert!(stderr(&output).contains("neither a file nor a folder"), "{}", shown(&output));
}

#[test]
fn links_that_lead_nowhere_are_named_and_stop_the_run() {
    let folder = tempdir().unwrap();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, folder.path().join(name)).unwrap();
    link("loop", "loop");
    link("nowhere", "broken");
    for name in ["loop", "broken"] {
        let config = folder.path().join("c.toml");
        fs::write(&config, format!("[nostr]\nfiles = [\"{name}\"]\n")).unwrap();
        let output = drill(&config, &folder.path().join("run"), &[]);
        assert_eq!(code(&output), 2, "{}", shown(&output));
        assert!(stderr(&output).contains(name), "{}", shown(&output));
    }
}

/// What an auditor may be handed instead of a finished run, and the exit code it deserves.
/// An edit of a finished run's folder.
type Tamper = fn(&Path);

#[test]
fn an_audit_of_a_tampered_folder_says_so_and_writes_nothing() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 5, 12);
    let whole = folder.path().join("whole");
    drill(&config, &whole, &[]);
    let cases: &[(&str, i32, Tamper)] = &[
        ("nothing", 0, |_| ()),
        ("inputs gone", 5, |dir| fs::remove_file(dir.join("evidence/inputs.json")).unwrap()),
        ("segments gone", 5, |dir| fs::remove_dir_all(dir.join("evidence/segments")).unwrap()),
        ("manifest not text", 5, |dir| fs::write(dir.join("evidence/manifest.json"), b"\xff").unwrap()),
        ("manifest gone", 2, |dir| fs::remove_file(dir.join("evidence/manifest.json")).unwrap()),
        ("a stranger", 5, |dir| fs::write(dir.join("evidence/extra"), "x").unwrap()),
        ("a stranger inside", 5, |dir| fs::write(dir.join("evidence/segments/extra"), "x").unwrap()),
        ("a linked segment", 5, |dir| {
            let segment = dir.join("evidence/segments/00000001.seg");
            fs::rename(&segment, dir.join("elsewhere")).unwrap();
            std::os::unix::fs::symlink(dir.join("elsewhere"), segment).unwrap();
        }),
        ("a member outside", 5, |dir| {
            let manifest = dir.join("evidence/manifest.json");
            let text = fs::read_to_string(&manifest).unwrap();
            fs::write(&manifest, text.replace("segments/00000001.seg", "../segments/00000001.seg")).unwrap();
        }),
        ("a report not text", 1, |dir| fs::write(dir.join("report.json"), b"\xff").unwrap()),
        ("a hostile report", 1, |dir| {
            let text = fs::read_to_string(dir.join("report.json")).unwrap();
            fs::write(dir.join("report.json"), text.replace("\"as_of\"", "\"\\u001b]52;c;x\\u0007\"")).unwrap();
        }),
    ];
    for (name, expected, tamper) in cases {
        let dir = folder.path().join("run");
        assert!(std::process::Command::new("cp").arg("-r").args([&whole, &dir]).status().unwrap().success());
        tamper(&dir);
        let before = everything(&dir);
        for more in [&[][..], &["--json"]] {
            let output = run(&[&["audit", arg(&dir)], more].concat());
            assert_eq!(code(&output), *expected, "{name}: {}", shown(&output));
            assert!(!shown(&output).contains(['\x1b', '\x07']), "{name}");
            if more == ["--json"] && *expected < 2 {
                serde_json::from_str::<Value>(&stdout(&output)).unwrap();
            }
        }
        assert!(before == everything(&dir), "{name}: the audit wrote");
        fs::remove_dir_all(&dir).unwrap();
    }
}

/// Every file of a folder with its bytes.
fn everything(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(everything(&path));
        } else {
            files.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}
