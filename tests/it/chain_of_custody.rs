//! The chain of custody: who handled a run's evidence, what of it was altered since, what was expected of it, and what is told
//! of it in public. Each alteration is made to a copy of one run, and has to be named.

mod alterations;
mod feed;
mod log;
mod roots;
mod strict;
mod year;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{arg, code, drill, run, shown, write_world};

/// A world, and finished runs over it.
pub(super) struct Bench {
    folder: TempDir,
    pub(super) config: PathBuf,
}

impl Bench {
    pub(super) fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = write_world(&folder.path().join("world"), seed, 12);
        Self { folder, config }
    }

    /// A bench with one clean run.
    pub(super) fn with_run(seed: u64) -> (Self, PathBuf) {
        let bench = Self::new(seed);
        let run_dir = bench.at("run");
        let output = drill(&bench.config, &run_dir, &["--by", "ann"]);
        assert_eq!(code(&output), 0, "{}", shown(&output));
        (bench, run_dir)
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A copy of a run, which is the caller's to spoil.
    pub(super) fn copy(&self, run_dir: &Path, name: &str) -> PathBuf {
        let copy = self.at(name);
        assert!(Command::new("cp").arg("-r").args([run_dir, &copy]).status().unwrap().success());
        copy
    }

    /// Adds a line to the configuration's section.
    pub(super) fn configure(&self, from: &str, to: &str) {
        let text = fs::read_to_string(&self.config).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(&self.config, text.replacen(from, to, 1)).unwrap();
    }
}

/// The custody log as it stands, one value a line.
pub(super) fn log_of(run_dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run_dir.join("evidence/custody.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The command's exit code and everything it said.
pub(super) fn ran(args: &[&str]) -> (i32, String) {
    let output = run(args);
    (code(&output), shown(&output))
}

pub(super) fn audit(run_dir: &Path) -> (i32, String) {
    ran(&["audit", arg(run_dir)])
}

/// Changes a JSON file.
pub(super) fn edit(path: &Path, change: impl Fn(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}
