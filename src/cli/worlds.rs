//! What the user typed about simulated worlds.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::sim::{Behaviour, Transport};

/// `reledger sim`.
#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// Serve a world on loopback until interrupted; writes a configuration that points at it.
    Serve(ServeArgs),
    /// Write a world as files, with a configuration, and up to 20,000 events with what must be reported of it.
    Write(SimArgs),
    /// Make worlds, plant faults, judge each by the whole program, and compare with what must come out.
    Run(RunArgs),
}

/// Which worlds, and what is wrong with them.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Every world has honest noise. Exit 0: every report is what its oracle expects; 1: one differs, and the \
    command that shows it again is printed; 3: a fault that was named found room in no world. A CODE with a wrong NAME lists \
    its names.\n\nreledger sim run --worlds 200 --shrink\nreledger sim run --faults SIG_BAD,SET_LATE:near --seed 7 --worlds 20"
)]
pub(crate) struct RunArgs {
    /// The first world's seed; the others follow.
    #[arg(long, env = "RELEDGER_SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many worlds.
    #[arg(long, env = "RELEDGER_WORLDS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) worlds: u32,
    /// Billable events in each world.
    #[arg(long, env = "RELEDGER_EVENTS", default_value_t = 40, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub(crate) events: u32,
    /// `all` (a few a world, each in turn), `none`, or a list of CODE, CODE/NAME, CODE/NAME:near planted in every world.
    #[arg(long, env = "RELEDGER_FAULTS", value_name = "all|none|CODE,...", default_value = "all")]
    pub(crate) faults: String,
    /// How worlds come to the program: as files, or served over loopback sockets and captured.
    #[arg(long, env = "RELEDGER_TRANSPORT", value_enum, default_value = "files")]
    pub(crate) transport: Carried,
    /// Shrink the first world that differs to the least that still does.
    #[arg(long, env = "RELEDGER_SHRINK", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0)]
    pub(crate) shrink: bool,
    /// Make the worlds in a new folder below this one, and keep it when one differs (default: below the temporary folder).
    #[arg(long, env = "RELEDGER_DIR", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// What world, and how its servers behave.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) world: SimArgs,
    /// A server that misbehaves: at every request, at the n-th that it can spoil, or at p of 100 (repeatable).
    #[arg(long, env = "RELEDGER_MISBEHAVE", value_name = "ROLE[:INDEX]=NAME[@n|@p%]", value_delimiter = ',')]
    pub(crate) misbehave: Vec<Behaviour>,
    /// The pause of slow servers, in milliseconds; the configuration's patience follows it.
    #[arg(long, env = "RELEDGER_PACE", value_name = "MS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub(crate) pace: u64,
    /// Listen on this port and the 10 after it (default: free ports): relays, calendars, gateway, headers, key sets, balances,
    /// one that answers for all of them over HTTP, and a trap for those who follow addresses in what they are sent.
    #[arg(long, env = "RELEDGER_PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// Ask an Esplora server for headers instead of a Bitcoin Core node.
    #[arg(long, env = "RELEDGER_ESPLORA", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0)]
    pub(crate) esplora: bool,
}

/// What world.
#[derive(Debug, Clone, Args)]
pub(crate) struct SimArgs {
    /// The world's seed.
    #[arg(long, env = "RELEDGER_SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Billable events in it.
    #[arg(long, env = "RELEDGER_EVENTS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..=10_000_000))]
    pub(crate) events: u32,
    /// Add what networks do to honest records: lag, repeats, disorder, slow calendars, a short reorganisation.
    #[arg(long, env = "RELEDGER_NOISE", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0)]
    pub(crate) noise: bool,
    /// The folder for the files and the configuration.
    #[arg(long, env = "RELEDGER_DIR", value_name = "DIR", default_value = "reledger-sim")]
    pub(crate) dir: PathBuf,
}

/// `--transport`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Carried {
    /// Everything as files, judged without a socket.
    Files,
    /// Relays, calendars, gateway, headers, key sets and balances over loopback sockets, the rest as files.
    Sockets,
}

impl From<Carried> for Transport {
    fn from(carried: Carried) -> Self {
        match carried {
            Carried::Files => Self::Files,
            Carried::Sockets => Self::Sockets,
        }
    }
}
