//! `reledger keys`: the register of leaks, and what a listing shows.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::desk::{Desk, KID};
use super::{Kid, Kind, Proof};
use crate::support::{arg, code, drill, reledger, report, run, shown, stderr, stdout, write_world};

const NOW: &str = "2026-10-01T00:00:00Z";

/// An honest world whose configuration names a register.
struct Office {
    folder: TempDir,
    config: PathBuf,
}

impl Office {
    fn new(register: bool) -> Self {
        let folder = tempdir().unwrap();
        let config = write_world(&folder.path().join("world"), 7, 12);
        if register {
            let text = fs::read_to_string(&config).unwrap();
            fs::write(&config, text.replace("[keys]\n", "[keys]\ncompromised_file = \"leaks.toml\"\n")).unwrap();
        }
        Self { folder, config }
    }

    fn register(&self) -> PathBuf {
        self.config.with_file_name("leaks.toml")
    }

    fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn keys(&self, args: &[&str]) -> std::process::Output {
        let run_dir = self.run_dir();
        let fixed = ["keys", "-c", arg(&self.config), "--run", arg(&run_dir), "--now", NOW, "--progress", "none"];
        run(&[&fixed, args].concat())
    }

    fn compromise(&self, kid: &str, at: &str) -> std::process::Output {
        self.keys(&["compromise", "--kid", kid, "--at", at])
    }
}

#[test]
fn a_leak_is_registered_once_earlier_ones_are_added_and_the_configuration_is_not_touched() {
    let office = Office::new(true);
    let before = fs::read(&office.config).unwrap();
    let dry = office.keys(&["compromise", "--kid", "env-2026-05", "--at", "2026-07-01", "--dry-run"]);
    assert_eq!(code(&dry), 0, "{}", shown(&dry));
    assert!(!office.register().exists());
    let output = office.compromise("env-2026-05", "2026-07-01");
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let first = fs::read_to_string(office.register()).unwrap();
    for late in ["2026-07-01", "2026-07-01T00:00:01Z"] {
        assert_eq!(code(&office.compromise("env-2026-05", late)), 6, "{late}");
    }
    assert_eq!(fs::read_to_string(office.register()).unwrap(), first);
    let earlier = office.keys(&["compromise", "--kid", "env-2026-05", "--at", "2026-06-30", "--reason", "a log"]);
    assert_eq!(code(&earlier), 0, "{}", shown(&earlier));
    let both = fs::read_to_string(office.register()).unwrap();
    assert!(both.starts_with(first.trim_end()) && both.contains("reason = \"a log\""), "{both}");
    for (kid, at) in [("", "2026-07-01"), ("env-2026-05", "soon"), ("env-9", "5000"), ("env-9", "499999999")] {
        assert_eq!(code(&office.compromise(kid, at)), 2, "{kid} {at}");
    }
    assert_eq!(fs::read_to_string(office.register()).unwrap(), both);
    let quiet = office.keys(&["compromise", "-q", "--kid", "env-9", "--at", "500000000"]);
    assert_eq!((code(&quiet), stdout(&quiet), stderr(&quiet)), (0, String::new(), String::new()));
    assert!(fs::read_to_string(office.register()).unwrap().contains("at = 1985-11-05T00:53:20Z"));
    assert_eq!(fs::read(&office.config).unwrap(), before, "the configuration is the user's");
}

#[test]
fn without_a_register_the_lines_to_add_are_told_and_nothing_is_written() {
    let office = Office::new(false);
    let before = fs::read(&office.config).unwrap();
    let output = office.compromise("env-2026-05", "2026-07-01");
    assert_eq!(code(&output), 2, "{}", shown(&output));
    for wanted in ["compromised_file", "[[keys.compromised]]", "kid = \"env-2026-05\"", "at = 2026-07-01T00:00:00Z"] {
        assert!(stderr(&output).contains(wanted), "{}", stderr(&output));
    }
    assert_eq!(fs::read(&office.config).unwrap(), before);
    assert!(!office.register().exists());
}

#[test]
fn a_registered_leak_excludes_what_it_reaches_changes_both_digests_and_is_listed() {
    let office = Office::new(true);
    fs::write(office.register(), "").unwrap();
    let clean_dir = office.folder.path().join("clean");
    assert_eq!(code(&drill(&office.config, &clean_dir, &[])), 0);
    let listed = office.keys(&["list", "--json", "--run", arg(&clean_dir)]);
    assert_eq!(code(&listed), 0, "{}", shown(&listed));
    let compromise = |kid: &str, more: &[&str]| {
        let told = ["keys", "compromise", "-c", arg(&office.config), "--run", arg(&clean_dir)];
        run(&[&told, &["--kid", kid, "--at", "2026-01-01"][..], more].concat())
    };
    let known = compromise("env-2026-08", &[]);
    assert_eq!(code(&known), 0, "{}", shown(&known));
    assert!(!stderr(&known).contains("no captured key set"), "{}", stderr(&known));
    let unknown = compromise("env-1999", &[]);
    assert_eq!(code(&unknown), 6, "a mistyped kid excludes nothing: {}", shown(&unknown));
    assert!(!fs::read_to_string(office.register()).unwrap().contains("env-1999"));
    let unknown = compromise("env-1999", &["--yes"]);
    assert_eq!(code(&unknown), 0, "{}", shown(&unknown));
    assert!(stderr(&unknown).contains("no captured key set names env-1999"), "{}", stderr(&unknown));

    let run_dir = office.run_dir();
    assert_eq!(code(&drill(&office.config, &run_dir, &[])), 1);
    let (clean, leaked) = (report(&clean_dir), report(&run_dir));
    for digest in ["config_sha256", "policy_sha256"] {
        assert_ne!(clean["inputs"][digest], leaked["inputs"][digest], "{digest}");
    }
    assert_eq!(clean["inputs"]["evidence_root"], leaked["inputs"]["evidence_root"]);
    let sum = |report: &Value| {
        let totals = &report["ledgers"]["envelope"]["totals"];
        (totals["user_sats"].as_i64().unwrap(), totals["key_compromised_user_sats"].as_i64().unwrap())
    };
    assert_eq!(sum(&clean).1, 0);
    assert!(sum(&leaked).1 > 0);
    assert_eq!(sum(&clean).0, sum(&leaked).0 + sum(&leaked).1, "both totals make the whole");
    let listed = office.keys(&["list", "--json"]);
    assert_eq!(code(&listed), 1, "{}", shown(&listed));
    let value: Value = serde_json::from_str(&stdout(&listed)).unwrap();
    let row = |kid: &str| value["keys"].as_array().unwrap().iter().find(|row| row["kid"] == kid).cloned().unwrap();
    assert_eq!(row("env-2026-08")["compromised_since"], 1_767_225_600);
    assert_eq!((&row("env-1999")["status"], &row("env-1999")["class"]), (&"unknown".into(), &"none".into()));
    assert_eq!(row("auth-2026-01")["class"], "auth");
    // The two older kids of the world stay published beside the newest.
    assert_eq!((&row("env-2026-05")["status"], &row("env-2026-07")["status"]), (&"rotated".into(), &"rotated".into()));
    let text = stdout(&office.keys(&["list"]));
    assert!(text.contains("kid env-2026-08 envelope: published, compromised since 2026-01-01T00:00:00Z"), "{text}");
}

#[test]
fn a_rewritten_and_an_unpublished_kid_are_told_and_without_a_key_set_nothing_is_established() {
    let folder = tempdir().unwrap();
    let config = Desk::new(Kid::Rewritten).write(folder.path());
    fs::write(folder.path().join("leaks.toml"), "").unwrap();
    let text = fs::read_to_string(&config).unwrap();
    let run_dir = folder.path().join("run");
    drill(&config, &run_dir, &[]);
    let list = |more: &[&str]| run(&[&["keys", "list", "--run", arg(&run_dir), "--progress", "none"], more].concat());
    let listed = list(&["-c", arg(&config)]);
    assert_eq!(code(&listed), 1, "a rewritten kid is critical: {}", shown(&listed));
    assert!(stdout(&listed).contains(&format!("kid {KID} envelope: published, rewritten")), "{}", stdout(&listed));
    assert!(stdout(&listed).contains("KEY_SET_REWRITTEN critical"), "{}", stdout(&listed));
    // Without a configuration nothing says which file came last; the run itself is told as it was judged.
    let value: Value = serde_json::from_str(&stdout(&list(&["--json"]))).unwrap();
    assert!(value["sets"].as_array().unwrap().iter().all(|set| set["newest"] == false), "{value:#}");
    assert_eq!(value["keys"][0]["status"], "held", "it is in both, and perhaps in a third that nobody captured");
    assert_eq!(value["schema"], "reledger/keys/1");

    // Only the auth host publishes now: every envelope is refused.
    let auth_only = text.replace("\njwks = ", "\nauth_jwks = ");
    fs::write(&config, auth_only).unwrap();
    let auth_dir = folder.path().join("auth");
    drill(&config, &auth_dir, &[]);
    let value: Value = serde_json::from_str(&stdout(&run(&[
        "keys",
        "list",
        "--json",
        "-c",
        arg(&config),
        "--run",
        arg(&auth_dir),
        "--progress",
        "none",
    ])))
    .unwrap();
    assert_eq!((&value["keys"][0]["class"], &value["keys"][0]["refused"]), (&"auth".into(), &40.into()));

    let keyless: Vec<&str> = text.lines().filter(|line| !line.starts_with("jwks")).collect();
    let keyless = keyless.join("\n");
    fs::write(&config, keyless).unwrap();
    let keyless_dir = folder.path().join("keyless");
    drill(&config, &keyless_dir, &[]);
    let listed = run(&["keys", "list", "--run", arg(&keyless_dir), "--progress", "none"]);
    assert_eq!(code(&listed), 3, "{}", shown(&listed));
    assert!(
        stdout(&listed).contains(&format!("kid {KID} none: unknown; named by 40 envelopes, refused")),
        "{}",
        stdout(&listed)
    );
}

#[test]
fn keys_caps_custody_and_explain_judge_by_the_run_unless_a_configuration_is_named() {
    let folder = tempdir().unwrap();
    let desk = Desk::new(Kid::TheOnlyKey);
    let config = desk.write(folder.path());
    let leaks = fs::read_to_string(folder.path().join("leaks.toml")).unwrap();
    fs::write(folder.path().join("leaks.toml"), "").unwrap();
    let run_dir = folder.path().join("run");
    drill(&config, &run_dir, &["--as-of", "2026-10-01T00:00:00Z"]);
    fs::write(folder.path().join("leaks.toml"), leaks).unwrap();
    let event = desk.cells.iter().find(|cell| cell.kind == Kind::Event && cell.proof == Proof::Never).unwrap();
    let fixed = ["--run", arg(&run_dir), "--json", "--progress", "none"];
    let said = |command: &[&str], more: &[&str]| -> Value {
        let output = run(&[command, &fixed, more].concat());
        // Nothing is established of somebody whose only rebind is excluded.
        serde_json::from_str(&stdout(&output)).unwrap_or(Value::Null)
    };
    // By whom the leak is known: keys, caps, custody, explain.
    let known = |more: &[&str]| {
        let keys = said(&["keys", "list"], more)["keys"][0]["signed"]["excluded"] != 0;
        let caps = said(&["caps"], more)["events"]["excluded"]["key_compromised"] != 0;
        let custody = said(&["custody", "history", "bc1quser1"], more);
        let custody = custody["transitions"].as_array().is_none_or(Vec::is_empty);
        [keys, caps, custody, said(&["explain", &event.id], more).to_string().contains("KEY_COMPROMISED")]
    };
    assert_eq!(known(&[]), [false; 4], "the run was judged before the leak was registered");
    assert_eq!(known(&["-c", arg(&config)]), [true; 4]);
    let by_environment = reledger().args(["caps"]).args(fixed).env("RELEDGER_CONFIG", &config).output().unwrap();
    let by_environment: Value = serde_json::from_str(&stdout(&by_environment)).unwrap();
    assert_eq!(by_environment["schema"], "reledger/caps/1");
    assert_ne!(by_environment["events"]["excluded"]["key_compromised"], 0);

    // Equal codes together, the first ten of them; all in JSON.
    let text = stdout(&run(&["keys", "list", "--run", arg(&run_dir), "-c", arg(&config), "--progress", "none"]));
    let listed = said(&["keys", "list"], &["-c", arg(&config)]);
    let all = listed["divergences"].as_array().unwrap().len();
    assert!(all > 10);
    assert!(text.contains(&format!("KEY_COMPROMISED error: {all}\n")), "{text}");
    assert!(text.contains(&format!("  and {} more; --json lists all\n1 key set, 1 key id, ", all - 10)), "{text}");
    assert_eq!(text.matches("  {\"envelope\"").count(), 10, "{text}");
}
