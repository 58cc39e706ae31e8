//! What a capture left open, before anything is judged: the exit code of `reledger capture`. And `reledger coverage`: what
//! each source holds, slice by slice and month by month, on what basis.

mod model;
mod show;
mod survey;
mod table;

pub use model::{CoverageFilter, CoverageTable, SliceRow};
pub use show::{certificates_value, coverage_text, coverage_value};
pub(super) use survey::{Survey, Wanted};
pub use table::coverage_of_run;

use super::plan::Plan;
use crate::domain::{CompletenessBasis, Condition, FetchReceipt, SliceEnd, SourceId};

/// How a capture ended.
#[derive(Debug)]
pub struct Captured {
    /// Pieces of evidence held.
    pub held: u64,
    /// Slices asked for.
    pub slices: usize,
    /// Receipts without a sufficient basis.
    pub open: Vec<FetchReceipt>,
    /// The time limit ended fetching before every source had been heard.
    pub time_boxed: bool,
    /// What speaks against a complete capture, or nothing.
    pub condition: Option<Condition>,
}

impl Captured {
    /// Looks at the receipts. A capture of nothing, or of nothing declared, is never complete.
    pub(super) fn of(plan: &Plan, receipts: Vec<FetchReceipt>, held: u64, time_boxed: bool) -> Self {
        let is_relay = |source: &SourceId| plan.relays.contains(&source.0);
        let silent = |source: &SourceId| {
            let mut own = receipts.iter().filter(|receipt| receipt.source == *source).peekable();
            own.peek().is_some()
                && own
                    .all(|receipt| receipt.items == 0 && !matches!(receipt.end, SliceEnd::Ended | SliceEnd::Cancelled))
        };
        let speaking = plan.declared.relays.iter().filter(|relay| !silent(relay)).count();
        let relays_wanted = usize::try_from(plan.policy.require.min_relays).unwrap_or(usize::MAX);
        let unreachable = plan
            .declared
            .sources
            .iter()
            .any(|source| silent(source) && (!is_relay(source) || speaking < relays_wanted));
        let slices = receipts.len();
        let open: Vec<FetchReceipt> =
            receipts.into_iter().filter(|receipt| receipt.basis < required(plan, &receipt.source)).collect();
        let incomplete = time_boxed || held == 0 || slices == 0 || !open.is_empty();
        let condition = match (unreachable, incomplete) {
            (true, _) => Some(Condition::Unreachable),
            (false, true) => Some(Condition::Incomplete),
            (false, false) => None,
        };
        Self { held, slices, open, time_boxed, condition }
    }
}

/// The weakest basis that counts as covered. Others than relays know no set reconciliation: a fully read answer is all
/// they can give.
pub(super) fn required(plan: &Plan, source: &SourceId) -> CompletenessBasis {
    let asked = plan.policy.require.basis;
    if plan.relays.contains(&source.0) { asked } else { asked.min(CompletenessBasis::Exhausted) }
}
