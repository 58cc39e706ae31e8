//! Which sources gave which evidence: a million pieces have a handful of different answers, each kept once.

use std::collections::{BTreeMap, BTreeSet};

use super::by_digest::ByDigest;
use super::coverage::SourceId;
use super::id::EvidenceId;

/// Which sources gave which evidence. About 50 bytes a piece, whatever the sources are called.
#[derive(Debug, Clone)]
pub struct Sightings {
    seen: ByDigest<EvidenceId, u32>,
    /// The different sets of sources, the empty one first, and for each where one source more leads.
    sets: Vec<(BTreeSet<SourceId>, BTreeMap<SourceId, u32>)>,
    numbers: BTreeMap<BTreeSet<SourceId>, u32>,
}

impl Default for Sightings {
    fn default() -> Self {
        Self { seen: ByDigest::default(), sets: vec![Default::default()], numbers: BTreeMap::new() }
    }
}

impl Sightings {
    /// Makes room for so many pieces: a table that grows is hashed anew each time.
    pub fn reserve(&mut self, pieces: usize) {
        self.seen.reserve(pieces);
    }

    /// Notes that a source gave a piece.
    pub fn add(&mut self, id: EvidenceId, source: &SourceId) {
        let held = self.seen.get(&id).copied().unwrap_or_default();
        let step = self.sets.get(held as usize).and_then(|(_, steps)| steps.get(source)).copied();
        let next = step.unwrap_or_else(|| self.step(held, source));
        self.seen.insert(id, next);
    }

    /// Where a source more leads from that set, for the first time.
    fn step(&mut self, from: u32, source: &SourceId) -> u32 {
        let mut sources = self.sets.get(from as usize).map(|(sources, _)| sources.clone()).unwrap_or_default();
        sources.insert(source.clone());
        let next = self.numbers.get(&sources).copied().unwrap_or_else(|| {
            // Four thousand million different sets of sources would not fit in memory.
            let number = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
            self.sets.push((sources.clone(), BTreeMap::new()));
            self.numbers.insert(sources, number);
            number
        });
        if let Some((_, steps)) = self.sets.get_mut(from as usize) {
            steps.insert(source.clone(), next);
        }
        next
    }

    /// The sources that gave a piece.
    pub fn get(&self, id: &EvidenceId) -> Option<&BTreeSet<SourceId>> {
        self.seen.get(id).and_then(|number| self.sets.get(*number as usize)).map(|(sources, _)| sources)
    }

    /// Every piece that was seen, in order of id, with its sources.
    pub fn iter(&self) -> impl Iterator<Item = (&EvidenceId, &BTreeSet<SourceId>)> {
        self.seen.sorted().filter_map(|(id, _)| Some((id, self.get(id)?)))
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
        let mut sightings = Self::default();
        pairs.into_iter().for_each(|(id, source)| sightings.add(id, &source));
        sightings
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
    }

    #[test]
    fn equal_answers_are_kept_once() {
        let mut many = Sightings::default();
        for number in 0..200 {
            for by in [1, 2, 3] {
                many.add(piece(number), &relay(by));
            }
        }
        assert_eq!(many.iter().count(), 200);
        assert_eq!(many.sets.len(), 4, "none, one source, two, three");
    }
}
