//! `reledger restore`: a run's ledgers in the operator's store.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::args::{Format, Global};
use super::output::{Output, say};
use super::settings::{self, DEFAULT_CONFIG};
use super::{progress, signals};
use crate::app::{self, AppError, Cancel, IntoOptions, KeySource};
use crate::report::canonical_json;
use crate::target::{Address, Layout};

/// What is restored, and where to.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "The run's evidence is verified and judged again: what is loaded follows from it. Everything is loaded beside what the \
    store holds, switched in one step, and compared record by record, both ways. A key that no restore wrote is never changed or \
    removed. An interrupted load goes on where it was. Keys are named by [restore] of the configuration (docs/restore.md); users \
    stand in them in clear.\n\nExit 0: the store holds exactly this state; 1: it differs; 2: usage, a refused password, a server that is \
    too old; 3: the ledgers have no line; 5: the run's report does not follow from its evidence; 6: the run is not clean and \
    --yes was not said, a foreign key is in the way, a replica or a cluster, --offline; 7: another restore is at work; 8: \
    unreachable; 74: the server takes no writes; 130: interrupted."
)]
pub(crate) struct RestoreArgs {
    /// redis://[user@]host[:port][/db], or rediss:// over TLS.
    #[arg(value_name = "TARGET")]
    target: String,
    /// Compare with what the store holds and write nothing.
    #[arg(long)]
    compare_only: bool,
    /// A file with the password, readable by its owner only.
    #[arg(long, value_name = "FILE", conflicts_with = "password_command")]
    password_file: Option<PathBuf>,
    /// A command that prints the password.
    #[arg(long, value_name = "COMMAND")]
    password_command: Option<String>,
    /// Trust this authority for the server's certificate, and no other (PEM).
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
}

fn layout(global: &Global) -> Result<Layout, AppError> {
    // A run says itself by what it is judged; of a configuration only the names of keys are wanted.
    if global.config.is_none() && !Path::new(DEFAULT_CONFIG).exists() {
        return app::RestoreSection::default().layout();
    }
    settings::config(global)?.0.restore.unwrap_or_default().layout()
}

pub(crate) fn restore(global: &Global, output: &Output, args: &RestoreArgs) -> Result<ExitCode, AppError> {
    let file = args.password_file.clone().map(KeySource::File);
    let options = IntoOptions {
        address: args.target.parse::<Address>().map_err(settings::usage)?,
        password: file.or_else(|| args.password_command.clone().map(KeySource::Command)),
        authority: args.tls_ca.clone(),
        layout: layout(global)?,
        run: global.run.clone(),
        compare_only: args.compare_only,
        yes: global.yes,
        offline: global.offline,
        jobs: global.jobs,
    };
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    if global.dry_run {
        let plan = app::plan_restore(&options, observer.as_ref(), &cancel)?;
        drop(observer);
        return would(output, &options, &plan);
    }
    let done = app::restore_into(&options, observer.as_ref(), &cancel)?;
    drop(observer);
    let code = done.exit_code();
    match output.format {
        Format::Human => output.emit_verdict(&app::restored_text(&done), code)?,
        Format::Json => output.emit(&canonical_json(&app::restored_value(&done)))?,
        Format::Ndjson => {
            let lines: Vec<u8> = app::restored_lines(&done).flat_map(|line| canonical_json(&line)).collect();
            output.emit(&lines)?;
        }
    }
    if !global.quiet {
        say(&app::restored_sentence(&done));
    }
    Ok(ExitCode::from(code))
}

fn would(output: &Output, options: &IntoOptions, plan: &app::IntoPlan<'_>) -> Result<ExitCode, AppError> {
    let content = plan.content();
    let (target, root) = (options.address.to_string(), plan.origin.state_root);
    let did = if options.compare_only { "compare" } else { "load beside what is there, switch to, and compare" };
    let mut text = format!("would {did} state {root} at {target}\n");
    for (kind, count) in content.counts() {
        text.push_str(&format!("  {:<12}{count:>10}  {}\n", kind.name(), content.layout().example(*kind)));
    }
    text.push_str(&format!("  {} members of indexes\nnothing was contacted or written\n", content.members()));
    let counts: serde_json::Map<String, serde_json::Value> =
        content.counts().iter().map(|(kind, count)| (kind.name().to_owned(), json!(count))).collect();
    let value = json!({
        "target": target, "state_root": root.to_hex(), "would": if options.compare_only { "compare" } else { "restore" },
        "keys": counts, "members": content.members(), "dry_run": true,
    });
    output.emit_either(&text, &value)?;
    Ok(ExitCode::SUCCESS)
}
