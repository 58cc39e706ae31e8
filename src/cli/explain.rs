//! `reledger explain`: what a code means, or the tree of what a run knows of an id.

use std::process::ExitCode;
use std::str::FromStr as _;

use serde_json::{Value, json};

use super::args::Global;
use super::output::Output;
use super::settings;
use crate::app::{self, AppError, Explained, Name, RunFolder, Thing};
use crate::domain::{Code, UnixSeconds, inert, inert_limited};

/// The schema name of what `--json` prints.
const SCHEMA: &str = "reledger/explanation/1";
/// Names that are listed of an ambiguous beginning.
const CANDIDATES_MAX: usize = 20;
/// Lines of one list that people get; `--json` has all.
const LINES_MAX: usize = 20;
/// Characters of one foreign value.
const VALUE_MAX: usize = 300;

/// What a code means, or what is known of an id.
pub(crate) fn explain(global: &Global, output: &Output, what: &str) -> Result<ExitCode, AppError> {
    let folder = RunFolder::at(&global.run);
    if let Ok(code) = Code::from_str(&what.to_ascii_uppercase()) {
        return meaning(&folder, output, code);
    }
    let by = settings::judged_by(global)?;
    let options = settings::run_options(global, "explain")?;
    match app::explain(&folder, &by, &options, what)? {
        Explained::Nothing if is_short(what) => Err(AppError::Config {
            what: format!(
                "`{}` names no code, and no text or block of the run {}; of an id it is too little",
                inert(what),
                global.run.display()
            ),
            hint: format!("an id is named by at least {} of its digits", app::ID_DIGITS_MIN),
        }),
        Explained::Nothing => Err(AppError::Config {
            what: format!("`{}` names no code, and nothing in the run {}", inert(what), global.run.display()),
            hint: "give a code like ENV_SIG_BAD, or at least 8 digits of an id with --run DIR".to_owned(),
        }),
        Explained::Ambiguous(names) => Err(ambiguous(what, &names)),
        Explained::Known(things) => {
            let mut text = String::new();
            for thing in &things {
                write(&tree(thing), &mut text);
            }
            let things = serde_json::to_value(&things).map_err(|error| AppError::Internal(error.to_string()))?;
            output.emit_either(&text, &json!({"schema": SCHEMA, "things": things}))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The beginning of an id that names none.
fn is_short(what: &str) -> bool {
    let digits = what.trim().trim_start_matches("fed:");
    (1..app::ID_DIGITS_MIN).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn ambiguous(what: &str, names: &[Name]) -> AppError {
    let listed: Vec<String> = names.iter().take(CANDIDATES_MAX).map(named).collect();
    let more = names.len().saturating_sub(CANDIDATES_MAX);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    AppError::Config {
        what: format!("`{}` is ambiguous: {}{more}", inert(what), inert(&listed.join(", "))),
        hint: "give more digits".to_owned(),
    }
}

fn meaning(folder: &RunFolder, output: &Output, code: Code) -> Result<ExitCode, AppError> {
    let found = app::reported(folder, code)?;
    let blocks = if code.blocks() { "blocks unfreezing writes while it is open" } else { "never blocks" };
    let head = format!("{code}: {}", code.meaning());
    let mut children =
        vec![Branch::leaf(format!("severity {}, runbook step {}, {blocks}", code.severity(), code.step().number()))];
    if let Some(found) = &found {
        let lines = found.iter().map(|one| Branch::leaf(format!("{} {}", one.fingerprint, one.state)));
        children.push(Branch::list("in the run's report", found.len(), lines));
    }
    let mut text = String::new();
    write(&Branch { text: head, children }, &mut text);
    let value = json!({
        "code": code.name(), "meaning": code.meaning(), "severity": code.severity().name(),
        "step": code.step().number(), "blocks": code.blocks(), "in_report": found,
    });
    output.emit_either(&text, &value)?;
    Ok(ExitCode::SUCCESS)
}

/// A line with what hangs below it. The text may be foreign: it is made inert when it is written.
struct Branch {
    text: String,
    children: Vec<Branch>,
}

impl Branch {
    fn leaf(text: impl Into<String>) -> Self {
        Self { text: text.into(), children: Vec::new() }
    }

    /// So many of something, of which the first are told.
    fn list(head: &str, count: usize, lines: impl Iterator<Item = Branch>) -> Self {
        let mut children: Vec<Branch> = lines.take(LINES_MAX).collect();
        if count > LINES_MAX {
            children.push(Self::leaf(format!("and {} more: --json has all", count - LINES_MAX)));
        }
        Self { text: format!("{head}: {count}"), children }
    }
}

/// One line a branch, guides of ASCII, no colour.
fn write(root: &Branch, text: &mut String) {
    text.push_str(&inert(&root.text));
    text.push('\n');
    below(root, "", text);
}

// Recursion is bounded: `tree` makes four levels, and values of one more each are shown on one line.
fn below(branch: &Branch, guides: &str, text: &mut String) {
    for (place, child) in branch.children.iter().enumerate() {
        let is_last = place + 1 == branch.children.len();
        text.push_str(guides);
        text.push_str(if is_last { "`- " } else { "|- " });
        text.push_str(&inert(&child.text));
        text.push('\n');
        below(child, &format!("{guides}{}", if is_last { "   " } else { "|  " }), text);
    }
}

fn named(name: &Name) -> String {
    format!("{} {}", name.class.name(), name.id)
}

fn time(seconds: i64) -> String {
    UnixSeconds(seconds).to_string()
}

/// Everything that is told of a thing, in the order of docs/explain.md; what is not there has no line.
fn tree(thing: &Thing) -> Branch {
    let mut children = Vec::new();
    if let Some(standing) = &thing.standing {
        let why =
            if standing.reasons.is_empty() { String::new() } else { format!(" ({})", standing.reasons.join(", ")) };
        children.push(Branch::leaf(format!("standing: {}{why}", standing.state)));
    }
    if !thing.says.is_empty() {
        let lines = thing.says.iter().map(|(name, value)| Branch::leaf(format!("{name}: {}", plain(value))));
        children.push(Branch { text: "says".to_owned(), children: lines.collect() });
    }
    children.extend(thing.rule.iter().map(|rule| Branch::leaf(format!("bytes found by: {rule}"))));
    if !thing.carriers.is_empty() {
        children.push(carriers(thing));
    }
    children.extend(thing.key.iter().map(key));
    for signature in &thing.signatures {
        let by = if signature.by.is_empty() { String::new() } else { format!(" by {}", signature.by) };
        children.push(Branch::leaf(format!("signature {}: {}{by}", signature.scheme, signature.verdict)));
    }
    children.extend(thing.anchor.iter().map(anchor));
    children.extend(thing.balance.iter().map(balance));
    if !thing.entries.is_empty() {
        let lines = thing.entries.iter().map(|entry| {
            let tier = entry.tier.as_ref().map(|tier| format!(" tier {tier}")).unwrap_or_default();
            let exact = if entry.exact { "" } else { " (users replaced)" };
            Branch {
                text: format!("{} leaf {}{tier}{exact}", entry.ledger, entry.leaf_hash),
                children: vec![Branch::leaf(entry.leaf.clone())],
            }
        });
        children.push(Branch::list("ledger entries", thing.entries.len(), lines));
    }
    if !thing.related.is_empty() {
        let lines = thing.related.iter().map(|related| {
            let arrow = match related.direction {
                app::Direction::Out => "->",
                app::Direction::In => "<-",
            };
            Branch::leaf(format!("{arrow} {}: {}", related.relation, named(&related.name)))
        });
        children.push(Branch::list("related", thing.related.len(), lines));
    }
    if !thing.divergences.is_empty() {
        let lines = thing.divergences.iter().map(divergence);
        children.push(Branch::list("divergences", thing.divergences.len(), lines));
    }
    Branch { text: named(&thing.name), children }
}

/// A value on one line.
fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    inert_limited(&text, VALUE_MAX)
}

fn carriers(thing: &Thing) -> Branch {
    let lines = thing.carriers.iter().map(|carrier| {
        let event = carrier.event.as_ref().map(|event| {
            let genuine = if event.genuine { "genuine" } else { "not genuine" };
            let at = time(event.created_at);
            let text = format!("event {} kind {} of {at} by {}, {genuine}", event.id, event.kind, event.pubkey);
            Branch { text, children: vec![Branch::leaf(format!("d: {}", inert_limited(&event.d, VALUE_MAX)))] }
        });
        let seen = carrier
            .seen
            .iter()
            .map(|seen| Branch::leaf(format!("seen at {}, {} offset {}", seen.source, seen.place, seen.offset)));
        Branch {
            text: format!("evidence {}: {}, {} bytes", carrier.evidence, carrier.media, carrier.bytes),
            children: event.into_iter().chain(seen).collect(),
        }
    });
    Branch::list("carriers", thing.carriers.len(), lines)
}

fn key(key: &app::KeyTold) -> Branch {
    let public = key.public_key.as_deref().unwrap_or("unknown");
    let leaked = key.compromised_at.map(|at| format!(", compromised since {}", time(at))).unwrap_or_default();
    let captures = key.captures.iter().map(|capture| {
        let host = if capture.host.is_empty() { "a file" } else { capture.host.as_str() };
        Branch::leaf(format!("{} set of {host}, evidence {}: {}", capture.set, capture.evidence, capture.public_key))
    });
    Branch {
        text: format!("key {}: {public}{leaked}", key.kid),
        children: vec![Branch::list("published in", key.captures.len(), captures)],
    }
}

fn anchor(anchor: &app::AnchorTold) -> Branch {
    let mut children = Vec::new();
    for block in &anchor.blocks {
        let depth = block.depth.map(|depth| format!(", {depth} deep")).unwrap_or_default();
        let is_final = if block.is_final { "final" } else { "not final" };
        let earliest = if block.earliest { ", earliest" } else { "" };
        children.push(Branch::leaf(format!(
            "block {} {} at {}: header {}, {is_final}{depth}{earliest}, proof {}",
            block.height,
            block.hash,
            time(block.time),
            block.header_trust,
            block.proof
        )));
    }
    for stale in &anchor.stale {
        let text = format!("block {} {} left the chain, proof {}", stale.height, stale.hash, stale.proof);
        children.push(Branch::leaf(text));
    }
    for pending in &anchor.pending {
        let since = pending.submitted_at.map(|at| format!(" since {}", time(at))).unwrap_or_default();
        let answered = if pending.answered { ", answered" } else { "" };
        let text = format!("pending at {}{since}{answered}, proof {}", pending.calendar, pending.proof);
        children.push(Branch::leaf(text));
    }
    for height in &anchor.header_missing {
        children.push(Branch::leaf(format!("block {height}: no known header answers for it")));
    }
    for refused in &anchor.refused {
        let reasons = refused.reasons.iter().map(Branch::leaf);
        children.push(Branch { text: format!("refused proof {}", refused.proof), children: reasons.collect() });
    }
    Branch { text: format!("anchor: {}", anchor.status), children }
}

fn balance(told: &app::BalanceTold) -> Branch {
    let amount = |value: &Option<Value>| value.as_ref().map(plain).unwrap_or_default();
    let text = match &told.balance_sats {
        Some(sats) => format!("balance of account {}: {} sats", told.account, plain(sats)),
        None => format!("balance of account {}: none, no ledger fact names it", told.account),
    };
    let mut children = Vec::new();
    if told.balance_sats.is_some() {
        let [available, maturing] = [&told.available_sats, &told.maturing_sats].map(amount);
        let [earned, paid, adjusted] = [&told.earned_sats, &told.paid_sats, &told.adjusted_sats].map(amount);
        children.push(Branch::leaf(format!("available {available}, maturing {maturing}")));
        children.push(Branch::leaf(format!("earned {earned}, paid {paid}, adjusted {adjusted}")));
    }
    children.push(match (&told.proof, told.no_proof) {
        (Some(proof), _) => Branch::leaf(format!(
            "proof of {} against root {} of {} users: --json has it",
            plain(&proof["claim"]),
            plain(&proof["root"]),
            plain(&proof["count"])
        )),
        (None, why) => Branch::leaf(format!("no proof: {}", why.unwrap_or_default())),
    });
    Branch { text, children }
}

fn divergence(told: &app::DivergenceTold) -> Branch {
    let text = |name: &str| told.divergence.get(name).map(plain).unwrap_or_default();
    let place = match told.in_report {
        Some(true) => "",
        Some(false) => ", not in the report",
        None => ", no report yet",
    };
    let mut children = vec![Branch::leaf(format!("subject: {}", text("subject")))];
    for name in ["expected", "observed", "explanation"] {
        let value = text(name);
        if !value.is_empty() {
            children.push(Branch::leaf(format!("{name}: {value}")));
        }
    }
    Branch {
        text: format!(
            "divergence {} {} {} {}{place}",
            text("code"),
            text("severity"),
            text("state"),
            text("fingerprint")
        ),
        children,
    }
}
