//! The paging of a node's list without its sockets: upwards by an index that the node gives each record, until a page is
//! empty (TREASURY 3.2, 3.3).

use super::log_paging::Turn;
use super::notes::PageNotes;
use crate::domain::{Digest32, PageNote, Sign};

/// Whether the position asked for is itself on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// LND: records above the position.
    Above,
    /// Core Lightning: records from the position on.
    From,
}

/// The state of one walk.
#[derive(Debug)]
pub(super) struct IndexPaging {
    bound: Bound,
    highest: u64,
    notes: PageNotes,
}

impl IndexPaging {
    pub(super) fn new(bound: Bound) -> Self {
        Self { bound, highest: 0, notes: PageNotes::default() }
    }

    /// The position to ask for.
    pub(super) fn position(&self) -> u64 {
        match self.bound {
            Bound::Above => self.highest,
            Bound::From => self.highest.saturating_add(1),
        }
    }

    /// Pages taken, at least while they are few.
    pub(super) fn pages(&self) -> usize {
        self.notes.len()
    }

    /// Takes a page by the indexes of its records; `None` is one that can't be read.
    pub(super) fn take(&mut self, indexes: &[Option<u64>], sha256: Digest32) -> Turn {
        let asked = if self.notes.len() == 0 { String::new() } else { self.position().to_string() };
        let named = || indexes.iter().flatten().copied();
        let (lowest, highest) = (named().min(), named().max());
        let items = u64::try_from(indexes.len()).unwrap_or(u64::MAX);
        self.notes.push(PageNote { asked, items, lowest, highest, sha256 });
        if items == 0 {
            return Turn::Done;
        }
        let Some((lowest, highest)) = lowest.zip(highest) else {
            return Turn::Halt(Sign::PageUnreadable, "no record of a page tells its index");
        };
        if highest <= self.highest {
            return Turn::Halt(Sign::PageLoop, "a page held nothing above its position");
        }
        if lowest <= self.highest {
            return Turn::Halt(Sign::PageRegress, "a page held records below its position");
        }
        self.highest = highest;
        Turn::Ask
    }

    pub(super) fn into_notes(self) -> PageNotes {
        self.notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sha256;

    fn walk(bound: Bound, count: u64, size: u64, holes: &[u64]) -> (Vec<u64>, Vec<String>) {
        let mut paging = IndexPaging::new(bound);
        let mut seen = Vec::new();
        loop {
            let from = if bound == Bound::Above { paging.position() + 1 } else { paging.position() };
            let page: Vec<u64> =
                (from..=count).filter(|index| !holes.contains(index)).take(usize::try_from(size).unwrap()).collect();
            seen.extend(page.iter().copied());
            let indexes: Vec<Option<u64>> = page.into_iter().map(Some).collect();
            if paging.take(&indexes, sha256(b"page")) == Turn::Done {
                return (seen, paging.into_notes().into_backing().pages.into_iter().map(|page| page.asked).collect());
            }
        }
    }

    #[test]
    fn every_record_is_met_once_whatever_the_page_size_and_holes() {
        for bound in [Bound::Above, Bound::From] {
            for (count, size) in [(0, 5), (1, 5), (5, 5), (6, 5), (100, 1), (100, 100), (101, 100), (250, 100)] {
                let holes = [3, 4, 100];
                let expected: Vec<u64> = (1..=count).filter(|index| !holes.contains(index)).collect();
                assert_eq!(walk(bound, count, size, &holes).0, expected, "{bound:?} {count} {size}");
            }
        }
    }

    #[test]
    fn the_manifest_shows_each_position() {
        assert_eq!(walk(Bound::Above, 5, 2, &[]).1, ["", "2", "4", "5"]);
        assert_eq!(walk(Bound::From, 5, 2, &[]).1, ["", "3", "5", "6"]);
    }

    #[test]
    fn a_page_that_goes_back_or_stays_halts_the_walk() {
        let after = |second: &[Option<u64>]| {
            let mut paging = IndexPaging::new(Bound::Above);
            assert_eq!(paging.take(&[Some(1), Some(2)], sha256(b"1")), Turn::Ask);
            paging.take(second, sha256(b"2"))
        };
        assert!(matches!(after(&[Some(1), Some(2)]), Turn::Halt(Sign::PageLoop, _)));
        assert!(matches!(after(&[Some(2), Some(3)]), Turn::Halt(Sign::PageRegress, _)));
        assert!(matches!(after(&[None]), Turn::Halt(Sign::PageUnreadable, _)));
        assert_eq!(after(&[Some(3), None]), Turn::Ask);
        assert_eq!(after(&[]), Turn::Done);
    }
}
