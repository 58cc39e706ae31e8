//! Few names that are met millions of times. They are looked up by their hash: walking a tree of names compares them over and
//! over.

#![expect(
    clippy::disallowed_types,
    reason = "tables are asked by name and never iterated, so their order shows nowhere"
)]

use std::collections::{BTreeMap, HashMap};

/// Items by key, where several names can mean one key. Each list is in order of arrival.
pub(crate) struct Groups<'a, K, T> {
    places: HashMap<&'a str, usize>,
    by_key: BTreeMap<&'a K, usize>,
    lists: Vec<Vec<T>>,
}

impl<K: Ord, T> Default for Groups<'_, K, T> {
    fn default() -> Self {
        Self { places: HashMap::new(), by_key: BTreeMap::new(), lists: Vec::new() }
    }
}

impl<'a, K: Ord, T> Groups<'a, K, T> {
    /// Adds an item to the list of the key that the name means; asked once for each name.
    pub(crate) fn push(&mut self, name: &'a str, key: impl FnOnce() -> &'a K, item: T) {
        let place = *self.places.entry(name).or_insert_with(|| {
            *self.by_key.entry(key()).or_insert_with(|| {
                self.lists.push(Vec::new());
                self.lists.len() - 1
            })
        });
        self.lists[place].push(item);
    }

    /// The lists in order of key.
    pub(crate) fn into_lists(mut self) -> BTreeMap<&'a K, Vec<T>> {
        let lists = &mut self.lists;
        self.by_key.into_iter().map(|(key, place)| (key, std::mem::take(&mut lists[place]))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_key_share_a_list_and_keys_come_in_order() {
        let keys = ["a".to_owned(), "b".to_owned()];
        let mut groups = Groups::default();
        for (name, key, item) in [("y", 1, 1), ("x", 0, 2), ("x'", 0, 3), ("x", 0, 4)] {
            groups.push(name, || &keys[key], item);
        }
        assert_eq!(groups.into_lists(), BTreeMap::from([(&keys[0], vec![2, 3, 4]), (&keys[1], vec![1])]));
    }
}
