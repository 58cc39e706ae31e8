//! Drills by the calendar: what is one and what is not, and the history of how long they took.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::schemas::{faults, schema};
use crate::support::{arg, code, run, shown, stderr, write_world};

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
    assert_eq!(both["repeated"], 1);
    let runs: Vec<&Value> =
        both["quarters"].as_array().unwrap().iter().flat_map(|quarter| quarter["runs"].as_array().unwrap()).collect();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run["drill"]["profile"] == "quarterly"));
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
