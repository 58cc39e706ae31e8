//! Publishing an attestation: one addressable event, whose content is the file and whose tag is its proof.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::file::{attestation_proof, read_attestation, read_proof};
use crate::app::chain::offline;
use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::app::pen::{KeySource, secret};
use crate::app::plan::config_error;
use crate::app::sources::sockets;
use crate::domain::{Digest32, NostrEventId, PublicKey32, UnixSeconds, inert_limited, sha256};
use crate::evidence::ots::{Proof, Root};
use crate::seal::{Attested, Envelope, RunStatement, SealTrust, SignatureStanding};
use crate::substrate::{EventDraft, NostrPen, Posted, SignedEvent, post_event};

/// Application data that an author replaces (NIP-78).
pub(super) const KIND: u16 = 30_078;
/// How the `d` tag of a report begins; 32 hex digits of the statement's sha256 follow.
pub(super) const PLACE: &str = "reledger-report:";
/// The `t` tag of every report.
pub(super) const TOPIC: &str = "reledger-report";
/// The tag of the proof. Its values, joined, are the `.ots` file in base64.
pub(super) const PROOF_TAG: &str = "ots";
/// Bytes of one value of it: readers, ours too, take no more than 4 KiB.
const PROOF_VALUE_BYTES: usize = 4_000;

/// What a Nostr key is.
const NOSTR_FORM: &str = "it holds the 32 bytes of a Nostr secret key (NIP-01) as 64 hex digits";

/// What, where, and by whom.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The attestation.
    pub file: PathBuf,
    /// The relays.
    pub relays: Vec<String>,
    /// The Nostr key.
    pub key: KeySource,
    /// The event's time.
    pub created_at: UnixSeconds,
    /// Longest wait for one relay, in milliseconds.
    pub wait_ms: u64,
    /// Contact nobody.
    pub dry_run: bool,
    /// Refuse to contact anybody.
    pub offline: bool,
}

/// The event that is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportEvent {
    /// Its id.
    pub id: NostrEventId,
    /// Who publishes.
    pub author: PublicKey32,
    /// Its kind.
    pub kind: u16,
    /// Its `d` tag.
    pub place: String,
    /// It carries a proof.
    pub with_proof: bool,
    /// The event as relays take it.
    pub json: String,
}

/// What one relay said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedTo {
    /// Its address.
    pub relay: String,
    /// It took the event.
    pub accepted: bool,
    /// Its words, or why there are none; inert.
    pub words: String,
}

/// Makes the event and gives it to every relay; under `dry_run` to none.
///
/// # Errors
/// [`AppError::Untrusted`] for an attestation with a signature that does not hold, or a proof of something else;
/// [`AppError::Source`] when sockets are forbidden, for an address that may not be contacted, or a key file that others can
/// read; [`AppError::Config`] for files that are not there, or no key.
pub fn publish_attestation(
    publication: &Publication,
    cancel: &Cancel,
) -> Result<(ReportEvent, Vec<PostedTo>), AppError> {
    let bytes = read_attestation(&publication.file)?;
    let statement = sound(&bytes)?;
    let beside = attestation_proof(&publication.file);
    let proof = if beside.is_file() { Some(read_proof(&beside)?) } else { None };
    if let Some(proof) = &proof {
        about(proof, &sha256(&bytes)).map_err(|why| untrusted(&format!("{} {why}", beside.display())))?;
    }
    if let Some(relay) = publication.relays.first().filter(|_| publication.offline && !publication.dry_run) {
        return Err(offline(relay));
    }
    let pen = NostrPen::of(&secret(&publication.key, "--nostr-key-command", NOSTR_FORM)?)
        .ok_or_else(|| config_error("the Nostr key is no secret key of secp256k1".to_owned(), "make another one"))?;
    let draft = draft(bytes, &statement, proof.as_deref(), publication.created_at)?;
    let signed = pen.sign(&draft);
    let event = ReportEvent {
        id: signed.id,
        author: pen.author(),
        kind: KIND,
        place: place(&statement.1),
        with_proof: proof.is_some(),
        json: signed.json.clone(),
    };
    if publication.dry_run {
        return Ok((event, Vec::new()));
    }
    let posted = give(publication, &signed, &pen)?;
    cancel.check()?;
    Ok((event, posted))
}

fn give(publication: &Publication, event: &SignedEvent, pen: &NostrPen) -> Result<Vec<PostedTo>, AppError> {
    let runtime = sockets()?;
    let answers = post_event(&publication.relays, event, pen, publication.wait_ms, runtime.handle())?;
    let posted = publication.relays.iter().zip(answers).map(|(relay, answer)| {
        let (accepted, words) = match answer {
            Posted::Accepted(words) => (true, words),
            Posted::Refused(words) | Posted::Unheard(words) => (false, words),
        };
        PostedTo { relay: relay.clone(), accepted, words }
    });
    Ok(posted.collect())
}

fn untrusted(what: &str) -> AppError {
    AppError::Untrusted { what: format!("checksum_error: {what}") }
}

/// What is stated, and the sha256 of the statement: broken attestations are not spread.
fn sound(bytes: &[u8]) -> Result<(RunStatement, Digest32), AppError> {
    let envelope = Envelope::from_bytes(bytes).map_err(|error| untrusted(&format!("the attestation: {error}")))?;
    for judged in envelope.judge(SealTrust::Anyone) {
        if let SignatureStanding::Broken(key) = judged.standing {
            return Err(AppError::Untrusted {
                what: format!("signature_mismatch: the signature by {key} does not hold"),
            });
        }
    }
    let statement = RunStatement::from_bytes(&envelope.payload)
        .map_err(|error| untrusted(&format!("the payload is {}", inert_limited(&error.to_string(), 200))))?;
    Ok((statement, sha256(&envelope.payload)))
}

/// A proof has to be one of the attestation's own bytes.
fn about(proof: &[u8], digest: &Digest32) -> Result<(), String> {
    let parsed = Proof::parse(proof).map_err(|refusal| format!("is no proof: {refusal}"))?;
    match parsed.root() {
        Root::Detached { digest: found, .. } if found == digest.as_bytes() => Ok(()),
        _ => Err("is the proof of another file".to_owned()),
    }
}

/// A later statement never takes the place of an earlier one; more signatures, or a completed proof, of the same one do.
fn place(statement: &Digest32) -> String {
    format!("{PLACE}{}", statement.to_hex().get(..32).unwrap_or_default())
}

fn draft(
    bytes: Vec<u8>,
    (statement, payload): &(RunStatement, Digest32),
    proof: Option<&[u8]>,
    created_at: UnixSeconds,
) -> Result<EventDraft, AppError> {
    let content = String::from_utf8(bytes).map_err(|_| untrusted("the attestation is not UTF-8"))?;
    let tag = |name: &str, value: String| vec![name.to_owned(), value];
    let mut tags = vec![
        tag("d", place(payload)),
        tag("t", TOPIC.to_owned()),
        tag("x", statement.digest(Attested::Report).to_hex()),
        tag("state_root", statement.digest(Attested::State).to_hex()),
    ];
    if let Some(proof) = proof {
        let text = STANDARD.encode(proof);
        // Base64 is ASCII: any cut is between two characters.
        let pieces = text.as_bytes().chunks(PROOF_VALUE_BYTES).map(|piece| String::from_utf8_lossy(piece).into_owned());
        tags.push(std::iter::once(PROOF_TAG.to_owned()).chain(pieces).collect());
    }
    Ok(EventDraft { kind: KIND, created_at, tags, content })
}
