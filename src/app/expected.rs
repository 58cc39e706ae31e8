//! A conclusion held against the state root that somebody expects: another party's, or that of an earlier run.

use serde_json::{Value, json};

use super::conclude::Conclusion;
use crate::domain::{Condition, Digest32, ExitCode, Outcome};

/// What became of an expectation. The report says nothing of it: its bytes are the same for everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    root: Digest32,
    found: Digest32,
    outcome: Outcome,
}

impl Expected {
    /// Holds the conclusion against that root. Another one makes the run divergent, whatever else it is.
    pub fn of(root: Digest32, conclusion: &Conclusion) -> Self {
        let (found, mut outcome) = (conclusion.seal().state_root, conclusion.outcome().clone());
        if found != root {
            outcome.add(Condition::Divergent);
        }
        Self { root, found, outcome }
    }

    /// True when the state root is the expected one.
    pub fn is_met(&self) -> bool {
        self.root == self.found
    }

    /// The conditions of the whole: of the conclusion and of the expectation.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The exit code of the whole: of the conclusion and of the expectation.
    pub fn exit_code(&self) -> ExitCode {
        self.outcome.exit_code()
    }

    /// One line for people: both roots, all conditions, and the exit code when it is not met.
    pub fn sentence(&self) -> String {
        let Self { root, found, outcome } = self;
        if self.is_met() {
            return format!("state root {found}: as expected");
        }
        let conditions: Vec<&str> = outcome.conditions().map(Condition::name).collect();
        format!(
            "state root {found} is not the expected {root}; {}; exit {}",
            conditions.join(", "),
            outcome.exit_code()
        )
    }

    /// What to do when it is not met.
    pub const fn hint() -> &'static str {
        "`reledger diff A B --bisect` names the first record that differs, given the folders of both runs"
    }

    /// The event for programs: on stderr, since the result is the report.
    pub fn value(&self) -> Value {
        let conditions: Vec<&str> = self.outcome.conditions().map(Condition::name).collect();
        json!({
            "type": "expected-root", "expected": self.root.to_hex(), "found": self.found.to_hex(),
            "equal": self.is_met(), "conditions": conditions, "exit_code": self.exit_code().0,
        })
    }
}
