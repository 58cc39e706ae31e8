//! `reledger ots info`.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::Output;
use crate::app::{self, AppError, ProofInfo, TreeLine};
use crate::domain::{inert, inert_limited};

/// A calendar's address may have a thousand characters; a line stays readable.
const DETAIL_CHARS_MAX: usize = 2_000;

/// The tree of each file; 1 when one is no proof.
pub(super) fn info(output: &Output, files: &[PathBuf]) -> Result<ExitCode, AppError> {
    let proofs = app::proof_info(files)?;
    let text: String = proofs.iter().map(text).collect();
    output.emit_either(&text, &json!({"proofs": proofs.iter().map(value).collect::<Vec<_>>()}))?;
    let unreadable = proofs.iter().any(|proof| proof.fault.is_some());
    Ok(ExitCode::from(u8::from(unreadable)))
}

fn text(proof: &ProofInfo) -> String {
    let mut text = format!("{}\n", inert(&proof.file));
    if let Some(fault) = &proof.fault {
        text.push_str(&format!("not a proof: {} {}\n", fault.code, inert_limited(&fault.reason, DETAIL_CHARS_MAX)));
        return text;
    }
    match (proof.hash, &proof.digest) {
        (Some(hash), Some(digest)) => text.push_str(&format!("File {hash} hash: {digest}\n")),
        (_, Some(digest)) => text.push_str(&format!("Bare timestamp of {digest}, as the file's name says\n")),
        _ => text.push_str("Bare timestamp of a digest that is not in it\n"),
    }
    text.push_str("Timestamp:\n");
    for line in &proof.lines {
        text.push_str(&" ".repeat(line.depth.saturating_mul(4)));
        text.push_str(if line.branch { " -> " } else { "" });
        text.push_str(&said(line));
        text.push('\n');
    }
    text
}

fn said(line: &TreeLine) -> String {
    let detail = inert_limited(&line.detail, DETAIL_CHARS_MAX);
    let message = line.message.as_deref().unwrap_or("unknown");
    match line.what {
        "bitcoin" => format!("verify BitcoinBlockHeaderAttestation({detail})  # merkle root {message}"),
        "pending" => {
            let submitted = line.submitted.map_or_else(String::new, |at| format!(", submitted {at}"));
            format!("verify PendingAttestation('{detail}')  # commitment {message}{submitted}")
        }
        "unknown" => format!("verify UnknownAttestation({detail})  # message {message}"),
        _ if detail.is_empty() => line.what.to_owned(),
        _ => format!("{} {detail}", line.what),
    }
}

fn value(proof: &ProofInfo) -> serde_json::Value {
    json!({
        "file": proof.file, "form": proof.form, "hash": proof.hash, "digest": proof.digest,
        "fault": proof.fault.as_ref().map(|fault| json!({"code": fault.code, "reason": fault.reason})),
        "tree": proof.lines.iter().map(|line| json!({
            "depth": line.depth, "branch": line.branch, "what": line.what, "detail": line.detail, "message": line.message,
            "submitted": line.submitted.map(|at| at.0),
        })).collect::<Vec<_>>(),
    })
}
