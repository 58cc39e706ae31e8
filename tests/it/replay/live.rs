//! Snapshots of a run while a replay is on in it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};

use serde_json::Value;

use super::stage::{AS_OF, Stage, Tide};
use crate::support::{arg, code, parsed, reledger, report_bytes, run, shown};

const NOW: &str = "2026-10-02T00:00:00Z";

/// A stage with a run from before the outage, and a key.
struct Desk {
    stage: Stage,
    key_file: String,
}

impl Desk {
    fn new() -> Self {
        let stage = Stage::new();
        stage.before_the_outage("run");
        stage.turn(&Tide::All);
        let secret = stage.folder.path().join("secret");
        fs::write(&secret, "07".repeat(32)).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        Self { key_file: arg(&secret).to_owned(), stage }
    }

    /// Makes one of `run` into the folder of that name, which must end so.
    fn create(&self, out: &str, exit: i32) -> Value {
        let (run_dir, out) = (self.stage.run_dir("run"), self.stage.run_dir(out));
        let args = ["snapshot", "create", "--sign-with", &self.key_file, "--run", arg(&run_dir), "--out", arg(&out)];
        let output = run(&[&args[..], &["--now", NOW, "--json"]].concat());
        assert_eq!(code(&output), exit, "{}", shown(&output));
        if exit == 0 { parsed(&output.stdout) } else { Value::Null }
    }

    /// A replay that waits for its first relay, which took the connection and says nothing.
    fn replay_that_hangs(&self) -> (Child, TcpListener) {
        let silent = self.stage.silence(0);
        let (config, run_dir) = (self.stage.config(), self.stage.run_dir("run"));
        let mut command = reledger();
        command.args(["replay", "-c", arg(&config), "--run", arg(&run_dir), "--as-of", AS_OF, "--now", AS_OF]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Whoever asks a relay has taken the folder.
        silent.accept().unwrap();
        (child, silent)
    }
}

fn bytes(made: &Value) -> Vec<u8> {
    fs::read(made["file"].as_str().unwrap()).unwrap()
}

#[test]
fn while_a_replay_is_on_the_state_before_it_is_packed_to_the_byte() {
    let desk = Desk::new();
    let stage = &desk.stage;
    let (before, judged) = (bytes(&desk.create("before", 0)), report_bytes(&stage.run_dir("run")));
    let (mut child, _silent) = desk.replay_that_hangs();
    let made = desk.create("during", 0);
    assert_eq!((&made["live"], &made["is_new"]), (&true.into(), &true.into()), "{made}");
    assert_eq!(bytes(&made), before, "the state before, whatever is written meanwhile");
    assert_eq!(desk.create("during", 0)["is_new"], false);
    // The other relay's news is taken in by now or not: either way the one that is killed leaves that state.
    child.kill().unwrap();
    child.wait().unwrap();
    let left = desk.create("after", 0);
    assert_eq!((bytes(&left), &left["live"]), (before, &true.into()));
    let key = made["key_id"].as_str().unwrap();
    let file = made["file"].as_str().unwrap();
    let restored = stage.at(AS_OF, "restored", &["snapshot", "restore", file, "--key", key]);
    assert_eq!(code(&restored), 0, "{}", shown(&restored));
    assert_eq!(report_bytes(&stage.run_dir("restored")), judged);
    let audited = stage.audit("restored");
    assert_eq!(audited, stage_verdict(stage, "restored"));
    // Both go on to the same end; then the new state is packed, by a number of its own.
    stage.turn(&Tide::All);
    stage.replay("run", &[], 0);
    stage.replay("restored", &[], 0);
    assert_eq!(report_bytes(&stage.run_dir("run")), report_bytes(&stage.run_dir("restored")));
    let next = desk.create("during", 0);
    assert_eq!((&next["live"], &next["sequence"]), (&false.into(), &1.into()), "{next}");
}

fn stage_verdict(stage: &Stage, name: &str) -> i32 {
    let found = crate::support::report(&stage.run_dir(name));
    i32::try_from(found["verdict"]["exit_code"].as_i64().unwrap()).unwrap()
}

#[test]
fn what_was_altered_is_refused_also_while_a_replay_is_on_and_what_never_finished_always() {
    let desk = Desk::new();
    let stage = &desk.stage;
    let (mut child, _silent) = desk.replay_that_hangs();
    child.kill().unwrap();
    child.wait().unwrap();
    for (name, exit) in [("evidence/segments/00000001.seg", 5), ("report.json", 5)] {
        let path = stage.run_dir("run").join(name);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(&path, bad).unwrap();
        desk.create("shots", exit);
        fs::write(&path, good).unwrap();
    }
    desk.create("shots", 0);
    // A run that was only captured has no state that anybody was told of.
    fs::remove_dir_all(stage.run_dir("run")).unwrap();
    stage.turn(&Tide::All);
    let captured = stage.at(AS_OF, "run", &["capture"]);
    assert_eq!(code(&captured), 0, "{}", shown(&captured));
    desk.create("shots", 2);
}
