//! From a verified set to a report: ledgers, reconciliation, seal, outcome, words.

use serde::{Deserialize, Serialize};

use super::acknowledgements;
use super::error::AppError;
use super::judge::SideTables;
use super::options::RunOptions;
use super::plan::Plan;
use super::seals;
use super::takedowns::read_logs;
use crate::domain::{
    AsOf, Code, Condition, Digest32, Divergence, LostStore, Outcome, Severity, State, TrustPolicy, UnixSeconds,
};
use crate::ledger::{CustodyCourse, LedgerView, Ledgers, rebuild};
use crate::reconcile::{ByMonth, CountedByMonth, Declared, Input, Objectives, Reconciliation, Runbook, reconcile};
use crate::report::{Inputs, Model};
use crate::seal::{StateSeal, seal};
use crate::verify::VerifiedSet;

/// What a report is a function of, besides the evidence. Stands in the evidence folder, so that an auditor has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a record of independent yes-or-no facts, each with its name in the file"
)]
pub struct JudgedInputs {
    /// `reledger/inputs/1`.
    pub schema: String,
    /// The tool's version that judged.
    pub version: String,
    /// What was trusted and demanded.
    pub policy: TrustPolicy,
    /// What was declared.
    pub declared: Declared,
    /// Digest of the configuration without local paths.
    pub config_sha256: Digest32,
    /// The instant judged for.
    pub as_of: UnixSeconds,
    /// Threshold.
    pub fail_on: Severity,
    /// Users stand in clear.
    pub reveal_users: bool,
    /// Any rejected or quarantined item fails the run (`--on-invalid fail`).
    pub fail_on_invalid: bool,
    /// Recovery point objective in seconds.
    pub rpo_seconds: Option<u64>,
    /// The recovery time objective was missed when the run was made. A duration is not reproducible; that it was missed is recorded.
    pub rto_missed: bool,
    /// Stages that missed theirs, likewise. What is not there changes no byte of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages_missed: Vec<String>,
    /// `--max-duration` ended fetching before every source had been heard. Not reproducible, therefore recorded.
    pub time_boxed: bool,
}

impl JudgedInputs {
    /// Of a run in which nothing was missed and fetching came to its end, before earlier runs are looked at. Reads the logs and the
    /// register that stand beside the configuration.
    ///
    /// # Errors
    /// [`AppError::Io`], [`AppError::Config`] when one of them can't be read.
    pub(super) fn of(plan: &Plan, options: &RunOptions, as_of: UnixSeconds) -> Result<Self, AppError> {
        let mut declared = plan.declared.clone();
        (declared.takedowns, declared.unread_takedowns) = read_logs(&plan.transparency)?;
        declared.acknowledgements = acknowledgements::recorded(plan)?;
        Ok(Self {
            schema: INPUTS_SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            policy: plan.policy.clone(),
            declared,
            config_sha256: plan.config_sha256,
            as_of,
            fail_on: options.fail_on,
            fail_on_invalid: options.fail_on_invalid,
            reveal_users: options.reveal_users,
            rpo_seconds: plan.budgets.rpo_seconds,
            rto_missed: false,
            stages_missed: Vec::new(),
            time_boxed: false,
        })
    }

    /// The text of `inputs.json`.
    ///
    /// # Errors
    /// [`AppError::Internal`].
    pub(super) fn to_text(&self) -> Result<String, AppError> {
        let mut text = serde_json::to_string_pretty(self).map_err(|error| AppError::Internal(error.to_string()))?;
        text.push('\n');
        Ok(text)
    }
}

/// The schema name of [`JudgedInputs`].
pub(super) const INPUTS_SCHEMA: &str = "reledger/inputs/1";

/// Everything a report needs.
#[derive(Debug)]
pub struct Conclusion {
    as_of: AsOf,
    inputs: Inputs,
    outcome: Outcome,
    set: VerifiedSet,
    reconciliation: Reconciliation,
    months: ByMonth,
    custody: CustodyCourse,
    ledgers: Ledgers,
    views: Vec<LedgerView>,
    seal: StateSeal,
    not_rebuilt: Vec<LostStore>,
    runbook: Runbook,
    fail_on: Severity,
    reveal_users: bool,
}

impl Conclusion {
    /// Rebuilds, reconciles, seals and decides the outcome.
    ///
    /// # Errors
    /// [`AppError::Io`] when a working file fails.
    pub fn draw(
        set: VerifiedSet,
        tables: &SideTables,
        judged: &JudgedInputs,
        evidence_root: Digest32,
    ) -> Result<Self, AppError> {
        let as_of = AsOf { time: judged.as_of, tip: set.tip };
        let ledgers: Ledgers = rebuild(&set, &judged.policy, as_of);
        let input = Input {
            set: &set,
            ledgers: &ledgers,
            policy: &judged.policy,
            as_of,
            receipts: &tables.receipts,
            sightings: &tables.sightings,
            declared: &judged.declared,
            d_tags: &tables.d_tags,
            time_boxed: judged.time_boxed,
            objectives: Objectives {
                rpo_seconds: judged.rpo_seconds,
                rto_missed: judged.rto_missed,
                stages_missed: &judged.stages_missed,
            },
        };
        // What ledgers are held against, and what they show of themselves: neither asks the other.
        let held_against = || rayon::join(|| reconcile(&input), || CountedByMonth::of(&input));
        let ((reconciliation, counted), (custody, views)) =
            rayon::join(held_against, || (ledgers.rebind.course(), ledgers.views()));
        let months = counted.beside(&input, &reconciliation.coverage);
        set.check()?;
        tables.sightings.check()?;
        let seal = seal(&views);
        let mut outcome = outcome(&reconciliation, judged);
        let invalid = set.population.0.values().any(|counts| counts.rejected > 0 || counts.quarantined > 0);
        if judged.fail_on_invalid && invalid {
            outcome.add(Condition::Divergent);
        }
        let runbook = Runbook::of(&reconciliation, &outcome);
        let inputs = Inputs {
            evidence_root,
            config_sha256: judged.config_sha256,
            policy_sha256: judged.policy.digest(),
            profile: judged.policy.profile.clone(),
        };
        Ok(Self {
            as_of,
            inputs,
            outcome,
            set,
            reconciliation,
            months,
            custody,
            ledgers,
            views,
            seal,
            not_rebuilt: judged.declared.not_rebuilt.clone(),
            runbook,
            fail_on: judged.fail_on,
            reveal_users: judged.reveal_users,
        })
    }

    /// The model that renderings read.
    pub fn model(&self) -> Model<'_> {
        Model {
            as_of: self.as_of,
            inputs: &self.inputs,
            outcome: &self.outcome,
            population: &self.set.population,
            reconciliation: &self.reconciliation,
            months: &self.months,
            custody: &self.custody,
            views: &self.views,
            seal: &self.seal,
            not_rebuilt: &self.not_rebuilt,
            runbook: &self.runbook,
            fail_on: self.fail_on,
            reveal_users: self.reveal_users,
        }
    }

    /// How the run ended.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// What reconciliation established.
    pub fn reconciliation(&self) -> &Reconciliation {
        &self.reconciliation
    }

    /// Step by step, and whether writes may go on.
    pub fn runbook(&self) -> &Runbook {
        &self.runbook
    }

    /// The verified set.
    pub fn set(&self) -> &VerifiedSet {
        &self.set
    }

    /// What was judged, found, and folded.
    pub(super) fn into_parts(self) -> (VerifiedSet, Reconciliation, Ledgers) {
        (self.set, self.reconciliation, self.ledgers)
    }

    /// The roots.
    pub fn seal(&self) -> &StateSeal {
        &self.seal
    }
}

/// Every condition that speaks against a clean result.
fn outcome(reconciliation: &Reconciliation, judged: &JudgedInputs) -> Outcome {
    let mut outcome = Outcome::default();
    for divergence in &reconciliation.divergences {
        if !divergence.fails(judged.fail_on) {
            continue;
        }
        outcome.add(match divergence.code {
            Code::SrcUnreachable => Condition::Unreachable,
            Code::ConsBug => Condition::Internal,
            Code::BudgetRpo | Code::BudgetRto => Condition::OverBudget,
            code if code.is_incompleteness() => Condition::Incomplete,
            code => seals::distrust(code).unwrap_or(Condition::Divergent),
        });
    }
    let divergences = &reconciliation.divergences;
    let open = |code: Code| divergences.iter().any(|one| one.code == code && one.state == State::Open);
    // Whatever the threshold, and whoever accepts it: what could not be established is never shown as agreed.
    let is_short = |one: &Divergence| match one.state {
        State::Open => one.code.is_shortfall() && one.code != Code::SrcUnreachable,
        State::Acknowledged => one.code.is_shortfall(),
        State::Explained => false,
    };
    if divergences.iter().any(is_short)
        || reconciliation.unverifiable.iter().any(|check| check.declared)
        || reconciliation.checks.is_empty()
        || judged.time_boxed
    {
        outcome.add(Condition::Incomplete);
    }
    if open(Code::SrcUnreachable) {
        outcome.add(Condition::Unreachable);
    }
    // The objectives warn, and still the data of a late run is not that of one in time: exit 4 whatever the threshold.
    if [Code::BudgetRpo, Code::BudgetRto].into_iter().any(open) {
        outcome.add(Condition::OverBudget);
    }
    outcome
}
