//! Which sources gave which evidence: a million pieces have a handful of different answers, each kept once.

use std::collections::BTreeSet;

use crate::domain::{EvidenceId, SourceId, SourceSets};
use crate::scratch::{Ascending, Scratch, ScratchError, Sorter, Table};

/// Which sources gave which evidence. Rows lie beside memory.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    seen: Table<EvidenceId, u32>,
    sets: SourceSets,
}

/// Sightings while they are gathered, in any order, each as often as it comes.
#[derive(Debug, Default)]
pub struct SightingsSorter {
    rows: Sorter<EvidenceId, u32>,
    sets: SourceSets,
}

impl SightingsSorter {
    /// Puts what is too much for memory there.
    pub fn in_place(scratch: Scratch) -> Self {
        Self { rows: Sorter::in_place(scratch), ..Self::default() }
    }

    /// Notes that a source gave a piece.
    pub fn add(&mut self, id: EvidenceId, source: &SourceId) {
        let number = self.sets.single(source);
        self.rows.push(&id, &number);
    }

    /// All of them.
    pub fn finish(self) -> Sightings {
        let Self { rows, mut sets } = self;
        let seen = rows.finish(|held, other| *held = sets.union(*held, other));
        Sightings { seen, sets }
    }
}

impl Sightings {
    /// The sources that gave a piece.
    pub fn get(&self, id: &EvidenceId) -> Option<&BTreeSet<SourceId>> {
        self.sets.get(self.seen.get(id)?)
    }

    /// The set of that number, as [`Beside::number`] gives it.
    pub(super) fn set(&self, number: u32) -> Option<&BTreeSet<SourceId>> {
        self.sets.get(number)
    }

    /// Every piece that was seen, in order of id, with its sources.
    pub fn iter(&self) -> impl Iterator<Item = (EvidenceId, &BTreeSet<SourceId>)> {
        self.seen.iter().filter_map(|(id, number)| Some((id, self.sets.get(number)?)))
    }

    /// For whoever asks in order of id.
    pub fn beside(&self) -> Beside<'_> {
        Beside { walk: Ascending::over(&self.seen), sets: &self.sets }
    }

    /// Fails when what lies beside memory could not be written or read back.
    ///
    /// # Errors
    /// [`ScratchError`].
    pub fn check(&self) -> Result<(), ScratchError> {
        self.seen.check()
    }
}

/// A walk beside others that are in order of id too.
#[derive(Debug)]
pub struct Beside<'s> {
    walk: Ascending<EvidenceId, u32>,
    sets: &'s SourceSets,
}

impl<'s> Beside<'s> {
    /// As [`Sightings::get`], for ids that never descend.
    pub fn get(&mut self, id: &EvidenceId) -> Option<&'s BTreeSet<SourceId>> {
        self.sets.get(self.number(id)?)
    }

    /// The number of the sources' set.
    pub(super) fn number(&mut self, id: &EvidenceId) -> Option<u32> {
        self.walk.get(id)
    }
}

impl PartialEq for Sightings {
    /// Equal when they tell the same, in whatever order it was noted.
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl FromIterator<(EvidenceId, SourceId)> for Sightings {
    fn from_iter<I: IntoIterator<Item = (EvidenceId, SourceId)>>(pairs: I) -> Self {
        let mut sightings = SightingsSorter::default();
        pairs.into_iter().for_each(|(id, source)| sightings.add(id, &source));
        sightings.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sha256;

    fn piece(number: u8) -> EvidenceId {
        EvidenceId(sha256(&[number]))
    }

    fn relay(number: u8) -> SourceId {
        SourceId(format!("wss://relay-{number}.example"))
    }

    #[test]
    fn it_tells_what_was_noted_whatever_the_order_and_repetition() {
        let pairs: Vec<(u8, u8)> = vec![(1, 1), (2, 1), (1, 2), (2, 2), (3, 3), (1, 1), (3, 1)];
        let made =
            |pairs: &[(u8, u8)]| -> Sightings { pairs.iter().map(|(id, by)| (piece(*id), relay(*by))).collect() };
        let forward = made(&pairs);
        let backward = made(&pairs.iter().copied().rev().collect::<Vec<_>>());
        assert_eq!(forward, backward);
        assert_eq!(forward.get(&piece(1)), Some(&BTreeSet::from([relay(1), relay(2)])));
        assert_eq!(forward.get(&piece(3)), Some(&BTreeSet::from([relay(1), relay(3)])));
        assert_eq!(forward.get(&piece(4)), None);
        assert_ne!(forward, made(&pairs[1..5]));
        let mut beside = forward.beside();
        let mut asked: Vec<EvidenceId> = (0..9).map(piece).collect();
        asked.sort_unstable();
        assert!(asked.iter().all(|id| beside.get(id) == forward.get(id)));
    }

    #[test]
    fn every_piece_is_told_once_however_many_gave_it() {
        let pairs = (0..200).flat_map(|number| [1, 2, 3].map(|by| (piece(number), relay(by))));
        let many: Sightings = pairs.collect();
        assert_eq!(many.iter().count(), 200);
        assert!(many.iter().all(|(_, sources)| *sources == [1, 2, 3].map(relay).into()));
    }
}
