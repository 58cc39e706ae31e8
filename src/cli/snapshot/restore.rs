//! `reledger snapshot restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{IdentityArgs, TrustArgs};
use crate::app::{self, AppError, Cancel, RestoreOptions, RestoreTrust};
use crate::cli::args::Global;
use crate::cli::output::{Output, counted, say};
use crate::cli::{settings, signals};
use crate::domain::inert;

/// Which archive, and whose.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Verifies the whole archive before anything is written, unpacks it beside the run that --run names, holds the \
    unpacked run against its own manifest, and puts it in place in one step. What stood there is kept as RUN.before-restore-N. \
    Only names that a run's files have are ever written. `replay` fetches what came since; a published chain of checkpoints goes \
    on with `checkpoint stitch`.\n\n--force-unverified takes the evidence of an archive whose signature or checksums do not hold, \
    never of one that is unsafe or damaged. It takes no report: `rebuild` draws one. The evidence carries a mark for ever: \
    every report of it is incomplete (exit 3) and says why.\n\nExit 0: restored; 2: no key, no such file, an encrypted archive without --identity, or one of a newer \
    version; 5: signature_mismatch or checksum_error; 6: the archive is unsafe, the folder holds a run (without --yes) or \
    something else, or the snapshot is from later than now; 7: the run is held by another process; 74: disk full. Nothing is \
    changed unless it is 0."
)]
pub(crate) struct RestoreArgs {
    /// The archive.
    file: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    identity: IdentityArgs,
    /// Nobody's key is given: believe the one that the archive names. Shows that it is whole, not whose it is.
    #[arg(long, conflicts_with_all = ["key", "trusted_keys", "force_unverified"])]
    own_key: bool,
    /// Take the evidence whatever signature and checksums come to, and mark it for ever.
    #[arg(long)]
    force_unverified: bool,
}

pub(super) fn restore(global: &Global, output: &Output, args: &RestoreArgs) -> Result<ExitCode, AppError> {
    let trust = match (args.force_unverified, args.own_key) {
        (true, _) => RestoreTrust::Forced,
        (_, true) => RestoreTrust::OwnKey,
        _ => RestoreTrust::Keys(args.trust.keys(global)?),
    };
    if trust == RestoreTrust::Keys(std::collections::BTreeSet::new()) {
        let what =
            "nobody's key was given: name them by --key, --trusted-keys or `seal.trusted_keys`, or say --own-key";
        return Err(settings::usage(what.to_owned()));
    }
    // At any verbosity: whoever reads the log later has to see it.
    match trust {
        RestoreTrust::Forced => say(
            "WARNING: restoring what nobody vouches for: signature and checksums are not looked at, and every report of this \
            evidence will say so",
        ),
        RestoreTrust::OwnKey => say("verified by the archive's own key only: it is whole, and nobody says whose it is"),
        RestoreTrust::Keys(_) => {}
    }
    let options = RestoreOptions {
        archive: args.file.clone(),
        run: global.run.clone(),
        trust,
        yes: global.yes,
        dry_run: global.dry_run,
        clock: settings::clock(global)?,
        actor: settings::actor(None)?,
    };
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let done = app::restore_snapshot_with(&options, &args.identity.read()?, &cancel)?;
    let (run, manifest) = (global.run.display().to_string(), &done.manifest);
    let did = if global.dry_run { "would restore" } else { "restored" };
    let members = counted(manifest.members.len() as u64, "member");
    let mut text = format!(
        "{did} snapshot {} with {} entries in {members} to {}\n",
        manifest.sequence,
        manifest.entries,
        inert(&run)
    );
    let kept = done.kept.as_ref().map(|path| path.display().to_string());
    if let Some(kept) = &kept {
        text.push_str(&format!("what stood there is in {}\n", inert(kept)));
    }
    if !done.is_finished {
        text.push_str("it holds evidence and no report: `reledger rebuild` draws one\n");
    }
    let value = json!({
        "run": run, "sha256": done.file_sha256.to_hex(), "sequence": manifest.sequence, "entries": manifest.entries,
        "kept": kept, "verified": !args.force_unverified, "is_finished": done.is_finished, "dry_run": global.dry_run,
        "exit_code": 0,
    });
    output.emit_either(&text, &value)?;
    Ok(ExitCode::SUCCESS)
}
