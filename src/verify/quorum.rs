//! Counting guardian signatures: the custody rule and the stricter agent rule (FORMATS 8.3). Pure: whether a signature
//! holds was decided before.

use std::collections::BTreeSet;

use crate::domain::{DescriptorId, sha256};
use crate::evidence::DescriptorClaim;

/// One listed signature: who is said to have signed, and whether the signature holds for that address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote<'a> {
    /// The signer's address.
    pub signer: &'a str,
    /// Whether it holds.
    pub valid: bool,
}

/// What a list of votes amounts to under the custody rule: a guardian counts once, an outsider never, order is free.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuorumCount {
    /// Guardians with at least one valid signature.
    pub valid: BTreeSet<String>,
    /// Guardians whose every listed signature fails.
    pub failed: BTreeSet<String>,
    /// Signers who are no guardians.
    pub outsiders: BTreeSet<String>,
    /// Guardians who are listed more than once.
    pub repeated: BTreeSet<String>,
}

impl QuorumCount {
    /// True with at least `threshold` distinct valid guardians.
    pub fn reaches(&self, threshold: u32) -> bool {
        u64::try_from(self.valid.len()).is_ok_and(|valid| valid >= u64::from(threshold))
    }
}

/// Counts votes under the custody rule.
pub fn count_custody(guardians: &[String], votes: &[Vote<'_>]) -> QuorumCount {
    let mut count = QuorumCount::default();
    let mut seen = BTreeSet::new();
    for vote in votes {
        if !guardians.iter().any(|guardian| guardian == vote.signer) {
            count.outsiders.insert(vote.signer.to_owned());
            continue;
        }
        if !seen.insert(vote.signer) {
            count.repeated.insert(vote.signer.to_owned());
        }
        if vote.valid {
            count.valid.insert(vote.signer.to_owned());
        } else {
            count.failed.insert(vote.signer.to_owned());
        }
    }
    count.failed.retain(|guardian| !count.valid.contains(guardian));
    count
}

/// The user's own signature on a graduation (FORMATS 8.4). It never counts towards M.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelfKey {
    /// The envelope needs none.
    NotNeeded,
    /// Needed and not there.
    Absent,
    /// There, and it fails.
    Bad,
    /// There, and it holds.
    Good,
}

/// The custody rule's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CustodyVerdict {
    /// Enough, and nothing to remark.
    Valid,
    /// Enough, beside signatures of outsiders or signatures that fail.
    ValidWithNote,
    /// Fewer than M distinct valid guardians.
    BelowThreshold,
    /// Enough guardians, no self-key signature.
    SelfKeyMissing,
    /// Enough guardians, and a self-key signature that fails.
    SelfKeyBad,
}

/// Judges a count; the guardians are asked before the user.
pub fn judge_custody(count: &QuorumCount, threshold: u32, self_key: SelfKey) -> CustodyVerdict {
    if !count.reaches(threshold) {
        return CustodyVerdict::BelowThreshold;
    }
    match self_key {
        SelfKey::Absent => CustodyVerdict::SelfKeyMissing,
        SelfKey::Bad => CustodyVerdict::SelfKeyBad,
        SelfKey::NotNeeded | SelfKey::Good if count.outsiders.is_empty() && count.failed.is_empty() => {
            CustodyVerdict::Valid
        }
        SelfKey::NotNeeded | SelfKey::Good => CustodyVerdict::ValidWithNote,
    }
}

/// Why the agent rule refuses. The rule: every listed signature by a guardian, once, valid, and at least M of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AgentRefusal {
    /// The descriptor is malformed.
    Malformed,
    /// The descriptor does not hash to the declared id.
    Descriptor,
    /// The signature block names another threshold than the descriptor.
    ThresholdMismatch,
    /// Fewer signatures than M.
    ThresholdNotMet,
    /// A signer is no guardian.
    UnknownGuardian,
    /// A guardian stands twice.
    DuplicateGuardian,
    /// A signature fails.
    BadSignature,
}

impl AgentRefusal {
    /// The name in the reference code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "E_MALFORMED",
            Self::Descriptor => "E_BAD_FEDERATION_DESCRIPTOR",
            Self::ThresholdMismatch => "E_THRESHOLD_MISMATCH",
            Self::ThresholdNotMet => "E_THRESHOLD_NOT_MET",
            Self::UnknownGuardian => "E_UNKNOWN_GUARDIAN",
            Self::DuplicateGuardian => "E_DUPLICATE_GUARDIAN",
            Self::BadSignature => "E_BAD_SIG",
        }
    }

    /// The name in the protocol's test vectors, where those name the case.
    pub const fn vector_code(self) -> Option<&'static str> {
        match self {
            Self::Descriptor => Some("E_FEDERATION_DESCRIPTOR_MISMATCH"),
            Self::ThresholdMismatch => Some("E_FEDERATION_THRESHOLD_MISMATCH"),
            Self::ThresholdNotMet => Some("E_FEDERATION_BELOW_THRESHOLD"),
            Self::UnknownGuardian => Some("E_FEDERATION_UNKNOWN_GUARDIAN"),
            Self::DuplicateGuardian => Some("E_FEDERATION_DUPLICATE_GUARDIAN"),
            Self::Malformed | Self::BadSignature => None,
        }
    }
}

/// Counts votes under the agent rule; checks in the order of the table in FORMATS 8.3.
///
/// # Errors
/// The first [`AgentRefusal`] that applies.
pub fn judge_agent(guardians: &[String], threshold: u32, votes: &[Vote<'_>]) -> Result<(), AgentRefusal> {
    if !u64::try_from(votes.len()).is_ok_and(|listed| listed >= u64::from(threshold)) {
        return Err(AgentRefusal::ThresholdNotMet);
    }
    let count = count_custody(guardians, votes);
    if !count.outsiders.is_empty() {
        return Err(AgentRefusal::UnknownGuardian);
    }
    if !count.repeated.is_empty() {
        return Err(AgentRefusal::DuplicateGuardian);
    }
    if count.failed.is_empty() { Ok(()) } else { Err(AgentRefusal::BadSignature) }
}

/// As [`judge_agent`], for a principal that carries its descriptor inline.
///
/// # Errors
/// The first [`AgentRefusal`] that applies.
pub fn judge_agent_principal(
    descriptor: &DescriptorClaim,
    declared: DescriptorId,
    signed_threshold: &str,
    votes: &[Vote<'_>],
) -> Result<(), AgentRefusal> {
    if !descriptor.malformed.is_empty() {
        return Err(AgentRefusal::Malformed);
    }
    if sha256(descriptor.canonical.as_bytes()) != declared.0 {
        return Err(AgentRefusal::Descriptor);
    }
    if signed_threshold != descriptor.threshold_text {
        return Err(AgentRefusal::ThresholdMismatch);
    }
    judge_agent(&descriptor.guardians, descriptor.threshold, votes)
}
