//! # reconcile: the ledgers against each other and against coverage
//!
//! Purpose: compare ledgers, settlements, balances and coverage; say what disagrees, what could not be checked, and why.
//! May import: domain, scratch, evidence, verify, ledger
//! External crates: rayon, serde, serde_json
//! Never: re-judge evidence
//! Invariants: INV-8 a contradicted completeness claim is withdrawn; INV-9 no finding is netted away or dropped because it
//! is explained; a check that did not run is listed as unverifiable, never as passed.

mod absences;
mod acknowledge;
mod ageing;
mod anchoring;
mod audit;
mod balances;
mod book;
mod claims;
mod conduct;
mod coverage;
mod distributions;
mod drift;
mod earlier;
mod earned;
mod equivocation;
mod escrow;
mod fees;
mod listed;
mod manifest;
mod matches;
mod matching;
mod merge;
mod months;
mod objectives;
mod observed;
mod omissions;
mod pages;
mod payouts;
mod population;
mod price_lists;
mod rails;
mod reconciler;
mod recovery;
mod result;
mod runbook;
mod sampling;
mod settlements;
mod shares;
mod sightings;
mod statement;
mod takedowns;
#[cfg(test)]
mod tests;

pub use absences::{Absent, Why, absences};
pub use acknowledge::{JudgedStatement, StatementState};
pub use balances::balances;
pub use book::{Balance, BalanceBook, Balances};
pub use months::{ByMonth, Cell, CountedByMonth, GapUse, OpenWindow, TakedownUse};
pub use objectives::Objectives;
pub use reconciler::{Input, reconcile};
pub use result::*;
pub use runbook::{Runbook, StepVerdict, Verdict, step_of};
pub use sampling::users_to_ask;
pub use sightings::{Beside, Sightings, SightingsSorter};
