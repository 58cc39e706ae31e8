//! One integration binary: each module's head says what belongs in it.
#![expect(clippy::unwrap_used, reason = "a failed unwrap in a helper fails the test, with its place")]

mod architecture;
mod cli;
mod coverage;
mod doctor;
mod drill;
mod faults;
mod fixtures;
mod fuzz;
mod gaps;
mod hostile;
mod identity;
mod laws;
mod ledger_scenarios;
mod peers;
mod report;
mod scenarios;
mod schemas;
mod seals;
mod sim_faults;
mod sim_richness;
mod sim_servers;
mod sim_sockets;
mod sim_world;
mod sim_write;
mod sources;
mod state_root;
mod store;
mod substrate_files;
mod substrate_net;
mod support;
mod vectors_attest;
mod vectors_events;
mod vectors_invoice;
mod vectors_ots;
mod vectors_settlement;
