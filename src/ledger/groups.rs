//! Few names that are met millions of times. They are looked up by their hash: walking a tree of names compares them over and
//! over; and there is one copy of each.

#![expect(
    clippy::disallowed_types,
    reason = "tables are asked by name and never iterated, so their order shows nowhere"
)]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Names by number, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Names {
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

impl Names {
    /// The number of a name, which has one from now on. Four thousand million different names would not fit in memory.
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let (number, name) = (u32::try_from(self.names.len()).unwrap_or(u32::MAX), Arc::<str>::from(name));
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    /// The name of a number.
    pub(crate) fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }

    /// The one copy of a name.
    pub(crate) fn shared<N: From<Arc<str>>>(&mut self, name: &str) -> N {
        let number = self.number(name);
        N::from(self.names.get(number as usize).cloned().unwrap_or_default())
    }
}

/// Items by key, where several names can mean one key. Each list is in order of arrival.
pub(crate) struct Groups<K, T> {
    places: HashMap<Arc<str>, usize>,
    by_key: BTreeMap<K, usize>,
    lists: Vec<Vec<T>>,
}

impl<K: Ord, T> Default for Groups<K, T> {
    fn default() -> Self {
        Self { places: HashMap::new(), by_key: BTreeMap::new(), lists: Vec::new() }
    }
}

impl<K: Ord, T> Groups<K, T> {
    /// Adds an item to the list of the key that the name means; asked once for each name.
    pub(crate) fn push(&mut self, name: &str, key: impl FnOnce() -> K, item: T) {
        let place = self.places.get(name).copied().unwrap_or_else(|| {
            let place = *self.by_key.entry(key()).or_insert_with(|| {
                self.lists.push(Vec::new());
                self.lists.len() - 1
            });
            self.places.insert(name.into(), place);
            place
        });
        self.lists[place].push(item);
    }

    /// The lists in order of key.
    pub(crate) fn into_lists(mut self) -> BTreeMap<K, Vec<T>> {
        let lists = &mut self.lists;
        self.by_key.into_iter().map(|(key, place)| (key, std::mem::take(&mut lists[place]))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_key_share_a_list_and_keys_come_in_order() {
        let mut groups = Groups::default();
        for (name, key, item) in [("y", "b", 1), ("x", "a", 2), ("x'", "a", 3), ("x", "a", 4)] {
            groups.push(name, || key, item);
        }
        assert_eq!(groups.into_lists(), BTreeMap::from([("a", vec![2, 3, 4]), ("b", vec![1])]));
    }

    #[test]
    fn a_name_has_one_number_and_one_copy() {
        let mut names = Names::default();
        let numbers = ["b", "a", "b", ""].map(|name| names.number(name));
        assert_eq!(numbers, [0, 1, 0, 2]);
        assert_eq!((names.name(1), names.name(0)), ("a", "b"));
        let (one, other): (Arc<str>, Arc<str>) = (names.shared("a"), names.shared("a"));
        assert!(Arc::ptr_eq(&one, &other));
    }
}
