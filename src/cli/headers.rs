//! `reledger headers`: the chain by itself.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::args::Global;
use super::output::{Output, say};
use super::{documents, ots, progress, settings, signals};
use crate::app::{self, AppError, BadHeaders, Cancel, ChainFound, HeadersJudged, RunFolder};
use crate::domain::{Media, inert, inert_limited};

/// Bad headers told one by one; the rest is a number.
const BAD_SHOWN_MAX: usize = 20;

/// `reledger headers`.
#[derive(Debug, Subcommand)]
pub(crate) enum HeadersCommand {
    /// Fetch the chain from the configured node or explorer into the run's evidence.
    #[command(
        after_help = "Goes on 144 headers below the tip that the run holds, else from the checkpoint.\n\nExit 0: the source gave \
        its chain to the end and it holds; 1: a header breaks a rule; 3: the chain broke off or does not reach the checkpoint; 6: \
        --offline, or a finished run without --yes; 8: no source gave a header."
    )]
    Sync,
    /// Judge the whole chain: links, proof of work, targets, median times, most work.
    #[command(
        after_help = "Without FILES: those of the configuration, and the run's evidence.\n\nExit 0: a chain goes through the \
        checkpoint and no header breaks a rule; 1: one does; 3: no chain goes through the checkpoint."
    )]
    Verify {
        /// Files of consecutive 80-byte headers; a stem of digits is the start height.
        files: Vec<PathBuf>,
    },
    /// Show the best header and its age against the clock.
    #[command(
        after_help = "Exit 0: not older than two hours; 3: older, no chain at all, or dated more than two hours after the clock."
    )]
    Tip,
}

/// Runs one of them.
pub(crate) fn run(global: &Global, output: &Output, command: &HeadersCommand) -> Result<ExitCode, AppError> {
    match command {
        HeadersCommand::Sync => sync(global, output),
        HeadersCommand::Verify { files } => verify(global, output, files),
        HeadersCommand::Tip => tip(global, output),
    }
}

fn sync(global: &Global, output: &Output) -> Result<ExitCode, AppError> {
    let plan = settings::plan(global)?;
    if global.dry_run {
        let sources: Vec<&str> = plan.bitcoin_rest.iter().chain(&plan.esplora).map(String::as_str).collect();
        return documents::would(
            output,
            &format!("fetch headers from {} into {}", sources.join(", "), global.run.display()),
        );
    }
    let options = settings::handling_options(global, "headers sync")?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let synced = app::sync_headers(&plan, &options, observer.as_ref(), &cancel)?;
    drop(observer);
    let code = match verdict(&synced.judged) {
        1 => 1,
        _ if synced.received == 0 => 8,
        _ if !synced.whole => 3,
        code => code,
    };
    let mut text = String::new();
    for (source, reason) in &synced.sources {
        let said = if reason.is_empty() { "to its tip".to_owned() } else { inert_limited(reason, 200) };
        text.push_str(&format!("{}: {said}\n", inert(source)));
    }
    text.push_str(&format!("{} headers received from height {}\n", synced.received, synced.from));
    text.push_str(&judged_text(&synced.judged));
    let value = json!({
        "exit_code": code, "received": synced.received, "from": synced.from.0, "whole": synced.whole,
        "sources": synced.sources.iter().map(|(source, reason)| json!({"source": source, "reason": reason})).collect::<Vec<_>>(),
        "judged": judged_value(&synced.judged),
    });
    output.emit_either(&text, &value)?;
    Ok(ExitCode::from(code))
}

fn judge(global: &Global, files: &[PathBuf]) -> Result<HeadersJudged, AppError> {
    let plan = ots::plan(global)?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let configured = plan.files.get(&Media::Headers).cloned().unwrap_or_default();
    // Files that are named are judged alone.
    let (files, run) =
        if files.is_empty() { (configured, Some(RunFolder::at(&global.run))) } else { (files.to_vec(), None) };
    app::verify_headers(&files, run.as_ref(), &plan.policy.headers, &cancel)
}

fn verify(global: &Global, output: &Output, files: &[PathBuf]) -> Result<ExitCode, AppError> {
    let judged = judge(global, files)?;
    let code = verdict(&judged);
    let mut value = judged_value(&judged);
    value["exit_code"] = code.into();
    output.emit_either(&judged_text(&judged), &value)?;
    if !global.quiet {
        say(&format!("{} headers, {} faults; exit {code}", judged.headers, judged.bad.len()));
    }
    Ok(ExitCode::from(code))
}

fn verdict(judged: &HeadersJudged) -> u8 {
    match (judged.bad.is_empty(), judged.chain) {
        (false, _) => 1,
        (true, None) => 3,
        (true, Some(_)) => 0,
    }
}

fn chain_text(chain: &ChainFound) -> String {
    format!(
        "chain: {} headers, heights {} to {}, through the checkpoint at {}\ntip: {} {} at {}, header trust {}\n",
        chain.headers,
        chain.from,
        chain.tip.height,
        chain.checkpoint,
        chain.tip.height,
        chain.tip.hash,
        chain.tip.time,
        chain.trust
    )
}

fn judged_text(judged: &HeadersJudged) -> String {
    let mut text = match &judged.chain {
        Some(chain) => chain_text(chain) + &format!("work: {:#x} hashes expected\n", chain.work),
        None => "chain: none goes through the checkpoint\n".to_owned(),
    };
    text.push_str(&format!(
        "{} headers: {} valid ({} beside the chain), {} at no known height, {} rejected\n",
        judged.headers, judged.accepted, judged.beside, judged.unplaced, judged.rejected
    ));
    for bad in judged.bad.iter().take(BAD_SHOWN_MAX) {
        text.push_str(&bad_text(bad));
    }
    if judged.bad.len() > BAD_SHOWN_MAX {
        text.push_str(&format!("and {} more\n", judged.bad.len() - BAD_SHOWN_MAX));
    }
    text
}

fn bad_text(bad: &BadHeaders) -> String {
    let height = bad.height.map_or_else(|| "unknown height".to_owned(), |height| format!("height {height}"));
    let (expected, observed) = (inert_limited(&bad.expected, 100), inert_limited(&bad.observed, 100));
    format!(
        "{} at {height}: {}; expected {expected}, found {observed}\n",
        bad.code,
        inert_limited(&bad.explanation, 200)
    )
}

fn chain_value(chain: &ChainFound) -> serde_json::Value {
    json!({
        "from": chain.from.0, "headers": chain.headers, "work": format!("{:#x}", chain.work), "trust": chain.trust,
        "checkpoint": chain.checkpoint.0,
        "tip": {"height": chain.tip.height.0, "hash": chain.tip.hash.to_string(), "time": chain.tip.time.0},
    })
}

fn judged_value(judged: &HeadersJudged) -> serde_json::Value {
    json!({
        "headers": judged.headers, "accepted": judged.accepted, "unplaced": judged.unplaced, "rejected": judged.rejected,
        "beside": judged.beside, "chain": judged.chain.as_ref().map(chain_value),
        "bad": judged.bad.iter().map(|bad| json!({
            "code": bad.code, "height": bad.height, "explanation": bad.explanation, "expected": bad.expected,
            "observed": bad.observed,
        })).collect::<Vec<_>>(),
    })
}

fn tip(global: &Global, output: &Output) -> Result<ExitCode, AppError> {
    let judged = judge(global, &[])?;
    let Some(tip) = app::tip_age(&judged, settings::clock(global)?) else {
        let text = "no chain goes through the checkpoint\n";
        output.emit_either(text, &json!({"exit_code": 3, "tip": null}))?;
        return Ok(ExitCode::from(3));
    };
    let code = if tip.stale || tip.future { 3 } else { 0 };
    let minutes = tip.age.abs() / 60;
    let age = format!("{}h{:02}m", minutes / 60, minutes % 60);
    let said = match (tip.stale, tip.future) {
        (true, _) => format!("{age} old: more than {} h", app::TIP_AGE_SECONDS_MAX / 3_600),
        (_, true) => format!("{age} after the clock: more than {} h", app::TIP_FUTURE_SECONDS_MAX / 3_600),
        _ if tip.age < 0 => format!("{age} after the clock"),
        _ => format!("{age} old"),
    };
    let mut value = chain_value(&tip.chain);
    value["age"] = tip.age.into();
    value["exit_code"] = code.into();
    output.emit_either(&format!("{}{said}\n", chain_text(&tip.chain)), &value)?;
    Ok(ExitCode::from(code))
}
