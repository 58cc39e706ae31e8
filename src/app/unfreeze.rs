//! May writes go on? The runbook's answer after a replay, in one line.

use std::collections::BTreeMap;

use super::conclude::Conclusion;
use crate::domain::{Code, Condition};

/// Whether writes may be unfrozen, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfreeze {
    /// [`crate::reconcile::Runbook::ready_to_unfreeze`].
    pub safe: bool,
    /// Why not, in words; empty when it is safe.
    pub reasons: Vec<String>,
    /// Open divergences that block it, by code (DIVERGENCES: critical and error).
    pub blocking: BTreeMap<Code, usize>,
    /// Slices covered, of all.
    pub covered: (usize, usize),
    /// What else speaks against it: names of conditions.
    pub conditions: Vec<&'static str>,
}

impl Unfreeze {
    /// The answer of a conclusion. A missed objective is no reason to keep writes frozen: the data is clean.
    pub fn of(conclusion: &Conclusion) -> Self {
        let reconciliation = conclusion.reconciliation();
        let mut blocking = BTreeMap::new();
        for divergence in reconciliation.divergences.iter().filter(|divergence| divergence.blocks()) {
            *blocking.entry(divergence.code).or_default() += 1;
        }
        let rows = &reconciliation.coverage;
        let against = |condition: &Condition| *condition != Condition::OverBudget;
        let conditions: Vec<&str> = conclusion.outcome().conditions().filter(against).map(Condition::name).collect();
        Self {
            safe: conclusion.runbook().ready_to_unfreeze,
            reasons: conclusion.runbook().reasons.clone(),
            blocking,
            covered: (rows.iter().filter(|row| row.complete).count(), rows.len()),
            conditions,
        }
    }

    /// One line for people.
    pub fn sentence(&self) -> String {
        let (covered, all) = self.covered;
        if self.safe {
            return format!("writes: safe to unfreeze: nothing blocks it, {covered} of {all} slices covered");
        }
        format!("writes: keep frozen: {}; {covered} of {all} slices covered", self.reasons.join("; "))
    }
}
