//! What Lightning nodes and the gateway say about single payments (TREASURY 1.4, 2.6), unsigned as it is.

mod claims;
mod legs;

pub use claims::{Claim, Claims, OPEN_SECONDS_MAX, paid};
pub use legs::{Leg, Legs, Logged, Partners, Recorded};
