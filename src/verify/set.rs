//! What verification hands on: verified facts in canonical order, anchors, findings, and the fate of every population.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::anchor::AnchorState;
use super::carriers::Carriers;
use crate::domain::{
    AttestationId, BindingId, Code, DescriptorId, Digest32, EnvelopeId, EvidenceId, Finding, KeyId, NostrEventId,
    Packed, Population, PublicKey32, Tip, UnixSeconds, packed_choice, packed_struct,
};
use crate::evidence::{
    AttestationMessage, BalanceLine, BindingMessage, CandidateRule, Changed, Charter, DescriptorForm, InvoiceRecord,
    KeySet, ListedFederation, MergeRecord, OcMeBody, OcMeKind, PaymentLogEntry, ProjectConfig, SettlementEvent,
    StatementClaim,
};
use crate::scratch::{ScratchError, Table};

/// A claim that verification accepted. Only this room can make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    fact: T,
    carriers: Carriers,
}

impl<T> Verified<T> {
    pub(in crate::verify) fn new(fact: T, carrier: EvidenceId) -> Self {
        Self { fact, carriers: carrier.into() }
    }

    pub(in crate::verify) fn add_carrier(&mut self, carrier: EvidenceId) {
        self.carriers.insert(carrier);
    }

    /// For unit tests of the rooms above, which start from verified facts.
    #[cfg(test)]
    pub(crate) fn assumed(fact: T, carrier: EvidenceId) -> Self {
        Self::new(fact, carrier)
    }

    /// As [`Self::assumed`]: it came once more.
    #[cfg(test)]
    pub(crate) fn and_carried_by(mut self, carrier: EvidenceId) -> Self {
        self.add_carrier(carrier);
        self
    }

    pub(in crate::verify) fn fact_mut(&mut self) -> &mut T {
        &mut self.fact
    }

    /// The accepted claim.
    pub fn fact(&self) -> &T {
        &self.fact
    }

    /// The same, by itself.
    pub fn into_fact(self) -> T {
        self.fact
    }

    /// Every piece of evidence that carries it.
    pub fn carriers(&self) -> &Carriers {
        &self.carriers
    }

    /// The carrier with the lowest id: a stable representative.
    pub fn first_carrier(&self) -> EvidenceId {
        self.carriers.first()
    }
}

impl<T: Packed> Packed for Verified<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        self.fact.pack(out);
        self.carriers.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self { fact: T::unpack(from)?, carriers: Carriers::unpack(from)? })
    }
}

/// A content-addressed, signed OC Me artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEnvelope {
    /// sha256 of the signed bytes.
    pub id: EnvelopeId,
    /// Which artifact.
    pub kind: OcMeKind,
    /// The key that signed.
    pub kid: KeyId,
    /// Which rule found the bytes.
    pub rule: CandidateRule,
    /// Fields out of the signed bytes; ledgers share them.
    pub body: Arc<OcMeBody>,
}

packed_struct!(SignedEnvelope { id, kind, kid, rule, body });

/// An attestation whose id, members and BIP-322 signature hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAttestation {
    /// sha256 of the message.
    pub id: AttestationId,
    /// What it says.
    pub message: AttestationMessage,
    /// `bip322` or `legacy`.
    pub scheme: String,
}

/// An attestation that a genuine Nostr event carries and that does not hold itself, or could not be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedAttestation {
    /// The id that its carrier declares; the hash of the message only where `ATT_ID` is no reason.
    pub id: AttestationId,
    /// sha256 of the message: of several messages under one id the one of that hash stands, else the lowest.
    pub digest: Digest32,
    /// What the message says, when it can be read.
    pub message: Option<AttestationMessage>,
    /// Why it does not hold, of all carriers of this message.
    pub reasons: BTreeSet<Code>,
}

/// A binding whose Bitcoin and Nostr signatures hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBinding {
    /// sha256 of the message.
    pub id: BindingId,
    /// What it says.
    pub message: BindingMessage,
}

/// A descriptor whose id is its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownDescriptor {
    /// Its id.
    pub id: DescriptorId,
    /// Form.
    pub form: DescriptorForm,
    /// User address; custody form only.
    pub address: Option<String>,
    /// M.
    pub threshold: u32,
    /// Guardian addresses, sorted.
    pub guardians: Vec<String>,
}

/// A graduation with a quorum of the old descriptor and the user's own signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedGraduation {
    /// Hash of the canonical message under the profile that matched.
    pub id: Digest32,
    /// User address.
    pub address: String,
    /// Descriptor left.
    pub from: DescriptorId,
    /// `single-key` or `federation`.
    pub to: String,
    /// Descriptor entered.
    pub to_federation: Option<DescriptorId>,
    /// Claimed time.
    pub at: UnixSeconds,
    /// `L` or `J`.
    pub profile: &'static str,
    /// What its signed bytes say to be another than before: those of profile `L` say nothing of it.
    pub changed: Vec<Changed>,
}

/// A rotation with a quorum of the old descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedRotation {
    /// Hash of the canonical message under the profile that matched.
    pub id: Digest32,
    /// User address.
    pub address: String,
    /// Descriptor left.
    pub from: DescriptorId,
    /// Descriptor entered.
    pub to: DescriptorId,
    /// Claimed time.
    pub at: UnixSeconds,
    /// `L` or `J`.
    pub profile: &'static str,
}

/// A settlement whose signature by a pinned key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedSettlement {
    /// The event.
    pub event: SettlementEvent,
    /// sha256 of the signed bytes: its identity.
    pub digest: Digest32,
    /// The pinned key.
    pub key: PublicKey32,
    /// A 32-byte preimage that hashes to the payment hash was shown.
    pub preimage_proven: bool,
}

packed_struct!(SignedSettlement { event, digest, key, preimage_proven });

/// A key with the sets it was seen in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// The Ed25519 key.
    pub key: PublicKey32,
    /// True when it stands in an envelope host's set.
    pub envelope: bool,
    /// True when it stands in an auth host's set.
    pub auth: bool,
}

/// What coverage has to know of an event. The same event in other bytes is other evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldEvent {
    /// Its kind.
    pub kind: u16,
    /// When it says that it was made.
    pub at: UnixSeconds,
    /// Its id.
    pub id: NostrEventId,
    /// Where relays keep it (NIP-01): events of one place replace each other; others have a place of their own. Events of one
    /// id are of one place.
    pub place: Digest32,
}

packed_struct!(HeldEvent { kind, at, id, place });

/// Everything that verification established.
#[derive(Debug, Clone, Default)]
pub struct VerifiedSet {
    /// Signed OC Me artifacts, all kinds.
    pub envelopes: Table<EnvelopeId, Verified<SignedEnvelope>>,
    /// Attestations.
    pub attestations: BTreeMap<AttestationId, Verified<SignedAttestation>>,
    /// Attestations that only their carriers' Nostr signatures speak for, by declared id. An id may stand among the
    /// accepted ones too, by a better carrier.
    pub claimed_attestations: BTreeMap<AttestationId, Verified<ClaimedAttestation>>,
    /// Bindings.
    pub bindings: BTreeMap<BindingId, Verified<SignedBinding>>,
    /// Descriptors.
    pub descriptors: BTreeMap<DescriptorId, Verified<KnownDescriptor>>,
    /// Graduations.
    pub graduations: BTreeMap<Digest32, Verified<AcceptedGraduation>>,
    /// Merged accounts: unsigned, by evidence id.
    pub merges: Vec<(EvidenceId, MergeRecord)>,
    /// Rotations.
    pub rotations: BTreeMap<Digest32, Verified<AcceptedRotation>>,
    /// Settlements by sha256 of their signed bytes. Two with one operation id both stand here.
    pub settlements: Table<Digest32, Verified<SignedSettlement>>,
    /// Price configs: unsigned, in order of (project, updated_at, evidence).
    pub configs: Vec<(EvidenceId, ProjectConfig)>,
    /// Invoice records: unsigned, by evidence id.
    pub invoices: Table<EvidenceId, InvoiceRecord>,
    /// Gateway log: unsigned, by evidence id.
    pub payment_log: Table<EvidenceId, PaymentLogEntry>,
    /// Reported balances: unsigned, by (user, evidence).
    pub balances: Vec<(EvidenceId, BalanceLine)>,
    /// What balance statements say about themselves: unsigned, by evidence id.
    pub statements: Vec<(EvidenceId, StatementClaim)>,
    /// What federation directories list: unsigned, by evidence id.
    pub directories: Vec<(EvidenceId, Vec<ListedFederation>)>,
    /// Charters: unsigned, by evidence id.
    pub charters: Vec<(EvidenceId, Charter)>,
    /// Envelope ids whose blank replacement was seen (EVT_BLANKED when the envelope is held), with the carrier.
    pub blanks: BTreeSet<(Digest32, EvidenceId)>,
    /// Anchoring by digest (envelope id, attestation id, or a loose proof's digest).
    pub anchors: Table<Digest32, AnchorState>,
    /// Keys by kid.
    pub keys: BTreeMap<KeyId, KnownKey>,
    /// Every captured key set as published: unsigned, by evidence id.
    pub key_sets: Vec<(EvidenceId, KeySet)>,
    /// The tip of the best header chain from the checkpoint.
    pub tip: Option<Tip>,
    /// Every event whose id and signature hold, by evidence: for coverage. A forged event is nothing that an honest
    /// relay could omit.
    pub events: Table<EvidenceId, HeldEvent>,
    /// Everything that was found wrong so far, sorted; equal findings of several carriers are one with all their evidence.
    pub findings: Vec<Finding>,
    /// Fates; `received` is filled in by the caller from the sightings.
    pub population: Population,
}

impl VerifiedSet {
    /// Fails when what lies beside memory could not be written or read back: to be asked before anything is concluded.
    ///
    /// # Errors
    /// [`ScratchError`].
    pub fn check(&self) -> Result<(), ScratchError> {
        self.envelopes.check()?;
        self.anchors.check()?;
        self.settlements.check()?;
        self.invoices.check()?;
        self.payment_log.check()?;
        self.events.check()
    }
}

packed_choice!(Fate { Accepted, Pending, Rejected, Quarantined });

/// What became of one item of a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Verified and counted or kept.
    Accepted,
    /// Not judged yet: something named is missing.
    Pending,
    /// Judged bad.
    Rejected,
    /// Could not be decoded, or not what the substrate is for.
    Quarantined,
}
