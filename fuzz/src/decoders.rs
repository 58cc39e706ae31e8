//! One target per decoder: no panic, the same answer twice, and nothing refused without a finding.

use reledger::domain::{AttestationId, BindingId, Digest32, EnvelopeId, Media, RawEvidence, sha256};
use reledger::evidence::{
    Claim, Decoded, OcMeKind, attest, binding, decode, ots, parse_body, rails, record, serialize_for_id,
    settlement as settle,
};

/// Splits `about`, a line feed, and the bytes; without a line feed nothing is said about the bytes.
fn about_and_bytes(input: &[u8]) -> (String, &[u8]) {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(at) => (String::from_utf8_lossy(&input[..at]).into_owned(), &input[at + 1..]),
        None => (String::new(), input),
    }
}

/// Decodes twice; the answers are equal, and a refusal has a finding. Returns one of them.
fn decoded(media: Media, about: &str, bytes: &[u8]) -> Decoded {
    let raw = RawEvidence { media, about: about.to_owned(), bytes: bytes.to_vec() };
    let before = raw.id();
    let (first, second) = (decode(&raw), decode(&raw.clone()));
    assert_eq!(format!("{first:?}"), format!("{second:?}"), "the same bytes decode to the same answer");
    assert_eq!(raw.id(), before, "decoding changes nothing about the evidence");
    if let Decoded::Undecodable(findings) = &first {
        assert!(!findings.is_empty(), "what is refused has a finding");
    }
    first
}

/// Media that say nothing beside their bytes.
pub(crate) fn plain(media: Media, input: &[u8]) -> Decoded {
    decoded(media, "", input)
}

/// Media whose bytes mean nothing without what they are about.
fn told(media: Media, input: &[u8]) -> Decoded {
    let (about, bytes) = about_and_bytes(input);
    decoded(media, &about, bytes)
}

/// Events and everything that their content carries.
pub fn nostr_event(input: &[u8]) {
    if let Decoded::Claim(claim, _) = plain(Media::NostrEvent, input)
        && let Claim::Nostr(carrier) = *claim
    {
        assert_eq!(serialize_for_id(&carrier.event), serialize_for_id(&carrier.event));
    }
}

/// An envelope's carrier and its signed body, of the artifact that the first byte names.
pub fn envelope(input: &[u8]) {
    let Some((first, bytes)) = input.split_first() else { return };
    let kind = OcMeKind::ALL[usize::from(*first) % OcMeKind::ALL.len()];
    let id = EnvelopeId(sha256(bytes));
    let read = || format!("{:?}", record(kind, id, bytes));
    assert_eq!(read(), read());
    if let Ok(carrier) = record(kind, id, bytes) {
        for (_, bytes) in carrier.candidates.tried() {
            body(kind, bytes);
        }
    }
    body(kind, bytes);
}

fn body(kind: OcMeKind, bytes: &[u8]) {
    let read = || format!("{:?}", parse_body(kind, bytes));
    assert_eq!(read(), read());
}

/// Attestations and bindings: the envelope around the message, and the message on its own.
pub fn attestation(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let read = || {
        let id = Digest32([0x11; 32]);
        let one = attest::decode(text, AttestationId(id));
        format!("{one:?} {:?}", binding::decode(text, BindingId(id)))
    };
    assert_eq!(read(), read());
    let read = || format!("{:?} {:?}", attest::parse_message(text), binding::parse_message(text));
    assert_eq!(read(), read());
}

/// Proofs, detached and bare; the whole of a proof is read by the steps.
pub fn ots_proof(input: &[u8]) {
    told(Media::OtsProof, input);
    let (_, bytes) = about_and_bytes(input);
    if let Ok(proof) = ots::Proof::parse(bytes) {
        assert!(proof.steps().len() <= bytes.len(), "a step has at least one byte");
        assert!(proof.work() <= reledger::evidence::limits::OTS_WORK_BYTES_MAX, "the work is bounded");
    }
}

/// Replies of calendars.
pub fn calendar_reply(input: &[u8]) {
    told(Media::CalendarReply, input);
}

/// Runs of headers.
pub fn headers(input: &[u8]) {
    told(Media::Headers, input);
}

/// Signed settlements: what was signed is rebuilt the same way each time.
pub fn settlement(input: &[u8]) {
    if let Decoded::Claim(claim, _) = plain(Media::Settlement, input)
        && let Claim::Settlement(claim) = *claim
    {
        let canonical = settle::canonical_bytes(&claim.event);
        assert_eq!(canonical, settle::canonical_bytes(&claim.event));
        assert!(serde_json::from_slice::<serde_json::Value>(&canonical).is_ok(), "what is signed is JSON");
    }
}

/// Entries of a gateway's log; taking notes out of one twice takes out nothing more.
pub fn payment_log_entry(input: &[u8]) {
    let (about, bytes) = about_and_bytes(input);
    decoded(Media::PaymentLogEntry, &about, bytes);
    if let Some(clean) = rails::redact_log_entry(bytes) {
        assert_eq!(rails::redact_log_entry(&clean), None, "taking notes out is complete the first time");
        decoded(Media::PaymentLogEntry, &about, &clean);
    }
}

/// Invoice records.
pub fn invoice(input: &[u8]) {
    plain(Media::Invoice, input);
}

/// Key sets of the envelope host and of the auth host.
pub fn jwks(input: &[u8]) {
    told(Media::Jwks, input);
    told(Media::AuthJwks, input);
}

/// Price configs.
pub fn project_config(input: &[u8]) {
    told(Media::ProjectConfig, input);
}

/// Descriptors, graduations, rotations.
pub fn custody(input: &[u8]) {
    plain(Media::Custody, input);
}

/// Activity attestation bundles.
pub fn activity(input: &[u8]) {
    plain(Media::Activity, input);
}

/// Lines of a balance statement.
pub fn balance(input: &[u8]) {
    plain(Media::Balance, input);
}
