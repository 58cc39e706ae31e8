//! One record of the evidence log: a head of fixed size, then the payload.
//!
//! ```text
//! marker 4 | kind 1 | payload length 4 | durable 8 | id 32 | check 8 | payload        integers big-endian
//! ```
//!
//! The check is the first 8 bytes of a digest over the head *and its place*, so that a length is never believed before it
//! checks, and a record copied elsewhere does not. The payload needs no checksum of its own: the id is a digest over every
//! byte of it, and one hash per record is half the cost of two.
//!
//! `durable` is the length up to which the segment was synced when the record's batch began. A record that does not
//! check, followed by one of a later batch, is therefore damage and not a torn tail, even with the index gone.

use crate::domain::{Digest32, Media, RawEvidence, TaggedHasher};

/// Starts every record, so that a search for later records is cheap.
pub(super) const MARKER: [u8; 4] = *b"RLR1";
/// Size of a head in bytes.
pub(super) const HEAD_LEN: usize = 57;
/// Largest payload: far above every limit of the substrates, far below what the length field holds.
pub(super) const MAX_PAYLOAD: usize = 1 << 30;

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One piece of evidence; the id is its content address.
    Evidence,
    /// One side record as JSON; the id is the digest of that JSON.
    Side,
}

/// Where a record starts. Ordered as the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) segment: u32,
    pub(super) offset: u64,
}

/// Where a record is and how long its payload is: what an index keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) place: Place,
    pub(super) len: u32,
}

impl Location {
    /// The offset after the record's last byte.
    pub(super) fn end(self) -> u64 {
        self.place.offset.saturating_add(HEAD_LEN as u64).saturating_add(u64::from(self.len))
    }
}

#[cfg(any(feature = "redb", feature = "sled"))]
impl Location {
    /// The fixed form kept by an index.
    pub(super) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.place.segment.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.place.offset.to_be_bytes());
        bytes[12..].copy_from_slice(&self.len.to_be_bytes());
        bytes
    }

    /// Reads [`Location::to_bytes`].
    pub(super) fn from_bytes(bytes: &[u8; 16]) -> Self {
        let mut fields = Fields(bytes);
        Self { place: Place { segment: fields.u32(), offset: fields.u64() }, len: fields.u32() }
    }
}

/// Takes fixed-width fields off the front of a slice whose length the caller has checked; a short slice reads as zeros.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((field, rest)) = self.0.split_first_chunk::<N>() else { return [0; N] };
        self.0 = rest;
        *field
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }
}

/// A record's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) len: u32,
    pub(super) durable: u64,
    pub(super) id: Digest32,
}

impl Head {
    /// The bytes of the head at this place.
    pub(super) fn encode(&self, place: Place) -> [u8; HEAD_LEN] {
        let mut bytes = [0; HEAD_LEN];
        bytes[..4].copy_from_slice(&MARKER);
        bytes[4] = match self.kind {
            Kind::Evidence => 1,
            Kind::Side => 2,
        };
        bytes[5..9].copy_from_slice(&self.len.to_be_bytes());
        bytes[9..17].copy_from_slice(&self.durable.to_be_bytes());
        bytes[17..49].copy_from_slice(self.id.as_bytes());
        let check = check(place, &bytes[..49]);
        bytes[49..].copy_from_slice(&check);
        bytes
    }

    /// Reads a head; `None` when it does not check at this place.
    pub(super) fn decode(bytes: &[u8; HEAD_LEN], place: Place) -> Option<Self> {
        let (body, found) = bytes.split_at(49);
        if !body.starts_with(&MARKER) || found != check(place, body) {
            return None;
        }
        let kind = match body[4] {
            1 => Kind::Evidence,
            2 => Kind::Side,
            _ => return None,
        };
        let mut fields = Fields(&body[5..]);
        Some(Self { kind, len: fields.u32(), durable: fields.u64(), id: Digest32(fields.take()) })
    }
}

fn check(place: Place, head: &[u8]) -> [u8; 8] {
    let mut hasher = TaggedHasher::new("reledger/record/1");
    hasher.field(&place.segment.to_be_bytes()).field(&place.offset.to_be_bytes()).field(head);
    Fields(hasher.finish().as_bytes()).take()
}

/// The id of a side record's JSON.
pub(super) fn side_id(json: &[u8]) -> Digest32 {
    let mut hasher = TaggedHasher::new("reledger/side/1");
    hasher.field(json);
    hasher.finish()
}

/// The size of the payload that [`write_evidence`] makes.
pub(super) fn evidence_len(evidence: &RawEvidence) -> usize {
    5 + evidence.media.name().len() + evidence.about.len() + evidence.bytes.len()
}

/// Appends the payload: media name (u8 length), `about` (u32 length), the bytes.
pub(super) fn write_evidence(out: &mut Vec<u8>, evidence: &RawEvidence) {
    let name = evidence.media.name().as_bytes();
    out.push(u8::try_from(name.len()).expect("media names are constants of at most 17 bytes"));
    out.extend_from_slice(name);
    // Callers refuse payloads above MAX_PAYLOAD first, so the length fits; should one not, the id does not check on read.
    out.extend_from_slice(&u32::try_from(evidence.about.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(evidence.about.as_bytes());
    out.extend_from_slice(&evidence.bytes);
}

/// The parts of an evidence payload, unchecked. `None` when it has another form, or a media this version does not know.
pub(super) fn parse_evidence(payload: &[u8]) -> Option<(Media, &str, &[u8])> {
    let (media, rest) = split_media(payload)?;
    let (about_len, rest) = rest.split_first_chunk::<4>()?;
    let (about, bytes) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*about_len)).ok()?)?;
    Some((media, std::str::from_utf8(about).ok()?, bytes))
}

/// The media of an evidence payload, unchecked; `None` as of [`parse_evidence`].
pub(super) fn media_of(payload: &[u8]) -> Option<Media> {
    split_media(payload).map(|(media, _)| media)
}

fn split_media(payload: &[u8]) -> Option<(Media, &[u8])> {
    let (len, rest) = payload.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*len))?;
    Some((std::str::from_utf8(name).ok()?.parse().ok()?, rest))
}

/// INV-1: true when the payload is what the head's id names.
pub(super) fn payload_checks(head: &Head, payload: &[u8]) -> bool {
    match head.kind {
        Kind::Evidence => parse_evidence(payload)
            .is_some_and(|(media, about, bytes)| RawEvidence::id_of(media, about, bytes).0 == head.id),
        Kind::Side => side_id(payload) == head.id,
    }
}
