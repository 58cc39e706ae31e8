//! What the user typed (CONTRACT 1). Resolving it is `settings.rs`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::attest::AttestCommand;
use super::audit::AuditArgs;
use super::checkpoint::CheckpointCommand;
use super::coverage::CoverageArgs;
use super::cursor::CursorCommand;
use super::custody::CustodyCommand;
use super::diff::DiffArgs;
use super::drill::DrillArgs;
use super::expect::{ByArgs, JudgedArgs, VerifyArgs};
use super::gaps::GapsCommand;
use super::replay::ReplayArgs;
use super::snapshot::SnapshotCommand;
use super::transparency::TransparencyArgs;
use super::worlds::SimCommand;
use crate::report::SCHEMAS;

/// Rebuild three ledgers from public substrates, prove every line, and report where they disagree.
#[derive(Debug, Parser)]
#[command(
    name = "reledger",
    version,
    disable_version_flag = true,
    args_override_self = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(
    after_help = "Exit codes: 0 clean, 1 divergent, 2 usage, 3 incomplete, 4 over budget, 5 untrusted input, 6 refused, \
    7 locked, 8 unreachable, 70 internal, 74 io, 130/143 signal.\n`reledger init` writes a commented configuration; \
    `reledger explain CODE` says what a divergence means."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    /// Print the version; with --verbose also features, formats and profile.
    #[arg(short = 'V', long)]
    pub(crate) version: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags")]
pub(crate) struct Global {
    /// Configuration file (default: reledger.toml in this folder).
    #[arg(short, long, global = true, env = "RELEDGER_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The run's folder: evidence, state, report.
    #[arg(long, global = true, env = "RELEDGER_RUN", value_name = "DIR", default_value = "reledger-run")]
    pub(crate) run: PathBuf,
    /// Judge for this time (UTC time, date, Unix seconds, `now`) or the time of the block at this height (a number below
    /// 500000000); default: the newest signed evidence, capped by the clock.
    #[arg(long, global = true, env = "RELEDGER_AS_OF", value_name = "TIME|HEIGHT")]
    pub(crate) as_of: Option<String>,
    /// Take this for the current time.
    #[arg(long, global = true, env = "RELEDGER_NOW", value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Forbid all sockets.
    #[arg(long, global = true, env = "RELEDGER_OFFLINE", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0)]
    pub(crate) offline: bool,
    /// Print JSON: the report on stdout, events and failures on stderr.
    #[arg(long, global = true, env = "RELEDGER_JSON", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0)]
    pub(crate) json: bool,
    /// How results are printed.
    #[arg(long, global = true, env = "RELEDGER_FORMAT", value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Write the result to this file instead of stdout; `-` is stdout.
    #[arg(short, long, global = true, env = "RELEDGER_OUTPUT", value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Print the result only.
    #[arg(short, long, global = true, env = "RELEDGER_QUIET", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0)]
    pub(crate) quiet: bool,
    /// Log more; twice for more still.
    #[arg(short, long, global = true, env = "RELEDGER_VERBOSE", action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Colour the human output.
    #[arg(long, global = true, env = "RELEDGER_COLOR", value_name = "WHEN", default_value = "auto")]
    pub(crate) color: When,
    /// How progress is shown on stderr.
    #[arg(long, global = true, env = "RELEDGER_PROGRESS", value_name = "HOW", default_value = "auto")]
    pub(crate) progress: Progress,
    /// Worker threads; 0 is one per core.
    #[arg(short, long, global = true, env = "RELEDGER_JOBS", value_name = "N", default_value_t = 0,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(0..=1024))]
    pub(crate) jobs: usize,
    /// Stop fetching after this long (90s, 15m, 2h); the run is then incomplete.
    #[arg(long, global = true, env = "RELEDGER_MAX_DURATION", value_name = "D")]
    pub(crate) max_duration: Option<String>,
    /// The least severity of an open divergence that fails the run.
    #[arg(long, global = true, env = "RELEDGER_FAIL_ON", value_name = "SEVERITY", default_value = "error")]
    pub(crate) fail_on: FailOn,
    /// What an invalid item does: kept and listed, or fails the run.
    #[arg(long, global = true, env = "RELEDGER_ON_INVALID", value_name = "WHAT", default_value = "quarantine")]
    pub(crate) on_invalid: OnInvalid,
    /// Show users in clear in the report; recorded there.
    #[arg(long, global = true, env = "RELEDGER_REVEAL_USERS", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0)]
    pub(crate) reveal_users: bool,
    /// Say yes: run again into a finished folder, overwrite a configuration or a journal, write a world over other files.
    #[arg(long, global = true, env = "RELEDGER_YES", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0)]
    pub(crate) yes: bool,
    /// Say what would be done, contact nobody, write nothing.
    #[arg(long, global = true, env = "RELEDGER_DRY_RUN", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0)]
    pub(crate) dry_run: bool,
    /// Never read from the terminal.
    #[arg(long, global = true, env = "RELEDGER_NO_INPUT", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0)]
    pub(crate) no_input: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// From empty: capture, verify, ingest, rebuild, reconcile, report.
    Drill(DrillArgs),
    /// Replay the gap after an outage into a run: since an instant, a snapshot's cut, or where the cursors stand.
    Replay(ReplayArgs),
    /// Fetch only, into the evidence of a run.
    Capture {
        #[command(flatten)]
        by: ByArgs,
        #[command(flatten)]
        verify: VerifyArgs,
    },
    /// How far each source of a run is accounted for.
    Cursor {
        #[command(subcommand)]
        command: CursorCommand,
    },
    /// Verify, ingest, rebuild and reconcile captured evidence, without network.
    Rebuild(JudgedArgs),
    /// Judge a finished run's evidence again, offline, and compare with the report found there.
    Audit(AuditArgs),
    /// Judge single files, one line a record: event JSONL, .ots proofs, settlement JSONL, key sets, custody records,
    /// checkpoint chains, snapshots, divergence bundles, proofs about balances, proofs out of checkpoints, attestations. A
    /// bundle is judged by itself, and with -c also under your own keys.
    Verify {
        /// Files; `-` is stdin, also for a bundle or a proof.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// What differs between two runs, reports or states; exit 1 if anything does.
    Diff(DiffArgs),
    /// What a run knows of an id, as a tree: what it says, what brought it, its key, signatures, anchor, ledger entries,
    /// relations and divergences. Or what a divergence code means. Exit 2 when nothing has that name, or several do.
    #[command(
        after_help = "A finished run is judged by its own policy, unless a configuration is named (-c, RELEDGER_CONFIG): then by \
        what that says now. One that was never judged is judged by the configuration at hand, else by the profile."
    )]
    Explain {
        /// A code; or, in the run, the id of evidence, an event, envelope, attestation, binding, descriptor (`fed:...`),
        /// graduation, rotation, settlement or operation, a payment hash, fingerprint, block hash or height, kid, drop
        /// window, project, user (in clear or by pseudonym). Ids may be cut to 8 digits.
        what: String,
    },
    /// What each source holds, by kind and month, and on what basis that is complete.
    Coverage(CoverageArgs),
    /// The register of known gaps: dated, cited, expiring.
    Gaps {
        #[command(subcommand)]
        command: GapsCommand,
    },
    /// The divergences of a run: list them, look at one, accept one until a day.
    Divergences {
        #[command(subcommand)]
        command: super::divergences::DivergencesCommand,
    },
    /// Envelope keys: their history in the captured sets, and those that leaked.
    Keys {
        #[command(subcommand)]
        command: super::keys::KeysCommand,
    },
    /// Published abuse limits, checked over the ledger of a run.
    Caps(super::caps::CapsArgs),
    /// Who held custody of an address: at an instant, or through time.
    Custody {
        #[command(subcommand)]
        command: CustodyCommand,
    },
    /// What a run came to, written for other programs.
    Report {
        #[command(subcommand)]
        command: super::report::ReportCommand,
    },
    /// What a run came to, signed: sign it, judge it, prove its time, publish it.
    Attest {
        #[command(subcommand)]
        command: AttestCommand,
    },
    /// Checkpoints: seal what a run holds, judge a chain of them, prove that something is in it or that it only grew.
    Checkpoint {
        #[command(subcommand)]
        command: CheckpointCommand,
    },
    /// Snapshots: a finished run in one signed file; make, judge, restore, thin out.
    Snapshot {
        #[command(subcommand)]
        command: SnapshotCommand,
    },
    /// Load a run's ledgers into a store beside what is there, switch in one step, and compare record by record.
    #[cfg(feature = "redis")]
    Restore(super::restore::RestoreArgs),
    /// Check signatures for runs whose store is shared (`store.url = "postgres://..."`), on as many machines as there are.
    #[cfg(feature = "postgres")]
    Worker(super::worker::WorkerArgs),
    /// The page of a year from finished runs: passed, failed, open, accepted, and what changed; red runs too.
    Transparency(TransparencyArgs),
    /// OpenTimestamps proofs: show, judge, upgrade, and list those that wait too long.
    Ots {
        #[command(subcommand)]
        command: super::ots::OtsCommand,
    },
    /// Bitcoin headers: fetch them into a run, judge the whole chain, look at its tip.
    Headers {
        #[command(subcommand)]
        command: super::headers::HeadersCommand,
    },
    /// Look at configuration, files, clock and sources, and for lists that drift apart. Writes nothing; exit 0 when all is
    /// ok, 1 when something is not, 3 when something declared could not be looked at.
    Doctor,
    /// Write a commented configuration.
    Init {
        /// Where to.
        #[arg(default_value = "reledger.toml")]
        file: PathBuf,
    },
    /// Show the effective configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print a published JSON Schema.
    Schema {
        /// Which one.
        #[arg(value_parser = PossibleValuesParser::new(SCHEMAS.map(|(name, _)| name)))]
        name: String,
    },
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write man pages into a folder.
    Man {
        /// The folder.
        dir: PathBuf,
    },
    /// Seeded worlds, honest or not: judged in bulk against an oracle, as files, or on loopback.
    Sim {
        #[command(subcommand)]
        command: SimCommand,
    },
}

/// `reledger config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting in effect.
    Show {
        /// Say where each comes from: flag, environment, file, profile.
        #[arg(long)]
        origin: bool,
    },
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// One JSON document.
    Json,
    /// One JSON object a line: divergences, or records.
    Ndjson,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// A bar on a terminal, else plain lines.
    Auto,
    /// A bar.
    Bar,
    /// Plain lines.
    Plain,
    /// JSON lines.
    Json,
    /// Nothing.
    None,
}

/// `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Anything open.
    Info,
    /// Warnings and worse.
    Warn,
    /// Errors and worse.
    Error,
    /// Only critical.
    Critical,
}

/// `--on-invalid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnInvalid {
    /// Kept and listed.
    Quarantine,
    /// Fails the run.
    Fail,
}
