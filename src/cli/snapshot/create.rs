//! `reledger snapshot create` and `prune`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{IdentityArgs, TrustArgs};
use crate::app::{self, AppError, Cancel, KeySource, Pen, PruneOptions, Recipients, Retention, SnapshotOptions};
use crate::cli::args::Global;
use crate::cli::output::{Output, counted, say};
use crate::cli::{documents, settings, signals};
use crate::domain::inert;

/// Where to, and who signs.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Written as TIME-DIGEST.tar.zst into the folder, under that name only when it was read back and found good. The \
    same run, sequence number and key give the same bytes; when the newest snapshot of the folder holds the same, nothing is \
    written. It holds evidence, report, custody log and checkpoints, and no index: that is drawn again. While \
    a replay or drill is on in a finished run, the state that was finished before it is packed.\n\nExit 0: made, or there \
    already; 2: no finished run; 5: a member of the run was changed; 6: the key file is readable by others, the run has fewer \
    entries than an earlier snapshot (without --yes), or does not fit; 7: the run turned over each time it was looked at, or \
    another process makes a snapshot into the folder; 74: disk full."
)]
pub(crate) struct CreateArgs {
    /// The folder of snapshots (default: the run's name with .snapshots).
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The Ed25519 secret key, 64 hex digits, in a file that only its owner can read.
    #[arg(
        long,
        visible_alias = "key-file",
        value_name = "KEYFILE",
        required_unless_present = "key_command",
        conflicts_with = "key_command"
    )]
    sign_with: Option<PathBuf>,
    /// A command of the shell that prints the key.
    #[arg(long, value_name = "COMMAND")]
    key_command: Option<String>,
    /// Encrypt for this recipient of the age format (age1...; repeatable).
    #[arg(long, value_name = "RECIPIENT")]
    encrypt_to: Vec<String>,
    /// Encrypt for the recipients in this file, one a line; lines that begin with # are passed over (repeatable).
    #[arg(long, value_name = "FILE")]
    recipients_file: Vec<PathBuf>,
}

/// The folder beside the run.
fn folder(global: &Global, named: Option<&PathBuf>) -> PathBuf {
    named.cloned().unwrap_or_else(|| {
        let mut name = global.run.clone().into_os_string();
        name.push(".snapshots");
        PathBuf::from(name)
    })
}

pub(super) fn create(global: &Global, output: &Output, args: &CreateArgs) -> Result<ExitCode, AppError> {
    let out = folder(global, args.out.as_ref());
    let source = match (&args.sign_with, &args.key_command) {
        (Some(file), _) => KeySource::File(file.clone()),
        (None, command) => KeySource::Command(command.clone().unwrap_or_default()),
    };
    // A dry run reads no secret from a command: who knows what that asks.
    if let (true, KeySource::Command(_)) = (global.dry_run, &source) {
        let what = format!("pack {} into {}", global.run.display(), out.display());
        return documents::would(output, &what);
    }
    let recipients = Recipients::of(&args.encrypt_to, &args.recipients_file)?;
    let pen = Pen::of(&source)?;
    let options = SnapshotOptions {
        run: global.run.clone(),
        out,
        clock: settings::clock(global)?,
        yes: global.yes,
        dry_run: global.dry_run,
    };
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let made = app::create_snapshot_for(&options, recipients.as_ref(), &pen, &cancel)?;
    let place = made.path.display().to_string();
    let did = match (made.is_new, global.dry_run) {
        (true, false) => "made",
        (true, true) => "would make",
        (false, _) => "nothing is new since",
    };
    let manifest = &made.manifest;
    let members = counted(manifest.members.len() as u64, "member");
    let text = format!(
        "{did} {}\nsnapshot {} of {members}, {} entries, by {}\n",
        inert(&place),
        manifest.sequence,
        manifest.entries,
        made.key
    );
    let live = "a run is on in the folder, or never ended: this is the state that was finished before it\n";
    let text = if made.is_live { format!("{text}{live}") } else { text };
    let value = json!({
        "is_new": made.is_new, "live": made.is_live, "encrypted": recipients.is_some(), "file": place, "sequence": manifest.sequence, "entries": manifest.entries,
        "schema_cursor": manifest.schema_cursor, "members": manifest.members.len(), "key_id": made.key.to_string(),
        "sha256": made.file.map(|(digest, _)| digest.to_hex()), "bytes": made.file.map(|(_, bytes)| bytes),
        "dry_run": global.dry_run, "exit_code": 0,
    });
    output.emit_either(&text, &value)?;
    Ok(ExitCode::SUCCESS)
}

/// What to keep.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Keeps the newest of each hour, day and month (UTC, by the names), as many as are asked for; for example \
    --keep-hourly 168 --keep-daily 90 --keep-monthly 84 for a week, a quarter and seven years. Every archive is verified first. \
    Those that do not hold are neither counted nor removed; the newest that holds always stays. Other files are left alone.\n\n\
    Exit 0: done; 2: nothing is to be kept, or no folder; 6: no snapshot of the folder holds, and nothing was removed."
)]
pub(crate) struct PruneArgs {
    /// The folder of snapshots (default: the run's name with .snapshots).
    folder: Option<PathBuf>,
    /// Keep so many of the newest.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_last: u64,
    /// Keep the newest of so many hours.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_hourly: u64,
    /// Keep the newest of so many days.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_daily: u64,
    /// Keep the newest of so many months.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_monthly: u64,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    identity: IdentityArgs,
}

pub(super) fn prune(global: &Global, output: &Output, args: &PruneArgs) -> Result<ExitCode, AppError> {
    let options = PruneOptions {
        folder: folder(global, args.folder.as_ref()),
        keep: Retention {
            last: args.keep_last,
            hourly: args.keep_hourly,
            daily: args.keep_daily,
            monthly: args.keep_monthly,
        },
        keys: args.trust.keys(global)?,
        identities: args.identity.read()?,
        dry_run: global.dry_run,
    };
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let pruned = app::prune_snapshots(&options, &cancel)?;
    let (mut text, mut rows) = (String::new(), Vec::new());
    for one in &pruned {
        let name = one.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let why: Vec<&str> = one.kept_for.iter().map(|why| why.name()).collect();
        let did = match (why.is_empty(), global.dry_run) {
            (false, _) => format!("kept ({})", why.join(", ")),
            (true, true) => "would be removed".to_owned(),
            (true, false) => "removed".to_owned(),
        };
        text.push_str(&format!("{} {did}\n", inert(&name)));
        rows.push(json!({"file": name, "at": one.at.0, "kept_for": why}));
    }
    output.emit_either(&text, &json!({"snapshots": rows, "dry_run": global.dry_run, "exit_code": 0}))?;
    if !global.quiet {
        let gone = pruned.iter().filter(|one| one.kept_for.is_empty()).count();
        let did = if global.dry_run { "would be removed" } else { "removed" };
        say(&format!("{gone} of {} {did}", counted(pruned.len() as u64, "snapshot")));
    }
    Ok(ExitCode::SUCCESS)
}
