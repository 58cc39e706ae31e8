//! `reledger verify`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::args::{Format, Global};
use super::output::{Output, say};
use super::{settings, signals};
use crate::app::{
    self, AppError, Cancel, Fate, JudgedAttestation, JudgedBalanceProof, JudgedBundle, JudgedCheckpointProof,
    JudgedRecord, JudgedWith,
};
use crate::domain::{Code, Condition, Media, Outcome, TrustPolicy, inert_limited};
use crate::report::canonical_json;

/// Files by what they are.
type Files = Vec<(Media, Vec<PathBuf>)>;

/// The policy to judge with: the configuration's when one is there, else the profile's.
fn context(global: &Global) -> Result<(TrustPolicy, Files), AppError> {
    let named = global.config.is_some() || std::path::Path::new(settings::DEFAULT_CONFIG).exists();
    if !named {
        return Ok((TrustPolicy::orangecheck_2026_10(), Vec::new()));
    }
    let plan = settings::plan(global)?;
    let helpers = plan
        .files
        .into_iter()
        .filter(|(media, _)| matches!(media, Media::Jwks | Media::AuthJwks | Media::Headers | Media::Custody));
    Ok((plan.policy, helpers.collect()))
}

/// One line a record; exit 0 all hold, 1 one is bad (5 a proof about a balance, a seal that nobody trusted made, a changed
/// member of a snapshot, a bundle or attestation that does not hold, 6 an unsafe archive), 3 one could not be checked or there was none.
pub(crate) fn verify(global: &Global, output: &Output, files: &[PathBuf]) -> Result<ExitCode, AppError> {
    let (policy, helpers) = context(global)?;
    settings::may_read_stdin(global, files.iter())?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let with = JudgedWith {
        context: &helpers,
        policy: &policy,
        is_named: global.config.is_some(),
        now: settings::clock(global)?,
        jobs: global.jobs,
    };
    let app::JudgedFiles { records, faults, bundles, proofs, checkpoint_proofs, attestations } =
        app::verify_files(files, &with, &cancel)?;
    let fate_of = |proof: &JudgedBalanceProof| if proof.verdict.is_ok() { Fate::Ok } else { Fate::Bad };
    let of_files = || records.iter().map(|record| record.fate).chain(bundles.iter().map(|bundle| bundle.fate));
    let of_proofs = || proofs.iter().map(fate_of).chain(checkpoint_proofs.iter().map(shown_by));
    let fates = || of_files().chain(of_proofs()).chain(attestations.iter().map(standing));
    let count = |fate| fates().filter(|one| *one == fate).count();
    let (ok, unchecked, bad) = (count(Fate::Ok), count(Fate::Unchecked), count(Fate::Bad));
    let mut outcome = Outcome::default();
    if proofs.iter().any(|proof| proof.verdict.is_err()) || checkpoint_proofs.iter().any(|one| one.verdict.is_err()) {
        outcome.add(Condition::UntrustedInput);
    }
    let conditions = records.iter().map(|record| record.condition).chain(bundles.iter().map(|bundle| bundle.condition));
    let conditions = conditions.chain(attestations.iter().map(JudgedAttestation::condition));
    conditions.flatten().for_each(|condition| outcome.add(condition));
    if unchecked + faults.len() > 0 || fates().next().is_none() {
        outcome.add(Condition::Incomplete);
    }
    let code = outcome.exit_code().0;
    for fault in &faults {
        say(&format!("not read to the end: {fault}"));
    }
    let mut bytes = Vec::new();
    for record in &records {
        match output.format {
            Format::Human => bytes.extend(line(record).into_bytes()),
            Format::Json | Format::Ndjson => bytes.extend(canonical_json(&value(record))),
        }
    }
    for bundle in &bundles {
        match output.format {
            Format::Human => bytes.extend(bundle_line(bundle).into_bytes()),
            Format::Json | Format::Ndjson => bytes.extend(canonical_json(&bundle_value(bundle))),
        }
    }
    for proof in &proofs {
        match output.format {
            Format::Human => bytes.extend(proof_line(proof).into_bytes()),
            Format::Json | Format::Ndjson => bytes.extend(canonical_json(&proof_value(proof))),
        }
    }
    for proof in &checkpoint_proofs {
        match output.format {
            Format::Human => bytes.extend(checkpoint_proof_line(proof).into_bytes()),
            Format::Json | Format::Ndjson => bytes.extend(canonical_json(&checkpoint_proof_value(proof))),
        }
    }
    for attestation in &attestations {
        match output.format {
            Format::Human => bytes.extend(attestation_line(attestation).into_bytes()),
            Format::Json | Format::Ndjson => bytes.extend(canonical_json(&attestation_value(attestation))),
        }
    }
    output.emit(&bytes)?;
    if !global.quiet {
        say(&format!("{ok} ok, {bad} bad, {unchecked} unchecked of {} records; exit {code}", fates().count()));
    }
    Ok(ExitCode::from(code))
}

fn line(record: &JudgedRecord) -> String {
    let mut line =
        format!("{:<10}{} {} {}", record.fate.name(), inert_limited(&record.place, 80), record.media, record.id);
    for anchor in &record.anchors {
        line.push(' ');
        line.push_str(anchor);
    }
    for finding in &record.findings {
        line.push_str(&inert_limited(&format!(" {} {}", finding.code, finding.explanation), 160));
    }
    line.push('\n');
    line
}

/// One line: what became of it, whom the verdict trusts, and why.
fn bundle_line(bundle: &JudgedBundle) -> String {
    let id = bundle.id.map_or_else(String::new, |id| format!(" {id}"));
    let code = bundle.code.map_or("", Code::name);
    let mut line = format!("{:<10}{} bundle{id} {code}", bundle.fate.name(), inert_limited(&bundle.place, 80));
    line.truncate(line.trim_end().len());
    line.push_str(&format!(": {}", inert_limited(&bundle.says, 400)));
    if !bundle.under.is_empty() {
        line.push_str(&format!(" (under {})", inert_limited(&bundle.under.join(", "), 2_000)));
    }
    line.push('\n');
    line
}

fn bundle_value(bundle: &JudgedBundle) -> serde_json::Value {
    serde_json::json!({
        "fate": bundle.fate.name(), "place": bundle.place, "media": "bundle",
        "id": bundle.id, "code": bundle.code, "fingerprint": bundle.fingerprint,
        "under": bundle.under, "says": bundle.says,
    })
}

/// What proofs out of checkpoints are called where records have their media.
const CHECKPOINT_PROOF: &str = "checkpoint-proof";

/// One that holds for checkpoints that nobody vouches for is unchecked.
const fn shown_by(proof: &JudgedCheckpointProof) -> Fate {
    match (&proof.verdict, proof.vouched) {
        (Err(_), _) => Fate::Bad,
        (Ok(_), true) => Fate::Ok,
        (Ok(_), false) => Fate::Unchecked,
    }
}

fn checkpoint_proof_line(proof: &JudgedCheckpointProof) -> String {
    let (Ok(said) | Err(said)) = &proof.verdict;
    let (fate, place) = (shown_by(proof).name(), inert_limited(&proof.place, 80));
    format!("{fate:<10}{place} {CHECKPOINT_PROOF} {} {}\n", proof.id, inert_limited(said, 400))
}

fn checkpoint_proof_value(proof: &JudgedCheckpointProof) -> serde_json::Value {
    serde_json::json!({
        "fate": shown_by(proof).name(), "place": proof.place, "media": CHECKPOINT_PROOF, "id": proof.id.to_hex(),
        "shows": proof.verdict.as_ref().ok(), "fault": proof.verdict.as_ref().err(),
    })
}

/// A broken one is bad; one that nobody's key was given for is unchecked.
fn standing(attestation: &JudgedAttestation) -> Fate {
    match attestation.condition() {
        Some(Condition::UntrustedInput) => Fate::Bad,
        Some(_) => Fate::Unchecked,
        None => Fate::Ok,
    }
}

/// One line: what became of it, what it says, and why it does not count.
fn attestation_line(attestation: &JudgedAttestation) -> String {
    let fate = standing(attestation).name();
    let mut line = format!("{fate:<10}{} attestation {}", inert_limited(&attestation.place, 80), attestation.id);
    if let Some(statement) = &attestation.statement {
        let verdict = &statement.predicate.verdict;
        line.push_str(&format!(" says {}, exit {}", inert_limited(&verdict.outcome, 40), verdict.exit_code));
    }
    for fault in &attestation.faults {
        line.push_str(&inert_limited(&format!("; {}: {}", fault.code, fault.what), 200));
    }
    attestation.open.iter().for_each(|open| line.push_str(&format!("; {}", inert_limited(open, 200))));
    line.push('\n');
    line
}

fn attestation_value(attestation: &JudgedAttestation) -> serde_json::Value {
    serde_json::json!({
        "fate": standing(attestation).name(), "place": attestation.place, "media": "attestation",
        "id": attestation.id.to_hex(), "trusted": attestation.trusted, "statement": attestation.statement,
        "faults": attestation.faults.iter().map(|one| format!("{}: {}", one.code, one.what)).collect::<Vec<_>>(),
        "not_established": attestation.open,
    })
}

/// What proofs about balances are called where records have their media.
const BALANCE_PROOF: &str = "balance-proof";

fn proof_line(proof: &JudgedBalanceProof) -> String {
    let fate = if proof.verdict.is_ok() { Fate::Ok } else { Fate::Bad };
    let (Ok(said) | Err(said)) = &proof.verdict;
    let said = inert_limited(said, 400);
    format!("{:<10}{} {BALANCE_PROOF} {} {said}\n", fate.name(), inert_limited(&proof.place, 80), proof.id)
}

fn proof_value(proof: &JudgedBalanceProof) -> serde_json::Value {
    let fate = if proof.verdict.is_ok() { Fate::Ok } else { Fate::Bad };
    serde_json::json!({
        "fate": fate.name(), "place": proof.place, "media": BALANCE_PROOF, "id": proof.id.to_hex(),
        "shows": proof.verdict.as_ref().ok(), "fault": proof.verdict.as_ref().err(),
    })
}

fn value(record: &JudgedRecord) -> serde_json::Value {
    serde_json::json!({
        "fate": record.fate.name(), "place": record.place, "media": record.media.name(), "id": record.id.to_string(),
        "anchors": record.anchors,
        "findings": record.findings.iter().map(|finding| serde_json::json!({
            "code": finding.code.name(), "explanation": finding.explanation,
            "expected": finding.expected, "observed": finding.observed,
        })).collect::<Vec<_>>(),
    })
}
