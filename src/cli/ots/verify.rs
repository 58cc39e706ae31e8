//! `reledger ots verify`.

use std::process::ExitCode;

use serde_json::json;

use super::super::args::Global;
use super::super::output::say;
use super::super::signals;
use super::{Output, VerifyArgs, time};
use crate::app::{self, AnchorFound, AppError, Cancel, JudgedProof, PendingFound, ProofVerdict, RunFolder, Target};
use crate::domain::{Media, inert, inert_limited};

/// Judges the proofs; the worst verdict decides the exit code.
pub(super) fn verify(global: &Global, output: &Output, args: &VerifyArgs) -> Result<ExitCode, AppError> {
    let plan = super::plan(global)?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let mut headers = plan.files.get(&Media::Headers).cloned().unwrap_or_default();
    headers.extend(args.headers.iter().cloned());
    let against = app::VerifyProofs {
        headers,
        target: args.file.clone(),
        digest: args.digest.clone(),
        min_trust: Some(args.min_trust.into()),
    };
    let proofs = app::verify_proofs(&args.files, &against, &RunFolder::at(&global.run), &plan.policy, &cancel)?;
    let has = |code| proofs.iter().any(|proof| proof.verdict.exit_code() == code);
    let code = if has(1) {
        1
    } else if has(3) {
        3
    } else {
        0
    };
    let text: String = proofs.iter().map(text).collect();
    let value = json!({"exit_code": code, "proofs": proofs.iter().map(value).collect::<Vec<_>>()});
    output.emit_either(&text, &value)?;
    if !global.quiet {
        let count = |verdict| proofs.iter().filter(|proof| proof.verdict == verdict).count();
        let attested = count(ProofVerdict::Attested);
        let wrong = count(ProofVerdict::Wrong) + count(ProofVerdict::Unreadable);
        let open = proofs.len() - attested - wrong;
        say(&format!(
            "{attested} attested, {wrong} wrong, {open} not established of {} proofs; exit {code}",
            proofs.len()
        ));
    }
    Ok(ExitCode::from(code))
}

fn text(proof: &JudgedProof) -> String {
    let mut text = format!("{:<15}{}", proof.verdict.name(), inert(&proof.file));
    if let Some((hash, digest)) = &proof.digest {
        text.push_str(&format!("  {hash} {digest}"));
    }
    text.push_str(&match &proof.target {
        Target::None => "  (target not compared)\n".to_owned(),
        Target::Same(name) => format!("  (of {})\n", inert(name)),
        Target::Other(name) => format!("  (not of {})\n", inert(name)),
    });
    proof.anchors.iter().for_each(|anchor| text.push_str(&block(anchor)));
    for height in &proof.headers_missing {
        text.push_str(&format!("  block {height}: its header is not at hand\n"));
    }
    proof.pending.iter().for_each(|pending| text.push_str(&waiting(pending)));
    for (code, explanation) in &proof.findings {
        text.push_str(&format!("  {code} {}\n", inert_limited(explanation, 300)));
    }
    text
}

/// One line about a block.
pub(in crate::cli) fn block(anchor: &AnchorFound) -> String {
    format!(
        "  block {} {} at {}, header trust {}, {}\n",
        anchor.height,
        anchor.hash,
        anchor.time,
        anchor.trust,
        if anchor.is_final { "final" } else { "not final" }
    )
}

/// One line about a branch that waits.
pub(in crate::cli) fn waiting(pending: &PendingFound) -> String {
    format!(
        "  pending at {}{}, submitted {}\n",
        inert_limited(&pending.uri, 200),
        if pending.allowed { "" } else { " (not on the allow-list)" },
        time(pending.submitted)
    )
}

fn value(proof: &JudgedProof) -> serde_json::Value {
    let (target, same) = match &proof.target {
        Target::None => (None, None),
        Target::Same(name) => (Some(name), Some(true)),
        Target::Other(name) => (Some(name), Some(false)),
    };
    json!({
        "file": proof.file, "verdict": proof.verdict.name(),
        "hash": proof.digest.as_ref().map(|(hash, _)| hash), "digest": proof.digest.as_ref().map(|(_, digest)| digest),
        "target": target, "target_matches": same,
        "anchors": anchors(&proof.anchors), "headers_missing": proof.headers_missing.iter().map(|height| height.0).collect::<Vec<_>>(),
        "pending": pending(&proof.pending),
        "findings": proof.findings.iter().map(|(code, explanation)| json!({"code": code, "explanation": explanation})).collect::<Vec<_>>(),
    })
}

/// Blocks for programs.
pub(in crate::cli) fn anchors(anchors: &[AnchorFound]) -> Vec<serde_json::Value> {
    let value = |anchor: &AnchorFound| {
        json!({
            "height": anchor.height.0, "hash": anchor.hash.to_string(), "time": anchor.time.0, "trust": anchor.trust,
            "final": anchor.is_final,
        })
    };
    anchors.iter().map(value).collect()
}

/// Waiting branches for programs.
pub(in crate::cli) fn pending(pending: &[PendingFound]) -> Vec<serde_json::Value> {
    let value = |pending: &PendingFound| {
        json!({
            "calendar": pending.uri, "commitment": pending.commitment, "allowed": pending.allowed,
            "submitted": pending.submitted.map(|at| at.0),
        })
    };
    pending.iter().map(value).collect()
}
