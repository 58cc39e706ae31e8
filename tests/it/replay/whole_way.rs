//! The whole way back with one command: a snapshot is verified and restored where no run is, and the gap is replayed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::stage::{AS_OF, Stage, Tide, at};
use crate::support::{arg, code, copy_folder, parsed, report, report_bytes, run, shown, stdout};

/// A stage with a run up to its middle, which a snapshot holds, and relays that hold everything.
struct Packed {
    stage: Stage,
    file: String,
    key: String,
}

impl Packed {
    fn new() -> Self {
        let stage = Stage::new();
        let middle = stage.before_the_outage("before");
        stage.turn(&Tide::All);
        let secret = stage.folder.path().join("secret");
        fs::write(&secret, "07".repeat(32)).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let (before, out) = (stage.run_dir("before"), stage.run_dir("shots"));
        let made = run(&[
            "snapshot",
            "create",
            "--sign-with",
            arg(&secret),
            "--run",
            arg(&before),
            "--out",
            arg(&out),
            "--now",
            &at(middle),
            "--json",
        ]);
        assert_eq!(code(&made), 0, "{}", shown(&made));
        let told = parsed(&made.stdout);
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        Self { stage, file: text("file"), key: text("key_id") }
    }

    fn replay(&self, name: &str, more: &[&str], exit: i32) -> Value {
        self.stage.replay(name, &[&["--from-snapshot", &self.file, "--key", &self.key], more].concat(), exit)
    }

    /// What the run in the snapshot comes to when it replays the same gap without having been away.
    fn undisturbed(&self) -> Vec<u8> {
        copy_folder(&self.stage.run_dir("before"), &self.stage.run_dir("undisturbed"));
        self.stage.replay("undisturbed", &[], 0);
        report_bytes(&self.stage.run_dir("undisturbed"))
    }
}

#[test]
fn one_command_restores_replays_and_says_whether_writes_may_go_on() {
    let packed = Packed::new();
    let (stage, undisturbed) = (&packed.stage, packed.undisturbed());
    let dry = packed.replay_dry();
    assert!(dry.contains("would restore snapshot 0"), "{dry}");
    assert!(!stage.run_dir("run").exists());
    let said = packed.replay("run", &[], 0);
    assert_eq!((&said["safe_to_unfreeze"], &said["restored"]["now"]), (&true.into(), &true.into()), "{said:#}");
    let stages: Vec<&str> =
        said["stages"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(stages[0], "restore", "{said:#}");
    assert!(["capture", "verify", "rebuild"].iter().all(|name| stages.contains(name)), "{stages:?}");
    let held = said["evidence"]["new"].as_u64().unwrap();
    assert!(held > 0 && said["evidence"]["already_present"].as_u64().unwrap() > 0, "{said:#}");
    assert_eq!(report_bytes(&stage.run_dir("run")), undisturbed);
    let record = parsed(&fs::read(stage.run_dir("run").join("run.json")).unwrap());
    assert_eq!((&record["stages"][0][0], record.get("restore_millis")), (&"restore".into(), None));
    assert_eq!(stage.snapshot("run").state_root, stage.whole("whole").state_root);
    assert_eq!(stage.audit("run"), 0);
    // Once more: the run is there, and was made of this snapshot. Nothing is new.
    stage.turn(&Tide::All);
    let again = packed.replay("run", &[], 0);
    assert_eq!((&again["restored"]["now"], &again["evidence"]["new"]), (&false.into(), &0.into()), "{again:#}");
    assert_eq!(again["stages"][0]["name"], "capture", "nothing was restored: {again:#}");
    assert_eq!(report_bytes(&stage.run_dir("run")), undisturbed);
}

impl Packed {
    fn replay_dry(&self) -> String {
        let args = ["replay", "--from-snapshot", &self.file, "--key", &self.key, "--dry-run"];
        let output = self.stage.at(AS_OF, "run", &args);
        assert_eq!(code(&output), 0, "{}", shown(&output));
        stdout(&output)
    }
}

#[test]
fn what_stopped_between_the_restore_and_the_replay_goes_on_with_the_same_command() {
    let packed = Packed::new();
    let stage = &packed.stage;
    // As a process leaves it that is killed there: restored, and nobody asked.
    let restored = stage.at(AS_OF, "run", &["snapshot", "restore", &packed.file, "--key", &packed.key]);
    assert_eq!(code(&restored), 0, "{}", shown(&restored));
    let said = packed.replay("run", &[], 0);
    assert_eq!((&said["stages"][0]["name"], &said["restored"]["now"]), (&"restore".into(), &false.into()), "{said:#}");
    assert_eq!(report_bytes(&stage.run_dir("run")), packed.undisturbed());
}

#[test]
fn what_does_not_verify_is_refused_and_leaves_no_run_behind() {
    let packed = Packed::new();
    let stage = &packed.stage;
    let with = |more: &[&str], exit: i32| {
        let output = stage.at(AS_OF, "run", &[&["replay", "--from-snapshot", &packed.file], more].concat());
        assert_eq!(code(&output), exit, "{}", shown(&output));
        assert!(!stage.run_dir("run").exists());
        shown(&output)
    };
    assert!(with(&["--key", &"ab".repeat(32)], 5).contains("signature_mismatch"));
    assert!(with(&[], 2).contains("seal.trusted_keys"));
    let nobody = stage.folder.path().join("nobody");
    fs::write(&nobody, "# nobody\n").unwrap();
    with(&["--trusted-keys", arg(&nobody)], 2);
    // Without a snapshot a key says nothing.
    let output = stage.at(AS_OF, "before", &["replay", "--key", &packed.key]);
    assert_eq!(code(&output), 2, "{}", shown(&output));
    // A file of keys serves as well as a key; an empty folder is as good as none.
    fs::write(&nobody, format!("{} # the operator\n", packed.key)).unwrap();
    fs::create_dir(stage.run_dir("run")).unwrap();
    stage.replay("run", &["--from-snapshot", &packed.file, "--trusted-keys", arg(&nobody)], 0);
    assert!(!stage.run_dir("run.before-restore-1").exists());
}

#[test]
fn a_stage_over_its_budget_is_named_and_brings_exit_4_and_one_within_it_does_not() {
    let packed = Packed::new();
    let stage = &packed.stage;
    let config = fs::read_to_string(stage.config()).unwrap();
    let budgets = |text: &str| fs::write(stage.config(), format!("{config}\n[budgets]\nrto = \"1h\"\n{text}")).unwrap();
    budgets("[budgets.stages]\nrestore = \"1h\"\nupgrade = \"1h\"\n");
    let said = packed.replay("good", &[], 0);
    assert_eq!(said["stages"][0]["budget_seconds"], 3_600, "{said:#}");
    budgets("[budgets.stages]\nrestore = \"0s\"\nrebuild = \"0s\"\n");
    let said = packed.replay("late", &[], 4);
    assert_eq!(said["safe_to_unfreeze"], true, "late data is clean data: {said:#}");
    assert_eq!(said["rto"]["over_budget"], false);
    let missed: Vec<Value> = stage.open("late", "BUDGET_RTO").iter().map(|subject| subject["stage"].clone()).collect();
    assert_eq!(missed, ["rebuild", "restore"]);
    let page = fs::read_to_string(stage.run_dir("late").join("report.html")).unwrap();
    assert!(page.contains("Budgets of single stages") && page.contains("over budget"));
    assert_eq!(stage.audit("late"), 4);
    assert_eq!(report(&stage.run_dir("late"))["state_root"], report(&stage.run_dir("good"))["state_root"]);
    budgets("[budgets.stages]\nlunch = \"1h\"\n");
    let output = stage.at(AS_OF, "late", &["replay"]);
    assert_eq!(code(&output), 2, "{}", shown(&output));
    assert!(shown(&output).contains("lunch"));
}
