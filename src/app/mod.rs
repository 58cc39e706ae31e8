//! # app: use-cases, and the one seam between threads and rooms
//!
//! Purpose: drill, capture, rebuild, audit, verify, explain: orders the rooms about; reads the configuration.
//! May import: domain, evidence, verify, store, ingest, ledger, reconcile, seal, report, substrate, sim
//! External crates: rayon, serde, serde_json, thiserror, tokio, toml, tracing
//! Never: print; read the environment
//! Invariants: INV-11; what a report says depends only on evidence, configuration, as-of and version.

mod as_of;
mod audit;
mod capture;
mod conclude;
mod config;
mod coverage;
mod drift;
mod drill;
mod earlier;
mod error;
mod explain;
mod federations;
mod finish;
mod inspect;
mod judge;
mod observer;
mod plan;
mod relay_terms;
mod run;
mod seals;
mod sources;
mod takedowns;
#[cfg(feature = "net")]
mod trial;
mod values;

pub use as_of::AsOfWanted;
pub use audit::{Audited, audit};
pub use conclude::{Conclusion, JudgedInputs};
pub use config::{AuthWord, Config, RelayBudgetSection};
pub use coverage::Captured;
pub use drill::{Finished, RunOptions, capture_only, drill, rebuild_only};
pub use error::AppError;
pub use explain::{Explanation, explain_in_run};
pub use inspect::{Fate, JudgedFiles, JudgedRecord, verify_files};
pub use observer::{Cancel, Event, Observer, Silent};
pub use plan::{PaymentLogPlan, Plan};
pub use relay_terms::{RelayAnswer, RelayTerms};
pub use run::{Found, RunFolder, RunRecord, write_atomic, write_result};
#[cfg(feature = "net")]
pub use trial::{Campaign, CampaignResult, Faults, Trial, TrialReport, run_campaign};
pub use values::{Instant, Span};
