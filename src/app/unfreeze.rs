//! May writes go on? One answer after a replay, out of what the report says.

use std::collections::BTreeMap;

use super::conclude::Conclusion;
use crate::domain::{Code, Condition};

/// Whether writes may be unfrozen, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfreeze {
    /// Nothing blocks it, and everything declared was established.
    pub safe: bool,
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
            safe: blocking.is_empty() && conditions.is_empty(),
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
        let mut reasons: Vec<String> = Vec::new();
        if !self.blocking.is_empty() {
            let count: usize = self.blocking.values().sum();
            let codes = self.blocking.iter().map(|(code, count)| format!("{code} {count}"));
            reasons.push(format!("{count} divergences block it ({})", codes.collect::<Vec<_>>().join(", ")));
        }
        if !self.conditions.is_empty() {
            reasons.push(format!("the run is {}", self.conditions.join(" and ")));
        }
        reasons.push(format!("{covered} of {all} slices covered"));
        format!("writes: keep frozen: {}", reasons.join("; "))
    }
}
