//! NIP-01 ids and BIP-340 signatures.

use std::sync::OnceLock;

use bitcoin::secp256k1::{Message, Secp256k1, VerifyOnly, XOnlyPublicKey, schnorr};

use super::Genuine;
use crate::domain::{Code, Digest32, EvidenceId, Finding, Subject, TaggedHasher, sha256};
use crate::evidence::{NostrEvent, serialize_for_id, serialized};

/// One context for all verifications: making it is cheap, but sharing it is cheaper still (CAPTURE 4.1).
pub(super) fn context() -> &'static Secp256k1<VerifyOnly> {
    static CONTEXT: OnceLock<Secp256k1<VerifyOnly>> = OnceLock::new();
    CONTEXT.get_or_init(Secp256k1::verification_only)
}

/// Checks that the id is the hash of the serialisation and that the author signed it (FORMATS 2.1).
///
/// # Errors
/// The finding, `EVT_BAD_ID` or `EVT_BAD_SIG`. The signature over a wrong id is not looked at.
pub fn judge(event: &NostrEvent, carrier: EvidenceId, genuine: &Genuine) -> Result<(), Box<Finding>> {
    let subject = || Subject::new("event", event.id).and("evidence", carrier);
    if let Err(id) = id_holds(event, None) {
        let explanation = if escapes_del(event, &serialize_for_id(event)) { ESCAPED_DEL } else { WRONG_ID };
        return Err(Box::new(
            Finding::new(Code::EvtBadId, subject())
                .with_values(id, event.id)
                .with_evidence(carrier, "carrier")
                .with_explanation(explanation),
        ));
    }
    if genuine.knows(event) || signature_holds(event) {
        return Ok(());
    }
    Err(Box::new(
        Finding::new(Code::EvtBadSig, subject())
            .with_values("a BIP-340 signature by the author", "one that does not verify")
            .with_evidence(carrier, "carrier")
            .with_explanation(format!("the signature by {} over the id fails", event.pubkey)),
    ))
}

const WRONG_ID: &str = "the declared id is not the sha256 of the event's serialisation";
const ESCAPED_DEL: &str = "id-nonstandard-del: the declared id is the sha256 of a serialisation that writes DEL as \\u007f; \
                           some relays ask for it, NIP-01 does not know it";

/// True for an id by the other rule that is in use: DEL (0x7f) as `\u007f` (CAPTURE 4.3).
fn escapes_del(event: &NostrEvent, serialised: &str) -> bool {
    serialised.contains('\u{7f}') && sha256(serialised.replace('\u{7f}', "\\u007f").as_bytes()) == event.id.0
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

/// Ok when the declared id is the hash of the serialisation, else that hash. Content that is spelled as it is hashed need not be spelled
/// again.
pub(super) fn id_holds(event: &NostrEvent, spelled: Option<&[u8]>) -> Result<(), Digest32> {
    let id = sha256(&serialized(event, spelled));
    if id == event.id.0 { Ok(()) } else { Err(id) }
}

pub(super) fn signature_holds(event: &NostrEvent) -> bool {
    bip340_holds(event.pubkey.as_bytes(), event.id.as_bytes(), &event.sig)
}

/// True when libsecp256k1 finds the signature good: the judge that every other way of looking must agree with.
pub(super) fn bip340_holds(key: &[u8; 32], message: &[u8; 32], signature: &[u8; 64]) -> bool {
    let Ok(key) = XOnlyPublicKey::from_slice(key) else { return false };
    let Ok(signature) = schnorr::Signature::from_slice(signature) else { return false };
    context().verify_schnorr(&signature, &Message::from_digest(*message), &key).is_ok()
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

    fn told(event: &NostrEvent) -> (Code, String) {
        let finding = judge(event, EvidenceId::from_bytes([1; 32]), &Genuine::default()).unwrap_err();
        (finding.code, finding.explanation.clone())
    }

    #[test]
    fn an_id_that_escapes_del_has_a_verdict_of_its_own() {
        let mut del = event(30_087, 7, Some("x\u{7f}"));
        del.content = "a\u{7f}b".to_owned();
        // By hand: the serialisation of the event with `\u007f` twice, as some relays hash it.
        let author = "07".repeat(32);
        let text = format!(r#"[0,"{author}",1790000000,30087,[["d","x\u007f"]],"a\u007fb"]"#);
        assert_eq!(text.matches("\\u007f").count(), 2);
        del.id = NostrEventId(sha256(text.as_bytes()));
        let (code, explanation) = told(&del);
        assert_eq!(code, Code::EvtBadId);
        assert!(explanation.starts_with("id-nonstandard-del: "), "{explanation}");
        // The standard id is that of the letter itself; the same hash over other content is merely wrong.
        let standard =
            NostrEvent { id: NostrEventId(sha256(text.replace("\\u007f", "\u{7f}").as_bytes())), ..del.clone() };
        assert_eq!(told(&standard).0, Code::EvtBadSig);
        let other = NostrEvent { content: "a\u{7f}c".to_owned(), ..del.clone() };
        assert_eq!(told(&other), (Code::EvtBadId, WRONG_ID.to_owned()));
        let spelled = NostrEvent { content: "a\\u007fb".to_owned(), ..del };
        assert_eq!(told(&spelled), (Code::EvtBadId, WRONG_ID.to_owned()));
    }
}
