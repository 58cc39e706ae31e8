//! SRC_EQUIVOCATION: two sources show conflicting signed histories.
//!
//! Two sources conflict about one identity when each shows a signed version that the other does not. A source that shows
//! a part of what another shows has left something out; one that shows both versions itself contradicts itself, which
//! OP_CONFLICT and ENV_EQUIVOCATION tell.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, Digest32, EnvelopeId, EvidenceId, Finding, OperationId, SourceId, Subject};

use crate::ledger::Unposted;
use crate::verify::Carriers;

use super::audit::Audit;
use super::reconciler::Input;

/// Who shows which versions of one identity, and in which evidence.
#[derive(Default)]
struct Versions<'a> {
    by_source: BTreeMap<(&'a SourceId, When), BTreeSet<Digest32>>,
    evidence: BTreeMap<Digest32, BTreeSet<EvidenceId>>,
}

/// Two captures of one source are two witnesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum When {
    Now,
    /// The earlier run of that place in the list.
    Earlier(usize),
}

impl<'a> Versions<'a> {
    fn see(&mut self, source: &'a SourceId, when: When, version: Digest32, evidence: EvidenceId) {
        self.by_source.entry((source, when)).or_default().insert(version);
        self.evidence.entry(version).or_default().insert(evidence);
    }

    /// The first two witnesses of which each shows what the other does not.
    fn conflict(&self) -> Option<[&'a SourceId; 2]> {
        let all: Vec<_> = self.by_source.iter().collect();
        all.iter().enumerate().find_map(|(at, ((first, when), shown))| {
            // An earlier capture of another source is no capture of the same time, so only its own source is compared.
            let other = all[at + 1..].iter().find(|((second, then), others)| {
                let comparable = when == then || first == second;
                comparable && !shown.is_subset(others) && !others.is_subset(shown)
            });
            other.map(|((second, _), _)| [*first, *second])
        })
    }

    fn finding(&self, subject: Subject) -> Option<Finding> {
        let [first, second] = self.conflict()?;
        let observed: Vec<String> = self.evidence.keys().map(Digest32::to_hex).collect();
        let witnesses =
            if first == second { format!("two captures of {first}") } else { format!("{first} and {second}") };
        let finding = Finding::new(Code::SrcEquivocation, subject)
            .with_values("one signed history", observed.join(", "))
            .with_explanation(format!("{witnesses} show different signed content for one identity; both are kept."));
        let evidence = self.evidence.values().flatten();
        Some(evidence.fold(finding, |finding, id| finding.with_evidence(*id, "version")))
    }
}

pub(super) fn check(input: &Input<'_>, audit: &mut Audit) {
    let (operations, mut found) = operations(input);
    let (envelopes, more) = envelopes(input);
    found.extend(more);
    audit.check("capture.equivocation", operations + envelopes, found);
}

/// Settlements by operation.
fn operations(input: &Input<'_>) -> (usize, Vec<Finding>) {
    // Only operations that somebody shows in two versions: those in conflict now, and those an earlier run saw otherwise.
    let conflicts = input.ledgers.treasury.unposted.iter().filter(|(_, why)| matches!(why, Unposted::Conflict(_)));
    let now = conflicts.filter_map(|(digest, _)| input.set.settlements.get(digest));
    let earlier = input.declared.earlier.iter().flat_map(|run| run.operations.iter().map(|it| it.operation.clone()));
    let doubtful = now.map(|verified| verified.into_fact().event.operation).chain(earlier);
    let mut all: BTreeMap<OperationId, Versions<'_>> = doubtful.map(|it| (it, Versions::default())).collect();
    let counted = input.set.settlements.values().filter(|it| it.fact().event.settled_at <= input.as_of.time);
    for verified in counted {
        let Some(versions) = all.get_mut(&verified.fact().event.operation) else { continue };
        for carrier in verified.carriers().iter() {
            for source in input.sightings.get(&carrier).into_iter().flatten() {
                versions.see(source, When::Now, verified.fact().digest, carrier);
            }
        }
    }
    for (at, run) in input.declared.earlier.iter().enumerate() {
        for earlier in &run.operations {
            if let Some(versions) = all.get_mut(&earlier.operation) {
                versions.see(&earlier.source, When::Earlier(at), earlier.digest, earlier.evidence);
            }
        }
    }
    let found = all.iter().filter_map(|(operation, versions)| versions.finding(Subject::new("operation", operation)));
    (input.set.settlements.len(), found.collect())
}

/// Envelopes that claim one identity with different content, as the ledgers found them.
fn envelopes(input: &Input<'_>) -> (usize, Vec<Finding>) {
    let groups: Vec<&Finding> =
        input.ledgers.findings.iter().filter(|finding| finding.code == Code::EnvEquivocation).collect();
    let cited: BTreeSet<EvidenceId> =
        groups.iter().flat_map(|finding| finding.evidence.iter().map(|evidence| evidence.id)).collect();
    let mut by_carrier: BTreeMap<EvidenceId, EnvelopeId> = BTreeMap::new();
    if !cited.is_empty() {
        for (id, verified) in &input.set.envelopes {
            let of_it = verified.carriers().iter().filter(|carrier| cited.contains(carrier));
            by_carrier.extend(of_it.map(|carrier| (carrier, id)));
        }
    }
    let mut found = Vec::new();
    for group in groups {
        let members: BTreeSet<EnvelopeId> =
            group.evidence.iter().filter_map(|evidence| by_carrier.get(&evidence.id).copied()).collect();
        let mut versions = Versions::default();
        for id in &members {
            let carriers = input.set.envelopes.get(id).map(|verified| verified.carriers().clone());
            for carrier in carriers.iter().flat_map(Carriers::iter) {
                for source in input.sightings.get(&carrier).into_iter().flatten() {
                    versions.see(source, When::Now, id.0, carrier);
                }
            }
        }
        let Some(lowest) = members.first() else { continue };
        found.extend(versions.finding(Subject::new("envelope", lowest)));
    }
    (input.set.envelopes.len(), found)
}
