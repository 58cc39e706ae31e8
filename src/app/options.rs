//! How a run is to be made, whatever its configuration says.

use std::path::PathBuf;

use super::as_of::AsOfWanted;
use super::custody_log::Actor;
use super::unchanged::Memory;
use crate::domain::{Digest32, Severity, UnixSeconds};
pub use crate::verify::Checks;

/// What the caller decides about a run.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags, as the command line has them")]
pub struct RunOptions {
    /// The command's name, for the record.
    pub command: &'static str,
    /// The run's folder.
    pub run: PathBuf,
    /// Judge for this instant; `None` takes it from the evidence, capped by the clock.
    pub as_of: Option<AsOfWanted>,
    /// The clock: caps a derived as-of and stands in `run.json`.
    pub clock: UnixSeconds,
    /// An open divergence at least this bad fails the run.
    pub fail_on: Severity,
    /// Any invalid item fails the run.
    pub fail_on_invalid: bool,
    /// Users stand in clear in the report.
    pub reveal_users: bool,
    /// No sockets at all.
    pub offline: bool,
    /// Go on in a finished folder.
    pub yes: bool,
    /// Worker threads; 0 is one per core.
    pub jobs: usize,
    /// How signatures are checked. No verdict depends on it.
    pub checks: Checks,
    /// Stop fetching after so many seconds; the run is then incomplete.
    pub max_seconds: Option<u64>,
    /// Who acts, for the custody log.
    pub actor: Actor,
    /// The state root that the run has to come to. No byte of the report depends on it.
    pub expect_root: Option<Digest32>,
    /// Where finished runs are remembered, so that one of which nothing changed need not be judged again.
    pub memory: Option<Memory>,
}
