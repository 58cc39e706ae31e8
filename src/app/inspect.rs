//! Looking at single things: judging files on their own, and telling where an id came from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::AppError;
use super::judge::{judge, side_tables, worker_threads};
use super::observer::{Cancel, Silent};
use super::run::RunFolder;
use crate::domain::{Code, Digest32, EvidenceId, Finding, Media, RawEvidence, Severity, Sighting, TrustPolicy};
use crate::evidence::sniff;
use crate::report::REPORT_SCHEMA;
use crate::store::{EvidenceStore, LogStore, MemoryStore, SideRecord};
use crate::substrate::{Captured, EvidenceSource, FilesSource, Sink, Stopped};
use crate::verify::VerifiedSet;

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Holds.
    Ok,
    /// Something it needs is not here (a header, a key): not judged.
    Unchecked,
    /// Does not hold.
    Bad,
}

impl Fate {
    /// `ok`, `unchecked` or `bad`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unchecked => "unchecked",
            Self::Bad => "bad",
        }
    }
}

/// One judged record.
#[derive(Debug, Clone)]
pub struct JudgedRecord {
    /// File name and offset.
    pub place: String,
    /// What it was taken for.
    pub media: Media,
    /// Its content address.
    pub id: EvidenceId,
    /// What became of it.
    pub fate: Fate,
    /// Why, and what was found beside.
    pub findings: Vec<Finding>,
}

#[derive(Default)]
struct Collected {
    records: Vec<(RawEvidence, String, u64)>,
}

impl Sink for Collected {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        self.records.push((captured.evidence, captured.place, captured.offset));
        Ok(())
    }

    fn cancelled(&self) -> bool {
        false
    }
}

/// Judges files on their own; `context` are key sets and headers to judge them with.
///
/// # Errors
/// [`AppError`] for files that can't be read.
pub fn verify_files(
    files: &[PathBuf],
    context: &[(Media, Vec<PathBuf>)],
    policy: &TrustPolicy,
    jobs: usize,
    cancel: &Cancel,
) -> Result<Vec<JudgedRecord>, AppError> {
    let mut store = MemoryStore::default();
    let mut helpers = Collected::default();
    for (media, paths) in context {
        FilesSource::new(*media, paths.clone()).fetch(&mut helpers)?;
    }
    let mut asked = Collected::default();
    for file in files {
        ask(file, &mut asked)?;
    }
    let all: Vec<RawEvidence> =
        helpers.records.iter().chain(&asked.records).map(|(evidence, _, _)| evidence.clone()).collect();
    store.put(&all)?;
    let set = judge(&store, policy, &super::judge::SideTables::default(), &worker_threads(jobs)?, &Silent, cancel)?;
    let mut seen = BTreeSet::new();
    Ok(asked
        .records
        .into_iter()
        .filter(|(evidence, _, _)| seen.insert(evidence.id()))
        .map(|(evidence, place, offset)| judged(&set, &evidence, &format!("{place}:{offset}")))
        .collect())
}

/// Reads a file as what its name, or else its first record, says it is.
fn ask(file: &Path, asked: &mut Collected) -> Result<(), AppError> {
    let mut read = |media| FilesSource::new(media, vec![file.to_owned()]).fetch(asked).map(drop);
    if let Some(media) = sniff::media_of_path(file) {
        return Ok(read(media)?);
    }
    let mut probe = Collected::default();
    FilesSource::new(Media::NostrEvent, vec![file.to_owned()]).fetch(&mut probe)?;
    let first = probe.records.first();
    if first.is_some_and(|(evidence, _, _)| is_report(&evidence.bytes)) {
        return Err(AppError::Config {
            what: format!("{} is a report, which is judged by its evidence", file.display()),
            hint: "`reledger audit DIR` draws the report of a run folder again and compares".to_owned(),
        });
    }
    let media = first.map_or(Media::NostrEvent, |(evidence, _, _)| sniff::media_of_json(&evidence.bytes));
    if file != Path::new("-") {
        return Ok(read(media)?);
    }
    // Standard input can be read once only: it is taken record by record, whatever they are.
    for (evidence, _, _) in &mut probe.records {
        evidence.media = media;
    }
    asked.records.append(&mut probe.records);
    Ok(())
}

fn is_report(bytes: &[u8]) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    value.is_some_and(|value| value["schema"] == REPORT_SCHEMA)
}

fn judged(set: &VerifiedSet, evidence: &RawEvidence, place: &str) -> JudgedRecord {
    let id = evidence.id();
    let findings: Vec<Finding> = findings_on(set, id).cloned().collect();
    let bad = findings.iter().any(is_bad);
    let unchecked =
        findings.iter().any(|finding| waits(finding.code)) || evidence.media == Media::OtsProof && !anchored(set, id);
    let fate = match (bad, unchecked) {
        (true, _) => Fate::Bad,
        (false, true) => Fate::Unchecked,
        (false, false) => Fate::Ok,
    };
    JudgedRecord { place: place.to_owned(), media: evidence.media, id, fate, findings }
}

/// A header, a published key or a pin that was not given could still decide.
const fn waits(code: Code) -> bool {
    matches!(code, Code::OtsHeaderMissing | Code::KeyUnknown | Code::SigKeyUnknown)
}

fn is_bad(finding: &Finding) -> bool {
    let severity = finding.severity_override.unwrap_or_else(|| finding.code.severity());
    let undecodable =
        matches!(finding.code, Code::EvtMalformed | Code::SrcParse | Code::EnvSchema | Code::EvtNotEnvelope);
    finding.explained_by.is_none() && !waits(finding.code) && (severity >= Severity::Error || undecodable)
}

fn anchored(set: &VerifiedSet, proof: EvidenceId) -> bool {
    set.anchors.values().any(|state| state.confirmed.iter().any(|anchor| anchor.proof == proof))
}

fn findings_on(set: &VerifiedSet, id: EvidenceId) -> impl Iterator<Item = &Finding> {
    set.findings.iter().filter(move |finding| finding.evidence.iter().any(|evidence| evidence.id == id))
}

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
    explain_fingerprint(folder, what, &mut explanation)?;
    if !folder.evidence().is_dir() {
        return Ok(explanation);
    }
    let store = LogStore::open_read_only(&folder.evidence())?;
    let tables = side_tables(&store)?;
    let set = judge(&store, policy, &tables, &worker_threads(jobs)?, &Silent, &Cancel::default())?;
    let matches = |digest: &Digest32| what.len() >= 8 && digest.to_hex().starts_with(what);
    let mut carriers: BTreeSet<EvidenceId> = store.ids()?.into_iter().filter(|id| matches(&id.0)).collect();
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

fn explain_fingerprint(folder: &RunFolder, what: &str, explanation: &mut Explanation) -> Result<(), AppError> {
    let text = match std::fs::read_to_string(folder.report()) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(AppError::io("read", &folder.report())(error)),
    };
    let Ok(report) = serde_json::from_str::<serde_json::Value>(&text) else { return Ok(()) };
    let divergences = report["divergences"].as_array().map(Vec::as_slice).unwrap_or_default();
    for divergence in divergences {
        let names_it = divergence["fingerprint"].as_str().is_some_and(|fingerprint| fingerprint.starts_with(what))
            || divergence["subject"].as_object().is_some_and(|subject| {
                subject.values().any(|value| value.as_str().is_some_and(|value| value.starts_with(what)))
            });
        if what.len() >= 8 && names_it {
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
        }
    }
    Ok(())
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
    if what.len() < 8 || !what.bytes().all(|byte| byte.is_ascii_hexdigit()) {
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
