//! The commands by themselves: what they list, and everything that `ack` refuses, each with its near miss.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use serde_json::Value;

use super::desk::{Desk, NOW, PUBLIC, SECRET};
use super::{drifted, of_code};
use crate::schemas::{faults, schema};
use crate::support::{arg, code, report, run, shown, stderr, stdout};

/// Whether a line of the report is asked for.
type Takes = fn(&Value) -> bool;

fn fingerprint(desk: &Desk, code: &str) -> String {
    of_code(&report(&desk.run), code)["fingerprint"].as_str().unwrap().to_owned()
}

fn refused(output: &Output, exit: i32, wanted: &str) {
    assert_eq!(code(output), exit, "{}", shown(output));
    let text = stderr(output);
    assert!(text.contains(wanted) && text.contains("hint: "), "{wanted}: {text}");
    assert!(stdout(output).is_empty());
}

#[test]
fn lists_filter_and_keep_the_order_of_the_report() {
    let desk = drifted();
    desk.drill();
    let report = report(&desk.run);
    let all = report["divergences"].as_array().unwrap();
    let listed = |flags: &[&str]| -> Vec<Value> {
        let output = desk.divergences(&[&["list", "--format", "ndjson"], flags].concat());
        assert_eq!(code(&output), 0, "{}", shown(&output));
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(listed(&[]), *all);
    let cases: [(&[&str], Takes); 7] = [
        (&["--state", "open"], |one| one["state"] == "open"),
        (&["--state", "explained"], |one| one["state"] == "explained"),
        (&["--state", "acknowledged"], |one| one["state"] == "acknowledged"),
        (&["--code", "ots_pending"], |one| one["code"] == "OTS_PENDING"),
        (&["--severity", "warn"], |one| one["severity"] != "info"),
        (&["--step", "4"], |one| one["step"] == 4),
        (&["--blocking"], |one| one["blocks"] == true),
    ];
    for (flags, takes) in cases {
        let expected: Vec<Value> = all.iter().filter(|one| takes(one)).cloned().collect();
        assert_eq!(listed(flags), expected, "{flags:?}");
        assert!(expected.len() < all.len(), "{flags:?} leaves something out");
    }
    assert_eq!(listed(&["--blocking", "--step", "4"]).len(), 1);
    let json: Value = serde_json::from_slice(&desk.divergences(&["list", "--json", "--blocking"]).stdout).unwrap();
    assert_eq!((&json["listed"], &json["of"]), (&1.into(), &all.len().into()));
    let text = stdout(&desk.divergences(&["list"]));
    assert_eq!(text.lines().count(), all.len() + 1, "{text}");
    for bad in [&["--code", "NO_SUCH"][..], &["--step", "1"], &["--state", "shut"]] {
        assert_eq!(code(&desk.divergences(&[&["list"], bad].concat())), 2, "{bad:?}");
    }
    let nowhere = crate::support::run(&["divergences", "list", "--run", "/nonexistent/run"]);
    assert_eq!(code(&nowhere), 2, "{}", shown(&nowhere));
}

#[test]
fn show_tells_of_the_acknowledgement_before_and_after_it_is_judged() {
    let desk = drifted();
    desk.drill();
    let name = fingerprint(&desk, "CUSTODY_DRIFT");
    let text = stdout(&desk.divergences(&["show", &name[..8]]));
    for wanted in ["ledger custody differs", "blocks unfreezing writes", "msat by the ledger", &name] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    desk.ack(&[&name], "2026-12-01");
    let text = stdout(&desk.divergences(&["show", &name]));
    assert!(text.contains("not judged yet") && text.contains("we know"), "{text}");
    desk.rebuild(&[]);
    let shown: Value = serde_json::from_slice(&desk.divergences(&["show", &name, "--json"]).stdout).unwrap();
    assert_eq!(shown["acknowledgements"][0]["state"], "holds");
    assert_eq!(
        (&shown["divergence"]["state"], &shown["not_judged_yet"]),
        (&"acknowledged".into(), &Value::Array(vec![]))
    );
    let text = stdout(&desk.divergences(&["show", &name]));
    assert!(text.contains("blocks nothing") && text.contains("2026-12-01T00:00:00Z"), "{text}");
    refused(&desk.divergences(&["show", &name[..7]]), 2, "too little");
    refused(&desk.divergences(&["show", "ffffffffffffffff"]), 2, "no divergence");
}

#[test]
fn what_no_one_can_accept_is_refused_before_anything_is_signed() {
    let desk = drifted();
    // One user's reported balance is off by one.
    let statement = desk.dir.join("balances.jsonl");
    let text = fs::read_to_string(&statement).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines[0]["balance_sats"] = (lines[0]["balance_sats"].as_i64().unwrap() + 1).into();
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(&statement, lines.join("\n")).unwrap();
    desk.drill();
    let drift = fingerprint(&desk, "CUSTODY_DRIFT");
    refused(&desk.ack(&[&fingerprint(&desk, "BALANCE_MISMATCH")], "2026-12-01"), 6, "balances");
    refused(&desk.ack(&[&drift, &fingerprint(&desk, "BALANCE_MISMATCH")], "2026-12-01"), 6, "balances");
    refused(&desk.ack(&[&fingerprint(&desk, "OTS_PENDING")], "2026-12-01"), 6, "explained");
    refused(&desk.ack(&["ffffffffffff"], "2026-12-01"), 2, "no divergence");
    // The run is judged for 2026-10-01, and the clock says a day more: 366 days end on 2027-10-02.
    for (expires, wanted) in [("2026-10-01", "as-of"), ("2027-10-02T00:00:01Z", "366 days"), ("soon", "--expires")] {
        refused(&desk.ack(&[&drift], expires), 2, wanted);
    }
    let without_reason = ["ack", &drift, "--key-file", arg(&desk.key), "--expires", "2026-12-01", "--reason", " "];
    refused(&desk.divergences(&without_reason), 2, "--reason");
    assert!(!desk.register().exists(), "nothing was signed");
    let last = desk.ack(&[&drift], "2027-10-02");
    assert_eq!(code(&last), 0, "{}", shown(&last));
    refused(&desk.ack(&[&drift], "2027-10-02"), 6, "already");
    refused(&desk.withdraw("ffffffff"), 2, "no acknowledgement");
}

#[test]
fn the_key_comes_from_a_tight_file_or_a_command_and_is_shown_nowhere() {
    let desk = drifted();
    desk.drill();
    let name = fingerprint(&desk, "CUSTODY_DRIFT");
    fs::set_permissions(&desk.key, fs::Permissions::from_mode(0o640)).unwrap();
    for more in [&[][..], &["--dry-run"]] {
        let loose = desk.ack(&[&[name.as_str()], more].concat(), "2026-12-01");
        refused(&loose, 6, "chmod 600");
    }
    fs::set_permissions(&desk.key, fs::Permissions::from_mode(0o600)).unwrap();
    let common = ["ack", &name, "--reason", "r", "--expires", "2026-12-01"];
    let command = format!("cat {}", arg(&desk.key));
    for (flags, exit) in [
        (&[][..], 2),
        (&["--key-file", arg(&desk.key), "--key-command", &command], 2),
        (&["--key-file", "/nonexistent/key"], 2),
        (&["--key-command", "false"], 2),
        (&["--key-command", &command, "--withdraw"], 2),
        (&["--key-command", &command], 0),
    ] {
        let output = desk.divergences(&[&common, flags].concat());
        assert_eq!(code(&output), exit, "{flags:?} {}", shown(&output));
        assert!(!shown(&output).contains(SECRET));
    }
    assert!(!fs::read_to_string(desk.register()).unwrap().contains(SECRET));
    assert_eq!(code(&desk.rebuild(&[])), 0);
}

#[test]
fn a_key_that_nobody_pinned_signs_in_vain() {
    let desk = drifted();
    desk.drill();
    let name = fingerprint(&desk, "CUSTODY_DRIFT");
    let own = format!("keys = [\"{PUBLIC}\"]");
    desk.config(&own, &format!("keys = [{{ key = \"{PUBLIC}\", until = {NOW} }}]"));
    refused(&desk.ack(&[&name], "2026-12-01"), 6, PUBLIC);
    let output = desk.ack(&[&name, "--yes"], "2026-12-01");
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert_eq!(code(&desk.rebuild(&[])), 1);
    assert_eq!(report(&desk.run)["acknowledgements"][0]["state"], "unknown_key");
    desk.config(&format!("until = {NOW}"), "until = 2026-10-02T00:00:01Z");
    assert_eq!(code(&desk.rebuild(&[])), 0, "the same line, by a key that is pinned for its second");
}

#[test]
fn a_damaged_register_stops_a_run_before_it_begins_and_a_forged_line_is_only_listed() {
    let desk = drifted();
    desk.drill();
    let name = fingerprint(&desk, "CUSTODY_DRIFT");
    desk.ack(&[&name], "2026-12-01");
    let good = fs::read_to_string(desk.register()).unwrap();
    for line in good.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(faults(&schema("acknowledgement"), &line), Vec::<String>::new(), "{line}");
    }
    let before = crate::support::report_bytes(&desk.run);
    for bad in [good[..good.len() - 20].to_owned(), format!("{good}junk\n"), good.replace("\"reason\"", "\"reasons\"")]
    {
        fs::write(desk.register(), &bad).unwrap();
        for output in [desk.rebuild(&[]), desk.ack(&[&name], "2026-12-02")] {
            refused(&output, 2, "acknowledgements.file");
        }
        assert_eq!(fs::read_to_string(desk.register()).unwrap(), bad);
    }
    assert_eq!(crate::support::report_bytes(&desk.run), before);
    let toml = desk.toml();
    let doctor = |now: &str| run(&["doctor", "--offline", "-c", arg(&toml), "--now", now]);
    let told = stdout(&doctor(NOW));
    assert!(told.lines().any(|line| line.contains("acknowledgements") && line.contains("line 1")), "{told}");
    fs::write(desk.register(), &good).unwrap();
    for (now, wanted) in [("2026-11-30T23:59:59Z", ", 0 of"), ("2026-12-01T00:00:00Z", ", 1 of")] {
        let told = stdout(&doctor(now));
        assert!(told.contains(&format!("1 signed statements{wanted} them expired")), "{told}");
    }
    fs::write(desk.register(), good.replace("we know", "we knew")).unwrap();
    assert_eq!(code(&desk.rebuild(&[])), 1);
    assert_eq!(report(&desk.run)["acknowledgements"][0]["state"], "bad_signature");
    // White space between members is no part of what was signed.
    fs::write(desk.register(), good.replace("\",\"", "\" , \"")).unwrap();
    assert_eq!(code(&desk.rebuild(&[])), 0);
}

#[test]
fn without_a_register_the_hint_is_what_to_write() {
    let desk = drifted();
    desk.drill();
    let name = fingerprint(&desk, "CUSTODY_DRIFT");
    desk.config("file = \"acks.jsonl\"\n", "");
    refused(&desk.ack(&[&name], "2026-12-01"), 2, "file = \"acknowledgements.jsonl\"");
}
