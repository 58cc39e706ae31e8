//! `reledger checkpoint verify`, `list` and `export`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::app::{
    self, ADMITTED_FILE, AppError, CHAIN_FILE, ChainLink, ChainVerdict, ChainWanted, KeyTerm, SealTerms, verify_chain,
};
use crate::cli::args::Global;
use crate::cli::output::{Output, counted, say};
use crate::cli::{ots, settings};
use crate::domain::inert_limited;

/// Bytes of a file of keys.
const KEYS_BYTES_MAX: u64 = 64 * 1024;

/// Whose seals count.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrustArgs {
    /// A key that counts: the Ed25519 public key in hex (repeatable).
    #[arg(long, value_name = "HEX")]
    key: Vec<String>,
    /// A file of keys that count, one a line: HEX, or HEX FROM..UNTIL for the checkpoints from FROM to before UNTIL; what follows
    /// a # is passed over.
    #[arg(long, value_name = "FILE")]
    trusted_keys: Option<PathBuf>,
}

impl TrustArgs {
    /// The keys given here, else those that the configuration names.
    pub(super) fn terms(&self, global: &Global) -> Result<SealTerms, AppError> {
        let mut terms = Vec::new();
        for key in &self.key {
            terms.push(term(key).ok_or_else(|| settings::usage(format!("--key {}", bad(key))))?);
        }
        if let Some(file) = &self.trusted_keys {
            terms.extend(terms_in(file)?);
        }
        if self.key.is_empty() && self.trusted_keys.is_none() {
            return Ok(SealTerms::whole(&ots::plan(global)?.policy.seal_keys));
        }
        Ok(SealTerms::of(terms))
    }
}

fn term(text: &str) -> Option<KeyTerm> {
    KeyTerm::parse(text)
}

fn bad(text: &str) -> String {
    format!("`{}` is no key: 64 hex digits, and FROM..UNTIL where it counts for a part", inert_limited(text, 100))
}

fn terms_in(file: &Path) -> Result<Vec<KeyTerm>, AppError> {
    let mut text = String::new();
    let open = File::open(file).map_err(AppError::missing(file))?;
    open.take(KEYS_BYTES_MAX).read_to_string(&mut text).map_err(AppError::missing(file))?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let terms = lines.enumerate().filter(|(_, line)| !line.is_empty()).map(|(place, line)| {
        let told = || settings::usage(format!("{} line {}: {}", file.display(), place + 1, bad(line)));
        term(line).ok_or_else(told)
    });
    let terms: Vec<KeyTerm> = terms.collect::<Result<_, _>>()?;
    if terms.is_empty() { Err(settings::usage(format!("{} names no key", file.display()))) } else { Ok(terms) }
}

/// Which chain, and what it is held against.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Keys count when they are given by --key or --trusted-keys, else when the configuration names them under \
    `seal.trusted_keys`. A key with a term counts for no other checkpoint: after a rotation, a key that leaks later seals \
    nothing. Without any key only integrity is told, and the exit code is never 0.\n\nWith the list of admissions every root is \
    drawn again. --held takes a checkpoint that you kept: the chain must have that very one. That a chain ends is not in its power to \
    say; keep the newest.\n\nExit 0: it holds; 1: it overlaps, has a hole, does not extend what came before, or one number was \
    sealed with two contents; 2: usage; 3: nobody's key was given, a line can't be read, or there is none; 5: a seal does not \
    hold, or its key does not count."
)]
pub(crate) struct VerifyArgs {
    /// The chain (default: checkpoints/chain.jsonl of the run, with its list of admissions).
    chain: Option<PathBuf>,
    /// The list of admissions.
    #[arg(long, value_name = "FILE")]
    admitted: Option<PathBuf>,
    /// An older checkpoint of this chain, as `checkpoint export --latest` printed it.
    #[arg(long, value_name = "FILE")]
    held: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
}

/// Which chain.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// The chain (default: checkpoints/chain.jsonl of the run).
    chain: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
}

/// Which chain.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExportArgs {
    /// The chain (default: checkpoints/chain.jsonl of the run).
    chain: Option<PathBuf>,
    /// The newest checkpoint: the only one that says something about all others.
    #[arg(long, required = true)]
    latest: bool,
    #[command(flatten)]
    trust: TrustArgs,
}

pub(super) fn verify(global: &Global, output: &Output, args: &VerifyArgs) -> Result<ExitCode, AppError> {
    let own = global.run.join(ADMITTED_FILE);
    let admitted = args.admitted.clone().or_else(|| (args.chain.is_none() && own.exists()).then_some(own));
    let wanted =
        ChainWanted { chain: chain(global, args.chain.as_ref()), admitted, held: args.held.clone(), jobs: global.jobs };
    let verdict = verify_chain(&wanted, &args.trust.terms(global)?)?;
    output.emit_either(&text(&verdict, wanted.admitted.is_some()), &value(&verdict))?;
    if !global.quiet {
        say(&sentence(&verdict));
    }
    Ok(ExitCode::from(verdict.exit_code()))
}

pub(super) fn list(global: &Global, output: &Output, args: &ListArgs) -> Result<ExitCode, AppError> {
    let wanted = ChainWanted { chain: chain(global, args.chain.as_ref()), jobs: global.jobs, ..ChainWanted::default() };
    let verdict = verify_chain(&wanted, &args.trust.terms(global)?)?;
    let mut text = String::new();
    for link in &verdict.links {
        let keys: Vec<String> = link.keys.iter().map(|(key, counts)| standing(&key.to_string(), *counts)).collect();
        text.push_str(&format!(
            "{} {} {}..{} of {} root {} state {} by {}\n",
            link.seq,
            link.as_of,
            link.from,
            link.until,
            link.tree_size,
            link.root,
            link.state_root,
            keys.join(", ")
        ));
    }
    let links: Vec<Value> = verdict.links.iter().map(link_value).collect();
    output.emit_either(&text, &json!({"checkpoints": links, "exit_code": 0}))?;
    if !global.quiet && verdict.exit_code() != 0 {
        say("`reledger checkpoint verify` says what does not hold, or could not be established");
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn export(global: &Global, output: &Output, args: &ExportArgs) -> Result<ExitCode, AppError> {
    let path = chain(global, args.chain.as_ref());
    output.emit(&app::latest_checkpoint(&path, &args.trust.terms(global)?, global.jobs)?)?;
    Ok(ExitCode::SUCCESS)
}

fn chain(global: &Global, named: Option<&PathBuf>) -> PathBuf {
    named.cloned().unwrap_or_else(|| global.run.join(CHAIN_FILE))
}

fn standing(key: &str, counts: bool) -> String {
    if counts { key.to_owned() } else { format!("{key} (does not count)") }
}

fn text(verdict: &ChainVerdict, drawn: bool) -> String {
    let mut text = String::new();
    for (key, from, until) in verdict.terms() {
        text.push_str(&format!("key {key} sealed {from} to {until}\n"));
    }
    if let Some(last) = verdict.links.last() {
        text.push_str(&format!(
            "newest {} as of {}: {} items, root {}, state {}, sha256 {}\n",
            last.seq, last.as_of, last.tree_size, last.root, last.state_root, last.sha256
        ));
    }
    if drawn {
        text.push_str("every root was compared with the list of admissions\n");
    }
    for fault in &verdict.faults {
        text.push_str(&format!("{} {}: {}\n", fault.code, fault.seq, inert_limited(&fault.what, 400)));
    }
    for open in &verdict.open {
        text.push_str(&format!("not established: {}\n", inert_limited(open, 400)));
    }
    text
}

fn sentence(verdict: &ChainVerdict) -> String {
    let count = counted(verdict.links.len() as u64, "checkpoint");
    let code = verdict.exit_code();
    let said = match (verdict.faults.len(), verdict.open.len()) {
        (0, 0) => "each extends the one before it".to_owned(),
        (0, open) => format!("nothing is wrong, and {open} not established"),
        (faults, _) => format!("{} found", counted(faults as u64, "fault")),
    };
    format!("{count}: {said}; exit {code}")
}

fn link_value(link: &ChainLink) -> Value {
    let keys = link.keys.iter().map(|(key, counts)| json!({"key_id": key.to_string(), "counts": counts}));
    json!({
        "seq": link.seq, "sha256": link.sha256.to_hex(), "from": link.from, "until": link.until,
        "tree_size": link.tree_size, "root": link.root.to_hex(), "state_root": link.state_root.to_hex(),
        "as_of": link.as_of.0, "keys": keys.collect::<Vec<_>>(),
    })
}

fn value(verdict: &ChainVerdict) -> Value {
    let terms = verdict.terms().into_iter();
    let terms = terms.map(|(key, from, until)| json!({"key_id": key.to_string(), "first": from, "last": until}));
    let faults = verdict.faults.iter();
    let faults = faults.map(|fault| json!({"code": fault.code.name(), "seq": fault.seq, "what": fault.what}));
    json!({
        "exit_code": verdict.exit_code(), "checkpoints": verdict.links.len(),
        "newest": verdict.links.last().map(link_value), "keys": terms.collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(), "not_established": verdict.open,
    })
}
