//! A run's ledgers in a real Redis: `redis-server` on a free port of loopback, with a folder of its own. Where it is not
//! installed these tests say so and pass, unless RELEDGER_REQUIRE_SERVICES=1.

mod compared;
pub(crate) mod cut;
mod odd_servers;
mod refusals;
pub(crate) mod runs;
pub(crate) mod server;
mod switched;
mod tls;
