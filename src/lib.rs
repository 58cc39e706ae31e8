//! Rebuilds three ledgers from empty out of public substrates, proves every line of them, and says exactly where the
//! substrates disagree.
//!
//! ```text
//! FetchPlan --substrate--> RawEvidence* + FetchReceipt
//!           --evidence---> Claim                       | undecodable -> quarantine (a finding)
//!           --verify-----> Accepted | Pending | Rejected
//!           --ingest-----> Inserted | AlreadyPresent
//!           --ledger-----> Ledgers @ AsOf
//!           --reconcile--> Reconciliation
//!           --seal-------> state root
//!           --report-----> bytes + Outcome -> exit code
//! ```
//!
//! Rooms in floor order: [`domain`], [`scratch`], [`evidence`], [`verify`], [`store`], [`ingest`], [`ledger`], [`reconcile`], [`seal`],
//! [`report`]; on the porch `substrate` and [`target`]; in the yard `sim`; on the roof [`app`]; at the door `cli`. Each room's charter
//! stands in the first lines of its `mod.rs`, and `tests/it/architecture.rs` holds it to them.

pub mod app;
#[cfg(feature = "cli")]
pub mod cli;
pub mod domain;
pub mod evidence;
pub mod ingest;
pub mod ledger;
pub mod reconcile;
pub mod report;
pub mod scratch;
pub mod seal;
#[cfg(feature = "net")]
pub mod sim;
pub mod store;
pub mod substrate;
pub mod target;
pub mod verify;
