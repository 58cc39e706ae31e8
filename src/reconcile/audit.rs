//! What a reconciliation gathers while its checks run.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, Finding, Subject};

use super::result::{CheckRun, Unverifiable};

/// Findings, checks that ran, checks that could not.
#[derive(Debug, Default)]
pub(super) struct Audit {
    pub(super) findings: Vec<Finding>,
    pub(super) checks: Vec<CheckRun>,
    pub(super) unverifiable: Vec<Unverifiable>,
    /// Which checks said which codes.
    pub(super) said_by: BTreeMap<Code, BTreeSet<String>>,
}

impl Audit {
    /// Both together.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.findings.extend(other.findings);
        self.checks.extend(other.checks);
        self.unverifiable.extend(other.unverifiable);
        for (code, checks) in other.said_by {
            self.said_by.entry(code).or_default().extend(checks);
        }
        self
    }

    /// Records a check over `items` things and what it found. An empty population is never a pass.
    pub(super) fn check(&mut self, name: &str, items: usize, found: Vec<Finding>) {
        for finding in &found {
            let said = self.said_by.entry(finding.code).or_default();
            if !said.contains(name) {
                said.insert(name.to_owned());
            }
        }
        let open = found.iter().filter(|finding| finding.explained_by.is_none()).count();
        let codes = found.iter().map(|finding| finding.code).collect();
        self.findings.extend(found);
        self.ran(name, items, open, codes);
    }

    /// Records a check whose findings of these codes were gathered elsewhere.
    pub(super) fn ran(&mut self, name: &str, items: usize, disagreed: usize, codes: BTreeSet<Code>) {
        if items == 0 {
            self.not_possible(name, "nothing to check", 0, false);
            return;
        }
        self.checks.push(CheckRun { check: name.to_owned(), items: wide(items), disagreed: wide(disagreed), codes });
    }

    /// Records a check that could not be made. When its substrate was declared this is a divergence too: the run owes it.
    pub(super) fn not_possible(&mut self, name: &str, reason: &str, items: usize, declared: bool) {
        if declared {
            let finding = Finding::new(Code::Unverifiable, Subject::new("check", name))
                .with_values("checked", format!("{items} items not checked"))
                .with_explanation(reason);
            self.findings.push(finding);
        }
        self.unverifiable.push(Unverifiable {
            check: name.to_owned(),
            reason: reason.to_owned(),
            items: wide(items),
            declared,
        });
    }
}

/// A count as the report carries it.
pub(super) fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
