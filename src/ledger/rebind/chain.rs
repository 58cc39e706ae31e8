//! Replays each principal's transitions over the three states of FORMATS 3.4.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, DescriptorId, Digest32, EnvelopeId, Finding, Subject, UnixMicros, UserKey};
use crate::evidence::CustodyState;
use crate::evidence::custody::federation_id;
use crate::ledger::envelope::Standing;
use crate::ledger::scope::Scope;

use crate::verify::Verified;

use super::dated::{Place, after_its_anchor};
use super::roll::RebindEntry;
use super::steps::Step;

/// What the replay of all chains gives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Chains {
    /// The transitions that count, by principal, in order of (effective time, anchored first, anchor height, id).
    pub(super) by_principal: BTreeMap<UserKey, Vec<EnvelopeId>>,
    /// Transitions that do not start from the replayed state.
    pub(super) gaps: BTreeSet<EnvelopeId>,
    /// Transitions that share their predecessor or their instant with another of the chain.
    pub(super) equivocal: BTreeSet<EnvelopeId>,
    /// Where each chain ends.
    pub(super) states: BTreeMap<UserKey, CustodyState>,
}

pub(super) fn replay(
    scope: Scope<'_>,
    (entries, steps): (&BTreeMap<EnvelopeId, RebindEntry>, &BTreeMap<String, Vec<Step>>),
    findings: &mut Vec<Finding>,
) -> Chains {
    let counted = entries.values().filter(|entry| entry.standing == Standing::Counted);
    let mut all: Vec<(&UserKey, &RebindEntry)> =
        counted.map(|entry| (scope.people.principal_of(&entry.rebind.user), entry)).collect();
    // An unanchored transition sorts after an anchored one of the same instant: the anchor is the stronger witness.
    all.sort_unstable_by_key(|(principal, entry)| (*principal, entry.dated.place(), entry.id));
    let graduated = graduated(scope);
    let left = states_left(scope, steps);
    let mut chains = Chains::default();
    for chain in all.chunk_by(|(one, _), (other, _)| one == other) {
        let shared = equivocations(chain, &mut chains.equivocal, findings);
        let mut before: Option<&RebindEntry> = None;
        for (principal, entry) in chain {
            let reached = left.get(*principal).and_then(|left| reached(left, before, entry));
            if let Some((expected, observed)) = gap((before, reached), entry, &shared) {
                chains.gaps.insert(entry.id);
                findings.push(
                    entry
                        .finding(Code::RebGap)
                        .with_values(expected, observed)
                        .with_explanation("The transition does not start from the replayed state: one is missing."),
                );
            }
            findings.extend(after_its_anchor(scope, &entry.id.0, &entry.dated, "transition", || {
                entry.finding(Code::RebAnchorTime)
            }));
            findings.extend(without_graduation(scope, entry, graduated.get(*principal)));
            before = Some(entry);
        }
        if let (Some((principal, _)), Some(last)) = (chain.first(), before) {
            chains.states.insert((*principal).clone(), last.rebind.to);
            let ids = chain.iter().map(|(_, entry)| entry.id).collect();
            chains.by_principal.insert((*principal).clone(), ids);
        }
    }
    chains
}

/// The state that a graduation leaves, with its place.
struct Left {
    place: (Place, Digest32),
    state: CustodyState,
    descriptor: Option<DescriptorId>,
}

fn states_left(scope: Scope<'_>, steps: &BTreeMap<String, Vec<Step>>) -> BTreeMap<UserKey, Vec<Left>> {
    let mut left: BTreeMap<UserKey, Vec<Left>> = BTreeMap::new();
    for step in steps.values().flatten() {
        let Some(to) = &step.graduates_to else { continue };
        let state = if to == "single-key" { CustodyState::Bip322 } else { CustodyState::FedimintClient };
        let principal = scope.people.principal_of(&UserKey::from(step.address.as_str())).clone();
        let one = Left { place: (step.dated.place(), step.id), state, descriptor: step.to };
        left.entry(principal).or_default().push(one);
    }
    left
}

/// The last graduation between two rebinds.
fn reached<'l>(left: &'l [Left], before: Option<&RebindEntry>, entry: &RebindEntry) -> Option<&'l Left> {
    let place = |entry: &RebindEntry| (entry.dated.place(), entry.id.0);
    let (since, until) = (before.map(place), place(entry));
    let between = left.iter().filter(|one| since.is_none_or(|since| one.place > since) && one.place < until);
    between.max_by_key(|one| one.place)
}

/// Why the transition does not follow from what came before it.
fn gap(
    (before, reached): (Option<&RebindEntry>, Option<&Left>),
    entry: &RebindEntry,
    shared: &BTreeSet<EnvelopeId>,
) -> Option<(String, String)> {
    let rebind = &entry.rebind;
    let starts_from = |reached: &Left| {
        let named = rebind.from_federation.as_ref().and_then(|name| federation_id(name).ok());
        reached.state == rebind.from && reached.descriptor.is_none_or(|id| named.is_none_or(|named| named == id))
    };
    // The user's own key signed the graduation: whoever starts from what it left misses nothing.
    let has_graduated = reached.is_some_and(starts_from);
    if rebind.from == rebind.to && !rebind.changes_federation() {
        return Some(("a change of state or federation".to_owned(), format!("{0} to {0}", rebind.from.name())));
    }
    match before {
        // A user begins under the operator's federation or in self-custody; a federation of choice is picked later.
        None if rebind.from == CustodyState::FedimintClient && !has_graduated => {
            Some(("fedimint_threshold or bip322 as the first state".to_owned(), rebind.from.name().to_owned()))
        }
        None => rebind.prev.map(|prev| ("a held predecessor".to_owned(), prev.to_string())),
        Some(before) if before.rebind.to != rebind.from && !has_graduated => {
            Some((before.rebind.to.name().to_owned(), rebind.from.name().to_owned()))
        }
        Some(before) => {
            let (reached, left) = (&before.rebind.to_federation, &rebind.from_federation);
            if reached.is_some() && left.is_some() && reached != left && !has_graduated {
                return Some((format!("{reached:?}"), format!("{left:?}")));
            }
            match rebind.prev {
                Some(prev) if prev != before.id && !shared.contains(&entry.id) => {
                    Some((before.id.to_string(), prev.to_string()))
                }
                _ => None,
            }
        }
    }
}

/// ENV_EQUIVOCATION: two rebinds with one predecessor, or of one instant. Returns those that share a predecessor.
fn equivocations(
    chain: &[(&UserKey, &RebindEntry)],
    equivocal: &mut BTreeSet<EnvelopeId>,
    findings: &mut Vec<Finding>,
) -> BTreeSet<EnvelopeId> {
    let mut shared = BTreeSet::new();
    if chain.len() < 2 {
        return shared;
    }
    let mut by_prev: BTreeMap<EnvelopeId, Vec<&RebindEntry>> = BTreeMap::new();
    let mut by_time: BTreeMap<UnixMicros, Vec<&RebindEntry>> = BTreeMap::new();
    for (_, entry) in chain {
        by_time.entry(entry.rebind.at).or_default().push(entry);
        if let Some(prev) = entry.rebind.prev {
            by_prev.entry(prev).or_default().push(entry);
        }
    }
    for (prev, group) in by_prev.into_iter().filter(|(_, group)| group.len() > 1) {
        shared.extend(group.iter().map(|entry| entry.id));
        findings.push(equivocation(&group, "prev", prev.to_string()));
    }
    equivocal.extend(&shared);
    for (at, group) in by_time.into_iter().filter(|(_, group)| group.len() > 1) {
        equivocal.extend(group.iter().map(|entry| entry.id));
        findings.push(equivocation(&group, "at_micros", at.0.to_string()));
    }
    shared
}

/// Named by the user that the first of them names: a principal may have several names.
fn equivocation(group: &[&RebindEntry], place: &str, value: String) -> Finding {
    let user = group.first().map(|entry| entry.rebind.user.as_str()).unwrap_or_default();
    let ids: Vec<String> = group.iter().map(|entry| entry.id.to_string()).collect();
    let finding = Finding::new(Code::EnvEquivocation, Subject::new("user", user).and(place, value))
        .with_values("one transition", ids.join(", "))
        .with_explanation("Several signed transitions claim one place in a user's chain.");
    group.iter().fold(finding, |finding, entry| finding.with_evidence(entry.carrier, "transition"))
}

/// The earliest claimed graduation to a single key, by principal.
fn graduated(scope: Scope<'_>) -> BTreeMap<UserKey, UnixMicros> {
    let mut earliest: BTreeMap<UserKey, UnixMicros> = BTreeMap::new();
    let graduations = scope.set.graduations.values().map(Verified::fact);
    for graduation in graduations.filter(|graduation| graduation.to == "single-key") {
        let (address, at) = (UserKey::from(graduation.address.as_str()), UnixMicros::from(graduation.at));
        let first = earliest.entry(scope.people.principal_of(&address).clone()).or_insert(at);
        *first = at.min(*first);
    }
    earliest
}

/// REB_GRADUATION_MISSING: leaving a federation for self-custody without an accepted graduation that goes with it.
fn without_graduation(scope: Scope<'_>, entry: &RebindEntry, graduated: Option<&UnixMicros>) -> Option<Finding> {
    let rebind = &entry.rebind;
    if rebind.from == CustodyState::Bip322 || rebind.to != CustodyState::Bip322 {
        return None;
    }
    let held = match rebind.graduation {
        Some(id) => scope.set.graduations.contains_key(&id),
        None => graduated.is_some_and(|at| *at <= rebind.at),
    };
    (!held).then(|| {
        let named = rebind.graduation.map_or_else(|| "none named".to_owned(), |id| id.to_string());
        entry
            .finding(Code::RebGraduationMissing)
            .with_values("an accepted graduation", named)
            .with_explanation("Custody left a federation for a single key without an accepted graduation envelope.")
    })
}
