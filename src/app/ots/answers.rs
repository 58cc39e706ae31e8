//! Calendar replies at hand, and what they add to a proof.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{EvidenceId, Media, RawEvidence, TrustPolicy};
use crate::evidence::OtsClaim;
use crate::evidence::ots::{Attestation, Proof, Tree};
use crate::evidence::{Claim, Decoded, decode};
use crate::verify::headers::HeaderChain;
use crate::verify::ots::{Replies, allowed_host, graft, messages};
use crate::verify::{Fate, PendingAnchor};

/// Redirects followed behind one pending attestation (OTS 8).
const REDIRECTS_MAX: usize = 2;

/// How much a reply must show before it is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Useful {
    /// It leads to a block whose header is not at hand.
    Unverified,
    /// It leads to a known block.
    Verified,
}

/// Replies by the commitment that they answer.
#[derive(Debug, Default)]
pub(super) struct Answers(BTreeMap<Vec<u8>, BTreeMap<EvidenceId, OtsClaim>>);

impl Answers {
    /// Takes a calendar's reply; what is none is dropped.
    pub(super) fn take(&mut self, evidence: &RawEvidence) {
        if evidence.media != Media::CalendarReply {
            return;
        }
        if let Decoded::Claim(claim, _) = decode(evidence)
            && let Claim::Ots(reply) = *claim
            && let Some(commitment) = reply.commitment.clone()
        {
            self.0.entry(commitment).or_default().insert(evidence.id(), reply);
        }
    }

    /// The replies as the verifier takes them: made once for many proofs.
    pub(super) fn replies(&self) -> Replies<'_> {
        Replies::new(self.0.values().flatten().map(|(id, reply)| (*id, reply)))
    }

    /// The proof with every useful reply merged in, in the reference's order; `None` when there is none.
    pub(super) fn grown(
        &self,
        proof: &Proof<'_>,
        start: &[u8],
        least: Useful,
        chain: &HeaderChain,
        policy: &TrustPolicy,
    ) -> Option<Vec<u8>> {
        let mut tree = Tree::of(proof);
        let mut merged = BTreeSet::new();
        // A redirect brings one more pending attestation, which the next round answers.
        for _ in 0..=REDIRECTS_MAX {
            let before = merged.len();
            for (at, message) in messages(&tree, start).into_iter().enumerate() {
                for reply in self.useful(&tree, at, &message, least, chain, policy) {
                    if let Ok(parsed) = Proof::parse_reply(&reply.proof, message.len())
                        && merged.insert((message.clone(), reply.proof.as_slice()))
                    {
                        tree.graft(at, &Tree::of(&parsed));
                    }
                }
            }
            if merged.len() == before {
                break;
            }
        }
        (!merged.is_empty()).then(|| tree.to_bytes())
    }

    /// Replies to the pending attestations of one message.
    fn useful<'a>(
        &'a self,
        tree: &Tree<'_>,
        at: usize,
        message: &[u8],
        least: Useful,
        chain: &HeaderChain,
        policy: &TrustPolicy,
    ) -> Vec<&'a OtsClaim> {
        let waits = tree.nodes()[at].attestations().filter_map(|attestation| match attestation {
            Attestation::Pending(uri) if allowed_host(uri, policy).is_some() => Some(Arc::from(uri)),
            _ => None,
        });
        let Some(uri) = waits.into_iter().next() else { return Vec::new() };
        let pending = PendingAnchor { uri, commitment: message.into(), submitted_at: None, proof: NOBODY };
        let replies = self.0.get(message).into_iter().flatten();
        let good = replies.filter(|(id, reply)| self.shows(&pending, **id, reply, chain, policy, 0) >= Some(least));
        good.map(|(_, reply)| reply).collect()
    }

    /// What a reply, or the answer to its redirect, leads to. Recursion is bounded by `REDIRECTS_MAX`.
    fn shows(
        &self,
        pending: &PendingAnchor,
        id: EvidenceId,
        reply: &OtsClaim,
        chain: &HeaderChain,
        policy: &TrustPolicy,
        depth: usize,
    ) -> Option<Useful> {
        let verdict = graft(pending, reply, id, chain, policy);
        if verdict.fate == Fate::Accepted {
            return Some(Useful::Verified);
        }
        let own =
            (verdict.fate == Fate::Pending && !verdict.state.header_missing.is_empty()).then_some(Useful::Unverified);
        if depth >= REDIRECTS_MAX || verdict.fate != Fate::Pending {
            return own;
        }
        let listed = verdict.state.pending.iter().filter(|next| allowed_host(&next.uri, policy).is_some());
        let behind = listed.flat_map(|next| {
            let replies = self.0.get(&*next.commitment).into_iter().flatten();
            replies.filter_map(|(id, reply)| self.shows(next, *id, reply, chain, policy, depth + 1))
        });
        behind.chain(own).max()
    }
}

/// Replies in files have no carrier.
const NOBODY: EvidenceId = EvidenceId(crate::domain::Digest32([0; 32]));
