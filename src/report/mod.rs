//! # report: words for what was decided elsewhere
//!
//! Purpose: one model of a run's result and its renderings: canonical JSON, the human summary, the JSON Schema.
//! May import: domain, verify, ledger, reconcile, seal
//! External crates: serde, serde_json
//! Never: decide anything
//! Invariants: INV-7 report == f(evidence, config, as-of, tool version), byte for byte; INV-10 nothing an attacker wrote
//! reaches a terminal unescaped; no wall-clock time, path, host name or duration.
