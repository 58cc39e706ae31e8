//! What a run establishes, drawn anew from its evidence: facts, leaves, divergences, and what its report said.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::hide::Hidden;
use crate::app::as_of::{AsOfWanted, as_of_from_evidence, block_time};
use crate::app::beacon::beacon;
use crate::app::conclude::{Conclusion, JudgedInputs};
use crate::app::error::AppError;
use crate::app::judge::{SideTables, judge, side_tables, worker_threads};
use crate::app::judged_by::JudgedBy;
use crate::app::observer::{Cancel, Silent};
use crate::app::options::RunOptions;
use crate::app::run::RunFolder;
use crate::app::takedowns::d_tags;
use crate::domain::{AsOf, Code, Digest32, Divergence, Finding, TrustPolicy, UnixSeconds, UserKey};
use crate::ledger::{LedgerLeaves, Ledgers, People, rebuild};
use crate::reconcile::{Balance, Declared, Input, Objectives, balances};
use crate::report::divergence_of;
use crate::seal::evidence_root_of;
use crate::store::{EvidenceStore, LogStore};
use crate::verify::VerifiedSet;

/// Everything that is asked.
pub(super) struct Known {
    pub(super) store: LogStore,
    pub(super) set: VerifiedSet,
    pub(super) policy: TrustPolicy,
    pub(super) as_of: UnixSeconds,
    pub(super) leaves: Vec<LedgerLeaves>,
    /// By fingerprint.
    pub(super) divergences: BTreeMap<Digest32, Held>,
    pub(super) hidden: Hidden,
    pub(super) is_revealed: bool,
    pub(super) people: People,
    /// Of every account, ascending: the leaves of the balance tree.
    pub(super) balances: Vec<(UserKey, Balance)>,
}

/// A divergence that was found again, or that only the report has.
pub(super) struct Held {
    pub(super) divergence: Divergence,
    /// It stands in the run's report; `None` when the run has none.
    pub(super) in_report: Option<bool>,
    /// Users in it are pseudonyms already.
    pub(super) is_hidden: bool,
}

impl Known {
    /// Judges the evidence of a run.
    pub(super) fn of(folder: &RunFolder, by: &JudgedBy, options: &RunOptions) -> Result<Self, AppError> {
        let store = LogStore::open_read_only(&folder.evidence())?;
        let root = evidence_root_of(&store)?;
        let is_judged = folder.evidence().join("inputs.json").is_file();
        let recorded = is_judged.then(|| by.inputs(folder.root())).transpose()?;
        let policy = recorded.as_ref().map_or_else(|| by.policy(), |judged| judged.policy.clone());
        let mut tables = side_tables(&store)?;
        if let Some(judged) = &recorded {
            tables.d_tags = d_tags(&store, &judged.declared)?;
        }
        let threads = worker_threads(options.jobs)?;
        let set = judge(&store, &policy, &tables, &threads, &Silent, &Cancel::default())?;
        let wanted = match options.as_of {
            Some(AsOfWanted::Time(time)) => Some(time),
            Some(AsOfWanted::Block(height)) => Some(block_time(&store, &policy.headers, height)?),
            None => None,
        };
        let hidden = Hidden::of(&set, root, options.reveal_users);
        let (set, as_of, leaves, found, people, balances) = if let Some(judged) = recorded {
            let mut judged = JudgedInputs { as_of: wanted.unwrap_or(judged.as_of), ..judged };
            judged.declared.beacon = beacon(&store, &policy.headers, &judged.declared, judged.as_of)?;
            let as_of = judged.as_of;
            let conclusion = threads.install(|| Conclusion::draw(set, &tables, &judged, root))?;
            let (set, reconciliation, ledgers) = conclusion.into_parts();
            let leaves = ledgers.leaves(&set, &policy, AsOf { time: as_of, tip: set.tip });
            let (found, balances) = (reconciliation.divergences, reconciliation.balances.accounts);
            (set, as_of, leaves, found, ledgers.people, balances)
        } else {
            let time = wanted.unwrap_or_else(|| as_of_from_evidence(&set, options.clock));
            let as_of = AsOf { time, tip: set.tip };
            let ledgers = threads.install(|| rebuild(&set, &policy, as_of));
            let found = set.findings.iter().chain(&ledgers.findings).cloned().map(Finding::into_divergence).collect();
            let leaves = ledgers.leaves(&set, &policy, as_of);
            let balances = recomputed(&set, &ledgers, &policy, time, &tables);
            (set, time, leaves, found, ledgers.people, balances)
        };
        store.scratch().check()?;
        let divergences = held(found, report(folder)?.as_ref());
        let is_revealed = options.reveal_users;
        Ok(Self { store, set, policy, as_of, leaves, divergences, hidden, is_revealed, people, balances })
    }
}

/// Balances of a run that was never judged.
fn recomputed(
    set: &VerifiedSet,
    ledgers: &Ledgers,
    policy: &TrustPolicy,
    time: UnixSeconds,
    tables: &SideTables,
) -> Vec<(UserKey, Balance)> {
    let declared = Declared::default();
    let balances = balances(&Input {
        set,
        ledgers,
        policy,
        as_of: AsOf { time, tip: set.tip },
        receipts: &tables.receipts,
        sightings: &tables.sightings,
        declared: &declared,
        d_tags: &tables.d_tags,
        time_boxed: false,
        objectives: Objectives::default(),
    });
    balances.iter().map(|(user, balance)| (user.clone(), *balance)).collect()
}

fn held(found: Vec<Divergence>, report: Option<&Value>) -> BTreeMap<Digest32, Held> {
    let told: BTreeMap<Digest32, Divergence> = report
        .and_then(|report| report["divergences"].as_array())
        .into_iter()
        .flatten()
        .filter_map(divergence_of)
        .map(|divergence| (divergence.fingerprint, divergence))
        .collect();
    let is_hidden = report.is_some_and(|report| report["inputs"]["users_revealed"] == false);
    let mut held: BTreeMap<Digest32, Held> = BTreeMap::new();
    for divergence in found {
        let in_report = report.map(|_| told.contains_key(&divergence.fingerprint));
        held.insert(divergence.fingerprint, Held { divergence, in_report, is_hidden: false });
    }
    for (fingerprint, divergence) in told {
        held.entry(fingerprint).or_insert(Held { divergence, in_report: Some(true), is_hidden });
    }
    held
}

/// One divergence of a report.
#[derive(Debug, Clone, Serialize)]
pub struct ReportedOne {
    /// Its fingerprint.
    pub fingerprint: String,
    /// `open`, `explained` or `acknowledged`.
    pub state: &'static str,
}

/// The divergences of that code in a run's report, in its order; `None` when the run has no report.
///
/// # Errors
/// [`AppError::Io`] when the report can't be read.
pub fn reported(folder: &RunFolder, code: Code) -> Result<Option<Vec<ReportedOne>>, AppError> {
    let Some(report) = report(folder)? else { return Ok(None) };
    let told = report["divergences"].as_array().into_iter().flatten().filter_map(divergence_of);
    let one = |told: Divergence| ReportedOne { fingerprint: told.fingerprint.to_hex(), state: told.state.name() };
    Ok(Some(told.filter(|told| told.code == code).map(one).collect()))
}

/// The run's report, when it has one that can be read.
fn report(folder: &RunFolder) -> Result<Option<Value>, AppError> {
    match std::fs::read(folder.report()) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(AppError::io("read", &folder.report())(error)),
    }
}
