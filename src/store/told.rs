//! Which sightings the log holds already: a million pieces have a handful of different sets of sources, each kept once.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{ByDigest, EvidenceId, SourceId};

/// Which sources are said to have given which evidence. About 50 bytes a piece, whatever the sources are called.
#[derive(Debug, Clone)]
pub(super) struct Told {
    seen: ByDigest<EvidenceId, u32>,
    /// The different sets of sources, the empty one first, and for each where one source more leads.
    sets: Vec<(BTreeSet<SourceId>, BTreeMap<SourceId, u32>)>,
    numbers: BTreeMap<BTreeSet<SourceId>, u32>,
}

impl Default for Told {
    fn default() -> Self {
        Self { seen: ByDigest::default(), sets: vec![Default::default()], numbers: BTreeMap::new() }
    }
}

impl Told {
    /// Notes that a source gave a piece.
    pub(super) fn add(&mut self, id: EvidenceId, source: &SourceId) {
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
    pub(super) fn get(&self, id: &EvidenceId) -> Option<&BTreeSet<SourceId>> {
        self.seen.get(id).and_then(|number| self.sets.get(*number as usize)).map(|(sources, _)| sources)
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
    fn it_tells_what_was_noted_whatever_the_order_and_repetition_and_keeps_equal_answers_once() {
        let mut told = Told::default();
        for (number, by) in [(1, 1), (2, 1), (1, 2), (2, 2), (3, 3), (1, 1), (3, 1)] {
            told.add(piece(number), &relay(by));
        }
        assert_eq!(told.get(&piece(1)), Some(&BTreeSet::from([relay(1), relay(2)])));
        assert_eq!(told.get(&piece(3)), Some(&BTreeSet::from([relay(1), relay(3)])));
        assert_eq!(told.get(&piece(4)), None);
        let before = told.sets.len();
        for number in 10..200 {
            for by in [1, 2] {
                told.add(piece(number), &relay(by));
            }
        }
        assert_eq!(told.sets.len(), before);
    }
}
