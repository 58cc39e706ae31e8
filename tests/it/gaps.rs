//! `reledger gaps`: a register that people edit by command. What belongs here: what the commands do to files and runs; what a
//! gap explains is told in `coverage.rs` and `sources.rs`.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::support::{arg, code, run, shown, stderr, stdout, write_world};

const NOW: &str = "2026-10-01T00:00:00Z";

/// A world of files whose configuration names a register.
struct Desk {
    folder: TempDir,
    config: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let config = write_world(&folder.path().join("world"), 7, 12);
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, format!("gaps_file = \"gaps.toml\"\n{text}")).unwrap();
        Self { folder, config }
    }

    fn register(&self) -> PathBuf {
        self.config.with_file_name("gaps.toml")
    }

    fn gaps(&self, args: &[&str]) -> std::process::Output {
        let run_dir = self.folder.path().join("run");
        run(&[&["gaps", "-c", arg(&self.config), "--run", arg(&run_dir), "--now", NOW], args].concat())
    }

    fn add(&self, more: &[&str]) -> std::process::Output {
        let gap = ["--source", "files:nostr-event", "--from", "2026-05-08", "--until", "2026-06-05"];
        self.gaps(&[&["add"], &gap[..], &["--reason", "plugin down", "--cite", "strfry.conf"], more].concat())
    }

    fn list(&self) -> Vec<Value> {
        let output = self.gaps(&["list", "--json", "--progress", "none"]);
        assert_eq!(code(&output), 0, "{}", shown(&output));
        let value: Value = serde_json::from_str(&stdout(&output)).unwrap();
        value["gaps"].as_array().unwrap().clone()
    }
}

#[test]
fn a_gap_is_added_listed_and_ended_and_never_deleted() {
    let desk = Desk::new();
    let before = fs::read(&desk.config).unwrap();
    assert!(desk.list().is_empty());
    let dry = desk.add(&["--expires", "2027-01-01", "--dry-run"]);
    assert_eq!(code(&dry), 0, "{}", shown(&dry));
    assert!(!desk.register().exists());
    let added = desk.add(&["--expires", "2027-01-01"]);
    assert_eq!(code(&added), 0, "{}", shown(&added));
    let gap = desk.list().remove(0);
    assert_eq!((gap["state"].as_str(), gap["origin"].as_str()), (Some("active"), Some("register")));
    assert_eq!((gap["reason"].as_str(), gap["cite"].as_str()), (Some("plugin down"), Some("strfry.conf")));
    assert_eq!((&gap["from"], &gap["until"]), (&1_778_198_400_i64.into(), &1_780_617_600_i64.into()));
    assert_eq!(gap["missing"], Value::Null, "there is no run yet");
    assert_eq!(code(&desk.add(&["--expires", "2028-01-01"])), 6, "the same gap twice");
    let name = gap["name"].as_str().unwrap();
    let ended = desk.gaps(&["expire", name]);
    assert_eq!(code(&ended), 0, "{}", shown(&ended));
    let gap = desk.list().remove(0);
    assert_eq!((gap["state"].as_str(), &gap["expires"]), (Some("expired"), &1_790_812_800_i64.into()));
    assert_eq!(code(&desk.gaps(&["expire", name])), 2, "it ended already");
    assert_eq!(fs::read(&desk.config).unwrap(), before, "the configuration is the user's");
}

#[test]
fn a_gap_without_times_in_order_citation_or_end_is_no_gap() {
    let desk = Desk::new();
    for more in [
        &[][..],
        &["--expires", "soon"],
        &["--expires", "2026-09-30"],
        &["--expires", "2027-01-01", "--cite", ""],
        &["--expires", "2027-01-01", "--until", "2026-05-08"],
    ] {
        let output = desk.add(more);
        assert_eq!(code(&output), 2, "{more:?} {}", shown(&output));
    }
    assert!(!desk.register().exists());
    assert_eq!(code(&desk.gaps(&["expire", "0000"])), 2);
}

#[test]
fn without_a_register_the_configuration_is_not_touched_and_a_hint_says_how_to_name_one() {
    let desk = Desk::new();
    let text = fs::read_to_string(&desk.config).unwrap().replace("gaps_file = \"gaps.toml\"\n", "");
    let own = "\n[[gaps]]\nsource = \"files:nostr-event\"\nfrom = 2026-05-08\nuntil = 2026-06-05\nreason = \"r\"\n\
               cite = \"c\"\nexpires = 2027-01-01\n";
    fs::write(&desk.config, text + own).unwrap();
    let output = desk.add(&["--expires", "2027-01-01", "--source", "files:settlement"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("gaps_file"), "{}", stderr(&output));
    let gap = desk.list().remove(0);
    assert_eq!(gap["origin"], "config");
    let refused = desk.gaps(&["expire", gap["name"].as_str().unwrap()]);
    assert_eq!(code(&refused), 6, "{}", shown(&refused));
}

#[test]
fn a_source_that_nobody_asks_is_noted_and_a_register_that_is_gone_stops_a_run() {
    let desk = Desk::new();
    let output = desk.add(&["--expires", "2027-01-01", "--source", "wss://elsewhere.example"]);
    assert_eq!(code(&output), 0);
    assert!(stderr(&output).contains("wss://elsewhere.example is no source"), "{}", stderr(&output));
    let output = desk.gaps(&["list", "--progress", "none"]);
    assert!(stdout(&output).contains("1 known gaps, 1 active"), "{}", stdout(&output));
    fs::remove_file(desk.register()).unwrap();
    let run_dir = desk.folder.path().join("run");
    let output = run(&["drill", "-c", arg(&desk.config), "--run", arg(&run_dir), "--progress", "none"]);
    assert_eq!(code(&output), 2, "{}", shown(&output));
    assert!(stderr(&output).contains("gaps.toml"), "{}", stderr(&output));
}
