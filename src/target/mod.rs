//! # target: where a rebuilt ledger goes out
//!
//! Purpose: the layout of a foreign store; what it has to hold; loading it beside what stands there, one switch, comparing.
//! May import: domain, evidence, ledger
//! External crates: redis, serde_json, thiserror
//! Never: fetch evidence; judge; delete or overwrite what a restore did not write; print a secret
//! Invariants: a reader of the store sees the old state or the new one, and never a mixture; comparing writes nothing.

mod content;
mod layout;
#[cfg(feature = "redis")]
mod redis;

#[cfg(feature = "redis")]
pub use self::redis::{
    Access, Address, Compared, Difference, Link, Loaded, TargetError, Watch, What, compare, is_loaded, load,
};
pub use content::{Content, Index, META_SCHEMA, Origin, Record, Unit};
pub use layout::{Kind, Layout, LayoutError};
