//! Rows that come by the million and belong to few: beside memory, one group's after the other's.

#![expect(
    clippy::disallowed_types,
    reason = "the table is asked by name and never iterated, so its order shows nowhere"
)]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::domain::{Digest32, Packed};
use crate::scratch::{Sorter, Table, by_number};

/// A group's key, and how many rows it has.
struct Group<K> {
    key: K,
    rows: usize,
}

/// Rows by key while they are gathered. Several names can mean one key.
pub(crate) struct Groups<K, T> {
    places: HashMap<Arc<str>, u32>,
    by_key: BTreeMap<K, u32>,
    known: Vec<Group<K>>,
    rows: Sorter<Digest32, T>,
    arrived: u64,
}

impl<K: Ord + Clone, T: Packed> Groups<K, T> {
    /// Gathers them there.
    pub(crate) fn new(rows: Sorter<Digest32, T>) -> Self {
        Self { places: HashMap::new(), by_key: BTreeMap::new(), known: Vec::new(), rows, arrived: 0 }
    }

    /// Adds a row to the key that the name means, which is asked once for each name. Rows of a group are in the order of
    /// `rank`, and of arrival where ranks are equal.
    pub(crate) fn push(&mut self, name: &str, key: impl FnOnce() -> K, rank: i64, row: &T) {
        let number = self.places.get(name).copied().unwrap_or_else(|| self.named(name, key()));
        if let Some(group) = self.known.get_mut(number as usize) {
            group.rows += 1;
        }
        self.rows.push(&place(number, rank, self.arrived), row);
        self.arrived += 1;
    }

    /// Four thousand million different names would not fit in memory.
    fn named(&mut self, name: &str, key: K) -> u32 {
        let fresh = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        let number = *self.by_key.entry(key.clone()).or_insert(fresh);
        if number == fresh {
            self.known.push(Group { key, rows: 0 });
        }
        self.places.insert(name.into(), number);
        number
    }

    /// All of them, in their order.
    pub(crate) fn finish(self) -> Grouped<K, T> {
        Grouped { groups: self.known, rows: self.rows.finish(|_, _| ()) }
    }
}

/// Sorts by group, rank and arrival.
fn place(group: u32, rank: i64, arrived: u64) -> Digest32 {
    let mut then = [0; 16];
    // With the sign's bit turned, the bytes are in the order of the ranks.
    then[..8].copy_from_slice(&(rank ^ i64::MIN).to_be_bytes());
    then[8..].copy_from_slice(&arrived.to_be_bytes());
    by_number(group, &then)
}

/// Rows by key.
pub(crate) struct Grouped<K, T> {
    /// In the order in which the first row of each came.
    groups: Vec<Group<K>>,
    rows: Table<Digest32, T>,
}

impl<K: Ord, T: Packed> Grouped<K, T> {
    /// Visits every key with its rows, in the order in which the first row of each came: none of them is kept. Rows that are not
    /// taken are passed.
    pub(crate) fn each<'g>(&'g self, mut visit: impl FnMut(&'g K, &mut dyn Iterator<Item = T>)) {
        let mut rows = self.rows.values();
        for group in &self.groups {
            let mut own = rows.by_ref().take(group.rows);
            visit(&group.key, &mut own);
            own.for_each(drop);
        }
    }

    /// Keys with a row, in the same order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.groups.iter().map(|group| &group.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    type Listed = Vec<(&'static str, Vec<u64>)>;

    /// Rows as (name, key, rank, number).
    fn grouped(scratch: &Scratch, rows: &[(&str, &'static str, i64, u64)]) -> Grouped<&'static str, u64> {
        let mut groups = Groups::new(Sorter::in_place(scratch.clone()));
        for (name, key, rank, number) in rows {
            groups.push(name, || *key, *rank, number);
        }
        groups.finish()
    }

    fn listed(groups: &Grouped<&'static str, u64>) -> Listed {
        let mut listed = Listed::new();
        groups.each(|key, rows| listed.push((*key, rows.collect())));
        listed
    }

    #[test]
    fn names_of_one_key_are_one_group_whose_rows_are_in_order_of_rank_and_arrival() {
        let rows = [("y", "b", 0, 1), ("x", "a", 7, 2), ("x'", "a", -7, 3), ("x", "a", 7, 4), ("x", "a", i64::MIN, 5)];
        let grouped = grouped(&Scratch::default(), &rows);
        assert_eq!(listed(&grouped), [("b", vec![1]), ("a", vec![5, 3, 2, 4])]);
        assert!(grouped.keys().eq(&["b", "a"]));
        let mut firsts = Vec::new();
        grouped.each(|key, rows| firsts.push((*key, rows.next())));
        assert_eq!(firsts, [("b", Some(1)), ("a", Some(5))], "what is left of one group is not the next one's");
    }

    #[test]
    fn many_rows_are_in_the_same_order_when_they_lie_in_files() {
        let folder = tempfile::tempdir().unwrap();
        let keys = ["d", "a", "c", "b"];
        let mut rows: Vec<(&str, &'static str, i64, u64)> = Vec::new();
        for number in 0..4_000_u64 {
            let key = keys[usize::from(number < 3_900) + usize::try_from(number % 3).unwrap()];
            rows.push((key, key, (number * 7_919 % 50).cast_signed() - 25, number));
        }
        let grouped = grouped(&Scratch::in_folder(folder.path()), &rows);
        let mut model: BTreeMap<&str, Vec<(i64, u64)>> = BTreeMap::new();
        for (_, key, rank, number) in &rows {
            model.entry(key).or_default().push((*rank, *number));
        }
        for rows in model.values_mut() {
            rows.sort_unstable();
        }
        let model: Listed =
            model.into_iter().map(|(key, rows)| (key, rows.into_iter().map(|row| row.1).collect())).collect();
        let mut walked = listed(&grouped);
        assert!(walked.iter().map(|(key, _)| *key).eq(["a", "c", "b", "d"]));
        walked.sort_unstable();
        assert_eq!(walked, model);
    }
}
