//! A run of which nothing changed: what it came to is printed as when it was judged.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::args::{Format, Global};
use super::output::{Output, say};
use super::{progress, signals};
use crate::app::{self, Actor, AppError, Cancel, Executable, Memory, Plan, RunOptions, Unchanged};
use crate::report::{DocumentError, canonical_json, divergence_value};

/// What is remembered of finished runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct MemoryArgs {
    /// Judge again also where nothing changed since the run that is there, and remember nothing.
    #[arg(long, env = "RELEDGER_NO_CACHE", value_parser = clap::builder::FalseyValueParser::new())]
    no_cache: bool,
    /// Where finished runs are remembered [default: reledger in the user's cache folder]
    #[arg(long, env = "RELEDGER_CACHE_DIR", value_name = "DIR")]
    cache_dir: Option<PathBuf>,
}

impl MemoryArgs {
    /// The memory of whoever runs this executable; `None` where it is not wanted, and where the system names no folder for it.
    #[expect(clippy::disallowed_methods, reason = "the door owns the environment")]
    pub(crate) fn memory(&self, actor: &Actor) -> Option<Memory> {
        let of_user = || {
            let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
            let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
            cache.map(|cache| cache.join("reledger"))
        };
        let dir = self.cache_dir.clone().or_else(of_user).filter(|_| !self.no_cache)?;
        // A debug build says nothing of itself to others, and knows itself again all the same.
        let own = || std::env::current_exe().ok().map(Executable::at);
        let tool = if cfg!(debug_assertions) { own()? } else { actor.tool.clone() };
        Some(Memory { dir, tool })
    }
}

/// Prints the finished run in the folder, where this command would come to the same.
pub(crate) fn told(
    global: &Global,
    output: &Output,
    (plan, options): (&Plan, &RunOptions),
) -> Result<Option<ExitCode>, AppError> {
    let observer = progress::observer(global);
    let found = app::unchanged(plan, options, observer.as_ref());
    drop(observer);
    let Some(stands) = found else { return Ok(None) };
    // From here on as after judging, also where a file may not grow any further.
    signals::listen(Cancel::default());
    match output.format {
        Format::Human => output.emit_verdict(&stands.summary, stands.exit_code)?,
        Format::Json => {
            let mut report = stands.open_report()?;
            output.emit_by(|out| io::copy(&mut report, out)).map(drop)?;
        }
        Format::Ndjson => divergences(output, &stands)?,
    }
    if !global.quiet {
        tell(output, &stands);
    }
    Ok(Some(ExitCode::from(stands.exit_code)))
}

fn tell(output: &Output, stands: &Unchanged) {
    let since = stands.finished_at;
    say(&format!("nothing changed since {since}: the conclusion stands (--no-cache judges again)"));
    if output.json_errors {
        let event = json!({"type": "unchanged", "since": since.to_string(), "exit_code": stands.exit_code});
        say(String::from_utf8_lossy(&canonical_json(&event)).trim_end());
    }
    if output.format != Format::Human {
        say(&stands.sentence);
    }
    say(&format!("report: {}", stands.report.display()));
}

fn divergences(output: &Output, stands: &Unchanged) -> Result<(), AppError> {
    stands.with_report(|document| {
        output
            .emit_by(|out| {
                let line = &mut |one| out.write_all(&canonical_json(&divergence_value(&one)));
                document.each(line).map_err(|error| match error {
                    DocumentError::Io(error) => error,
                    other => io::Error::other(other),
                })
            })
            .map(drop)
    })
}
