//! # report: words for what was decided elsewhere
//!
//! Purpose: one model of a run's result and its renderings: canonical JSON, the human summary, Markdown, JUnit, OpenMetrics,
//! tables, the JSON Schema, the treasury's journal for hledger, beancount and spreadsheets.
//! May import: domain, verify, ledger, reconcile, seal
//! External crates: serde, serde_json, base64, flate2, thiserror
//! Never: decide anything
//! Invariants: INV-7 report == f(evidence, config, as-of, tool version), byte for byte; INV-10 nothing an attacker wrote
//! reaches a terminal unescaped; no wall-clock time, path, host name or duration.

mod canonical;
mod course;
mod csv;
mod document;
mod html;
mod journal;
mod json;
mod junit;
mod markdown;
mod metrics;
mod model;
mod pseudonym;
mod rendering;
mod schema;
mod tables;
mod text;

pub use canonical::canonical_json;
pub use document::*;
pub use journal::{Detail, Dialect, JournalAsk, JournalWritten, SUMMARY_ABOVE, write_journal};
pub use json::{REPORT_SCHEMA, coverage_row, divergence_value, report_json, write_report};
pub use markdown::markdown_text;
pub use model::{Inputs, Model};
pub use pseudonym::Pseudonyms;
pub use rendering::{Measurements, Rendering};
pub use schema::{SCHEMAS, schema};
pub use tables::Table;
pub use text::{SUMMARY_LINES_MAX, summary_text};
