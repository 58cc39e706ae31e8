//! `reledger snapshot verify` and `inspect`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{IdentityArgs, TrustArgs};
use crate::app::{self, AppError, Cancel, Identities, JudgedSnapshot};
use crate::cli::args::Global;
use crate::cli::output::{Output, counted, say};
use crate::cli::signals;
use crate::domain::{inert, inert_limited};

/// Which archives.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "With --key or --trusted-keys the verdict is strict: those keys count and no other, whatever the configuration \
    or the archive says. Without them the keys of `seal.trusted_keys` count; without those, each archive is judged by the key that it \
    names, which shows that nothing was changed since and not who made it: exit 3.\n\nExit 0: all hold; 1: one has fewer \
    entries than an earlier one; 2: usage, or an encrypted archive without --identity; 3: nobody's key was given; 5: signature_mismatch or checksum_error; 6: an archive that \
    is unsafe to open."
)]
pub(crate) struct VerifyArgs {
    /// Archives.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    identity: IdentityArgs,
}

pub(super) fn verify(global: &Global, output: &Output, args: &VerifyArgs) -> Result<ExitCode, AppError> {
    let keys = args.trust.keys(global)?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let verdict = app::verify_snapshots_with(&args.files, &keys, &args.identity.read()?, &cancel)?;
    let code = verdict.exit_code();
    let text: String = verdict.snapshots.iter().map(|one| text(one, verdict.strict)).collect();
    let rows: Vec<Value> = verdict.snapshots.iter().map(value).collect();
    let mode = if verdict.strict { "strict" } else { "own-key" };
    output.emit_either(&text, &json!({"mode": mode, "snapshots": rows, "exit_code": code}))?;
    if !global.quiet {
        let bad = verdict.snapshots.iter().filter(|one| !one.faults.is_empty()).count();
        let all = counted(verdict.snapshots.len() as u64, "snapshot");
        let whose = if verdict.strict { "by the keys that count" } else { "by their own keys: integrity only" };
        say(&format!("{all} judged {whose}, {bad} bad; exit {code}"));
    }
    Ok(ExitCode::from(code))
}

fn text(one: &JudgedSnapshot, strict: bool) -> String {
    let place = inert_limited(&one.path.display().to_string(), 200);
    let key = one.key.map_or_else(|| "no key".to_owned(), |key| format!("key {key}"));
    let word = match (one.faults.is_empty(), strict) {
        (false, _) => "bad",
        (true, true) => "ok",
        (true, false) => "unchecked",
    };
    let mut text = format!("{word:<10}{place} {key} sha256 {}\n", one.outline.file_sha256);
    if let Some(manifest) = &one.manifest {
        let members = counted(manifest.members.len() as u64, "member");
        text.push_str(&format!("  snapshot {}: {} entries in {members}\n", manifest.sequence, manifest.entries));
    }
    for fault in &one.faults {
        text.push_str(&format!("  {} {}\n", fault.code, inert_limited(&fault.what, 400)));
    }
    text
}

fn value(one: &JudgedSnapshot) -> Value {
    let faults = one.faults.iter().map(|fault| json!({"code": fault.code.name(), "what": fault.what}));
    json!({
        "file": one.path.display().to_string(), "sha256": one.outline.file_sha256.to_hex(),
        "bytes": one.outline.file_bytes, "key_id": one.key.map(|key| key.to_string()),
        "sequence": one.manifest.as_ref().map(|manifest| manifest.sequence),
        "entries": one.manifest.as_ref().map(|manifest| manifest.entries),
        "faults": faults.collect::<Vec<_>>(),
    })
}

pub(super) fn inspect(output: &Output, file: &Path, identities: &Identities) -> Result<ExitCode, AppError> {
    let found = app::inspect_snapshot(file, identities)?;
    let manifest = &found.manifest;
    let key = found.key.map(|key| key.to_string());
    let mut text = format!(
        "{}: {} bytes, names the key {}; nothing of this is verified\nsnapshot {}: {} entries, layout {}\n",
        inert_limited(&file.display().to_string(), 200),
        found.file_bytes,
        key.as_deref().unwrap_or("(none that can be read)"),
        manifest.sequence,
        manifest.entries,
        manifest.schema_cursor
    );
    for member in &manifest.members {
        text.push_str(&format!("{} {:>12} {}\n", member.sha256, member.size, inert(&member.name)));
    }
    let members = manifest.members.iter();
    let members =
        members.map(|member| json!({"name": member.name, "sha256": member.sha256.to_hex(), "size": member.size}));
    let value = json!({
        "verified": false, "bytes": found.file_bytes, "key_id": key, "sequence": manifest.sequence,
        "entries": manifest.entries, "schema_cursor": manifest.schema_cursor, "members": members.collect::<Vec<_>>(),
    });
    output.emit_either(&text, &value)?;
    Ok(ExitCode::SUCCESS)
}
