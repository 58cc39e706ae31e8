//! A set of evidence with everything it is judged by, and the real program run over it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::app::error::AppError;
use crate::app::judge::{SideTables, judge};
use crate::app::observer::{Cancel, Silent};
use crate::app::takedowns::d_tags;
use crate::domain::{
    AsOf, Code, Digest32, Divergence, EvidenceId, FetchReceipt, RawEvidence, SourceId, TrustPolicy, UnixSeconds,
};
use crate::ledger::rebuild;
use crate::reconcile::{Declared, Input, Objectives, Sightings, reconcile};
use crate::store::{EvidenceStore as _, MemoryStore};
use crate::verify::VerifiedSet;

/// What a divergence is drawn from. Every part of it stands in the bundle.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) pieces: BTreeMap<EvidenceId, Arc<RawEvidence>>,
    pub(super) receipts: Vec<FetchReceipt>,
    pub(super) sightings: BTreeMap<EvidenceId, BTreeSet<SourceId>>,
    pub(super) policy: TrustPolicy,
    pub(super) declared: Declared,
    pub(super) as_of: UnixSeconds,
    pub(super) limits: Limits,
}

/// What the run was held to, and what it recorded of its own course.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) rpo_seconds: Option<u64>,
    pub(super) rto_missed: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) stages_missed: Vec<String>,
    pub(super) time_boxed: bool,
}

/// What the program says of a case.
pub(super) struct Judged {
    pub(super) set: VerifiedSet,
    /// Findings of the ledgers, by fingerprint.
    pub(super) rebuilt: BTreeSet<Digest32>,
    pub(super) divergences: Vec<Divergence>,
    pub(super) said_by: BTreeMap<Code, BTreeSet<String>>,
}

impl Judged {
    pub(super) fn divergence(&self, fingerprint: &Digest32) -> Option<&Divergence> {
        self.divergences.iter().find(|held| held.fingerprint == *fingerprint)
    }
}

/// Threads, and whether to go on.
#[derive(Clone, Copy)]
pub(super) struct Court<'a> {
    pub(super) threads: &'a rayon::ThreadPool,
    pub(super) cancel: &'a Cancel,
}

impl Court<'_> {
    /// Verifies, rebuilds and reconciles the case, as a run does.
    ///
    /// # Errors
    /// [`AppError::Store`]; [`AppError::Interrupted`].
    pub(super) fn judge(self, case: &Case) -> Result<Judged, AppError> {
        let mut store = MemoryStore::default();
        for piece in case.pieces.values() {
            store.put(std::slice::from_ref(piece.as_ref()))?;
        }
        let sightings: Sightings = (case.sightings.iter())
            .flat_map(|(id, sources)| sources.iter().map(|source| (*id, source.clone())))
            .collect();
        let mut tables = SideTables { sightings, receipts: case.receipts.clone(), d_tags: BTreeMap::new() };
        tables.d_tags = d_tags(&store, &case.declared)?;
        let set = judge(&store, &case.policy, &tables, self.threads, &Silent, self.cancel)?;
        let as_of = AsOf { time: case.as_of, tip: set.tip };
        let ledgers = rebuild(&set, &case.policy, as_of);
        let reconciliation = reconcile(&Input {
            set: &set,
            ledgers: &ledgers,
            policy: &case.policy,
            as_of,
            receipts: &tables.receipts,
            sightings: &tables.sightings,
            declared: &case.declared,
            d_tags: &tables.d_tags,
            time_boxed: case.limits.time_boxed,
            objectives: Objectives {
                rpo_seconds: case.limits.rpo_seconds,
                rto_missed: case.limits.rto_missed,
                stages_missed: &case.limits.stages_missed,
            },
        });
        set.check()?;
        let rebuilt = ledgers.findings.iter().map(|found| Divergence::fingerprint_of(found.code, &found.subject));
        Ok(Judged {
            rebuilt: rebuilt.collect(),
            divergences: reconciliation.divergences,
            said_by: reconciliation.said_by,
            set,
        })
    }
}
