//! `reledger cursor`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::args::Global;
use super::output::Output;
use super::settings;
use crate::app::{
    self, AppError, EXPORT_BYTES_MAX, ImportVerdict, Imported, Origin, Place, Plan, RunOptions, Standing,
};
use crate::domain::{Condition, SourceId, UnixSeconds, inert};

/// `reledger cursor`.
#[derive(Debug, Subcommand)]
pub(crate) enum CursorCommand {
    /// Every cursor: source, kind, where it stands, how many events of that second it names, its age, how it is known.
    List,
    /// Write the cursors to a file, with a digest; `-` is stdout.
    Export {
        /// Where to.
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Take cursors from an export; `-` is stdin. Exit 3 when the run does not bear one out: it then stands lower, or nowhere.
    Import {
        /// Where from.
        file: PathBuf,
    },
    /// Forget cursors, so that the next replay asks for everything. Wants --yes, or --dry-run to see which.
    Reset {
        /// Whose (default: all).
        source: Option<String>,
    },
}

/// Orders one of them.
pub(crate) fn cursor(global: &Global, output: &Output, command: &CursorCommand) -> Result<ExitCode, AppError> {
    let plan = settings::plan(global)?;
    let options = settings::handling_options(global, "cursor")?;
    match command {
        CursorCommand::List => list(output, &app::cursors(&plan, &options)?, options.clock),
        CursorCommand::Export { file } => export(global, output, &app::export_cursors(&plan, &options)?, file),
        CursorCommand::Import { file } => import(global, output, (&plan, &options), file),
        CursorCommand::Reset { source } => {
            let source = source.clone().map(SourceId);
            if !global.yes && !global.dry_run {
                return Err(AppError::Refused {
                    what: "a reset makes the next replay fetch everything again".to_owned(),
                    hint: "use --dry-run to see which cursors, --yes to do it".to_owned(),
                });
            }
            reset(output, &app::reset_cursors(&plan, &options, source.as_ref(), global.dry_run)?, global.dry_run)
        }
    }
}

fn list(output: &Output, all: &[Standing], clock: UnixSeconds) -> Result<ExitCode, AppError> {
    let mut text = String::new();
    for standing in all {
        let (place, age) = match &standing.place {
            None => ("nowhere".to_owned(), String::new()),
            Some(Place::LogId(id)) => (format!("log entry {id}"), String::new()),
            Some(Place::Events(position)) => (
                format!("{} with {} events", position.time, position.ids.len()),
                format!(", {}s ago", clock.0.saturating_sub(position.time.0)),
            ),
        };
        let mut line = format!("{} kind {}: {place}{age}, {}", standing.source, standing.kind, standing.origin.name());
        if !standing.note.is_empty() {
            line.push_str(&format!(" ({})", standing.note));
        }
        if !standing.declared {
            line.push_str(", not in the configuration");
        }
        text.push_str(&inert(&line));
        text.push('\n');
    }
    let standing = all.iter().filter(|standing| standing.place.is_some()).count();
    text.push_str(&format!("{standing} of {} cursors stand somewhere\n", all.len()));
    let values: Vec<Value> = all.iter().map(|standing| value(standing, clock)).collect();
    output.emit_either(&text, &json!({"cursors": values}))?;
    Ok(ExitCode::SUCCESS)
}

fn value(standing: &Standing, clock: UnixSeconds) -> Value {
    let age = match &standing.place {
        Some(Place::Events(position)) => Some(clock.0.saturating_sub(position.time.0)),
        _ => None,
    };
    json!({
        "source": standing.source, "kind": standing.kind, "position": standing.place, "age_seconds": age,
        "origin": standing.origin.name(), "provable": standing.origin == Origin::Committed, "note": standing.note,
        "declared": standing.declared,
    })
}

fn export(global: &Global, output: &Output, document: &[u8], file: &Path) -> Result<ExitCode, AppError> {
    if file == Path::new("-") {
        output.emit(document)?;
    } else if global.dry_run {
        return super::documents::would(output, &format!("write cursors into {}", file.display()));
    } else {
        app::write_result(file, document)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn import(
    global: &Global,
    output: &Output,
    (plan, options): (&Plan, &RunOptions),
    file: &Path,
) -> Result<ExitCode, AppError> {
    settings::may_read_stdin(global, std::iter::once(&file.to_owned()))?;
    let document = read(file)?;
    let all = app::import_cursors(plan, options, &document, global.dry_run)?;
    let mut text = String::new();
    for imported in &all {
        let mut line = format!("{} kind {}: {}", imported.cursor.source, imported.cursor.kind, imported.verdict.name());
        if !imported.note.is_empty() {
            line.push_str(&format!(": {}", imported.note));
        }
        if !imported.declared {
            line.push_str("; the configuration does not name this source: kept, and not asked");
        }
        text.push_str(&inert(&line));
        text.push('\n');
    }
    let accepted = all.iter().filter(|imported| imported.verdict == ImportVerdict::Accepted).count();
    let code = if accepted == all.len() { 0 } else { Condition::Incomplete.exit_code().0 };
    let would = if global.dry_run { " would be" } else { "" };
    text.push_str(&format!("{accepted} of {} cursors{would} accepted; exit {code}\n", all.len()));
    let value = |imported: &Imported| {
        json!({
            "source": imported.cursor.source, "kind": imported.cursor.kind, "position": imported.cursor.position,
            "verdict": imported.verdict.name(), "note": imported.note, "declared": imported.declared,
        })
    };
    let values: Vec<Value> = all.iter().map(value).collect();
    output.emit_either(&text, &json!({"cursors": values, "exit_code": code, "dry_run": global.dry_run}))?;
    Ok(ExitCode::from(code))
}

/// One byte more than is ever accepted, so that too much is seen as such.
fn read(file: &Path) -> Result<Vec<u8>, AppError> {
    let limit = u64::try_from(EXPORT_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let from: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(file).map_err(AppError::missing(file))?)
    };
    from.take(limit).read_to_end(&mut bytes).map_err(AppError::io("read", file))?;
    Ok(bytes)
}

fn reset(output: &Output, all: &[Standing], dry_run: bool) -> Result<ExitCode, AppError> {
    let verb = if dry_run { "would reset" } else { "reset" };
    let mut text = String::new();
    for standing in all {
        text.push_str(&inert(&format!("{verb} {} kind {}", standing.source, standing.kind)));
        text.push('\n');
    }
    text.push_str(&format!("{verb} {} cursors; what they passed will be asked for again\n", all.len()));
    let names: Vec<Value> =
        all.iter().map(|standing| json!({"source": standing.source, "kind": standing.kind})).collect();
    output.emit_either(&text, &json!({"reset": names, "dry_run": dry_run}))?;
    Ok(ExitCode::SUCCESS)
}
