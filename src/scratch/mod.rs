//! # scratch: rows beside memory
//!
//! Purpose: what comes by the million and is only walked and looked up lies packed and sorted, in a file without a name once
//! there is much of it (docs/adr/0034).
//! May import: domain
//! External crates: rayon, tempfile, thiserror
//! Never: know what a row means; leave a file behind
//! Invariants: a table tells the same rows in the same order wherever they lie; a failure is kept until whoever concludes
//! anything from a table has asked for it.

mod ascending;
mod order;
mod place;
mod run;
mod sorter;
mod table;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;

pub use ascending::Ascending;
pub use order::{by_number, by_time};
pub use place::{Scratch, ScratchError};
pub use sorter::Sorter;
pub use table::{Rows, Table};

use crate::domain::{Digest32, EnvelopeId, EvidenceId, NostrEventId};

/// What rows are sorted by: 32 bytes, in the order of the bytes.
pub trait Key: Copy + Ord {
    /// The bytes.
    fn bytes(&self) -> &[u8; 32];
    /// The key of these bytes.
    fn of(bytes: [u8; 32]) -> Self;
}

macro_rules! keys {
    ($($name:ident),*) => {$(
        impl Key for $name {
            fn bytes(&self) -> &[u8; 32] {
                self.as_bytes()
            }
            fn of(bytes: [u8; 32]) -> Self {
                Self::from_bytes(bytes)
            }
        }
    )*};
}

keys!(EnvelopeId, EvidenceId, NostrEventId);

impl Key for Digest32 {
    fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn of(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}
