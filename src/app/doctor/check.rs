//! One check: what was looked at, how it is, what was found, what to do.

use crate::domain::Condition;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should be.
    Ok,
    /// Not checked. Never counted as passed.
    Skipped,
    /// A run would work, and mean less than it could.
    Warn,
    /// A run would fail, leave something out, or name the wrong one.
    Fail,
}

impl Health {
    /// The name in listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One line of the diagnosis. Foreign text in it is raw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name, for example `drift.kinds.evidence`.
    pub name: &'static str,
    /// What it is about: a source, a list, a file; empty for the whole.
    pub about: String,
    /// How it came out.
    pub health: Health,
    /// What was found.
    pub found: String,
    /// What to do; empty when there is nothing.
    pub hint: String,
    /// Skipped although the configuration declares it.
    pub owed: bool,
}

impl Check {
    fn new(name: &'static str, about: impl Into<String>, health: Health, found: impl Into<String>) -> Self {
        Self { name, about: about.into(), health, found: found.into(), hint: String::new(), owed: false }
    }

    pub(in crate::app) fn ok(name: &'static str, about: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(name, about, Health::Ok, found)
    }

    pub(in crate::app) fn warned(name: &'static str, about: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(name, about, Health::Warn, found)
    }

    pub(in crate::app) fn failed(name: &'static str, about: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(name, about, Health::Fail, found)
    }

    /// Not checked; `owed` when the configuration declares what could not be looked at.
    pub(in crate::app) fn skipped(
        name: &'static str,
        about: impl Into<String>,
        reason: impl Into<String>,
        owed: bool,
    ) -> Self {
        Self { owed, ..Self::new(name, about, Health::Skipped, reason) }
    }

    #[must_use]
    pub(in crate::app) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

/// What the checks come to: nothing when all are ok; a warning or a failure comes before what could not be checked.
pub fn exit_condition(checks: &[Check]) -> Option<Condition> {
    if checks.iter().any(|check| check.health >= Health::Warn) {
        Some(Condition::Divergent)
    } else if checks.is_empty() || checks.iter().any(|check| check.owed) {
        Some(Condition::Incomplete)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_owed_and_skipped_is_never_a_pass() {
        let (good, bad) = (Check::ok("a", "", ""), Check::warned("b", "", ""));
        let (owed, spare) = (Check::skipped("c", "", "", true), Check::skipped("d", "", "", false));
        assert_eq!(exit_condition(&[]), Some(Condition::Incomplete));
        assert_eq!(exit_condition(&[good.clone(), spare]), None);
        assert_eq!(exit_condition(&[good.clone(), owed.clone()]), Some(Condition::Incomplete));
        assert_eq!(exit_condition(&[owed, good, bad]), Some(Condition::Divergent));
    }
}
