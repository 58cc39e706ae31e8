//! By whose policy a run is looked at. One rule for every command that judges it again: the run's own, unless a
//! configuration was named.

use std::path::Path;

use super::acknowledgements;
use super::audit::recorded_inputs;
use super::conclude::JudgedInputs;
use super::coverage::Wanted;
use super::error::AppError;
use super::plan::Plan;
use super::takedowns::read_logs;
use crate::domain::TrustPolicy;
use crate::reconcile::Declared;

/// Who says how a run is judged.
#[derive(Debug, Clone, Default)]
pub struct JudgedBy {
    plan: Option<Plan>,
    is_named: bool,
}

impl JudgedBy {
    /// By this plan when its configuration `is_named`: by what it says now. Else as a finished run recorded it; the plan then
    /// serves only a run that is not finished.
    pub fn new(plan: Option<Plan>, is_named: bool) -> Self {
        Self { is_named: is_named && plan.is_some(), plan }
    }

    /// The plan, whether or not it is judged by.
    pub(super) fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    pub(super) fn wanted(&self) -> Wanted<'_> {
        match &self.plan {
            Some(plan) if self.is_named => Wanted::Planned(plan),
            plan => Wanted::Recorded(plan.as_ref()),
        }
    }

    /// What the finished run in `root` is judged with.
    ///
    /// # Errors
    /// [`AppError`] when what it recorded, or a transparency log of the plan, can't be read.
    pub(super) fn inputs(&self, root: &Path) -> Result<JudgedInputs, AppError> {
        let recorded = recorded_inputs(root)?;
        let Wanted::Planned(plan) = self.wanted() else { return Ok(recorded) };
        let (takedowns, unread_takedowns) = read_logs(&plan.transparency)?;
        // What earlier runs saw is a fact of the run.
        let earlier = recorded.declared.earlier;
        let acknowledgements = acknowledgements::recorded(plan)?;
        let declared = Declared { takedowns, unread_takedowns, earlier, acknowledgements, ..plan.declared.clone() };
        Ok(JudgedInputs { policy: plan.policy.clone(), declared, ..recorded })
    }

    /// The policy for a run that was never judged: the plan's, else the profile's.
    pub(super) fn policy(&self) -> TrustPolicy {
        self.plan.as_ref().map_or_else(TrustPolicy::orangecheck_2026_10, |plan| plan.policy.clone())
    }
}
