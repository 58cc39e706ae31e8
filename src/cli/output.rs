//! stdout is the result and nothing else; stderr is for people and logs. A closed pipe is no error.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::args::{Format, Global, When};
use crate::app::AppError;
use crate::domain::{Condition, inert};
use crate::report::canonical_json;

/// Where results go and how they look.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) json_errors: bool,
    file: Option<std::path::PathBuf>,
    color: bool,
}

impl Output {
    #[expect(clippy::disallowed_methods, reason = "the door reads the environment: NO_COLOR, TERM")]
    pub(crate) fn new(global: &Global) -> Self {
        let format = global.format.unwrap_or(if global.json { Format::Json } else { Format::Human });
        // A dry run writes nothing anywhere: its result goes to standard output.
        let file = global.output.clone().filter(|path| !global.dry_run && path != Path::new("-"));
        let dumb = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let color = match global.color {
            When::Always => true,
            When::Never => false,
            When::Auto => !dumb && file.is_none() && io::stdout().is_terminal(),
        };
        Self { format, json_errors: global.json || format != Format::Human, file, color }
    }

    /// Writes the result. A reader that went away is not an error; a full disk is.
    pub(crate) fn emit(&self, bytes: &[u8]) -> Result<(), AppError> {
        if let Some(path) = &self.file {
            return crate::app::write_result(path, bytes);
        }
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(AppError::Io { action: "write to", file: "stdout".to_owned(), source: error })
            }
            _ => Ok(()),
        }
    }

    /// Writes a result piece by piece. Nothing is told of one whose reader went away before its end.
    pub(crate) fn emit_by<T>(
        &self,
        by: impl FnOnce(&mut dyn io::Write) -> io::Result<T>,
    ) -> Result<Option<T>, AppError> {
        if let Some(path) = &self.file {
            return crate::app::write_result_by(path, by).map(Some);
        }
        let mut stdout = io::BufWriter::new(io::stdout().lock());
        match by(&mut stdout).and_then(|done| stdout.flush().map(|()| done)) {
            Ok(done) => Ok(Some(done)),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
            Err(error) => Err(AppError::Io { action: "write to", file: "stdout".to_owned(), source: error }),
        }
    }

    /// Writes the text for people, or the value for programs, as the format says.
    pub(crate) fn emit_either(&self, text: &str, value: &serde_json::Value) -> Result<(), AppError> {
        match self.format {
            Format::Human => self.emit(text.as_bytes()),
            Format::Json | Format::Ndjson => self.emit(&canonical_json(value)),
        }
    }

    /// Writes a human text with its first line coloured by the exit code.
    pub(crate) fn emit_verdict(&self, text: &str, exit_code: u8) -> Result<(), AppError> {
        if !self.color {
            return self.emit(text.as_bytes());
        }
        let paint = match exit_code {
            0 => "\x1b[1;32m",
            1 => "\x1b[1;31m",
            _ => "\x1b[1;33m",
        };
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        self.emit(format!("{paint}{first}\x1b[0m\n{rest}").as_bytes())
    }
}

/// So many of something.
pub(crate) fn counted(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// A line for people on stderr. Its text is made inert here, whatever it holds.
pub(crate) fn say(line: &str) {
    // Nobody is left to tell when stderr is gone.
    let _ = writeln!(io::stderr().lock(), "{}", inert(line));
}

/// Tells a fatal error: one line with the cause chain, then hints. Returns its exit code.
pub(crate) fn fatal(error: &AppError, json_errors: bool) -> ExitCode {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.ends_with(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = cause.source();
    }
    let condition = error.condition();
    let code = condition.exit_code().0;
    say(&format!("reledger: {message}"));
    for hint in error.hints() {
        say(&format!("  hint: {hint}"));
    }
    if json_errors {
        let line = json!({
            "type": "fatal", "code": code, "condition": condition.name(), "message": message, "hints": error.hints(),
        });
        say(String::from_utf8_lossy(&canonical_json(&line)).trim_end());
    }
    if !matches!(condition, Condition::Usage) {
        say(&format!("stopped: nothing is claimed; exit {code}"));
    }
    ExitCode::from(code)
}
