//! What the custody log tells, and what becomes of one that was tampered with or torn.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Bench, audit, edit, log_of, ran};
use crate::schemas::{faults, schema};
use crate::support::{arg, code, drill, report, run, shown, stderr, stdout};

#[test]
fn every_command_that_changes_the_evidence_leaves_a_line_and_reading_leaves_none() {
    let (bench, run_dir) = Bench::with_run(5);
    let with = |args: &[&str], codes: &[i32]| {
        let output = run(&[args, &["-c", arg(&bench.config), "--run", arg(&run_dir)]].concat());
        assert!(codes.contains(&code(&output)), "{args:?} {}", shown(&output));
    };
    let exported = bench.at("cursors.json");
    with(&["cursor", "export", "-o", arg(&exported)], &[0]);
    with(&["cursor", "import", arg(&exported)], &[0]);
    with(&["rebuild", "--yes", "--by", "b\u{1b}[31mob", "--now", "2026-10-02T00:00:00Z"], &[0]);
    with(&["capture", "--yes"], &[0]);
    with(&["replay"], &[0]);
    with(&["coverage"], &[0]);
    with(&["divergences", "list"], &[0]);
    let log = log_of(&run_dir);
    let told: Vec<String> = log.iter().map(|entry| format!("{} {}", entry["action"], entry["command"])).collect();
    let seal = |command: &str| format!("\"seal\" \"{command}\"");
    let wanted = [
        seal("drill"),
        "\"reseal\" \"cursor\"".to_owned(),
        seal("rebuild"),
        "\"capture\" \"capture\"".to_owned(),
        seal("replay"),
    ];
    assert_eq!(told, wanted);
    for (place, entry) in log.iter().enumerate() {
        assert_eq!(faults(&schema("custody-log"), entry), Vec::<String>::new(), "{entry:#}");
        assert_eq!((entry["seq"].as_u64(), &entry["interrupted"]), (Some(place as u64), &Value::Null));
        // A debug build is not digested; a release is the executable that ran.
        let executable = fs::read(env!("CARGO_BIN_EXE_reledger")).unwrap();
        let digest = (!cfg!(debug_assertions)).then(|| reledger::domain::sha256(&executable).to_hex());
        assert_eq!(entry["tool"]["sha256"].as_str(), digest.as_deref());
    }
    let names: Vec<&Value> = log.iter().map(|entry| &entry["by"]).collect();
    assert_eq!(names, ["ann", "", "b\u{1b}[31mob", "", ""]);
    assert_eq!(log[2]["at"], 1_790_899_200_i64);
    assert_eq!(log[4]["report"]["state_root"], report(&run_dir)["state_root"]);
    assert_eq!(log[0]["evidence"]["root"], report(&run_dir)["inputs"]["evidence_root"]);
    assert!(log[3]["evidence"]["manifest_sha256"].is_null(), "a capture seals nothing");
    // Nothing of the machine that nobody said.
    let text = fs::read_to_string(run_dir.join("evidence/custody.jsonl")).unwrap();
    assert!(!text.contains(arg(&bench.at(""))) && !text.contains('\u{1b}'), "{text}");
    let (exit, said) = audit(&run_dir);
    assert!(
        exit == 0 && said.contains("custody log: 5 entries that hold on to each other, seals among them: 3"),
        "{said}"
    );
    let listed = run(&["audit", arg(&run_dir), "--custody"]);
    assert_eq!((code(&listed), stdout(&listed).lines().count()), (0, 5));
    assert!(!stdout(&listed).contains('\u{1b}'), "{}", stdout(&listed));
    assert_eq!(stdout(&run(&["audit", arg(&run_dir), "--custody", "--json"])), text);
}

/// An edit of the log, line by line.
type EditLines = fn(&mut Vec<String>);

/// What is done to the log of two lines, the exit code, and what has to be named.
type Case = (&'static str, fn(&Path), &'static str);

#[test]
fn a_line_that_was_altered_added_or_taken_away_is_named() {
    let (bench, run_dir) = Bench::with_run(5);
    assert_eq!(code(&drill(&bench.config, &run_dir, &["--yes"])), 0);
    let lines = |path: &Path, change: fn(&mut Vec<String>)| {
        let mut lines: Vec<String> =
            fs::read_to_string(path).unwrap().lines().map(|line| format!("{line}\n")).collect();
        change(&mut lines);
        fs::write(path, lines.concat()).unwrap();
    };
    let cases: [(&str, EditLines, &str); 8] = [
        ("a name", |lines| lines[0] = lines[0].replace("\"ann\"", "\"eve\""), "line 1 was altered"),
        ("the last", |lines| lines[1] = lines[1].replace("\"exit_code\":0", "\"exit_code\":1"), "line 2 was altered"),
        ("white space", |lines| lines[1] = lines[1].replace("{\"action\"", "{ \"action\""), "line 2 was altered"),
        ("the first gone", |lines| drop(lines.remove(0)), "line 1 has number 1"),
        ("the last gone", |lines| drop(lines.pop()), "has no line of digest"),
        ("turned", |lines| lines.swap(0, 1), "line 1 has number 1"),
        ("twice", |lines| lines.push(lines[1].clone()), "line 3 has number 1"),
        ("nothing left", Vec::clear, "has no line"),
    ];
    for (name, change, named) in cases {
        let copy = bench.copy(&run_dir, "copy");
        lines(&copy.join("evidence/custody.jsonl"), change);
        let (exit, said) = audit(&copy);
        assert!(exit == 5 && said.contains("evidence/custody.jsonl") && said.contains(named), "{name}: {said}");
        // Nobody goes on over it, and nothing is written.
        let before = fs::read(copy.join("run.json")).unwrap();
        let output = drill(&bench.config, &copy, &["--yes"]);
        assert_eq!(code(&output), 5, "{name}: {}", shown(&output));
        assert_eq!(fs::read(copy.join("run.json")).unwrap(), before, "{name}");
        fs::remove_dir_all(&copy).unwrap();
    }
    let whole: [Case; 4] = [
        ("gone", |path| fs::remove_file(path).unwrap(), "is missing, and run.json tells of it"),
        (
            "a link",
            |path| {
                fs::rename(path, path.with_extension("old")).unwrap();
                std::os::unix::fs::symlink(path.with_extension("old"), path).unwrap();
            },
            "custody",
        ),
        (
            "a folder",
            |path| {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            },
            "custody.jsonl is a folder",
        ),
        ("another's", |path| fs::write(path, "{}\n").unwrap(), "line 1"),
    ];
    for (name, change, named) in whole {
        let copy = bench.copy(&run_dir, "copy");
        change(&copy.join("evidence/custody.jsonl"));
        let (exit, said) = audit(&copy);
        assert!(exit == 5 && said.contains(named), "{name}: {said}");
        fs::remove_dir_all(&copy).unwrap();
    }
}

#[test]
fn without_run_json_the_log_still_has_to_end_with_the_manifest_at_hand() {
    let (bench, run_dir) = Bench::with_run(5);
    // Another configuration: other inputs, so another manifest.
    bench.configure("[headers]", "[budgets]\nrpo = \"1000d\"\n\n[headers]");
    drill(&bench.config, &run_dir, &["--yes"]);
    fs::remove_file(run_dir.join("run.json")).unwrap();
    assert_eq!(audit(&run_dir).0, 0);
    let path = run_dir.join("evidence/custody.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{}\n", text.lines().next().unwrap())).unwrap();
    let (exit, said) = audit(&run_dir);
    assert!(exit == 5 && said.contains("line 1 tells of another evidence/manifest.json"), "{said}");
}

#[test]
fn a_torn_last_line_is_told_and_cut_by_the_next_line_which_says_so() {
    let (bench, run_dir) = Bench::with_run(5);
    let path = run_dir.join("evidence/custody.jsonl");
    let whole = fs::read(&path).unwrap();
    let (mut torn, piece) = (whole.clone(), b"{\"action\":\"se");
    torn.extend(piece);
    fs::write(&path, &torn).unwrap();
    let (exit, said) = audit(&run_dir);
    assert!(exit == 5 && said.contains("evidence/custody.jsonl line 2 is torn"), "{said}");
    let output = drill(&bench.config, &run_dir, &["--yes"]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let said = stderr(&output);
    assert!(said.contains("evidence/custody.jsonl ends in a torn line") && said.contains("bytes=13"), "{said}");
    let log = log_of(&run_dir);
    assert_eq!((log.len(), log[1]["cut_bytes"].as_u64()), (2, Some(piece.len() as u64)));
    assert!(fs::read(&path).unwrap().starts_with(&whole));
    assert_eq!(audit(&run_dir).0, 0);
}

#[test]
fn a_command_that_never_ended_is_told_by_the_next_and_a_capture_that_did_is_not() {
    let (bench, run_dir) = Bench::with_run(5);
    // As a drill leaves the record that is killed in its work.
    edit(&run_dir.join("run.json"), |record| {
        record["status"] = "running".into();
        record["ended"] = false.into();
        record["started_at"] = 77.into();
    });
    assert_eq!(code(&drill(&bench.config, &run_dir, &[])), 0);
    let log = log_of(&run_dir);
    assert_eq!(log[1]["interrupted"], serde_json::json!({"command": "drill", "started_at": 77}));
    let fresh = bench.at("fresh");
    for command in ["capture", "drill"] {
        let (exit, said) = ran(&[command, "-c", arg(&bench.config), "--run", arg(&fresh)]);
        assert_eq!(exit, 0, "{said}");
    }
    assert!(log_of(&fresh).iter().all(|entry| entry["interrupted"].is_null()));
}

#[test]
fn a_run_of_an_earlier_version_has_no_log_which_is_said_and_fails_nothing() {
    let (bench, run_dir) = Bench::with_run(5);
    fs::remove_file(run_dir.join("evidence/custody.jsonl")).unwrap();
    edit(&run_dir.join("run.json"), |record| {
        for name in ["custody_head", "ended", "rto_budget_seconds"] {
            record.as_object_mut().unwrap().remove(name);
        }
    });
    let (exit, said) = audit(&run_dir);
    assert!(exit == 0 && said.contains("custody log: none"), "{said}");
    assert_eq!(ran(&["audit", arg(&run_dir), "--custody"]).0, 3);
    assert_eq!(code(&drill(&bench.config, &run_dir, &["--yes"])), 0);
    assert_eq!(log_of(&run_dir).len(), 1);
    assert_eq!(audit(&run_dir).0, 0);
}
