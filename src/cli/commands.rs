//! Each command: resolve, order, print, exit.

use std::mem::ManuallyDrop;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use super::args::{Cli, Command, ConfigCommand, Format, Global};
use super::expect::{ByArgs, JudgedArgs, VerifyArgs};
use super::output::{Output, fatal, say};
use super::worlds::{ServeArgs, SimCommand};
use super::{
    attest, audit, caps, checkpoint, coverage, cursor, custody, diff, divergences, doctor, documents, drill, expect,
    explain, gaps, headers, init, keys, ots, progress, replay, report, settings, show, signals, sim, snapshot,
    transparency, trial, unchanged,
};
use crate::app::{self, AppError, Cancel, Conclusion, Expected};
use crate::domain::{Condition, inert};
use crate::report::{canonical_json, divergence_value, write_report};

/// The whole program.
pub fn main() -> ExitCode {
    let matches = match Cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            return misused(&error);
        }
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    log(&cli.global);
    let output = Output::new(&cli.global);
    match run(&cli, &matches, &output) {
        Ok(code) => code,
        Err(error) => fatal(&error, output.json_errors),
    }
}

/// Prints help as it is, and a refusal without what its arguments may hold: a shell pattern can expand to a hostile file name.
fn misused(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        for line in error.render().to_string().lines() {
            say(line);
        }
    } else {
        // A reader that went away is no error.
        let _ = error.print();
    }
    // clap's own exit codes are the contract's: 0 for help, 2 for usage.
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn run(cli: &Cli, matches: &clap::ArgMatches, output: &Output) -> Result<ExitCode, AppError> {
    let global = &cli.global;
    let Some(command) = &cli.command else {
        if cli.version {
            return documents::version(output, global.verbose > 0);
        }
        return Err(settings::usage("no command given".to_owned()));
    };
    match command {
        Command::Drill(_) | Command::Capture { .. } if global.dry_run => dry_run(&settings::plan(global)?, output),
        Command::Rebuild(_) if global.dry_run => {
            settings::plan(global)?;
            documents::would(output, &format!("judge the evidence in {} again", global.run.display()))
        }
        Command::Drill(args) => drill::drill(global, output, args),
        Command::Rebuild(args) => judged(global, output, ("rebuild", args), app::rebuild_only),
        Command::Replay(args) => replay::replay(global, output, args),
        Command::Capture { by, verify } => capture(global, output, (by, *verify)),
        Command::Cursor { command } => cursor::cursor(global, output, command),
        Command::Audit(args) if args.custody => audit::custody(output, args),
        Command::Audit(args) => audit::audit(global, output, args),
        Command::Verify { files } => show::verify(global, output, files),
        Command::Diff(args) => diff::diff(global, output, args),
        Command::Explain { what } => explain::explain(global, output, what),
        Command::Coverage(args) => coverage::coverage(global, output, args),
        Command::Doctor => doctor::doctor(global, output),
        Command::Gaps { command } => gaps::gaps(global, output, command),
        Command::Divergences { command } => divergences::divergences(global, output, command),
        Command::Keys { command } => keys::keys(global, output, command),
        Command::Caps(args) => caps::caps(global, output, args),
        Command::Custody { command } => custody::custody(global, output, command),
        Command::Report { command } => report::report(global, output, command),
        Command::Attest { command } => attest::run(global, output, matches, command),
        Command::Checkpoint { command } => checkpoint::run(global, output, command),
        Command::Snapshot { command } => snapshot::run(global, output, command),
        #[cfg(feature = "redis")]
        Command::Restore(args) => super::restore::restore(global, output, args),
        #[cfg(feature = "postgres")]
        Command::Worker(args) => super::worker::worker(global, output, args),
        Command::Transparency(args) => transparency::transparency(global, output, args),
        Command::Ots { command } => ots::run(global, output, command),
        Command::Headers { command } => headers::run(global, output, command),
        Command::Init { file } => init::init(global, output, file),
        Command::Config { command: ConfigCommand::Show { origin } } => init::show(global, output, matches, *origin),
        Command::Schema { name } => documents::schema(output, name),
        Command::Completions { shell } => documents::completions(output, *shell),
        Command::Man { dir } if global.dry_run => {
            documents::would(output, &format!("write man pages into {}", dir.display()))
        }
        Command::Man { dir } => documents::man(dir),
        Command::Sim { command: SimCommand::Write(args) | SimCommand::Serve(ServeArgs { world: args, .. }) }
            if global.dry_run =>
        {
            documents::would(output, &format!("make world {} in {}", args.seed, args.dir.display()))
        }
        Command::Sim { command: SimCommand::Run(args) } if global.dry_run => {
            documents::would(output, &format!("judge {} worlds from seed {}", args.worlds, args.seed))
        }
        Command::Sim { command: SimCommand::Run(args) } => trial::run(global, output, args),
        Command::Sim { command: SimCommand::Write(args) } => sim::write(global, output, args),
        Command::Sim { command: SimCommand::Serve(args) } => sim::serve(global, output, args),
    }
}

type Judge = fn(&app::Plan, &app::RunOptions, &dyn app::Observer, &Cancel) -> Result<app::Finished, AppError>;

/// Judges into the run's folder, and prints what it comes to.
pub(crate) fn judged(
    global: &Global,
    output: &Output,
    (name, args): (&'static str, &JudgedArgs),
    judge: Judge,
) -> Result<ExitCode, AppError> {
    let plan = settings::plan(global)?;
    let options = settings::judged_options(global, name, args)?;
    if let Some(code) = unchanged::told(global, output, (&plan, &options))? {
        return Ok(code);
    }
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    // The process ends after this: the system takes all of it back at once, which piece by piece is some hundredths of a run.
    let finished = ManuallyDrop::new(judge(&plan, &options, observer.as_ref(), &cancel)?);
    drop(observer);
    let drawn = (&finished.conclusion, finished.summary.as_str());
    conclude(global, output, drawn, Some(&finished.report), finished.expected.as_ref())
}

/// Prints a conclusion in the chosen format and ends with its exit code.
pub(crate) fn conclude(
    global: &Global,
    output: &Output,
    (conclusion, summary): (&Conclusion, &str),
    report: Option<&Path>,
    expected: Option<&Expected>,
) -> Result<ExitCode, AppError> {
    let model = conclusion.model();
    let code = expected.map_or(conclusion.outcome().exit_code(), Expected::exit_code).0;
    match output.format {
        Format::Human => output.emit_verdict(&(summary.to_owned() + &expect::line(expected)), code)?,
        Format::Json => drop(output.emit_by(|out| write_report(&model, out))?),
        Format::Ndjson => {
            let names = crate::report::Pseudonyms::new(model.inputs.evidence_root, model.reveal_users);
            let lines: Vec<u8> = (model.reconciliation.divergences.iter())
                .flat_map(|divergence| canonical_json(&divergence_value(&names.apply(divergence))))
                .collect();
            output.emit(&lines)?;
        }
    }
    if !global.quiet {
        if output.format != Format::Human {
            say(&model.sentence());
        }
        if let Some(report) = report {
            say(&format!("report: {}", report.display()));
        }
    }
    expect::tell(global, output, expected);
    Ok(ExitCode::from(code))
}

fn capture(global: &Global, output: &Output, (by, verify): (&ByArgs, VerifyArgs)) -> Result<ExitCode, AppError> {
    let plan = settings::plan(global)?;
    let actor = settings::actor(by.by.as_deref())?;
    let checks = verify.checks();
    let options = app::RunOptions { checks, actor, ..settings::run_options(global, "capture")? };
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let captured = app::capture_only(&plan, &options, observer.as_ref(), &cancel)?;
    drop(observer);
    let code = captured.condition.map_or(0, |condition| condition.exit_code().0);
    let verdict = captured.condition.map_or("captured", Condition::name);
    let (held, slices, time_boxed) = (captured.held, captured.slices, captured.time_boxed);
    let complete = slices - captured.open.len();
    let mut text = String::new();
    for receipt in &captured.open {
        text.push_str(&inert(&format!(
            "open: {} {} basis {}: {}",
            receipt.source, receipt.slice.kind, receipt.basis, receipt.reason
        )));
        text.push('\n');
    }
    if time_boxed {
        text.push_str("open: the time limit ended fetching before every source was heard\n");
    }
    text.push_str(&format!(
        "{verdict}: {held} pieces of evidence held; {complete} of {slices} slices complete; exit {code}\n"
    ));
    let value = serde_json::json!({
        "verdict": verdict, "exit_code": code, "evidence": held, "slices": slices, "complete": complete,
        "time_boxed": time_boxed,
        "open": captured.open.iter().map(|receipt| serde_json::json!({
            "source": receipt.source, "kind": receipt.slice.kind, "basis": receipt.basis.name(), "reason": receipt.reason,
        })).collect::<Vec<_>>(),
    });
    output.emit_either(&text, &value)?;
    Ok(ExitCode::from(code))
}

/// What `drill` and `capture` would ask; `rebuild` asks nobody.
fn dry_run(plan: &app::Plan, output: &Output) -> Result<ExitCode, AppError> {
    let sources: Vec<&str> = plan.declared.sources.iter().map(|source| source.0.as_str()).collect();
    let mut text = String::from("would ask:\n");
    for source in &sources {
        text.push_str(&format!("  {}\n", inert(source)));
    }
    text.push_str("nothing was contacted or written\n");
    output.emit_either(&text, &serde_json::json!({"would_ask": sources}))?;
    Ok(ExitCode::SUCCESS)
}

fn log(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => tracing::Level::ERROR,
        (false, 0) => tracing::Level::WARN,
        (false, 1) => tracing::Level::INFO,
        (false, 2) => tracing::Level::DEBUG,
        (false, _) => tracing::Level::TRACE,
    };
    // A second subscriber can only exist in a test that calls main twice; the first one then stays.
    let _ = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(false).try_init();
}
