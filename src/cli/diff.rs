//! `reledger diff`: what differs between two runs, reports or states.

use std::process::ExitCode;

use clap::Args;

use super::args::Global;
use super::output::{Output, say};
use super::{documents, progress, signals};
use crate::app::{self, AppError, Cancel};
use crate::domain::inert;

/// Which two.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A and B are each the folder of a finished run, a report.json, or a state root of 64 hex digits. Reads only, and \
    contacts nobody. Divergences are compared by fingerprint; pseudonyms of users, which each evidence has its own of, are no \
    difference.\n\n--bisect judges both runs again from their evidence, each by its own policy and as-of, and descends \
    the Merkle trees of their ledgers and balances. Records behind the first difference are not told apart from it.\n\nExit 0: \
    equal, or with --state one state root; 1: something differs. Where two runs of other evidence come to one state, the items \
    that only one of them holds are listed with the sources that have them."
)]
pub(crate) struct DiffArgs {
    /// The first.
    #[arg(value_name = "A")]
    left: String,
    /// The second.
    #[arg(value_name = "B")]
    right: String,
    /// Name the first record that differs in each ledger and in the balances; needs two run folders.
    #[arg(long)]
    bisect: bool,
    /// Let the state root alone decide the exit code: other evidence that comes to the same state is told, and exit 0.
    #[arg(long)]
    state: bool,
}

pub(crate) fn diff(global: &Global, output: &Output, args: &DiffArgs) -> Result<ExitCode, AppError> {
    let (left, right) = (args.left.as_str(), args.right.as_str());
    if global.dry_run {
        return documents::would(output, &format!("compare {} with {}", inert(left), inert(right)));
    }
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let how = (global.jobs, global.reveal_users);
    let found = app::difference((left, right), args.bisect, how, observer.as_ref(), &cancel)?;
    drop(observer);
    let code = found.exit_code(args.state);
    output.emit_either(&app::difference_text(&found), &app::difference_value(&found, code))?;
    if !global.quiet {
        say(&format!("{}; exit {code}", found.sentence()));
    }
    Ok(ExitCode::from(code))
}
