//! # app: use-cases, and the one seam between threads and rooms
//!
//! Purpose: drill, capture, rebuild, audit, verify, explain: orders the rooms about; reads the configuration.
//! May import: domain, evidence, verify, store, ingest, ledger, reconcile, seal, report, substrate, sim
//! External crates: serde, serde_json, thiserror, tokio, toml, tracing
//! Never: print; read the environment
//! Invariants: INV-11; what a report says depends only on evidence, configuration, as-of and version.

mod config;
mod error;
mod observer;
mod plan;
mod values;

pub use config::Config;
pub use error::AppError;
pub use observer::{Cancel, Event, Observer, Silent};
pub use plan::{PaymentLogPlan, Plan};
pub use values::{Instant, Span};
