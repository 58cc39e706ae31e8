//! A walk beside a sorted map, for whoever asks in the map's order: a search for each key would cost more than the answer.

use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;

/// What is left of the map.
pub(super) struct Ascending<'a, K, V>(Peekable<btree_map::Iter<'a, K, V>>);

impl<'a, K: Ord, V> Ascending<'a, K, V> {
    pub(super) fn over(map: &'a BTreeMap<K, V>) -> Self {
        Self(map.iter().peekable())
    }

    /// As [`BTreeMap::get`], for keys that never descend.
    pub(super) fn get(&mut self, key: &K) -> Option<&'a V> {
        while self.0.next_if(|(held, _)| *held < key).is_some() {}
        self.0.peek().filter(|(held, _)| *held == key).map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_order_find_what_the_map_holds() {
        let map = BTreeMap::from([(2, "b"), (3, "c"), (7, "g")]);
        let mut walk = Ascending::over(&map);
        let found: Vec<_> = [1, 2, 2, 4, 7, 8].iter().map(|key| walk.get(key)).collect();
        assert_eq!(found, [None, Some(&"b"), Some(&"b"), None, Some(&"g"), None]);
    }
}
