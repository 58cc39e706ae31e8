//! `reledger checkpoint create` and `stitch`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::verify::TrustArgs;
use crate::app::{self, AppError, Cancel, CheckpointOptions, KeySource, Pen};
use crate::cli::args::Global;
use crate::cli::attest::KeyArgs;
use crate::cli::output::{Output, counted, say};
use crate::cli::{documents, progress, signals};

/// Who seals.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Appends one line to checkpoints/chain.jsonl of the run and what it admits to checkpoints/admitted.txt. What the \
    run's evidence holds and no checkpoint has admitted comes in ascending order of its ids, behind everything before: evidence \
    that arrives late is admitted late, and no number ever changes. When nothing is new, nothing is written. Before anything is \
    sealed, the report is drawn again from the evidence and compared byte for byte.\n\nPublish both files; `attest stamp` proves \
    when `checkpoint export --latest` was there. Another key than the last checkpoint's needs --rotate: whoever verifies names \
    both keys, each with its term.\n\nExit 0: sealed, or nothing is new; 2: no finished run; 5: a member was changed, the \
    report does not follow from the evidence, or the chain at hand does not hold; 6: the key file is readable by others, evidence \
    that was admitted is gone, another key without --rotate, or an earlier instant without --yes; 7: the run is being written."
)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    key: KeyArgs,
    /// Do not draw the report again: only the digests are checked.
    #[arg(long)]
    no_audit: bool,
    /// The key is another than the last checkpoint's, on purpose.
    #[arg(long)]
    rotate: bool,
}

pub(super) fn create(global: &Global, output: &Output, args: &CreateArgs) -> Result<ExitCode, AppError> {
    let source = args.key.source();
    // A dry run reads no secret from a command: who knows what that asks.
    if let (true, KeySource::Command(_)) = (global.dry_run, &source) {
        return documents::would(output, &format!("seal the run in {}", global.run.display()));
    }
    let pen = Pen::of(&source)?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let options = CheckpointOptions {
        run: global.run.clone(),
        audit: !args.no_audit,
        rotate: args.rotate,
        yes: global.yes,
        dry_run: global.dry_run,
        jobs: global.jobs,
    };
    let made = app::create_checkpoint(&options, &pen, observer.as_ref(), &cancel)?;
    drop(observer);
    let claim = &made.claim;
    let did = match (made.is_new, global.dry_run) {
        (true, false) => "sealed",
        (true, true) => "would seal",
        (false, _) => "nothing is new since",
    };
    let added = if made.is_new { claim.until.saturating_sub(claim.from) } else { 0 };
    let text = format!(
        "{did} checkpoint {}: {} admitted, {} in all\nroot {}\nstate {} as of {}\nsha256 {}\n",
        claim.seq,
        counted(added, "item"),
        claim.tree_size,
        claim.root,
        claim.state_root,
        claim.as_of,
        made.sha256
    );
    let value = json!({
        "is_new": made.is_new, "seq": claim.seq, "admitted": added, "tree_size": claim.tree_size,
        "root": claim.root.to_hex(), "state_root": claim.state_root.to_hex(), "as_of": claim.as_of.0,
        "sha256": made.sha256.to_hex(), "key_id": claim.key.to_string(), "dry_run": global.dry_run, "exit_code": 0,
    });
    output.emit_either(&text, &value)?;
    Ok(ExitCode::SUCCESS)
}

/// Which chain to go on with.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "For a run that was restored from a snapshot older than the published chain: replay first, then stitch, then \
    create. Every root of the chain is drawn again from the list, and the run has to hold every item of it.\n\nExit 0: taken \
    over, or there already; 3: the run lacks evidence that was admitted; 5: chain or list do not hold, or the keys did not seal \
    them; 6: the run's own chain is no beginning of it; 7: the run is being written."
)]
pub(crate) struct StitchArgs {
    /// The published chain.
    #[arg(value_name = "CHAIN")]
    chain: PathBuf,
    /// The list of admissions that was published with it.
    #[arg(long, value_name = "FILE")]
    admitted: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
}

pub(super) fn stitch(global: &Global, output: &Output, args: &StitchArgs) -> Result<ExitCode, AppError> {
    let terms = args.trust.terms(global)?;
    if terms.is_empty() {
        say("nobody's key was given: whoever sealed the chain is believed");
    }
    let files = (args.chain.as_path(), args.admitted.as_path());
    let did = app::stitch_chain(&global.run, files, &terms, global.jobs, global.dry_run)?;
    let verb = if global.dry_run { "would take" } else { "took" };
    let last = did.last.map_or_else(|| "none".to_owned(), |last| last.to_string());
    let (checkpoints, items) = (counted(did.checkpoints, "checkpoint"), counted(did.items, "item"));
    let value = json!({
        "checkpoints": did.checkpoints, "items": did.items, "last": did.last, "dry_run": global.dry_run, "exit_code": 0,
    });
    output.emit_either(&format!("{verb} over {checkpoints} with {items}; the last is {last}\n"), &value)?;
    Ok(ExitCode::SUCCESS)
}
