//! Which divergences a testcase names: the first of each code, and how many there are.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::domain::{Code, Divergence, Severity, State, inert_limited};
use crate::report::document::{Document, DocumentError};

/// Divergences named in one testcase.
pub(super) const NAMED_MAX: usize = 20;

/// Divergences of one code.
#[derive(Default)]
pub(super) struct OfCode {
    /// How many fail the run.
    pub(super) failing: u64,
    /// The first of these, a line each.
    pub(super) named: Vec<String>,
    /// How many do not, by state and severity.
    pub(super) passing: BTreeMap<(State, Severity), u64>,
    /// The first that are explained or acknowledged, a line each.
    pub(super) closed: Vec<String>,
    /// How many are.
    pub(super) closed_count: u64,
}

/// Every code that the report names.
pub(super) struct Named(pub(super) BTreeMap<Code, OfCode>);

impl Named {
    /// Reads the divergences once.
    pub(super) fn of(document: &Document<'_>) -> Result<Self, DocumentError> {
        let mut codes: BTreeMap<Code, OfCode> = BTreeMap::new();
        document.each(&mut |divergence| {
            codes.entry(divergence.code).or_default().add(&divergence, document);
            Ok(())
        })?;
        Ok(Self(codes))
    }
}

impl OfCode {
    fn add(&mut self, divergence: &Divergence, document: &Document<'_>) {
        if fails(divergence, document) {
            self.failing += 1;
            if self.named.len() < NAMED_MAX {
                self.named.push(line(divergence));
            }
            return;
        }
        *self.passing.entry((divergence.state, divergence.severity)).or_default() += 1;
        if divergence.state != State::Open {
            self.closed_count += 1;
            if self.closed.len() < NAMED_MAX {
                self.closed.push(line(divergence));
            }
        }
    }
}

/// True when it speaks against a clean result: at or above the threshold, or whatever the threshold (a missed objective, a
/// source that gave nothing, a shortfall).
fn fails(divergence: &Divergence, document: &Document<'_>) -> bool {
    // A threshold that nobody knows must not let anything pass.
    let threshold = Severity::ALL.into_iter().find(|one| one.name() == document.head.inputs.fail_on);
    let is_late = matches!(divergence.code, Code::BudgetRto | Code::BudgetRpo);
    match divergence.state {
        State::Explained => false,
        State::Acknowledged => divergence.code.is_shortfall(),
        State::Open => {
            is_late || divergence.code.is_shortfall() || threshold.is_none_or(|threshold| divergence.fails(threshold))
        }
    }
}

fn line(divergence: &Divergence) -> String {
    let fingerprint = divergence.fingerprint.to_hex();
    let mut line = format!(
        "{} {} {} {}",
        divergence.severity,
        divergence.code,
        divergence.state.name(),
        fingerprint.get(..12).unwrap_or(&fingerprint)
    );
    for (name, value) in &divergence.subject.0 {
        // Writing to a String cannot fail.
        let _ = write!(line, " {}={}", inert_limited(name, 40), inert_limited(value, 80));
    }
    for (name, value) in [("expected", &divergence.expected), ("observed", &divergence.observed)] {
        if !value.is_empty() {
            let _ = write!(line, "; {name} {}", inert_limited(value, 80));
        }
    }
    line
}
