//! Acknowledgements as an operator meets them: signed by command, judged by the next run, recorded for an auditor.
//! What belongs here: the commands, the register, exit codes and the runbook's verdict. Each reason against a statement is
//! tested beside `src/reconcile/acknowledge.rs`.

mod commands;
mod desk;
mod worlds;

use std::fs;

use serde_json::Value;
use tempfile::tempdir;

use crate::schemas::{faults, schema};
use crate::support::{code, copy_folder, fixtures, report, report_bytes, run, shown, stdout};
use desk::{Desk, PUBLIC};

/// The line that makes a clean world differ from what was observed: CUSTODY_DRIFT, an error.
const DRIFT: &str = "observed = [{ at = 2026-09-01T00:00:00Z, msat = 1 }]";

fn drifted() -> Desk {
    Desk::new(DRIFT)
}

fn of_code<'r>(report: &'r Value, name: &str) -> &'r Value {
    report["divergences"].as_array().unwrap().iter().find(|one| one["code"] == name).unwrap()
}

fn step(report: &Value, number: u64) -> &Value {
    report["runbook"]["steps"].as_array().unwrap().iter().find(|step| step["step"] == number).unwrap()
}

#[test]
fn a_signed_word_turns_exit_1_into_0_and_an_auditor_elsewhere_gets_the_same_bytes() {
    let desk = drifted();
    let first = desk.drill();
    assert_eq!(code(&first), 1, "{}", shown(&first));
    let before = report(&desk.run);
    assert_eq!(step(&before, 4)["verdict"], "blocked");
    assert_eq!(step(&before, 4)["blocking"]["CUSTODY_DRIFT"], 1);
    assert_eq!(before["runbook"]["ready_to_unfreeze"], false);
    let fingerprint = of_code(&before, "CUSTODY_DRIFT")["fingerprint"].as_str().unwrap().to_owned();
    let dry = desk.ack(&[&fingerprint[..8], "--dry-run"], "2026-12-01");
    assert_eq!(code(&dry), 0, "{}", shown(&dry));
    assert!(!desk.register().exists());
    let told = desk.ack(&[&fingerprint[..8]], "2026-12-01");
    assert_eq!(code(&told), 0, "{}", shown(&told));

    let second = desk.rebuild(&[]);
    assert_eq!(code(&second), 0, "{}", shown(&second));
    let after = report(&desk.run);
    let found = of_code(&after, "CUSTODY_DRIFT");
    assert_eq!((&found["state"], &found["blocks"]), (&Value::from("acknowledged"), &Value::from(false)));
    assert_eq!(after["acknowledgements"][0]["state"], "holds");
    assert_eq!(after["acknowledgements"][0]["key_id"], PUBLIC);
    assert_eq!(after["summary"]["acknowledged"], 1);
    assert_eq!(after["summary"]["by_code"], before["summary"]["by_code"], "listed and counted all the same");
    assert_eq!(after["summary"]["by_code_sats"], before["summary"]["by_code_sats"], "and never subtracted");
    for member in ["ledgers", "balances", "state_root", "population", "coverage", "checks", "unverifiable"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    assert_eq!((&step(&after, 4)["verdict"], &step(&after, 4)["acknowledged"]), (&"pass".into(), &1.into()));
    assert_eq!(after["runbook"]["ready_to_unfreeze"], true, "{}", after["runbook"]);
    assert!(stdout(&second).contains("1 acknowledged"), "{}", shown(&second));

    assert_eq!(faults(&schema("report"), &after), Vec::<String>::new());

    // Another machine has neither the configuration nor the register.
    let elsewhere = tempdir().unwrap();
    copy_folder(&desk.run, elsewhere.path());
    desk.forget();
    let audited = run(&["audit", "--offline", elsewhere.path().to_str().unwrap()]);
    assert_eq!(code(&audited), 0, "{}", shown(&audited));
    // What was recorded is sealed: another word in its place is noticed.
    let inputs = elsewhere.path().join("evidence/inputs.json");
    fs::write(&inputs, fs::read_to_string(&inputs).unwrap().replace("we know", "we knew")).unwrap();
    assert_eq!(code(&run(&["audit", "--offline", elsewhere.path().to_str().unwrap()])), 5);
}

#[test]
fn it_ends_with_its_day_its_values_and_its_withdrawal() {
    let desk = drifted();
    desk.drill();
    let fingerprint = of_code(&report(&desk.run), "CUSTODY_DRIFT")["fingerprint"].as_str().unwrap().to_owned();
    let told = desk.ack(&[&fingerprint, "--json"], "2026-10-01T00:00:30Z");
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let id = told["signed"][0]["id"].as_str().unwrap().to_owned();
    let state = || report(&desk.run)["acknowledgements"][0]["state"].as_str().unwrap().to_owned();
    for (as_of, exit, expected) in [("2026-10-01T00:00:29Z", 0, "holds"), ("2026-10-01T00:00:30Z", 1, "expired")] {
        let output = desk.rebuild(&["--as-of", as_of]);
        assert_eq!((code(&output), state().as_str()), (exit, expected), "{}", shown(&output));
    }
    desk.config("msat = 1 }", "msat = 2 }");
    let output = desk.rebuild(&[]);
    assert_eq!((code(&output), state().as_str()), (1, "other_values"), "{}", shown(&output));
    desk.config("msat = 2 }", "msat = 1 }");
    assert_eq!(code(&desk.rebuild(&[])), 0);
    let before = fs::read_to_string(desk.register()).unwrap();
    let withdrawn = desk.withdraw(&id[..8]);
    assert_eq!(code(&withdrawn), 0, "{}", shown(&withdrawn));
    let register = fs::read_to_string(desk.register()).unwrap();
    assert!(register.starts_with(&before) && register.lines().count() == 2, "nothing is ever deleted: {register}");
    assert_eq!(code(&desk.rebuild(&[])), 1);
    let report = report(&desk.run);
    let mut states: Vec<&str> =
        report["acknowledgements"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["holds", "withdrawn"]);
    assert_eq!(faults(&schema("report"), &report), Vec::<String>::new());
    assert_eq!(of_code(&report, "CUSTODY_DRIFT")["state"], "open");
}

#[test]
fn what_did_not_run_stays_unestablished_whoever_accepts_it() {
    let desk = Desk::new("");
    fs::write(desk.dir.join("gateway/payment_log.json"), "").unwrap();
    let first = desk.drill();
    assert_eq!(code(&first), 3, "{}", shown(&first));
    let before = report(&desk.run);
    let blocking = before["divergences"].as_array().unwrap().iter().filter(|one| one["blocks"] == true);
    let names: Vec<&str> = blocking.map(|one| one["fingerprint"].as_str().unwrap()).collect();
    assert!(!names.is_empty());
    let told = desk.ack(&names, "2026-12-01");
    assert_eq!(code(&told), 0, "{}", shown(&told));
    let second = desk.rebuild(&[]);
    assert_eq!(code(&second), 3, "{}", shown(&second));
    let after = report(&desk.run);
    assert_eq!(after["summary"]["acknowledged"], names.len());
    assert_eq!(step(&after, 4)["verdict"], "could_not_check", "{}", step(&after, 4));
    assert_eq!(after["runbook"]["ready_to_unfreeze"], false);
    assert!(after["runbook"]["steps"].as_array().unwrap().iter().all(|step| step["verdict"] != "blocked"));
}

#[test]
fn an_earlier_policy_and_report_without_acknowledgements_say_so_by_saying_nothing() {
    let desk = Desk::new("");
    assert_eq!(code(&desk.drill()), 0);
    let with_section = report_bytes(&desk.run);
    let report = report(&desk.run);
    assert_eq!(report["acknowledgements"], Value::Array(Vec::new()));
    let inputs: Value =
        serde_json::from_str(&fs::read_to_string(desk.run.join("evidence/inputs.json")).unwrap()).unwrap();
    assert!(inputs["declared"].get("acknowledgements").is_none(), "what is not there changes no digest");
    assert!(inputs["policy"]["acknowledgement_keys"].as_array().is_some_and(|keys| keys.len() == 1));
    // An empty register is no register.
    fs::write(desk.register(), "\n").unwrap();
    assert_eq!(code(&desk.rebuild(&[])), 0);
    assert_eq!(report_bytes(&desk.run), with_section);
}

#[test]
fn every_check_of_a_whole_world_and_of_the_real_inputs_belongs_to_a_step() {
    let desk = Desk::new("");
    desk.drill();
    let real = tempdir().unwrap();
    crate::support::drill(&fixtures().join("real/reledger.toml"), real.path(), &[]);
    let (mut ran, mut steps) = (0, std::collections::BTreeSet::new());
    for report in [report(&desk.run), report(real.path())] {
        for member in ["checks", "unverifiable"] {
            for check in report[member].as_array().unwrap() {
                let name = check["check"].as_str().unwrap();
                let step = reledger::reconcile::step_of(name);
                assert!(step.is_some(), "{name}");
                steps.insert(step);
                ran += usize::from(member == "checks");
            }
        }
        let counted = report["runbook"]["steps"].as_array().unwrap().iter();
        let counted: u64 = counted.map(|step| step["checks"]["ran"].as_u64().unwrap()).sum();
        assert_eq!(counted, report["checks"].as_array().unwrap().len() as u64, "none is lost and none counted twice");
    }
    assert!(ran > 30 && steps.len() == 6, "{ran} {steps:?}");
}
