//! The page of a year: every run, red ones too; quarters without one; ages, acceptances and changes; nothing in it is markup.

use std::fs;

use reledger::domain::sha256;
use reledger::report::canonical_json;
use serde_json::{Value, json};

use super::{Bench, ran};
use crate::schemas::{faults, schema};
use crate::support::{arg, code, drill, report, run, shown, stdout};

#[test]
fn a_year_is_told_by_quarter_with_red_runs_missing_quarters_ages_and_what_changed() {
    let bench = Bench::new(5);
    let drilled = |name: &str, as_of: &str, more: &[&str]| {
        let at = bench.at(name);
        let output = drill(&bench.config, &at, &[&["--as-of", as_of], more].concat());
        assert!([0, 1, 3].contains(&code(&output)), "{}", shown(&output));
        at
    };
    let before = drilled("before", "2025-12-31T23:59:59Z", &[]);
    let first = drilled("first", "2026-10-01T00:00:00Z", &[]);
    // Less to check, a looser threshold, a budget, and a federation key that signed nothing.
    bench.configure("statement = \"balances.jsonl\"", "sample = 3");
    bench.configure("[headers]", "[budgets]\nrto = \"90m\"\nrpo = \"1s\"\n\n[headers]");
    let second = drilled("second", "2026-10-11T00:00:00Z", &["--fail-on", "critical"]);
    assert_ne!(report(&second)["verdict"]["exit_code"], 0);
    let args = ["transparency", "--year", "2026", arg(&second), arg(&before), arg(&first), arg(&first)];
    let output = run(&[&args[..], &["--json"]].concat());
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let page: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(faults(&schema("transparency"), &page), Vec::<String>::new(), "{page:#}");
    let quarters = page["quarters"].as_array().unwrap();
    let missing: Vec<bool> = quarters.iter().map(|quarter| quarter["missing"].as_bool().unwrap()).collect();
    assert_eq!(missing, [true, true, true, false]);
    assert_eq!((&page["skipped"][0]["as_of"], &page["repeated"]), (&1_767_225_599_i64.into(), &1.into()));
    let runs = quarters[3]["runs"].as_array().unwrap();
    for (told, run_dir) in runs.iter().zip([&first, &second]) {
        assert_eq!(told["run"]["verdict"], report(run_dir)["verdict"], "in order of their as-of");
    }
    // What is open in both runs of the year has the first one's date.
    let open_in = |report: &Value| -> Vec<(String, String)> {
        let open = report["divergences"].as_array().unwrap().iter().filter(|one| one["state"] == "open");
        open.map(|one| (one["code"].as_str().unwrap().into(), one["fingerprint"].as_str().unwrap().into())).collect()
    };
    let earlier = [(open_in(&report(&before)), 283), (open_in(&report(&first)), 10)];
    for one in runs[1]["more"]["open"].as_array().unwrap() {
        let own: Vec<_> =
            open_in(&report(&second)).into_iter().filter(|(code, _)| one["code"] == code.as_str()).collect();
        let first = earlier.iter().find(|(open, _)| own.iter().any(|one| open.contains(one)));
        let days = first.map_or(0, |(_, days)| *days);
        assert_eq!((&one["age_days"], &one["count"]), (&days.into(), &(own.len() as u64).into()), "{one}");
    }
    assert!(runs[1]["more"]["open"].as_array().unwrap().iter().any(|one| one["age_days"] != 0), "{page:#}");
    let changed = |run: &Value| -> Vec<String> {
        run["changes"].as_array().unwrap().iter().map(|change| change["what"].as_str().unwrap().to_owned()).collect()
    };
    let (one, two) = (changed(&runs[0]), changed(&runs[1]));
    assert!(one.iter().all(|what| what == "checks"), "the skipped run serves as what came before: {one:?}");
    for what in ["config_sha256", "fail_on", "rpo_budget_seconds", "rto_budget_seconds", "sources"] {
        assert!(two.iter().any(|one| one == what), "{what}: {two:?}");
    }
    assert!(!two.iter().any(|what| ["policy_sha256", "profile", "tool_version"].contains(&what.as_str())), "{two:?}");
    assert_eq!(runs[1]["run"]["objectives"]["rpo"]["missed"], true);
    assert_eq!(runs[1]["run"]["objectives"]["rto"]["budget_seconds"], 5_400);
    let text = stdout(&run(&args));
    for wanted in [
        "## Q1 2026\n\nNo run of this quarter was given.",
        "of 2 runs passed",
        "of 1h 30m 00s, met",
        ", missed |",
        "not of 2026",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    for place in [arg(&bench.at("")), "ann"] {
        assert!(!text.contains(place), "{place}");
    }
    assert_eq!(ran(&["transparency", "--year", "2024", arg(&first)]).0, 3, "no run of the year");
    assert_eq!(ran(&["transparency", "--year", "26", arg(&first)]).0, 2);
    assert_eq!(ran(&["transparency", "--year", "2026", arg(&bench.config)]).0, 5, "no feed");
}

/// A feed of one line that says whatever somebody wants.
fn forged(entry: &Value) -> Vec<u8> {
    let mut line = json!({"schema": "reledger/feed/1", "seq": 0, "previous_sha256": null, "entry": entry});
    line["sha256"] = sha256(canonical_json(&line).trim_ascii_end()).to_hex().into();
    canonical_json(&line)
}

#[test]
fn nothing_that_a_feed_says_is_markup_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let feed = folder.path().join("feed.ndjson");
    for hostile in [
        "<script>alert(1)</script>",
        "<img src=x onerror=1>",
        "[x](javascript:alert(1)) ![y](http://evil.example/p.png)",
        "https://evil.example www.evil.example mail@evil.example",
        "a | b\n# heading\n| c |",
        "\u{1b}]52;c;eA==\u{7} \u{202e}txt \u{2066} \u{9b}31m",
        "``` ~~~ --- *** $x$ <!-- -->",
    ] {
        let entry = json!({
            "as_of": {"time": 1_790_000_000, "tip": null}, "report_sha256": "0".repeat(64),
            "tool": {"name": hostile, "version": hostile},
            "inputs": {"profile": hostile, "config_sha256": hostile},
            "verdict": {"outcome": hostile, "sentence": hostile, "exit_code": hostile},
            "state_root": hostile, "manifest_sha256": hostile,
            "divergences": [{"code": hostile, "severity": hostile, "state": "open", "count": hostile}],
            "runbook": [{"step": hostile, "name": hostile, "verdict": hostile}],
        });
        fs::write(&feed, forged(&entry)).unwrap();
        let output = run(&["transparency", "--year", "2026", arg(&feed)]);
        assert_eq!(code(&output), 0, "{}", shown(&output));
        let text = stdout(&output);
        assert!(!text.chars().any(|one| one.is_control() && one != '\n'), "{text:?}");
        for live in
            ["<", ">", "](", "://", "www.", "mail@", "\u{202e}", "\u{2066}", "```", "~~~", "***", "$x$", "\n# h"]
        {
            assert!(!text.replacen("# T", "", 1).contains(live), "{live:?}: {text}");
        }
        // Every row of a table has as many cells as its head.
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert!(rows.len() == 3 && rows.iter().all(|row| cells(row) == cells(rows[0])), "{text}");
    }
    fs::write(&feed, forged(&json!({"as_of": "soon"}))).unwrap();
    assert_eq!(ran(&["transparency", "--year", "2026", arg(&feed)]).0, 5);
}
