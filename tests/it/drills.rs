//! Drills by the calendar: what is one and what is not, and the history of how long they took.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::checkpoints::desk::{Desk, NOW};
use crate::schemas::{faults, schema};
use crate::support::{arg, code, parsed, report_bytes, run, shown, stderr, write_world};

/// An honest world, and runs beside each other.
struct Calendar {
    folder: TempDir,
    config: PathBuf,
}

impl Calendar {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let config = write_world(&folder.path().join("world"), 71, 10);
        Self { folder, config }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("runs").join(name)
    }

    fn drill(&self, name: &str, more: &[&str]) -> std::process::Output {
        let dir = self.path(name);
        fs::create_dir_all(dir.parent().unwrap()).unwrap();
        let fixed = ["drill", "--offline", "--profile", "quarterly", "-c", arg(&self.config), "--run", arg(&dir)];
        run(&[&fixed[..], more].concat())
    }

    /// The lines of the history that stands beside the runs.
    fn history(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("drills.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn configure(&self, change: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(&self.config).unwrap();
        fs::write(&self.config, change(text)).unwrap();
    }
}

#[test]
fn every_quarterly_drill_is_recorded_with_its_durations_red_ones_too() {
    let calendar = Calendar::new();
    let first = calendar.drill("q1", &[]);
    assert_eq!(code(&first), 0, "{}", shown(&first));
    assert!(
        !stderr(&first).contains("before it:") && stderr(&first).contains("recorded as line 1"),
        "{}",
        shown(&first)
    );
    // Without the operator's keys no envelope counts.
    calendar.configure(|text| {
        let (head, rest) = text.split_once("[keys]").unwrap();
        let rest = rest.split_once("\n[").map_or("", |(_, rest)| rest);
        format!("{head}[{rest}")
    });
    let second = calendar.drill("q2", &[]);
    assert_eq!(code(&second), 1, "{}", shown(&second));
    assert!(stderr(&second).contains("before it:"), "{}", shown(&second));
    let history = calendar.history();
    let codes: Vec<&Value> = history.iter().map(|line| &line["entry"]["verdict"]["exit_code"]).collect();
    assert_eq!(codes, [0, 1]);
    assert_eq!(history[1]["previous_sha256"], history[0]["sha256"]);
    for line in &history {
        assert_eq!(faults(&schema("drill"), line), Vec::<String>::new());
        let record: Value = serde_json::from_slice(
            &fs::read(calendar.path(if line["seq"] == 0 { "q1/run.json" } else { "q2/run.json" })).unwrap(),
        )
        .unwrap();
        let sum = |list: &Value, of: &dyn Fn(&Value) -> u64| list.as_array().unwrap().iter().map(of).sum::<u64>();
        let told = sum(&line["drill"]["stages"], &|stage| stage["milliseconds"].as_u64().unwrap());
        assert_eq!(told, sum(&record["stages"], &|stage| stage[1].as_u64().unwrap()));
        assert_eq!(line["drill"]["started_at"], record["started_at"]);
    }
    let page = |more: &[&str]| {
        let history = calendar.path("drills.jsonl");
        let output = run(&[&["transparency", "--year", "2026", arg(&history)][..], more].concat());
        assert_eq!(code(&output), 0, "{}", shown(&output));
        shown(&output)
    };
    assert_eq!(page(&[]).matches("quarterly drill; stages: capture").count(), 2);
    // A run of which the folder is given as well is told once, with what either knows.
    let both = page(&["--json", arg(&calendar.path("q1"))]);
    let both: Value = serde_json::from_str(both.lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    assert_eq!(both["repeated"], 0);
    let runs: Vec<&Value> =
        both["quarters"].as_array().unwrap().iter().flat_map(|quarter| quarter["runs"].as_array().unwrap()).collect();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run["drills"][0]["profile"] == "quarterly"));
    assert_eq!(runs.iter().filter(|run| run["more"].is_object()).count(), 1);
}

#[test]
fn what_is_no_drill_from_empty_is_refused_before_anything_is_written() {
    let calendar = Calendar::new();
    let refused = |name: &str, more: &[&str], exit: i32, said: &str| {
        let output = calendar.drill(name, more);
        assert_eq!(code(&output), exit, "{}", shown(&output));
        assert!(stderr(&output).contains(said), "{}", shown(&output));
        assert!(!calendar.path("drills.jsonl").exists());
    };
    refused("boxed", &["--max-duration", "1h"], 2, "--max-duration");
    assert!(!calendar.path("boxed").exists());
    // What another command fetched, and what was judged before.
    let (dir, config) = (calendar.path("held"), arg(&calendar.config).to_owned());
    let held = run(&["capture", "--offline", "-c", &config, "--run", arg(&dir)]);
    assert_eq!(code(&held), 0, "{}", shown(&held));
    refused("held", &[], 2, "what `capture` fetched");
    let judged = run(&["rebuild", "--offline", "-c", &config, "--run", arg(&dir)]);
    assert_eq!(code(&judged), 0, "{}", shown(&judged));
    refused("held", &["--yes"], 6, "a finished run");
    calendar.configure(|text| text.replacen("[nostr]\n", "[nostr]\nsince = 2026-01-01T00:00:00Z\n", 1));
    refused("window", &[], 2, "window");
    assert!(!calendar.path("window").exists());
    // Without a profile it is a run like any other.
    let plain = run(&["drill", "--offline", "-c", &config, "--run", arg(&calendar.path("plain"))]);
    assert!(plain.status.code().is_some_and(|code| code != 2 && code != 6), "{}", shown(&plain));
    assert!(!calendar.path("drills.jsonl").exists());
}

#[test]
fn a_history_that_was_altered_stops_the_next_drill_before_it_begins() {
    let calendar = Calendar::new();
    assert_eq!(code(&calendar.drill("q1", &[])), 0);
    let file = calendar.path("drills.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("\"exit_code\":0", "\"exit_code\":1", 1)).unwrap();
    let output = calendar.drill("q2", &[]);
    assert_eq!(code(&output), 5, "{}", shown(&output));
    assert!(stderr(&output).contains("line 1"), "{}", shown(&output));
    assert!(!calendar.path("q2").exists());
    // Half a line was never finished: it is cut away, and said.
    fs::write(&file, format!("{text}{{\"drill\":")).unwrap();
    let output = calendar.drill("q3", &[]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(
        stderr(&output).contains("recorded as line 2") && stderr(&output).contains("9 bytes"),
        "{}",
        shown(&output)
    );
}

#[test]
fn a_drill_that_was_interrupted_is_recorded_as_such_and_its_time_is_compared_with_nothing() {
    let calendar = Calendar::new();
    assert_eq!(code(&calendar.drill("q1", &[])), 0);
    // As a killed process leaves it: the record says that it runs.
    let record = calendar.path("q1/run.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replacen("\"finished\"", "\"running\"", 1)).unwrap();
    fs::remove_file(calendar.path("drills.jsonl")).unwrap();
    let again = calendar.drill("q1", &[]);
    assert_eq!(code(&again), 0, "{}", shown(&again));
    assert!(stderr(&again).contains("interrupted, time unknown"), "{}", shown(&again));
    assert_eq!(calendar.history()[0]["drill"]["resumed"], 1);
    let next = calendar.drill("q2", &[]);
    assert!(stderr(&next).contains("before it: interrupted, time unknown"), "{}", shown(&next));
}

/// A desk with a snapshot of the first half of its world; the arguments of a monthly drill over the whole of it.
fn from_snapshot(desk: &Desk, config: &str, name: &str) -> Vec<String> {
    let (key, shots) = (desk.text("one"), desk.text("shots"));
    let made = desk.json(&["snapshot", "create", "--sign-with", &key, "--out", &shots], 0);
    let key = made["key_id"].as_str().unwrap();
    let run = desk.text(&format!("runs/{name}"));
    fs::create_dir_all(desk.path("runs")).unwrap();
    let fixed = ["drill", "--offline", "--profile", "monthly", "--from-snapshot", &shots, "--key", key, "-c", config];
    fixed.into_iter().chain(["--now", NOW, "--run", &run]).map(str::to_owned).collect()
}

fn ran(args: &[String], more: &[&str]) -> std::process::Output {
    run(&[args.iter().map(String::as_str).collect::<Vec<_>>(), more.to_vec()].concat())
}

#[test]
fn a_monthly_drill_restores_the_newest_snapshot_replays_the_rest_and_comes_to_the_whole_state() {
    let desk = Desk::new();
    let args = from_snapshot(&desk, &Desk::config(), "m1");
    let output = ran(&args, &[]);
    let told = stderr(&output);
    assert!(told.contains("drift: ") && told.contains("recorded as line 1"), "{}", shown(&output));
    desk.grow();
    let root = |run: &std::path::Path| parsed(&report_bytes(run))["state_root"].clone();
    assert_eq!(root(&desk.path("runs/m1")), root(&desk.path("run")));
    let line = parsed(&fs::read(desk.path("runs/drills.jsonl")).unwrap());
    assert_eq!(faults(&schema("drill"), &line), Vec::<String>::new());
    assert_eq!(line["drill"]["profile"], "monthly");
    assert_eq!(line["drill"]["from_snapshot"].as_str().map(str::len), Some(64));
    assert_eq!(line["drill"]["stages"][0]["stage"], "restore");
    assert_eq!(line["drill"]["drift"]["drifted"], serde_json::json!([]));
    assert_eq!(line["drill"]["resumed"], 0);
    // Another one of the same state is another drill.
    let again: Vec<String> = args.iter().map(|arg| arg.replace("/m1", "/m2")).collect();
    assert!(stderr(&ran(&again, &[])).contains("recorded as line 2"));
    let history = desk.text("runs/drills.jsonl");
    let page = parsed(&run(&["transparency", "--year", "2026", &history, "--json", "-q"]).stdout);
    let quarters = page["quarters"].as_array().unwrap();
    let runs: Vec<&Value> = quarters.iter().flat_map(|quarter| quarter["runs"].as_array().unwrap()).collect();
    assert_eq!(runs.iter().map(|run| run["drills"].as_array().unwrap().len()).collect::<Vec<_>>(), [2]);
    // It is over: the same folder is no place for another.
    assert_eq!(code(&ran(&args, &["--yes"])), 6);
}

#[test]
fn a_list_that_drifted_since_is_named_and_makes_a_monthly_drill_divergent() {
    let desk = Desk::new();
    // The configuration leaves out kinds that the profile has.
    let text = fs::read_to_string(Desk::config()).unwrap();
    let world = std::path::Path::new(&Desk::config()).parent().unwrap().to_owned();
    let config = world.join("drifted.toml");
    fs::write(&config, text.replacen("[nostr]\n", "[nostr]\nkinds = [{ kind = 30087 }]\n", 1)).unwrap();
    let output = ran(&from_snapshot(&desk, arg(&config), "m1"), &[]);
    assert_eq!(code(&output), 1, "{}", shown(&output));
    assert!(stderr(&output).contains("drift.kinds.profile"), "{}", shown(&output));
    let line = parsed(&fs::read(desk.path("runs/drills.jsonl")).unwrap());
    assert_eq!(line["drill"]["drift"]["drifted"][0], "drift.kinds.profile");
    assert_eq!(faults(&schema("drill"), &line), Vec::<String>::new());
}

#[test]
fn a_monthly_drill_without_a_snapshot_that_holds_begins_nothing() {
    let desk = Desk::new();
    let args = from_snapshot(&desk, &Desk::config(), "m1");
    let others = |more: &[&str], name: &str| {
        let mut args = args.clone();
        let place = args.iter().position(|one| one == name).unwrap();
        args[place + 1] = more[0].to_owned();
        ran(&args, &[])
    };
    let stranger = "11".repeat(32);
    for (output, exit) in [
        (others(&[&stranger], "--key"), 5),
        (others(&[&desk.text("runs")], "--from-snapshot"), 2),
        (others(&[&desk.text("nothing")], "--from-snapshot"), 2),
        (others(&["quarterly"], "--profile"), 2),
    ] {
        assert_eq!(code(&output), exit, "{}", shown(&output));
        assert_eq!(fs::read_dir(desk.path("runs")).unwrap().count(), 0);
    }
}
