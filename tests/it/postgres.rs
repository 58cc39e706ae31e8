//! The shared store: a real PostgreSQL server, one process and several, and everything that can happen between them.
//! What belongs here: what needs a server, and is skipped loudly where there is none. `RELEDGER_WORKER_WORLDS=n` sets how many
//! worlds are tried, `RELEDGER_WORKER_CUTS=n` at how many bytes a connection is cut.

mod copies;
mod cut;
mod fence;
mod refused;
mod runs;
mod same;
mod server;
mod shards;
mod spread;

use reledger::store::Engine;

/// An engine on the common server, for the suite that every store passes.
pub(crate) fn engine() -> Option<Engine> {
    Some(Engine::from_url(&server::own_schema()?).unwrap())
}
