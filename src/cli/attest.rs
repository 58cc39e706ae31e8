//! `reledger attest`: what a run came to, signed, judged, stamped and published.

mod publish;
mod sign;
mod stamp;
mod verify;

pub(in crate::cli) use verify::keys_in;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::args::Global;
use super::output::Output;
use crate::app::{ATTESTATION_FILE, AppError, KeySource};

/// What to do with a run's attestation.
#[derive(Debug, Subcommand)]
pub(crate) enum AttestCommand {
    /// Sign what a finished run came to, whatever it came to: a DSSE envelope around an in-toto statement with the digests of
    /// report, evidence and state.
    Sign(sign::SignArgs),
    /// Judge an attestation: its signatures, the run that it is about, and the proof of its time.
    Verify(verify::VerifyArgs),
    /// Submit the attestation's sha256 to every calendar of the configuration, and write the proof beside it.
    Stamp(stamp::StampArgs),
    /// Publish the attestation, and its proof where there is one, as an event on Nostr relays.
    Publish(publish::PublishArgs),
}

/// The Ed25519 key that signs.
#[derive(Debug, Clone, Args)]
pub(crate) struct KeyArgs {
    /// The Ed25519 secret key, 64 hex digits, in a file that only its owner can read.
    #[arg(long, value_name = "FILE", required_unless_present = "key_command", conflicts_with = "key_command")]
    key_file: Option<PathBuf>,
    /// A command of the shell that prints the key.
    #[arg(long, value_name = "COMMAND")]
    key_command: Option<String>,
}

impl KeyArgs {
    pub(crate) fn source(&self) -> KeySource {
        key_source(self.key_file.as_deref(), self.key_command.as_deref())
    }
}

fn key_source(file: Option<&Path>, command: Option<&str>) -> KeySource {
    match (file, command) {
        (Some(file), _) => KeySource::File(file.to_owned()),
        (None, command) => KeySource::Command(command.unwrap_or_default().to_owned()),
    }
}

/// Runs one of them.
pub(crate) fn run(
    global: &Global,
    output: &Output,
    matches: &clap::ArgMatches,
    command: &AttestCommand,
) -> Result<ExitCode, AppError> {
    match command {
        AttestCommand::Sign(args) => sign::sign(global, args),
        AttestCommand::Verify(args) => {
            let from = matches.value_source("run");
            let run_is_named = from.is_some_and(|from| from != clap::parser::ValueSource::DefaultValue);
            verify::verify(global, output, args, run_is_named)
        }
        AttestCommand::Stamp(args) => stamp::stamp(global, output, args),
        AttestCommand::Publish(args) => publish::publish(global, output, args),
    }
}

/// The attestation that is meant: the one named, else that of the run.
fn attestation(global: &Global, named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| global.run.join(ATTESTATION_FILE), Path::to_owned)
}
