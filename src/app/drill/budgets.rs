//! What a session took against what it may take.

use super::{Conclusion, Session, SideTables};
use crate::app::budgets::of_stage;
use crate::app::capture::Taken;
use crate::app::conclude::JudgedInputs;
use crate::app::error::AppError;
use crate::domain::Digest32;
use crate::verify::VerifiedSet;

/// How long one stage took, all of its times together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageTime {
    /// As `run.json` calls it.
    pub name: String,
    /// Milliseconds.
    pub millis: u64,
    /// What it may take, in seconds, where that was said.
    pub budget_seconds: Option<u64>,
}

impl StageTime {
    /// True when it took longer than it may.
    pub fn is_over(&self) -> bool {
        self.budget_seconds.is_some_and(|budget| self.millis > budget.saturating_mul(1_000))
    }
}

/// The course of a session: provenance, and in no report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Stages in the order in which they first came; one with a budget that never came has taken nothing.
    pub stages: Vec<StageTime>,
    /// All of it, in milliseconds, what it went on from included.
    pub total_millis: u64,
    /// The recovery time objective in seconds, where one is set.
    pub rto_seconds: Option<u64>,
    /// The recovery time objective was missed, as the report tells it.
    pub rto_missed: bool,
    /// The recovery point objective in seconds, where one is set.
    pub rpo_seconds: Option<u64>,
    /// Age of the newest envelope at the as-of by its own claim, in seconds; `None` without one.
    pub rpo_claimed_seconds: Option<i64>,
    /// By the block that proves it.
    pub rpo_provable_seconds: Option<i64>,
    /// Pieces of evidence that were new.
    pub inserted: u64,
    /// Pieces that were held already, or came twice.
    pub already_present: u64,
    /// Events that no proof anchors yet.
    pub needs_anchor: u64,
}

impl Session<'_> {
    /// Counts what a fetch brought.
    pub(super) fn took(&mut self, taken: Taken) {
        self.time_boxed |= taken.stopped;
        self.taken.inserted = self.taken.inserted.saturating_add(taken.totals.inserted);
        self.taken.already_present = self.taken.already_present.saturating_add(taken.totals.already_present);
    }

    /// Counts a restore as the first stage of this session.
    pub(in crate::app) fn goes_on_from(&mut self, restore_millis: u64) {
        self.prior_millis = restore_millis;
        self.record.stages.insert(0, ("restore".to_owned(), restore_millis));
    }

    fn total_millis(&self) -> u64 {
        let own = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        own.saturating_add(self.prior_millis)
    }

    /// Draws the conclusion, which tells every objective that was missed, also by drawing it.
    pub(super) fn draw(
        &mut self,
        mut set: VerifiedSet,
        tables: &SideTables,
        judged: &mut JudgedInputs,
        root: Digest32,
    ) -> Result<Conclusion, AppError> {
        loop {
            let missed = self.plan.budgets.missed(self.total_millis(), &self.record.stages);
            (judged.rto_missed, judged.stages_missed) = (missed.rto, missed.stages.clone());
            let held: &JudgedInputs = judged;
            let conclusion =
                self.timed("rebuild", |session| session.threads.install(|| Conclusion::draw(set, tables, held, root)))?;
            // What was missed stays missed: at the latest when all is, nothing more comes.
            if self.plan.budgets.missed(self.total_millis(), &self.record.stages) == missed {
                return Ok(conclusion);
            }
            set = conclusion.into_parts().0;
        }
    }

    /// What it came to.
    pub(super) fn course(&self, conclusion: &Conclusion, rto_missed: bool) -> Course {
        let (record, budgets) = (&self.record, &self.plan.budgets);
        let mut names: Vec<&String> = Vec::new();
        for name in record.stages.iter().map(|(name, _)| name).chain(budgets.stages.keys()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let stage = |name: &String| StageTime {
            name: name.clone(),
            millis: of_stage(&record.stages, name),
            budget_seconds: budgets.stages.get(name).copied(),
        };
        let recovery = conclusion.reconciliation().recovery;
        Course {
            stages: names.into_iter().map(stage).collect(),
            total_millis: self.total_millis(),
            rto_seconds: budgets.rto_seconds,
            rto_missed,
            rpo_seconds: budgets.rpo_seconds,
            rpo_claimed_seconds: recovery.rpo_claimed_seconds,
            rpo_provable_seconds: recovery.rpo_provable_seconds,
            inserted: self.taken.inserted,
            already_present: self.taken.already_present,
            needs_anchor: conclusion.reconciliation().needs_anchor.len() as u64,
        }
    }
}
