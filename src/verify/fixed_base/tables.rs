//! The tables of those who signed often, the latest few of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::{eddsa, schnorr};

/// Tables that are kept of each kind: some 14 MB in all.
pub(super) const KEPT: usize = 16;

/// Tables by key. They change no answer, only what it costs.
#[derive(Debug, Default)]
pub struct Tables {
    authors: Kept<schnorr::Table>,
    signers: Kept<eddsa::Table>,
}

impl Tables {
    /// The table of an author; `None` for what is no point.
    pub(super) fn author(&self, key: &[u8; 32]) -> Option<Arc<schnorr::Table>> {
        self.authors.get(key, |key| schnorr::Table::of(key, schnorr::WIDTH))
    }

    /// The table of a signer of Ed25519; `None` for a point that strict verification refuses.
    pub(super) fn signer(&self, key: &[u8; 32]) -> Option<Arc<eddsa::Table>> {
        self.signers.get(key, |key| eddsa::Table::of(key, eddsa::WIDTH))
    }
}

#[derive(Debug)]
struct Kept<T>(Mutex<VecDeque<([u8; 32], Arc<T>)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Kept<T> {
    /// The table that is there, or a new one in the place of the oldest.
    fn get(&self, key: &[u8; 32], make: impl Fn(&[u8; 32]) -> Option<T>) -> Option<Arc<T>> {
        if let Some((_, table)) = self.lock().iter().find(|(of, _)| of == key) {
            return Some(table.clone());
        }
        let table = Arc::new(make(key)?);
        let mut kept = self.lock();
        kept.truncate(KEPT - 1);
        kept.push_front((*key, table.clone()));
        Some(table)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<([u8; 32], Arc<T>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
