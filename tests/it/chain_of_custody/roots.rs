//! `--expect-root`: another state root is exit 1 with both roots, and the report is the same byte for byte.

use serde_json::Value;

use super::{Bench, log_of};
use crate::schemas::{faults, schema};
use crate::support::{arg, code, report, report_bytes, run, shown, stderr, stdout};

#[test]
fn the_expected_root_is_told_and_another_is_exit_1_with_both_and_the_report_stays() {
    let (bench, run_dir) = Bench::with_run(5);
    let bytes = report_bytes(&run_dir);
    let root = report(&run_dir)["state_root"].as_str().unwrap().to_owned();
    let other = "0".repeat(64);
    let config = arg(&bench.config).to_owned();
    let new = |name: &str| arg(&bench.at(name)).to_owned();
    let commands: [(&str, Vec<String>); 4] = [
        ("audit", vec!["audit".into(), new("run")]),
        ("drill", vec!["drill".into(), "--run".into(), new("new"), "-c".into(), config.clone(), "--yes".into()]),
        ("rebuild", vec!["rebuild".into(), "--run".into(), new("new"), "-c".into(), config.clone(), "--yes".into()]),
        ("replay", vec!["replay".into(), "--run".into(), new("new"), "-c".into(), config]),
    ];
    for (name, args) in &commands {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let with = |more: &[&str]| run(&[&args[..], more].concat());
        let met = with(&["--expect-root", &root.to_uppercase()]);
        assert_eq!(code(&met), 0, "{name}: {}", shown(&met));
        assert!(stderr(&met).contains(&format!("state root {root}: as expected")), "{name}: {}", shown(&met));
        let missed = with(&["--expect-root", &other, "-q"]);
        assert_eq!(code(&missed), 1, "{name}: {}", shown(&missed));
        let sentence = format!("state root {root} is not the expected {other}; divergent; exit 1");
        assert_eq!(stdout(&missed).lines().last(), Some(sentence.as_str()), "{name}: {}", shown(&missed));
        assert!(
            stderr(&missed).contains(&sentence) && stderr(&missed).contains("reledger diff A B --bisect"),
            "{name}"
        );
        let json = with(&["--expect-root", &other, "--json"]);
        assert_eq!(code(&json), 1, "{name}: {}", shown(&json));
        let event =
            stderr(&json).lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).next_back().unwrap();
        assert_eq!(faults(&schema("events"), &event), Vec::<String>::new(), "{event}");
        assert_eq!((event["equal"].as_bool(), event["exit_code"].as_u64()), (Some(false), Some(1)));
        if *name != "replay" {
            assert_eq!(json.stdout, bytes, "{name}: the result is the report");
        }
        let at = if *name == "audit" { run_dir.clone() } else { bench.at("new") };
        assert_eq!(report_bytes(&at), bytes, "{name}");
    }
    let log = log_of(&bench.at("new"));
    let codes: Vec<u64> = log.iter().filter_map(|entry| entry["exit_code"].as_u64()).collect();
    assert_eq!(codes, [0, 1, 1].repeat(3), "the log tells how the command ended");
    assert_eq!(code(&run(&["audit", arg(&bench.at("new"))])), 0, "the evidence and its report are as they were");
}

#[test]
fn another_root_leads_over_an_incomplete_run_and_both_are_told() {
    let bench = Bench::new(5);
    bench.configure("[headers]", "[custody]\n\n[headers]");
    let run_dir = bench.at("run");
    let args = ["drill", "-c", arg(&bench.config), "--run", arg(&run_dir)];
    let output = run(&[&args[..], &["--expect-root", &"1".repeat(64)]].concat());
    assert_eq!(code(&output), 1, "{}", shown(&output));
    assert!(stderr(&output).contains("; divergent, incomplete; exit 1"), "{}", shown(&output));
    assert_eq!(report(&run_dir)["verdict"]["exit_code"], 3);
}

#[test]
fn what_is_no_root_is_refused_before_anything_is_done() {
    let bench = Bench::new(5);
    for bad in ["", "00", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65)] {
        for command in ["drill", "rebuild", "replay"] {
            let at = bench.at("run");
            let output = run(&[command, "-c", arg(&bench.config), "--run", arg(&at), "--expect-root", bad]);
            assert_eq!(code(&output), 2, "{}", shown(&output));
            assert!(!at.exists(), "{command} {bad}");
        }
        assert_eq!(code(&run(&["audit", "nowhere", "--expect-root", bad])), 2);
    }
}
