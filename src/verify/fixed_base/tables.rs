//! The tables of those who signed often, the latest few of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{eddsa, schnorr};

/// Tables that are kept of each kind: some 25 MB in all.
pub(super) const KEPT: usize = 16;

/// Tables by key. They change no answer, only what it costs.
#[derive(Debug, Default)]
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

/// Tables of one kind. The lock is held for a look, once for each key of a batch.
#[derive(Debug)]
pub(super) struct Kept<T>(Mutex<VecDeque<([u8; 32], Arc<T>)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Table> Kept<T> {
    /// The table that is there.
    pub(super) fn there(&self, key: &[u8; 32]) -> Option<Arc<T>> {
        self.lock().iter().find(|(of, _)| of == key).map(|(_, table)| table.clone())
    }

    /// A new table, in the place of the oldest.
    pub(super) fn made(&self, key: &[u8; 32]) -> Option<Arc<T>> {
        let table = Arc::new(T::of(key)?);
        let mut kept = self.lock();
        kept.truncate(KEPT - 1);
        kept.push_front((*key, table.clone()));
        Some(table)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<([u8; 32], Arc<T>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
