//! The index: where in the log each id stands. A cache: it may be lost or wrong, and is then made again from the log.

mod lagging;
mod memory;
mod open;
#[cfg(feature = "redb")]
mod redb;
mod seam;
#[cfg(feature = "sled")]
mod sled;
mod sorted;

pub(super) use open::{open, set_aside};
pub(super) use seam::{Change, Index, Mark, Table};
pub(super) use sorted::SortedIndex;
