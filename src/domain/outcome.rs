//! How a run ended, and the exit code that says so (CONTRACT 2).

use std::fmt;

/// A reason that speaks against a clean result, or for refusing one. Each has its documented exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// A bug of ours: nothing is claimed.
    Internal,
    /// Local disk full or write failed.
    Io,
    /// Flags or config invalid.
    Usage,
    /// Would overwrite, unsafe member, loose key permissions, socket under `--offline`.
    Refused,
    /// Another live process holds the state.
    Locked,
    /// A snapshot, bundle or attestation fails.
    UntrustedInput,
    /// At least one unexplained divergence at or above the threshold.
    Divergent,
    /// A required source gave nothing at all.
    Unreachable,
    /// A declared requirement could not be established.
    Incomplete,
    /// Data clean, recovery objective missed.
    OverBudget,
    /// Interrupted by SIGINT; resumable.
    Interrupted,
    /// Interrupted by SIGTERM; resumable.
    Terminated,
}

impl Condition {
    /// The name used in `verdict.conditions`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Io => "io",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::Locked => "locked",
            Self::UntrustedInput => "untrusted_input",
            Self::Divergent => "divergent",
            Self::Unreachable => "unreachable",
            Self::Incomplete => "incomplete",
            Self::OverBudget => "over_budget",
            Self::Interrupted | Self::Terminated => "signal",
        }
    }

    /// Its exit code.
    pub const fn exit_code(self) -> ExitCode {
        ExitCode(match self {
            Self::Internal => 70,
            Self::Io => 74,
            Self::Usage => 2,
            Self::Refused => 6,
            Self::Locked => 7,
            Self::UntrustedInput => 5,
            Self::Divergent => 1,
            Self::Unreachable => 8,
            Self::Incomplete => 3,
            Self::OverBudget => 4,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        })
    }
}

/// A process exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct ExitCode(pub u8);

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// All conditions of a run. None means clean.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    conditions: std::collections::BTreeSet<Condition>,
}

impl Outcome {
    /// Adds a condition.
    pub fn add(&mut self, condition: Condition) {
        self.conditions.insert(condition);
    }

    /// The conditions, most severe first: the order of precedence of CONTRACT 2.
    pub fn conditions(&self) -> impl Iterator<Item = Condition> + '_ {
        self.conditions.iter().copied()
    }

    /// The leading condition's name, or `clean`.
    pub fn name(&self) -> &'static str {
        self.conditions.first().map_or("clean", |condition| condition.name())
    }

    /// The exit code of the leading condition; 0 when clean.
    pub fn exit_code(&self) -> ExitCode {
        self.conditions.first().map_or(ExitCode(0), |condition| condition.exit_code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_is_that_of_the_contract() {
        let mut outcome = Outcome::default();
        assert_eq!((outcome.exit_code().0, outcome.name()), (0, "clean"));
        // CONTRACT 2: 70 > 74 > 2 > 6 > 7 > 5 > 1 > 8 > 3 > 4 > 0.
        for (condition, code) in [
            (Condition::OverBudget, 4),
            (Condition::Incomplete, 3),
            (Condition::Unreachable, 8),
            (Condition::Divergent, 1),
            (Condition::UntrustedInput, 5),
            (Condition::Locked, 7),
            (Condition::Refused, 6),
            (Condition::Usage, 2),
            (Condition::Io, 74),
            (Condition::Internal, 70),
        ] {
            outcome.add(condition);
            assert_eq!(outcome.exit_code().0, code);
        }
    }
}
