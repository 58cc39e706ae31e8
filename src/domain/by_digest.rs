//! What is known of each digest, of millions: asked by digest, and never told in an order that depends on how it is kept.

#![expect(clippy::disallowed_types, reason = "whatever is told of the table is sorted first, or has no order")]

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// Values by digest. A tree of millions has some 24 levels, and each is a wait for memory; digests share no prefix that a tree could
/// make use of. Hashed under a key of the process, since whoever makes a digest can choose some of its bits.
#[derive(Debug, Clone)]
pub struct ByDigest<K, V>(HashMap<K, V>);

impl<K, V> Default for ByDigest<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Ord + Hash + Copy, V> ByDigest<K, V> {
    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.0.reserve(more);
    }

    /// Sets a value; true when there was none.
    pub fn insert(&mut self, key: K, value: V) -> bool {
        self.0.insert(key, value).is_none()
    }

    /// Sets a value where there is none, and else what `merge` makes of both.
    pub fn merge(&mut self, key: K, value: V, merge: impl FnOnce(&mut V, V)) {
        match self.0.entry(key) {
            Entry::Vacant(place) => {
                place.insert(value);
            }
            Entry::Occupied(mut held) => merge(held.get_mut(), value),
        }
    }

    /// The value of a digest.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    /// True when the digest has a value.
    pub fn contains(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Digests and values, ascending; sorted for each call.
    pub fn sorted(&self) -> impl ExactSizeIterator<Item = (&K, &V)> + use<'_, K, V> {
        let mut all: Vec<(&K, &V)> = self.0.iter().collect();
        all.sort_unstable_by_key(|(key, _)| **key);
        all.into_iter()
    }

    /// What `add` makes of all of them, one after the other in no order: for sums.
    pub fn sum<S>(&self, start: S, mut add: impl FnMut(&mut S, &K, &V)) -> S {
        let mut sum = start;
        self.0.iter().for_each(|(key, value)| add(&mut sum, key, value));
        sum
    }
}

impl<K: Ord + Hash + Copy, V> Extend<(K, V)> for ByDigest<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        self.0.extend(pairs);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{Digest32, sha256};

    #[test]
    fn what_it_tells_has_the_order_of_the_digests() {
        let (mut table, mut tree) = (ByDigest::default(), BTreeMap::new());
        assert!(table.is_empty());
        for number in (0..200_u64).chain(100..300) {
            let key = sha256(&number.to_be_bytes());
            assert_eq!(table.insert(key, number), tree.insert(key, number).is_none());
            table.merge(key, 1, |held, more| *held += more);
            *tree.get_mut(&key).unwrap() += 1;
        }
        assert!(table.sorted().eq(&tree));
        assert_eq!((table.len(), table.is_empty()), (tree.len(), false));
        assert_eq!(table.sum(0, |sum, _, value| *sum += value), tree.values().sum::<u64>());
        for number in 290..310_u64 {
            let key: Digest32 = sha256(&number.to_be_bytes());
            assert_eq!((table.get(&key), table.contains(&key)), (tree.get(&key), tree.contains_key(&key)));
        }
        table.merge(sha256(b"new"), 7, |_, _| unreachable!("it has no value yet"));
        assert_eq!(table.get(&sha256(b"new")), Some(&7));
    }
}
