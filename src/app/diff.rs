//! What differs between two runs, two reports, or a run and a state root; and where two runs part, to the first record.

mod compare;
mod descend;
mod evidence;
mod show;
mod sides;

use std::path::Path;

use serde_json::Value;

pub use descend::{FirstDifference, Record, Side};
pub use evidence::{EvidenceDifference, Unshared};
pub use show::{difference_text, difference_value};
pub use sides::Operand;

use super::error::AppError;
use super::observer::{Cancel, Observer};

/// One value that two reports state differently; `None` where a report has no such member.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// Where it stands, as in `ledgers.envelope.root`.
    pub path: String,
    /// In the first.
    pub left: Option<Value>,
    /// In the second.
    pub right: Option<Value>,
}

/// Items of a list that has no order of its own, told apart by a key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Listed {
    /// Only in the first.
    pub only_left: Vec<Value>,
    /// Only in the second.
    pub only_right: Vec<Value>,
    /// In both, with the members that differ.
    pub changed: Vec<(Value, Vec<Changed>)>,
}

impl Listed {
    /// True when both lists hold the same.
    pub fn is_equal(&self) -> bool {
        self.only_left.is_empty() && self.only_right.is_empty() && self.changed.is_empty()
    }
}

/// How two reports differ, part by part.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReportDifference {
    /// What was judged, for when, by what, by which version.
    pub inputs: Vec<Changed>,
    /// The verdict.
    pub verdict: Vec<Changed>,
    /// Roots, entries, totals, trial balance.
    pub ledgers: Vec<Changed>,
    /// Balances and their comparison.
    pub balances: Vec<Changed>,
    /// Divergences by fingerprint. Pseudonyms of users are no difference: each evidence has its own.
    pub divergences: Listed,
    /// Coverage by source and slice.
    pub coverage: Listed,
    /// Everything else.
    pub other: Vec<Changed>,
}

impl ReportDifference {
    /// True when nothing differs.
    pub fn is_equal(&self) -> bool {
        let lists = [&self.inputs, &self.verdict, &self.ledgers, &self.balances, &self.other];
        lists.iter().all(|list| list.is_empty()) && self.divergences.is_equal() && self.coverage.is_equal()
    }
}

/// What differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Both state roots.
    pub state_roots: (String, String),
    /// How the reports differ, where both sides have one.
    pub reports: Option<ReportDifference>,
    /// Which evidence only one side holds, where both are runs and hold other evidence.
    pub evidence: Option<EvidenceDifference>,
    /// Where the ledgers and the balance trees of two runs part; empty when none does, `None` when nobody asked.
    pub parted: Option<Vec<FirstDifference>>,
}

impl Difference {
    /// True when nothing differs that was compared.
    pub fn is_equal(&self) -> bool {
        self.is_same_state() && self.reports.as_ref().is_none_or(ReportDifference::is_equal)
    }

    /// True when both sides come to one state, whatever evidence and reports say beside it.
    pub fn is_same_state(&self) -> bool {
        self.state_roots.0 == self.state_roots.1
    }

    /// 0 when equal, else 1; with `state_only` the state alone decides.
    pub fn exit_code(&self, state_only: bool) -> u8 {
        u8::from(!(if state_only { self.is_same_state() } else { self.is_equal() }))
    }

    /// One clause for people: equal, one state with other evidence, or different states.
    pub fn sentence(&self) -> String {
        match (self.is_equal(), self.is_same_state(), &self.evidence) {
            (true, _, _) => "equal".to_owned(),
            (false, false, _) => "different states".to_owned(),
            (false, true, None) => "different: one state, told by different reports".to_owned(),
            (false, true, Some(EvidenceDifference { only_left, only_right, .. })) => {
                let items = match only_left.saturating_add(*only_right) {
                    1 => "1 item".to_owned(),
                    items => format!("{items} items"),
                };
                format!(
                    "same state root: evidence differs in {items} ({only_left} only in the first, {only_right} only in \
                     the second), 0 affect the state"
                )
            }
        }
    }
}

/// Compares two runs, reports or state roots. Reads only; `bisect` judges both runs again from their evidence, each by the
/// policy and as-of that it recorded, and needs two of them.
///
/// # Errors
/// [`AppError::Config`] for what is neither, and for a bisection of anything but two finished runs;
/// [`AppError::Unestablished`] when a run's report does not follow from its evidence; [`AppError`] for local failures.
pub fn difference(
    (left, right): (&str, &str),
    bisect: bool,
    (jobs, reveal): (usize, bool),
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Difference, AppError> {
    let (left, right) = (Operand::read(left)?, Operand::read(right)?);
    let reports = left.report().zip(right.report()).map(|(left, right)| compare::reports(left, right));
    let state_roots = (left.state_root(), right.state_root());
    let evidence = match (left.run(), right.run()) {
        (Some(one), Some(two)) if left.evidence_root() != right.evidence_root() => Some(evidence::differing(one, two)?),
        _ => None,
    };
    let parted = if bisect {
        let (Some(left), Some(right)) = (left.run(), right.run()) else {
            return Err(AppError::Config {
                what: "--bisect needs the records of both sides, and a report or a state root has none".to_owned(),
                hint: "name the folders of two finished runs".to_owned(),
            });
        };
        Some(descend::descend((left, right), &state_roots, (jobs, reveal), observer, cancel)?)
    } else {
        None
    };
    Ok(Difference { state_roots, reports, evidence, parted })
}

/// The name of a path for people.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
