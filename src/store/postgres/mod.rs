//! The shared store: evidence in slices and a work queue in PostgreSQL, or in what speaks its protocol (docs/scaling.md).
//!
//! The run's folder stays the truth, with its index beside it; these tables are a copy that machines without the folder can
//! work on.

mod address;
#[cfg(feature = "postgres")]
mod copy;
#[cfg(feature = "postgres")]
mod failure;
#[cfg(feature = "postgres")]
mod link;
#[cfg(feature = "postgres")]
mod parcel;
#[cfg(feature = "postgres")]
mod queue;
#[cfg(feature = "postgres")]
mod tables;
#[cfg(feature = "postgres")]
mod tls;
#[cfg(feature = "postgres")]
mod token;

pub use address::Address;
#[cfg(feature = "postgres")]
pub use copy::SharedCopy;
#[cfg(feature = "postgres")]
pub use parcel::Parcel;
#[cfg(feature = "postgres")]
pub use queue::{Lease, Queue, Slice, Work};
