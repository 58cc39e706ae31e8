//! # ledger: what it all means
//!
//! Purpose: fold the verified set into the envelope, rebind and treasury ledgers and the attestation and project registers.
//! May import: domain, scratch, evidence, verify
//! External crates: rayon, serde, serde_json, thiserror
//! Never: store; floats (the fee replay of FORMATS 4.2 excepted, in one function); hash-order iteration
//! Invariants: INV-5 every entry and every trial balance sums to zero, custody equals the sum of liabilities; a ledger is a
//! pure function of (verified set, policy, as-of); nothing later than the as-of counts.

mod canonical;
pub mod envelope;
pub mod fees;
mod groups;
mod operations;
mod parts;
mod people;
pub mod rails;
mod rebind;
mod rebuild;
mod registers;
mod scope;
#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;
mod treasury;
mod view;

pub use envelope::{
    Cap, CapBreach, CapReading, Counted, CountedEvent, Earned, EnvelopeEntry, EnvelopeLedger, Exclusion,
    ListedEnvelope, Measured, Standing, Window,
};
pub use fees::{FeeError, Fees, compute_fees, fee_issues};
pub(crate) use groups::{Grouped, Groups};
pub use people::People;
pub use rebind::{
    Change, CustodyAt, CustodyChange, CustodyCourse, Dated, Doubt, RebindEntry, RebindLedger, Transition, TrustLevel,
};
pub use rebuild::{Ledgers, project, rebuild};
pub use registers::{AttestationEntry, AttestationRegister, Level, ProjectEntry, ProjectRegister};
pub use treasury::{
    Account, Asked, Balances, Entry, EntryKey, Fact, Funding, Holding, Invariants, Journal, Movement, Paid, Posting,
    Rule, Shortage, Tier, TreasuryLedger, Unposted, allowed_direction, discharged, is_explained, is_wrong_way,
    movement,
};
pub use view::{LeafKind, LedgerLeaves, LedgerView, NamedLeaf};
