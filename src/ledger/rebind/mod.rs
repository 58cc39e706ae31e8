//! The rebind ledger: who held custody of an address at any instant.

mod chain;
mod custody;
mod roll;
#[cfg(test)]
mod tests;

pub use custody::Custody;
pub use roll::{RebindEntry, RebindLedger};
