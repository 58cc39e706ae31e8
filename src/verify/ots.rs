//! OpenTimestamps proofs: does a block commit to this digest, and which (OTS 2, FORMATS 9.5).
//!
//! A proof is valid for a block when its operations turn the digest into the 32 bytes of that header's Merkle root, in
//! internal byte order. A calendar cannot forge that; it can only withhold.

mod calendar;
mod digest;
mod judge;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

pub use calendar::{
    CalendarRequest, Replies, Settled, allowed_host, graft, open_branches, pending_requests, settle, submitted_at,
    wanted_headers,
};

pub use digest::FileDigest;
pub use tree::messages;

use super::headers::HeaderChain;
use super::{AnchorState, Fate};
use crate::domain::{Code, Digest32, EvidenceId, Finding, TrustPolicy, sha256};
use crate::evidence::OtsMember;
use crate::evidence::ots::{Attestation, FileHash, Op, Proof, Root, Step};

use judge::{About, Topic, Weighed, check_member, weigh};
use walk::{Leaf, Walked, walk};

/// What a proof shows about a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofVerdict {
    /// The digest that it is about: the given one, or that of a detached SHA-256 proof.
    pub subject: Option<Digest32>,
    /// Blocks, missing headers, pending attestations.
    pub state: AnchorState,
    /// What is wrong with it, sorted.
    pub findings: Vec<Finding>,
    /// What became of it.
    pub fate: Fate,
}

/// Judges a proof about `subject`, or about the digest inside it when none is given.
///
/// `member` is the declaration that stands beside the proof in an envelope; `evidence` is what carries the proof.
pub fn judge(
    subject: Option<Digest32>,
    proof: &[u8],
    member: Option<&OtsMember>,
    evidence: EvidenceId,
    headers: &HeaderChain,
    policy: &TrustPolicy,
) -> ProofVerdict {
    let parsed = Proof::parse(proof);
    let embedded = parsed.as_ref().ok().and_then(embedded_digest);
    let digest = subject.or(embedded);
    let about = About { digest, topic: Topic::Proof(proof), evidence };
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(refusal) => {
            return about.refused(Fate::Quarantined, about.unreadable(&refusal));
        }
    };
    let start = match start_of(&parsed, subject, &about) {
        Ok(start) => start,
        Err(finding) => return about.refused(Fate::Rejected, *finding),
    };
    let walked = walk(&parsed, &start).unwrap_or_default();
    let mut weighed = weigh(&walked, &about, headers, policy);
    explain_mismatches(&mut weighed, &parsed, &walked, &about, headers);
    // A refuted or orphaned proof has its own finding; what stands beside it adds nothing.
    if let Some(member) = member.filter(|_| !weighed.is_moot()) {
        let mut findings = check_member(member, &weighed.state, &about);
        weighed.findings.append(&mut findings);
    }
    about.verdict(weighed)
}

/// Adds what another proof showed about the same digest.
pub fn merge(into: &mut AnchorState, from: AnchorState) {
    into.confirmed.extend(from.confirmed);
    into.confirmed.sort();
    into.confirmed.dedup();
    into.header_missing.extend(from.header_missing);
    into.stale.extend(from.stale);
    into.pending.extend(from.pending);
    into.answered.extend(from.answered);
    into.refused.extend(from.refused);
    from.proofs.iter().for_each(|proof| into.proofs.insert(proof));
}

fn embedded_digest(proof: &Proof<'_>) -> Option<Digest32> {
    match proof.root() {
        Root::Detached { hash: FileHash::Sha256, digest } => digest.try_into().ok().map(Digest32),
        Root::Detached { .. } | Root::Bare => None,
    }
}

/// The message that the walk starts from, or why the proof is about something else (FORMATS 9.3).
fn start_of(proof: &Proof<'_>, subject: Option<Digest32>, about: &About<'_>) -> Result<Vec<u8>, Box<Finding>> {
    let refuse = |expected: String, observed: String, explanation: &str| {
        let finding = about.finding(Code::OtsDigest);
        Box::new(finding.with_values(expected, observed).with_explanation(explanation))
    };
    match (proof.root(), subject) {
        (Root::Bare, Some(subject)) => Ok(subject.0.to_vec()),
        (Root::Bare, None) => {
            Err(refuse("a digest".to_owned(), "none".to_owned(), "a bare proof does not say what it is about"))
        }
        (Root::Detached { digest, .. }, None) => Ok(digest.to_vec()),
        (Root::Detached { digest, .. }, Some(subject)) if digest == subject.0 => Ok(digest.to_vec()),
        (Root::Detached { digest, .. }, Some(subject)) => {
            let derived = derivations(subject).into_iter().find(|(other, _)| other.0 == digest);
            let explanation = derived.map_or("the proof is about another digest", |(_, explanation)| explanation);
            Err(refuse(subject.to_hex(), faster_hex::hex_string(digest), explanation))
        }
    }
}

/// Digests that are stamped by mistake in place of the id.
fn derivations(id: Digest32) -> [(Digest32, &'static str); 2] {
    [
        (sha256(&id.0), "the proof is about sha256 of the id, not the id"),
        (sha256(id.to_hex().as_bytes()), "the proof is about the id's hex text, not its bytes"),
    ]
}

/// Gives mismatches of a bare proof their better reason where one can be shown: it may start from something else than the
/// id. A calendar's reply stored alone starts from a commitment (FORMATS 9.4), so its branch hashes at once and meets no
/// commitment later.
fn explain_mismatches(
    weighed: &mut Weighed,
    proof: &Proof<'_>,
    walked: &Walked<'_>,
    about: &About,
    headers: &HeaderChain,
) {
    let mismatches = std::mem::take(&mut weighed.mismatches);
    weighed.refuted = !mismatches.is_empty();
    let reason = match about.digest {
        Some(id) if proof.root() == Root::Bare && !mismatches.is_empty() && weighed.state.confirmed.is_empty() => {
            other_root(proof, id, headers).or_else(|| looks_like_a_reply(proof, &walked.leaves))
        }
        _ => None,
    };
    match reason {
        Some(explanation) => weighed.findings.push(
            about
                .finding(Code::OtsDigest)
                .with_values("a proof that starts at the id", "a proof that is not rooted at the id")
                .with_explanation(explanation),
        ),
        None => weighed.findings.extend(mismatches),
    }
}

/// Walks again from the digests that are stamped by mistake.
fn other_root(proof: &Proof<'_>, id: Digest32, headers: &HeaderChain) -> Option<&'static str> {
    derivations(id).into_iter().find_map(|(start, explanation)| {
        let walked = walk(proof, &start.0)?;
        walked.leaves.iter().any(|leaf| reaches_a_block(leaf, headers)).then_some(explanation)
    })
}

fn reaches_a_block(leaf: &Leaf<'_>, headers: &HeaderChain) -> bool {
    match leaf.attestation {
        Attestation::Bitcoin(height) => headers.at(height).is_some_and(|header| header.root.0 == *leaf.message),
        Attestation::Pending(_) | Attestation::Unknown { .. } => false,
    }
}

fn looks_like_a_reply(proof: &Proof<'_>, leaves: &[Leaf<'_>]) -> Option<&'static str> {
    let hashes_at_once = proof.steps().iter().find(|step| **step != Step::Fork) == Some(&Step::Op(Op::Sha256));
    (hashes_at_once && leaves.iter().all(|leaf| !leaf.through_commitment))
        .then_some("the proof looks like a calendar's reply stored alone: it starts at a commitment, not at the id")
}
