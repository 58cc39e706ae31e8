//! One piece of evidence: decoded, routed to its topic's judge, and reduced to facts, fates and findings.
//!
//! Judging reads only the evidence, the policy, the key ring and the headers, so a batch may be judged in parallel.

use std::collections::BTreeMap;

use super::headers::HeaderChain;
use super::keys::KeyRing;
use super::merge::{Fact, Judged, Waiting};
use super::{
    Fate, Genuine, HeldEvent, KnownDescriptor, Verified, attest, binding, custody, envelope, invoice, nostr, ots,
    settlement,
};
use crate::domain::{
    Code, DescriptorId, Digest32, EvidenceId, Finding, Media, NostrEventId, RawEvidence, Subject, TaggedHasher,
    TrustPolicy, sha256,
};
use crate::evidence::{
    AttestationClaim, CarrierBody, Claim, CustodyClaim, Decoded, DescriptorClaim, EnvelopeCarrier, NostrCarrier,
    OtsClaim, OtsMember, SettlementClaim,
    attest::{FEDERATION_SCHEME, federated_proof},
    sniff::is_merge_record,
};

/// What judging needs beside the evidence.
#[derive(Clone, Copy)]
pub(super) struct Bench<'a> {
    pub(super) policy: &'a TrustPolicy,
    pub(super) ring: &'a KeyRing,
    pub(super) headers: &'a HeaderChain,
    pub(super) genuine: &'a Genuine,
}

/// Which signatures of one piece of evidence are known to be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Good {
    /// The event's own, and its id is that of its serialisation.
    pub(super) event: bool,
    /// The envelope's, by the one key that its kid names; the place of the signed bytes among the carrier's candidates.
    pub(super) envelope: Option<usize>,
    /// The settlement's, by the key that comes with it.
    pub(super) settlement: bool,
}

/// The population that undecodable bytes of this media are counted in.
pub(super) const fn population(media: Media) -> &'static str {
    match media {
        Media::NostrEvent => "events",
        Media::OtsProof => "proofs",
        Media::CalendarReply => "calendar_replies",
        Media::Headers => "headers",
        Media::Settlement => "settlements",
        Media::PaymentLogEntry => "payment_log",
        Media::Invoice => "invoices",
        Media::Jwks | Media::AuthJwks => "keys",
        Media::ProjectConfig => "configs",
        Media::Custody => "descriptors",
        Media::Activity => "envelopes",
        Media::Balance => "balances",
        Media::Checkpoint => "checkpoints",
        Media::Snapshot => "snapshots",
        Media::FederationDirectory | Media::Charter => "federations",
    }
}

impl Bench<'_> {
    /// Judges one piece of evidence that decodes to this. Signatures that are `good` already are not checked again.
    pub(super) fn judge(&self, evidence: EvidenceId, raw: &RawEvidence, decoded: Decoded, good: Good) -> Judged {
        let (claim, findings) = match decoded {
            Decoded::Claim(claim, findings) => (claim, findings.into_iter().map(|it| cited(it, evidence)).collect()),
            Decoded::Undecodable(findings) => {
                let findings = findings.into_iter().map(|finding| finding.with_evidence(evidence, "carrier"));
                let mut judged = Judged::new(evidence, findings.collect());
                let is_merge = raw.media == Media::Custody && is_merge_record(&raw.bytes);
                let population = if is_merge { "merges" } else { population(raw.media) };
                judged.fate(population, evidence.0, Fate::Quarantined);
                return judged;
            }
        };
        let mut judged = Judged::new(evidence, findings);
        match *claim {
            Claim::Nostr(carrier) => self.event(&mut judged, &carrier, good),
            Claim::Ots(claim) => self.loose_proof(&mut judged, claim),
            Claim::Settlement(claim) => self.settlement(&mut judged, &claim, good),
            Claim::PaymentLogEntry(entry) => judged.unsigned("payment_log", Fact::PaymentLogEntry(entry)),
            Claim::Invoice(record) => {
                let (kept, finding) = invoice::judge(record, evidence);
                judged.fate("invoices", evidence.0, if kept.is_some() { Fate::Accepted } else { Fate::Rejected });
                judged.keep(kept.map(Fact::Invoice), finding.into_iter().collect());
            }
            Claim::ProjectConfig(config) => judged.unsigned("configs", Fact::Config(config)),
            Claim::Balance(line) => judged.unsigned("balances", Fact::Balance(line)),
            Claim::Directory(listed) => judged.unsigned("federations", Fact::Directory(listed)),
            Claim::Charter(charter) => judged.unsigned("federations", Fact::Charter(charter)),
            Claim::Statement(claim) => judged.unsigned("balances", Fact::Statement(claim)),
            Claim::Custody(claim) => {
                custody_claim(&mut judged, claim, false);
            }
            Claim::Activity(carrier) => {
                self.envelope(&mut judged, &carrier, None, good);
            }
            // The first two belong to the first pass, which took them before any judging; the others are judged together, by
            // `seal`: a chain is no property of one line.
            Claim::Headers(_) | Claim::Jwks(_) | Claim::Checkpoint(_) | Claim::Snapshot(_) => {}
        }
        judged
    }

    fn event(&self, judged: &mut Judged, carrier: &NostrCarrier, good: Good) {
        let event = &carrier.event;
        let judge = || nostr::judge(event, judged.evidence, self.genuine);
        if let Err(finding) = if good.event { Ok(()) } else { judge() } {
            // What an unsigned event says about itself is nobody's word.
            judged.findings = vec![*finding];
            judged.fate("events", judged.evidence.0, Fate::Rejected);
            return;
        }
        judged.facts.push(Fact::Event(HeldEvent {
            kind: event.kind,
            at: event.created_at,
            id: event.id,
            place: nostr::place(event),
        }));
        if let Some(fate) = self.body(judged, carrier, good) {
            judged.fate("events", judged.evidence.0, fate);
            if ["oc-lock:device:", "oc-chat:device:"].iter().any(|prefix| carrier.d.starts_with(prefix)) {
                judged.fate("device_records", judged.evidence.0, fate);
            }
        }
    }

    /// The fate of a genuine event; `None` when it waits for all descriptors to be known.
    fn body(&self, judged: &mut Judged, carrier: &NostrCarrier, good: Good) -> Option<Fate> {
        let event = carrier.event.id;
        match &carrier.body {
            CarrierBody::Envelope(envelope) => Some(self.envelope(judged, envelope, Some(event), good)),
            CarrierBody::Attestation(claim) => self.attestation(judged, claim),
            CarrierBody::Binding(claim) => {
                let result = binding::judge(claim, &carrier.event.pubkey, judged.evidence);
                Some(judged.verdict("bindings", claim.declared_id.0, result.map(Fact::Binding)))
            }
            CarrierBody::Custody(claim) => custody_claim(judged, (**claim).clone(), true),
            CarrierBody::Stored(_) => {
                judged.fate("stored", judged.evidence.0, Fate::Accepted);
                Some(Fate::Accepted)
            }
            CarrierBody::NotEnvelope(why) => {
                judged.fate("probes", judged.evidence.0, Fate::Quarantined);
                Some(judged.quarantine(event, Code::EvtNotEnvelope, "an artifact of the d tag's owner", why))
            }
            CarrierBody::Blank(id) => {
                judged.facts.push(Fact::Blank(*id, event));
                Some(Fate::Quarantined)
            }
            CarrierBody::KindMismatch { by_d, by_content } => {
                Some(judged.quarantine(event, Code::EvtKindMismatch, by_d, by_content))
            }
            CarrierBody::Foreign => {
                judged.facts.push(Fact::Foreign(carrier.event.kind));
                Some(Fate::Quarantined)
            }
        }
    }

    fn envelope(
        &self,
        judged: &mut Judged,
        carrier: &EnvelopeCarrier,
        event: Option<NostrEventId>,
        good: Good,
    ) -> Fate {
        let id = carrier.declared_id.0;
        let result = envelope::judge(carrier, (self.ring, self.genuine), judged.evidence, event, good.envelope);
        if result.is_ok() {
            self.member_proof(judged, id, carrier.ots.as_ref());
        }
        let fate = match result {
            Ok(envelope) => {
                judged.facts.push(Fact::Envelope(envelope));
                Fate::Accepted
            }
            Err(refusal) => {
                judged.findings.push(refusal.finding);
                refusal.fate
            }
        };
        judged.fate("envelopes", id, fate);
        fate
    }

    fn attestation(&self, judged: &mut Judged, claim: &AttestationClaim) -> Option<Fate> {
        if claim.scheme == FEDERATION_SCHEME {
            judged.facts.push(Fact::Waiting(Box::new(Waiting::Attestation(claim.clone()))));
            return None;
        }
        let result = attest::judge(claim, judged.evidence);
        match &result {
            Ok(_) => self.member_proof(judged, claim.declared_id.0, claim.ots.as_ref()),
            Err(findings) => judged.facts.push(Fact::Claimed(attest::claimed(claim, findings))),
        }
        Some(judged.verdict("attestations", claim.declared_id.0, result.map(Fact::Attestation)))
    }

    /// Judges what had to wait until every descriptor was known.
    pub(super) fn judge_waiting(
        &self,
        evidence: EvidenceId,
        waiting: Waiting,
        descriptors: &BTreeMap<DescriptorId, Verified<KnownDescriptor>>,
    ) -> Judged {
        let mut judged = Judged::new(evidence, Vec::new());
        let (population, item, from, accepted, ots, in_event) = match waiting {
            Waiting::Attestation(claim) => {
                let item = claim.declared_id.0;
                let from = federated_proof(&claim).ok().map(|(descriptor, _)| descriptor);
                let (it, findings) = match attest::judge_federated(&claim, descriptors, evidence) {
                    Ok(it) => (Fact::Attestation(it), Vec::new()),
                    Err(findings) => (Fact::Claimed(attest::claimed(&claim, &findings)), findings),
                };
                let accepted = matches!(it, Fact::Attestation(_)).then_some(item);
                judged.keep(Some(it), findings);
                ("attestations", item, from, accepted, claim.ots, true)
            }
            Waiting::Graduation { claim, in_event } => {
                let (it, findings) = custody::graduation(&claim, descriptors, evidence);
                let accepted = it.as_ref().map(|it| it.id);
                judged.keep(it.map(Fact::Graduation), findings);
                let item = message_id(&claim.profiles);
                ("graduations", item, Some(claim.from_federation), accepted, claim.ots, in_event)
            }
            Waiting::Rotation { claim, in_event } => {
                let (it, findings) = custody::rotation(&claim, descriptors, evidence);
                let accepted = it.as_ref().map(|it| it.id);
                judged.keep(it.map(Fact::Rotation), findings);
                let item = message_id(&claim.profiles);
                ("rotations", item, Some(claim.from_federation), accepted, claim.ots, in_event)
            }
        };
        let fate = match (accepted, from) {
            (Some(_), _) => Fate::Accepted,
            // The named descriptor itself is missing: more evidence may decide.
            (None, Some(from)) if !descriptors.contains_key(&from) => Fate::Pending,
            (None, _) => Fate::Rejected,
        };
        judged.fate(population, item, fate);
        if in_event {
            judged.fate("events", evidence.0, fate);
        }
        if let Some(id) = accepted {
            self.member_proof(&mut judged, id, ots.as_ref());
        }
        judged
    }

    fn settlement(&self, judged: &mut Judged, claim: &SettlementClaim, good: Good) {
        let (accepted, findings) = settlement::judge(claim, judged.evidence, self.policy, good.settlement);
        let fate = match &accepted {
            Some(_) => Fate::Accepted,
            // A good signature by a key that the policy does not pin: the pin may still come.
            None if findings.iter().any(|finding| finding.code == Code::SigKeyUnknown) => Fate::Pending,
            None => Fate::Rejected,
        };
        judged.keep(accepted.map(Fact::Settlement), findings);
        judged.fate("settlements", judged.evidence.0, fate);
    }

    fn loose_proof(&self, judged: &mut Judged, claim: OtsClaim) {
        if claim.commitment.is_some() {
            judged.facts.push(Fact::Reply(claim));
        } else {
            self.proof(judged, claim.about, &claim.proof, None);
        }
    }

    /// Judges the `ots` member of an accepted carrier: its subject is the carrier's own content id.
    fn member_proof(&self, judged: &mut Judged, subject: Digest32, member: Option<&OtsMember>) {
        if let Some(member) = member {
            self.proof(judged, Some(subject), &member.proof, Some(member));
        }
    }

    fn proof(&self, judged: &mut Judged, subject: Option<Digest32>, proof: &[u8], member: Option<&OtsMember>) {
        let verdict = ots::judge(subject, proof, member, judged.evidence, self.headers, self.policy);
        judged.fate("proofs", proof_key(subject, proof), verdict.fate);
        judged.findings.extend(verdict.findings);
        if let Some(subject) = verdict.subject {
            judged.facts.push(Fact::Anchors(subject, Box::new(verdict.state)));
        }
    }
}

/// Names the record that a decoding finding is about. An unknown kind is a class of records: naming all would be endless.
fn cited(finding: Finding, evidence: EvidenceId) -> Finding {
    if finding.code == Code::SrcUnknownKind { finding } else { finding.with_evidence(evidence, "carrier") }
}

/// One proof about one digest is one proof, however many carriers bring it.
pub(super) fn proof_key(subject: Option<Digest32>, proof: &[u8]) -> Digest32 {
    let mut hasher = TaggedHasher::new("reledger/proof/1");
    hasher.field(subject.as_ref().map_or(&[], |subject| subject.as_bytes().as_slice())).field(proof);
    hasher.finish()
}

/// What a graduation or rotation says, whoever signed it and under whichever profile: the hash of its line form.
fn message_id(profiles: &[(&'static str, String)]) -> Digest32 {
    sha256(profiles.first().map_or(&[], |(_, text)| text.as_bytes()))
}

fn custody_claim(judged: &mut Judged, claim: CustodyClaim, in_event: bool) -> Option<Fate> {
    let waiting = match claim {
        CustodyClaim::Descriptor(claim) => return Some(descriptor(judged, &claim)),
        CustodyClaim::Graduation(claim) => Waiting::Graduation { claim, in_event },
        CustodyClaim::Rotation(claim) => Waiting::Rotation { claim, in_event },
        CustodyClaim::Merge(record) => {
            judged.unsigned("merges", Fact::Accounts(record));
            return None;
        }
    };
    judged.facts.push(Fact::Waiting(Box::new(waiting)));
    None
}

fn descriptor(judged: &mut Judged, claim: &DescriptorClaim) -> Fate {
    let result = custody::descriptor(claim, judged.evidence);
    let id = match (&result, claim.declared_id) {
        (Ok(known), _) => known.id.0,
        (Err(_), Some(declared)) => declared.0,
        (Err(_), None) => judged.evidence.0,
    };
    judged.verdict("descriptors", id, result.map(Fact::Descriptor))
}

impl Judged {
    fn keep(&mut self, fact: Option<Fact>, findings: Vec<Finding>) {
        self.facts.extend(fact);
        self.findings.extend(findings);
    }

    fn unsigned(&mut self, population: &'static str, fact: Fact) {
        self.fate(population, self.evidence.0, Fate::Accepted);
        self.facts.push(fact);
    }

    fn verdict(&mut self, population: &'static str, id: Digest32, result: Result<Fact, Vec<Finding>>) -> Fate {
        let fate = match result {
            Ok(fact) => {
                self.facts.push(fact);
                Fate::Accepted
            }
            Err(findings) => {
                self.findings.extend(findings);
                Fate::Rejected
            }
        };
        self.fate(population, id, fate);
        fate
    }

    fn quarantine(&mut self, event: NostrEventId, code: Code, expected: &str, observed: &str) -> Fate {
        self.findings.push(
            Finding::new(code, Subject::new("event", event))
                .with_values(expected, observed)
                .with_evidence(self.evidence, "carrier")
                .with_explanation("a genuine event that carries no artifact of its coordinates; kept, not counted"),
        );
        Fate::Quarantined
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::decode;

    fn findings(media: Media, text: &str) -> (EvidenceId, Vec<Finding>) {
        let policy = TrustPolicy::orangecheck_2026_10();
        let (ring, headers) = (KeyRing::default(), HeaderChain::empty(&policy.headers));
        let bench = Bench { policy: &policy, ring: &ring, headers: &headers, genuine: &Genuine::default() };
        let raw = RawEvidence { media, about: String::new(), bytes: text.as_bytes().to_vec() };
        (raw.id(), bench.judge(raw.id(), &raw, decode(&raw), Good::default()).findings)
    }

    #[test]
    fn a_settlement_waits_for_the_pin_of_its_key_and_never_for_a_signature() {
        let path = format!("{}/fixtures/real/gateway/settlements.jsonl", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let genuine = text.lines().next().unwrap();
        let fates = |text: &str| {
            let policy = TrustPolicy { settlement_keys: BTreeMap::new(), ..TrustPolicy::orangecheck_2026_10() };
            let (ring, headers) = (KeyRing::default(), HeaderChain::empty(&policy.headers));
            let bench = Bench { policy: &policy, ring: &ring, headers: &headers, genuine: &Genuine::default() };
            let raw = RawEvidence { media: Media::Settlement, about: String::new(), bytes: text.as_bytes().to_vec() };
            let judged = bench.judge(raw.id(), &raw, decode(&raw), Good::default());
            let codes: Vec<Code> = judged.findings.iter().map(|finding| finding.code).collect();
            (codes, judged.fates.into_iter().map(|(_, _, fate)| fate).collect::<Vec<_>>())
        };
        assert_eq!(fates(genuine), (vec![Code::SigKeyUnknown], vec![Fate::Pending]));
        let forged = genuine.replace("\"amount_sats\":100000", "\"amount_sats\":100001");
        assert_eq!(fates(&forged), (vec![Code::SigBad], vec![Fate::Rejected]));
    }

    #[test]
    fn what_decoding_finds_in_a_readable_record_names_the_record() {
        let entry = |kind: &str| {
            format!(
                r#"{{"id":1,"kind":"{kind}","module":{{"kind":"mint","id":0}},"ts_usecs":1,"payload":{{"oob_notes":"x"}}}}"#
            )
        };
        let (id, found) = findings(Media::PaymentLogEntry, &entry("payment-send"));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].code, found[0].evidence[0].id), (Code::SrcSecretPresent, id));
        let (_, found) = findings(Media::PaymentLogEntry, &entry("of-tomorrow"));
        let unknown = found.iter().find(|finding| finding.code == Code::SrcUnknownKind).unwrap();
        assert_eq!(unknown.evidence, []);
    }

    #[test]
    fn a_merge_record_that_cannot_be_read_is_no_descriptor() {
        let policy = TrustPolicy::orangecheck_2026_10();
        let (ring, headers) = (KeyRing::default(), HeaderChain::empty(&policy.headers));
        let bench = Bench { policy: &policy, ring: &ring, headers: &headers, genuine: &Genuine::default() };
        for (text, population, fate) in [
            (r#"{"did_oc":"a","merged_from":["b"]}"#, "merges", Fate::Accepted),
            (r#"{"did_oc":"a","merged_from":"b"}"#, "merges", Fate::Quarantined),
            (r#"{"merged_from":["b"]}"#, "merges", Fate::Quarantined),
            (r#"{"did_oc":"a","merged_from":null}"#, "descriptors", Fate::Quarantined),
            ("{", "descriptors", Fate::Quarantined),
        ] {
            let raw = RawEvidence { media: Media::Custody, about: String::new(), bytes: text.as_bytes().to_vec() };
            let judged = bench.judge(raw.id(), &raw, decode(&raw), Good::default());
            assert_eq!(judged.fates, [(population, raw.id().0, fate)], "{text}");
            let named = judged.findings.iter().any(|finding| finding.observed.starts_with("a merge record that"));
            assert_eq!(named, population == "merges" && fate == Fate::Quarantined, "{text}");
        }
    }
}
