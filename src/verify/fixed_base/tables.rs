//! The tables of those who signed often, the latest few of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{eddsa, schnorr};
use crate::verify::lanes::{Machine, machine};

/// Tables that are kept of each kind: some 25 MB in all.
pub(super) const KEPT: usize = 16;
/// Signatures under one key that are worth making a table, where each would take a library's time.
pub(super) const LEAST: usize = 256;
/// The same where strangers are judged eight at a time too, which takes a fourth of it.
pub(super) const LEAST_IN_LANES: usize = 1_024;
/// Fewer at once are not worth a table that is there: the additions share inversions.
pub(super) const FEW: usize = 16;
/// Keys without a table that are counted, at most.
const COUNTED: usize = 4_096;

/// Tables by key, in the form that this machine adds best. They change no answer, only what it costs.
#[derive(Debug, Clone)]
pub struct Tables {
    pub(super) authors: Kept<schnorr::Table>,
    pub(super) signers: Kept<eddsa::Table>,
    pub(super) machine: Option<Machine>,
}

impl Default for Tables {
    fn default() -> Self {
        Self::on(machine())
    }
}

impl Tables {
    /// For lanes, or for additions one by one.
    pub(in crate::verify) fn on(machine: Option<Machine>) -> Self {
        Self { authors: Kept::on(machine), signers: Kept::on(machine), machine }
    }

    #[cfg(test)]
    pub(in crate::verify) const fn machine(&self) -> Option<Machine> {
        self.machine
    }
}

/// The multiples of a key.
pub(super) trait Table: Send + Sync + Sized {
    /// `None` for a key that has none.
    fn of(key: &[u8; 32], machine: Option<Machine>) -> Option<Self>;

    /// How many signatures are worth it.
    fn least(machine: Option<Machine>) -> usize;
}

impl Table for schnorr::Table {
    fn of(key: &[u8; 32], machine: Option<Machine>) -> Option<Self> {
        Self::wide(key, schnorr::WIDTH, machine)
    }

    fn least(machine: Option<Machine>) -> usize {
        if machine.is_some() { LEAST_IN_LANES } else { LEAST }
    }
}

impl Table for eddsa::Table {
    fn of(key: &[u8; 32], machine: Option<Machine>) -> Option<Self> {
        Self::wide(key, eddsa::WIDTH, machine)
    }

    fn least(_: Option<Machine>) -> usize {
        LEAST
    }
}

/// Tables of one kind; copies are the same. The lock is held for a look, once for each key of a batch.
#[derive(Debug)]
pub(super) struct Kept<T> {
    shelf: Arc<Mutex<Shelf<T>>>,
    machine: Option<Machine>,
}

#[derive(Debug)]
struct Shelf<T> {
    /// The newest first.
    tables: VecDeque<([u8; 32], Arc<T>)>,
    /// How many signatures there were under keys that have none.
    seen: BTreeMap<[u8; 32], usize>,
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { shelf: Arc::clone(&self.shelf), machine: self.machine }
    }
}

impl<T: Table> Kept<T> {
    fn on(machine: Option<Machine>) -> Self {
        let shelf = Shelf { tables: VecDeque::new(), seen: BTreeMap::new() };
        Self { shelf: Arc::new(Mutex::new(shelf)), machine }
    }

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
        if *seen < T::least(self.machine) {
            return None;
        }
        shelf.seen.remove(key);
        drop(shelf);
        let table = Arc::new(T::of(key, self.machine)?);
        let mut shelf = self.lock();
        shelf.tables.truncate(KEPT - 1);
        shelf.tables.push_front((*key, Arc::clone(&table)));
        Some(table)
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<T>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
