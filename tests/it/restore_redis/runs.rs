//! Two finished runs of different worlds, made once; and the command over one of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use serde_json::Value;

use crate::schemas::{faults, schema};
use crate::support::{arg, code, drill, parsed, reledger, shown, write_world};

/// More than two batches of a load.
const LARGE: (u64, u32) = (7, 360);
const SMALL: (u64, u32) = (8, 60);

fn made(cell: &'static OnceLock<PathBuf>, (seed, events): (u64, u32)) -> &'static Path {
    cell.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("restore-redis-{seed}"));
        // Of an earlier run of the tests, by an earlier version.
        let _ = fs::remove_dir_all(&folder);
        let config = write_world(&folder.join("world"), seed, events);
        let judged = drill(&config, &folder.join("run"), &[]);
        assert_eq!(code(&judged), 0, "{}", shown(&judged));
        folder.join("run")
    })
}

/// A run whose state has thousands of units.
pub(crate) fn large() -> &'static Path {
    static CELL: OnceLock<PathBuf> = OnceLock::new();
    made(&CELL, LARGE)
}

/// A run of another state with some hundred.
pub(crate) fn small() -> &'static Path {
    static CELL: OnceLock<PathBuf> = OnceLock::new();
    made(&CELL, SMALL)
}

pub(super) fn restore(url: &str, run: &Path, more: &[&str]) -> Output {
    let mut command = reledger();
    command.args(["restore", url, "--run", arg(run), "--progress", "none"]).args(more);
    command.output().unwrap()
}

/// The printed document, after it was held against its published schema.
pub(super) fn told(output: &Output) -> Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    assert!(code(output) < 2, "{}", shown(output));
    let value = parsed(&output.stdout);
    assert_eq!(faults(SCHEMA.get_or_init(|| schema("restore-verdict")), &value), Vec::<String>::new(), "{value:#}");
    value
}

/// Restores, expects 0, and gives the document.
pub(super) fn restored(url: &str, run: &Path) -> Value {
    let output = restore(url, run, &["--json"]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    told(&output)
}

/// Compares and gives the exit code with (what, kind, key, member) of each difference.
pub(super) fn compared(url: &str, run: &Path) -> (i32, Vec<[String; 4]>) {
    let output = restore(url, run, &["--compare-only", "--json"]);
    let word = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let value = told(&output);
    let all = value["differences"].as_array().unwrap_or_else(|| panic!("{}", shown(&output)));
    let all = all.iter().map(|one| ["what", "kind", "key", "member"].map(|name| word(one, name))).collect();
    (code(&output), all)
}
