//! Step 6, recovery objectives: BUDGET_RTO and BUDGET_RPO. A run that is late proves its data all the same.

use std::collections::BTreeSet;

use crate::domain::{Code, Finding, Subject};

use super::audit::Audit;
use super::reconciler::Input;
use super::recovery;

/// The objectives that a run is held to. That a duration was exceeded is recorded, since durations are not reproducible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Objectives<'a> {
    /// Recovery point objective: the newest envelope may be so many seconds older than the as-of.
    pub rpo_seconds: Option<u64>,
    /// The recovery time objective was missed.
    pub rto_missed: bool,
    /// Stages that took longer than theirs.
    pub stages_missed: &'a [String],
}

pub(super) fn check(input: &Input<'_>, audit: &mut Audit) {
    if input.objectives.rto_missed {
        audit.findings.push(
            Finding::new(Code::BudgetRto, Subject::new("objective", "rto"))
                .with_explanation("The run took longer than the recovery time objective allows."),
        );
    }
    for stage in input.objectives.stages_missed {
        audit.findings.push(
            Finding::new(Code::BudgetRto, Subject::new("objective", "rto").and("stage", stage))
                .with_explanation("The stage took longer than its budget allows."),
        );
    }
    let Some(limit) = input.objectives.rpo_seconds else { return };
    let claimed = recovery::recovery(input).rpo_claimed_seconds;
    let is_met = claimed.and_then(|claimed| u64::try_from(claimed).ok()).is_some_and(|claimed| claimed <= limit);
    let codes = if is_met { BTreeSet::new() } else { BTreeSet::from([Code::BudgetRpo]) };
    audit.ran("seal.rpo", 1, usize::from(!is_met), codes);
    if is_met {
        return;
    }
    let observed = claimed.map_or_else(|| "no envelope at all".to_owned(), |claimed| format!("{claimed} seconds"));
    audit.findings.push(
        Finding::new(Code::BudgetRpo, Subject::new("objective", "rpo"))
            .with_values(format!("at most {limit} seconds"), observed)
            .with_explanation("The newest envelope is older than the recovery point objective allows."),
    );
}
