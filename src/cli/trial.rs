//! `reledger sim run`: worlds with planted faults, each judged by the whole program and by an oracle that knows the truth.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::{Value, json};

use super::args::{Global, Progress};
use super::output::{Output, say};
use super::settings::usage;
use super::signals;
use super::worlds::RunArgs;
use crate::app::{AppError, Campaign, CampaignResult, Cancel, Faults, TrialReport, run_campaign};
use crate::domain::inert;
use crate::sim::Transport;

/// Runs the campaign; exit 0 when every world's report is exactly what its oracle expects and everything that was named found
/// a place, 1 when one differs, 3 when something named could not be tried.
pub(crate) fn run(global: &Global, output: &Output, args: &RunArgs) -> Result<ExitCode, AppError> {
    let faults = Faults::from_str(&args.faults).map_err(|what| usage(format!("--faults: {what}")))?;
    let campaign = Campaign {
        seed: args.seed,
        worlds: args.worlds,
        events: args.events,
        faults,
        transport: args.transport.into(),
        jobs: global.jobs,
        shrink: args.shrink,
    };
    if let Some(wish) = campaign.beyond_transport() {
        // Sockets carry every generator.
        return Err(usage(format!("--faults: `{wish}` can't be planted in such worlds; try --transport sockets")));
    }
    if global.offline && campaign.transport == Transport::Sockets {
        return Err(AppError::Refused {
            what: "--offline forbids the sockets that --transport sockets needs".to_owned(),
            hint: "leave one of them out; `--transport files` opens no socket".to_owned(),
        });
    }
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let folder = own_folder(args)?;
    let (told, differs) = (AtomicU32::new(0), AtomicBool::new(false));
    let result = run_campaign(&campaign, &folder, &cancel, &|report| {
        let ended = told.fetch_add(1, Ordering::Relaxed) + 1;
        if !report.differences.is_empty() {
            differs.store(true, Ordering::Relaxed);
            say(&progress_line(report, ended, campaign.worlds));
            say(&format!("  again: {}", command(report)));
        } else if shows_progress(global) && ended.is_multiple_of(50) {
            say(&progress_line(report, ended, campaign.worlds));
        }
    });
    if !differs.load(Ordering::Relaxed) {
        // What is left behind costs space, nothing else.
        let _ = std::fs::remove_dir_all(&folder);
    } else if result.is_err() {
        say(&format!("the files of what differs: {}", folder.display()));
    }
    let result = result?;
    let text = text(&campaign, &result, &folder.display().to_string());
    output.emit_either(&text, &value(&campaign, &result))?;
    Ok(ExitCode::from(result.outcome().1))
}

/// A new folder that nobody else uses, where worlds are made.
fn own_folder(args: &RunArgs) -> Result<PathBuf, AppError> {
    let base = args.dir.clone().unwrap_or_else(std::env::temp_dir);
    std::fs::create_dir_all(&base).map_err(AppError::io("make the folder", &base))?;
    for attempt in 0_u32.. {
        let folder = base.join(format!("reledger-sim-{}-{attempt}", std::process::id()));
        match private().create(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(AppError::io("make the folder", &folder)(error)),
            Ok(()) => return Ok(folder),
        }
    }
    Err(AppError::Internal("no name is left for a folder".to_owned()))
}

#[cfg(unix)]
fn private() -> std::fs::DirBuilder {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(not(unix))]
fn private() -> std::fs::DirBuilder {
    std::fs::DirBuilder::new()
}

fn shows_progress(global: &Global) -> bool {
    !global.quiet && global.progress != Progress::None
}

fn progress_line(report: &TrialReport, ended: u32, worlds: u32) -> String {
    let verdict = if report.differences.is_empty() { "agrees" } else { "DIFFERS" };
    format!("{ended} of {worlds} worlds; world {} {verdict}", report.trial.seed)
}

fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// The least command that shows the difference again.
fn command(report: &TrialReport) -> String {
    let selections: Vec<String> = report.trial.selections.iter().map(ToString::to_string).collect();
    let faults = if selections.is_empty() { "none".to_owned() } else { selections.join(",") };
    let transport = match report.trial.transport {
        Transport::Files => "",
        Transport::Sockets => " --transport sockets",
    };
    format!(
        "reledger sim run --seed {} --worlds 1 --events {} --faults {faults}{transport}",
        report.trial.seed, report.trial.events
    )
}

fn text(campaign: &Campaign, result: &CampaignResult, folder: &str) -> String {
    let [faults, near, unplaced] = result.planted;
    let mut text = String::new();
    if let Some(first) = &result.first {
        let shown = result.shrunk.as_ref().unwrap_or(first);
        text += &format!("world {} differs from what its oracle expects:\n", first.trial.seed);
        for difference in &shown.differences {
            text += &format!("  {}\n", inert(difference));
        }
        text += &format!("again: {}\nits files: {}\n", command(shown), inert(folder));
    }
    for name in &result.never_planted {
        text += &format!("{name} found room in none of these worlds: try more worlds or events\n");
    }
    text + &format!(
        "{}: {} of {} worlds from seed {} agree with the oracle; {} and {} planted, {} without room; {} reported\n",
        result.outcome().0,
        result.worlds - result.differing,
        campaign.worlds,
        campaign.seed,
        plural(faults, "fault"),
        if near == 1 { "1 near miss".to_owned() } else { format!("{near} near misses") },
        unplaced,
        plural(result.divergences, "divergence"),
    )
}

fn value(campaign: &Campaign, result: &CampaignResult) -> Value {
    let trial = |report: &TrialReport| {
        json!({
            "seed": report.trial.seed,
            "events": report.trial.events,
            "planted": report.planted.iter().map(|planted| json!({
                "fault": planted.selection.to_string(), "subject": planted.subject.0,
            })).collect::<Vec<_>>(),
            "differences": report.differences,
            "again": command(report),
        })
    };
    json!({
        "schema": "reledger/sim-run/1",
        "seed": campaign.seed,
        "events": campaign.events,
        "transport": campaign.transport.name(),
        "worlds": result.worlds,
        "agreeing": result.worlds - result.differing,
        "faults": result.planted[0],
        "near_misses": result.planted[1],
        "without_room": result.planted[2],
        "never_planted": result.never_planted,
        "divergences": result.divergences,
        "first": result.first.as_ref().map(trial),
        "shrunk": result.shrunk.as_ref().map(trial),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Trial;

    #[test]
    fn the_command_that_shows_a_difference_again_names_the_transport() {
        let again = |transport| {
            let trial = Trial { seed: 7, events: 40, selections: Vec::new(), transport };
            command(&TrialReport { trial, planted: Vec::new(), divergences: 0, differences: Vec::new() })
        };
        let files = "reledger sim run --seed 7 --worlds 1 --events 40 --faults none";
        assert_eq!(again(Transport::Files), files);
        assert_eq!(again(Transport::Sockets), format!("{files} --transport sockets"));
    }
}
