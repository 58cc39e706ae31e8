//! A run that grows: one world's events come in two portions.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Output;
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::support::{arg, code, copy_folder, drill, parsed, run, shown, write_world};

pub(crate) const NOW: &str = "2026-10-02T00:00:00Z";

/// A world, a run over the first half of its events, and the same run over all of them.
static RUNS: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempdir().unwrap();
    let world = folder.path().join("world");
    let config = write_world(&world, 5, 10);
    let events = fs::read_to_string(world.join("nostr/events.jsonl")).unwrap();
    let lines: Vec<&str> = events.lines().collect();
    fs::write(world.join("nostr/events.jsonl"), lines[lines.len() / 2..].join("\n") + "\n").unwrap();
    drill(&config, &folder.path().join("half"), &["--now", NOW]);
    copy_folder(&folder.path().join("half"), &folder.path().join("whole"));
    fs::write(world.join("nostr/events.jsonl"), &events).unwrap();
    let again = drill(&config, &folder.path().join("whole"), &["--now", NOW, "--yes"]);
    assert!([0, 1, 3].contains(&code(&again)), "{}", shown(&again));
    folder
});

pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    /// A run over the first half, and keys.
    pub(crate) fn new() -> Self {
        let folder = tempdir().unwrap();
        copy_folder(&RUNS.path().join("half"), &folder.path().join("run"));
        let desk = Self { folder };
        for (byte, name) in [(1, "one"), (2, "two")] {
            let path = desk.path(name);
            fs::write(&path, format!("{byte:02x}").repeat(32)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        desk
    }

    /// The run goes on over all events; its checkpoints stay.
    pub(crate) fn grow(&self) {
        let kept = self.path("kept");
        if self.path("run/checkpoints").exists() {
            copy_folder(&self.path("run/checkpoints"), &kept);
        }
        fs::remove_dir_all(self.path("run")).unwrap();
        copy_folder(&RUNS.path().join("whole"), &self.path("run"));
        if kept.exists() {
            copy_folder(&kept, &self.path("run/checkpoints"));
        }
    }

    /// The run as it was over the first half, without checkpoints.
    pub(crate) fn shrink(&self) {
        fs::remove_dir_all(self.path("run")).unwrap();
        copy_folder(&RUNS.path().join("half"), &self.path("run"));
    }

    /// The configuration of the whole world.
    pub(crate) fn config() -> String {
        arg(&RUNS.path().join("world/reledger.toml")).to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        arg(&self.path(name)).to_owned()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        run(&[args, &["--run", &self.text("run"), "--now", NOW, "--progress", "none"]].concat())
    }

    /// Runs a command that must end with that code; its JSON.
    pub(crate) fn json(&self, args: &[&str], expected: i32) -> Value {
        let output = self.run(&[args, &["--json", "-q"]].concat());
        assert_eq!(code(&output), expected, "{args:?} {}", shown(&output));
        parsed(&output.stdout)
    }

    /// Runs a command that must end with that code; both streams.
    pub(crate) fn ends(&self, args: &[&str], expected: i32) -> String {
        let output = self.run(args);
        assert_eq!(code(&output), expected, "{args:?} {}", shown(&output));
        shown(&output)
    }

    /// Seals with the key of that name; what was told.
    pub(crate) fn seal(&self, name: &str, more: &[&str]) -> Value {
        let key = self.text(name);
        self.json(&[&["checkpoint", "create", "--no-audit", "--key-file", &key], more].concat(), 0)
    }

    pub(crate) fn chain(&self) -> PathBuf {
        self.path("run/checkpoints/chain.jsonl")
    }
}
