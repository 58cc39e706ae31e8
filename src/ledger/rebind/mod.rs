//! The rebind ledger: who held custody of an address at any instant.

mod chain;
mod course;
mod dated;
mod replay;
mod roll;
mod steps;
#[cfg(test)]
mod tests;
mod timeline;

pub use course::{CustodyChange, CustodyCourse};
pub use dated::Dated;
pub use roll::{RebindEntry, RebindLedger};
pub use timeline::{Change, CustodyAt, Doubt, Transition, TrustLevel};
