//! What several test modules need: running the command, worlds on disk, reading reports.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

/// The built command, with no setting of the caller's environment.
pub(crate) fn reledger() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reledger"));
    command.env_clear().env("TERM", "dumb").stdin(Stdio::null());
    command
}

/// Runs the command to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    reledger().args(args).output().expect("the command starts")
}

/// Runs the command with these bytes coming through a pipe.
pub(crate) fn run_piped(args: &[&str], bytes: &[u8]) -> Output {
    let mut command = reledger();
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    let mut pipe = child.stdin.take().expect("stdin is a pipe");
    std::thread::scope(|threads| {
        // A command that has seen enough closes its end.
        threads.spawn(move || drop(pipe.write_all(bytes)));
        child.wait_with_output().expect("the command ends")
    })
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is UTF-8")
}

/// Both streams, for the message of a failed assertion.
pub(crate) fn shown(output: &Output) -> String {
    format!(
        "exit {}\n{}\n{}",
        code(output),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Copies a folder with everything below it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

/// Every file below a folder, by its name from there.
pub(crate) fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut all, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.insert(arg(path.strip_prefix(root).unwrap()).to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    all
}

/// A path as an argument.
pub(crate) fn arg(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

/// The project's fixtures.
pub(crate) fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Writes an honest world as files; returns its configuration.
pub(crate) fn write_world(dir: &Path, seed: u64, events: u32) -> PathBuf {
    let output =
        run(&["sim", "write", "--seed", &seed.to_string(), "--events", &events.to_string(), "--dir", arg(dir)]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    dir.join("reledger.toml")
}

/// Drills with this configuration into this folder.
pub(crate) fn drill(config: &Path, run_dir: &Path, more: &[&str]) -> Output {
    let mut args = vec!["drill", "-c", arg(config), "--run", arg(run_dir), "--progress", "none"];
    args.extend(more);
    run(&args)
}

/// The report of a run.
pub(crate) fn report(run_dir: &Path) -> Value {
    parsed(&report_bytes(run_dir))
}

/// Any JSON. `Value`'s own `FromStr` is compiled and optimised in its crate: a debug build of this one would take ten times as
/// long over what is generic.
pub(crate) fn parsed(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).expect("JSON is UTF-8").parse().expect("it is JSON")
}

/// The report's bytes.
pub(crate) fn report_bytes(run_dir: &Path) -> Vec<u8> {
    fs::read(run_dir.join("report.json")).expect("the run has a report")
}

/// How many divergences of each code the report holds.
pub(crate) fn codes(report: &Value) -> Vec<(String, u64)> {
    let by_code = report["summary"]["by_code"].as_object().expect("by_code is an object");
    by_code.iter().map(|(code, count)| (code.clone(), count.as_u64().expect("a count"))).collect()
}

/// A small, seeded generator: tests choose orders and moments reproducibly.
pub(crate) struct Lcg(pub(crate) u64);

impl Lcg {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// Gives every item to some worker once; gathers what they say.
pub(crate) fn side_by_side_by<T: Sync, R: Send>(
    workers: usize,
    items: &[T],
    work: impl Fn(usize, &T) -> R + Sync,
) -> Vec<R> {
    let (next, said) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(place) else { return };
                    let one = work(place, item);
                    said.lock().expect("no worker panicked while it held the list").push(one);
                }
            });
        }
    });
    said.into_inner().expect("no worker panicked while it held the list")
}

/// Tries until nobody else holds a folder's lock. Other tests start processes, and between fork and exec such a process holds
/// every lock of this one.
pub(crate) fn unlocked<T, E>(
    mut attempt: impl FnMut() -> Result<T, E>,
    is_locked: impl Fn(&E) -> bool,
) -> Result<T, E> {
    for _ in 0..500 {
        match attempt() {
            Err(error) if is_locked(&error) => std::thread::sleep(std::time::Duration::from_millis(10)),
            done => return done,
        }
    }
    attempt()
}
