//! Calendars: which may be asked, for what, and how their replies continue a pending proof (OTS 2.3, 8).

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{About, Topic, weigh};
use super::walk::{is_commitment, walk};
use super::{ProofVerdict, merge};
use crate::domain::{BlockHeight, Code, EvidenceId, Finding, Subject, TrustPolicy, UnixSeconds, sha256};
use crate::evidence::OtsClaim;
use crate::evidence::ots::Proof;
use crate::verify::headers::HeaderChain;
use crate::verify::{AnchorState, Fate, PendingAnchor, VerifiedSet};

/// Redirects followed behind one pending attestation: a calendar that answers with another calendar (OTS 8).
const REDIRECTS_MAX: usize = 2;

/// A question to an allow-listed calendar: `GET https://<host>/timestamp/<commitment in hex>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CalendarRequest {
    /// Host from the policy's list.
    pub host: String,
    /// The message at the pending attestation.
    pub commitment: Vec<u8>,
}

/// Everything that allow-listed calendars can be asked: every pending branch that no proof of its digest continues, also
/// beside a block that is known already. A second calendar is a second witness, and its block may be the earlier one.
pub fn pending_requests(set: &VerifiedSet, policy: &TrustPolicy) -> BTreeSet<CalendarRequest> {
    let open = |state: AnchorState| -> Vec<CalendarRequest> {
        open_branches(&state)
            .filter_map(|pending| {
                let host = allowed_host(&pending.uri, policy)?;
                Some(CalendarRequest { host, commitment: pending.commitment.to_vec() })
            })
            .collect()
    };
    set.anchors.values().flat_map(open).collect()
}

/// Pending attestations that no proof of their digest continues.
pub fn open_branches(state: &AnchorState) -> impl Iterator<Item = &PendingAnchor> {
    state.pending.iter().filter(|pending| !state.answered.contains(&pending.commitment))
}

/// Heights that proofs name and no known header answers for.
pub fn wanted_headers(set: &VerifiedSet) -> BTreeSet<BlockHeight> {
    set.anchors.values().flat_map(|state| state.header_missing).collect()
}

/// The host of a calendar address when the policy lists it, as the list spells it.
///
/// The address is `https://host` or `https://host/`: no user, port, path or bare IP address. The reference's pattern on the
/// whole authority accepts `evil.com:80.calendar...` (OTS 2.3). A calendar on this machine is `http://` and has a port.
pub fn allowed_host(uri: &str, policy: &TrustPolicy) -> Option<String> {
    let (scheme, rest) = uri.split_once("://")?;
    let host = rest.strip_suffix('/').unwrap_or(rest).to_ascii_lowercase();
    let fits = match scheme {
        "https" => is_name(&host),
        "http" => is_loopback(&host),
        _ => false,
    };
    (fits && policy.calendars.contains(&host)).then_some(host)
}

fn is_name(host: &str) -> bool {
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let last = host.rsplit('.').next().unwrap_or_default();
    host.split('.').all(is_label) && last.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn is_loopback(authority: &str) -> bool {
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    matches!(host, "127.0.0.1" | "localhost") && port.parse::<u16>().is_ok_and(|number| number.to_string() == port)
}

/// The time that a calendar wrote before the digest it committed to; `None` for a message of another shape.
pub fn submitted_at(commitment: &[u8]) -> Option<UnixSeconds> {
    let time = commitment.first_chunk::<4>().filter(|_| is_commitment(commitment))?;
    Some(UnixSeconds(u32::from_be_bytes(*time).into()))
}

/// Continues a pending attestation with a calendar's reply.
///
/// Accepted only when the reply, walked from the commitment, reaches a known block; pending when it names an unknown height
/// or redirects to another calendar. The verdict's state holds what the reply adds and nothing of the pending proof.
pub fn graft(
    pending: &PendingAnchor,
    reply: &OtsClaim,
    evidence: EvidenceId,
    headers: &HeaderChain,
    policy: &TrustPolicy,
) -> ProofVerdict {
    let subject =
        Subject::new("commitment", faster_hex::hex_string(&pending.commitment)).and("proof", sha256(&reply.proof));
    let about = About { digest: None, topic: Topic::Named(subject), evidence };
    if reply.commitment.as_deref() != Some(&*pending.commitment) {
        let asked = reply.commitment.as_deref().map_or_else(String::new, faster_hex::hex_string);
        let finding = about
            .finding(Code::OtsDigest)
            .with_values(faster_hex::hex_string(&pending.commitment), asked)
            .with_explanation("the reply answers for another commitment");
        return about.refused(Fate::Rejected, finding);
    }
    let proof = match Proof::parse_reply(&reply.proof, pending.commitment.len()) {
        Ok(proof) => proof,
        Err(refusal) => return about.refused(Fate::Quarantined, about.unreadable(&refusal)),
    };
    let walked = walk(&proof, &pending.commitment).unwrap_or_default();
    let mut weighed = weigh(&walked, &about, headers, policy);
    // A reply that repeats the question leads nowhere.
    weighed.state.pending.retain(|next| (&next.uri, &next.commitment) != (&pending.uri, &pending.commitment));
    about.verdict(weighed)
}

/// Calendar replies by the commitment that they start from.
#[derive(Debug, Clone, Default)]
pub struct Replies<'a>(BTreeMap<&'a [u8], BTreeMap<EvidenceId, &'a OtsClaim>>);

impl<'a> Replies<'a> {
    /// Takes the replies among the claims; proofs are passed over.
    pub fn new(claims: impl IntoIterator<Item = (EvidenceId, &'a OtsClaim)>) -> Self {
        let mut replies = Self::default();
        for (evidence, claim) in claims {
            if let Some(commitment) = &claim.commitment {
                replies.0.entry(commitment).or_default().insert(evidence, claim);
            }
        }
        replies
    }

    fn answer(&self, pending: &PendingAnchor) -> bool {
        self.0.contains_key(&*pending.commitment)
    }

    fn to(&self, pending: &PendingAnchor) -> impl Iterator<Item = (EvidenceId, &'a OtsClaim)> {
        self.0.get(&*pending.commitment).into_iter().flatten().map(|(evidence, reply)| (*evidence, *reply))
    }
}

/// What became of the replies that answered one digest's pending attestations.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// What is wrong with them.
    pub findings: Vec<Finding>,
    /// Fate of each reply that answered.
    pub fates: BTreeMap<EvidenceId, Fate>,
    /// Carriers of the pending proofs that a reply, or the answer to its redirect, leads to a known block.
    pub completed: BTreeSet<EvidenceId>,
}

/// Grafts every reply that answers a pending attestation of the state, and the answers to their redirects.
///
/// An answered pending attestation leaves the state; one whose replies are all refused stays.
pub fn settle(state: &mut AnchorState, replies: &Replies<'_>, headers: &HeaderChain, policy: &TrustPolicy) -> Settled {
    let mut settled = Settled::default();
    let mut open: Vec<(EvidenceId, PendingAnchor)> = (state.pending.iter().filter(|pending| replies.answer(pending)))
        .map(|pending| (pending.proof, pending.clone()))
        .collect();
    for depth in 0..=REDIRECTS_MAX {
        let mut redirected = Vec::new();
        for (carrier, pending) in open {
            for (evidence, reply) in replies.to(&pending) {
                let mut verdict = graft(&pending, reply, evidence, headers, policy);
                if depth == REDIRECTS_MAX {
                    refuse_redirect(&mut verdict, &pending, evidence);
                }
                settled.findings.append(&mut verdict.findings);
                let best = settled.fates.entry(evidence).or_insert(verdict.fate);
                *best = verdict.fate.min(*best);
                if matches!(verdict.fate, Fate::Accepted | Fate::Pending) {
                    state.pending.remove(&pending);
                    redirected.extend(verdict.state.pending.iter().map(|next| (carrier, next.clone())));
                }
                if verdict.fate == Fate::Accepted {
                    settled.completed.insert(carrier);
                }
                merge(state, verdict.state);
            }
        }
        open = redirected;
    }
    settled.findings.sort();
    settled.findings.dedup();
    settled
}

/// The last reply that is followed must not point to yet another calendar.
fn refuse_redirect(verdict: &mut ProofVerdict, pending: &PendingAnchor, evidence: EvidenceId) {
    if verdict.state.pending.is_empty() {
        return;
    }
    verdict.state.pending.clear();
    let subject = Subject::new("commitment", faster_hex::hex_string(&pending.commitment)).and("reply", evidence);
    verdict.findings.push(
        Finding::new(Code::OtsLimit, subject)
            .with_values(format!("at most {REDIRECTS_MAX} redirects"), "one more")
            .with_evidence(evidence, "proof")
            .with_explanation("calendars point to each other; the last reply is not followed"),
    );
    if verdict.fate == Fate::Pending && verdict.state.header_missing.is_empty() {
        verdict.fate = Fate::Rejected;
        verdict.state.refused.insert(evidence);
    }
}
