//! A NIP-01 event and what its coordinates and content say it carries.

use std::ops::Range;

use crate::domain::{Digest32, NostrEventId, PublicKey32, UnixSeconds};

use super::{AttestationClaim, BindingClaim, CustodyClaim, EnvelopeCarrier};

/// A NIP-01 event, fields as received, hex checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NostrEvent {
    /// The declared id.
    pub id: NostrEventId,
    /// x-only public key.
    pub pubkey: PublicKey32,
    /// Claimed time.
    pub created_at: UnixSeconds,
    /// Kind number.
    pub kind: u16,
    /// Tags.
    pub tags: Vec<Vec<String>>,
    /// Content after unescaping.
    pub content: String,
    /// BIP-340 signature.
    pub sig: [u8; 64],
}

/// An event's signature and what it is about. Whether the id is that of the event is another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSignature {
    /// The id as declared.
    pub id: NostrEventId,
    /// The author.
    pub pubkey: PublicKey32,
    /// BIP-340, by the author over the id.
    pub sig: [u8; 64],
}

impl NostrEvent {
    /// The signature alone.
    pub fn signature(&self) -> EventSignature {
        EventSignature { id: self.id, pubkey: self.pubkey, sig: self.sig }
    }

    /// The value of the first tag of that name.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|tag| tag.first().is_some_and(|first| first == name))?.get(1).map(String::as_str)
    }
}

/// An event with what it is said to carry.
#[derive(Debug, Clone)]
pub struct NostrCarrier {
    /// The event.
    pub event: NostrEvent,
    /// Where its content stands in the evidence, between its quotes; `None` where the id's serialisation may spell it otherwise.
    pub spelled: Option<Range<usize>>,
    /// Its `d` tag's value, empty when absent.
    pub d: String,
    /// What kind, `d` and content make of it.
    pub body: CarrierBody,
}

/// What an event carries by its kind, `d` prefix and content (FORMATS 1: both must agree).
#[derive(Debug, Clone)]
pub enum CarrierBody {
    /// An OC Me artifact (30087, `oc-me-*`).
    Envelope(Box<EnvelopeCarrier>),
    /// An OC Attest attestation (30078, bare 64-hex `d`).
    Attestation(Box<AttestationClaim>),
    /// A binding (30079).
    Binding(Box<BindingClaim>),
    /// A descriptor, graduation or rotation found by its content `kind`.
    Custody(Box<CustodyClaim>),
    /// Another family artifact: stored for replay, not judged. The text is the owner's name, for example `oc-lock`.
    Stored(&'static str),
    /// A probe, noise, or foreign content under a family `d` (EVT_NOT_ENVELOPE), with the reason.
    NotEnvelope(String),
    /// A replacement without content for a content-addressed `d` (EVT_BLANKED when the id is held).
    Blank(Digest32),
    /// Content `kind` contradicts the `d` tag's owner (EVT_KIND_MISMATCH), with both.
    KindMismatch {
        /// What the `d` tag says.
        by_d: String,
        /// What the content says.
        by_content: String,
    },
    /// Not of the family at all.
    Foreign,
}
