//! `reledger divergences`: what a run's report says, one by one.

use std::process::ExitCode;

use clap::Subcommand;

use super::args::Global;
use super::output::Output;
use crate::app::AppError;

mod export;

/// What to do with divergences.
#[derive(Debug, Subcommand)]
pub(crate) enum DivergencesCommand {
    /// Write divergences as bundles, which `reledger verify` judges with nothing else at hand.
    Export(export::ExportArgs),
}

pub(crate) fn divergences(
    global: &Global,
    output: &Output,
    command: &DivergencesCommand,
) -> Result<ExitCode, AppError> {
    match command {
        DivergencesCommand::Export(args) => export::export(global, output, args),
    }
}
