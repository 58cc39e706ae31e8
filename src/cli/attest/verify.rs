//! `reledger attest verify`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::attestation;
use super::publish::patience;
use crate::app::{
    self, AppError, AttestationTrust, Cancel, EventWanted, HeadersAtHand, JudgedAttestation, Plan, SignatureStanding,
    attestation_proof, judge_attestation, read_attestation,
};
use crate::cli::args::Global;
use crate::cli::ots::{self, Trust};
use crate::cli::output::{Output, say};
use crate::cli::{settings, signals};
use crate::domain::{Media, NostrEventId, PublicKey32, inert, inert_limited};

/// The schema name of what `--json` prints.
const VERDICT_SCHEMA: &str = "reledger/attestation-verdict/1";
/// Bytes of a file of keys.
const KEYS_BYTES_MAX: u64 = 64 * 1024;

/// Which attestation, and what it is held against.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Keys count when they are given by --key or --trusted-keys, else when the configuration names them under \
    `seal.trusted_keys`; what a signature says of its own key counts for nothing else. Without any key only integrity is told, \
    and the exit code is never 0. With --run every subject is compared with the files there, and the evidence with its manifest. \
    The proof is the one that --ots names, that stands beside FILE, or that the event carries; it is judged by the headers of \
    the configuration, of --headers and of the run. Nobody is contacted without --relay.\n\nExit 0: enough keys that count have \
    signed, and whatever was to be compared or proven is so; 2: usage, or a report of another version; 3: nobody's key was \
    given, or the proof is pending or its header not at hand; 5: a signature, a subject or the proof does not hold, or too few \
    keys that count have signed; 6: --relay under --offline; 8: the relay gave no such event."
)]
pub(crate) struct VerifyArgs {
    /// The attestation; `-` is stdin (default: attestation.json of the run, which is compared then).
    #[arg(conflicts_with = "relay")]
    file: Option<PathBuf>,
    /// A key that counts: the Ed25519 public key in hex (repeatable).
    #[arg(long, value_name = "HEX")]
    key: Vec<PublicKey32>,
    /// A file of keys that count, one a line in hex; what follows a # is passed over.
    #[arg(long, value_name = "FILE")]
    trusted_keys: Option<PathBuf>,
    /// How many different keys that count must have signed.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    threshold: usize,
    /// The proof of the attestation's time.
    #[arg(long, value_name = "FILE")]
    ots: Option<PathBuf>,
    /// A file of consecutive 80-byte headers; a stem of digits is the start height (repeatable).
    #[arg(long, value_name = "FILE")]
    headers: Vec<PathBuf>,
    /// The weakest trust in a header that attests.
    #[arg(long, value_name = "TRUST", value_enum, default_value = "isolated")]
    min_trust: Trust,
    /// Take the attestation, and its proof, from an event of this relay.
    #[arg(long, value_name = "URL", requires = "wanted")]
    relay: Option<String>,
    /// The newest report that this key (npub or hex) has published.
    #[arg(long, value_name = "NPUB|HEX", group = "wanted", requires = "relay", value_parser = author)]
    author: Option<PublicKey32>,
    /// The event of this id.
    #[arg(long, value_name = "HEX", group = "wanted", requires = "relay")]
    id: Option<NostrEventId>,
    /// Longest wait for the relay's whole answer.
    #[arg(long, value_name = "D", default_value = "30s", requires = "relay")]
    timeout: String,
}

fn author(text: &str) -> Result<PublicKey32, String> {
    app::nostr_author(text).ok_or_else(|| "not an npub, nor 64 hex digits".to_owned())
}

pub(super) fn verify(
    global: &Global,
    output: &Output,
    args: &VerifyArgs,
    run_is_named: bool,
) -> Result<ExitCode, AppError> {
    let plan = ots::plan(global)?;
    let trust = trust(args, &plan)?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let (mut judged, proof) = match &args.relay {
        Some(relay) => fetched(global, args, relay, &trust, &cancel)?,
        None => read(global, args, &trust)?,
    };
    let run = (run_is_named || (args.file.is_none() && args.relay.is_none())).then_some(global.run.as_path());
    if let Some(run) = run {
        judged.compare(run)?;
    }
    if let Some((name, bytes)) = proof {
        let mut files = plan.files.get(&Media::Headers).cloned().unwrap_or_default();
        files.extend(args.headers.iter().cloned());
        let with = HeadersAtHand { files: &files, run, policy: &plan.policy, min_trust: args.min_trust.into() };
        judged.prove(&name, bytes, &with, &cancel)?;
    }
    output.emit_either(&text(&judged), &value(&judged))?;
    if !global.quiet {
        say(&sentence(&judged, run.is_some()));
    }
    Ok(ExitCode::from(judged.exit_code()))
}

/// The keys that count.
fn trust(args: &VerifyArgs, plan: &Plan) -> Result<AttestationTrust, AppError> {
    let mut keys: BTreeSet<PublicKey32> = args.key.iter().copied().collect();
    if let Some(file) = &args.trusted_keys {
        keys.extend(keys_in(file)?);
    }
    if args.key.is_empty() && args.trusted_keys.is_none() {
        keys.clone_from(&plan.policy.seal_keys);
    }
    if args.threshold > 1 && args.threshold > keys.len() {
        let what = format!("--threshold {} is more than the {} keys that count", args.threshold, keys.len());
        return Err(settings::usage(what));
    }
    Ok(AttestationTrust { keys, threshold: args.threshold })
}

pub(in crate::cli) fn keys_in(file: &Path) -> Result<BTreeSet<PublicKey32>, AppError> {
    let mut text = String::new();
    let open = File::open(file).map_err(AppError::missing(file))?;
    open.take(KEYS_BYTES_MAX).read_to_string(&mut text).map_err(AppError::missing(file))?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let keys = lines.enumerate().filter(|(_, line)| !line.is_empty()).map(|(place, line)| {
        let bad = || settings::usage(format!("{} line {} is no key: 64 hex digits", file.display(), place + 1));
        line.parse().map_err(|_| bad())
    });
    let keys: BTreeSet<PublicKey32> = keys.collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(settings::usage(format!("{} names no key", file.display()))) } else { Ok(keys) }
}

type Judged = (JudgedAttestation, Option<(String, Vec<u8>)>);

/// The attestation in a file, and the proof that belongs to it.
fn read(global: &Global, args: &VerifyArgs, trust: &AttestationTrust) -> Result<Judged, AppError> {
    let file = attestation(global, args.file.as_deref());
    settings::may_read_stdin(global, std::iter::once(&file))?;
    let judged = judge_attestation(&file.display().to_string(), &read_attestation(&file)?, trust);
    let beside = attestation_proof(&file);
    let proof = args.ots.clone().or_else(|| beside.is_file().then_some(beside));
    Ok((judged, proof.map(|path| proof_in(&path)).transpose()?))
}

fn proof_in(path: &Path) -> Result<(String, Vec<u8>), AppError> {
    Ok((path.display().to_string(), app::read_proof(path)?))
}

/// The attestation that a relay holds. A proof that is named counts instead of the one that the event carries.
fn fetched(
    global: &Global,
    args: &VerifyArgs,
    relay: &str,
    trust: &AttestationTrust,
    cancel: &Cancel,
) -> Result<Judged, AppError> {
    let wanted = match (&args.id, &args.author) {
        (Some(id), _) => EventWanted::Id(*id),
        (None, Some(author)) => EventWanted::NewestOf(*author),
        (None, None) => return Err(settings::usage("--relay needs --author or --id".to_owned())),
    };
    let found = app::find_attestation(relay, &wanted, patience(&args.timeout)?, global.offline, cancel)?;
    let mut judged = judge_attestation(&format!("event {}", found.carrier.id), &found.envelope, trust);
    judged.carrier = Some(found.carrier);
    judged.open.extend(found.note);
    let carried = found.proof.map(|proof| ("the proof in the event".to_owned(), proof));
    let proof = args.ots.as_deref().map(proof_in).transpose()?.or(carried);
    Ok((judged, proof))
}

fn text(judged: &JudgedAttestation) -> String {
    let mut text = format!("attestation sha256 {} ({})\n", judged.id, inert_limited(&judged.place, 200));
    if let Some(carrier) = &judged.carrier {
        let relay = inert_limited(&carrier.relay, 200);
        text.push_str(&format!("  event by {} of {}, from {relay}\n", carrier.author, carrier.created_at));
    }
    if let Some(statement) = &judged.statement {
        let stated = &statement.predicate;
        let said = inert_limited(&stated.verdict.sentence, 600);
        text.push_str(&format!(
            "  says: {}, exit {}: {said}\n",
            inert(&stated.verdict.outcome),
            stated.verdict.exit_code
        ));
        let ready = if stated.ready_to_unfreeze { "yes" } else { "no" };
        text.push_str(&format!("  ready to unfreeze: {ready}\n"));
    }
    for signature in &judged.signatures {
        let key = if signature.key_id.is_empty() { "(no key id)" } else { &signature.key_id };
        text.push_str(&format!("  signature {:<8} {}\n", standing(signature.standing), inert_limited(key, 64)));
    }
    for (attested, digest, compared) in &judged.subjects {
        text.push_str(&format!("  {:<13}{} {} {digest}\n", compared.name(), attested.name(), attested.digest_name()));
    }
    if let Some(proof) = &judged.proof {
        text.push_str(&format!("  proof {}\n", proof.verdict.name()));
        proof.anchors.iter().for_each(|anchor| text.push_str(&format!("  {}", ots::block(anchor))));
        proof.pending.iter().for_each(|pending| text.push_str(&format!("  {}", ots::waiting(pending))));
    }
    for fault in &judged.faults {
        text.push_str(&format!("  {}: {}\n", fault.code, inert_limited(&fault.what, 400)));
    }
    for open in &judged.open {
        text.push_str(&format!("  not established: {}\n", inert_limited(open, 400)));
    }
    text
}

const fn standing(standing: SignatureStanding) -> &'static str {
    match standing {
        SignatureStanding::Trusted(_) => "trusted",
        SignatureStanding::Unknown(_) => "unknown",
        SignatureStanding::Broken(_) => "broken",
        SignatureStanding::Foreign => "foreign",
    }
}

fn sentence(judged: &JudgedAttestation, compared: bool) -> String {
    let verdict = match judged.exit_code() {
        0 => "the attestation holds",
        3 => "the attestation is not established",
        _ => "the attestation does not hold",
    };
    let signed = match judged.threshold {
        Some(wanted) => format!("signed by {} of the keys that count, {wanted} wanted", judged.trusted),
        None => "nobody's key was given: integrity only".to_owned(),
    };
    let run = if compared { "compared with the run" } else { "not compared with a run" };
    let proof = judged.proof.as_ref().map_or("no proof of time", |proof| proof.verdict.name());
    format!("{verdict}: {signed}; {run}; proof: {proof}; exit {}", judged.exit_code())
}

fn value(judged: &JudgedAttestation) -> Value {
    let signatures =
        judged.signatures.iter().map(|one| json!({"key_id": one.key_id, "standing": standing(one.standing)}));
    let subjects = judged.subjects.iter().map(|(attested, digest, compared)| {
        json!({
            "name": attested.name(), "digest_name": attested.digest_name(), "digest": digest.to_hex(),
            "compared": compared.name(),
        })
    });
    let proof = judged.proof.as_ref().map(|proof| {
        json!({
            "verdict": proof.verdict.name(), "anchors": ots::anchors(&proof.anchors),
            "pending": ots::pending(&proof.pending),
            "headers_missing": proof.headers_missing.iter().map(|height| height.0).collect::<Vec<_>>(),
        })
    });
    let event = judged.carrier.as_ref().map(|carrier| {
        json!({
            "id": carrier.id.to_string(), "author": carrier.author.to_string(), "created_at": carrier.created_at.0,
            "relay": carrier.relay,
        })
    });
    let faults = judged.faults.iter().map(|fault| json!({"code": fault.code, "what": fault.what}));
    json!({
        "schema": VERDICT_SCHEMA, "exit_code": judged.exit_code(), "place": judged.place, "sha256": judged.id.to_hex(),
        "signatures": signatures.collect::<Vec<_>>(), "trusted": judged.trusted, "threshold": judged.threshold,
        "subjects": subjects.collect::<Vec<_>>(), "statement": judged.statement, "proof": proof, "event": event,
        "faults": faults.collect::<Vec<_>>(), "not_established": judged.open,
    })
}
