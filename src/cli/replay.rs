//! `reledger replay`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr as _;

use clap::Args;
use serde_json::{Value, json};

use super::args::{Format, Global};
use super::expect::{self, JudgedArgs};
use super::output::{Output, say};
use super::{progress, settings, signals};
use crate::app::{self, AppError, Cancel, ReplayOptions, Replayed, Span, Unfreeze};
use crate::domain::{UnixSeconds, inert};
use crate::report::{canonical_json, report_json};

/// From where to where.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Takes in what the sources hold since then, each record once, judges the whole run again and reports as a \
    drill does. It publishes and sends nothing. The run needs no --yes: it may be finished or interrupted. Running it again \
    changes nothing.\n\nA relay is asked from --since, less the overlap; without --since from its own cursors, and whole where \
    it has none. A relay that no longer shows the events at its cursor is asked for everything. Ground between what was \
    covered and --since that nobody asked for is reported, and the run is incomplete (exit 3) until a replay begins before \
    it.\n\nThe last line says whether writes can be unfrozen; with --json it is the member `replay` beside the report's. Exit \
    codes are a drill's; 5 also when the snapshot is not signed by a key of `seal.trusted_keys`, or was changed.\n\nA snapshot \
    is verified and compared with, never loaded: it gives the instant of the newest checkpoint that it contains and that this \
    run holds (`seal.checkpoints`); when it contains none, the cursors decide."
)]
pub(crate) struct ReplayArgs {
    /// Ask relays for what is dated from this instant on (UTC time, date, Unix seconds), less the overlap.
    #[arg(long, env = "RELEDGER_SINCE", value_name = "TIME", conflicts_with = "from_snapshot")]
    pub(crate) since: Option<String>,
    /// Ask relays from the cut of this signed snapshot on, less the overlap.
    #[arg(long, env = "RELEDGER_FROM_SNAPSHOT", value_name = "FILE")]
    pub(crate) from_snapshot: Option<PathBuf>,
    /// Ask relays for nothing dated after this instant.
    #[arg(long, env = "RELEDGER_UNTIL", value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Ask for so much once more before the beginning: records arrive late (90s, 15m, 2h).
    #[arg(long, env = "RELEDGER_OVERLAP", value_name = "D", default_value = "15m")]
    pub(crate) overlap: String,
    #[command(flatten)]
    judged: JudgedArgs,
}

/// Replays, and says whether writes may go on.
pub(crate) fn replay(global: &Global, output: &Output, args: &ReplayArgs) -> Result<ExitCode, AppError> {
    let plan = settings::plan(global)?;
    let options = settings::judged_options(global, "replay", &args.judged)?;
    let wanted = wanted(args, options.clock)?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    if global.dry_run {
        return dry_run(output, &app::would_replay(&plan, &options, &wanted, &cancel)?);
    }
    let observer = progress::observer(global);
    let replayed = app::replay(&plan, &options, &wanted, observer.as_ref(), &cancel)?;
    drop(observer);
    let conclusion = &replayed.finished.conclusion;
    let expected = replayed.finished.expected.as_ref();
    let code = expected.map_or(conclusion.outcome().exit_code(), app::Expected::exit_code).0;
    let model = conclusion.model();
    let sentence = replayed.unfreeze.sentence();
    match output.format {
        Format::Human => {
            let summary = &replayed.finished.summary;
            output.emit_verdict(&format!("{summary}{}\n{}", inert(&sentence), expect::line(expected)), code)?;
        }
        Format::Json | Format::Ndjson => {
            let report: Value = serde_json::from_slice(&report_json(&model))
                .map_err(|error| AppError::Internal(format!("the report is no JSON: {error}")))?;
            output.emit(&canonical_json(&with_replay(report, &replayed)))?;
        }
    }
    if !global.quiet {
        if output.format != Format::Human {
            say(&model.sentence());
            say(&sentence);
        }
        say(&format!("report: {}", replayed.finished.report.display()));
    }
    expect::tell(global, output, expected);
    Ok(ExitCode::from(code))
}

fn wanted(args: &ReplayArgs, clock: UnixSeconds) -> Result<ReplayOptions, AppError> {
    let instant =
        |flag, text: &Option<String>| text.as_deref().map(|text| settings::instant(flag, text, clock)).transpose();
    Ok(ReplayOptions {
        since: instant("--since", &args.since)?,
        from_snapshot: args.from_snapshot.clone(),
        until: instant("--until", &args.until)?,
        overlap: Span::from_str(&args.overlap).map_err(|what| settings::usage(format!("--overlap: {what}")))?.0,
    })
}

/// The report with one member more, on stdout only.
fn with_replay(mut report: Value, replayed: &Replayed) -> Value {
    let Unfreeze { safe, reasons, blocking, covered, conditions } = &replayed.unfreeze;
    let blocking: serde_json::Map<String, Value> =
        blocking.iter().map(|(code, count)| (code.name().to_owned(), json!(count))).collect();
    report["replay"] = json!({
        "safe_to_unfreeze": safe, "reasons": reasons, "blocking": blocking, "conditions": conditions,
        "slices": {"covered": covered.0, "all": covered.1},
        "notes": replayed.notes, "sentence": replayed.unfreeze.sentence(),
    });
    report
}

fn dry_run(output: &Output, would: &app::WouldReplay) -> Result<ExitCode, AppError> {
    let end = |at: Option<UnixSeconds>, none: &str| at.map_or_else(|| none.to_owned(), |at| at.to_string());
    let mut text = String::from("would ask:\n");
    for (source, kind, (from, until)) in &would.asks {
        let window = match (from, until) {
            (None, None) => "whole".to_owned(),
            _ => format!("from {} to {}", end(*from, "the beginning"), end(*until, "the end")),
        };
        text.push_str(&inert(&format!("  {source} kind {kind}: {window}")));
        text.push('\n');
    }
    for note in &would.notes {
        text.push_str(&inert(note));
        text.push('\n');
    }
    text.push_str("nothing was contacted or written\n");
    let asks: Vec<Value> = (would.asks.iter())
        .map(|(source, kind, (from, until))| json!({"source": source, "kind": kind, "from": from, "until": until}))
        .collect();
    output.emit_either(&text, &json!({"would_ask": asks, "notes": would.notes}))?;
    Ok(ExitCode::SUCCESS)
}
