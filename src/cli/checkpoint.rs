//! `reledger checkpoint`: one line after another, each extending the one before it.

mod create;
mod prove;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use super::args::Global;
use super::output::Output;
use crate::app::AppError;

/// What to do with a run's checkpoints.
#[derive(Debug, Subcommand)]
pub(crate) enum CheckpointCommand {
    /// Seal what a finished run holds beyond its last checkpoint, with the state that its report came to.
    Create(create::CreateArgs),
    /// Judge a chain: its seals, that each checkpoint extends the one before it, that nothing overlaps or is left out.
    Verify(verify::VerifyArgs),
    /// Show that an item is below a checkpoint, or that a checkpoint extends an earlier one: for who does not hold the log.
    Prove(prove::ProveArgs),
    /// The checkpoints of a chain, oldest first, with who sealed them.
    List(verify::ListArgs),
    /// Print the newest checkpoint of a chain that holds: what others keep, and stamp.
    Export(verify::ExportArgs),
    /// Go on with a published chain after a restore: takes it over where the run's own is its beginning.
    Stitch(create::StitchArgs),
}

/// Runs one of them.
pub(crate) fn run(global: &Global, output: &Output, command: &CheckpointCommand) -> Result<ExitCode, AppError> {
    match command {
        CheckpointCommand::Create(args) => create::create(global, output, args),
        CheckpointCommand::Verify(args) => verify::verify(global, output, args),
        CheckpointCommand::Prove(args) => prove::prove(global, output, args),
        CheckpointCommand::List(args) => verify::list(global, output, args),
        CheckpointCommand::Export(args) => verify::export(global, output, args),
        CheckpointCommand::Stitch(args) => create::stitch(global, output, args),
    }
}
