//! The room's entry: all ledgers and registers out of one verified set.

use std::collections::BTreeMap;

use crate::domain::{AsOf, Finding, TrustPolicy};
use crate::verify::VerifiedSet;

use super::envelope::{EnvelopeLedger, Standings};
use super::people::People;
use super::rails::Rails;
use super::rebind::RebindLedger;
use super::registers::{AttestationRegister, ProjectRegister};
use super::scope::Scope;
use super::treasury::{Journal, TreasuryLedger, unposted};
use super::view::{LeafKind, LedgerLeaves, LedgerView, NamedLeaf};

/// Three ledgers and two registers as of one instant.
#[derive(Debug, Clone)]
pub struct Ledgers {
    /// Who was billed and earned what.
    pub envelope: EnvelopeLedger,
    /// Who held custody when.
    pub rebind: RebindLedger,
    /// Where every millisatoshi came from and went.
    pub treasury: TreasuryLedger,
    /// Single payments over the rails, and where settlements lead.
    pub rails: Rails,
    /// Sat-bond attestations.
    pub attestations: AttestationRegister,
    /// Price configs.
    pub projects: ProjectRegister,
    /// Whose names are one person's.
    pub people: People,
    /// What the folds found wrong, sorted.
    pub findings: Vec<Finding>,
}

impl Ledgers {
    /// The treasury's entries, made anew out of what the ledgers were rebuilt from.
    pub fn journal<'a>(&'a self, set: &'a VerifiedSet, policy: &'a TrustPolicy, as_of: AsOf) -> Journal<'a> {
        let scope = Scope { set, policy, as_of, people: &self.people };
        Journal::of(scope, &self.envelope, &self.rails, &self.treasury)
    }

    /// The leaves behind the five views, in their order, made anew.
    pub fn leaves(&self, set: &VerifiedSet, policy: &TrustPolicy, as_of: AsOf) -> Vec<LedgerLeaves> {
        let entries = self.journal(set, policy, as_of);
        vec![
            LedgerLeaves { name: "envelope", leaves: self.envelope.leaves().collect() },
            LedgerLeaves { name: "rebind", leaves: self.rebind.leaves().collect() },
            LedgerLeaves { name: "treasury", leaves: entries.entries().map(|entry| entry.leaf()).collect() },
            LedgerLeaves { name: "attestations", leaves: self.attestations.leaves().collect() },
            LedgerLeaves { name: "projects", leaves: self.projects.leaves().collect() },
        ]
    }

    /// The leaves behind the five views, in their order, named; made one by one as they are asked for.
    pub fn named_leaves<'a>(&'a self, journal: &'a Journal<'a>) -> impl Iterator<Item = NamedLeaf> + 'a {
        let entries = journal.entries().map(|entry| NamedLeaf::new(LeafKind::Treasury, &entry.name(), entry.leaf()));
        let signed = self.envelope.named_leaves().chain(self.rebind.named_leaves());
        signed.chain(entries).chain(self.attestations.named_leaves()).chain(self.projects.named_leaves())
    }

    /// How many leaves there are of each kind.
    pub fn leaf_counts(&self) -> BTreeMap<LeafKind, u64> {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let mut counts = BTreeMap::from([
            (LeafKind::Envelope, count(self.envelope.len())),
            (LeafKind::Treasury, self.treasury.view().entries),
            (LeafKind::Attestation, count(self.attestations.entries.len())),
            (LeafKind::Project, count(self.projects.entries.len())),
        ]);
        for leaf in self.rebind.named_leaves() {
            *counts.entry(leaf.kind).or_insert(0) += 1;
        }
        counts
    }

    /// The five views in the order envelope, rebind, treasury, attestations, projects.
    pub fn views(&self) -> Vec<LedgerView> {
        vec![
            self.envelope.view(),
            self.rebind.view(),
            self.treasury.view(),
            self.attestations.view(),
            self.projects.view(),
        ]
    }
}

/// The envelope and rebind ledgers alone, and what their folds found wrong, sorted.
pub fn project(set: &VerifiedSet, policy: &TrustPolicy, as_of: AsOf) -> (EnvelopeLedger, RebindLedger, Vec<Finding>) {
    let mut findings = Vec::new();
    let people = People::of(set, policy, as_of, &mut findings);
    let (envelope, rebind) = signed(Scope { set, policy, as_of, people: &people }, &mut findings);
    findings.sort();
    (envelope, rebind, findings)
}

/// The ledgers of what envelope keys signed: one court decides for both what counts.
fn signed(scope: Scope<'_>, findings: &mut Vec<Finding>) -> (EnvelopeLedger, RebindLedger) {
    let standings = Standings::of(scope);
    let (envelope, rebinds) = EnvelopeLedger::fold(scope, &standings, findings);
    (envelope, RebindLedger::fold(scope, &standings, &rebinds, findings))
}

/// Rebuilds everything from the verified set. A pure function: neither the order nor the repetition of evidence matters.
pub fn rebuild(set: &VerifiedSet, policy: &TrustPolicy, as_of: AsOf) -> Ledgers {
    let mut findings = Vec::new();
    let people = People::of(set, policy, as_of, &mut findings);
    let scope = Scope { set, policy, as_of, people: &people };
    let mut of_settlements = Vec::new();
    let ((envelope, rebind), (unposted, rails)) = rayon::join(
        || signed(scope, &mut findings),
        || {
            let unposted = unposted(scope, &mut of_settlements);
            let rails = Rails::of(set, |digest| !unposted.contains_key(digest));
            (unposted, rails)
        },
    );
    findings.append(&mut of_settlements);
    let treasury = TreasuryLedger::fold(scope, &envelope, (unposted, &rails), &mut findings);
    let attestations = AttestationRegister::fold(scope);
    let projects = ProjectRegister::fold(scope);
    findings.sort();
    Ledgers { envelope, rebind, treasury, rails, attestations, projects, people, findings }
}
