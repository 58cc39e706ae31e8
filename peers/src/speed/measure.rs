//! One contender, one time: clock and processor of a whole process, from its start until it is gone, and what it answered.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use reledger::domain::{Media, RawEvidence};
use serde_json::Value;
use tempfile::TempDir;

use super::answer::{Answer, lines};
use super::contender::{Contender, Input, Start, Tools};
use super::events::Events;

/// What one process took, in seconds.
#[derive(Clone, Copy)]
pub struct Spent {
    pub clock: f64,
    /// User and system time of the process and its children.
    pub processor: f64,
}

/// Runs it once. Stores go into a new folder below `scratch`, which is removed afterwards.
pub fn measure(
    contender: &Contender,
    tools: &Tools,
    input: Input<'_>,
    scratch: &Path,
) -> Result<(Spent, Answer), String> {
    let folder = TempDir::new_in(scratch).map_err(text)?;
    let (relay, url) = match (contender.start, input) {
        (Start::Fetch(_), Input::Events(events)) => Relay::of(events).map(|(relay, url)| (Some(relay), url))?,
        _ => (None, String::new()),
    };
    if let (Start::Ours(..), Input::Events(events)) = (contender.start, input) {
        configure(events, folder.path())?;
    }
    let (spent, output) = timed(tools.command(contender, input, folder.path(), &url))?;
    drop(relay);
    let answer = match (contender.start, input) {
        (Start::Ours(command, _), Input::Events(events)) => ours(command, tools, events, folder.path(), &output),
        _ if output.status.success() => Answer::read(&output.stdout),
        _ => Err(said(&output)),
    };
    Ok((spent, answer?))
}

fn timed(mut command: Command) -> Result<(Spent, Output), String> {
    let (before, began) = (processor()?, Instant::now());
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("it can't be started: {error}"))?;
    let clock = began.elapsed().as_secs_f64();
    Ok((Spent { clock, processor: processor()? - before }, output))
}

/// Of all children that were waited for.
fn processor() -> Result<f64, String> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(text)?;
    Ok((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6)
}

fn configure(events: &Events, folder: &Path) -> Result<(), String> {
    let file = events.file.canonicalize().map_err(text)?;
    let text = format!("profile = \"orangecheck-2026-10\"\n\n[nostr]\nfiles = [{:?}]\n", file.display().to_string());
    fs::write(folder.join("reledger.toml"), text).map_err(|error| error.to_string())
}

/// What our report says of the events. A capture is judged afterwards, which is not measured.
fn ours(command: &str, tools: &Tools, events: &Events, folder: &Path, output: &Output) -> Result<Answer, String> {
    if command == "capture" {
        let record = document(&folder.join("run/run.json")).map_err(|_| said(output))?;
        let checked = record["signature_checks"].as_u64().unwrap_or_default();
        // An event whose id is not its own is known to be a lie without its signature.
        if checked + (events.lies.len() as u64) < events.count as u64 {
            return Err(format!("it checked {checked} signatures of {} events", events.count));
        }
        let rebuilt = tools.ours(&["rebuild"], folder).output().map_err(text)?;
        return report(events, folder).map_err(|_| said(&rebuilt));
    }
    report(events, folder).map_err(|error| format!("{error}: {}", said(output)))
}

fn report(events: &Events, folder: &Path) -> Result<Answer, String> {
    let report = document(&folder.join("run/report.json"))?;
    let taken = report["population"]["events"]["accepted"].as_u64().ok_or("a report without events")?;
    let bad = |divergence: &&Value| ["EVT_BAD_ID", "EVT_BAD_SIG"].iter().any(|code| divergence["code"] == *code);
    let refused: BTreeSet<&str> =
        report["divergences"].as_array().into_iter().flatten().filter(bad).flat_map(evidence).collect();
    if refused.is_empty() {
        return Ok(Answer { taken, ..Answer::default() });
    }
    let is_refused = |line: &String| {
        refused.contains(RawEvidence::id_of(Media::NostrEvent, "", line.as_bytes()).to_string().as_str())
    };
    let listed = Answer::of(lines(&events.file).map_err(text)?.iter().map(|line| !is_refused(line)));
    Ok(Answer { taken, ..listed })
}

/// The evidence that a divergence names.
fn evidence(divergence: &Value) -> impl Iterator<Item = &str> {
    divergence["evidence"].as_array().into_iter().flatten().filter_map(|one| one["id"].as_str().or(one.as_str()))
}

fn document(path: &Path) -> Result<Value, String> {
    serde_json::from_slice(&fs::read(path).map_err(text)?).map_err(text)
}

/// The last words of a process that failed.
fn said(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("without a word");
    format!("it ended with {}: {last}", output.status)
}

/// A relay in a process of its own; it ends when its input does. What it takes is not counted.
struct Relay {
    process: Child,
    input: Option<ChildStdin>,
}

impl Relay {
    fn of(events: &Events) -> Result<(Self, String), String> {
        let mut command = Command::new(std::env::current_exe().map_err(text)?);
        command.arg("serve").arg(&events.file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(text)?;
        let (input, output) = (process.stdin.take(), process.stdout.take().ok_or("no output")?);
        let relay = Self { process, input };
        let mut url = String::new();
        BufReader::new(output).read_line(&mut url).map_err(text)?;
        Ok((relay, url.trim().to_owned()))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.input = None;
        // Whether it was still there does not matter any more.
        let _ = self.process.wait();
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
