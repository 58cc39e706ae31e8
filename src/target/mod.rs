//! # target: where a rebuilt ledger goes out
//!
//! Purpose: the layout of a foreign store; what it has to hold; loading it beside what stands there, one switch, comparing.
//! May import: domain, evidence, ledger
//! External crates: redis, serde_json, thiserror
//! Never: fetch evidence; judge; delete or overwrite what a restore did not write; print a secret
//! Invariants: a reader of the store sees the old state or the new one, and never a mixture; comparing writes nothing.

#[cfg(feature = "redis")]
mod address;
#[cfg(feature = "redis")]
mod batch;
#[cfg(feature = "redis")]
mod compare;
mod content;
#[cfg(feature = "redis")]
mod difference;
#[cfg(feature = "redis")]
mod error;
mod layout;
#[cfg(feature = "redis")]
mod link;
#[cfg(feature = "redis")]
mod load;
#[cfg(feature = "redis")]
mod stage;
#[cfg(feature = "redis")]
mod strangers;
#[cfg(feature = "redis")]
mod watch;

#[cfg(feature = "redis")]
pub use address::Address;
#[cfg(feature = "redis")]
pub use compare::{Compared, compare};
pub use content::{Content, Index, META_SCHEMA, Origin, Record, Unit};
#[cfg(feature = "redis")]
pub use difference::{Difference, What};
#[cfg(feature = "redis")]
pub use error::TargetError;
pub use layout::{Kind, Layout, LayoutError};
#[cfg(feature = "redis")]
pub use link::{Access, Link};
#[cfg(feature = "redis")]
pub use load::{Loaded, is_loaded, load};
#[cfg(feature = "redis")]
pub use watch::Watch;
