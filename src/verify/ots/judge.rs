//! Weighs the ends of a proof's branches against known headers.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::ProofVerdict;
use super::calendar::{allowed_host, submitted_at};
use super::walk::Walked;
use crate::domain::{BlockHeight, Code, Digest32, EvidenceId, Finding, MerkleRootHash, Subject, TrustPolicy, sha256};
use crate::evidence::OtsMember;
use crate::evidence::ots::{Attestation, Refusal};
use crate::verify::headers::{HeaderChain, KnownHeader};
use crate::verify::{Anchor, AnchorState, Fate, PendingAnchor, StaleAnchor};

/// What a proof is about: goes into every finding and verdict.
pub(super) struct About<'p> {
    pub(super) digest: Option<Digest32>,
    pub(super) topic: Topic<'p>,
    pub(super) evidence: EvidenceId,
}

/// What a finding's subject is made of, when there is a finding.
pub(super) enum Topic<'p> {
    /// These bytes of a proof, about the digest.
    Proof(&'p [u8]),
    /// Something else, which is named already.
    Named(Subject),
}

impl About<'_> {
    fn subject(&self) -> Subject {
        match &self.topic {
            Topic::Named(subject) => subject.clone(),
            Topic::Proof(proof) => {
                let named = self.digest.map_or_else(|| "unknown".to_owned(), |digest| digest.to_hex());
                Subject::new("digest", named).and("proof", sha256(proof))
            }
        }
    }

    pub(super) fn finding(&self, code: Code) -> Finding {
        Finding::new(code, self.subject()).with_evidence(self.evidence, "proof")
    }

    /// The finding for a proof that parsing refused.
    pub(super) fn unreadable(&self, refusal: &Refusal) -> Finding {
        refusal.finding(self.subject()).with_evidence(self.evidence, "proof")
    }

    fn finding_at(&self, code: Code, height: BlockHeight) -> Finding {
        Finding::new(code, self.subject().and("height", height)).with_evidence(self.evidence, "proof")
    }

    /// The verdict on a proof that shows nothing.
    pub(super) fn refused(&self, fate: Fate, finding: Finding) -> ProofVerdict {
        let weighed = Weighed { findings: vec![finding], refuted: true, ..Weighed::default() };
        ProofVerdict { fate, ..self.verdict(weighed) }
    }

    /// One verified attestation is enough; what else the proof names keeps it pending; the rest is refused.
    pub(super) fn verdict(&self, mut weighed: Weighed) -> ProofVerdict {
        weighed.refuted |= !weighed.mismatches.is_empty();
        weighed.findings.append(&mut weighed.mismatches);
        let state = &mut weighed.state;
        let fate = if !state.confirmed.is_empty() {
            Fate::Accepted
        } else if !state.pending.is_empty() || !state.header_missing.is_empty() || !state.stale.is_empty() {
            Fate::Pending
        } else if weighed.refuted {
            Fate::Rejected
        } else {
            weighed.findings.push(
                self.finding(Code::Unverifiable)
                    .with_values("an attestation by Bitcoin or by a calendar", "none")
                    .with_explanation("no attestation of the proof can be checked"),
            );
            Fate::Quarantined
        };
        state.proofs.insert(self.evidence);
        if matches!(fate, Fate::Rejected | Fate::Quarantined) {
            state.refused.insert(self.evidence);
        }
        weighed.findings.sort();
        weighed.findings.dedup();
        ProofVerdict { subject: self.digest, state: weighed.state, findings: weighed.findings, fate }
    }
}

/// What the branches of a proof amount to.
#[derive(Default)]
pub(super) struct Weighed {
    pub(super) state: AnchorState,
    pub(super) findings: Vec<Finding>,
    /// Messages that are not the root of the block they name. Apart, because the caller may know a better reason.
    pub(super) mismatches: Vec<Finding>,
    /// The proof is wrong about something.
    pub(super) refuted: bool,
}

/// Judges every branch's end.
pub(super) fn weigh(walked: &Walked<'_>, about: &About<'_>, headers: &HeaderChain, policy: &TrustPolicy) -> Weighed {
    let mut weighed = Weighed::default();
    let mut leading = Vec::new();
    for leaf in &walked.leaves {
        match leaf.attestation {
            Attestation::Bitcoin(height) => {
                if weighed.bitcoin(height, &leaf.message, about, headers) {
                    leading.push(leaf);
                }
            }
            Attestation::Pending(uri) => weighed.pending(uri, &leaf.message, about, policy),
            Attestation::Unknown { .. } => {}
        }
    }
    if !weighed.state.pending.is_empty() {
        let on_way = walked.ways_to(leading.into_iter());
        let pending = |attestation| matches!(attestation, Attestation::Pending(_));
        let answered = walked.leaves.iter().filter(|leaf| pending(leaf.attestation) && on_way[leaf.place]);
        weighed.state.answered = answered.map(|leaf| leaf.message.as_slice().into()).collect();
    }
    weighed.state.confirmed.sort();
    weighed.state.confirmed.dedup();
    weighed
}

impl Weighed {
    /// Nothing holds, and the reason is found already.
    pub(super) fn is_moot(&self) -> bool {
        self.state.confirmed.is_empty() && (!self.state.stale.is_empty() || self.refuted)
    }

    /// True unless the attestation leads nowhere: a block that is not the one named, or is no longer in the chain.
    fn bitcoin(&mut self, height: BlockHeight, message: &[u8], about: &About<'_>, headers: &HeaderChain) -> bool {
        // Internal byte order only: the reversed order is what people read, not what a block commits to (FORMATS 9.5).
        let root = <[u8; 32]>::try_from(message).ok().map(MerkleRootHash);
        let known = headers.at(height);
        if let Some(header) = known.filter(|header| Some(header.root) == root) {
            self.state.confirmed.push(anchor(&header, about.evidence, headers));
            return true;
        } else if let Some(stale) = root.and_then(|root| headers.stale_at(height, root)) {
            self.state.stale.insert(StaleAnchor { height, hash: stale.hash, proof: about.evidence });
            self.findings.push(
                about
                    .finding_at(Code::HdrReorg, height)
                    .with_values(known.map_or_else(String::new, |best| best.hash.to_string()), stale.hash)
                    .with_evidence(stale.evidence, "header")
                    .with_explanation("the anchoring block is not on the most-work chain"),
            );
        } else if let Some(header) = known {
            self.mismatches.push(mismatch(&header, root, message.len(), about));
        } else {
            self.state.header_missing.insert(height);
            self.findings.push(
                about
                    .finding_at(Code::OtsHeaderMissing, height)
                    .with_values("a header at that height", "none")
                    .with_explanation("the anchor is not established: no known header answers for its height"),
            );
            return true;
        }
        false
    }

    fn pending(&mut self, uri: &str, message: &[u8], about: &About<'_>, policy: &TrustPolicy) {
        if allowed_host(uri, policy).is_none() {
            let subject = about.subject().and("calendar", uri);
            self.findings.push(
                Finding::new(Code::OtsCalendar, subject)
                    .with_values("a calendar of the allow-list", uri)
                    .with_evidence(about.evidence, "proof")
                    .with_explanation("the calendar is not contacted"),
            );
        }
        self.state.pending.insert(PendingAnchor {
            uri: uri.into(),
            commitment: message.into(),
            submitted_at: submitted_at(message),
            proof: about.evidence,
        });
    }
}

fn anchor(header: &KnownHeader, proof: EvidenceId, headers: &HeaderChain) -> Anchor {
    Anchor {
        height: header.height,
        time: header.time,
        hash: header.hash,
        trust: header.trust,
        is_final: headers.is_final(header.height),
        proof,
    }
}

fn mismatch(header: &KnownHeader, root: Option<MerkleRootHash>, len: usize, about: &About<'_>) -> Finding {
    let observed = root.map_or_else(|| format!("a message of {len} bytes"), |root| root.to_string());
    let reversed = root.is_some_and(|mut root| {
        root.0.reverse();
        root == header.root
    });
    let explanation = if reversed {
        "only the byte-reversed message is the block's Merkle root"
    } else {
        "the proof does not lead to the block's Merkle root"
    };
    about
        .finding_at(Code::OtsRoot, header.height)
        .with_values(header.root, observed)
        .with_evidence(header.evidence, "header")
        .with_explanation(explanation)
}

/// What an `ots` member declares beside its proof (FORMATS 9.2, 9.5): never believed, only compared.
pub(super) fn check_member(member: &OtsMember, state: &AnchorState, about: &About<'_>) -> Vec<Finding> {
    let confirmed = || state.confirmed.iter().map(|anchor| anchor.height);
    let named = || confirmed().chain(state.header_missing.iter().copied());
    let names_none = named().next().is_none();
    let claim = |what: &str, expected: String, observed: String| {
        let subject = about.subject().and("member", what);
        Finding::new(Code::OtsClaim, subject)
            .with_values(expected, observed)
            .with_evidence(about.evidence, "proof")
            .with_explanation(format!("the declared {what} is not what the proof shows"))
    };
    let mut findings = Vec::new();
    match member.status.as_str() {
        "confirmed" if names_none => {
            findings.push(claim("status", "pending".to_owned(), member.status.clone()));
        }
        "pending" if !state.confirmed.is_empty() => {
            findings.push(claim("status", "confirmed".to_owned(), member.status.clone()));
        }
        _ => {}
    }
    let heights = || shown(named());
    match member.block_height {
        Some(height) if named().all(|named| named != height) => {
            findings.push(claim("block_height", heights(), height.to_string()));
        }
        None if member.status == "confirmed" && !names_none => {
            findings.push(claim("block_height", heights(), "null".to_owned()));
        }
        _ => {}
    }
    if let Some(hash) = member.block_hash {
        let declared = |anchor: &&Anchor| member.block_height.is_none_or(|height| height == anchor.height);
        let hashes = || state.confirmed.iter().filter(declared).map(|anchor| anchor.hash);
        if hashes().next().is_some() && hashes().all(|confirmed| confirmed != hash) {
            findings.push(claim("block_hash", shown(hashes()), hash.to_string()));
        }
    }
    findings
}

/// Distinct values in order.
fn shown<T: Ord + Display>(values: impl Iterator<Item = T>) -> String {
    values.collect::<BTreeSet<_>>().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
