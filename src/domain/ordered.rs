//! A map in one piece of memory: what comes in millions, once, and is then only walked and looked up.

use std::num::NonZeroUsize;
use std::ops::Index;
use std::{iter, slice, vec};

/// Keys with their values, ascending by key. Beside a tree it has no nodes that are half empty, and is built without a second
/// copy of what it is built of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered<K, V>(Vec<(K, V)>);

impl<K, V> Default for Ordered<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Ordered<K, V> {
    /// Takes what is sorted already; of equal keys the first stands. Anything else is sorted first.
    pub fn from_sorted(mut pairs: Vec<(K, V)>) -> Self {
        if !pairs.is_sorted_by(|(one, _), (next, _)| one < next) {
            pairs.sort_by(|(one, _), (next, _)| one.cmp(next));
            pairs.dedup_by(|(next, _), (one, _)| next == one);
        }
        Self(pairs)
    }

    fn find(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(held, _)| held.cmp(key))
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.find(key).ok().and_then(|at| self.0.get(at)).map(|(_, value)| value)
    }

    /// The value of a key, to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.find(key).ok().and_then(|at| self.0.get_mut(at)).map(|(_, value)| value)
    }

    /// True when the key has a value.
    pub fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_ok()
    }

    /// Keys and values, ascending.
    pub fn iter(&self) -> Pairs<'_, K, V> {
        self.into_iter()
    }

    /// Keys, ascending.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator {
        self.0.iter().map(|(key, _)| key)
    }

    /// Keys and values in parts of so many, for whoever looks at each part on all cores.
    pub fn parts(&self, of: NonZeroUsize) -> slice::Chunks<'_, (K, V)> {
        self.0.chunks(of.get())
    }

    /// Values in order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator {
        self.0.iter().map(|(_, value)| value)
    }

    /// The same, to change.
    pub fn values_mut(&mut self) -> impl ExactSizeIterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets one value, for tests and what comes in dozens: it moves everything behind.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// The value of a key, which is set to the default before if it has none; it moves as [`Self::insert`] does.
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let at = self.find(&key).unwrap_or_else(|at| {
            self.0.insert(at, (key, V::default()));
            at
        });
        &mut self.0[at].1
    }

    /// Takes one value out, as [`Self::insert`] puts it in.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Ordered<K, V> {
    /// Of equal keys the first stands.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self::from_sorted(pairs.into_iter().collect())
    }
}

/// A walk over an [`Ordered`].
pub type Pairs<'a, K, V> = iter::Map<slice::Iter<'a, (K, V)>, fn(&'a (K, V)) -> (&'a K, &'a V)>;

impl<'a, K, V> IntoIterator for &'a Ordered<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Pairs<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl<K, V> IntoIterator for Ordered<K, V> {
    type Item = (K, V);
    type IntoIter = vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K: Ord, V> Index<&K> for Ordered<K, V> {
    type Output = V;

    /// # Panics
    /// Without a value for the key, as of a tree.
    fn index(&self, key: &K) -> &V {
        self.get(key).expect("no value for the key")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_answers_as_a_tree_does_in_whatever_order_it_was_filled() {
        for order in [[3, 1, 2, 1], [1, 1, 2, 3], [3, 2, 1, 1]] {
            let pairs: Vec<(u8, usize)> = order.into_iter().zip(0..).collect();
            let ordered: Ordered<u8, usize> = pairs.iter().copied().collect();
            let mut tree = BTreeMap::new();
            for (key, value) in &pairs {
                tree.entry(*key).or_insert(*value);
            }
            assert!(ordered.iter().eq(&tree));
            assert!(ordered.keys().eq(tree.keys()) && ordered.values().eq(tree.values()));
            assert_eq!((ordered.len(), ordered.is_empty()), (3, false));
            for key in 0..5 {
                assert_eq!((ordered.get(&key), ordered.contains_key(&key)), (tree.get(&key), tree.contains_key(&key)));
            }
        }
    }

    #[test]
    fn single_values_are_set_and_taken_out() {
        let mut ordered = Ordered::default();
        assert!(ordered.is_empty());
        assert_eq!(
            [(2, "b"), (1, "a"), (2, "c")].map(|(key, value)| ordered.insert(key, value)),
            [None, None, Some("b")]
        );
        assert_eq!((ordered[&1], ordered[&2]), ("a", "c"));
        assert_eq!((ordered.remove(&1), ordered.remove(&1), ordered.len()), (Some("a"), None, 1));
    }
}
