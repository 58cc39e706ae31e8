//! Real servers on loopback that answer for a world, well or badly, and know what they did.

mod behaviour;
mod body;
mod conduct;
mod effect;
mod growth;
mod house;
mod http;
mod misbehaviour;
mod relay;
mod role;
mod serve;

pub use behaviour::{Behaviour, BehaviourError, Schedule};
pub use effect::{Effect, Loss};
pub use house::{HeaderDialect, Services};
pub(super) use http::{DEFAULT_KINDS, PASSWORD};
pub use misbehaviour::Misbehaviour;
pub use relay::{Holds, RateLimit, RelayRules};
pub use role::Role;
pub use serve::{Serving, serve, serve_with};
