//! `reledger divergences`: list, show, acknowledge, and export.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr as _;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::args::{FailOn, Format, Global};
use super::output::{Output, counted, say};
use super::{documents, settings};
use crate::app::{
    AcknowledgementRegister, AppError, DivergenceFilter, Draft, KeySource, Pen, ReportedDivergence, ReportedRun,
};
use crate::domain::{
    Code, Divergence, SignedStatement, State, Statement, UnixSeconds, Withdrawal, inert, inert_limited,
};
use crate::report::canonical_json;

mod export;

/// The schema name of what `list --json` prints.
const LIST_SCHEMA: &str = "reledger/divergences/1";
/// The schema name of what `show --json` prints.
const SHOW_SCHEMA: &str = "reledger/divergence-shown/1";

/// What to do with them.
#[derive(Debug, Subcommand)]
pub(crate) enum DivergencesCommand {
    /// List the divergences in the report of the run that --run names, in its order. Exit 0, whatever it lists.
    List(ListArgs),
    /// Everything about one: what its code means, what it rests on, what is at stake, who acknowledged it.
    Show {
        /// Its fingerprint, or at least 8 digits of its beginning.
        fingerprint: String,
    },
    /// Accept divergences as they stand until a day: signed, and added to the register that the configuration names
    /// (`acknowledgements.file`).
    Ack(AckArgs),
    /// Write divergences as bundles, which `reledger verify` judges with nothing else at hand.
    Export(export::ExportArgs),
}

/// Which ones.
#[derive(Debug, Args)]
#[command(
    after_help = "Reads report.json and judges nothing; `reledger audit` says whether the report follows from the evidence."
)]
pub(crate) struct ListArgs {
    /// Only in this state.
    #[arg(long, value_enum, value_name = "open|explained|acknowledged")]
    state: Option<StateWord>,
    /// Only of this code.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// At least so bad.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    severity: Option<FailOn>,
    /// Only of this step of the runbook: 0, 2, 3, 4, 5 or 6.
    #[arg(long, value_name = "N")]
    step: Option<u8>,
    /// Only those that block unfreezing writes.
    #[arg(long)]
    blocking: bool,
}

/// `--state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateWord {
    /// Neither explained nor acknowledged.
    Open,
    /// Explained by a known gap, a takedown, or timing inside its window.
    Explained,
    /// Accepted by a signed acknowledgement that counts.
    Acknowledged,
}

/// What is signed, and with which key.
#[derive(Debug, Args)]
#[command(
    after_help = "The acknowledgement binds to the fingerprint, to the values and to the severity: it counts no longer when the \
    divergence changes or worsens. It counts when its key is one of `acknowledgements.keys`, from the next `reledger rebuild \
    --yes` or drill on. What is acknowledged stays listed and counted, in every total, and neither blocks nor fails the run. \
    What is critical, and balances that differ, can't be acknowledged; nor does it make a check run that did not.\n\nNothing is \
    ever deleted: --withdraw adds a signed withdrawal of an acknowledgement, named by its id.\n\nExit 0: written; 2: nothing of \
    that name, no register, or a time out of range; 6: it can't be acknowledged, the key file is readable by others, or the key \
    is not pinned and --yes was not given."
)]
pub(crate) struct AckArgs {
    /// Fingerprints, or at least 8 digits of the beginning of each; with --withdraw, ids of acknowledgements.
    #[arg(required = true, value_name = "FINGERPRINT")]
    names: Vec<String>,
    /// The Ed25519 secret key, 64 hex digits, in a file that only its owner can read.
    #[arg(long, value_name = "FILE", required_unless_present = "key_command", conflicts_with = "key_command")]
    key_file: Option<PathBuf>,
    /// A command of the shell that prints the key.
    #[arg(long, value_name = "COMMAND")]
    key_command: Option<String>,
    /// Why it is accepted, or no longer is.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// From this time on it counts for nothing: at most 366 days ahead of the run's as-of, and of today.
    #[arg(long, value_name = "TIME", required_unless_present = "withdraw", conflicts_with = "withdraw")]
    expires: Option<String>,
    /// Who says so.
    #[arg(long, value_name = "NAME", default_value = "")]
    by: String,
    /// Withdraw acknowledgements instead.
    #[arg(long)]
    withdraw: bool,
}

pub(crate) fn divergences(
    global: &Global,
    output: &Output,
    command: &DivergencesCommand,
) -> Result<ExitCode, AppError> {
    match command {
        DivergencesCommand::List(args) => list(global, output, args),
        DivergencesCommand::Show { fingerprint } => show(global, output, fingerprint),
        DivergencesCommand::Ack(args) => acknowledge(global, output, args),
        DivergencesCommand::Export(args) => export::export(global, output, args),
    }
}

fn filter(args: &ListArgs) -> Result<DivergenceFilter, AppError> {
    let code = args.code.as_deref().map(|text| {
        Code::from_str(&text.to_ascii_uppercase())
            .map_err(|()| settings::usage(format!("--code: `{}` is no divergence code", inert_limited(text, 64))))
    });
    if let Some(step) = args.step.filter(|step| !crate::domain::Step::ALL.iter().any(|one| one.number() == *step)) {
        return Err(settings::usage(format!("--step: the runbook has steps 0, 2, 3, 4, 5 and 6, not {step}")));
    }
    Ok(DivergenceFilter {
        state: args.state.map(|word| match word {
            StateWord::Open => State::Open,
            StateWord::Explained => State::Explained,
            StateWord::Acknowledged => State::Acknowledged,
        }),
        code: code.transpose()?,
        severity: args.severity.map(settings::severity),
        step: args.step,
        blocking: args.blocking,
    })
}

fn list(global: &Global, output: &Output, args: &ListArgs) -> Result<ExitCode, AppError> {
    let filter = filter(args)?;
    let run = ReportedRun::read(&global.run)?;
    let listed: Vec<&ReportedDivergence> = run.divergences.iter().filter(|one| filter.takes(&one.divergence)).collect();
    let (count, of) = (listed.len(), run.divergences.len());
    if output.format == Format::Ndjson {
        let lines: Vec<u8> = listed.iter().flat_map(|one| canonical_json(&one.value)).collect();
        output.emit(&lines)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for one in &listed {
        text.push_str(&row(&one.divergence));
    }
    let blocking = listed.iter().filter(|one| one.divergence.blocks()).count();
    text.push_str(&format!("{count} of {of} divergences, {blocking} of them block unfreezing writes\n"));
    let lines: Vec<&Value> = listed.iter().map(|one| &one.value).collect();
    let value = json!({
        "schema": LIST_SCHEMA, "as_of": run.as_of, "listed": count, "of": of, "blocking": blocking, "divergences": lines,
    });
    output.emit_either(&text, &value)?;
    Ok(ExitCode::SUCCESS)
}

/// One line of the table.
fn row(one: &Divergence) -> String {
    let fingerprint = one.fingerprint.to_hex();
    let subject: Vec<String> = one.subject.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let stake = one.at_stake.map(|msat| format!(" {} msat", msat.0)).unwrap_or_default();
    format!(
        "{} {:<9}{:<13}{} {:<24}{}{stake}\n",
        fingerprint.get(..12).unwrap_or_default(),
        one.severity.name(),
        one.state.name(),
        one.step.number(),
        one.code.name(),
        inert_limited(&subject.join(" "), 120)
    )
}

fn show(global: &Global, output: &Output, fingerprint: &str) -> Result<ExitCode, AppError> {
    let run = ReportedRun::read(&global.run)?;
    let found = run.find(fingerprint)?;
    let one = &found.divergence;
    let judged = run.acknowledgements_of(&one.fingerprint);
    let waiting = waiting(global, one, &judged)?;
    let mut text = format!(
        "{} {}\n{}\nseverity {}, state {}, runbook step {} ({}), {}\n",
        one.code,
        one.fingerprint,
        one.code.meaning(),
        one.severity,
        one.state.name(),
        one.step.number(),
        one.step.name(),
        if one.blocks() { "blocks unfreezing writes" } else { "blocks nothing" }
    );
    let mut line = |name: &str, value: &str| text.push_str(&format!("  {name}: {}\n", inert_limited(value, 400)));
    one.subject.0.iter().for_each(|(name, value)| line(&format!("subject {name}"), value));
    line("expected", &one.expected);
    line("observed", &one.observed);
    if let Some(stake) = one.at_stake {
        line("at stake", &format!("{} msat", stake.0));
    }
    line("explanation", &one.explanation);
    one.evidence.iter().for_each(|evidence| line(&format!("evidence {}", evidence.role), &evidence.id.to_string()));
    for word in &judged {
        let member = |name: &str| word[name].as_str().unwrap_or_default().to_owned();
        let until = word["expires_at"].as_i64().map(|at| UnixSeconds(at).to_string()).unwrap_or_default();
        let told = format!("until {until}, by {} ({}): {}", member("by"), member("key_id"), member("reason"));
        line(&format!("acknowledgement {} {}", member("id"), member("state")), &told);
    }
    for signed in &waiting {
        let told = format!("by {} ({}): {}", signed.body.by(), signed.key_id, signed.body.reason());
        line(&format!("in the register, not judged yet: {}", signed.body.id()), &told);
    }
    let waiting: Vec<String> = waiting.iter().map(|signed| signed.body.id().to_hex()).collect();
    let value = json!({
        "schema": SHOW_SCHEMA, "as_of": run.as_of, "meaning": one.code.meaning(), "divergence": found.value,
        "acknowledgements": judged, "not_judged_yet": waiting,
    });
    output.emit_either(&text, &value)?;
    Ok(ExitCode::SUCCESS)
}

/// Acknowledgements of the register at hand that the run has not judged.
fn waiting(global: &Global, one: &Divergence, judged: &[&Value]) -> Result<Vec<SignedStatement>, AppError> {
    if global.config.is_none() && !std::path::Path::new(settings::DEFAULT_CONFIG).exists() {
        return Ok(Vec::new());
    }
    let (config, base, _) = settings::config(global)?;
    let register = AcknowledgementRegister::read(&config, &base)?;
    let is_new = |signed: &&SignedStatement| match &signed.body {
        Statement::Acknowledgement(word) => {
            let id = signed.body.id().to_hex();
            word.fingerprint == one.fingerprint && !judged.iter().any(|known| known["id"] == id.as_str())
        }
        Statement::Withdrawal(_) => false,
    };
    Ok(register.statements().iter().filter(is_new).cloned().collect())
}

fn acknowledge(global: &Global, output: &Output, args: &AckArgs) -> Result<ExitCode, AppError> {
    let (config, base, _) = settings::config(global)?;
    let register = AcknowledgementRegister::read(&config, &base)?;
    let file = register.register()?.display().to_string();
    let now = settings::clock(global)?;
    let statements = if args.withdraw { withdrawals(&register, args, now)? } else { drafts(global, args, now)? };
    // A dry run reads no secret from a command: who knows what that asks.
    let source = key_source(args);
    if global.dry_run {
        if let KeySource::File(_) = &source {
            may_sign(global, &register, &Pen::of(&source)?, now)?;
        }
        return documents::would(output, &format!("add {} to {file}", counted(wide(&statements), "signed statement")));
    }
    let pen = Pen::of(&source)?;
    may_sign(global, &register, &pen, now)?;
    let signed: Vec<SignedStatement> = statements.into_iter().map(|body| pen.sign(body)).collect();
    register.write(&register.with(&signed)?)?;
    let mut text = String::new();
    for one in &signed {
        text.push_str(&format!("{} {}\n", one.body.id(), inert(&about(&one.body))));
    }
    text.push_str(&format!("wrote {}; `reledger rebuild --yes` judges the run with it\n", inert(&file)));
    let ids: Vec<Value> = signed
        .iter()
        .map(|one| json!({"id": one.body.id().to_hex(), "key_id": one.key_id.to_string(), "body": one.body}))
        .collect();
    output.emit_either(&text, &json!({"wrote": file, "signed": ids}))?;
    Ok(ExitCode::SUCCESS)
}

fn wide(statements: &[Statement]) -> u64 {
    u64::try_from(statements.len()).unwrap_or(u64::MAX)
}

fn about(body: &Statement) -> String {
    match body {
        Statement::Acknowledgement(word) => {
            format!("acknowledges {} {} until {}", word.code, word.fingerprint, word.expires_at)
        }
        Statement::Withdrawal(word) => format!("withdraws {}", word.acknowledgement),
    }
}

fn key_source(args: &AckArgs) -> KeySource {
    match (&args.key_file, &args.key_command) {
        (Some(file), _) => KeySource::File(file.clone()),
        (None, command) => KeySource::Command(command.clone().unwrap_or_default()),
    }
}

/// A key that nobody pinned would sign in vain.
fn may_sign(global: &Global, register: &AcknowledgementRegister, pen: &Pen, now: UnixSeconds) -> Result<(), AppError> {
    match register.may_sign(&pen.key(), now) {
        Err(AppError::Refused { what, .. }) if global.yes => {
            if !global.quiet {
                say(&what);
            }
            Ok(())
        }
        other => other,
    }
}

fn drafts(global: &Global, args: &AckArgs, now: UnixSeconds) -> Result<Vec<Statement>, AppError> {
    let expires = args.expires.as_deref().ok_or_else(|| settings::usage("--expires is required".to_owned()))?;
    let draft = Draft {
        reason: args.reason.clone(),
        by: args.by.clone(),
        issued_at: now,
        expires_at: settings::instant("--expires", expires, now)?,
    };
    let run = ReportedRun::read(&global.run)?;
    let mut statements = Vec::new();
    for name in &args.names {
        let body = Statement::Acknowledgement(draft.about(run.find(name)?, run.as_of)?);
        if !statements.contains(&body) {
            statements.push(body);
        }
    }
    Ok(statements)
}

fn withdrawals(
    register: &AcknowledgementRegister,
    args: &AckArgs,
    now: UnixSeconds,
) -> Result<Vec<Statement>, AppError> {
    if args.reason.trim().is_empty() {
        return Err(settings::usage("--reason is empty".to_owned()));
    }
    let mut statements = Vec::new();
    for name in &args.names {
        let acknowledgement = register.acknowledgement(name)?;
        let (reason, by) = (args.reason.clone(), args.by.clone());
        let body = Statement::Withdrawal(Withdrawal { acknowledgement, reason, by, issued_at: now });
        if !statements.contains(&body) {
            statements.push(body);
        }
    }
    Ok(statements)
}
