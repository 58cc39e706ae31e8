//! Goal: `sim write` keeps its word: the program finds in a written world exactly what its `expected.json` says, nothing is
//! half-written, and a world that can't be is a usage error.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{arg, code, drill, reledger, report, run, shown, stderr, stdout};

/// The divergences as `expected.json` writes them, in a fixed order.
fn multiset(divergences: impl Iterator<Item = Value>) -> Vec<String> {
    let mut all: Vec<String> = divergences.map(|one| one.to_string()).collect();
    all.sort();
    all
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_written_world_is_judged_as_its_expected_json_says() {
    let mut codes = std::collections::BTreeSet::new();
    for (seed, events, noise) in [("2", "40", None), ("5", "300", None), ("7", "120", Some("--noise"))] {
        let folder = tempdir().unwrap();
        let world = folder.path().join("world");
        let mut args = vec!["sim", "write", "--seed", seed, "--events", events, "--dir", arg(&world)];
        args.extend(noise);
        let written = run(&args);
        assert_eq!(code(&written), 0, "{}", shown(&written));
        assert!(stdout(&written).contains("expected.json"), "{}", shown(&written));
        let expected: Value = serde_json::from_slice(&fs::read(world.join("expected.json")).unwrap()).unwrap();
        let run_dir = folder.path().join("run");
        let more = ["--as-of", "2026-10-01T00:00:00Z", "--reveal-users", "--offline"];
        let judged = drill(&world.join("reledger.toml"), &run_dir, &more);
        let report = report(&run_dir);
        assert_eq!(expected["exit_code"], code(&judged), "{}", shown(&judged));
        let said = report["divergences"].as_array().unwrap().iter().map(|one| {
            let is_explained = one["state"] == "explained";
            json!({"code": one["code"], "subject": one["subject"], "severity": one["severity"], "explained": is_explained})
        });
        let said = multiset(said);
        let awaited = expected["divergences"].as_array().unwrap();
        assert_eq!(said, multiset(awaited.iter().cloned()), "world {seed}");
        codes.extend(awaited.iter().map(|one| one["code"].as_str().unwrap().to_owned()));
        let balances = expected["balances"].as_object().unwrap();
        let sum: i64 = balances.values().map(|sats| sats.as_i64().unwrap()).sum();
        assert_eq!(report["balances"]["sum_sats"], sum);
        assert_eq!(report["balances"]["users"], balances.len());
    }
    assert!(codes.contains("OTS_PENDING"), "honest worlds have young proofs: {codes:?}");
}

#[test]
fn a_seed_or_size_out_of_range_is_a_usage_error_and_writes_nothing() {
    let folder = tempdir().unwrap();
    let dir = folder.path().join("world");
    for (flag, value) in [
        ("--events", "9"),
        ("--events", "10000001"),
        ("--events", "-10"),
        ("--events", "4294967306"),
        ("--events", "many"),
        ("--seed", "-1"),
        ("--seed", "18446744073709551616"),
        ("--seed", "0x7"),
        ("--seed", ""),
    ] {
        let output = run(&["sim", "write", "--dir", arg(&dir), &format!("{flag}={value}")]);
        assert_eq!(code(&output), 2, "{flag} {value}: {}", shown(&output));
        assert!(stderr(&output).contains(flag), "{flag} {value}: {}", shown(&output));
    }
    assert_eq!(names(folder.path()), [""; 0]);
    let last = run(&["sim", "write", "--dir", arg(&dir), "--events", "10", "--seed", "18446744073709551615"]);
    assert_eq!(code(&last), 0, "{}", shown(&last));
}

#[cfg(unix)]
#[test]
fn an_interrupted_write_leaves_nothing() {
    let folder = tempdir().unwrap();
    let dir = folder.path().join("world");
    let mut child = reledger()
        .args(["sim", "write", "--events", "1000000", "--progress", "plain", "--dir", arg(&dir)])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    // The first stage has begun.
    assert!(said.next().unwrap().unwrap().contains("1000000"));
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(names(folder.path()), [""; 0]);
}
