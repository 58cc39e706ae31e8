//! Merging what single pieces of evidence come to. Every step is commutative and idempotent: order decides nothing.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::unread::Unread;
use super::{
    AcceptedGraduation, AcceptedRotation, AnchorState, ClaimedAttestation, Fate, HeldEvent, KnownDescriptor,
    SignedAttestation, SignedBinding, SignedEnvelope, SignedSettlement, Verified, VerifiedSet, ots,
};
use crate::domain::{
    AttestationId, Code, Counts, Digest32, EnvelopeId, EvidenceId, Finding, NostrEventId, Subject, TrustPolicy,
};
use crate::evidence::{
    AttestationClaim, BalanceLine, Charter, GraduationClaim, InvoiceRecord, ListedFederation, MergeRecord, OtsClaim,
    PaymentLogEntry, ProjectConfig, RotationClaim, StatementClaim,
};
use crate::scratch::{Scratch, Sorter};

/// The population of signed OC Me artifacts.
const ENVELOPES: &str = "envelopes";

/// What one piece of evidence comes to.
pub(super) struct Judged {
    pub(super) evidence: EvidenceId,
    pub(super) fates: Vec<(&'static str, Digest32, Fate)>,
    pub(super) facts: Vec<Fact>,
    pub(super) findings: Vec<Finding>,
}

impl Judged {
    pub(super) fn new(evidence: EvidenceId, findings: Vec<Finding>) -> Self {
        Self { evidence, fates: Vec::new(), facts: Vec::new(), findings }
    }

    pub(super) fn fate(&mut self, population: &'static str, item: Digest32, fate: Fate) {
        self.fates.push((population, item, fate));
    }
}

/// One thing that a piece of evidence establishes or brings along.
pub(super) enum Fact {
    Event(HeldEvent),
    Foreign(u16),
    Blank(Digest32, NostrEventId),
    Envelope(SignedEnvelope),
    Attestation(SignedAttestation),
    Claimed(ClaimedAttestation),
    Binding(SignedBinding),
    Descriptor(KnownDescriptor),
    Graduation(AcceptedGraduation),
    Rotation(AcceptedRotation),
    Accounts(MergeRecord),
    Settlement(SignedSettlement),
    Config(ProjectConfig),
    Invoice(InvoiceRecord),
    PaymentLogEntry(PaymentLogEntry),
    Balance(BalanceLine),
    Directory(Vec<ListedFederation>),
    Charter(Charter),
    Statement(StatementClaim),
    Anchors(Digest32, Box<AnchorState>),
    Reply(OtsClaim),
    Waiting(Box<Waiting>),
}

/// Claims that can be judged only when every descriptor is known.
pub(super) enum Waiting {
    Attestation(AttestationClaim),
    Graduation { claim: GraduationClaim, in_event: bool },
    Rotation { claim: RotationClaim, in_event: bool },
}

/// Everything established so far.
///
/// What comes in millions is packed on the way in, and lies beside memory (docs/adr/0034).
#[derive(Default)]
pub(super) struct Merge {
    pub(super) set: VerifiedSet,
    pub(super) waiting: BTreeMap<EvidenceId, Vec<Waiting>>,
    pub(super) replies: BTreeMap<EvidenceId, OtsClaim>,
    /// The one proof that a carrier brings, as the population counts it, while a calendar's reply can still make it better.
    proofs: Sorter<EvidenceId, Digest32>,
    /// Every accepted envelope by every carrier, every genuine event, every proof, in the order in which they come.
    envelopes: Sorter<EnvelopeId, Verified<SignedEnvelope>>,
    events: Sorter<EvidenceId, HeldEvent>,
    anchors: Sorter<Digest32, AnchorState>,
    settlements: Sorter<Digest32, Verified<SignedSettlement>>,
    invoices: Sorter<EvidenceId, InvoiceRecord>,
    payment_log: Sorter<EvidenceId, PaymentLogEntry>,
    unread: Unread,
    fates: BTreeMap<&'static str, Sorter<Digest32, Fate>>,
    scratch: Scratch,
    /// Pieces of evidence that are items of their own.
    alone: BTreeMap<&'static str, Counts>,
    foreign: BTreeMap<u16, u64>,
    blanks: BTreeMap<(Digest32, EvidenceId), NostrEventId>,
}

impl Merge {
    /// Puts what is too much for memory there.
    pub(super) fn lay(&mut self, scratch: &Scratch) {
        self.envelopes = Sorter::in_place(scratch.clone());
        self.events = Sorter::in_place(scratch.clone());
        self.anchors = Sorter::in_place(scratch.clone());
        self.settlements = Sorter::in_place(scratch.clone());
        self.invoices = Sorter::in_place(scratch.clone());
        self.payment_log = Sorter::in_place(scratch.clone());
        self.proofs = Sorter::in_place(scratch.clone());
        self.scratch = scratch.clone();
    }

    /// Takes what one piece of evidence came to. Each piece must be given once.
    pub(super) fn take(&mut self, judged: Judged) {
        let Judged { evidence, fates, facts, findings } = judged;
        self.findings(evidence, findings);
        for (population, item, fate) in fates {
            if population == "proofs" && fate != Fate::Accepted {
                self.proofs.push(&evidence, &item);
            }
            if population == ENVELOPES && fate == Fate::Accepted {
                // Counted with the envelopes themselves.
                continue;
            }
            if item == evidence.0 {
                // It is an item of its own: each piece comes once, so nothing else has a say in its fate.
                count(self.alone.entry(population).or_default(), fate);
            } else {
                self.fate(population, item, fate);
            }
        }
        for fact in facts {
            self.fact(evidence, fact);
        }
    }

    /// Takes what was found about one piece of evidence.
    pub(super) fn findings(&mut self, evidence: EvidenceId, findings: Vec<Finding>) {
        self.set.findings.extend(self.unread.take(evidence, findings));
    }

    /// Of several carriers of one item the best one decides: a bad copy takes nothing from a good one.
    pub(super) fn fate(&mut self, population: &'static str, item: Digest32, fate: Fate) {
        let fates = self.fates.entry(population).or_insert_with(|| Sorter::in_place(self.scratch.clone()));
        fates.push(&item, &fate);
    }

    /// Counts these carriers' proofs as accepted: calendars' replies completed them.
    pub(super) fn complete_proofs(&mut self, carriers: &BTreeSet<EvidenceId>) {
        let mut completed = Vec::new();
        std::mem::take(&mut self.proofs).each(
            |last, proof| *last = proof,
            |carrier, proof| completed.extend(carriers.contains(&carrier).then_some(proof)),
        );
        for proof in completed {
            self.fate("proofs", proof, Fate::Accepted);
        }
    }

    fn fact(&mut self, carrier: EvidenceId, fact: Fact) {
        let set = &mut self.set;
        match fact {
            Fact::Event(event) => self.events.push(&carrier, &event),
            Fact::Foreign(kind) => *self.foreign.entry(kind).or_default() += 1,
            Fact::Blank(id, event) => {
                set.blanks.insert((id, carrier));
                self.blanks.insert((id, carrier), event);
            }
            Fact::Envelope(envelope) => self.envelopes.push(&envelope.id.clone(), &Verified::new(envelope, carrier)),
            Fact::Attestation(it) => keep(&mut set.attestations, it.id, it, carrier, |it| it.scheme.clone()),
            Fact::Claimed(it) => keep_claimed(&mut set.claimed_attestations, it, carrier),
            // Everything of these is hashed into the id, so carriers can't differ.
            Fact::Binding(it) => keep(&mut set.bindings, it.id, it, carrier, |_| ()),
            Fact::Descriptor(it) => keep(&mut set.descriptors, it.id, it, carrier, |_| ()),
            Fact::Graduation(it) => keep(&mut set.graduations, it.id, it, carrier, |_| ()),
            Fact::Rotation(it) => keep(&mut set.rotations, it.id, it, carrier, |_| ()),
            Fact::Accounts(record) => set.merges.push((carrier, record)),
            Fact::Settlement(it) => self.settlements.push(&it.digest.clone(), &Verified::new(it, carrier)),
            Fact::Config(config) => set.configs.push((carrier, config)),
            Fact::Invoice(record) => self.invoices.push(&carrier, &record),
            Fact::PaymentLogEntry(entry) => self.payment_log.push(&carrier, &entry),
            Fact::Balance(line) => set.balances.push((carrier, line)),
            Fact::Directory(listed) => set.directories.push((carrier, listed)),
            Fact::Charter(charter) => set.charters.push((carrier, charter)),
            Fact::Statement(claim) => set.statements.push((carrier, claim)),
            Fact::Anchors(subject, state) => self.anchors.push(&subject, &state),
            Fact::Reply(reply) => {
                self.replies.insert(carrier, reply);
            }
            Fact::Waiting(waiting) => self.waiting.entry(carrier).or_default().push(*waiting),
        }
    }

    /// Brings what is few into canonical order and counts the populations.
    pub(super) fn finish(mut self) -> VerifiedSet {
        let blanked = self.blank_findings();
        let set = &mut self.set;
        set.findings.extend(blanked);
        set.findings.extend(std::mem::take(&mut self.unread).finish());
        set.findings.extend(self.foreign.iter().map(|(kind, count)| foreign_finding(*kind, *count)));
        set.findings = merged(std::mem::take(&mut set.findings));
        set.configs.sort_by(|(a, x), (b, y)| (&x.project, x.updated_at, a).cmp(&(&y.project, y.updated_at, b)));
        set.merges.sort_by_key(|(evidence, _)| *evidence);
        set.directories.sort_by_key(|(evidence, _)| *evidence);
        set.charters.sort_by_key(|(evidence, _)| *evidence);
        set.statements.sort_by_key(|(evidence, _)| *evidence);
        set.balances.sort_by(|(a, x), (b, y)| (&x.user, a).cmp(&(&y.user, b)));
        let VerifiedSet { envelopes, population, .. } = set;
        let counted: Vec<(&str, Counts)> = (std::mem::take(&mut self.fates).into_par_iter())
            .map(|(name, items)| {
                let is_accepted = |item: &Digest32| name == ENVELOPES && envelopes.contains_key(&EnvelopeId(*item));
                let mut counts = Counts::default();
                let best = |best: &mut Fate, fate: Fate| *best = fate.min(*best);
                items.each(best, |item, fate| {
                    if !is_accepted(&item) {
                        count(&mut counts, fate);
                    }
                });
                (name, counts)
            })
            .collect();
        for (name, counts) in counted {
            *population.of(name) += counts;
        }
        for (name, counts) in &self.alone {
            *population.of(name) += *counts;
        }
        let accepted = u64::try_from(envelopes.len()).unwrap_or(u64::MAX);
        if accepted > 0 {
            *population.of(ENVELOPES) += Counts { unique: accepted, accepted, ..Counts::default() };
        }
        self.set
    }

    /// Brings into order what came in any, each kind by itself: one state for each digest with all its proofs, one envelope for each id.
    /// Facts that are taken later are not among them.
    pub(super) fn sort(&mut self, policy: &TrustPolicy) {
        let Self { set, envelopes, settlements, invoices, payment_log, events, anchors, .. } = self;
        rayon::scope(|scope| {
            scope.spawn(|_| set.anchors = std::mem::take(anchors).finish(ots::merge));
            scope.spawn(|_| {
                let joined = std::mem::take(envelopes).finish(|held, it| join_envelope(policy, held, it));
                set.envelopes = joined;
            });
            scope.spawn(|_| set.events = std::mem::take(events).finish(|_, _| ()));
            scope.spawn(|_| set.settlements = std::mem::take(settlements).finish(join_settlement));
            scope.spawn(|_| set.invoices = std::mem::take(invoices).finish(|_, _| ()));
            scope.spawn(|_| set.payment_log = std::mem::take(payment_log).finish(|_, _| ()));
        });
    }

    /// A blank replacement never removes what is held (FORMATS 2.4); when nothing is held it is mere noise.
    fn blank_findings(&self) -> Vec<Finding> {
        let held = |id: &Digest32| {
            let envelope = self.set.envelopes.contains_key(&EnvelopeId(*id));
            envelope || self.set.attestations.contains_key(&AttestationId(*id))
        };
        let finding = |((id, carrier), event): (&(Digest32, EvidenceId), &NostrEventId)| {
            let code = if held(id) { Code::EvtBlanked } else { Code::EvtNotEnvelope };
            Finding::new(code, Subject::new("event", event))
                .with_values(format!("content of {id}"), "no content")
                .with_evidence(*carrier, "carrier")
                .with_explanation("a replacement without content; an artifact that is held stays")
        };
        self.blanks.iter().map(finding).collect()
    }
}

/// One envelope for each id, with all its carriers.
fn join_envelope(policy: &TrustPolicy, held: &mut Verified<SignedEnvelope>, mut it: Verified<SignedEnvelope>) {
    // Of several keys that signed the same bytes one that never leaked speaks for them, else the one that held longest:
    // whoever stole another key can add a carrier, and must not take one away by it.
    let rank = |it: &SignedEnvelope| {
        let leaked_at = policy.leaked_at(&it.kid);
        (leaked_at.is_some(), Reverse(leaked_at), it.kid.clone(), it.rule, it.kind)
    };
    if rank(it.fact()) < rank(held.fact()) {
        std::mem::swap(&mut it, held);
    }
    it.carriers().iter().for_each(|carrier| held.add_carrier(carrier));
}

/// One settlement for each digest, with all its carriers.
fn join_settlement(held: &mut Verified<SignedSettlement>, mut it: Verified<SignedSettlement>) {
    // When carriers disagree on what the digest does not hash, the lowest key stands.
    if it.fact().key < held.fact().key {
        std::mem::swap(&mut it, held);
    }
    it.carriers().iter().for_each(|carrier| held.add_carrier(carrier));
}

/// Adds one item of that fate.
pub(super) fn count(counts: &mut Counts, fate: Fate) {
    counts.unique += 1;
    match fate {
        Fate::Accepted => counts.accepted += 1,
        Fate::Pending => counts.pending += 1,
        Fate::Rejected => counts.rejected += 1,
        Fate::Quarantined => counts.quarantined += 1,
    }
}

/// Keeps a fact and every carrier of it. When carriers disagree on what the id does not hash, the lowest rank stands.
fn keep<K: Ord, T, R: Ord>(
    map: &mut BTreeMap<K, Verified<T>>,
    id: K,
    fact: T,
    carrier: EvidenceId,
    rank: impl Fn(&T) -> R,
) {
    match map.entry(id) {
        Entry::Vacant(place) => {
            place.insert(Verified::new(fact, carrier));
        }
        Entry::Occupied(mut held) if rank(held.get().fact()) <= rank(&fact) => held.get_mut().add_carrier(carrier),
        Entry::Occupied(mut held) => {
            let mut merged = Verified::new(fact, carrier);
            held.get().carriers().iter().for_each(|carrier| merged.add_carrier(carrier));
            held.insert(merged);
        }
    }
}

/// Of several messages under one id the one that hashes to it stands, else that of the lowest hash. What is wrong with any
/// carrier of that message is told.
fn keep_claimed(
    map: &mut BTreeMap<AttestationId, Verified<ClaimedAttestation>>,
    claimed: ClaimedAttestation,
    carrier: EvidenceId,
) {
    let reasons = claimed.reasons.clone();
    let (id, digest) = (claimed.id, claimed.digest);
    keep(map, id, claimed, carrier, |it| (it.digest != it.id.0, it.digest));
    if let Some(held) = map.get_mut(&id).filter(|held| held.fact().digest == digest) {
        held.fact_mut().reasons.extend(reasons);
    }
}

fn foreign_finding(kind: u16, count: u64) -> Finding {
    Finding::new(Code::EvtNotEnvelope, Subject::new("kind", kind).and("class", "foreign"))
        .with_values("a d tag of the family", format!("{count} events of others"))
        .with_explanation("genuine events whose kind or d tag is not of the family; kept, not counted")
}

/// Sorts findings; equal ones from several carriers become one with all their evidence.
fn merged(mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut by_text: BTreeMap<Finding, BTreeSet<crate::domain::EvidenceRef>> = BTreeMap::new();
    for mut finding in findings.drain(..) {
        let evidence = std::mem::take(&mut finding.evidence);
        by_text.entry(finding).or_default().extend(evidence);
    }
    let whole =
        |(finding, evidence): (Finding, BTreeSet<_>)| Finding { evidence: evidence.into_iter().collect(), ..finding };
    by_text.into_iter().map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sha256;

    /// One of the carriers; whether the message hashes to the declared id, and why the carrier does not hold.
    fn claimed(message: &str, reason: Code) -> ClaimedAttestation {
        let id = AttestationId(sha256(b"declared"));
        ClaimedAttestation { id, digest: sha256(message.as_bytes()), message: None, reasons: [reason].into() }
    }

    #[test]
    fn which_message_stands_under_a_claimed_id_depends_on_no_order() {
        let carriers = [
            claimed("declared", Code::AttSig),
            claimed("declared", Code::AttFields),
            claimed("another", Code::AttId),
            claimed("a third", Code::AttId),
        ];
        for turn in 0..carriers.len() {
            let mut map = BTreeMap::new();
            for place in (0..carriers.len()).map(|place| (place + turn) % carriers.len()) {
                let number = u8::try_from(place).unwrap();
                keep_claimed(&mut map, carriers[place].clone(), EvidenceId::from_bytes([number; 32]));
            }
            let held = map.into_values().next().unwrap();
            assert_eq!(held.carriers().len(), carriers.len());
            assert_eq!(held.fact().digest, sha256(b"declared"));
            assert_eq!(held.fact().reasons, [Code::AttSig, Code::AttFields].into());
        }
    }
}
