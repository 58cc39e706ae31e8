//! What Lightning nodes and the gateway say about single payments (TREASURY 1.4, 2.6), unsigned as it is.

mod claims;
mod join;
mod leg;
mod legs;

use crate::domain::Digest32;
use crate::verify::VerifiedSet;

pub use claims::{Claim, Claims, OPEN_SECONDS_MAX, paid};
pub use leg::{Leg, Logged, Recorded};
pub use legs::{LegReader, Legs, Partners, Strangers};

/// The gateway's log and all records, put together. What grows with payments lies beside memory, but for some bytes of each.
#[derive(Debug, Clone)]
pub struct Rails {
    /// Single payments, and where settlements lead.
    pub legs: Legs,
    /// What the federation accepted.
    pub claims: Claims,
}

impl Rails {
    /// Puts them together; only a settlement that is posted makes a payment hash ours.
    pub(in crate::ledger) fn of(set: &VerifiedSet, is_posted: impl Fn(&Digest32) -> bool) -> Self {
        Self { legs: join::legs(set, is_posted), claims: Claims::of(set) }
    }
}
