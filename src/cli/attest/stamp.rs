//! `reledger attest stamp`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::attestation;
use crate::app::{self, AppError, Cancel, attestation_proof};
use crate::cli::args::Global;
use crate::cli::ots::{self, UpgradeArgs};
use crate::cli::output::{Output, say};
use crate::cli::signals;
use crate::domain::{inert, inert_limited};

/// Which attestation.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Sends a nonced sha256, and nothing else, to every calendar that the configuration lists (of the profile, \
    without one), and writes FILE.ots with a branch for each that took it. A calendar's promise proves no time: some hours or \
    days later `attest stamp --upgrade` asks for the path to a Bitcoin block and writes it; the proof as it was stays as \
    FILE.ots.bak. A stamp is of the file's bytes: sign first, stamp then.\n\nExit 0: every calendar took it, or, with \
    --upgrade, a block commits to it; 3: some took it, or, with --upgrade, none commits to it yet; 6: --offline, or FILE.ots is \
    there without --yes; 8: no calendar took it, and nothing was written."
)]
pub(crate) struct StampArgs {
    /// The attestation (default: attestation.json of the run).
    file: Option<PathBuf>,
    /// Complete the proof that is there.
    #[arg(long)]
    upgrade: bool,
    /// With --upgrade: ask also when calendars can know nothing yet.
    #[arg(long, requires = "upgrade")]
    force: bool,
    /// With --upgrade: a file of consecutive 80-byte headers; a stem of digits is the start height (repeatable).
    #[arg(long, value_name = "FILE", requires = "upgrade")]
    headers: Vec<PathBuf>,
}

pub(super) fn stamp(global: &Global, output: &Output, args: &StampArgs) -> Result<ExitCode, AppError> {
    let file = attestation(global, args.file.as_deref());
    if args.upgrade {
        let proof = attestation_proof(&file);
        return ots::upgrade(global, output, &UpgradeArgs::of_one(proof, args.headers.clone(), args.force));
    }
    let plan = ots::plan(global)?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let stamped = app::stamp_file(&file, &plan, (global.yes, global.dry_run, global.offline), &cancel)?;
    let taken = stamped.submitted.iter().filter(|one| one.fault.is_none()).count();
    let all = stamped.submitted.len();
    let code = match taken {
        _ if global.dry_run => 0,
        0 => 8,
        taken if taken < all => 3,
        _ => 0,
    };
    let mut text = String::new();
    for one in &stamped.submitted {
        let told = match &one.fault {
            _ if global.dry_run => "would be asked".to_owned(),
            None => "took it".to_owned(),
            Some(fault) => format!("did not take it: {}", inert_limited(fault, 200)),
        };
        text.push_str(&format!("{}: {told}\n", inert_limited(&one.calendar, 200)));
    }
    let wrote = stamped.written.as_ref().map(|path| path.display().to_string());
    match &wrote {
        Some(path) => text.push_str(&format!("wrote {}: pending until a block commits to it\n", inert(path))),
        None => text.push_str("nothing was written\n"),
    }
    let calendars = stamped.submitted.iter().map(
        |one| json!({"calendar": one.calendar, "accepted": one.fault.is_none() && !global.dry_run, "fault": one.fault}),
    );
    let value = json!({
        "exit_code": code, "sha256": stamped.digest.to_hex(), "calendars": calendars.collect::<Vec<_>>(),
        "wrote": wrote, "dry_run": global.dry_run,
    });
    output.emit_either(&text, &value)?;
    if !global.quiet && !global.dry_run {
        say(&format!("{taken} of {all} calendars took it; exit {code}"));
    }
    Ok(ExitCode::from(code))
}
