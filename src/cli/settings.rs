//! Flags and environment, resolved: which configuration, which instant, which threshold.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::{SystemTime, UNIX_EPOCH};

use super::args::{FailOn, Global, OnInvalid};
use super::coverage;
use super::expect::JudgedArgs;
use crate::app::{Actor, AppError, AsOfWanted, Checks, Config, Executable, Instant, JudgedBy, Plan, RunOptions, Span};
use crate::domain::{Severity, UnixSeconds};

/// The configuration file's default name.
pub(crate) const DEFAULT_CONFIG: &str = "reledger.toml";

/// Characters of a name in the custody log.
const BY_MAX: usize = 200;

/// The configuration that the flags name, with the folder its relative paths start from.
pub(crate) fn config(global: &Global) -> Result<(Config, PathBuf, PathBuf), AppError> {
    let path = global.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG));
    let text = std::fs::read_to_string(&path).map_err(|error| AppError::Config {
        what: format!("the configuration {} can't be read: {error}", path.display()),
        hint: "name it with -c FILE, or write one with `reledger init`".to_owned(),
    })?;
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    Ok((Config::from_toml(&text)?, base, path))
}

/// The plan that the flags name.
pub(crate) fn plan(global: &Global) -> Result<Plan, AppError> {
    let (config, base, _) = config(global)?;
    let plan = Plan::resolve(&config, &base)?;
    may_read_stdin(global, plan.files.values().flatten())?;
    Ok(plan)
}

/// By whose policy keys, caps, custody and explain judge the run: its own, unless a configuration is named by flag or
/// environment.
pub(crate) fn judged_by(global: &Global) -> Result<JudgedBy, AppError> {
    Ok(JudgedBy::new(coverage::plan(global)?, global.config.is_some()))
}

/// Refuses `-` under `--no-input` when stdin is a terminal: someone would have to type.
pub(crate) fn may_read_stdin<'a>(
    global: &Global,
    mut files: impl Iterator<Item = &'a PathBuf>,
) -> Result<(), AppError> {
    if global.no_input && files.any(|file| file == Path::new("-")) && std::io::stdin().is_terminal() {
        return Err(usage("--no-input forbids reading `-` from the terminal".to_owned()));
    }
    Ok(())
}

/// The run's options.
pub(crate) fn run_options(global: &Global, command: &'static str) -> Result<RunOptions, AppError> {
    let clock = clock(global)?;
    Ok(RunOptions {
        command,
        run: global.run.clone(),
        as_of: global.as_of.as_deref().map(|text| as_of(text, clock)).transpose()?,
        clock,
        fail_on: severity(global.fail_on),
        fail_on_invalid: global.on_invalid == OnInvalid::Fail,
        reveal_users: global.reveal_users,
        offline: global.offline,
        yes: global.yes,
        jobs: global.jobs,
        checks: Checks::Single,
        max_seconds: global
            .max_duration
            .as_deref()
            .map(|text| {
                Span::from_str(text).map(|span| span.0).map_err(|what| usage(format!("--max-duration: {what}")))
            })
            .transpose()?,
        actor: Actor::default(),
        expect_root: None,
        memory: None,
    })
}

/// Who acts: as `--by` says, else `RELEDGER_BY`; and the executable that runs.
#[expect(clippy::disallowed_methods, reason = "the door owns the environment")]
pub(crate) fn actor(by: Option<&str>) -> Result<Actor, AppError> {
    let named = std::env::var_os("RELEDGER_BY").map(|by| by.to_string_lossy().into_owned());
    let by = by.map(str::to_owned).or(named).unwrap_or_default();
    if by.chars().count() > BY_MAX {
        return Err(usage(format!("--by has more than {BY_MAX} characters")));
    }
    // A debug build is nobody's release, and ten times as long to digest as a short run takes.
    let executable = if cfg!(debug_assertions) { None } else { std::env::current_exe().ok() };
    Ok(Actor { by, tool: executable.map(Executable::at).unwrap_or_default() })
}

/// As [`run_options`], for a command that changes the evidence of a run.
pub(crate) fn handling_options(global: &Global, command: &'static str) -> Result<RunOptions, AppError> {
    Ok(RunOptions { actor: actor(None)?, ..run_options(global, command)? })
}

/// As [`run_options`], for a command that judges into the folder.
pub(crate) fn judged_options(
    global: &Global,
    command: &'static str,
    args: &JudgedArgs,
) -> Result<RunOptions, AppError> {
    let actor = actor(args.by.by.as_deref())?;
    let (expect_root, checks) = (args.expect.expect_root, args.verify.checks());
    let memory = args.memory.memory(&actor);
    Ok(RunOptions { checks, actor, expect_root, memory, ..run_options(global, command)? })
}

/// The severity that a word names.
pub(crate) const fn severity(word: FailOn) -> Severity {
    match word {
        FailOn::Info => Severity::Info,
        FailOn::Warn => Severity::Warn,
        FailOn::Error => Severity::Error,
        FailOn::Critical => Severity::Critical,
    }
}

/// This machine's clock, whatever was said.
#[expect(clippy::disallowed_methods, reason = "the door owns the clock")]
pub(crate) fn machine_clock() -> UnixSeconds {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    UnixSeconds(i64::try_from(since_epoch).unwrap_or(i64::MAX))
}

/// `--now`, else `SOURCE_DATE_EPOCH`, else the clock.
#[expect(clippy::disallowed_methods, reason = "the door owns the environment")]
pub(crate) fn clock(global: &Global) -> Result<UnixSeconds, AppError> {
    let real = machine_clock();
    if let Some(text) = &global.now {
        return instant("--now", text, real);
    }
    let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(real) };
    let text = text.to_string_lossy();
    text.parse().map(UnixSeconds).map_err(|_| usage(format!("SOURCE_DATE_EPOCH `{text}` is not a number of seconds")))
}

fn as_of(text: &str, clock: UnixSeconds) -> Result<AsOfWanted, AppError> {
    if text == "now" {
        return Ok(AsOfWanted::Time(clock));
    }
    AsOfWanted::from_str(text).map_err(|what| usage(format!("--as-of: {what}")))
}

/// The instant that a flag names; `now` is the clock.
pub(crate) fn instant(flag: &str, text: &str, clock: UnixSeconds) -> Result<UnixSeconds, AppError> {
    if text == "now" {
        return Ok(clock);
    }
    Instant::from_str(text).map(|at| at.0).map_err(|what| usage(format!("{flag}: {what}")))
}

/// A usage error.
pub(crate) fn usage(what: String) -> AppError {
    AppError::Config { what, hint: "see `reledger --help`".to_owned() }
}
