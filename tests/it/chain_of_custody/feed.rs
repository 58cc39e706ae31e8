//! A public feed: red runs stand in it, it tells nothing of users and places, and no line of it can be changed unseen.

use std::fs;

use serde_json::Value;

use super::{Bench, edit, ran};
use crate::schemas::{faults, schema};
use crate::support::{arg, code, drill, reledger, report, run, shown, stdout};

fn lines(path: &std::path::Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn green_and_red_runs_are_published_once_each_and_no_user_or_place_with_them() {
    let (bench, green) = Bench::with_run(5);
    // A balance that nobody earned.
    let statement = bench.at("world/balances.jsonl");
    let text = fs::read_to_string(&statement).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let mut line: Value = serde_json::from_str(first).unwrap();
    let user = line["user"].as_str().unwrap().to_owned();
    line["balance_sats"] = (line["balance_sats"].as_i64().unwrap() + 7).into();
    fs::write(&statement, format!("{line}\n{rest}")).unwrap();
    let red = bench.at("red");
    let output = drill(&bench.config, &red, &["--reveal-users"]);
    assert_eq!(code(&output), 1, "{}", shown(&output));
    assert!(report(&red).to_string().contains(&user), "the report names the user");
    let feed = bench.at("feed.ndjson");
    let add = |run_dir: &std::path::Path| ran(&["report", "feed", "--to", arg(&feed), "--run", arg(run_dir)]);
    assert_eq!(ran(&["report", "feed", "--to", arg(&feed), "--run", arg(&green), "--dry-run"]).0, 0);
    assert!(!feed.exists());
    for run_dir in [&green, &red] {
        assert_eq!(add(run_dir).0, 0);
        let (exit, said) = add(run_dir);
        assert!(exit == 0 && said.contains("nothing added"), "{said}");
    }
    let told = lines(&feed);
    assert_eq!(told.len(), 2);
    for (line, run_dir) in told.iter().zip([&green, &red]) {
        assert_eq!(faults(&schema("feed"), line), Vec::<String>::new(), "{line:#}");
        let (entry, report) = (&line["entry"], report(run_dir));
        for name in ["as_of", "state_root", "verdict", "tool"] {
            assert_eq!(entry[name], report[name], "{name}");
        }
        assert_eq!(entry["ready_to_unfreeze"], report["runbook"]["ready_to_unfreeze"]);
        let bytes = fs::read(run_dir.join("report.json")).unwrap();
        assert_eq!(entry["report_sha256"], reledger::domain::sha256(&bytes).to_hex());
        let counts = entry["divergences"].as_array().unwrap();
        let sum: u64 = counts.iter().map(|count| count["count"].as_u64().unwrap()).sum();
        assert_eq!(sum, report["divergences"].as_array().unwrap().len() as u64);
    }
    assert_eq!(
        (&told[0]["entry"]["verdict"]["exit_code"], &told[1]["entry"]["verdict"]["exit_code"]),
        (&0.into(), &1.into())
    );
    let text = fs::read_to_string(&feed).unwrap();
    for private in [user.as_str(), arg(&bench.at("")), "files:", "ann"] {
        assert!(!text.contains(private), "{private}: {text}");
    }
    for line in fs::read_to_string(&statement).unwrap().lines() {
        let user: Value = serde_json::from_str(line).unwrap();
        assert!(!text.contains(user["user"].as_str().unwrap()), "{text}");
    }
}

#[test]
fn a_feed_that_was_changed_is_refused_with_its_line_and_a_remembered_head_tells_of_a_cut_end() {
    let (bench, run_dir) = Bench::with_run(5);
    let feed = bench.at("feed.ndjson");
    for as_of in ["2026-07-01", "2026-08-01", "2026-09-01"] {
        drill(&bench.config, &run_dir, &["--yes", "--as-of", as_of]);
        let (exit, said) = ran(&["report", "feed", "--to", arg(&feed), "--run", arg(&run_dir)]);
        assert_eq!(exit, 0, "{said}");
    }
    let verify = |more: &[&str]| ran(&[&["report", "feed", "--verify", arg(&feed)], more].concat());
    let whole = fs::read_to_string(&feed).unwrap();
    let head = lines(&feed)[2]["sha256"].as_str().unwrap().to_owned();
    assert_eq!(verify(&["--expect-head", &head]).0, 0);
    let told = stdout(&run(&["report", "feed", "--verify", arg(&feed), "--json"]));
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["head"], head.as_str());
    let all: Vec<&str> = whole.split_inclusive('\n').collect();
    let altered = all[1].replace("\"exit_code\":", "\"exit_code\":1");
    let cases: [(&str, Vec<&str>, &str); 5] = [
        ("altered", vec![all[0], &altered, all[2]], "line 2 was altered"),
        ("one gone", vec![all[0], all[2]], "line 2 has number 2"),
        ("the first gone", vec![all[1], all[2]], "line 1 has number 1"),
        ("turned", vec![all[0], all[2], all[1]], "line 2 has number 2"),
        ("torn", vec![all[0], all[1], &all[2][..40]], "line 3 is torn"),
    ];
    for (name, lines, named) in cases {
        fs::write(&feed, lines.concat()).unwrap();
        let (exit, said) = verify(&[]);
        assert!(exit == 5 && said.contains(named), "{name}: {said}");
        let (exit, said) = ran(&["report", "feed", "--to", arg(&feed), "--run", arg(&run_dir)]);
        if name == "torn" {
            assert!(exit == 0 && said.contains("40 bytes of a torn last line were cut"), "{said}");
            assert_eq!(fs::read_to_string(&feed).unwrap(), whole, "the same run gives the same line");
        } else {
            assert!(exit == 5 && said.contains(named), "{name}: {said}");
            assert_eq!(fs::read_to_string(&feed).unwrap(), lines.concat(), "{name}: nothing is written");
        }
    }
    fs::write(&feed, all[..2].concat()).unwrap();
    assert_eq!(verify(&[]).0, 0, "an end that was cut off shows nothing by itself");
    let (exit, said) = verify(&["--expect-head", &head]);
    assert!(exit == 5 && said.contains("no line of digest"), "{said}");
    fs::write(&feed, "").unwrap();
    assert_eq!(verify(&[]).0, 3);
    assert_eq!(ran(&["report", "feed", "--verify", arg(&bench.at("none"))]).0, 2);
    assert_eq!(ran(&["report", "feed", "--to", arg(&bench.at("world")), "--run", arg(&run_dir)]).0, 2);
    assert_eq!(ran(&["report", "feed"]).0, 2);
    assert_eq!(verify(&["--expect-head", "00"]).0, 2);
}

#[test]
fn runs_that_are_published_at_the_same_moment_all_stand_in_one_whole_chain() {
    let (bench, run_dir) = Bench::with_run(5);
    let feed = bench.at("feed.ndjson");
    let runs: Vec<_> = ["2026-06-01", "2026-07-01", "2026-08-01", "2026-09-01"]
        .map(|as_of| {
            let copy = bench.copy(&run_dir, as_of);
            drill(&bench.config, &copy, &["--yes", "--as-of", as_of]);
            copy
        })
        .into_iter()
        .collect();
    let children: Vec<_> = (runs.iter())
        .map(|run_dir| {
            reledger().args(["report", "feed", "-q", "--to", arg(&feed), "--run", arg(run_dir)]).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let (exit, said) = ran(&["report", "feed", "--verify", arg(&feed)]);
    assert!(exit == 0 && said.contains("4 lines"), "{said}");
}

#[test]
fn a_run_that_was_tampered_with_is_not_published() {
    let (bench, run_dir) = Bench::with_run(5);
    let feed = bench.at("feed.ndjson");
    edit(&run_dir.join("report.json"), |report| report["verdict"]["exit_code"] = 0.into());
    let (exit, said) = ran(&["report", "feed", "--to", arg(&feed), "--run", arg(&run_dir)]);
    assert!(exit == 5 && said.contains("report.json is not the report that evidence/custody.jsonl tells of"), "{said}");
    assert!(!feed.exists());
}
