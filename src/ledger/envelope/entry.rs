//! Single entries of the roll, as whoever walks it asks for them.

use std::sync::Arc;

use crate::domain::{BlockHeight, EnvelopeId, EvidenceId, KeyId, UnixMicros, packed_struct};
use crate::evidence::{BillableEvent, OcMeBody, OcMeKind};
use crate::verify::{SignedEnvelope, Verified};

use super::standing::Standing;

/// One envelope with its standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeEntry {
    /// Content id.
    pub id: EnvelopeId,
    /// Which artifact.
    pub kind: OcMeKind,
    /// The key that signed.
    pub kid: KeyId,
    /// Claimed time; `None` for an artifact without one.
    pub claimed: Option<UnixMicros>,
    /// Fields out of the signed bytes.
    pub body: Arc<OcMeBody>,
    /// Whether it enters the sums.
    pub standing: Standing,
    /// The height of its lowest verified anchor.
    pub anchor_height: Option<BlockHeight>,
    /// A carrier, for findings. Never part of a leaf.
    pub carrier: EvidenceId,
}

impl EnvelopeEntry {
    pub(super) fn new(verified: Verified<SignedEnvelope>, row: &Row) -> Self {
        let SignedEnvelope { id, kid, body, .. } = verified.into_fact();
        let Row { kind, claimed, standing, anchor_height, carrier } = *row;
        Self { id, kind, kid, claimed, body, standing, anchor_height, carrier }
    }

    /// True when it enters the sums.
    pub fn counts(&self) -> bool {
        self.standing == Standing::Counted
    }
}

/// An entry without what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedEnvelope {
    /// Content id.
    pub id: EnvelopeId,
    /// As [`EnvelopeEntry::kind`].
    pub kind: OcMeKind,
    /// As [`EnvelopeEntry::claimed`].
    pub claimed: Option<UnixMicros>,
    /// As [`EnvelopeEntry::standing`].
    pub standing: Standing,
    /// As [`EnvelopeEntry::carrier`].
    pub carrier: EvidenceId,
}

/// What the ledger knows of an envelope without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kind: OcMeKind,
    pub(super) claimed: Option<UnixMicros>,
    pub(super) standing: Standing,
    pub(super) anchor_height: Option<BlockHeight>,
    pub(super) carrier: EvidenceId,
}

packed_struct!(Row { kind, claimed, standing, anchor_height, carrier });

/// A counted billable event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedEvent {
    /// Content id.
    pub id: EnvelopeId,
    /// A carrier, for findings.
    pub carrier: EvidenceId,
    /// Its place among all verified envelopes, in order of id: `EnvelopeLedger::counted` finds it again.
    pub number: usize,
    /// What was billed.
    pub event: BillableEvent,
}

impl CountedEvent {
    pub(super) fn of(number: usize, verified: Verified<SignedEnvelope>) -> Option<Self> {
        let Counted { id, carrier, body: event } = Counted::of(verified, |body| match body {
            OcMeBody::Event(event) => Some(event),
            _ => None,
        })?;
        Some(Self { id, carrier, number, event })
    }
}

/// A counted envelope with what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted<B> {
    /// Content id.
    pub id: EnvelopeId,
    /// A carrier, for findings.
    pub carrier: EvidenceId,
    /// What it says.
    pub body: B,
}

impl<B> Counted<B> {
    pub(super) fn of(verified: Verified<SignedEnvelope>, read: fn(OcMeBody) -> Option<B>) -> Option<Self> {
        let (id, carrier) = (verified.fact().id, verified.first_carrier());
        Some(Self { id, carrier, body: read(Arc::unwrap_or_clone(verified.into_fact().body))? })
    }
}
