//! Which evidence only one of two runs holds, and which of its sources gave it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use crate::app::audit::sealed_store;
use crate::app::error::AppError;
use crate::domain::{EvidenceId, Media, SourceId};
use crate::store::{EvidenceStore, LogStore, SideRecord};

/// Items of one side that are listed; all are counted.
const LISTED_MAX: usize = 1_000;

/// One piece of evidence that the other side lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unshared {
    /// Its id.
    pub id: EvidenceId,
    /// What it is.
    pub media: Option<Media>,
    /// The sources that gave it, ascending.
    pub sources: BTreeSet<SourceId>,
}

/// What each side holds alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EvidenceDifference {
    /// Items only in the first.
    pub only_left: u64,
    /// Items only in the second.
    pub only_right: u64,
    /// The first thousand of those by id.
    pub left: Vec<Unshared>,
    /// The same of the second.
    pub right: Vec<Unshared>,
}

/// Compares the evidence of two finished runs.
///
/// # Errors
/// [`AppError::Untrusted`] when a member of either does not match its manifest; [`AppError`] for local failures.
pub(super) fn differing(left: &Path, right: &Path) -> Result<EvidenceDifference, AppError> {
    let (one, two) = (sealed_store(left)?.0, sealed_store(right)?.0);
    let (own, other) = (one.ids()?, two.ids()?);
    let (left, right) = (lacking(&own, &other), lacking(&other, &own));
    Ok(EvidenceDifference {
        only_left: left.len() as u64,
        only_right: right.len() as u64,
        left: seen(&one, &left)?,
        right: seen(&two, &right)?,
    })
}

/// What the other list does not hold; both ascend.
fn lacking(own: &[EvidenceId], other: &[EvidenceId]) -> Vec<EvidenceId> {
    own.iter().filter(|id| other.binary_search(id).is_err()).copied().collect()
}

fn seen(store: &LogStore, ids: &[EvidenceId]) -> Result<Vec<Unshared>, AppError> {
    let mut sources: BTreeMap<EvidenceId, BTreeSet<SourceId>> =
        ids.iter().take(LISTED_MAX).map(|id| (*id, BTreeSet::new())).collect();
    store.scan_side(&mut |record| {
        if let SideRecord::Sighting(sighting) = record
            && let Some(own) = sources.get_mut(&sighting.evidence)
        {
            own.insert(sighting.source);
        }
        ControlFlow::Continue(())
    })?;
    let seen = |(id, sources)| {
        let media = store.get(&id)?.map(|evidence| evidence.media);
        Ok(Unshared { id, media, sources })
    };
    sources.into_iter().map(seen).collect()
}
