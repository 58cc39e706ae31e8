//! Divergences counted in one pass.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::head::Summary;
use crate::domain::{Code, Divergence, Severity, State, UnixSeconds};

/// Divergences kept as a page's first rows.
const FIRST_MAX: usize = 200;
/// Divergences kept as examples.
const WORST_MAX: usize = 50;

/// How many divergences there are of each sort.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// All of them.
    pub all: u64,
    /// By code, severity and state.
    pub by: BTreeMap<(Code, Severity, State), u64>,
    /// Those that block unfreezing writes.
    pub blocking: u64,
    /// The first, in the report's order: worst first.
    pub first: Vec<Divergence>,
    /// The first that are open.
    pub worst: Vec<Divergence>,
    /// When the oldest of each code and state is of, of those that have a time.
    pub oldest: BTreeMap<(Code, State), UnixSeconds>,
}

/// Divergences of one code and severity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRow {
    /// The code.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// How many.
    pub count: u64,
    /// How many in each state.
    pub states: BTreeMap<State, u64>,
}

impl Tally {
    pub(super) fn add(&mut self, divergence: &Divergence) {
        self.all += 1;
        *self.by.entry((divergence.code, divergence.severity, divergence.state)).or_default() += 1;
        self.blocking += u64::from(divergence.blocks());
        if let Some(at) = divergence.at {
            let oldest = self.oldest.entry((divergence.code, divergence.state)).or_insert(at);
            *oldest = (*oldest).min(at);
        }
        if self.first.len() < FIRST_MAX {
            self.first.push(divergence.clone());
        }
        if divergence.state == State::Open && self.worst.len() < WORST_MAX {
            self.worst.push(divergence.clone());
        }
    }

    /// True when the report's own summary counts the same.
    pub(super) fn agrees(&self, summary: &Summary) -> bool {
        let mut by_code: BTreeMap<&str, u64> = BTreeMap::new();
        for ((code, _, _), count) in &self.by {
            *by_code.entry(code.name()).or_default() += count;
        }
        by_code.len() == summary.by_code.len()
            && by_code.iter().all(|(code, count)| summary.by_code.get(*code) == Some(count))
            && self.in_state(State::Open) == summary.unexplained
            && self.in_state(State::Explained) == summary.explained
            && self.in_state(State::Acknowledged) == summary.acknowledged
    }

    /// One row for each code and severity, worst first.
    pub fn rows(&self) -> Vec<CodeRow> {
        let mut rows: BTreeMap<(Reverse<Severity>, Code), CodeRow> = BTreeMap::new();
        for ((code, severity, state), count) in &self.by {
            let row = rows.entry((Reverse(*severity), *code)).or_insert_with(|| CodeRow {
                code: *code,
                severity: *severity,
                count: 0,
                states: BTreeMap::new(),
            });
            row.count += count;
            *row.states.entry(*state).or_default() += count;
        }
        rows.into_values().collect()
    }

    /// Those for which that is true.
    pub fn count(&self, of: impl Fn(Code, Severity, State) -> bool) -> u64 {
        self.by.iter().filter(|((code, severity, state), _)| of(*code, *severity, *state)).map(|(_, count)| count).sum()
    }

    /// Those in that state.
    pub fn in_state(&self, state: State) -> u64 {
        self.count(|_, _, one| one == state)
    }
}
