//! `reledger keys`: which key stood under which id when, what it signed, and which leaked.

mod order;
mod register;
mod table;

pub use register::{Leak, LeakRegister};
pub(super) use register::{compromised, with_register};
pub use table::{HeldKey, KeyRow, KeySetRow, KeyStatus, KeyTable, Signed, keys_of_run, named_kids};
