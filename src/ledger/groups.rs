//! Items by names that are met millions of times.

#![expect(
    clippy::disallowed_types,
    reason = "the table is asked by name and never iterated, so its order shows nowhere"
)]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

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
}
