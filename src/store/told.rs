//! Which sightings the log holds already.

use std::collections::BTreeSet;

use crate::domain::{ByDigest, EvidenceId, SourceId, SourceSets};

/// Which sources are said to have given which evidence. About 50 bytes a piece, whatever the sources are called.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    seen: ByDigest<EvidenceId, u32>,
    sets: SourceSets,
}

impl Told {
    /// Notes that a source gave a piece.
    pub(super) fn add(&mut self, id: EvidenceId, source: &SourceId) {
        let sets = &mut self.sets;
        let single = sets.single(source);
        self.seen.merge(id, single, |held, single| *held = sets.union(*held, single));
    }

    /// The sources that gave a piece.
    pub(super) fn get(&self, id: &EvidenceId) -> Option<&BTreeSet<SourceId>> {
        self.sets.get(*self.seen.get(id)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sha256;

    #[test]
    fn it_tells_what_was_noted_whatever_the_order_and_repetition() {
        let mut told = Told::default();
        let piece = |number: u8| EvidenceId(sha256(&[number]));
        let source = |name: u8| SourceId(name.to_string());
        for (number, by) in [(1, 1), (2, 1), (1, 2), (2, 2), (3, 3), (1, 1), (3, 1)] {
            told.add(piece(number), &source(by));
        }
        assert_eq!(told.get(&piece(1)), Some(&BTreeSet::from([source(1), source(2)])));
        assert_eq!(told.get(&piece(3)), Some(&BTreeSet::from([source(1), source(3)])));
        assert_eq!(told.get(&piece(4)), None);
    }
}
