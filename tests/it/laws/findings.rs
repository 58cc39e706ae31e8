//! Adding evidence never removes a finding without explaining it, and never takes back what was accepted.

use std::collections::{BTreeMap, BTreeSet};

use reledger::domain::{Code, Divergence, RawEvidence, Subject};

use super::standing::{FOR_EVER, UNTIL_FOUND, WHILE_POSTED, explained};
use super::world::{Held, Judged};
use super::{cases, damage};
use crate::support::Lcg;

/// Batches that a world comes in.
const STEPS: usize = 7;
/// Faults of one world.
const FAULTS: usize = 12;

/// What must have been seen to stand, and to go once it was explained, for the law to have been tried at all.
const STOOD: [Code; 9] = [
    Code::EvtBadId,
    Code::EvtBadSig,
    Code::EvtMalformed,
    Code::EnvSigBad,
    Code::EnvAddressMismatch,
    Code::KeySetRewritten,
    Code::SigBad,
    Code::OpReplay,
    Code::OtsMalformed,
];
const WENT: [Code; 5] = [Code::KeyUnknown, Code::OtsAbsent, Code::OtsHeaderMissing, Code::SetMissing, Code::SetOrphan];

type Named<'a> = BTreeMap<(Code, &'a Subject), &'a Divergence>;

#[test]
fn no_code_is_in_two_classes() {
    let classes: Vec<Code> = [&FOR_EVER[..], &WHILE_POSTED, &UNTIL_FOUND].concat();
    assert_eq!(classes.iter().collect::<BTreeSet<_>>().len(), classes.len());
}

#[test]
fn adding_evidence_never_removes_a_finding_without_explaining_it() {
    let mut chance = Lcg(20_261_123);
    let (mut stood, mut went) = (BTreeSet::new(), BTreeSet::new());
    let mut wrong = Vec::new();
    for case in 0..cases(5) {
        let mut held = Held::of(60 + case as u64, FAULTS);
        damage::add(&mut held.evidence, &mut chance);
        let mut order: Vec<&RawEvidence> = held.evidence.iter().collect();
        chance.shuffle(&mut order);
        let mut before = held.judge(&[]);
        for step in 1..=STEPS {
            let after = held.judge(&order[..order.len() * step / STEPS]);
            accepted_stays(&before, &after);
            stood.extend(named(&before).into_keys().map(|(code, _)| code));
            for (gone, is_explained) in gone(&before, &after) {
                went.insert(gone.code);
                if !is_explained {
                    wrong
                        .push(format!("case {case}, step {step}: {} {:?}: {}", gone.code, gone.subject, gone.observed));
                }
            }
            before = after;
        }
    }
    assert!(wrong.is_empty(), "{} findings vanished:\n{}", wrong.len(), wrong.join("\n"));
    // Not vacuous: both classes occur, and absences are filled.
    assert!(STOOD.iter().all(|code| stood.contains(code)), "{stood:?}");
    assert!(WENT.iter().all(|code| went.contains(code)), "{went:?}");
}

fn named(judged: &Judged) -> Named<'_> {
    judged.divergences.iter().map(|divergence| ((divergence.code, &divergence.subject), divergence)).collect()
}

/// The classed findings that the second judgement has no more, and whether that is explained.
fn gone<'b>(before: &'b Judged, after: &Judged) -> Vec<(&'b Divergence, bool)> {
    let still = named(after);
    let classed = |code: &Code| FOR_EVER.contains(code) || WHILE_POSTED.contains(code) || UNTIL_FOUND.contains(code);
    named(before)
        .into_iter()
        .filter(|(name, _)| classed(&name.0) && !still.contains_key(name))
        .map(|(_, divergence)| (divergence, explained(divergence, before, after)))
        .collect()
}

/// What was verified stays verified.
fn accepted_stays(before: &Judged, after: &Judged) {
    let (old, new) = (&before.set, &after.set);
    assert!(old.envelopes.keys().all(|id| new.envelopes.contains_key(&id)), "an envelope was taken back");
    assert!(old.settlements.keys().all(|id| new.settlements.contains_key(&id)), "a settlement was taken back");
    assert!(old.attestations.keys().all(|id| new.attestations.contains_key(id)), "an attestation was taken back");
    assert!(old.bindings.keys().all(|id| new.bindings.contains_key(id)), "a binding was taken back");
    assert!(old.descriptors.keys().all(|id| new.descriptors.contains_key(id)), "a descriptor was taken back");
    assert!(old.events.keys().all(|id| new.events.contains_key(&id)), "an event was taken back");
}
