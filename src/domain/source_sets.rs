//! Sets of sources by number: a million pieces of evidence have a handful of different ones.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::SourceId;

/// The different sets of sources that were met, each kept once.
#[derive(Debug, Clone, Default)]
pub struct SourceSets {
    by_number: Vec<BTreeSet<SourceId>>,
    numbers: BTreeMap<BTreeSet<SourceId>, u32>,
    /// What two of them make together, once that was asked.
    unions: BTreeMap<(u32, u32), u32>,
    /// The source that was met last, which mostly comes again.
    last: Option<(SourceId, u32)>,
}

impl SourceSets {
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

    /// The number of the set of that source alone.
    pub fn single(&mut self, source: &SourceId) -> u32 {
        if let Some((_, number)) = self.last.as_ref().filter(|(last, _)| last == source) {
            return *number;
        }
        let number = self.number(BTreeSet::from([source.clone()]));
        self.last = Some((source.clone(), number));
        number
    }

    /// The number of what two sets make together.
    pub fn union(&mut self, one: u32, other: u32) -> u32 {
        if let Some(number) = self.unions.get(&(one, other)) {
            return *number;
        }
        let both = [one, other].into_iter().filter_map(|number| self.get(number)).flatten().cloned().collect();
        let number = self.number(both);
        self.unions.insert((one, other), number);
        number
    }

    /// The set of a number.
    pub fn get(&self, number: u32) -> Option<&BTreeSet<SourceId>> {
        self.by_number.get(usize::try_from(number).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(number: u8) -> SourceId {
        SourceId(format!("wss://relay-{number}.example"))
    }

    #[test]
    fn equal_sets_are_kept_once_however_they_came_about() {
        let mut sets = SourceSets::default();
        for _ in 0..200 {
            let [one, two, three] = [1, 2, 3].map(|number| sets.single(&relay(number)));
            let both = sets.union(one, two);
            assert_eq!(sets.union(two, one), both);
            assert_eq!(sets.union(both, one), both);
            let all = sets.union(both, three);
            assert_eq!(sets.get(both), Some(&BTreeSet::from([relay(1), relay(2)])));
            assert_eq!(sets.get(all), Some(&BTreeSet::from([1, 2, 3].map(relay))));
        }
        assert_eq!(sets.by_number.len(), 5, "each source, the first two, all three");
    }
}
