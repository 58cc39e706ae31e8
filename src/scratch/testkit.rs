//! Tables that change, for tests of the rooms above: they begin with a good world and change one thing in it.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use super::{Key, Table};
use crate::domain::Packed;

impl<K: Key, V: Packed> Table<K, V> {
    fn change<T>(&mut self, change: impl FnOnce(&mut BTreeMap<K, V>) -> T) -> T {
        let mut rows = self.iter().collect();
        let changed = change(&mut rows);
        *self = rows.into_iter().collect();
        changed
    }

    /// Sets one value.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.change(|rows| rows.insert(key, value))
    }

    /// Adds a row, whose key has none yet.
    pub(crate) fn push(&mut self, (key, value): (K, V)) {
        assert!(self.insert(key, value).is_none(), "one value for each key");
    }

    /// Changes every value.
    pub(crate) fn each_mut(&mut self, change: impl FnMut(&mut V)) {
        *self = self.altered(change);
    }

    /// Takes one row out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.change(|rows| rows.remove(key))
    }

    /// The value of a key, to change.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<Changing<'_, K, V>> {
        let value = self.get(key)?;
        Some(Changing { table: self, key: *key, value: Some(value) })
    }

    /// The same; a key without a value has the default from now on.
    pub(crate) fn or_default(&mut self, key: K) -> Changing<'_, K, V>
    where
        V: Default,
    {
        let value = Some(self.get(&key).unwrap_or_default());
        Changing { table: self, key, value }
    }
}

/// A value that goes back into its table when it is dropped.
pub(crate) struct Changing<'t, K: Key, V: Packed> {
    table: &'t mut Table<K, V>,
    key: K,
    value: Option<V>,
}

impl<K: Key, V: Packed> Deref for Changing<'_, K, V> {
    type Target = V;

    fn deref(&self) -> &V {
        self.value.as_ref().unwrap()
    }
}

impl<K: Key, V: Packed> DerefMut for Changing<'_, K, V> {
    fn deref_mut(&mut self) -> &mut V {
        self.value.as_mut().unwrap()
    }
}

impl<K: Key, V: Packed> Drop for Changing<'_, K, V> {
    fn drop(&mut self) {
        let value = self.value.take().unwrap();
        self.table.insert(self.key, value);
    }
}
