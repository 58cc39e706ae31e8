//! What commands that judge into a folder are told beside the configuration: who acts, and what has to come out.

use clap::{Args, ValueEnum};

use super::args::Global;
use super::output::{Output, say};
use super::unchanged::MemoryArgs;
use crate::app::{Checks, Expected};
use crate::domain::Digest32;
use crate::report::canonical_json;

/// Who acts.
#[derive(Debug, Clone, Args)]
pub(crate) struct ByArgs {
    /// Who does this, for the custody log of the evidence; nothing is taken from the system. RELEDGER_BY says it too.
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
}

/// What a run is judged against, beside its own checks.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExpectArgs {
    /// The state root that has to come out: another one is exit 1, and changes no byte of the report.
    #[arg(long, env = "RELEDGER_EXPECT_ROOT", value_name = "HEX")]
    pub(crate) expect_root: Option<Digest32>,
}

/// Of commands that judge into a folder.
#[derive(Debug, Clone, Args)]
pub(crate) struct JudgedArgs {
    #[command(flatten)]
    pub(crate) by: ByArgs,
    #[command(flatten)]
    pub(crate) expect: ExpectArgs,
    #[command(flatten)]
    pub(crate) verify: VerifyArgs,
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
}

/// How a command that judges checks signatures.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct VerifyArgs {
    /// Check signatures one by one, or many at once: the same verdicts, and less work for much evidence.
    #[arg(long, env = "RELEDGER_VERIFY", value_name = "HOW", default_value = "single")]
    pub(crate) verify: VerifyBy,
}

impl VerifyArgs {
    /// What the library calls it.
    pub(crate) fn checks(self) -> Checks {
        match self.verify {
            VerifyBy::Library => Checks::Library,
            VerifyBy::Single => Checks::Single,
            VerifyBy::Batch => Checks::Batch,
        }
    }
}

/// `--verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyBy {
    /// Each signature by libsecp256k1 and strict Ed25519 alone.
    Library,
    /// Each signature by an equation of its own; keys that sign often have tables, and what does not hold is judged by the libraries.
    Single,
    /// As single where keys sign often, and all others of a batch at once; what does not hold so is judged by the libraries.
    Batch,
}

/// The last line of a human result about a state root that was expected; empty when none was.
pub(crate) fn line(expected: Option<&Expected>) -> String {
    expected.map_or_else(String::new, |expected| format!("{}\n", expected.sentence()))
}

/// The last sentence about a state root that was expected: also under --quiet when it is another one.
pub(crate) fn tell(global: &Global, output: &Output, expected: Option<&Expected>) {
    let Some(expected) = expected else { return };
    if !expected.is_met() || !global.quiet {
        say(&expected.sentence());
    }
    if !expected.is_met() {
        say(&format!("  hint: {}", Expected::hint()));
    }
    if output.json_errors {
        say(String::from_utf8_lossy(&canonical_json(&expected.value())).trim_end());
    }
}
