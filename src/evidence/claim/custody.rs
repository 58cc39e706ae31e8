//! Guardian descriptors, graduations and rotations (FORMATS 8), and merged accounts (FORMATS 3.4).

use crate::domain::{DescriptorId, Digest32, UnixSeconds, UserKey};

use super::OtsMember;
use crate::evidence::kept::Changed;

/// A guardian descriptor, graduation, rotation or merge record.
#[derive(Debug, Clone)]
pub enum CustodyClaim {
    /// A descriptor.
    Descriptor(DescriptorClaim),
    /// A graduation.
    Graduation(GraduationClaim),
    /// A rotation.
    Rotation(RotationClaim),
    /// Accounts that became one.
    Merge(MergeRecord),
}

/// What an operator's account data says about merged accounts (FORMATS 3.4). Unsigned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MergeRecord {
    /// The account that is left.
    pub user: UserKey,
    /// The accounts that it took over.
    pub merged_from: Vec<UserKey>,
}

/// Which of the two descriptor forms (FORMATS 8.1, 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DescriptorForm {
    /// `attest-federation-custody`: has an address line, id printed with `fed:`.
    Custody,
    /// `agent-federation`: no address line.
    Agent,
}

/// A descriptor as received; `malformed` says what FORMATS 8.3 forbids about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescriptorClaim {
    /// Form.
    pub form: DescriptorForm,
    /// User address; custody form only.
    pub address: Option<String>,
    /// M.
    pub threshold: u32,
    /// The threshold text, for example `3-of-5`.
    pub threshold_text: String,
    /// Guardian addresses, sorted bytewise.
    pub guardians: Vec<String>,
    /// Declared id, without `fed:`.
    pub declared_id: Option<DescriptorId>,
    /// Canonical lines (LF-joined, no trailing LF): what the id hashes.
    pub canonical: String,
    /// Violations of FORMATS 8.3 found while decoding.
    pub malformed: Vec<String>,
}

/// One signature of a proof list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardianSignature {
    /// Signer's address.
    pub address: String,
    /// BIP-322 signature text.
    pub sig: String,
    /// True for `kind: "self-key"`.
    pub self_key: bool,
}

/// A graduation (FORMATS 8.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraduationClaim {
    /// User address.
    pub address: String,
    /// Descriptor left.
    pub from_federation: DescriptorId,
    /// `single-key` or `federation`.
    pub to: String,
    /// Descriptor entered.
    pub to_federation: Option<DescriptorId>,
    /// Claimed time.
    pub graduated_at: UnixSeconds,
    /// What it says to be another than before: signed only under profile `J`.
    pub changed: Vec<Changed>,
    /// Signatures.
    pub proof: Vec<GuardianSignature>,
    /// Candidate canonical messages: profile `L` then `J`, with their text.
    pub profiles: Vec<(&'static str, String)>,
    /// Declared id.
    pub declared_id: Option<Digest32>,
    /// The `ots` member.
    pub ots: Option<OtsMember>,
}

/// A rotation (FORMATS 8.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationClaim {
    /// User address.
    pub address: String,
    /// Descriptor left; its guardians sign.
    pub from_federation: DescriptorId,
    /// Descriptor entered.
    pub to_federation: DescriptorId,
    /// Claimed time.
    pub rotated_at: UnixSeconds,
    /// Signatures.
    pub proof: Vec<GuardianSignature>,
    /// Candidate canonical messages: profile `L` then `J`, with their text.
    pub profiles: Vec<(&'static str, String)>,
    /// Declared id.
    pub declared_id: Option<Digest32>,
    /// The `ots` member.
    pub ots: Option<OtsMember>,
}
