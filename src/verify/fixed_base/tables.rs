//! The tables of those who signed often, the latest few of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{eddsa, schnorr};

/// Tables that are kept of each kind: some 25 MB in all.
pub(super) const KEPT: usize = 16;
/// Signatures under one key that are worth making a table.
pub(super) const LEAST: usize = 256;
/// Fewer at once are not worth a table that is there: the additions share inversions.
pub(super) const FEW: usize = 16;
/// Keys without a table that are counted, at most.
const COUNTED: usize = 4_096;

/// Tables by key. They change no answer, only what it costs.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    pub(super) authors: Kept<schnorr::Table>,
    pub(super) signers: Kept<eddsa::Table>,
}

/// The multiples of a key.
pub(super) trait Table: Send + Sync + Sized {
    /// `None` for a key that has none.
    fn of(key: &[u8; 32]) -> Option<Self>;
}

impl Table for schnorr::Table {
    fn of(key: &[u8; 32]) -> Option<Self> {
        Self::wide(key, schnorr::WIDTH)
    }
}

impl Table for eddsa::Table {
    fn of(key: &[u8; 32]) -> Option<Self> {
        Self::wide(key, eddsa::WIDTH)
    }
}

/// Tables of one kind; copies are the same. The lock is held for a look, once for each key of a batch.
#[derive(Debug)]
pub(super) struct Kept<T>(Arc<Mutex<Shelf<T>>>);

#[derive(Debug)]
struct Shelf<T> {
    /// The newest first.
    tables: VecDeque<([u8; 32], Arc<T>)>,
    /// How many signatures there were under keys that have none.
    seen: BTreeMap<[u8; 32], usize>,
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Shelf { tables: VecDeque::new(), seen: BTreeMap::new() })))
    }
}

impl<T: Table> Kept<T> {
    /// The table for so many more signatures under a key: the one that is there, or a new one in the place of the oldest once there were
    /// enough of them; else none.
    pub(super) fn worth(&self, key: &[u8; 32], count: usize) -> Option<Arc<T>> {
        if count < FEW {
            return None;
        }
        let mut shelf = self.lock();
        if let Some((_, table)) = shelf.tables.iter().find(|(of, _)| of == key) {
            return Some(Arc::clone(table));
        }
        if shelf.seen.len() >= COUNTED {
            shelf.seen.clear();
        }
        let seen = shelf.seen.entry(*key).or_default();
        *seen = seen.saturating_add(count);
        if *seen < LEAST {
            return None;
        }
        shelf.seen.remove(key);
        drop(shelf);
        let table = Arc::new(T::of(key)?);
        let mut shelf = self.lock();
        shelf.tables.truncate(KEPT - 1);
        shelf.tables.push_front((*key, Arc::clone(&table)));
        Some(table)
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
