//! The feed of a public page, whose lines repeat texts of reports.

use std::fs;

use serde_json::Value;
use tempfile::tempdir;

use reledger::domain::inert;

use super::strings::Strings;
use crate::support::{arg, code, drill, fixtures, parsed, run, shown};

/// Strings in one report.
const EACH: usize = 1_300;

#[test]
fn five_thousand_hostile_strings_stand_in_a_feed_as_what_they_are_and_break_no_line() {
    let folder = tempdir().unwrap();
    let (run_dir, feed) = (folder.path().join("run"), folder.path().join("feed.ndjson"));
    drill(&fixtures().join("real/reledger.toml"), &run_dir, &["--offline"]);
    // The custody log tells of another report: this run is of a version that kept none.
    fs::remove_file(run_dir.join("evidence/custody.jsonl")).unwrap();
    let edit = |name: &str, change: &mut dyn FnMut(&mut Value)| {
        let path = run_dir.join(name);
        let mut value: Value = parsed(&fs::read(&path).unwrap());
        change(&mut value);
        fs::write(&path, value.to_string()).unwrap();
    };
    edit("run.json", &mut |record| drop(record.as_object_mut().unwrap().remove("custody_head")));
    let mut given = Vec::new();
    for seed in 0..4 {
        let mut strings = Strings::hostile(seed);
        let mut told: Vec<String> = (0..EACH).map(|_| strings.next()).collect();
        edit("report.json", &mut |report| {
            report["verdict"]["conditions"] = told.clone().into();
            for member in ["outcome", "sentence"] {
                told.push(strings.next());
                report["verdict"][member] = told[told.len() - 1].clone().into();
            }
        });
        given.push(told);
        let output = run(&["report", "feed", "--to", arg(&feed), "--run", arg(&run_dir)]);
        assert_eq!(code(&output), 0, "{}", shown(&output));
    }
    let text = fs::read_to_string(&feed).unwrap();
    assert_eq!(text.lines().count(), given.len());
    for (line, told) in text.lines().zip(&given) {
        assert_eq!(inert(line), line, "a live character");
        let verdict = parsed(line.as_bytes())["entry"]["verdict"].clone();
        let mut read: Vec<String> = serde_json::from_value(verdict["conditions"].clone()).unwrap();
        read.extend(["outcome", "sentence"].map(|member| verdict[member].as_str().unwrap().to_owned()));
        assert_eq!(read, *told);
    }
    assert_eq!(code(&run(&["report", "feed", "--verify", arg(&feed)])), 0);
    assert!(given.iter().map(Vec::len).sum::<usize>() >= 5_000);
}
