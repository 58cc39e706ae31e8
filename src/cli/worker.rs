//! `reledger worker`: checks signatures for runs whose store is shared.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::expect::VerifyArgs;
use super::output::{Output, say};
use super::{documents, progress, settings, signals};
use crate::app::{self, AppError, Cancel, WorkerOptions};
use crate::store::Address;

/// Whose work, and until when.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Takes slices of evidence out of the shared store of runs with `store.url = \"postgres://...\"`, checks their signatures, and \
    says which hold. Needs no configuration and no run folder. Any number of workers may be started and killed at any time: what one \
    does not finish is taken by another, and a verdict never depends on who did the work. Every machine has to run the same \
    executable (docs/scaling.md).\n\nExit 0: with --once, nothing is left to do; 2: an address or a schema that can't be used, or work for another \
    version only; 6: --offline; 8: unreachable; 74: the store takes no writes; 130, 143: told to stop, the slice given back."
)]
pub(crate) struct WorkerArgs {
    /// postgres://user@host[:port]/database[?schema=NAME&sslmode=...&sslrootcert=FILE&password_file=FILE].
    #[arg(long, env = "RELEDGER_STORE", hide_env_values = true, value_name = "URL")]
    store: Option<String>,
    /// A file with the password, readable by its owner only.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// End when nothing is left to do, instead of waiting for more.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    verify: VerifyArgs,
}

pub(crate) fn worker(global: &Global, output: &Output, args: &WorkerArgs) -> Result<ExitCode, AppError> {
    let named = args.store.as_deref().ok_or_else(|| settings::usage("--store names the shared store".to_owned()))?;
    let mut address: Address = named.parse().map_err(|what| settings::usage(format!("--store: {what}")))?;
    if let Some(file) = &args.password_file {
        (address.password, address.password_file) = (None, Some(file.clone()));
    }
    if global.offline {
        return Err(AppError::Refused {
            what: format!("a worker asks {address} over a socket, and --offline forbids it"),
            hint: "leave out --offline".to_owned(),
        });
    }
    if global.dry_run {
        return documents::would(output, &format!("work for the runs in {address}"));
    }
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let options = WorkerOptions {
        store: Arc::new(address),
        jobs: global.jobs,
        checks: args.verify.checks(),
        once: args.once,
        tool: settings::actor(None)?.tool,
    };
    let worked = app::work(&options, observer.as_ref(), &cancel)?;
    drop(observer);
    let value = json!({
        "slices": worked.slices, "late": worked.late, "evidence": worked.items, "signatures": worked.checks, "exit_code": 0,
    });
    let text = format!(
        "{} slices done, {} came too late; {} pieces of evidence, {} signatures checked\n",
        worked.slices, worked.late, worked.items, worked.checks
    );
    output.emit_either(&text, &value)?;
    if !global.quiet {
        say("worked: nothing is left to do; exit 0");
    }
    Ok(ExitCode::SUCCESS)
}
