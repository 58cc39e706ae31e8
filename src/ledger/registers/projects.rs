//! The register of price configs.

use std::collections::BTreeMap;

use crate::domain::{EvidenceId, ProjectKey, UnixMicros};
use crate::ledger::canonical::Leaf;
use crate::ledger::scope::Scope;
use crate::ledger::view::{LeafKind, LedgerView, NamedLeaf};

/// One version of a project's price config.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProjectEntry {
    /// Project.
    pub project: ProjectKey,
    /// Valid from.
    pub updated_at: Option<UnixMicros>,
    /// Domain it is for.
    pub domain: String,
    /// Digest of the config's bytes (its content address).
    pub config: EvidenceId,
    /// How many events are priced.
    pub events: usize,
}

/// Price configs in order of (project, updated_at, digest).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectRegister {
    /// Sorted, without repeats.
    pub entries: Vec<ProjectEntry>,
}

impl ProjectRegister {
    pub(crate) fn fold(scope: Scope<'_>) -> Self {
        let mut entries: Vec<ProjectEntry> = scope
            .set
            .configs
            .iter()
            .filter(|(_, config)| config.updated_at.is_none_or(|at| scope.has_happened(at)))
            .map(|(evidence, config)| ProjectEntry {
                project: config.project.clone(),
                updated_at: config.updated_at,
                domain: config.domain.clone(),
                config: *evidence,
                events: config.events.len(),
            })
            .collect();
        entries.sort();
        entries.dedup();
        Self { entries }
    }

    /// The register's leaves in canonical order.
    pub(in crate::ledger) fn leaves(&self) -> impl Iterator<Item = Vec<u8>> {
        self.entries.iter().map(leaf)
    }

    /// As [`Self::leaves`], named by the evidence id of the config, with its project.
    pub(in crate::ledger) fn named_leaves(&self) -> impl Iterator<Item = NamedLeaf> {
        self.entries.iter().map(|entry| NamedLeaf {
            project: Some(entry.project.to_string()),
            ..NamedLeaf::new(LeafKind::Project, &entry.config, leaf(entry))
        })
    }

    /// The root over the leaves, and totals.
    pub fn view(&self) -> LedgerView {
        let mut projects: Vec<&ProjectKey> = self.entries.iter().map(|entry| &entry.project).collect();
        projects.dedup();
        let count = |n: usize| i128::try_from(n).unwrap_or(i128::MAX);
        LedgerView {
            totals: BTreeMap::from([
                ("configs".to_owned(), count(self.entries.len())),
                ("projects".to_owned(), count(projects.len())),
            ]),
            ..LedgerView::of("projects", self.leaves())
        }
    }
}

fn leaf(entry: &ProjectEntry) -> Vec<u8> {
    Leaf::new("project-config")
        .text("project", &entry.project)
        .text("domain", &entry.domain)
        .int_or_null("updated_at_micros", entry.updated_at.map(|at| at.0))
        .text("config", entry.config)
        .int("events", i128::try_from(entry.events).unwrap_or(i128::MAX))
        .bytes()
}
