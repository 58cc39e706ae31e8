//! `reledger ots`: proofs as files, and the proofs of a run that wait.

mod info;
mod overdue;
mod upgrade;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::args::Global;
use super::output::Output;
use super::settings;
use crate::app::{AppError, HeaderTrust, Plan};

pub(super) use upgrade::files as upgrade;
pub(super) use verify::{anchors, block, pending, waiting};

/// `reledger ots`.
#[derive(Debug, Subcommand)]
pub(crate) enum OtsCommand {
    /// Print what stands in proofs: file hash, operations, attestations, commitments. Judges nothing.
    #[command(after_help = "Exit 0: every file is a proof; 1: one can't be read as a proof; 2: a path is not there.")]
    Info {
        /// Proof files, and folders of *.ots.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Judge proofs against the headers at hand, and print block, time and how far the header is trusted. Contacts nobody.
    #[command(
        after_help = "Headers come from the configuration's files, from --headers and from the run's evidence. A header is \
        trusted as `chain` (linked to the checkpoint under all rules), `pinned-epoch` (linked into one of the built-in epoch \
        hashes, up to height 953567) or `isolated` (its own proof of work and its epoch's target only: cheap to forge at low \
        heights).\n\nExit 0: every proof is attested by a block; 1: one is wrong or unreadable; 3: one is pending, names a \
        block whose header is not at hand, or is trusted less than --min-trust."
    )]
    Verify(VerifyArgs),
    /// Ask calendars about every branch that waits, and write the completed files; the originals stay as <name>.bak.
    #[command(
        after_help = "Only calendars of the configuration are asked (of the profile, without one). An answer is merged when a \
        header at hand confirms it. With --all the proofs of a run are upgraded: answers become evidence of the run, no file is \
        written, and `reledger rebuild` judges it again.\n\nExit 0: every proof is anchored in a block; 1: a proof is wrong; \
        3: one still waits, or its header is not at hand; 6: a .bak stands in the way, or --offline; 8: no calendar answered."
    )]
    Upgrade(UpgradeArgs),
    /// List the proofs of a run that wait for longer than `ots.overdue`: digest, calendar, submission, age, next try.
    #[command(
        after_help = "Ids without a waiting proof are listed as the last report queued them (queues/needs-anchor.ndjson). A \
        calendar that `ots.calendars` does not name is never asked.\n\n\
        Exit 0: nothing is overdue; 1: something is, and --fail-on is info or warn; 3: something is, or an id has no proof that \
        waits, or the run has no report yet."
    )]
    Overdue {
        /// List also what waits and is not overdue.
        #[arg(long)]
        all: bool,
    },
}

/// `reledger ots verify`.
#[derive(Debug, Clone, Args)]
pub(crate) struct VerifyArgs {
    /// Proof files, and folders of *.ots.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The file that was stamped (default: the proof's name without .ots, where it is there).
    #[arg(long, value_name = "TARGET", conflicts_with = "digest")]
    file: Option<PathBuf>,
    /// The digest that was stamped.
    #[arg(long, value_name = "HEX")]
    digest: Option<String>,
    /// A file of consecutive 80-byte headers; a stem of digits is the start height (repeatable).
    #[arg(long, value_name = "FILE")]
    headers: Vec<PathBuf>,
    /// The weakest trust in a header that attests.
    #[arg(long, value_name = "TRUST", value_enum, default_value = "isolated")]
    min_trust: Trust,
}

/// `reledger ots upgrade`.
#[derive(Debug, Clone, Args)]
pub(crate) struct UpgradeArgs {
    /// Proof files, and folders of *.ots.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    files: Vec<PathBuf>,
    /// The proofs of the run instead of files.
    #[arg(long)]
    all: bool,
    /// A file of consecutive 80-byte headers; a stem of digits is the start height (repeatable).
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    headers: Vec<PathBuf>,
    /// Ask also for what is too young, or was asked for a short while ago.
    #[arg(long)]
    force: bool,
    /// Write also answers whose header is not at hand; they count as unverified.
    #[arg(long, conflicts_with = "all")]
    unverified: bool,
}

/// `--min-trust`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Trust {
    /// Its own proof of work, and its epoch's target.
    Isolated,
    /// Linked into a pinned epoch.
    PinnedEpoch,
    /// Linked to the checkpoint.
    Chain,
}

impl UpgradeArgs {
    /// For one proof.
    pub(super) fn of_one(file: PathBuf, headers: Vec<PathBuf>, force: bool) -> Self {
        Self { files: vec![file], all: false, headers, force, unverified: false }
    }
}

impl From<Trust> for HeaderTrust {
    fn from(trust: Trust) -> Self {
        match trust {
            Trust::Isolated => Self::Isolated,
            Trust::PinnedEpoch => Self::PinnedEpoch,
            Trust::Chain => Self::Chain,
        }
    }
}

/// Runs one of them.
pub(crate) fn run(global: &Global, output: &Output, command: &OtsCommand) -> Result<ExitCode, AppError> {
    match command {
        OtsCommand::Info { files } => info::info(output, files),
        OtsCommand::Verify(args) => verify::verify(global, output, args),
        OtsCommand::Upgrade(args) if args.all => upgrade::all(global, output, args),
        OtsCommand::Upgrade(args) => upgrade::files(global, output, args),
        OtsCommand::Overdue { all } => overdue::overdue(global, output, *all),
    }
}

/// The configuration's plan, or the profile's when none is there.
pub(super) fn plan(global: &Global) -> Result<Plan, AppError> {
    if global.config.is_some() || Path::new(settings::DEFAULT_CONFIG).exists() {
        settings::plan(global)
    } else {
        Plan::of_profile()
    }
}

/// A time or a dash.
fn time(at: Option<crate::domain::UnixSeconds>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}
