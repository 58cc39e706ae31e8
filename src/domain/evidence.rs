//! One piece of raw evidence: foreign bytes, what they claim to be, and their content address.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use super::coverage::SourceId;
use super::digest::TaggedHasher;
use super::id::EvidenceId;

/// What kind of bytes these are. The name is part of the content address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Media {
    /// One NIP-01 event as JSON text.
    NostrEvent,
    /// One OpenTimestamps proof, detached or bare. `about`: the hex digest its file name claims, or empty.
    OtsProof,
    /// A calendar's answer to `GET /timestamp/<commitment>`. `about`: `host/commitment-hex`.
    CalendarReply,
    /// Consecutive 80-byte Bitcoin headers. `about`: decimal start height, or empty when unknown.
    Headers,
    /// One signed settlement as JSON text (FORMATS 6.1).
    Settlement,
    /// One entry of a gateway's payment log as JSON text (TREASURY 1.3). `about`: federation id or empty.
    PaymentLogEntry,
    /// One Lightning invoice record as JSON text (TREASURY 3).
    Invoice,
    /// A JSON Web Key Set of the envelope host. `about`: the host it was fetched from, or empty.
    Jwks,
    /// A JSON Web Key Set of the auth host: its keys do not sign envelopes.
    AuthJwks,
    /// An integrator price config (`oc-config.json`). `about`: the host it was fetched from, or empty.
    ProjectConfig,
    /// One guardian descriptor, graduation or rotation as JSON text (FORMATS 8).
    Custody,
    /// One activity attestation bundle as JSON text (FORMATS 3.8).
    Activity,
    /// One line of a reported balance statement as JSON text.
    Balance,
    /// One signed checkpoint as JSON text (docs/checkpoint.md).
    Checkpoint,
    /// What was read of one snapshot archive: its outline as JSON text (docs/snapshot.md, section 5).
    Snapshot,
    /// The operator's list of federations. `about`: the host it was fetched from, or empty.
    FederationDirectory,
    /// A federation's charter: its canonical text, or the operator's reply about it. `about`: the host, or empty.
    Charter,
}

impl Media {
    /// Every media, in canonical order.
    pub const ALL: [Self; 17] = [
        Self::NostrEvent,
        Self::OtsProof,
        Self::CalendarReply,
        Self::Headers,
        Self::Settlement,
        Self::PaymentLogEntry,
        Self::Invoice,
        Self::Jwks,
        Self::AuthJwks,
        Self::ProjectConfig,
        Self::Custody,
        Self::Activity,
        Self::Balance,
        Self::Checkpoint,
        Self::Snapshot,
        Self::FederationDirectory,
        Self::Charter,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NostrEvent => "nostr-event",
            Self::OtsProof => "ots-proof",
            Self::CalendarReply => "calendar-reply",
            Self::Headers => "bitcoin-headers",
            Self::Settlement => "settlement",
            Self::PaymentLogEntry => "payment-log-entry",
            Self::Invoice => "invoice",
            Self::Jwks => "jwks",
            Self::AuthJwks => "auth-jwks",
            Self::ProjectConfig => "project-config",
            Self::Custody => "custody",
            Self::Activity => "activity",
            Self::Balance => "balance",
            Self::Checkpoint => "checkpoint",
            Self::Snapshot => "snapshot",
            Self::FederationDirectory => "federation-directory",
            Self::Charter => "charter",
        }
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Media {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|media| media.name() == text).ok_or(())
    }
}

/// Foreign bytes with what their carrier says about them. Nothing here is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvidence {
    /// What the bytes are said to be.
    pub media: Media,
    /// What the bytes are said to be about; meaning by media, often empty.
    pub about: String,
    /// The bytes exactly as received.
    pub bytes: Vec<u8>,
}

impl RawEvidence {
    /// The content address: `TaggedHasher("reledger/evidence/1")` over media name, `about`, bytes.
    pub fn id(&self) -> EvidenceId {
        Self::id_of(self.media, &self.about, &self.bytes)
    }

    /// The content address of parts that are not yet owned together.
    pub fn id_of(media: Media, about: &str, bytes: &[u8]) -> EvidenceId {
        let mut hasher = TaggedHasher::new("reledger/evidence/1");
        hasher.field(media.name().as_bytes()).field(about.as_bytes()).field(bytes);
        EvidenceId(hasher.finish())
    }
}

/// Evidence with its content address, which was computed here: whoever holds one need not hash the bytes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    id: EvidenceId,
    evidence: RawEvidence,
}

impl Addressed {
    /// The content address.
    pub const fn id(&self) -> EvidenceId {
        self.id
    }

    /// Gives up the address.
    pub fn into_evidence(self) -> RawEvidence {
        self.evidence
    }
}

impl Deref for Addressed {
    type Target = RawEvidence;

    fn deref(&self) -> &RawEvidence {
        &self.evidence
    }
}

impl From<RawEvidence> for Addressed {
    fn from(evidence: RawEvidence) -> Self {
        Self { id: evidence.id(), evidence }
    }
}

/// Where one piece of evidence was seen. A side table: never part of an id, a ledger or an ordering.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Sighting {
    /// The evidence.
    pub evidence: EvidenceId,
    /// The source that gave it.
    pub source: SourceId,
    /// Where in the source: a file name and byte offset, a page; for people, not for judging.
    pub place: String,
    /// Byte offset in that place; 0 when it has none.
    pub offset: u64,
}
