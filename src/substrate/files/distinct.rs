//! How many different pieces came.

use crate::domain::EvidenceId;

/// Ids that wait before they are sorted in, at least: a small source never sorts before its end.
const WAITING_MIN: usize = 4_096;

/// Counts different ids. Some 32 to 64 bytes for each, however often it comes: a tree takes half as much again, and waits for memory with each id.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    /// The first `sorted` are different and ascend.
    ids: Vec<EvidenceId>,
    sorted: usize,
}

impl Distinct {
    /// Notes an id.
    pub(super) fn note(&mut self, id: EvidenceId) {
        // As many wait as are known: each id is sorted a few times in all.
        if self.ids.len() >= self.sorted.saturating_mul(2).max(WAITING_MIN) {
            self.sort();
        }
        self.ids.push(id);
    }

    /// How many different ones there were.
    pub(super) fn count(mut self) -> usize {
        self.sort();
        self.ids.len()
    }

    fn sort(&mut self) {
        self.ids.sort_unstable();
        self.ids.dedup();
        self.sorted = self.ids.len();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::sha256;

    #[test]
    fn it_counts_as_a_set_does_in_whatever_order_and_however_often_they_come() {
        for (ids, different) in [(0_u64, 1), (3, 2), (20_000, 30_000), (50_000, 37), (50_000, 9_000)] {
            let (mut distinct, mut set) = (Distinct::default(), BTreeSet::new());
            for number in 0..ids {
                let id = EvidenceId(sha256(&(number * 7 % different).to_be_bytes()));
                distinct.note(id);
                set.insert(id);
                assert!(distinct.ids.len() <= (2 * set.len()).max(WAITING_MIN) + 1);
            }
            assert_eq!(distinct.count(), set.len());
        }
    }
}
