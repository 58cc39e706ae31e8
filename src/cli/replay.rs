//! `reledger replay`.

mod words;

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr as _;

use clap::Args;
use serde_json::Value;

use super::args::{Format, Global};
use super::expect::{self, JudgedArgs};
use super::output::{Output, say};
use super::snapshot::{IdentityArgs, TrustArgs};
use super::{progress, settings, signals};
use crate::app::{self, AppError, Cancel, ReplayOptions, Replayed, Span};
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
    it.\n\nThe last line says whether writes can be unfrozen; with --json it is the member `replay` beside the report's, with \
    stages and budgets. Exit codes are a drill's: 4 also for a stage over its budget (`budgets.stages`); 5 also when the \
    snapshot is not signed by a key that counts, or was changed.\n\n--from-snapshot into a run that is not there, or empty: the \
    snapshot is verified under --key, --trusted-keys or `seal.trusted_keys`, restored, and its own cursors say where the replay \
    begins. When that is interrupted, the same command goes on. Into a run that is there and was not made of this snapshot, it is \
    compared with, never loaded: it gives the instant of the newest checkpoint that it contains and that the run holds \
    (`seal.checkpoints`); when it contains none, the cursors decide."
)]
pub(crate) struct ReplayArgs {
    /// Ask relays for what is dated from this instant on (UTC time, date, Unix seconds), less the overlap.
    #[arg(long, env = "RELEDGER_SINCE", value_name = "TIME", conflicts_with = "from_snapshot")]
    pub(crate) since: Option<String>,
    /// Restore this signed snapshot (of a folder the newest) where no run is yet, else ask relays from its cut on; less the overlap.
    #[arg(long, env = "RELEDGER_FROM_SNAPSHOT", value_name = "FILE|DIR")]
    pub(crate) from_snapshot: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    identity: IdentityArgs,
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
        let would = app::would_replay(&plan, &options, &wanted, &cancel)?;
        output.emit_either(&words::would_text(&would), &words::would_value(&would))?;
        return Ok(ExitCode::SUCCESS);
    }
    let observer = progress::observer(global);
    let replayed = app::replay(&plan, &options, &wanted, observer.as_ref(), &cancel)?;
    drop(observer);
    show(global, output, &replayed)
}

/// Prints what a replay came to and ends with its exit code.
pub(crate) fn show(global: &Global, output: &Output, replayed: &Replayed) -> Result<ExitCode, AppError> {
    let conclusion = &replayed.finished.conclusion;
    let expected = replayed.finished.expected.as_ref();
    let code = expected.map_or(conclusion.outcome().exit_code(), app::Expected::exit_code).0;
    let model = conclusion.model();
    let sentence = replayed.unfreeze.sentence();
    match output.format {
        Format::Human => {
            let (summary, course) = (&replayed.finished.summary, words::course_text(replayed));
            output.emit_verdict(&format!("{summary}{course}{}\n{}", inert(&sentence), expect::line(expected)), code)?;
        }
        Format::Json | Format::Ndjson => {
            let mut report: Value = serde_json::from_slice(&report_json(&model))
                .map_err(|error| AppError::Internal(format!("the report is no JSON: {error}")))?;
            // On stdout only: nothing of it is reproducible.
            report["replay"] = words::replay_value(replayed);
            output.emit(&canonical_json(&report))?;
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
    if args.from_snapshot.is_none() && (args.trust.names_any() || args.identity.names_any()) {
        return Err(settings::usage("--key, --trusted-keys and --identity are for --from-snapshot".to_owned()));
    }
    let keys = args.trust.named()?;
    if args.trust.names_any() && keys.is_empty() {
        return Err(settings::usage("--trusted-keys names no key".to_owned()));
    }
    Ok(ReplayOptions {
        since: instant("--since", &args.since)?,
        from_snapshot: args.from_snapshot.as_deref().map(app::newest_snapshot).transpose()?,
        keys,
        identities: args.identity.read()?,
        until: instant("--until", &args.until)?,
        overlap: Span::from_str(&args.overlap).map_err(|what| settings::usage(format!("--overlap: {what}")))?.0,
    })
}
