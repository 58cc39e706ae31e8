//! # cli: the door
//!
//! Purpose: arguments and environment become a plan; events become progress; outcomes become exit codes and hints.
//! May import: app, report, substrate, store, target, sim, domain
//! External crates: clap, clap_complete, clap_mangen, indicatif, serde_json, tokio, toml, tracing, tracing_subscriber
//! Never: hold logic worth a unit test
//! Invariants: stdout is the result only; progress and log go to stderr; every run ends with one sentence and a
//! documented exit code.

mod args;
mod attest;
mod audit;
mod caps;
mod checkpoint;
mod commands;
mod coverage;
mod cursor;
mod custody;
mod diff;
mod divergences;
mod doctor;
mod documents;
mod drill;
mod expect;
mod explain;
mod feed;
mod gaps;
mod headers;
mod init;
mod keys;
mod ots;
mod output;
mod progress;
mod replay;
mod report;
#[cfg(feature = "redis")]
mod restore;
mod settings;
mod show;
mod signals;
mod sim;
mod snapshot;
mod transparency;
mod trial;
mod unchanged;
#[cfg(feature = "postgres")]
mod worker;
mod worlds;

pub use commands::main;
