//! Judging files on their own.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::attest::{AttestationTrust, JudgedAttestation, envelope_in, judge_attestation};
use super::balance_proofs::{self, JudgedBalanceProof};
use super::bundle::{BUNDLE_BYTES_MAX, JudgedBundle, OwnTrust, looks_like_bundle, verify_bundle};
use super::checkpoints::{self, JudgedCheckpointProof};
use super::error::AppError;
use super::judge::{SideTables, judge, worker_threads};
use super::observer::{Cancel, Silent};
use super::seals;
use crate::domain::{Code, Condition, EvidenceId, Finding, Media, Severity, TrustPolicy, UnixMicros, UnixSeconds};
use crate::evidence::{OcMeBody, sniff};
use crate::report::REPORT_SCHEMA;
use crate::store::{EvidenceStore, MemoryStore, StoreError};
use crate::substrate::{Captured, EvidenceSource, FilesSource, Sink, SourceError, Stopped};
use crate::verify::VerifiedSet;

mod piped;

use piped::Piped;

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
    /// For a proof: the blocks it leads to, with the header's trust. For a seal: what it seals and by which key. For an
    /// activity attestation: until when it speaks.
    pub anchors: Vec<String>,
    /// Why, and what was found beside.
    pub findings: Vec<Finding>,
    /// What it brings when it does not hold.
    pub condition: Option<Condition>,
}

/// Bytes of a file's beginning and end looked at to tell whether it is a bundle.
const BUNDLE_LOOK_BYTES: u64 = 8 * 1024;
/// One byte more than a bundle may have.
const BUNDLE_READ_MAX: u64 = BUNDLE_BYTES_MAX as u64 + 1;
/// Folders inside folders that `verify` goes through.
const FOLDER_DEPTH_MAX: usize = 32;

/// Where records came from, in order; their bytes are in the store, once.
struct Collected<'a> {
    store: &'a mut MemoryStore,
    cancel: &'a Cancel,
    records: Vec<Seen>,
    /// Why a file was not read to its end.
    faults: Vec<String>,
    failure: Option<StoreError>,
}

struct Seen {
    id: EvidenceId,
    media: Media,
    place: String,
    offset: u64,
}

impl Sink for Collected<'_> {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        let Captured { evidence, place, offset, .. } = captured;
        self.records.push(Seen { id: evidence.id(), media: evidence.media, place, offset });
        if let Err(error) = self.store.put_addressed(&[evidence]) {
            self.failure = Some(error);
            return Err(Stopped);
        }
        Ok(())
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

impl Collected<'_> {
    fn take(&mut self, mut source: impl EvidenceSource) -> Result<(), AppError> {
        let fetched = source.fetch(self);
        if let Some(error) = self.failure.take() {
            return Err(error.into());
        }
        self.cancel.check()?;
        let reasons: Vec<String> = fetched?.into_iter().map(|receipt| receipt.reason).collect();
        for reason in reasons.into_iter().filter(|reason| !reason.is_empty()) {
            self.faults.push(reason);
        }
        Ok(())
    }
}

/// Keeps the first record and asks for no more.
#[derive(Default)]
struct First(Option<Vec<u8>>);

impl Sink for First {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        self.0.get_or_insert(captured.evidence.into_evidence().bytes);
        Err(Stopped)
    }

    fn cancelled(&self) -> bool {
        self.0.is_some()
    }
}

/// What judging files gave.
#[derive(Debug, Default)]
pub struct JudgedFiles {
    /// Every distinct record, in order.
    pub records: Vec<JudgedRecord>,
    /// Why a file was not read to its end: cut off, damaged, a link out of its folder. Foreign text is still raw.
    pub faults: Vec<String>,
    /// Proofs about balances.
    pub proofs: Vec<JudgedBalanceProof>,
    /// Proofs out of checkpoints.
    pub checkpoint_proofs: Vec<JudgedCheckpointProof>,
    /// Every divergence bundle, in order.
    pub bundles: Vec<JudgedBundle>,
    /// Every attestation, by its signatures alone.
    pub attestations: Vec<JudgedAttestation>,
}

/// What files are judged with.
#[derive(Debug, Clone, Copy)]
pub struct JudgedWith<'a> {
    /// Key sets, headers and custody records, by what they are.
    pub context: &'a [(Media, Vec<PathBuf>)],
    /// Whom the reader trusts.
    pub policy: &'a TrustPolicy,
    /// The policy and context were named by the reader: bundles are judged under them too, and not under their own alone.
    pub is_named: bool,
    /// Tells what has expired.
    pub now: UnixSeconds,
    /// Worker threads; 0 is one per core.
    pub jobs: usize,
}

/// Judges files on their own. Of a folder, every file below it.
///
/// Memory holds every record: this is for single files, a run is for archives.
///
/// # Errors
/// [`AppError`] for files that can't be read.
pub fn verify_files(files: &[PathBuf], with: &JudgedWith<'_>, cancel: &Cancel) -> Result<JudgedFiles, AppError> {
    let JudgedWith { policy, now, jobs, .. } = *with;
    let mut store = MemoryStore::default();
    let mut collected = Collected { store: &mut store, cancel, records: Vec::new(), faults: Vec::new(), failure: None };
    for (media, paths) in with.context {
        collected.take(FilesSource::new(*media, paths.clone()))?;
    }
    collected.records.clear();
    let (files, mut proofs) = balance_proofs::split(files)?;
    let (files, mut checkpoint_proofs) = checkpoints::split(&files, &policy.seal_keys)?;
    let own = if with.is_named { Some(own_trust(&*collected.store, policy)?) } else { None };
    let mut bundles = Vec::new();
    let mut judge_bundle = |place: &str, bytes: &[u8]| -> Result<(), AppError> {
        bundles.push(verify_bundle(place, bytes, own.as_ref(), jobs, cancel)?);
        Ok(())
    };
    let trust = AttestationTrust { keys: policy.seal_keys.clone(), threshold: 1 };
    let mut attestations = Vec::new();
    for file in &files {
        if let Some((place, reader)) = piped::only_once(file)? {
            match piped::read(reader)? {
                Piped::Records(source) => collected.take(source)?,
                Piped::Bundle(bytes) => judge_bundle(&place, &bytes)?,
                Piped::Proof(bytes) => proofs.push(balance_proofs::judge(place, &bytes)),
                Piped::CheckpointProof(bytes) => {
                    checkpoint_proofs.push(checkpoints::judge_proof(place, &bytes, &policy.seal_keys));
                }
                Piped::Attestation(bytes) => attestations.push(judge_attestation(&place, &bytes, &trust)),
            }
            continue;
        }
        let mut below = Vec::new();
        regular_files(file, 0, &mut below)?;
        for file in below {
            if let Some(bytes) = bundle_in(&file)? {
                judge_bundle(&place_of(&file), &bytes)?;
            } else if let Some(bytes) = envelope_in(&file) {
                attestations.push(judge_attestation(&place_of(&file), &bytes, &trust));
            } else {
                take_file(&mut collected, file, policy)?;
            }
        }
    }
    let Collected { records, faults, .. } = collected;
    let set = judge(&store, policy, &SideTables::default(), &worker_threads(jobs)?, &Silent, cancel)?;
    let mut seen = BTreeSet::new();
    let mut judged_records = Vec::new();
    for record in records.into_iter().filter(|record| seen.insert(record.id)) {
        let mut record = judged(&set, record);
        if let Some(said) = seals::said_of(&store, policy, &record)? {
            record.anchors.push(said);
            if policy.seal_keys.is_empty() && record.fate == Fate::Ok {
                record.fate = Fate::Unchecked;
            }
        }
        record.anchors.extend(expiry_of(&set, record.id, now));
        judged_records.push(record);
    }
    Ok(JudgedFiles { records: judged_records, faults, bundles, proofs, checkpoint_proofs, attestations })
}

fn take_file(collected: &mut Collected<'_>, file: PathBuf, policy: &TrustPolicy) -> Result<(), AppError> {
    let media = match sniff::media_of_path(&file) {
        Some(media) => media,
        None if seals::looks_like_snapshot(&file) => Media::Snapshot,
        None => first_media(FilesSource::new(Media::NostrEvent, vec![file.clone()]))?,
    };
    match media {
        Media::Snapshot => collected.take(seals::SnapshotSource::new(vec![file], policy.seal_keys.clone())),
        media => collected.take(FilesSource::new(media, vec![file])),
    }
}

/// The reader's policy, key sets and headers.
fn own_trust(store: &dyn EvidenceStore, policy: &TrustPolicy) -> Result<OwnTrust, AppError> {
    let mut evidence = Vec::new();
    store.scan(&[Media::Jwks, Media::AuthJwks, Media::Headers], &mut |_, raw| {
        evidence.push(raw);
        ControlFlow::Continue(())
    })?;
    Ok(OwnTrust { policy: policy.clone(), evidence })
}

fn place_of(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The bytes of a file that is meant to be a bundle; of one that is too large, enough to see that it is.
fn bundle_in(file: &Path) -> Result<Option<Vec<u8>>, AppError> {
    let failed = || AppError::io("read", file);
    let mut open = File::open(file).map_err(AppError::missing(file))?;
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    open.by_ref().take(BUNDLE_LOOK_BYTES).read_to_end(&mut head).map_err(failed())?;
    let length = open.metadata().map_err(failed())?.len();
    open.seek(SeekFrom::Start(length.saturating_sub(BUNDLE_LOOK_BYTES))).map_err(failed())?;
    open.by_ref().take(BUNDLE_LOOK_BYTES).read_to_end(&mut tail).map_err(failed())?;
    if !looks_like_bundle(&place_of(file), &head, &tail) {
        return Ok(None);
    }
    open.seek(SeekFrom::Start(0)).map_err(failed())?;
    let mut bytes = Vec::new();
    open.take(BUNDLE_READ_MAX).read_to_end(&mut bytes).map_err(failed())?;
    Ok(Some(bytes))
}

/// The files at or below a path in order of name, without hidden ones and without links.
// Recursion is bounded by FOLDER_DEPTH_MAX.
pub(super) fn regular_files(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), AppError> {
    if !path.is_dir() || depth > FOLDER_DEPTH_MAX {
        found.push(path.to_owned());
        return Ok(());
    }
    let entries = std::fs::read_dir(path).and_then(std::iter::Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries: Vec<PathBuf> =
        entries.map_err(AppError::io("read", path))?.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && !entry.is_symlink() {
            regular_files(&entry, depth.saturating_add(1), found)?;
        }
    }
    Ok(())
}

/// What the first record of a source looks like.
fn first_media(mut source: FilesSource) -> Result<Media, AppError> {
    let mut first = First::default();
    match source.fetch(&mut first) {
        Ok(_) | Err(SourceError::Stopped(_)) => {}
        Err(error) => return Err(error.into()),
    }
    match first.0 {
        Some(bytes) if is_report(&bytes) => Err(AppError::Config {
            what: "a report is judged by its evidence, not by itself".to_owned(),
            hint: "`reledger audit DIR` draws the report of a run folder again and compares".to_owned(),
        }),
        Some(bytes) => Ok(sniff::media_of_json(&bytes)),
        None => Ok(Media::NostrEvent),
    }
}

fn is_report(bytes: &[u8]) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    value.is_some_and(|value| value["schema"] == REPORT_SCHEMA)
}

fn judged(set: &VerifiedSet, record: Seen) -> JudgedRecord {
    let Seen { id, media, place, offset } = record;
    let findings: Vec<Finding> = findings_on(set, id).cloned().collect();
    let anchors = anchors_of(set, id);
    let bad = findings.iter().any(is_bad);
    let unchecked =
        findings.iter().any(|finding| waits(finding.code)) || media == Media::OtsProof && anchors.is_empty();
    let fate = match (bad, unchecked) {
        (true, _) => Fate::Bad,
        (false, true) => Fate::Unchecked,
        (false, false) => Fate::Ok,
    };
    let condition = findings.iter().filter(|finding| is_bad(finding)).map(seals::condition).min();
    JudgedRecord { place: format!("{place}:{offset}"), media, id, fate, anchors, findings, condition }
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

/// The blocks that this proof leads to, in words.
fn anchors_of(set: &VerifiedSet, proof: EvidenceId) -> Vec<String> {
    let anchors = set.anchors.values().flat_map(|state| state.confirmed).filter(|anchor| anchor.proof == proof);
    let words = anchors.map(|anchor| {
        format!("block {} {} at {} (header trust: {})", anchor.height, anchor.hash, anchor.time, anchor.trust.name())
    });
    words.collect()
}

/// Until when an activity attestation speaks (FORMATS 3.8). One that has expired is as genuine as before.
fn expiry_of(set: &VerifiedSet, record: EvidenceId, now: UnixSeconds) -> Option<String> {
    let envelopes = set.envelopes.values().filter(|envelope| envelope.carriers().contains(record));
    let expires = envelopes.filter_map(|envelope| match &*envelope.fact().body {
        OcMeBody::Activity(activity) => Some(activity.expires_at),
        _ => None,
    });
    let expires = expires.min()?;
    let word = if expires <= UnixMicros::from(now) { "expired" } else { "valid until" };
    Some(format!("{word} {}", expires.seconds()))
}

pub(super) fn findings_on(set: &VerifiedSet, id: EvidenceId) -> impl Iterator<Item = &Finding> {
    set.findings.iter().filter(move |finding| finding.evidence.iter().any(|evidence| evidence.id == id))
}
