//! `reledger audit`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::args::{Format, Global};
use super::commands::conclude;
use super::expect::{self, ExpectArgs, VerifyArgs};
use super::output::{Output, say};
use super::{progress, signals};
use crate::app::{self, AppError, Cancel, CustodyLog, Expected};
use crate::domain::{Condition, inert};
use crate::report::canonical_json;

/// What is said of a run that an earlier version made.
const NO_LOG: &str = "custody log: none; an earlier version made this run, or the log was taken away";

/// What is audited, and against what.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Every byte of the evidence is held against its manifest, and the custody log against both: its chain, and that it \
    ends with this manifest. What does not hold is named, exit 5. Writes nothing.\n\n--custody lists the custody log instead: who \
    did what to the evidence, when, with which executable (docs/chain-of-custody.md); exit 3 for a run without one."
)]
pub(crate) struct AuditArgs {
    /// The run's folder.
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) expect: ExpectArgs,
    #[command(flatten)]
    pub(crate) verify: VerifyArgs,
    /// List the verified custody log and judge nothing.
    #[arg(long)]
    pub(crate) custody: bool,
}

pub(crate) fn audit(global: &Global, output: &Output, args: &AuditArgs) -> Result<ExitCode, AppError> {
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let audited = app::audit(&args.dir, (global.jobs, args.verify.checks()), observer.as_ref(), &cancel)?;
    drop(observer);
    if !global.quiet {
        say(&audited.custody.as_ref().map_or_else(|| NO_LOG.to_owned(), CustodyLog::sentence));
    }
    let expected = args.expect.expect_root.map(|root| Expected::of(root, &audited.conclusion));
    if let Some(path) = &audited.first_difference {
        // The path is made of member names out of a foreign file.
        let code = Condition::Divergent.exit_code().0;
        let text = format!("not reproduced: {}; exit {code}\n", inert(path));
        output.emit_either(&text, &serde_json::json!({"reproduced": false, "at": path, "exit_code": code}))?;
        say(&format!("the report found in {} was not reproduced: first difference at {path}", args.dir.display()));
        expect::tell(global, output, expected.as_ref());
        return Ok(ExitCode::from(code));
    }
    if !global.quiet {
        say("the report was reproduced byte for byte");
    }
    conclude(global, output, (&audited.conclusion, &audited.summary), None, expected.as_ref())
}

/// The custody log, verified: a line an entry, for programs as it stands in the file.
pub(crate) fn custody(output: &Output, args: &AuditArgs) -> Result<ExitCode, AppError> {
    let Some(log) = app::custody_of(&args.dir)? else {
        say(NO_LOG);
        return Ok(ExitCode::from(Condition::Incomplete.exit_code().0));
    };
    let mut bytes = Vec::new();
    for entry in log.entries() {
        match output.format {
            Format::Human => bytes.extend(format!("{}\n", app::entry_text(entry)).into_bytes()),
            Format::Json | Format::Ndjson => bytes.extend(canonical_json(entry)),
        }
    }
    output.emit(&bytes)?;
    Ok(ExitCode::SUCCESS)
}
