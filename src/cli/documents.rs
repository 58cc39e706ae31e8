//! Commands that print a document: schema, completions, man pages, version.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;

use super::args::Cli;
use super::output::Output;
use crate::app::AppError;
use crate::domain::inert;
use crate::report::{REPORT_SCHEMA, schema as schema_text};

/// `reledger schema`.
pub(crate) fn schema(output: &Output, name: &str) -> Result<ExitCode, AppError> {
    let text = schema_text(name).ok_or_else(|| super::settings::usage(format!("no schema `{name}`")))?;
    output.emit(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// What a command would do, for `--dry-run`.
pub(crate) fn would(output: &Output, what: &str) -> Result<ExitCode, AppError> {
    let text = format!("would {}\nnothing was contacted or written\n", inert(what));
    output.emit_either(&text, &serde_json::json!({"would": what}))?;
    Ok(ExitCode::SUCCESS)
}

/// `reledger completions`.
pub(crate) fn completions(output: &Output, shell: clap_complete::Shell) -> Result<ExitCode, AppError> {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "reledger", &mut bytes);
    output.emit(&bytes)?;
    Ok(ExitCode::SUCCESS)
}

/// `reledger man`.
pub(crate) fn man(dir: &Path) -> Result<ExitCode, AppError> {
    std::fs::create_dir_all(dir).map_err(AppError::io("create", dir))?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(AppError::io("write man pages into", dir))?;
    Ok(ExitCode::SUCCESS)
}

/// `reledger --version [--verbose]`.
pub(crate) fn version(output: &Output, verbose: bool) -> Result<ExitCode, AppError> {
    let mut text = format!("reledger {}\n", env!("CARGO_PKG_VERSION"));
    if verbose {
        let features: Vec<&str> = [
            ("cli", cfg!(feature = "cli")),
            ("net", cfg!(feature = "net")),
            ("redb", cfg!(feature = "redb")),
            ("sled", cfg!(feature = "sled")),
            ("age", cfg!(feature = "age")),
        ]
        .into_iter()
        .filter_map(|(name, on)| on.then_some(name))
        .collect();
        text.push_str(&format!("features: {}\n", features.join(", ")));
        text.push_str("profile: orangecheck-2026-10\n");
        text.push_str(&format!(
            "report: {REPORT_SCHEMA}\nstate root: reledger/state-root/1\nevidence id: reledger/evidence/1\n"
        ));
        text.push_str(&format!("target: {} {}\n", std::env::consts::OS, std::env::consts::ARCH));
    }
    output.emit(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
