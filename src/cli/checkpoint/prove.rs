//! `reledger checkpoint prove`.

use std::process::ExitCode;

use clap::Args;

use crate::app::{self, AppError, ProofWanted};
use crate::cli::args::Global;
use crate::cli::output::Output;

/// What to show.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Prints one JSON document that needs nothing else: `reledger verify FILE` judges it, and so does anyone with \
    docs/checkpoint.md in hand. An item is a piece of evidence: its id is the digest of what it is, whom it is about, and its \
    bytes (docs/state-root.md, section 3).\n\nExit 0: printed; 2: no such item or checkpoint; 5: the chain or the list of \
    admissions does not hold."
)]
pub(crate) struct ProveArgs {
    /// The evidence id of the item, or its first digits (8 at least).
    #[arg(value_name = "ID", required_unless_present = "from", conflicts_with = "from")]
    item: Option<String>,
    /// Below this checkpoint (default: the newest).
    #[arg(long, value_name = "SEQ", conflicts_with = "from")]
    at: Option<u64>,
    /// Show that a later checkpoint extends this one.
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// The later one (default: the newest).
    #[arg(long, value_name = "SEQ", requires = "from")]
    to: Option<u64>,
}

pub(super) fn prove(global: &Global, output: &Output, args: &ProveArgs) -> Result<ExitCode, AppError> {
    let wanted = match (&args.item, args.from) {
        (_, Some(from)) => ProofWanted::Consistency { from, to: args.to },
        (item, None) => ProofWanted::Inclusion { item: item.clone().unwrap_or_default(), at: args.at },
    };
    output.emit(&app::prove_checkpoint(&global.run, &wanted, global.jobs)?)?;
    Ok(ExitCode::SUCCESS)
}
