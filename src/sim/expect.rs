//! What must come out of a world: stated before the program under test has seen it.

use std::collections::BTreeMap;

use crate::domain::{Code, Severity, Subject};

/// One divergence that a report must hold, neither more nor less often than it is expected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Expected {
    /// What kind of disagreement, by its name.
    #[serde(serialize_with = "name")]
    pub code: Code,
    /// What it is about.
    pub subject: Subject,
    /// How bad, where the specification departs from the code's own severity.
    #[serde(serialize_with = "severity")]
    pub severity: Severity,
    /// Listed, but not held against anybody (DIVERGENCES.md: "explained").
    pub explained: bool,
}

impl Expected {
    /// An open divergence of the code's own severity.
    pub fn open(code: Code, subject: Subject) -> Self {
        Self { code, subject, severity: code.severity(), explained: false }
    }

    /// An explained divergence of the code's own severity.
    pub fn explained(code: Code, subject: Subject) -> Self {
        Self { explained: true, ..Self::open(code, subject) }
    }

    /// The same with another severity.
    #[must_use]
    pub fn with_severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes members by reference")]
fn name<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.name())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes members by reference")]
fn severity<S: serde::Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity.name())
}

/// Everything that the oracle says about a world; `expected.json` beside a written one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Expectation {
    /// The exit code (CONTRACT 2).
    pub exit_code: u8,
    /// Every divergence, sorted. A report says a thing once, whoever found it, so no (code, subject) stands here twice.
    pub divergences: Vec<Expected>,
    /// Satoshi owed to each user: earned, maturing shares included, less settled.
    pub balances: BTreeMap<String, i128>,
    /// Millisatoshi by account class, debits positive, as in the report's trial balance.
    pub trial_balance: BTreeMap<String, i128>,
    /// The leaves of each ledger and register in their order (docs/state-root.md 4): canonical JSON, one a line.
    pub leaves: BTreeMap<&'static str, Vec<String>>,
}
