//! `reledger diff`: equal runs are equal, every difference is told once, and the first record that differs is named within
//! the comparisons that were promised.

use std::fs;
use std::path::Path;

use reledger::domain::{SumNode, part, sum_node};
use reledger::sim::{Artifact, World};
use serde_json::Value;
use tempfile::tempdir;

use crate::support::{arg, code, drill, report, run, shown, stdout, write_world};

const SEED: u64 = 4;
const EVENTS: u32 = 14;

fn diff(left: &Path, right: &Path, more: &[&str]) -> (i32, Value) {
    let output = run(&[&["diff", arg(left), arg(right), "--json"], more].concat());
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(&output)));
    (code(&output), value)
}

/// Takes every line that holds the text out of all files below a folder.
fn forget(folder: &Path, text: &str) -> usize {
    let mut forgotten = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            forgotten += forget(&path, text);
        } else if let Ok(old) = fs::read_to_string(&path) {
            let kept: Vec<&str> = old.lines().filter(|line| !line.contains(text)).collect();
            forgotten += old.lines().count() - kept.len();
            fs::write(&path, kept.join("\n") + "\n").unwrap();
        }
    }
    forgotten
}

#[test]
fn two_runs_over_one_world_are_equal_and_one_without_an_envelope_is_told_to_the_record() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let config = write_world(&at("world"), SEED, EVENTS);
    for name in ["one", "two"] {
        assert_eq!(code(&drill(&config, &at(name), &[])), 0);
    }
    let (exit, value) = diff(&at("one"), &at("two"), &["--bisect"]);
    assert_eq!((exit, &value["equal"], value["bisected"].as_array().unwrap().len()), (0, &true.into(), 0), "{value}");
    let one_report = at("one").join("report.json");
    assert_eq!(diff(&one_report, &at("two"), &[]).0, 0, "a run and a report of the same");

    let world = World::generate(SEED, EVENTS);
    let mut ids: Vec<String> =
        world.envelopes.iter().filter(|one| one.kind != Artifact::Rebind).map(|one| one.id.to_string()).collect();
    ids.sort();
    let lost = world.envelopes.iter().find(|one| one.kind == Artifact::Event).unwrap();
    let id = lost.id.to_string();
    assert!(forget(&at("world").join("nostr"), &format!("oc-me-event:{id}")) > 0);
    drill(&config, &at("less"), &[]);
    let (exit, value) = diff(&at("one"), &at("less"), &["--bisect", "--reveal-users"]);
    assert_eq!(exit, 1);
    assert_ne!(value["state_root"]["left"], value["state_root"]["right"]);
    let bisected = value["bisected"].as_array().unwrap();
    let of = |tree: &str| bisected.iter().find(|one| one["tree"] == tree).unwrap_or_else(|| panic!("{tree}: {value}"));
    let envelope = of("envelope");
    assert_eq!(envelope["only"], "left");
    let leaf: Value = serde_json::from_str(envelope["left"]["leaf"].as_str().unwrap()).unwrap();
    assert_eq!(leaf["id"], id.as_str());
    // The place is that among all envelopes by id, activity attestations among them.
    let below = ids.iter().filter(|other| **other < id).count() as u64;
    assert!(envelope["index"].as_u64().unwrap() >= below);
    assert!(envelope["comparisons"].as_u64().unwrap() <= 8, "{envelope}");
    // The user who earned by it is owed less, or stands in the tree no more.
    let body: Value = serde_json::from_slice(&lost.canonical).unwrap();
    let balances = of("balances");
    let user: Value = serde_json::from_str(balances["left"]["leaf"].as_str().unwrap()).unwrap();
    let names = ["user_address", "did_oc", "identity", "user"].map(|name| body[name].as_str());
    assert!(names.into_iter().flatten().any(|name| user["user"] == name) || balances["only"].is_null(), "{balances}");
    // Users stand by pseudonym otherwise, one name on both sides.
    let (_, hidden) = diff(&at("one"), &at("less"), &["--bisect"]);
    for name in names.into_iter().flatten() {
        assert!(!hidden["bisected"].to_string().contains(name));
    }
    let divergences = &value["report"]["divergences"];
    assert!(!divergences["only_right"].as_array().unwrap().is_empty(), "what is missing is found");
    let told = stdout(&run(&["diff", arg(&at("one")), arg(&at("less")), "--bisect"]));
    assert!(told.contains("first difference at record") && told.contains("only in the second"), "{told}");
}

#[test]
fn a_state_root_is_compared_with_a_run_and_nothing_else_is_taken_for_one() {
    let folder = tempdir().unwrap();
    let run_dir = folder.path().join("run");
    let config = write_world(&folder.path().join("world"), SEED, 12);
    drill(&config, &run_dir, &[]);
    let root = report(&run_dir)["state_root"].as_str().unwrap().to_owned();
    assert_eq!(code(&run(&["diff", arg(&run_dir), &root])), 0);
    let other = root.replace(|digit: char| digit == root.chars().next().unwrap(), "0");
    let other = if other == root { format!("f{}", &root[1..]) } else { other };
    assert_eq!(code(&run(&["diff", &other, arg(&run_dir)])), 1);
    for bad in [
        &["diff", arg(&run_dir), "0123"][..],
        &["diff", arg(&run_dir), arg(&config)],
        &["diff", arg(folder.path()), &root],
    ] {
        let output = run(bad);
        assert_eq!(code(&output), 2, "{}", shown(&output));
    }
    let output = run(&["diff", arg(&run_dir), &root, "--bisect"]);
    assert_eq!(code(&output), 2, "{}", shown(&output));
    // A report that its evidence does not give is not descended from.
    let mut forged = report(&run_dir);
    forged["state_root"] = other.as_str().into();
    let copy = folder.path().join("copy");
    assert!(std::process::Command::new("cp").args(["-r", arg(&run_dir), arg(&copy)]).status().unwrap().success());
    fs::write(copy.join("report.json"), forged.to_string()).unwrap();
    let output = run(&["diff", arg(&run_dir), arg(&copy)]);
    assert_eq!(code(&output), 5, "{}", shown(&output));
    // An earlier version left no log that would tell.
    fs::remove_file(copy.join("evidence/custody.jsonl")).unwrap();
    let record = fs::read_to_string(copy.join("run.json")).unwrap();
    let record: Vec<&str> = record.lines().filter(|line| !line.contains("custody_head")).collect();
    fs::write(copy.join("run.json"), record.join("\n")).unwrap();
    assert_eq!(diff(&run_dir, &copy, &[]).0, 1);
    let output = run(&["diff", arg(&run_dir), arg(&copy), "--bisect"]);
    assert_eq!(code(&output), 3, "{}", shown(&output));
}

#[test]
fn what_a_foreign_report_says_reaches_no_terminal_as_it_is() {
    let folder = tempdir().unwrap();
    let file = |name: &str, source: &str| {
        let path = folder.path().join(name);
        let report = serde_json::json!({
            "schema": "reledger/report/1", "state_root": "\u{1b}[31mred", "\u{1b}]0;x": source,
            "coverage": [{"source": source, "kind": "\u{202e}1"}],
            "divergences": [{"fingerprint": "\u{1b}[2J", "code": source, "subject": {"user": "\u{7}"}}],
        });
        fs::write(&path, report.to_string()).unwrap();
        path
    };
    let (one, two) = (file("one", "\u{1b}[1mx"), file("two", "\u{9b}y"));
    let output = run(&["diff", arg(&one), arg(&two)]);
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    assert!(!text.chars().any(|one| one.is_control() && one != '\n') && !text.contains('\u{202e}'), "{text:?}");
}

/// How many users: `RELEDGER_BALANCES_USERS`, a million by `make balances`.
#[expect(clippy::disallowed_methods, reason = "the length of a campaign comes from the caller")]
fn users() -> usize {
    std::env::var("RELEDGER_BALANCES_USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(3_000)
}

/// All nodes of a sum tree by level, so that many trees can be compared.
fn node(list: &[(String, i128)], first: u64, size: u64) -> SumNode {
    let [first_place, size] = [first, size].map(|number| usize::try_from(number).unwrap());
    sum_node(first, list[first_place..first_place + size].iter().map(|(user, sats)| (user, *sats))).unwrap()
}

#[test]
fn one_wrong_user_among_all_is_found_in_at_most_25_comparisons_wherever_it_stands() {
    let count = users();
    let list: Vec<(String, i128)> = (0..count).map(|at| (format!("bc1q{at:038}"), 7)).collect();
    let power = 1_usize << count.ilog2();
    let places = [0, 1, 2, power / 2 - 1, power / 2, power - 1, power.min(count - 1), count / 3, count - 2, count - 1];
    let find = |other: &[(String, i128)], at: usize| {
        let lengths = (list.len() as u64, other.len() as u64);
        let is_equal = |first, size| Ok::<_, ()>(node(&list, first, size) == node(other, first, size));
        let found = part(lengths, is_equal).unwrap();
        assert_eq!(found.index, at as u64);
        // The roots are compared before.
        assert!(found.comparisons < 25, "{} comparisons for {at} of {count}", found.comparisons);
    };
    let (mut wrong, mut missing, mut more) = (list.clone(), list.clone(), list.clone());
    for at in places {
        wrong[at].1 += 1;
        find(&wrong, at);
        wrong[at].1 -= 1;
        let user = missing.remove(at);
        find(&missing, at);
        missing.insert(at, user);
        more.insert(at, (format!("bc1p{at}"), 1));
        find(&more, at);
        more.remove(at);
    }
}
