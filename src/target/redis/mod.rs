//! Redis, and what speaks its protocol: an address, a connection, loading beside what stands there, one switch, comparing.

mod address;
mod batch;
mod compare;
mod difference;
mod error;
mod link;
mod load;
mod stage;
mod strangers;
mod watch;

pub use address::Address;
pub use compare::{Compared, compare};
pub use difference::{Difference, What};
pub use error::TargetError;
pub use link::{Access, Link};
pub use load::{Loaded, is_loaded, load};
pub use watch::Watch;
