//! The shared store: evidence, index and work queue in PostgreSQL, or in what speaks its protocol (docs/scaling.md).
//!
//! The run's folder stays the truth; these tables are a copy that machines without the folder can work on.

mod address;
#[cfg(feature = "postgres")]
mod failure;
#[cfg(feature = "postgres")]
mod index;
#[cfg(feature = "postgres")]
mod link;
#[cfg(feature = "postgres")]
mod queue;
#[cfg(feature = "postgres")]
mod stage;
#[cfg(feature = "postgres")]
mod tables;
#[cfg(feature = "postgres")]
mod tls;
#[cfg(feature = "postgres")]
mod token;

pub use address::Address;
#[cfg(feature = "postgres")]
pub(super) use index::PostgresIndex;
#[cfg(feature = "postgres")]
pub use queue::{Lease, Queue, Slice, Work};
