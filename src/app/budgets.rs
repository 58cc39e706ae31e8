//! How long a recovery may take, as a whole and stage by stage, and how much of the newest may be lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::values::Span;

/// `[budgets]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetsSection {
    /// Longest allowed rebuild.
    pub rto: Option<Span>,
    /// Longest allowed loss.
    pub rpo: Option<Span>,
    /// Longest allowed time of single stages. What is not there changes no digest of the configuration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub stages: BTreeMap<Stage, Span>,
}

/// A stage that is timed. One that comes several times counts with all of its times together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// A snapshot is verified and unpacked.
    Restore,
    /// Sources are asked.
    Capture,
    /// Calendars and header sources are asked for what proofs want.
    Upgrade,
    /// Balances of a sample are asked for.
    Sample,
    /// Evidence is verified.
    Verify,
    /// Ledgers are drawn and reconciled.
    Rebuild,
}

impl Stage {
    /// As `run.json` and the configuration call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::Capture => "capture",
            Self::Upgrade => "upgrade",
            Self::Sample => "sample",
            Self::Verify => "verify",
            Self::Rebuild => "rebuild",
        }
    }
}

/// What a run is held to, in seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Budgets {
    /// Recovery time objective.
    pub rto_seconds: Option<u64>,
    /// Recovery point objective.
    pub rpo_seconds: Option<u64>,
    /// Of single stages, by name.
    pub stages: BTreeMap<String, u64>,
}

impl Budgets {
    /// What the section says.
    pub(super) fn of(section: Option<&BudgetsSection>) -> Self {
        let Some(section) = section else { return Self::default() };
        Self {
            rto_seconds: section.rto.map(|span| span.0),
            rpo_seconds: section.rpo.map(|span| span.0),
            stages: section.stages.iter().map(|(stage, span)| (stage.name().to_owned(), span.0)).collect(),
        }
    }

    /// What was missed after so many milliseconds, of which the stages took theirs.
    pub(super) fn missed(&self, total_millis: u64, stages: &[(String, u64)]) -> Missed {
        let is_over = |millis: u64, seconds: u64| millis > seconds.saturating_mul(1_000);
        let late = self.stages.iter().filter(|(name, seconds)| is_over(of_stage(stages, name), **seconds));
        Missed {
            rto: self.rto_seconds.is_some_and(|seconds| is_over(total_millis, seconds)),
            stages: late.map(|(name, _)| name.clone()).collect(),
        }
    }
}

/// Objectives that were missed. A duration is not reproducible; that it was too long is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) rto: bool,
    pub(super) stages: Vec<String>,
}

/// All times of a stage together, in milliseconds.
pub(super) fn of_stage(stages: &[(String, u64)], name: &str) -> u64 {
    stages.iter().filter(|(own, _)| own == name).map(|(_, millis)| millis).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Config;

    fn budgets(text: &str) -> Budgets {
        Budgets::of(Config::from_toml(text).unwrap().budgets.as_ref())
    }

    #[test]
    fn a_stage_is_over_its_budget_with_all_of_its_times_together_and_exactly_on_it_is_not() {
        let budgets = budgets("[budgets]\nrto = \"10s\"\n[budgets.stages]\nverify = \"1s\"\nrestore = \"2s\"\n");
        let stages = |verify: u64| {
            vec![("verify".to_owned(), 400), ("capture".to_owned(), 9_000), ("verify".to_owned(), verify)]
        };
        assert_eq!(budgets.missed(10_000, &stages(600)), Missed::default());
        let late = budgets.missed(10_001, &stages(601));
        assert!(late.rto);
        assert_eq!(late.stages, ["verify"]);
    }

    #[test]
    fn a_stage_that_nobody_times_is_refused_with_its_name() {
        let error = Config::from_toml("[budgets.stages]\nlunch = \"1h\"\n").unwrap_err();
        assert!(error.to_string().contains("lunch"), "{error}");
        assert_eq!(error.condition().exit_code().0, 2);
    }

    #[test]
    fn a_configuration_without_the_table_has_the_digest_that_it_had() {
        let section = BudgetsSection { rto: Some(Span(60)), ..BudgetsSection::default() };
        assert_eq!(serde_json::to_string(&section).unwrap(), r#"{"rto":"60s","rpo":null}"#);
    }
}
