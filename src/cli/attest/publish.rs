//! `reledger attest publish`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr as _;

use clap::Args;
use serde_json::json;

use super::{attestation, key_source};
use crate::app::{self, AppError, Cancel, KeySource, Publication, Span};
use crate::cli::args::Global;
use crate::cli::output::{Output, say};
use crate::cli::{documents, settings, signals};
use crate::domain::inert_limited;

/// What, where, and by whom.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "One addressable event (kind 30078) whose content is the attestation's file, byte for byte; its `ots` tag \
    carries FILE.ots when that is there. The event's own key says who published it, and nothing of what is attested. Publish \
    again after the proof is complete, or others have signed: the event takes the place of the one before, never that of \
    another report's. A relay that wants to know who asks (NIP-42) is told by the same key.\n\nExit 0: every relay took it; 2: \
    an address that is none; 3: some took it; 5: the attestation is broken; 6: --offline, or the key file is readable by \
    others; 8: no relay took it."
)]
pub(crate) struct PublishArgs {
    /// The attestation (default: attestation.json of the run).
    file: Option<PathBuf>,
    /// A relay: wss://, or ws:// on this machine (repeatable).
    #[arg(long, value_name = "URL", required = true)]
    relay: Vec<String>,
    /// The Nostr secret key, 64 hex digits, in a file that only its owner can read.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "nostr_key_command",
        conflicts_with = "nostr_key_command"
    )]
    nostr_key_file: Option<PathBuf>,
    /// A command of the shell that prints the key.
    #[arg(long, value_name = "COMMAND")]
    nostr_key_command: Option<String>,
    /// Longest wait for one relay.
    #[arg(long, value_name = "D", default_value = "30s")]
    timeout: String,
}

/// A duration in milliseconds.
pub(super) fn patience(text: &str) -> Result<u64, AppError> {
    let span = Span::from_str(text).map_err(|what| settings::usage(format!("--timeout: {what}")))?;
    Ok(span.0.saturating_mul(1_000))
}

pub(super) fn publish(global: &Global, output: &Output, args: &PublishArgs) -> Result<ExitCode, AppError> {
    let file = attestation(global, args.file.as_deref());
    let source = key_source(args.nostr_key_file.as_deref(), args.nostr_key_command.as_deref());
    if global.dry_run && matches!(source, KeySource::Command(_)) {
        // A dry run reads no secret from a command, and without the key there is no event to show.
        let what = format!("publish {} on {}", file.display(), args.relay.join(", "));
        return documents::would(output, &what);
    }
    let publication = Publication {
        file,
        relays: args.relay.clone(),
        key: source,
        created_at: settings::clock(global)?,
        wait_ms: patience(&args.timeout)?,
        dry_run: global.dry_run,
        offline: global.offline,
    };
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let (event, posted) = app::publish_attestation(&publication, &cancel)?;
    if global.dry_run {
        output.emit(format!("{}\n", event.json).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let taken = posted.iter().filter(|one| one.accepted).count();
    let code = match taken {
        0 => 8,
        taken if taken < posted.len() => 3,
        _ => 0,
    };
    let mut text = format!("event {} by {}\n", event.id, event.author);
    for one in &posted {
        let did = if one.accepted { "took it" } else { "did not take it" };
        let words = inert_limited(&one.words, 200);
        let words = if words.is_empty() { words } else { format!(": {words}") };
        text.push_str(&format!("{}: {did}{words}\n", inert_limited(&one.relay, 200)));
    }
    let relays = posted.iter().map(|one| json!({"relay": one.relay, "accepted": one.accepted, "words": one.words}));
    let value = json!({
        "exit_code": code, "event": event.id.to_string(), "author": event.author.to_string(), "kind": event.kind,
        "d": event.place, "with_proof": event.with_proof, "relays": relays.collect::<Vec<_>>(),
    });
    output.emit_either(&text, &value)?;
    if !global.quiet {
        say(&format!("{taken} of {} relays took it; exit {code}", posted.len()));
    }
    Ok(ExitCode::from(code))
}
