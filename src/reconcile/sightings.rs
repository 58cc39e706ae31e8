//! Which sources gave which evidence: a million pieces have a handful of different answers, each kept once.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{EvidenceId, SourceId};
use crate::scratch::{Ascending, Scratch, ScratchError, Sorter, Table};

/// Which sources gave which evidence. Rows lie beside memory.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    seen: Table<EvidenceId, u32>,
    sets: Sets,
}

/// The different sets of sources, by number.
#[derive(Debug, Clone, Default)]
struct Sets {
    by_number: Vec<BTreeSet<SourceId>>,
    numbers: BTreeMap<BTreeSet<SourceId>, u32>,
    /// What two of them make together, once that was asked.
    unions: BTreeMap<(u32, u32), u32>,
}

impl Sets {
    fn number(&mut self, set: BTreeSet<SourceId>) -> u32 {
        if let Some(number) = self.numbers.get(&set) {
            return *number;
        }
        // Four thousand million different sets of sources would not fit in memory.
        let number = u32::try_from(self.by_number.len()).unwrap_or(u32::MAX);
        self.by_number.push(set.clone());
        self.numbers.insert(set, number);
        number
    }

    fn get(&self, number: u32) -> Option<&BTreeSet<SourceId>> {
        self.by_number.get(usize::try_from(number).ok()?)
    }

    fn union(&mut self, one: u32, other: u32) -> u32 {
        if let Some(number) = self.unions.get(&(one, other)) {
            return *number;
        }
        let both = [one, other].into_iter().filter_map(|number| self.get(number)).flatten().cloned().collect();
        let number = self.number(both);
        self.unions.insert((one, other), number);
        number
    }
}

/// Sightings while they are gathered, in any order, each as often as it comes.
#[derive(Debug, Default)]
pub struct SightingsSorter {
    rows: Sorter<EvidenceId, u32>,
    sets: Sets,
    /// The source that was met last, which mostly comes again.
    last: Option<(SourceId, u32)>,
}

impl SightingsSorter {
    /// Puts what is too much for memory there.
    pub fn in_place(scratch: Scratch) -> Self {
        Self { rows: Sorter::in_place(scratch), ..Self::default() }
    }

    /// Notes that a source gave a piece.
    pub fn add(&mut self, id: EvidenceId, source: &SourceId) {
        let number = match &self.last {
            Some((last, number)) if last == source => *number,
            _ => {
                let number = self.sets.number(BTreeSet::from([source.clone()]));
                self.last = Some((source.clone(), number));
                number
            }
        };
        self.rows.push(&id, &number);
    }

    /// All of them.
    pub fn finish(self) -> Sightings {
        let Self { rows, mut sets, .. } = self;
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
    sets: &'s Sets,
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
    fn equal_answers_are_kept_once() {
        let pairs = (0..200).flat_map(|number| [1, 2, 3].map(|by| (piece(number), relay(by))));
        let many: Sightings = pairs.collect();
        assert_eq!(many.iter().count(), 200);
        assert_eq!(many.sets.by_number.len(), 5, "each source, the first two, all three");
    }
}
