//! The byte candidates of a carrier, and which of them its id names (FORMATS 3.1, step 1).

use std::sync::Arc;

use super::{CandidateRule, OcMeBody, OcMeKind};
use crate::domain::{Digest32, EnvelopeId, sha256};
use crate::evidence::BodyError;

/// Byte candidates in the order of FORMATS 3.1, at most eight, up to the first that hashes to the declared id. Only reading a carrier
/// makes any, so nobody who is shown the one that the id names need hash or read it again.
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    tried: Vec<(CandidateRule, Vec<u8>)>,
    said: Option<Said>,
}

/// What the last candidate says as an artifact of that kind, where it hashes to that id.
#[derive(Debug, Clone)]
struct Said {
    kind: OcMeKind,
    id: EnvelopeId,
    body: Result<Arc<OcMeBody>, BodyError>,
}

/// The candidate that the declared id names.
#[derive(Debug, Clone, Copy)]
pub struct Named<'c> {
    /// Its place among the candidates.
    pub place: usize,
    /// How it was found.
    pub rule: CandidateRule,
    /// Its bytes, which hash to the id.
    pub bytes: &'c [u8],
    /// What they say.
    pub body: &'c Result<Arc<OcMeBody>, BodyError>,
}

impl Candidates {
    /// All that were tried.
    pub fn tried(&self) -> &[(CandidateRule, Vec<u8>)] {
        &self.tried
    }

    /// The one that hashes to the id, if they were tried for it and this kind.
    pub(super) fn named(&self, kind: OcMeKind, id: EnvelopeId) -> Option<Named<'_>> {
        let said = self.said.as_ref().filter(|said| said.kind == kind && said.id == id)?;
        let (rule, bytes) = self.tried.last()?;
        Some(Named { place: self.tried.len() - 1, rule: *rule, bytes, body: &said.body })
    }

    /// Keeps a candidate and shows it, unless an earlier one has the same bytes.
    pub(in crate::evidence) fn keep(&mut self, rule: CandidateRule, bytes: Vec<u8>) -> Option<&[u8]> {
        if self.tried.iter().any(|(_, held)| *held == bytes) {
            return None;
        }
        self.tried.push((rule, bytes));
        self.tried.last().map(|(_, bytes)| bytes.as_slice())
    }

    /// Forgets what comes after the first that hashes to the id; false when none does.
    pub(in crate::evidence) fn end_with(&mut self, id: Digest32) -> bool {
        let place = self.tried.iter().position(|(_, bytes)| sha256(bytes) == id);
        self.tried.truncate(place.map_or(usize::MAX, |place| place + 1));
        place.is_some()
    }

    /// Notes what the last one says. The caller found that it hashes to that id.
    pub(in crate::evidence) fn note(&mut self, kind: OcMeKind, id: EnvelopeId, body: Result<OcMeBody, BodyError>) {
        self.said = Some(Said { kind, id, body: body.map(Arc::new) });
    }
}
