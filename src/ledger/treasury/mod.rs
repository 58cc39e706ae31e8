//! The treasury ledger: where every millisatoshi came from and went, double entry (TREASURY 5).

mod account;
mod book;
mod movement;
mod postings;
mod roll;
#[cfg(test)]
mod tests;

pub use account::{Account, Posting};
pub use book::{Entry, EntryKey, Fact, Tier};
pub use movement::{Movement, allowed_direction, movement};
pub use roll::{TreasuryLedger, Unposted};
