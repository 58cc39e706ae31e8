//! The treasury ledger: where every millisatoshi came from and went, double entry (TREASURY 5).

mod account;
mod billed;
mod book;
mod entry;
mod flows;
mod invariants;
mod journal;
mod movement;
mod postings;
mod prefixes;
mod roll;
mod settled;
#[cfg(test)]
mod tests;

pub use account::{Account, Posting};
pub use book::Balances;
pub use entry::{Entry, EntryKey, Fact, Tier};
pub use flows::Paid;
pub use invariants::{Asked, Invariants, Rule};
pub use journal::Journal;
pub use movement::{Movement, allowed_direction, discharged, is_explained, is_wrong_way, movement};
pub use prefixes::{Funding, Holding, Shortage};
pub(crate) use roll::unposted;
pub use roll::{TreasuryLedger, Unposted};
