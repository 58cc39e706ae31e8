//! NIP-01 ids and BIP-340 signatures.

use std::sync::OnceLock;

use bitcoin::secp256k1::{Message, Secp256k1, VerifyOnly, XOnlyPublicKey, schnorr};

use super::Genuine;
use crate::domain::{Code, Digest32, EvidenceId, Finding, Subject, TaggedHasher, sha256};
use crate::evidence::{NostrEvent, serialize_for_id};

/// One context for all verifications: making it is cheap, but sharing it is cheaper still (CAPTURE 4.1).
fn context() -> &'static Secp256k1<VerifyOnly> {
    static CONTEXT: OnceLock<Secp256k1<VerifyOnly>> = OnceLock::new();
    CONTEXT.get_or_init(Secp256k1::verification_only)
}

/// Checks that the id is the hash of the serialisation and that the author signed it (FORMATS 2.1).
///
/// # Errors
/// The finding, `EVT_BAD_ID` or `EVT_BAD_SIG`. The signature over a wrong id is not looked at.
pub fn judge(event: &NostrEvent, carrier: EvidenceId, genuine: &Genuine) -> Result<(), Box<Finding>> {
    let subject = Subject::new("event", event.id).and("evidence", carrier);
    if let Err(id) = id_holds(event) {
        return Err(Box::new(
            Finding::new(Code::EvtBadId, subject)
                .with_values(id, event.id)
                .with_evidence(carrier, "carrier")
                .with_explanation("the declared id is not the sha256 of the event's serialisation"),
        ));
    }
    if genuine.knows(event) || signature_holds(event) {
        return Ok(());
    }
    Err(Box::new(
        Finding::new(Code::EvtBadSig, subject)
            .with_values("a BIP-340 signature by the author", "one that does not verify")
            .with_evidence(carrier, "carrier")
            .with_explanation(format!("the signature by {} over the id fails", event.pubkey)),
    ))
}

/// Where a relay keeps the event: the newest of a replaceable kind, or of an addressable kind and `d`, takes the place of
/// its author's older ones (NIP-01); any other event has a place of its own.
pub(super) fn place(event: &NostrEvent) -> Digest32 {
    let d = match event.kind {
        0 | 3 | 10_000..20_000 => "",
        30_000..40_000 => event.tag("d").unwrap_or_default(),
        _ => return event.id.0,
    };
    let mut hasher = TaggedHasher::new("reledger/nostr-place/1");
    hasher.field(&event.kind.to_be_bytes()).field(event.pubkey.as_bytes()).field(d.as_bytes());
    hasher.finish()
}

/// Ok when the declared id is the hash of the serialisation, else that hash.
pub(super) fn id_holds(event: &NostrEvent) -> Result<(), Digest32> {
    let id = sha256(serialize_for_id(event).as_bytes());
    if id == event.id.0 { Ok(()) } else { Err(id) }
}

pub(super) fn signature_holds(event: &NostrEvent) -> bool {
    let Ok(key) = XOnlyPublicKey::from_slice(event.pubkey.as_bytes()) else { return false };
    let Ok(signature) = schnorr::Signature::from_slice(&event.sig) else { return false };
    let message = Message::from_digest(*event.id.as_bytes());
    context().verify_schnorr(&signature, &message, &key).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{NostrEventId, PublicKey32, UnixSeconds};

    fn event(kind: u16, author: u8, d: Option<&str>) -> NostrEvent {
        let content = format!("{kind} {author} {d:?}");
        NostrEvent {
            id: NostrEventId(sha256(content.as_bytes())),
            pubkey: PublicKey32(Digest32([author; 32])),
            created_at: UnixSeconds(1_790_000_000),
            kind,
            tags: d.into_iter().map(|d| vec!["d".to_owned(), d.to_owned()]).collect(),
            content,
            sig: [0; 64],
        }
    }

    #[test]
    fn only_what_nip_01_lets_a_relay_replace_shares_a_place() {
        let same = |left: &NostrEvent, right: &NostrEvent| place(left) == place(right);
        let other = |event: &NostrEvent| NostrEvent { id: NostrEventId(sha256(b"another")), ..event.clone() };
        for kind in [0, 3, 10_000, 19_999, 30_000, 39_999] {
            let one = event(kind, 1, Some("a"));
            assert!(same(&one, &other(&one)), "{kind}");
            assert!(!same(&one, &event(kind, 2, Some("a"))), "{kind}: another author");
            assert!(!same(&one, &event(kind + 1, 1, Some("a"))), "{kind}: another kind");
        }
        for kind in [1, 2, 4, 9_999, 20_000, 29_999, 40_000] {
            let one = event(kind, 1, Some("a"));
            assert!(!same(&one, &other(&one)), "{kind}");
        }
        assert!(same(&event(10_002, 1, Some("a")), &event(10_002, 1, Some("b"))), "no `d` counts here");
        assert!(!same(&event(30_078, 1, Some("a")), &event(30_078, 1, Some("b"))));
        assert!(same(&event(30_078, 1, Some("")), &event(30_078, 1, None)), "no `d` is an empty one");
    }
}
