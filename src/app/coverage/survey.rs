//! A run's evidence, finished or only captured, verified once more and ready to be looked at. Writes nothing.

use std::path::Path;

use crate::app::acknowledgements;
use crate::app::as_of::{AsOfWanted, as_of_from_evidence, block_time};
use crate::app::audit::{recorded_inputs, sealed_store};
use crate::app::beacon::beacon;
use crate::app::error::AppError;
use crate::app::judge::{SideTables, judge, side_tables, worker_threads};
use crate::app::observer::{Cancel, Observer};
use crate::app::plan::Plan;
use crate::app::run::{Found, RunFolder};
use crate::app::takedowns::{d_tags, read_logs};
use crate::domain::{AsOf, Digest32, EvidenceId, RawEvidence, TrustPolicy, UnixSeconds};
use crate::ledger::{Ledgers, rebuild};
use crate::reconcile::{Declared, Input, Objectives};
use crate::seal::evidence_root_of;
use crate::store::{EvidenceStore, LogStore, StoreError};
use crate::verify::VerifiedSet;

/// By whose policy a run is looked at.
#[derive(Debug, Clone, Copy)]
pub(in crate::app) enum Wanted<'a> {
    /// As a finished run recorded it; a run that is only captured is looked at by this plan.
    Recorded(Option<&'a Plan>),
    /// As this plan says, whatever the run recorded.
    Planned(&'a Plan),
}

impl<'a> Wanted<'a> {
    fn plan(self) -> Option<&'a Plan> {
        match self {
            Self::Recorded(plan) => plan,
            Self::Planned(plan) => Some(plan),
        }
    }
}

/// What one run holds.
pub(in crate::app) struct Survey {
    pub(in crate::app) store: LogStore,
    pub(in crate::app) set: VerifiedSet,
    pub(in crate::app) tables: SideTables,
    pub(in crate::app) policy: TrustPolicy,
    pub(in crate::app) declared: Declared,
    pub(in crate::app) as_of: AsOf,
    pub(in crate::app) evidence_root: Digest32,
    /// The run has a report.
    pub(in crate::app) finished: bool,
    pub(in crate::app) time_boxed: bool,
    pub(in crate::app) ledgers: Ledgers,
}

impl Survey {
    /// Reads and verifies the run in `root`. The instant is that of the report where there is one, unless `as_of` names
    /// another; else it is taken from the evidence, capped by the clock.
    ///
    /// # Errors
    /// [`AppError::Config`] when there is no evidence, or none that can be judged without a configuration;
    /// [`AppError::Untrusted`] when a finished run does not check; [`AppError`] for local failures.
    pub(in crate::app) fn of(
        root: &Path,
        wanted: Wanted<'_>,
        (as_of, clock, jobs): (Option<AsOfWanted>, UnixSeconds, usize),
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Self, AppError> {
        let (store, finished) = open(root)?;
        let recorded = if finished { Some(recorded_inputs(root)?) } else { None };
        let (policy, mut declared) = match (wanted, &recorded) {
            (Wanted::Recorded(_), Some(recorded)) => (recorded.policy.clone(), recorded.declared.clone()),
            _ => planned(wanted.plan(), root)?,
        };
        let mut tables = side_tables(&store)?;
        let threads = worker_threads(jobs)?;
        let set = judge(&store, &policy, &tables, &threads, observer, cancel)?;
        let time = match (as_of, &recorded) {
            (Some(AsOfWanted::Time(time)), _) => time,
            (Some(AsOfWanted::Block(height)), _) => block_time(&store, &policy.headers, height)?,
            (None, Some(recorded)) => recorded.as_of,
            (None, None) => as_of_from_evidence(&set, clock),
        };
        // Growth is the report's business, and what earlier runs held is not at hand here.
        declared.earlier.clear();
        tables.d_tags = d_tags(&store, &declared)?;
        declared.beacon = beacon(&store, &policy.headers, &declared, time)?;
        let as_of = AsOf { time, tip: set.tip };
        let ledgers = threads.install(|| rebuild(&set, &policy, as_of));
        let evidence_root = evidence_root_of(&store)?;
        store.scratch().check()?;
        let time_boxed = recorded.is_some_and(|recorded| recorded.time_boxed);
        Ok(Self { store, set, tables, policy, declared, as_of, evidence_root, finished, time_boxed, ledgers })
    }

    /// Pieces of evidence held.
    pub(in crate::app) fn held(&self) -> u64 {
        self.store.len()
    }

    /// One piece of evidence; nothing when it can't be read.
    pub(in crate::app) fn raw(&self, id: EvidenceId) -> Option<RawEvidence> {
        self.store.get(&id).ok().flatten()
    }

    /// What reconciliation is asked with.
    pub(in crate::app) fn input(&self) -> Input<'_> {
        Input {
            set: &self.set,
            ledgers: &self.ledgers,
            policy: &self.policy,
            as_of: self.as_of,
            receipts: &self.tables.receipts,
            sightings: &self.tables.sightings,
            declared: &self.declared,
            d_tags: &self.tables.d_tags,
            time_boxed: self.time_boxed,
            objectives: Objectives::default(),
        }
    }
}

/// The evidence, and whether the run is finished.
fn open(root: &Path) -> Result<(LogStore, bool), AppError> {
    let folder = RunFolder::at(root);
    if let Found::Finished(_) = folder.look()? {
        return Ok((sealed_store(root)?.0, true));
    }
    if !folder.evidence().is_dir() {
        return Err(AppError::Config {
            what: format!("{} holds no captured evidence", root.display()),
            hint: "run `reledger capture` or `reledger drill` first, or name the run's folder with --run".to_owned(),
        });
    }
    match LogStore::open_read_only(&folder.evidence()) {
        Ok(store) => Ok((store, false)),
        // A run at work, or one that was interrupted, ends in the middle of a record.
        Err(StoreError::Damaged { file, offset, what }) => Err(AppError::Unestablished {
            what: format!("the unfinished run in {} can't be read: {file}:{offset}: {what}", root.display()),
            hint: "wait for the run, or resume it with the command that began it".to_owned(),
        }),
        Err(error) => Err(error.into()),
    }
}

fn planned(plan: Option<&Plan>, root: &Path) -> Result<(TrustPolicy, Declared), AppError> {
    let Some(plan) = plan else {
        return Err(AppError::Config {
            what: format!("the run in {} is not finished: what was declared stands in no report", root.display()),
            hint: "name its configuration with -c FILE, or finish it with `reledger rebuild`".to_owned(),
        });
    };
    let mut declared = plan.declared.clone();
    (declared.takedowns, declared.unread_takedowns) = read_logs(&plan.transparency)?;
    declared.acknowledgements = acknowledgements::recorded(plan)?;
    Ok((plan.policy.clone(), declared))
}
