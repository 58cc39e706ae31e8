//! A folder that is no finished run, or not as it was finished: everyone who reads runs says so alike, with the member.

use std::fs;
use std::path::Path;

use reledger::app::FinishedRun;

use super::{Bench, edit, ran};
use crate::support::{arg, code, report, run, shown, stdout};

type Spoil = fn(&Path);

fn report_json(dir: &Path, change: impl Fn(&mut serde_json::Value)) {
    edit(&dir.join("report.json"), change);
}

/// What is wrong, whether run.json decides it, the exit code and what is named.
const CASES: [(&str, Spoil, i32, &str); 13] = [
    ("no report", |dir| fs::remove_file(dir.join("report.json")).unwrap(), 2, "report.json is missing"),
    (
        "no manifest",
        |dir| fs::remove_file(dir.join("evidence/manifest.json")).unwrap(),
        2,
        "evidence/manifest.json is missing",
    ),
    ("nothing", |dir| fs::remove_dir_all(dir).unwrap(), 2, ""),
    (
        "unfinished",
        |dir| edit(&dir.join("run.json"), |record| record["status"] = "running".into()),
        2,
        "is not finished",
    ),
    (
        "a record of something",
        |dir| fs::write(dir.join("run.json"), "{}").unwrap(),
        5,
        "run.json is not the record of a run",
    ),
    ("newer", |dir| report_json(dir, |report| report["schema"] = "reledger/report/2".into()), 2, "reledger/report/2"),
    (
        "older",
        |dir| report_json(dir, |report| report["schema"] = "reledger/report/0".into()),
        2,
        "report.json is no reledger/report/1",
    ),
    (
        "another tool",
        |dir| report_json(dir, |report| report["tool"]["name"] = "o\u{1b}[2Jther".into()),
        2,
        "report of another program",
    ),
    ("no JSON", |dir| fs::write(dir.join("report.json"), "report").unwrap(), 5, "report.json is no JSON document"),
    (
        "altered",
        |dir| report_json(dir, |report| report["queues"]["needs_anchor"] = 9.into()),
        5,
        "report.json is not the report",
    ),
    (
        "other evidence",
        |dir| report_json(dir, |report| report["inputs"]["evidence_root"] = "0".repeat(64).into()),
        5,
        "report.json is about other evidence",
    ),
    (
        "a newer manifest",
        |dir| edit(&dir.join("evidence/manifest.json"), |one| one["schema"] = "reledger/evidence-manifest/2".into()),
        2,
        "evidence/manifest.json is of a newer version",
    ),
    (
        "another manifest",
        |dir| edit(&dir.join("evidence/manifest.json"), |one| one["items"] = 1.into()),
        5,
        "evidence/manifest.json",
    ),
];

#[test]
fn every_command_that_reads_a_finished_run_refuses_what_is_none_with_the_member() {
    let (bench, run_dir) = Bench::with_run(5);
    for (place, (name, spoil, wanted, named)) in CASES.into_iter().enumerate() {
        let copy = bench.copy(&run_dir, "copy");
        spoil(&copy);
        let error = FinishedRun::read(&copy).unwrap_err();
        assert_eq!(i32::from(error.condition().exit_code().0), wanted, "{name}: {error}");
        let (dir, whole, feed, year) = (arg(&copy), arg(&run_dir), bench.at("feed"), bench.at("page.md"));
        let commands = [
            &["diff", whole, dir][..],
            &["divergences", "list", "--run", dir],
            &["report", "feed", "--to", arg(&feed), "--run", dir],
            &["transparency", "--year", "2026", whole, dir, "-o", arg(&year)],
        ];
        // They share one way in: each case goes through two of them, and each command meets every second case.
        for args in [commands[place % 4], commands[(place + 2) % 4]] {
            let (exit, said) = ran(args);
            assert!(exit == wanted && said.contains(named), "{name} {args:?}: {said}");
            assert!(!said.contains('\u{1b}'), "{name} {args:?}: {said:?}");
        }
        assert!(!feed.exists() && !year.exists(), "{name}: nothing that looks whole was written");
        if copy.exists() {
            fs::remove_dir_all(&copy).unwrap();
        }
    }
}

#[test]
fn altered_evidence_is_named_before_a_run_is_published_and_a_page_needs_the_record() {
    let (bench, run_dir) = Bench::with_run(5);
    let feed = bench.at("feed");
    let commands = |dir: &str| {
        let to_feed = ran(&["report", "feed", "--to", arg(&feed), "--run", dir]);
        [to_feed, ran(&["transparency", "--year", "2026", dir])]
    };
    let copy = bench.copy(&run_dir, "copy");
    let segment = copy.join("evidence/segments/00000001.seg");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[100] ^= 1;
    fs::write(&segment, bytes).unwrap();
    for (exit, said) in commands(arg(&copy)) {
        assert!(exit == 5 && said.contains("segments/00000001.seg"), "{said}");
    }
    fs::remove_file(run_dir.join("run.json")).unwrap();
    for (exit, said) in commands(arg(&run_dir)) {
        assert!(exit == 2 && said.contains("run.json is missing"), "{said}");
    }
    assert_eq!(ran(&["divergences", "list", "--run", arg(&run_dir)]).0, 0, "an auditor needs no record");
}

#[test]
fn one_state_of_other_evidence_is_told_item_by_item_and_the_state_alone_can_decide() {
    let (bench, run_dir) = Bench::with_run(5);
    let events = bench.at("world/nostr/events.jsonl");
    let text = fs::read_to_string(&events).unwrap();
    let junk = "{\"no\":\"event\"}";
    fs::write(&events, format!("{text}{junk}\n")).unwrap();
    let other = bench.at("other");
    crate::support::drill(&bench.config, &other, &[]);
    assert_eq!(report(&run_dir)["state_root"], report(&other)["state_root"]);
    let (one, two) = (arg(&run_dir), arg(&other));
    let (exit, said) = ran(&["diff", one, two]);
    let sentence =
        "same state root: evidence differs in 1 item (0 only in the first, 1 only in the second), 0 affect the state";
    assert!(exit == 1 && said.contains(&format!("{sentence}; exit 1")), "{said}");
    assert!(said.contains("nostr-event from files:nostr-event"), "{said}");
    let (exit, said) = ran(&["diff", one, two, "--state"]);
    assert!(exit == 0 && said.contains(&format!("{sentence}; exit 0")), "{said}");
    let output = run(&["diff", two, one, "--json"]);
    let value: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let id = reledger::domain::RawEvidence::id_of(reledger::domain::Media::NostrEvent, "", junk.as_bytes());
    let wanted = serde_json::json!({"id": id.to_string(), "media": "nostr-event", "sources": ["files:nostr-event"]});
    let evidence = &value["evidence"];
    assert_eq!(
        (&evidence["left"][0], &evidence["only_right"], &value["same_state"]),
        (&wanted, &0.into(), &true.into())
    );
    // Equal runs have nothing to list, and another state is one whatever --state says.
    let output = run(&["diff", one, one, "--state", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(code(&output) == 0 && value["evidence"].is_null(), "{}", shown(&output));
    assert_eq!(ran(&["diff", one, &"0".repeat(64), "--state"]).0, 1);
}
