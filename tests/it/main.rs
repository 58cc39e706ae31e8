//! One integration binary: each module's head says what belongs in it.

mod architecture;
mod cli;
mod drill;
mod hostile;
mod ledger_scenarios;
mod report;
mod scenarios;
mod sim_world;
mod store;
mod substrate_files;
mod substrate_net;
mod support;
mod vectors_attest;
mod vectors_events;
mod vectors_ots;
mod vectors_settlement;
