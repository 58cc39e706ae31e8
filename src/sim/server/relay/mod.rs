//! A Nostr relay (NIP-01, 11, 45, 67, 77) over the world's events: newest first. It takes events.

mod answer;
mod given;
mod rules;
mod shelf;
mod sync;
mod talk;
mod upgrade;
mod wire;

pub use rules::{Holds, RateLimit, RelayRules};
pub(super) use upgrade::{RelayServer, answer};
