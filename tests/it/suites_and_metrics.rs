//! Goal: every run leaves the report in the words of build servers, Prometheus, spreadsheets and pull requests, and none of them
//! says anything that the report does not. Method: runs of the command, and their reports with one thing changed.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use reledger::report::{Document, Rendering};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::hostile_renderings::readers::{csv, metrics, xml};
use crate::hostile_renderings::stage::{self, RENDERINGS};
use crate::hostile_renderings::strings::Strings;
use crate::support::{arg, code, drill, fixtures, parsed, report, run, shown, stdout, write_world};

struct Judged {
    folder: TempDir,
    report: Value,
}

impl Judged {
    /// An honest world, clean.
    fn honest() -> Self {
        let folder = tempdir().unwrap();
        let config = write_world(&folder.path().join("world"), 6, 20);
        let judged = drill(&config, &folder.path().join("run"), &[]);
        assert_eq!(code(&judged), 0, "{}", shown(&judged));
        let report = report(&folder.path().join("run"));
        Self { folder, report }
    }

    /// The suite of this report with a change, its summary counted again.
    fn suite(&self, change: impl FnOnce(&mut Value)) -> Suite {
        let mut report = self.report.clone();
        change(&mut report);
        let divergences = report["divergences"].as_array().unwrap().clone();
        let count = |is: &dyn Fn(&Value) -> bool| divergences.iter().filter(|one| is(one)).count();
        let mut by_code = serde_json::Map::new();
        for one in &divergences {
            let code = one["code"].as_str().unwrap();
            by_code.insert(code.to_owned(), count(&|other| other["code"] == code).into());
        }
        for (member, state) in [("unexplained", "open"), ("explained", "explained"), ("acknowledged", "acknowledged")] {
            report["summary"][member] = count(&|one| one["state"] == state).into();
        }
        report["summary"]["by_code"] = by_code.into();
        Suite::of(&rendered(&report, Rendering::Junit))
    }
}

fn rendered(report: &Value, rendering: Rendering) -> String {
    let bytes = serde_json::to_vec(report).unwrap();
    let open = || -> std::io::Result<Box<dyn Read>> { Ok(Box::new(Cursor::new(bytes.clone()))) };
    let mut out = Vec::new();
    rendering.write(&Document::read(&open).unwrap(), None, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A suite as a build server reads it.
struct Suite {
    text: String,
    /// Name and result of each case.
    cases: Vec<(String, String)>,
}

impl Suite {
    fn of(text: &str) -> Self {
        let mut cases: Vec<(String, String)> = Vec::new();
        let mut counts = Vec::new();
        for (element, values) in xml(text) {
            match element.as_str() {
                "testsuite" => counts = values[1..].to_vec(),
                "testcase" => cases.push((values[1].clone(), "passed".to_owned())),
                "failure" | "error" | "skipped" => cases.last_mut().unwrap().1 = element,
                _ => {}
            }
        }
        let of = |result: &str| cases.iter().filter(|(_, one)| one == result).count().to_string();
        assert_eq!(
            counts,
            [cases.len().to_string(), of("failure"), of("error"), of("skipped")],
            "the suite counts its cases"
        );
        Self { text: text.to_owned(), cases }
    }

    fn result(&self, name: &str) -> &str {
        let found: Vec<&str> =
            self.cases.iter().filter(|(one, _)| one == name).map(|(_, result)| result.as_str()).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0]
    }

    /// Names of the cases that are not green.
    fn red(&self) -> Vec<&str> {
        let is_red = |result: &str| result == "failure" || result == "error";
        self.cases.iter().filter(|(_, result)| is_red(result)).map(|(name, _)| name.as_str()).collect()
    }
}

/// A finished run's suite is red exactly when its exit code is not 0, and every open error stands in one of its red cases.
pub(crate) fn a_suite_says_the_same(run_dir: &Path, exit: i32) {
    let suite = Suite::of(&fs::read_to_string(run_dir.join("report.xml")).unwrap());
    assert_eq!(suite.red().is_empty(), exit == 0, "exit {exit}: {:?}", suite.red());
    assert_eq!(suite.result("verdict") == "passed", exit == 0);
    let report = report(run_dir);
    let lines = report["divergences"].as_array().unwrap().iter().filter(|one| one["blocks"] == true);
    for code in lines.map(|one| one["code"].as_str().unwrap()).collect::<std::collections::BTreeSet<_>>() {
        let is_told = suite.text.split("<testcase").any(|case| {
            (case.contains("<failure") || case.contains("<error")) && case.contains(&format!(" {code} open "))
        });
        assert!(is_told, "{code} stands in no red case");
    }
}

/// A divergence as a report holds it.
fn divergence(code: &str, step: u8, state: &str, number: usize) -> Value {
    json!({
        "at": 7, "at_stake_msat": null, "blocks": state == "open", "code": code, "evidence": [], "expected": "a", "observed": "b",
        "explanation": "", "fingerprint": format!("{number:064x}"), "severity": "error", "state": state, "step": step,
        "subject": {"number": number.to_string()}, "values_sha256": "cd".repeat(32),
    })
}

fn add(report: &mut Value, divergences: impl IntoIterator<Item = Value>) {
    report["divergences"].as_array_mut().unwrap().extend(divergences);
}

fn fail(report: &mut Value, outcome: &str, exit_code: u8) {
    report["verdict"]["outcome"] = outcome.into();
    report["verdict"]["exit_code"] = exit_code.into();
    report["verdict"]["conditions"] = json!([outcome]);
}

fn check<'r>(report: &'r mut Value, name: &str) -> &'r mut Value {
    report["checks"].as_array_mut().unwrap().iter_mut().find(|check| check["check"] == name).unwrap()
}

#[test]
fn every_run_leaves_its_renderings_and_they_are_what_the_command_prints() {
    let judged = Judged::honest();
    let run_dir = judged.folder.path().join("run");
    for (to, file) in [
        ("text", "summary.txt"),
        ("html", "report.html"),
        ("md", "report.md"),
        ("junit", "report.xml"),
        ("openmetrics", "metrics.prom"),
    ] {
        let printed = run(&["report", "render", "--to", to, "--run", arg(&run_dir)]);
        assert_eq!(code(&printed), 0, "{}", shown(&printed));
        assert_eq!(stdout(&printed), fs::read_to_string(run_dir.join(file)).unwrap(), "{to}");
    }
    let real = judged.folder.path().join("real");
    drill(&fixtures().join("real/reledger.toml"), &real, &[]);
    let suite = Suite::of(&fs::read_to_string(real.join("report.xml")).unwrap());
    assert_eq!(suite.red(), ["verdict", "settlement.form", "settlement.project", "SRC_EMPTY"]);
    assert_eq!(suite.result("checkpoints"), "skipped");
    samples_are_the_reports(&real, 1);
    samples_are_the_reports(&run_dir, 0);
    tables_are_the_reports(&real);
    let page = fs::read_to_string(real.join("report.md")).unwrap();
    assert!(page.starts_with("# reledger: DIVERGENT\n") && page.contains("| error | `SET_ORPHAN` |"), "{page}");
    let sha256 = reledger::domain::sha256(&fs::read(real.join("report.json")).unwrap()).to_hex();
    assert!(page.contains(&sha256));
}

/// The metrics of a finished run against its report and its record.
fn samples_are_the_reports(run_dir: &Path, exit_code: u64) {
    let samples = metrics(&fs::read_to_string(run_dir.join("metrics.prom")).unwrap());
    let of = |name: &str, labels: &[&str]| -> Option<String> {
        let found = samples
            .iter()
            .find(|(one, own, _)| one == name && labels.iter().all(|label| own.iter().any(|o| o == label)));
        found.map(|(_, _, value)| value.clone())
    };
    let report = report(run_dir);
    let record = parsed(&fs::read(run_dir.join("run.json")).unwrap());
    assert_eq!(of("reledger_exit_code", &[]), Some(exit_code.to_string()));
    for (name, counts) in report["population"].as_object().unwrap() {
        for (fate, count) in counts.as_object().unwrap() {
            assert_eq!(of("reledger_population", &[name, fate]), Some(count.to_string()), "{name} {fate}");
        }
    }
    for (code, count) in report["summary"]["by_code"].as_object().unwrap() {
        let own = samples.iter().filter(|(name, labels, _)| name == "reledger_divergences" && labels[0] == *code);
        let sum: u64 = own.map(|(_, _, value)| value.parse::<u64>().unwrap()).sum();
        assert_eq!(Some(sum), count.as_u64(), "{code}");
    }
    let ended = record["finished_at"].to_string();
    assert_eq!(of("reledger_last_run_timestamp_seconds", &[]), Some(ended.clone()));
    assert_eq!(of("reledger_last_success_timestamp_seconds", &[]), (exit_code == 0).then_some(ended));
    assert_eq!(of("reledger_pending_proofs", &[]), Some(report["population"]["proofs"]["pending"].to_string()));
    let ready = u8::from(report["runbook"]["ready_to_unfreeze"].as_bool().unwrap()).to_string();
    assert_eq!(of("reledger_ready_to_unfreeze", &[]), Some(ready));
    let oldest = |codes: &[&str]| {
        let lines = report["divergences"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| codes.contains(&one["code"].as_str().unwrap()));
        let first = lines.filter_map(|one| one["at"].as_i64()).min();
        first.map(|at| (report["as_of"]["time"].as_i64().unwrap() - at).to_string())
    };
    assert_eq!(of("reledger_oldest_pending_seconds", &[]), oldest(&["OTS_PENDING", "OTS_OVERDUE"]));
}

/// The tables of a finished run against its report.
fn tables_are_the_reports(run_dir: &Path) {
    let report = report(run_dir);
    let table = |name: &str| {
        let printed = run(&["report", "render", "--to", "csv", "--table", name, "--run", arg(run_dir)]);
        assert_eq!(code(&printed), 0, "{}", shown(&printed));
        csv(&stdout(&printed))
    };
    let divergences = table("divergences");
    for (line, row) in report["divergences"].as_array().unwrap().iter().zip(&divergences[1..]) {
        let named = ["fingerprint", "code", "severity", "state"].map(|name| line[name].as_str().unwrap());
        assert_eq!(row[..4], named);
        assert_eq!(parsed(row[8].as_bytes()), line["subject"]);
    }
    assert_eq!(divergences.len() - 1, report["divergences"].as_array().unwrap().len());
    assert_eq!(table("coverage").len() - 1, report["coverage"].as_array().unwrap().len());
    let checks = report["checks"].as_array().unwrap().len() + report["unverifiable"].as_array().unwrap().len();
    assert_eq!(table("checks").len() - 1, checks);
    let misplaced = run(&["report", "render", "--to", "md", "--table", "checks", "--run", arg(run_dir)]);
    assert_eq!(code(&misplaced), 2, "{}", shown(&misplaced));
}

#[test]
fn a_suite_is_red_exactly_when_the_exit_code_is_not_0() {
    let judged = Judged::honest();
    assert_eq!(judged.suite(|_| ()).red(), Vec::<&str>::new());
    for (outcome, exit_code, result) in [
        ("over_budget", 4, "failure"),
        ("divergent", 1, "failure"),
        ("untrusted_input", 5, "failure"),
        ("incomplete", 3, "error"),
        ("unreachable", 8, "error"),
        ("internal", 70, "error"),
    ] {
        let suite = judged.suite(|report| fail(report, outcome, exit_code));
        assert_eq!((suite.red(), suite.result("verdict")), (vec!["verdict"], result), "{outcome}");
    }
    let empty = judged.suite(|report| report["checks"] = json!([]));
    assert_eq!(empty.result("verdict"), "error", "a run of no checks is never green");
}

#[test]
fn a_divergence_fails_the_check_that_found_it_and_one_that_no_check_found_fails_by_itself() {
    let judged = Judged::honest();
    let suite = judged.suite(|report| {
        fail(report, "divergent", 1);
        add(report, (1..=25).map(|number| divergence("SET_MISSING", 4, "open", number)));
        add(report, [divergence("REB_INVARIANT", 2, "open", 26)]);
        let payouts = check(report, "settlement.payouts");
        payouts["codes"] = json!(["SET_MISSING"]);
        payouts["disagreed"] = 25.into();
    });
    assert_eq!(suite.red(), ["verdict", "settlement.payouts", "REB_INVARIANT"]);
    assert_eq!(suite.text.matches("error SET_MISSING open").count(), 20, "twenty are named");
    assert!(suite.text.contains("25 disagreements over 9 items: SET_MISSING 25") && suite.text.contains("and 5 more"));
    // An earlier report does not say what a check found: its whole step is suspect, and the codes still stand by themselves.
    let earlier = judged.suite(|report| {
        fail(report, "divergent", 1);
        add(report, [divergence("SET_MISSING", 4, "open", 1)]);
        for check in report["checks"].as_array_mut().unwrap() {
            check.as_object_mut().unwrap().remove("codes");
        }
        check(report, "settlement.payouts")["disagreed"] = 1.into();
    });
    assert!(["verdict", "settlement.payouts", "SET_MISSING"].iter().all(|name| earlier.red().contains(name)));
    assert_eq!(earlier.result("envelope.fees"), "passed");
}

#[test]
fn what_is_explained_or_acknowledged_stands_in_the_suite_and_fails_nothing() {
    let judged = Judged::honest();
    let suite = judged.suite(|report| {
        add(report, [divergence("SET_MISSING", 4, "acknowledged", 1), divergence("REB_GAP", 2, "explained", 2)]);
        check(report, "settlement.payouts")["codes"] = json!(["SET_MISSING"]);
    });
    assert_eq!(suite.red(), Vec::<&str>::new());
    assert!(
        suite.text.contains("error SET_MISSING acknowledged 000000000000")
            && suite.text.contains("error REB_GAP explained")
    );
    // A near miss: a shortfall that somebody accepts is not established all the same.
    let short = judged.suite(|report| {
        fail(report, "incomplete", 3);
        add(report, [divergence("SRC_INCOMPLETE", 0, "acknowledged", 1)]);
    });
    assert_eq!((short.red(), short.result("SRC_INCOMPLETE")), (vec!["verdict", "SRC_INCOMPLETE"], "error"));
}

#[test]
fn a_check_that_could_not_be_made_is_an_error_when_it_was_declared_and_skipped_when_not() {
    let judged = Judged::honest();
    let suite = judged.suite(|report| {
        fail(report, "incomplete", 3);
        let all = report["unverifiable"].as_array_mut().unwrap();
        all.push(json!({"check": "settlement.preimage", "reason": "no invoice", "items": 3, "declared": true}));
        all.push(json!({"check": "envelope.fees", "reason": "no config", "items": 1, "declared": false}));
    });
    assert_eq!(suite.result("settlement.preimage"), "error");
    assert_eq!(suite.result("envelope.fees (the rest)"), "skipped");
    assert_eq!(suite.result("envelope.fees"), "passed");
    assert!(suite.text.contains("message=\"no config (1 items)\""));
}

#[test]
fn every_shape_that_reports_have_had_is_read_and_rendered_in_every_way() {
    let mut shapes = 0;
    for entry in fs::read_dir(fixtures().join("reports")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let sentence = parsed(&bytes)["verdict"]["sentence"].as_str().unwrap().to_owned();
        for (name, rendering) in RENDERINGS {
            let text = stage::rendered(&bytes, rendering, &mut Strings::harmless())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let is_table = matches!(rendering, Rendering::Csv(_) | Rendering::OpenMetrics);
            let said = if name == "md" || name == "html" {
                sentence.contains("exit 1") && text.contains("exit 1")
            } else {
                text.contains(&sentence)
            };
            assert!(is_table || said, "{name} of {}", path.display());
        }
        shapes += 1;
    }
    assert_eq!(shapes, 10);
}
