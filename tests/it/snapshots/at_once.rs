//! Several at work at once: makers of snapshots among themselves, and a maker beside runs that end while it reads.

use std::fs;
use std::process::Stdio;

use reledger::app::{Cancel, KeySource, Pen, SnapshotOptions, create_snapshot, verify_snapshots};
use serde_json::Value;

use crate::checkpoints::desk::{Desk, NOW};
use crate::support::{code, copy_folder, parsed, reledger, report_bytes, shown};

#[test]
fn two_makers_never_give_two_archives_one_number() {
    let desk = Desk::new();
    copy_folder(&desk.path("run"), &desk.path("other"));
    desk.grow();
    let (secret, out) = (desk.text("one"), desk.text("shots"));
    for round in 0..3 {
        let _ = fs::remove_dir_all(&out);
        let makers: Vec<_> = ["run", "other"]
            .map(|run| {
                let mut command = reledger();
                command.args(["snapshot", "create", "--sign-with", &secret, "--out", &out, "--run", &desk.text(run)]);
                command.args(["--yes", "--json", "-q", "--now", NOW]).stdout(Stdio::piped()).stderr(Stdio::piped());
                command.spawn().unwrap()
            })
            .into();
        let mut numbers: Vec<Value> = makers
            .into_iter()
            .map(|maker| {
                let output = maker.wait_with_output().unwrap();
                assert_eq!(code(&output), 0, "{}", shown(&output));
                parsed(&output.stdout)["sequence"].clone()
            })
            .collect();
        numbers.sort_by_key(Value::as_u64);
        assert_eq!(numbers, [0, 1], "round {round}");
    }
    // Who waits in vain says so, and makes nothing.
    let held = fs::File::options().write(true).open(desk.path("shots/.lock")).unwrap();
    held.lock().unwrap();
    let before = fs::read_dir(&out).unwrap().count();
    desk.ends(&["snapshot", "create", "--sign-with", &secret, "--out", &out, "--yes"], 7);
    assert_eq!(fs::read_dir(&out).unwrap().count(), before);
}

/// What a snapshot says of one member.
fn digest_of(snapshot: &reledger::app::CreatedSnapshot, name: &str) -> String {
    let member = snapshot.manifest.members.iter().find(|one| one.name == name).unwrap();
    member.sha256.to_hex()
}

#[test]
fn beside_runs_that_end_while_it_reads_a_maker_packs_one_state_and_never_a_mixture() {
    let desk = Desk::new();
    let pen = Pen::of(&KeySource::File(desk.path("one"))).unwrap();
    let old = report_bytes(&desk.path("run"));
    let mut command = reledger();
    command.args(["drill", "-c", &Desk::config(), "--run", &desk.text("run"), "--now", NOW, "--yes"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut made = Vec::new();
    for number in 0.. {
        let ended = child.try_wait().unwrap().is_some();
        let options = SnapshotOptions {
            run: desk.path("run"),
            // A folder each: all of them have number 0, and none is passed over as known.
            out: desk.path(&format!("shots-{number}")),
            clock: NOW.parse().unwrap(),
            yes: true,
            dry_run: false,
        };
        made.push(create_snapshot(&options, &pen, &Cancel::default()).unwrap());
        if ended {
            break;
        }
    }
    let new = report_bytes(&desk.path("run"));
    assert_ne!(new, old);
    let states = [old, new].map(|bytes| reledger::domain::sha256(&bytes).to_hex());
    let mut pairs = std::collections::BTreeMap::new();
    for one in &made {
        let report = digest_of(one, "report.json");
        assert!(states.contains(&report), "a report of neither state");
        let others = ["evidence/manifest.json", "evidence/custody.jsonl", "summary.txt", "report.html", "run.json"];
        let others = others.map(|name| digest_of(one, name));
        assert_eq!(*pairs.entry(report).or_insert_with(|| others.clone()), others, "a mixture");
    }
    assert_eq!(pairs.len(), 2, "both states were packed, {} times", made.len());
    let files: Vec<_> = made.iter().map(|one| one.path.clone()).collect();
    let verdict = verify_snapshots(&files, &[pen.key()].into(), &Cancel::default()).unwrap();
    let is_regress = |one: &reledger::app::SnapshotFault| one.code == reledger::domain::Code::SnapRegress;
    assert!(verdict.snapshots.iter().flat_map(|one| &one.faults).all(is_regress));
}
