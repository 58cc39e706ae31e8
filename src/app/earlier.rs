//! What a sealed earlier run saw, compared with the present capture: facts for SRC_SHRANK and SRC_EQUIVOCATION.
//!
//! The earlier run's evidence is not part of the present run's, so what the comparison gives is recorded among the inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use super::audit::sealed_store;
use super::error::AppError;
use super::judge::{SideTables, side_tables};
use crate::domain::{
    Digest32, EvidenceId, Media, OperationId, RawEvidence, SourceId, TrustPolicy, UnixSeconds, sha256,
};
use crate::evidence::{Claim, Decoded, decode};
use crate::reconcile::{EarlierOperation, EarlierRun, EarlierSource};
use crate::store::EvidenceStore;
use crate::verify::{VerifiedSet, Verifier};

/// Media of sources that must only grow. Of events only archives: relays prune.
const GROWING: [Media; 3] = [Media::NostrEvent, Media::Settlement, Media::PaymentLogEntry];
/// Lost items named in one finding; the count is exact.
const NAMED_MAX: usize = 20;
/// Records verified together.
const BATCH_ITEMS: usize = 2_048;

/// The present run.
pub(super) struct Now<'a> {
    pub(super) store: &'a dyn EvidenceStore,
    pub(super) tables: &'a SideTables,
    pub(super) set: &'a VerifiedSet,
    pub(super) policy: &'a TrustPolicy,
    pub(super) as_of: UnixSeconds,
}

/// Reads the finished run in that folder and compares.
///
/// # Errors
/// [`AppError::Untrusted`] when its evidence does not match its manifest; [`AppError`] for local failures.
pub(super) fn compare(folder: &Path, now: &Now<'_>) -> Result<EarlierRun, AppError> {
    let (store, manifest) = sealed_store(folder)?;
    let tables = side_tables(&store)?;
    let (mut sources, mut candidates) = (BTreeMap::new(), Vec::new());
    scan(&store, &GROWING, &mut |id, evidence| {
        for source in tables.sightings.get(&id).into_iter().flatten().filter(|source| grows(source, evidence.media)) {
            sources.entry(source.clone()).or_insert_with(|| held(source)).held += 1;
            if !now.tables.sightings.get(&id).is_some_and(|seen| seen.contains(source)) {
                candidates.push((source.clone(), id));
            }
        }
    })?;
    lose(&store, candidates, &mut sources, now)?;
    Ok(EarlierRun {
        manifest: manifest.digest(),
        sources: sources.into_values().collect(),
        operations: operations(&store, &tables, now)?,
    })
}

fn held(source: &SourceId) -> EarlierSource {
    EarlierSource { source: source.clone(), held: 0, lost: 0, in_gaps: 0, named: Vec::new() }
}

fn grows(source: &SourceId, media: Media) -> bool {
    media != Media::NostrEvent || *source == SourceId::files(media)
}

fn scan(
    store: &dyn EvidenceStore,
    media: &[Media],
    visit: &mut dyn FnMut(EvidenceId, &RawEvidence),
) -> Result<(), AppError> {
    store.scan(media, &mut |id, evidence| {
        visit(id, &evidence);
        ControlFlow::Continue(())
    })?;
    Ok(())
}

/// Counts the candidates that are really gone: the same record in another spelling (white space, order of members) is not.
fn lose(
    earlier: &dyn EvidenceStore,
    candidates: Vec<(SourceId, EvidenceId)>,
    sources: &mut BTreeMap<SourceId, EarlierSource>,
    now: &Now<'_>,
) -> Result<(), AppError> {
    if candidates.is_empty() {
        return Ok(());
    }
    let doubtful: BTreeSet<&SourceId> = candidates.iter().map(|(source, _)| source).collect();
    let mut present: BTreeSet<(SourceId, Digest32)> = BTreeSet::new();
    scan(now.store, &GROWING, &mut |id, evidence| {
        let seen = now.tables.sightings.get(&id).into_iter().flatten();
        for source in seen.filter(|source| doubtful.contains(source)) {
            present.extend(meaning(evidence).map(|meaning| (source.clone(), meaning)));
        }
    })?;
    let mut by_id: BTreeMap<EvidenceId, Vec<SourceId>> = BTreeMap::new();
    for (source, id) in candidates {
        by_id.entry(id).or_default().push(source);
    }
    scan(earlier, &GROWING, &mut |id, evidence| {
        for source in by_id.get(&id).into_iter().flatten() {
            let held = |meaning| present.contains(&(source.clone(), meaning));
            let Some(entry) = sources.get_mut(source).filter(|_| !meaning(evidence).is_some_and(held)) else {
                continue;
            };
            if in_gap(now, source, evidence) {
                entry.in_gaps += 1;
            } else {
                entry.lost += 1;
                entry.named.push(id);
                // The lowest ids, whatever the order of the store.
                entry.named.sort();
                entry.named.truncate(NAMED_MAX);
            }
        }
    })
}

/// The digest of a record's JSON with its members sorted.
fn meaning(evidence: &RawEvidence) -> Option<Digest32> {
    let value: serde_json::Value = serde_json::from_slice(&evidence.bytes).ok()?;
    Some(sha256(value.to_string().as_bytes()))
}

fn in_gap(now: &Now<'_>, source: &SourceId, evidence: &RawEvidence) -> bool {
    let mut gaps = now.policy.gaps.iter().filter(|gap| gap.source == *source && now.as_of < gap.expires).peekable();
    if gaps.peek().is_none() {
        return false;
    }
    let Decoded::Claim(claim, _) = decode(evidence) else { return false };
    let at = match *claim {
        Claim::Nostr(carrier) => carrier.event.created_at,
        Claim::Settlement(claim) => claim.event.settled_at,
        Claim::PaymentLogEntry(entry) => entry.at.seconds(),
        _ => return false,
    };
    gaps.any(|gap| at >= gap.from && at < gap.until)
}

/// Digests of one operation by source.
type Shown = BTreeMap<(OperationId, SourceId), BTreeMap<Digest32, EvidenceId>>;

/// The earlier run's signed settlements of operations that the same source shows otherwise now. All versions that the
/// source showed then are given, so that they can be compared as sets.
fn operations(
    earlier: &dyn EvidenceStore,
    tables: &SideTables,
    now: &Now<'_>,
) -> Result<Vec<EarlierOperation>, AppError> {
    let mut verifier = Verifier::new(now.policy);
    verifier.begin_second_pass();
    let mut batch = Vec::new();
    scan(earlier, &[Media::Settlement], &mut |id, evidence| {
        batch.push((id, evidence.clone()));
        if batch.len() >= BATCH_ITEMS {
            verifier.second_pass(&batch);
            batch.clear();
        }
    })?;
    verifier.second_pass(&batch);
    let present = shown(now.set, now.tables);
    let mut found = Vec::new();
    for ((operation, source), then) in shown(&verifier.finish(), tables) {
        let Some(versions) = present.get(&(operation.clone(), source.clone())) else { continue };
        if then.keys().all(|digest| versions.contains_key(digest)) {
            continue;
        }
        found.extend(then.into_iter().map(|(digest, evidence)| EarlierOperation {
            operation: operation.clone(),
            source: source.clone(),
            digest,
            evidence,
        }));
    }
    Ok(found)
}

fn shown(set: &VerifiedSet, tables: &SideTables) -> Shown {
    let mut shown = Shown::new();
    for verified in set.settlements.values() {
        for carrier in verified.carriers().iter() {
            for source in tables.sightings.get(&carrier).into_iter().flatten() {
                let versions = shown.entry((verified.fact().event.operation.clone(), source.clone())).or_default();
                versions.entry(verified.fact().digest).or_insert(carrier);
            }
        }
    }
    shown
}
