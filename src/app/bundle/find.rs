//! A finished run, judged again, as the ground that bundles are cut from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::case::{Case, Limits};
use super::headers::Shelf;
use super::reach::foreign;
use crate::app::audit::sealed_store;
use crate::app::conclude::{Conclusion, JudgedInputs};
use crate::app::error::AppError;
use crate::app::judge::{SideTables, judge, side_tables, worker_threads};
use crate::app::judged_by::JudgedBy;
use crate::app::observer::{Cancel, Observer};
use crate::app::takedowns::d_tags;
use crate::domain::{Divergence, EvidenceId, RawEvidence};
use crate::reconcile::Declared;
use crate::store::{EvidenceStore as _, LogStore};
use crate::verify::VerifiedSet;

/// Everything that a run says.
pub(super) struct Ground {
    pub(super) store: LogStore,
    pub(super) set: VerifiedSet,
    pub(super) tables: SideTables,
    pub(super) judged: JudgedInputs,
    pub(super) divergences: Vec<Divergence>,
    pub(super) shelf: Shelf,
    /// Other people's payments.
    pub(super) foreign: BTreeSet<EvidenceId>,
}

impl Ground {
    /// Judges the finished run in `root`.
    ///
    /// # Errors
    /// [`AppError`] when it is no finished run, does not check, or can't be read.
    pub(super) fn of(
        root: &Path,
        by: &JudgedBy,
        jobs: usize,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Self, AppError> {
        let (store, manifest) = sealed_store(root)?;
        let judged = by.inputs(root)?;
        let mut tables = side_tables(&store)?;
        tables.d_tags = d_tags(&store, &judged.declared)?;
        let threads = worker_threads(jobs)?;
        let set = judge(&store, &judged.policy, &tables, &threads, observer, cancel)?;
        let conclusion = threads.install(|| Conclusion::draw(set, &tables, &judged, manifest.evidence_root))?;
        let (set, reconciliation, _) = conclusion.into_parts();
        let (shelf, foreign) = (Shelf::of(&store)?, foreign(&set));
        Ok(Self { store, set, tables, judged, divergences: reconciliation.divergences, shelf, foreign })
    }

    /// A case over these pieces: with what sources answered, or without.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub(super) fn case(
        &self,
        pieces: &BTreeSet<EvidenceId>,
        cut: Vec<RawEvidence>,
        with_sources: bool,
    ) -> Result<Case, AppError> {
        let mut held = BTreeMap::new();
        for id in pieces {
            if let Some(raw) = self.store.get(id)? {
                held.insert(*id, Arc::new(raw));
            }
        }
        held.extend(cut.into_iter().map(|raw| (raw.id(), Arc::new(raw))));
        let judged = &self.judged;
        let mut case = Case {
            receipts: Vec::new(),
            sightings: BTreeMap::new(),
            policy: judged.policy.clone(),
            declared: judged.declared.clone(),
            as_of: judged.as_of,
            limits: Limits::default(),
            pieces: held,
        };
        if with_sources {
            case.receipts.clone_from(&self.tables.receipts);
            let seen = |id: &EvidenceId| Some((*id, self.tables.sightings.get(id)?.clone()));
            case.sightings = case.pieces.keys().filter_map(seen).collect();
            case.limits = Limits {
                rpo_seconds: judged.rpo_seconds,
                rto_missed: judged.rto_missed,
                stages_missed: judged.stages_missed.clone(),
                time_boxed: judged.time_boxed,
            };
        } else {
            let declared = &mut case.declared;
            *declared = Declared {
                relays: Vec::new(),
                sources: Vec::new(),
                calendars: Vec::new(),
                drift: Vec::new(),
                takedowns: Vec::new(),
                unread_takedowns: Vec::new(),
                earlier: Vec::new(),
                ..declared.clone()
            };
        }
        Ok(case)
    }
}
