//! A compact set of the events of one slice: 64 bytes an event, ordered by time, then id.

use std::collections::BTreeMap;

/// Where an event stands in the set's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) time: i64,
    pub(super) id: [u8; 32],
}

impl Place {
    /// The time of what has no readable id or time: no window holds it, no reconciliation lists it.
    const TIMELESS: i64 = i64::MIN;

    pub(super) fn timeless(id: [u8; 32]) -> Self {
        Self { time: Self::TIMELESS, id }
    }
}

/// What is remembered of one event beside its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Half a hash of its bytes.
    pub(super) content: [u8; 16],
    /// The last page that held it; 0 for an event of no page.
    pub(super) page: u32,
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) mark: Mark,
}

/// New entries gather in a small tree, which is merged into the ordered list when it outgrows a part of it.
#[derive(Debug, Default)]
pub(super) struct Held {
    settled: Vec<Entry>,
    recent: BTreeMap<Place, Mark>,
}

/// The tree is merged when it holds this many and an eighth of the list.
const RECENT_MIN: usize = 4_096;

impl Held {
    pub(super) fn len(&self) -> usize {
        self.settled.len() + self.recent.len()
    }

    pub(super) fn get_mut(&mut self, place: &Place) -> Option<&mut Mark> {
        match self.settled.binary_search_by_key(place, |entry| entry.place) {
            Ok(at) => Some(&mut self.settled[at].mark),
            Err(_) => self.recent.get_mut(place),
        }
    }

    /// Adds what [`Self::get_mut`] did not find.
    pub(super) fn insert(&mut self, place: Place, mark: Mark) {
        self.recent.insert(place, mark);
        if self.recent.len() >= RECENT_MIN.max(self.settled.len() / 8) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        // Exactly, because doubling would cost as much again as the set itself.
        self.settled.reserve_exact(self.recent.len());
        let recent = std::mem::take(&mut self.recent);
        self.settled.extend(recent.into_iter().map(|(place, mark)| Entry { place, mark }));
        // Two ordered runs: a stable sort merges them in one go.
        self.settled.sort_by_key(|entry| entry.place);
    }

    /// Everything from one second to another, both inclusive, in order. What has no time is in no window.
    pub(super) fn between(&mut self, from: Option<i64>, until: Option<i64>) -> &[Entry] {
        self.settle();
        let low = from.unwrap_or(Place::TIMELESS + 1).max(Place::TIMELESS + 1);
        let begin = self.settled.partition_point(|entry| entry.place.time < low);
        let end =
            until.map_or(self.settled.len(), |until| self.settled.partition_point(|entry| entry.place.time <= until));
        &self.settled[begin..end.max(begin)]
    }

    /// How many [`Self::between`] would give.
    pub(super) fn count(&mut self, from: Option<i64>, until: Option<i64>) -> u64 {
        u64::try_from(self.between(from, until).len()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(time: i64, n: u32) -> Place {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&n.to_be_bytes());
        Place { time, id }
    }

    #[test]
    fn an_event_costs_64_bytes() {
        assert_eq!(size_of::<Entry>(), 64);
    }

    #[test]
    fn what_was_put_in_is_found_in_order_whatever_the_order_it_came_in() {
        let mut held = Held::default();
        let mark = Mark { content: [7; 16], page: 1 };
        let count = 20_000_u32;
        for n in 0..count {
            // A fixed permutation: 7,919 is coprime to the count.
            let n = n * 7_919 % count;
            assert!(held.get_mut(&place(i64::from(n / 3), n)).is_none());
            held.insert(place(i64::from(n / 3), n), mark);
        }
        assert_eq!(held.len(), 20_000);
        assert!((0..count).all(|n| held.get_mut(&place(i64::from(n / 3), n)) == Some(&mut mark.clone())));
        assert!(held.between(None, None).is_sorted_by(|a, b| a.place < b.place));
        assert_eq!(held.count(Some(10), Some(11)), 6);
        assert_eq!(held.count(Some(11), Some(10)), 0);
        assert_eq!(held.count(Some(6_666), None), 2);
    }

    #[test]
    fn what_has_no_time_is_counted_and_lies_in_no_window() {
        let mut held = Held::default();
        let mark = Mark { content: [7; 16], page: 1 };
        held.insert(Place::timeless([1; 32]), mark);
        held.insert(place(-5, 1), mark);
        assert_eq!((held.len(), held.count(None, None), held.count(Some(i64::MIN), Some(-5))), (2, 1, 1));
    }
}
