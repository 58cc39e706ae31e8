//! The two registers beside the ledgers: attestations and projects.

use std::collections::BTreeMap;

use crate::domain::{AttestationId, BlockHeight, EvidenceId, ProjectKey, Sats, UnixMicros};

use crate::verify::Verified;

use super::canonical::Leaf;
use super::scope::Scope;
use super::view::LedgerView;

/// One accepted attestation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationEntry {
    /// Address that attests.
    pub address: String,
    /// `protocol:identifier`, sorted.
    pub identities: Vec<String>,
    /// Claimed time.
    pub issued_at: UnixMicros,
    /// The `bond` extension, when it is a number of satoshi (FORMATS 7.1).
    pub bond: Option<Sats>,
    /// Height of the lowest verified anchor.
    pub anchor: Option<BlockHeight>,
}

/// Attestations issued up to the as-of, by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttestationRegister {
    /// By id.
    pub entries: BTreeMap<AttestationId, AttestationEntry>,
}

impl AttestationRegister {
    pub(crate) fn fold(scope: Scope<'_>) -> Self {
        let entries = scope
            .set
            .attestations
            .values()
            .map(Verified::fact)
            .filter(|signed| scope.has_happened(signed.message.issued_at))
            .map(|signed| {
                let bond = signed.message.extensions.get("bond").and_then(|text| text.parse().ok());
                let entry = AttestationEntry {
                    address: signed.message.address.clone(),
                    identities: signed.message.identities.clone(),
                    issued_at: signed.message.issued_at,
                    bond: bond.and_then(|sats| Sats::new(sats).ok()),
                    anchor: scope.anchor(&signed.id.0).map(|anchor| anchor.height),
                };
                (signed.id, entry)
            })
            .collect();
        Self { entries }
    }

    /// The register's leaves in order of id.
    pub fn view(&self) -> LedgerView {
        let leaf = |(id, entry): (&AttestationId, &AttestationEntry)| {
            Leaf::new("attestation")
                .text("id", id)
                .text("address", &entry.address)
                .texts("identities", &entry.identities)
                .int("issued_at_micros", entry.issued_at.0)
                .int_or_null("bond_sats", entry.bond.map(Sats::get))
                .int_or_null("anchor_height", entry.anchor.map(|height| height.0))
                .bytes()
        };
        let bonded = self.entries.values().filter_map(|entry| entry.bond).map(|sats| i128::from(sats.get())).sum();
        let count =
            |holds: fn(&AttestationEntry) -> bool| self.entries.values().filter(|e| holds(e)).map(|_| 1_i128).sum();
        LedgerView {
            name: "attestations",
            leaves: self.entries.iter().map(leaf).collect(),
            totals: BTreeMap::from([
                ("attestations".to_owned(), count(|_| true)),
                ("anchored".to_owned(), count(|entry| entry.anchor.is_some())),
                ("bonded".to_owned(), count(|entry| entry.bond.is_some())),
                ("bond_sats".to_owned(), bonded),
            ]),
            trial_balance: BTreeMap::new(),
        }
    }
}

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
    pub fn view(&self) -> LedgerView {
        let leaf = |entry: &ProjectEntry| {
            Leaf::new("project-config")
                .text("project", &entry.project)
                .text("domain", &entry.domain)
                .int_or_null("updated_at_micros", entry.updated_at.map(|at| at.0))
                .text("config", entry.config)
                .int("events", i128::try_from(entry.events).unwrap_or(i128::MAX))
                .bytes()
        };
        let mut projects: Vec<&ProjectKey> = self.entries.iter().map(|entry| &entry.project).collect();
        projects.dedup();
        let count = |n: usize| i128::try_from(n).unwrap_or(i128::MAX);
        LedgerView {
            name: "projects",
            leaves: self.entries.iter().map(leaf).collect(),
            totals: BTreeMap::from([
                ("configs".to_owned(), count(self.entries.len())),
                ("projects".to_owned(), count(projects.len())),
            ]),
            trial_balance: BTreeMap::new(),
        }
    }
}
