//! Telling where an id of a run came from and what was found about it.

use std::collections::BTreeSet;

use super::error::AppError;
use super::inspect::findings_on;
use super::judge::{judge, side_tables, worker_threads};
use super::observer::{Cancel, Silent};
use super::run::RunFolder;
use crate::domain::{Digest32, EvidenceId, Media, Sighting, TrustPolicy};
use crate::store::{EvidenceStore, LogStore, SideRecord};
use crate::verify::VerifiedSet;

/// Digits of an id that name it.
const ID_PREFIX_MIN: usize = 8;

/// What is known about an id in a run.
#[derive(Debug, Default)]
pub struct Explanation {
    /// Lines for people, most important first. Foreign text is still raw.
    pub lines: Vec<String>,
}

/// Tells what a text names in a finished or unfinished run: an evidence, envelope, event or operation id, or a fingerprint.
///
/// # Errors
/// [`AppError`] when the run can't be read.
pub fn explain_in_run(
    folder: &RunFolder,
    policy: &TrustPolicy,
    jobs: usize,
    what: &str,
) -> Result<Explanation, AppError> {
    let mut explanation = Explanation::default();
    // Ids are shown in lowercase; a shorter beginning would name half of the run.
    if what.len() < ID_PREFIX_MIN {
        return Ok(explanation);
    }
    let named = explain_fingerprint(folder, what, &mut explanation)?;
    let what = &what.to_ascii_lowercase();
    if !folder.evidence().is_dir() {
        return Ok(explanation);
    }
    let store = LogStore::open_read_only(&folder.evidence())?;
    let tables = side_tables(&store)?;
    let set = judge(&store, policy, &tables, &worker_threads(jobs)?, &Silent, &Cancel::default())?;
    let matches = |digest: &Digest32| digest.to_hex().starts_with(what);
    let mut carriers: BTreeSet<EvidenceId> = store.ids()?.into_iter().filter(|id| matches(&id.0)).collect();
    carriers.extend(named);
    for (id, envelope) in set.envelopes.iter().filter(|(id, _)| matches(&id.0)) {
        let fact = envelope.fact();
        explanation.lines.push(format!("envelope {id}: {}, signed by {}", fact.kind.name(), fact.kid));
        carriers.extend(envelope.carriers());
    }
    for (id, attestation) in set.attestations.iter().filter(|(id, _)| matches(&id.0)) {
        explanation.lines.push(format!("attestation {id} of {}", attestation.fact().message.address));
        carriers.extend(attestation.carriers());
    }
    for settlement in
        set.settlements.values().filter(|settlement| settlement.fact().event.operation.0.starts_with(what))
    {
        let event = &settlement.fact().event;
        explanation
            .lines
            .push(format!("operation {}: {} {} sats {}", event.operation, event.kind, event.amount, event.settled_at));
        carriers.extend(settlement.carriers());
    }
    for (digest, state) in set.anchors.iter().filter(|(digest, _)| matches(digest)) {
        explain_anchor(digest, state, &mut explanation);
        carriers.extend(&state.proofs);
    }
    explain_events(&store, what, &mut carriers)?;
    for id in &carriers {
        explain_carrier(&store, &set, *id, &mut explanation)?;
    }
    Ok(explanation)
}

/// Tells of the report's divergences that a text names; returns the evidence they rest on.
fn explain_fingerprint(
    folder: &RunFolder,
    what: &str,
    explanation: &mut Explanation,
) -> Result<BTreeSet<EvidenceId>, AppError> {
    let mut evidence = BTreeSet::new();
    let text = match std::fs::read_to_string(folder.report()) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(evidence),
        Err(error) => return Err(AppError::io("read", &folder.report())(error)),
    };
    let Ok(report) = serde_json::from_str::<serde_json::Value>(&text) else { return Ok(evidence) };
    let divergences = report["divergences"].as_array().map(Vec::as_slice).unwrap_or_default();
    for divergence in divergences {
        let names_it = divergence["fingerprint"].as_str().is_some_and(|fingerprint| fingerprint.starts_with(what))
            || divergence["subject"].as_object().is_some_and(|subject| {
                subject.values().any(|value| value.as_str().is_some_and(|value| value.starts_with(what)))
            });
        if names_it {
            let text = |name: &str| divergence[name].as_str().unwrap_or_default().to_owned();
            explanation.lines.push(format!(
                "divergence {} {} {}: {} expected `{}` observed `{}` subject {}",
                text("code"),
                text("severity"),
                text("state"),
                text("explanation"),
                text("expected"),
                text("observed"),
                divergence["subject"]
            ));
            let references = divergence["evidence"].as_array().map(Vec::as_slice).unwrap_or_default();
            evidence.extend(references.iter().filter_map(|reference| {
                reference["id"].as_str().and_then(|id| id.parse::<Digest32>().ok()).map(EvidenceId)
            }));
        }
    }
    Ok(evidence)
}

fn explain_anchor(digest: &Digest32, state: &crate::verify::AnchorState, explanation: &mut Explanation) {
    for anchor in &state.confirmed {
        explanation.lines.push(format!(
            "anchor of {digest}: block {} {} at {} (header {}, {})",
            anchor.height,
            anchor.hash,
            anchor.time,
            anchor.trust.name(),
            if anchor.is_final { "final" } else { "not final" }
        ));
    }
    for pending in &state.pending {
        explanation.lines.push(format!("anchor of {digest}: pending at {}", pending.uri));
    }
    for height in &state.header_missing {
        explanation.lines.push(format!("anchor of {digest}: names block {height}, whose header is not known"));
    }
}

/// Nostr event ids are not content addresses of ours: they are searched in the bytes.
fn explain_events(store: &LogStore, what: &str, carriers: &mut BTreeSet<EvidenceId>) -> Result<(), AppError> {
    if !what.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    store.scan(&[Media::NostrEvent], &mut |id, evidence| {
        if evidence.bytes.windows(what.len()).any(|window| window == what.as_bytes()) {
            carriers.insert(id);
        }
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(())
}

fn explain_carrier(
    store: &LogStore,
    set: &VerifiedSet,
    id: EvidenceId,
    explanation: &mut Explanation,
) -> Result<(), AppError> {
    let Some(evidence) = store.get(&id)? else { return Ok(()) };
    explanation.lines.push(format!("evidence {id}: {}, {} bytes", evidence.media, evidence.bytes.len()));
    store.scan_side(&mut |record| {
        if let SideRecord::Sighting(Sighting { evidence, source, place, offset }) = record
            && evidence == id
        {
            explanation.lines.push(format!("  seen at {source}, {place} offset {offset}"));
        }
        std::ops::ControlFlow::Continue(())
    })?;
    for finding in findings_on(set, id) {
        explanation.lines.push(format!("  {} {}", finding.code, finding.explanation));
    }
    Ok(())
}
