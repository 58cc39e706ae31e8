//! Which sightings are told already: each stands in the log once, however often a capture is repeated.

use std::collections::BTreeMap;

use super::side::{Kept, SeenAt};
use super::told::Told;
use super::{SideRecord, StoreError};
use crate::domain::{EvidenceId, Sighting, SourceId};

/// Sightings in one record: some 80 kB.
const TOGETHER: usize = 1_024;

/// Knows what is told. A capture of what nobody gave before asks nothing and remembers nothing; the log is read for the first
/// piece that is known already.
///
/// Memory: about 50 bytes for each piece of the log from then on, until [`Sighted::forget`].
#[derive(Default)]
pub(super) struct Sighted {
    /// What the last batch of evidence brought, ascending: nobody can have told of it.
    fresh: Vec<EvidenceId>,
    /// What the log tells; `None` until somebody has to know.
    told: Option<Told>,
}

impl Sighted {
    /// Notes which evidence was not held before.
    pub(super) fn brought(&mut self, fresh: impl Iterator<Item = EvidenceId>) {
        self.fresh.clear();
        self.fresh.extend(fresh);
        self.fresh.sort_unstable();
    }

    /// Drops what is remembered; the log is read again when it is needed.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The sightings among the records that are not told yet, by source and place. What the log tells is asked for at most once.
    ///
    /// # Errors
    /// Those of reading the log.
    pub(super) fn news(
        &mut self,
        records: &[SideRecord],
        log: impl FnOnce() -> Result<Told, StoreError>,
    ) -> Result<Vec<Kept>, StoreError> {
        let mut first: Vec<&Sighting> = Vec::with_capacity(records.len());
        first.extend(records.iter().filter_map(|record| match record {
            SideRecord::Sighting(sighting) => Some(sighting),
            _ => None,
        }));
        // The order of equals is kept: of several the first counts.
        first.sort_by(|one, other| key(one).cmp(&key(other)));
        first.dedup_by(|later, first| key(later) == key(first));
        if self.told.is_none() && first.iter().any(|sighting| self.fresh.binary_search(&sighting.evidence).is_err()) {
            self.told = Some(log()?);
        }
        let told = self.told.as_ref();
        let is_told = |source: &SourceId, evidence: &EvidenceId| {
            told.and_then(|told| told.get(evidence)).is_some_and(|sources| sources.contains(source))
        };
        let mut places: BTreeMap<(&SourceId, &str), Vec<(EvidenceId, u64)>> = BTreeMap::new();
        for sighting in first {
            let Sighting { source, evidence, place, offset } = sighting;
            if !is_told(source, evidence) {
                places.entry((source, place)).or_default().push((*evidence, *offset));
            }
        }
        let records = places.iter().flat_map(|((source, place), evidence)| {
            evidence.chunks(TOGETHER).map(|evidence| {
                let evidence = evidence.to_vec();
                Kept::Many(SeenAt { source: SourceId::clone(source), place: (*place).to_owned(), evidence })
            })
        });
        Ok(records.collect())
    }

    /// Notes what the log tells from now on.
    pub(super) fn told(&mut self, seen: &[Kept]) {
        self.fresh.clear();
        let Some(told) = &mut self.told else { return };
        for kept in seen {
            if let Kept::Many(at) = kept {
                at.evidence.iter().for_each(|(evidence, _)| told.add(*evidence, &at.source));
            }
        }
    }
}

fn key(sighting: &Sighting) -> (&SourceId, EvidenceId) {
    (&sighting.source, sighting.evidence)
}
