//! # app: use-cases, and the one seam between threads and rooms
//!
//! Purpose: drill, capture, rebuild, audit, verify, explain, proofs and headers by themselves: orders the rooms about; reads the configuration.
//! May import: domain, scratch, evidence, verify, store, ingest, ledger, reconcile, seal, report, substrate, target, sim
//! External crates: age, base64, ed25519_dalek, rayon, rustix, serde, serde_json, thiserror, tokio, toml, tracing
//! Never: print; read the environment
//! Invariants: INV-11; what a report says depends only on evidence, configuration, as-of and version.

mod acknowledgements;
mod again;
mod as_of;
mod attest;
mod audit;
mod balance_proofs;
mod beacon;
mod budgets;
mod bundle;
mod caps;
mod capture;
mod chain;
mod checkpoints;
mod conclude;
mod config;
mod coverage;
mod cursor;
mod cursors;
mod custody;
mod custody_log;
mod cut;
mod diff;
mod divergences;
mod doctor;
mod documents;
mod drift;
mod drill;
mod drills;
mod earlier;
mod error;
mod executable;
mod expected;
mod explain;
mod federations;
mod feed;
mod finish;
mod finished;
mod gaps;
mod gateway;
mod ground;
mod headers;
mod inspect;
mod journal;
mod judge;
mod judged_by;
mod keys;
mod limits;
mod links;
mod meant;
mod observer;
mod options;
mod ots;
mod pen;
mod plan;
mod recorded;
mod register;
mod relay_terms;
mod render;
mod replay;
mod restore;
mod run;
mod sample;
mod schedule;
mod seals;
mod share;
mod snapshots;
mod sources;
mod standing;
mod takedowns;
mod transparency;
#[cfg(feature = "net")]
mod trial;
mod unchanged;
mod unfreeze;
mod values;

pub use acknowledgements::{AcknowledgementRegister, AcknowledgementsSection};
pub use as_of::AsOfWanted;
pub use attest::*;
pub use audit::{Audited, audit, custody_of};
pub use balance_proofs::JudgedBalanceProof;
pub use budgets::{Budgets, BudgetsSection, Stage};
pub use bundle::{
    BUNDLE_BYTES_MAX, ExportWanted, Exported, HeldBack, JudgedBundle, Made, OwnTrust, export_bundles,
    looks_like_bundle, verify_bundle,
};
pub use caps::{CapEvents, CapTable, DropWindows, caps_of_run};
pub use checkpoints::{
    ADMITTED_FILE, CHAIN_FILE, ChainFault, ChainLink, ChainVerdict, ChainWanted, CheckpointOptions, CreatedCheckpoint,
    JudgedCheckpointProof, KeyTerm, ProofWanted, SealTerms, Stitched, create_checkpoint, latest_checkpoint,
    prove_checkpoint, stitch_chain, verify_chain,
};
pub use conclude::{Conclusion, JudgedInputs};
pub use config::{AuthWord, Config, RelayBudgetSection};
pub use coverage::{
    Captured, CoverageFilter, CoverageTable, SliceRow, certificates_value, coverage_of_run, coverage_text,
    coverage_value,
};
pub use cursor::{
    EXPORT_BYTES_MAX, Imported, Verdict as ImportVerdict, cursors, export_cursors, import_cursors, reset_cursors,
};
pub use cursors::{Cursor, Place};
pub use custody::{CustodyFound, CustodyQuestion, FoundTransition, custody_of_run, custody_text, custody_value};
pub use custody_log::{Actor, CustodyLog, entry_text};
pub use diff::{
    Changed, Difference, EvidenceDifference, FirstDifference, Listed, Operand, Record, ReportDifference, Side,
    Unshared, difference, difference_text, difference_value,
};
pub use divergences::{DivergenceFilter, Draft, ReportedDivergence, ReportedRun};
pub use doctor::{Check, Health, Patient, diagnose, exit_condition};
pub use documents::SeenDocument;
pub use drill::{Course, Finished, StageTime, capture_only, drill, rebuild_only};
pub use drills::{
    BegunFrom, DrillProfile, Past, ToldDrill, history_beside, may_drill, newest_snapshot, record_drill, schema_drift,
};
pub use error::AppError;
pub use executable::Executable;
pub use expected::Expected;
pub use explain::*;
pub use feed::{FeedHead, feed_run, verify_feed};
pub use finished::FinishedRun;
pub use gaps::{Gap, GapOrigin, GapRegister, gap_uses};
pub use gateway::{NodeKind, NodePlan};
pub use headers::{
    BadHeaders, ChainFound, HeadersJudged, TIP_AGE_SECONDS_MAX, TIP_FUTURE_SECONDS_MAX, TipAge, tip_age, verify_headers,
};
#[cfg(feature = "net")]
pub use headers::{HeaderSync, sync_headers};
pub use inspect::{Fate, JudgedFiles, JudgedRecord, JudgedWith, verify_files};
pub use journal::{RunJournal, journal_of_run};
pub use judged_by::JudgedBy;
pub use keys::{HeldKey, KeyRow, KeySetRow, KeyStatus, KeyTable, Leak, LeakRegister, Signed, keys_of_run, named_kids};
pub use links::Appended;
pub use observer::{Cancel, Event, Observer, Silent};
pub use options::{Checks, RunOptions};
pub use ots::*;
pub use pen::{KeySource, Pen};
pub use plan::{PaymentLogPlan, Plan};
pub use relay_terms::{RelayAnswer, RelayTerms};
pub use render::{render, with_report, with_run};
pub use replay::{ReplayOptions, Replayed, RestoredFrom, WouldReplay, replay, would_replay};
pub use restore::RestoreSection;
#[cfg(feature = "redis")]
pub use restore::{
    IntoOptions, IntoPlan, RestoredInto, plan_restore, restore_into, restored_lines, restored_sentence, restored_text,
    restored_value,
};
pub use run::{Found, RunFolder, RunRecord, write_atomic, write_private, write_result, write_result_by};
#[cfg(feature = "postgres")]
pub use share::{Worked, WorkerOptions, work};
pub use snapshots::{
    CreatedSnapshot, Identities, InspectedSnapshot, JudgedSnapshot, KeptFor, PruneOptions, PrunedSnapshot, Recipients,
    RestoreOptions, RestoreTrust, Restored, Retention, SnapshotFault, SnapshotName, SnapshotOptions, SnapshotVerdict,
    create_snapshot, create_snapshot_for, inspect_snapshot, prune_snapshots, restore_snapshot, restore_snapshot_with,
    snapshots_in, verify_snapshots, verify_snapshots_with,
};
pub use standing::{Origin, Standing};
pub use transparency::{Accepted, Change, More, OpenCode, Page, Skipped, Told, page_of_year, page_text, page_value};
#[cfg(feature = "net")]
pub use trial::{Campaign, CampaignResult, Faults, Trial, TrialReport, drill_world, plan_of_world, run_campaign};
pub use unchanged::{Memory, Unchanged, unchanged};
pub use unfreeze::Unfreeze;
pub use values::{Instant, Span};

pub use crate::domain::Month;
pub use crate::ledger::{Cap, CapBreach, Measured};
pub use crate::reconcile::{Cell, GapUse, OpenWindow, TakedownUse};
pub use crate::seal::SignatureStanding;
pub use crate::verify::HeaderTrust;
