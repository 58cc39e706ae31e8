//! Taking an attestation and its proof out of an event on a relay.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::post::{KIND, PLACE, PROOF_TAG, TOPIC};
use super::verify::EventCarrier;
use crate::app::chain::offline;
use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::app::sources::sockets;
use crate::domain::{Media, NostrEventId, PublicKey32, RawEvidence};
use crate::evidence::{NostrEvent, nostr_event};
use crate::substrate::look_for;
use crate::verify::{Genuine, nostr};

/// Which event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventWanted {
    /// This one.
    Id(NostrEventId),
    /// The newest report of this author.
    NewestOf(PublicKey32),
}

/// What an event carries. Its id and signature hold; of what it carries nothing was judged.
#[derive(Debug, Clone)]
pub struct FoundEvent {
    /// The event.
    pub carrier: EventCarrier,
    /// The attestation's bytes.
    pub envelope: Vec<u8>,
    /// The proof's bytes; what is not base64 stays as it is, so that the proof's judge tells of it.
    pub proof: Option<Vec<u8>>,
    /// Why a newer one might be there.
    pub note: Option<String>,
}

/// Asks a relay for the event.
///
/// # Errors
/// [`AppError::Source`] when sockets are forbidden, or for an address that may not be contacted;
/// [`AppError::Unreachable`] when the relay gave none; [`AppError::Untrusted`] when the only ones that it gave do not hold.
pub fn find_attestation(
    relay: &str,
    wanted: &EventWanted,
    wait_ms: u64,
    is_offline: bool,
    cancel: &Cancel,
) -> Result<FoundEvent, AppError> {
    if is_offline {
        return Err(offline(relay));
    }
    let looked = look_for(relay, &filter(wanted), wait_ms, sockets()?.handle())?;
    cancel.check()?;
    let (mut found, mut broken): (Vec<NostrEvent>, Option<String>) = (Vec::new(), None);
    for bytes in &looked.events {
        match genuine(bytes) {
            Ok(event) if is_wanted(&event, wanted) => found.push(event),
            Ok(_) => {}
            Err(why) => broken = Some(why),
        }
    }
    // At one second the lowest id stands, as relays keep it (NIP-01).
    let newest = found.into_iter().min_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
    match (newest, broken, looked.fault) {
        (Some(event), _, fault) => {
            Ok(taken(event, relay, fault.filter(|_| matches!(wanted, EventWanted::NewestOf(_)))))
        }
        (None, Some(why), _) => {
            Err(AppError::Untrusted { what: format!("signature_mismatch: {relay} gave an event: {why}") })
        }
        (None, None, fault) => Err(AppError::Unreachable {
            what: format!("{relay} gave no such event: {}", fault.unwrap_or_else(|| "it has none".to_owned())),
            hint: "ask another relay, or raise --timeout".to_owned(),
        }),
    }
}

fn filter(wanted: &EventWanted) -> Value {
    match wanted {
        EventWanted::Id(id) => json!({"ids": [id.to_string()], "limit": 1}),
        EventWanted::NewestOf(author) => {
            json!({"authors": [author.to_string()], "kinds": [KIND], "#t": [TOPIC], "limit": 20})
        }
    }
}

/// The event, when its id and its signature hold.
fn genuine(bytes: &[u8]) -> Result<NostrEvent, String> {
    let event = nostr_event(bytes).ok_or("it can't be read")?;
    let id = RawEvidence::id_of(Media::NostrEvent, "", bytes);
    nostr::judge(&event, id, &Genuine::default()).map_err(|finding| finding.explanation.clone())?;
    Ok(event)
}

/// A relay's word on what it was asked for counts for nothing.
fn is_wanted(event: &NostrEvent, wanted: &EventWanted) -> bool {
    let is_report = event.kind == KIND && event.tag("d").is_some_and(|place| place.starts_with(PLACE));
    is_report
        && match wanted {
            EventWanted::Id(id) => event.id == *id,
            EventWanted::NewestOf(author) => event.pubkey == *author,
        }
}

fn taken(event: NostrEvent, relay: &str, note: Option<String>) -> FoundEvent {
    let proof = event.tags.iter().find(|tag| tag.first().is_some_and(|name| name == PROOF_TAG));
    let proof = proof.map(|tag| tag[1..].concat());
    FoundEvent {
        carrier: EventCarrier {
            relay: relay.to_owned(),
            id: event.id,
            author: event.pubkey,
            created_at: event.created_at,
        },
        proof: proof.map(|text| STANDARD.decode(&text).unwrap_or_else(|_| text.into_bytes())),
        note: note
            .map(|why| format!("the relay's answer did not come to its end, so a newer report may be there: {why}")),
        envelope: event.content.into_bytes(),
    }
}
