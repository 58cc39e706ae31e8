//! The door of the room: raw evidence of any media becomes a claim, or is undecodable with a finding.

use super::json::JsonError;
use super::route::UNASSIGNED_KINDS;
use super::{Claim, Decoded, envelope, keys, nostr, route};
use crate::domain::{Code, Finding, Media, RawEvidence, Severity, Subject, sha256};

/// Why bytes do not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct Fault {
    what: String,
    offset: Option<usize>,
}

impl Fault {
    /// A fault of the record as a whole.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), offset: None }
    }

    fn text(&self) -> String {
        match self.offset {
            Some(offset) => format!("{} at offset {offset}", self.what),
            None => self.what.clone(),
        }
    }
}

impl From<JsonError> for Fault {
    fn from(error: JsonError) -> Self {
        let what = match error.duplicate_key {
            Some(key) => format!("{} {key}", error.what),
            None => error.what.to_owned(),
        };
        Self { what, offset: Some(error.offset) }
    }
}

/// Decodes one piece of evidence. Never panics; whatever it answers, the bytes stay in the store.
pub fn decode(raw: &RawEvidence) -> Decoded {
    let bytes = raw.bytes.as_slice();
    match raw.media {
        Media::NostrEvent => answer(raw, nostr_event(bytes)),
        Media::Jwks => key_set(raw, false),
        Media::AuthJwks => key_set(raw, true),
        Media::Activity => answer(raw, envelope::bundle(bytes).map(|carrier| (Claim::Activity(carrier), Vec::new()))),
        Media::Custody => super::custody::decode_record(bytes),
        Media::OtsProof => super::ots::decode(&raw.about, bytes),
        Media::CalendarReply => super::ots::decode_reply(&raw.about, bytes),
        Media::Headers => super::headers::decode(&raw.about, bytes),
        Media::Settlement => super::settlement::decode(bytes),
        Media::ProjectConfig => super::project::decode(&raw.about, bytes),
        Media::Balance => super::balance::decode(bytes),
        Media::PaymentLogEntry => super::rails::decode_log_entry(&raw.about, bytes),
        Media::Invoice => super::rails::decode_invoice(bytes),
        Media::Checkpoint => super::checkpoint::decode(bytes),
        Media::Snapshot => super::snapshot::decode(bytes),
        Media::FederationDirectory => super::federation::decode_directory(bytes),
        Media::Charter => super::federation::decode_charter(bytes),
    }
}

/// The finding for bytes that do not decode: about their media and hash, with what was wrong and where.
pub(crate) fn undecodable(media: Media, bytes: &[u8], fault: &Fault) -> Finding {
    let code = if media == Media::NostrEvent { Code::EvtMalformed } else { Code::SrcParse };
    let finding = Finding::new(code, Subject::new("media", media).and("sha256", sha256(bytes)))
        .with_values(format!("a readable {media} record"), fault)
        .with_explanation("the record can't be read; its bytes are kept");
    // DIVERGENCES: an unreadable settlement hides money, so it is an error there.
    if media == Media::Settlement { finding.with_severity(Severity::Error) } else { finding }
}

fn answer(raw: &RawEvidence, decoded: Result<(Claim, Vec<Finding>), Fault>) -> Decoded {
    match decoded {
        Ok((claim, findings)) => Decoded::Claim(Box::new(claim), findings),
        Err(fault) => Decoded::Undecodable(vec![undecodable(raw.media, &raw.bytes, &fault)]),
    }
}

fn nostr_event(bytes: &[u8]) -> Result<(Claim, Vec<Finding>), Fault> {
    let (event, spelled) = nostr::decode(bytes)?;
    let mut findings = Vec::new();
    if UNASSIGNED_KINDS.contains(&event.kind) {
        let subject = Subject::new("event", event.id).and("kind", event.kind);
        findings.push(
            Finding::new(Code::SrcUnknownKind, subject).with_explanation("a family kind without an assignment; kept"),
        );
    }
    Ok((Claim::Nostr(route::route(event, spelled)), findings))
}

fn key_set(raw: &RawEvidence, auth: bool) -> Decoded {
    answer(
        raw,
        keys::decode(auth, &raw.about, &raw.bytes).map(|(set, unusable)| {
            let findings = unusable.into_iter().map(|(at, why)| {
                let subject = Subject::new("media", raw.media).and("sha256", sha256(&raw.bytes)).and("key", at);
                Finding::new(Code::SrcParse, subject)
                    .with_values("a usable key", why)
                    .with_explanation("this entry of the key set can't be read; the others are used")
            });
            (Claim::Jwks(set), findings.collect())
        }),
    )
}
