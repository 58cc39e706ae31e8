//! An auditor's walk: from what an operator hands over to a judgement that rests on nothing of the operator's but the evidence.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::desk::{Desk, House, NOW};
use crate::support::{arg, code, copy_folder, drill, parsed, report, run, shown};

/// Exit code and words of a command under a ban on sockets.
fn offline(args: &[&str]) -> (i32, String) {
    let output = run(&[args, &["--offline", "--progress", "none"]].concat());
    (code(&output), shown(&output))
}

/// The files below a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    all.sort();
    all
}

#[test]
fn an_auditor_verifies_rejudges_captures_alone_and_finds_the_byte_that_was_changed() {
    let (desk, house) = (Desk::new(), House::behaving(&[]));
    let config = house.config();

    // The operator drills over sockets, and signs what came out.
    let run_dir = desk.path("operator");
    let drilled = drill(Path::new(&config), &run_dir, &["--now", NOW]);
    assert_eq!(code(&drilled), 0, "{}", shown(&drilled));
    let signed = desk.json(&["attest", "sign", arg(&run_dir), "--key-file", &desk.text("one")], 0);
    let key = signed["key_id"].as_str().unwrap();

    // The auditor gets the folder without the state, and the key from elsewhere; no configuration, no network.
    let bundle = desk.path("bundle");
    copy_folder(&run_dir, &bundle);
    fs::remove_dir_all(bundle.join("state")).unwrap();
    let attestation = bundle.join("attestation.json");
    let verify = ["attest", "verify", arg(&attestation), "--run", arg(&bundle), "--key", key];
    let (exit, told) = offline(&verify);
    assert_eq!(exit, 0, "{told}");

    // The report follows from the evidence, byte for byte.
    let (exit, told) = offline(&["audit", arg(&bundle)]);
    assert_eq!(exit, 0, "{told}");
    assert!(told.contains("reproduced byte for byte"), "{told}");

    // A capture of the auditor's own comes to the same state.
    let own = desk.path("own");
    let operators = report(&bundle);
    let (as_of, root) = (operators["as_of"]["time"].to_string(), operators["state_root"].as_str().unwrap());
    let drilled = drill(Path::new(&config), &own, &["--now", NOW, "--as-of", &as_of, "--expect-root", root]);
    assert_eq!(code(&drilled), 0, "{}", shown(&drilled));
    let output = run(&["diff", arg(&bundle), arg(&own), "--state", "--json"]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let difference: Value = parsed(&output.stdout);
    assert_eq!(difference["same_state"], true, "{difference:#}");

    // One byte of any part is changed: whoever looks is told which part.
    for part in files(&bundle.join("evidence")).into_iter().chain([bundle.join("report.json")]) {
        let bytes = fs::read(&part).unwrap();
        let mut changed = bytes.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(&part, &changed).unwrap();
        let name = part.file_name().unwrap().to_str().unwrap();
        for (exit, told) in [offline(&verify), offline(&["audit", arg(&bundle)])] {
            assert!([1, 5].contains(&exit), "{name}: {told}");
            // A manifest that was changed says something else of one of its members.
            let words = if name == "manifest.json" { "evidence member" } else { "the report found" };
            let named = told.contains(name) || told.contains(words);
            assert!(named, "{name}: {told}");
        }
        fs::write(&part, &bytes).unwrap();
    }
    assert_eq!(offline(&verify).0, 0);
}
