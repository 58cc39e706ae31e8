//! `reledger attest sign`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::KeyArgs;
use crate::app::{self, ATTESTATION_FILE, AppError, Cancel, KeySource, Pen, SignOptions, SignState, attestation_proof};
use crate::cli::args::Global;
use crate::cli::output::{Output, counted, say};
use crate::cli::{documents, progress, signals};
use crate::domain::{inert, sha256};

/// Which run, and who signs.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Written to attestation.json in the run's folder, or to -o FILE. A file that attests the same run gets one more \
    signature; the order of signing leaves no trace in it. Before anything is signed, every member of the evidence is held \
    against the manifest, and the report is drawn again from the evidence and compared byte for byte. A run that is not clean \
    can be signed too: its verdict stands in the statement.\n\nExit 0: signed, or signed by this key before; 2: no finished run, \
    or a report of another version; 5: a member was changed, the report does not follow from the evidence, or a signature in \
    the file does not hold; 6: the key file is readable by others, or, without --yes, the file attests something else or is \
    stamped already."
)]
pub(crate) struct SignArgs {
    /// The run's folder (default: --run).
    dir: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
    /// Do not draw the report again: only the digests are checked.
    #[arg(long)]
    no_audit: bool,
}

pub(super) fn sign(global: &Global, args: &SignArgs) -> Result<ExitCode, AppError> {
    let run = args.dir.clone().unwrap_or_else(|| global.run.clone());
    let file = match global.output.as_deref() {
        None => Some(run.join(ATTESTATION_FILE)),
        Some(path) if path == Path::new("-") => None,
        Some(path) => Some(path.to_owned()),
    };
    // -o names the attestation: what is told of it goes to standard output.
    let told = Output::new(&Global { output: None, ..global.clone() });
    let source = args.key.source();
    // A dry run reads no secret from a command: who knows what that asks.
    if global.dry_run {
        if let KeySource::File(_) = &source {
            Pen::of(&source)?;
        }
        let place = file.as_deref().unwrap_or(Path::new("-")).display().to_string();
        return documents::would(&told, &format!("sign the run in {} into {place}", run.display()));
    }
    let pen = Pen::of(&source)?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let options = SignOptions { run, file: file.clone(), audit: !args.no_audit, yes: global.yes, jobs: global.jobs };
    let signed = app::sign_run(&options, &pen, observer.as_ref(), &cancel)?;
    drop(observer);
    let Some(file) = file else {
        told.emit(&signed.bytes)?;
        return Ok(ExitCode::SUCCESS);
    };
    if signed.state != SignState::Already {
        app::write_result(&file, &signed.bytes)?;
    }
    let (place, id) = (file.display().to_string(), sha256(&signed.bytes));
    let verdict = &signed.statement.predicate.verdict;
    let state = match signed.state {
        SignState::New => "new",
        SignState::Added => "added",
        SignState::Already => "already",
    };
    let did = if signed.state == SignState::Already { "had signed" } else { "signed" };
    let text = format!(
        "{} {did} {} (sha256 {id}, {})\nit says: {}, exit {}\n",
        signed.key,
        inert(&place),
        counted(u64::try_from(signed.signatures).unwrap_or(u64::MAX), "signature"),
        inert(&verdict.outcome),
        verdict.exit_code
    );
    let value = json!({
        "file": place, "sha256": id.to_hex(), "key_id": signed.key.to_string(), "state": state,
        "signatures": signed.signatures, "outcome": verdict.outcome, "run_exit_code": verdict.exit_code,
        "exit_code": 0,
    });
    told.emit_either(&text, &value)?;
    if let Some(proof) = signed.orphaned {
        say(&format!(
            "{} stamps the file as it was, and is void now: `attest stamp --yes` stamps it again",
            proof.display()
        ));
    } else if !global.quiet && !attestation_proof(&file).exists() {
        say("`reledger attest stamp` proves its time, `reledger attest publish` shows it to others");
    }
    Ok(ExitCode::SUCCESS)
}
