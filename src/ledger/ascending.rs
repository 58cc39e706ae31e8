//! A walk beside a sorted map, for whoever asks in the map's order: a search for each key would cost more than the answer.

use std::iter::Peekable;

use crate::domain::{Ordered, Pairs};

/// What is left of the map.
pub(crate) struct Ascending<'a, K, V>(Peekable<Pairs<'a, K, V>>);

impl<'a, K: Ord, V> Ascending<'a, K, V> {
    pub(crate) fn over(map: &'a Ordered<K, V>) -> Self {
        Self(map.iter().peekable())
    }

    /// As [`Ordered::get`], for keys that never descend.
    pub(crate) fn get(&mut self, key: &K) -> Option<&'a V> {
        self.get_past(key, |_| ())
    }

    /// The same; what lies before the key is shown on the way.
    pub(crate) fn get_past(&mut self, key: &K, mut pass: impl FnMut(&'a V)) -> Option<&'a V> {
        while let Some((_, passed)) = self.0.next_if(|(held, _)| *held < key) {
            pass(passed);
        }
        self.0.peek().filter(|(held, _)| *held == key).map(|(_, value)| *value)
    }

    /// Whatever was not passed.
    pub(crate) fn rest(self) -> impl Iterator<Item = &'a V> {
        self.0.map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_order_find_what_the_map_holds() {
        let map = Ordered::from_iter([(2, "b"), (3, "c"), (7, "g")]);
        let mut walk = Ascending::over(&map);
        let found: Vec<_> = [1, 2, 2, 4, 7, 8].iter().map(|key| walk.get(key)).collect();
        assert_eq!(found, [None, Some(&"b"), Some(&"b"), None, Some(&"g"), None]);
    }

    #[test]
    fn every_value_is_passed_once_or_left() {
        let map = Ordered::from_iter([(2, "b"), (3, "c"), (7, "g"), (9, "i")]);
        let (mut walk, mut passed) = (Ascending::over(&map), Vec::new());
        assert_eq!(walk.get_past(&7, |value| passed.push(*value)), Some(&"g"));
        assert_eq!(passed, ["b", "c"]);
        assert_eq!(walk.rest().collect::<Vec<_>>(), [&"g", &"i"]);
    }
}
