//! `reledger init` and `reledger config show`.

use std::path::Path;
use std::process::ExitCode;

use clap::parser::ValueSource;

use super::args::{Format, Global};
use super::output::Output;
use super::settings;
use crate::app::{AppError, Plan, write_result};
use crate::domain::inert;
use crate::report::canonical_json;

/// The commented configuration that `init` writes.
const TEMPLATE: &str = include_str!("reledger.template.toml");

/// Writes the commented configuration; never over an existing file without `--yes`.
pub(crate) fn init(global: &Global, output: &Output, file: &Path) -> Result<ExitCode, AppError> {
    if file == Path::new("-") {
        output.emit(TEMPLATE.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    if file.exists() && !global.yes {
        return Err(AppError::Refused {
            what: format!("{} exists", file.display()),
            hint: "use --yes to overwrite it, or name another file".to_owned(),
        });
    }
    if global.dry_run {
        return super::documents::would(output, &format!("write {}", file.display()));
    }
    write_result(file, TEMPLATE.as_bytes())?;
    output.emit(
        format!("wrote {}; edit it, then run `reledger drill`\n", inert(&file.display().to_string())).as_bytes(),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Prints every setting in effect, and with `--origin` where it comes from.
pub(crate) fn show(
    global: &Global,
    output: &Output,
    matches: &clap::ArgMatches,
    origin: bool,
) -> Result<ExitCode, AppError> {
    let (config, base, path) = settings::config(global)?;
    let plan = Plan::resolve(&config, &base)?;
    let mut rows = Vec::new();
    let file = serde_json::to_value(config.shown()).map_err(|error| AppError::Internal(error.to_string()))?;
    flatten("", &file, &format!("file {}", path.display()), &mut rows);
    let policy = serde_json::to_value(&plan.policy).map_err(|error| AppError::Internal(error.to_string()))?;
    flatten("policy", &policy, "profile and file", &mut rows);
    flags(matches, &mut rows);
    if output.format == Format::Human {
        let mut text = String::new();
        for (key, value, from) in &rows {
            text.push_str(&inert(&if origin {
                format!("{key} = {value}   # {from}")
            } else {
                format!("{key} = {value}")
            }));
            text.push('\n');
        }
        output.emit(text.as_bytes())?;
    } else {
        let rows: Vec<_> = (rows.iter())
            .map(|(key, value, from)| serde_json::json!({"key": key, "value": value, "origin": from}))
            .collect();
        output.emit(&canonical_json(&serde_json::Value::Array(rows)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Every leaf with its dotted path; absent and empty values are left out.
fn flatten(path: &str, value: &serde_json::Value, from: &str, rows: &mut Vec<(String, String, String)>) {
    match value {
        serde_json::Value::Null => {}
        serde_json::Value::Array(items) if items.is_empty() => {}
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, member, from, rows);
            }
        }
        leaf => rows.push((path.to_owned(), leaf.to_string(), from.to_owned())),
    }
}

fn flags(matches: &clap::ArgMatches, rows: &mut Vec<(String, String, String)>) {
    for id in matches.ids() {
        let name = id.as_str();
        let from = match matches.value_source(name) {
            Some(ValueSource::CommandLine) => "flag",
            Some(ValueSource::EnvVariable) => "environment",
            Some(ValueSource::DefaultValue) => "default",
            _ => continue,
        };
        let Ok(Some(values)) = matches.try_get_raw(name) else { continue };
        let values: Vec<_> = values.map(|value| value.to_string_lossy().into_owned()).collect();
        if !values.is_empty() {
            rows.push((format!("--{}", name.replace('_', "-")), values.join(" "), from.to_owned()));
        }
    }
}
