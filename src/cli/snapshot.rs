//! `reledger snapshot`: a finished run in one signed file.

mod create;
mod restore;
mod verify;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::args::Global;
use super::output::Output;
use super::{attest, ots};
use crate::app::{AppError, Identities};
use crate::domain::PublicKey32;

/// What to do with snapshots.
#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Pack and sign a finished run.
    Create(create::CreateArgs),
    /// Judge archives: signature, every member, and that entries never got fewer. Writes nothing.
    Verify(verify::VerifyArgs),
    /// Put a verified snapshot in the place of a run, which is kept beside.
    Restore(restore::RestoreArgs),
    /// What an archive says of itself. Verifies nothing.
    Inspect {
        /// The archive.
        file: PathBuf,
        #[command(flatten)]
        identity: IdentityArgs,
    },
    /// Remove what a retention policy does not keep.
    Prune(create::PruneArgs),
}

/// Whose signature counts.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrustArgs {
    /// A key that counts: the Ed25519 public key in hex (repeatable).
    #[arg(long, value_name = "HEX")]
    key: Vec<PublicKey32>,
    /// A file of keys that count, one a line in hex; what follows a # is passed over.
    #[arg(long, value_name = "FILE")]
    trusted_keys: Option<PathBuf>,
}

impl TrustArgs {
    /// The keys given here and no other, else those that the configuration names.
    fn keys(&self, global: &Global) -> Result<BTreeSet<PublicKey32>, AppError> {
        if self.names_any() { self.named() } else { Ok(ots::plan(global)?.policy.seal_keys) }
    }

    /// True when somebody was named here.
    pub(crate) fn names_any(&self) -> bool {
        !self.key.is_empty() || self.trusted_keys.is_some()
    }

    /// The keys given here; none where none were.
    pub(crate) fn named(&self) -> Result<BTreeSet<PublicKey32>, AppError> {
        let mut keys: BTreeSet<PublicKey32> = self.key.iter().copied().collect();
        if let Some(file) = &self.trusted_keys {
            keys.extend(attest::keys_in(file)?);
        }
        Ok(keys)
    }
}

/// Who opens what is encrypted.
#[derive(Debug, Clone, Args)]
pub(crate) struct IdentityArgs {
    /// A file with an age identity (AGE-SECRET-KEY-1...) that opens encrypted snapshots; only its owner may be able to read it
    /// (repeatable).
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
}

impl IdentityArgs {
    /// The identities.
    pub(crate) fn read(&self) -> Result<Identities, AppError> {
        Identities::of(&self.identity)
    }

    /// True when somebody was named.
    pub(crate) fn names_any(&self) -> bool {
        !self.identity.is_empty()
    }
}

/// Runs one of them.
pub(crate) fn run(global: &Global, output: &Output, command: &SnapshotCommand) -> Result<ExitCode, AppError> {
    match command {
        SnapshotCommand::Create(args) => create::create(global, output, args),
        SnapshotCommand::Verify(args) => verify::verify(global, output, args),
        SnapshotCommand::Restore(args) => restore::restore(global, output, args),
        SnapshotCommand::Inspect { file, identity } => verify::inspect(output, file, &identity.read()?),
        SnapshotCommand::Prune(args) => create::prune(global, output, args),
    }
}
