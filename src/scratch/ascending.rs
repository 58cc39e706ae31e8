//! A walk beside a table, for whoever asks in the table's order: a search for each key would cost more than the answer.

use std::marker::PhantomData;

use super::Key;
use super::run::Run;
use super::table::{Rows, Table};
use crate::domain::Packed;

/// What is left of a table.
#[derive(Debug)]
pub struct Ascending<K, V> {
    run: Run,
    row: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Packed> Ascending<K, V> {
    /// Stands before the first row.
    pub fn over(table: &Table<K, V>) -> Self {
        Self { run: table.whole(), row: PhantomData }
    }

    /// As [`Table::get`], for keys that never descend.
    pub fn get(&mut self, key: &K) -> Option<V> {
        self.go_to(key, |_| ())
    }

    /// The same; what lies before the key is shown on the way.
    pub fn get_past(&mut self, key: &K, mut pass: impl FnMut(V)) -> Option<V> {
        self.go_to(key, |run| run.value().into_iter().for_each(&mut pass))
    }

    fn go_to(&mut self, key: &K, mut pass: impl FnMut(&Run)) -> Option<V> {
        loop {
            let held = self.run.key()?;
            if held >= *key.bytes() {
                return if held == *key.bytes() { self.run.value() } else { None };
            }
            pass(&self.run);
            self.run.advance();
        }
    }

    /// Whatever was not passed.
    pub fn rest(self) -> impl Iterator<Item = V> {
        Rows::<K, V>::of(self.run).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Digest32;

    fn table() -> Table<Digest32, u64> {
        [2, 3, 7, 9].map(|number| (key(number), u64::from(number))).into_iter().collect()
    }

    fn key(number: u8) -> Digest32 {
        Digest32([number; 32])
    }

    #[test]
    fn keys_in_order_find_what_the_table_holds() {
        let mut walk = Ascending::over(&table());
        let found = [1, 2, 2, 4, 7, 8, 10].map(|number| walk.get(&key(number)));
        assert_eq!(found, [None, Some(2), Some(2), None, Some(7), None, None]);
    }

    #[test]
    fn every_value_is_passed_once_or_left() {
        let (mut walk, mut passed) = (Ascending::over(&table()), Vec::new());
        assert_eq!(walk.get_past(&key(7), |value| passed.push(value)), Some(7));
        assert_eq!(passed, [2, 3]);
        assert_eq!(walk.rest().collect::<Vec<_>>(), [7, 9]);
    }
}
