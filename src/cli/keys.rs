//! `reledger keys`: the history of envelope keys, and the register of those that leaked.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::args::Global;
use super::output::{Output, counted, say};
use super::{documents, progress, settings, signals};
use crate::app::{self, AppError, AsOfWanted, Cancel, KeyRow, KeyTable, LeakRegister};
use crate::domain::{Code, Condition, Divergence, Severity, inert, inert_limited};
use crate::report::{Pseudonyms, divergence_value};

/// The schema name of what `keys list --json` prints.
const SCHEMA: &str = "reledger/keys/1";
/// Divergences of one code that the text names.
const EXAMPLES_MAX: usize = 10;

/// What to do with them.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List every key id of the run that --run names: keys, captures, where it stands, what it signed.
    #[command(
        after_help = "published: in the newest capture of a source; rotated: the same, beside a later one; retired: in older \
        captures only; held: in captures whose order is not known; unusable: never with an Ed25519 key; \
        unknown: in no captured set. Files count in the order of the configuration. \
        Contacts nobody. A finished run is judged by its own policy, unless a configuration is named (-c, RELEDGER_CONFIG): \
        then by what that says now. One that is only captured needs its configuration.\n\nExit 0: no KEY_* \
        divergence at or above --fail-on is open; 1: one is; 3: no key set is held."
    )]
    List,
    /// Write a leaked key id into the register that the configuration names (`keys.compromised_file`).
    Compromise(CompromiseArgs),
}

/// A leak: which key id, since when.
#[derive(Debug, Args)]
#[command(
    after_help = "From that instant on an envelope under the key id counts only if a block before it anchors it, or a \
    settlement names it; everything else is listed and summed apart. Of several instants the earliest counts. Block times are \
    loose by about two hours: take the earliest instant at which the key may have been out. It changes the digest of the \
    configuration and of the policy.\n\nExit 0: written; 2: no key id, no time, or no register; 6: registered already with that \
    instant or an earlier one, or no key set that the run at --run captured names the key id and --yes was not given."
)]
pub(crate) struct CompromiseArgs {
    /// The key id.
    #[arg(long, value_name = "KID")]
    kid: String,
    /// When it leaked: UTC time, date, Unix seconds or `now`; a number below 500000000 is a height, and refused.
    #[arg(long, value_name = "TIME")]
    at: String,
    /// How that is known.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn keys(global: &Global, output: &Output, command: &KeysCommand) -> Result<ExitCode, AppError> {
    match command {
        KeysCommand::List => list(global, output),
        KeysCommand::Compromise(args) => compromise(global, output, args),
    }
}

fn compromise(global: &Global, output: &Output, args: &CompromiseArgs) -> Result<ExitCode, AppError> {
    let (config, base, _) = settings::config(global)?;
    let register = LeakRegister::read(&config, &base)?;
    let now = settings::clock(global)?;
    if let Ok(AsOfWanted::Block(height)) = args.at.parse() {
        return Err(AppError::Config {
            what: format!("--at {height} is a height elsewhere, and a leak has a time"),
            hint: "give a UTC time, a date, or Unix seconds from 500000000 on".to_owned(),
        });
    }
    let at = settings::instant("--at", &args.at, now)?;
    let text = register.with(&args.kid, at, args.reason.as_deref())?;
    let mut notices: Vec<String> = known(global, &args.kid)?.into_iter().collect();
    notices.extend((at > now).then(|| format!("{at} is still to come")));
    if !global.quiet {
        for notice in &notices {
            say(notice);
        }
    }
    let file = register.register()?.display().to_string();
    if global.dry_run {
        return documents::would(output, &format!("register a leaked key in {file}"));
    }
    register.write(&text)?;
    let told = if global.quiet { String::new() } else { format!("wrote {}\n", inert(&file)) };
    output.emit_either(&told, &json!({"wrote": file}))?;
    Ok(ExitCode::SUCCESS)
}

/// What to say of a kid that the run at hand does not know: a mistyped one would exclude nothing, silently.
fn known(global: &Global, kid: &str) -> Result<Option<String>, AppError> {
    let shown = inert_limited(kid, 64);
    match app::named_kids(&global.run) {
        None => {
            Ok(Some(format!("no captured key set is at hand in {}: {shown} is taken as given", global.run.display())))
        }
        Some(kids) if kids.iter().any(|known| known.as_str() == kid) => Ok(None),
        Some(_) if global.yes => Ok(Some(format!("no captured key set names {shown}; it is registered as given"))),
        Some(_) => Err(AppError::Refused {
            what: format!("no key set that the run in {} captured names {shown}", global.run.display()),
            hint: "`reledger keys list` has the key ids; to register it all the same say --yes".to_owned(),
        }),
    }
}

fn list(global: &Global, output: &Output) -> Result<ExitCode, AppError> {
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let options = settings::run_options(global, "keys")?;
    let observer = progress::observer(global);
    let how = (options.as_of, options.clock, options.jobs);
    let table = app::keys_of_run(&global.run, &settings::judged_by(global)?, how, observer.as_ref(), &cancel)?;
    drop(observer);
    let code = if table.sets.is_empty() {
        Condition::Incomplete.exit_code().0
    } else if table.divergences.iter().any(|divergence| divergence.fails(options.fail_on)) {
        Condition::Divergent.exit_code().0
    } else {
        0
    };
    let names = Pseudonyms::new(table.evidence_root, global.reveal_users);
    output.emit_either(&text(&table, &names, code), &value(&table, &names, code))?;
    Ok(ExitCode::from(code))
}

fn class(auth: Option<bool>) -> &'static str {
    match auth {
        Some(true) => "auth",
        Some(false) => "envelope",
        None => "none",
    }
}

fn text(table: &KeyTable, names: &Pseudonyms, code: u8) -> String {
    let mut text = String::new();
    for set in &table.sets {
        let sources: Vec<&str> = set.sources.iter().map(|source| source.0.as_str()).collect();
        text.push_str(&format!(
            "set {} {:<9}{} {}{}\n",
            set.evidence,
            class(Some(set.auth)),
            inert_limited(if set.host.is_empty() { "-" } else { &set.host }, 80),
            inert_limited(&sources.join(" "), 160),
            if set.newest { " newest" } else { "" }
        ));
    }
    for row in &table.keys {
        text.push_str(&row_text(row));
    }
    let divergences: Vec<Divergence> = table.divergences.iter().map(|divergence| names.apply(divergence)).collect();
    text.push_str(&divergences_text(&divergences));
    text.push_str(&format!(
        "{}, {}, {} about keys as of {}; exit {code}\n",
        counted(table.sets.len() as u64, "key set"),
        counted(table.keys.len() as u64, "key id"),
        counted(table.divergences.len() as u64, "divergence"),
        table.as_of
    ));
    text
}

/// Equal codes together, the worst first: how many, and the first of them.
fn divergences_text(divergences: &[Divergence]) -> String {
    let mut by_code: BTreeMap<(Reverse<Severity>, Code), Vec<&Divergence>> = BTreeMap::new();
    for divergence in divergences {
        by_code.entry((Reverse(divergence.severity), divergence.code)).or_default().push(divergence);
    }
    let mut text = String::new();
    for ((severity, code), all) in by_code {
        text.push_str(&format!("{code} {}: {}\n", severity.0.name(), all.len()));
        for divergence in all.iter().take(EXAMPLES_MAX) {
            text.push_str(&format!(
                "  {}: {}\n",
                inert_limited(&serde_json::to_string(&divergence.subject.0).unwrap_or_default(), 200),
                inert_limited(&divergence.explanation, 160)
            ));
        }
        if let Some(rest @ 1..) = all.len().checked_sub(EXAMPLES_MAX) {
            text.push_str(&format!("  and {rest} more; --json lists all\n"));
        }
    }
    text
}

fn row_text(row: &KeyRow) -> String {
    let mut marks = vec![row.status.name().to_owned()];
    if row.is_rewritten() {
        marks.push("rewritten".to_owned());
    }
    marks.extend(row.leaked_at.map(|at| format!("compromised since {at}")));
    let mut text = format!("kid {} {}: {}", inert_limited(row.kid.as_str(), 80), class(row.auth), marks.join(", "));
    if !row.signed.is_empty() {
        let (count, excluded) = signed(row);
        let kinds: Vec<String> = (row.signed.iter())
            .map(|(kind, (count, excluded))| format!("{} {count}+{excluded}", kind.name()))
            .collect();
        text.push_str(&format!("; envelopes: {count} counted, {excluded} excluded ({})", kinds.join(", ")));
    }
    if row.refused > 0 {
        text.push_str(&format!("; named by {}, refused", counted(row.refused, "envelope")));
    }
    text.push('\n');
    for held in &row.keys {
        let key = held.key.map_or_else(|| "-".to_owned(), |key| key.to_string());
        text.push_str(&format!(
            "  {key} {} in {}\n",
            inert_limited(&held.offer, 80),
            counted(held.captures.len() as u64, "set")
        ));
    }
    text
}

fn signed(row: &KeyRow) -> (u64, u64) {
    row.signed.values().fold((0, 0), |(counted, excluded), one| (counted + one.0, excluded + one.1))
}

fn value(table: &KeyTable, names: &Pseudonyms, code: u8) -> Value {
    let sets = table.sets.iter().map(|set| {
        json!({
            "evidence": set.evidence.to_string(), "class": class(Some(set.auth)), "host": set.host,
            "sources": set.sources, "newest": set.newest,
        })
    });
    let keys = table.keys.iter().map(|row| {
        let held = row.keys.iter().map(|held| {
            let captures: Vec<String> = held.captures.iter().map(ToString::to_string).collect();
            json!({"key": held.key.map(|key| key.to_string()), "offer": held.offer, "captures": captures})
        });
        let kinds: serde_json::Map<String, Value> = (row.signed.iter())
            .map(|(kind, (counted, excluded))| {
                (kind.name().to_owned(), json!({"counted": counted, "excluded": excluded}))
            })
            .collect();
        let (counted, excluded) = signed(row);
        json!({
            "class": class(row.auth), "kid": row.kid.as_str(), "keys": held.collect::<Vec<_>>(),
            "status": row.status.name(), "rewritten": row.is_rewritten(), "compromised_since": row.leaked_at,
            "signed": {"counted": counted, "excluded": excluded, "by_kind": kinds}, "refused": row.refused,
        })
    });
    let divergences: Vec<Value> =
        table.divergences.iter().map(|divergence| divergence_value(&names.apply(divergence))).collect();
    json!({
        "schema": SCHEMA, "as_of": table.as_of, "sets": sets.collect::<Vec<_>>(), "keys": keys.collect::<Vec<_>>(),
        "divergences": divergences, "exit_code": code,
    })
}
