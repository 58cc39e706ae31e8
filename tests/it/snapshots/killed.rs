//! Whoever makes or restores a snapshot, or seals a checkpoint, is killed at random moments: what stands there is the old state or
//! the new one, whole. `RELEDGER_KILLS=n` sets how many of each are killed.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reledger::app::{Cancel, FinishedRun, verify_snapshots};

use super::making::{file, key, make};
use crate::checkpoints::desk::{Desk, NOW};
use crate::support::{Lcg, code, copy_folder, reledger, report_bytes, shown};

fn kills() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the campaign's size is the caller's")]
    let asked = std::env::var("RELEDGER_KILLS");
    asked.ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// Runs the command whole in a first place to know how long it takes, then kills it so often; after each, `looks` judges.
#[expect(clippy::disallowed_methods, reason = "how long a command takes is needed to spread the kills")]
fn campaign(command: &dyn Fn() -> Command, before: &dyn Fn(), looks: &mut dyn FnMut()) -> usize {
    let (mut chance, mut killed) = (Lcg(7), 0);
    before();
    let began = Instant::now();
    let output = command().output().unwrap();
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let mut whole = began.elapsed();
    looks();
    while killed < kills() {
        before();
        let mut child = command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let moment = whole * u32::try_from(chance.below(1_000)).unwrap() / 1_000;
        std::thread::sleep(moment.max(Duration::from_millis(1)));
        child.kill().unwrap();
        if child.wait().unwrap().code().is_none() {
            killed += 1;
        } else {
            whole = whole * 3 / 4;
        }
        looks();
    }
    killed
}

#[test]
fn a_restore_that_is_killed_leaves_the_old_run_or_the_restored_one() {
    let desk = Desk::new();
    let made = make(&desk, NOW, &[]);
    let packed = report_bytes(&desk.path("run"));
    desk.grow();
    copy_folder(&desk.path("run"), &desk.path("grown"));
    let old = report_bytes(&desk.path("run"));
    assert_ne!(old, packed);
    let command = || {
        let mut command = reledger();
        let (archive, run) = (file(&made), desk.text("run"));
        command.args(["snapshot", "restore", &archive, "--key", &key(&made), "--yes", "--run", &run, "--now", NOW]);
        command
    };
    let before = || {
        fs::remove_dir_all(desk.path("run")).unwrap();
        copy_folder(&desk.path("grown"), &desk.path("run"));
    };
    let (mut old_ones, mut new_ones) = (0, 0);
    let mut looks = || {
        FinishedRun::verified(&desk.path("run")).unwrap();
        if report_bytes(&desk.path("run")) == old {
            old_ones += 1;
        } else {
            assert_eq!(report_bytes(&desk.path("run")), packed);
            new_ones += 1;
        }
    };
    let killed = campaign(&command, &before, &mut looks);
    println!("{killed} restores killed: {old_ones} old runs, {new_ones} restored ones");
    // What stood there before the first, uninterrupted one is kept.
    assert_eq!(report_bytes(&desk.path("run.before-restore-1")), old);
}

#[test]
fn a_snapshot_or_checkpoint_that_is_killed_is_there_whole_or_not_at_all() {
    let desk = Desk::new();
    let (secret, shots) = (desk.text("one"), desk.text("shots"));
    let command = |args: &[&str]| {
        let mut command = reledger();
        command.args(args).args(["--run", &desk.text("run"), "--now", NOW]);
        command
    };
    let create = || command(&["snapshot", "create", "--sign-with", &secret, "--out", &shots]);
    let before = || drop(fs::remove_dir_all(&shots));
    let mut looks = || {
        let all = fs::read_dir(&shots).into_iter().flatten().map(|entry| entry.unwrap().path());
        let named: Vec<_> = all.filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.')).collect();
        let verdict = verify_snapshots(&named, &std::collections::BTreeSet::new(), &Cancel::default()).unwrap();
        assert!(verdict.snapshots.iter().all(|one| one.faults.is_empty()));
    };
    campaign(&create, &before, &mut looks);
    let seal = || command(&["checkpoint", "create", "--no-audit", "--key-file", &secret]);
    let before = || drop(fs::remove_dir_all(desk.path("run/checkpoints")));
    let mut looks = || {
        if desk.chain().exists() {
            desk.ends(&["checkpoint", "verify"], 3);
        }
        // Whatever was left, the next one comes to the same.
        let told = desk.seal("one", &[]);
        assert_eq!(told["seq"], 0);
    };
    campaign(&seal, &before, &mut looks);
}
