//! A Nostr key, and the events that it signs (NIP-01, BIP-340).

use std::fmt;

use bitcoin::key::Keypair;
use bitcoin::secp256k1::{Message, Secp256k1, SignOnly, rand};
use serde_json::json;

use crate::domain::{Digest32, NostrEventId, PublicKey32, UnixSeconds, sha256};
use crate::evidence::{NostrEvent, serialize_for_id};

/// Signs events. The key is used and forgotten: never shown, stored or logged.
pub struct NostrPen {
    secp: Secp256k1<SignOnly>,
    keys: Keypair,
}

impl fmt::Debug for NostrPen {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NostrPen").finish_non_exhaustive()
    }
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDraft {
    /// Its kind.
    pub kind: u16,
    /// When, by its author's word.
    pub created_at: UnixSeconds,
    /// Its tags.
    pub tags: Vec<Vec<String>>,
    /// Its content.
    pub content: String,
}

/// A signed event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEvent {
    /// Its id.
    pub id: NostrEventId,
    /// The event as relays take it.
    pub json: String,
}

impl NostrPen {
    /// The key that these 32 bytes are; `None` for what is no secret key.
    pub fn of(secret: &Digest32) -> Option<Self> {
        let secp = Secp256k1::signing_only();
        let keys = Keypair::from_seckey_slice(&secp, secret.as_bytes()).ok()?;
        Some(Self { secp, keys })
    }

    /// A new key.
    pub(super) fn throwaway() -> Self {
        let secp = Secp256k1::signing_only();
        let keys = Keypair::new(&secp, &mut rand::thread_rng());
        Self { secp, keys }
    }

    /// The public key.
    pub fn author(&self) -> PublicKey32 {
        PublicKey32::from_bytes(self.keys.x_only_public_key().0.serialize())
    }

    /// Signs an event.
    pub fn sign(&self, draft: &EventDraft) -> SignedEvent {
        let mut event = NostrEvent {
            id: NostrEventId::from_bytes([0; 32]),
            pubkey: self.author(),
            created_at: draft.created_at,
            kind: draft.kind,
            tags: draft.tags.clone(),
            content: draft.content.clone(),
            sig: [0; 64],
        };
        event.id = NostrEventId(sha256(serialize_for_id(&event).as_bytes()));
        let signature = self.secp.sign_schnorr(&Message::from_digest(*event.id.as_bytes()), &self.keys);
        let value = json!({
            "id": event.id.to_string(), "pubkey": event.pubkey.to_string(), "created_at": event.created_at.0,
            "kind": event.kind, "tags": event.tags, "content": event.content, "sig": signature.to_string(),
        });
        SignedEvent { id: event.id, json: value.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_library_accepts_what_is_signed() {
        use nostr_sdk::JsonUtil as _;
        let three = Digest32::from_hex(&format!("{:064x}", 3)).unwrap();
        let pen = NostrPen::of(&three).unwrap();
        // The first vector of BIP-340: secret 3.
        let public = "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9";
        assert_eq!(pen.author().to_string(), public);
        let content = "{\"a\":\"\\u0001 \u{e9} \u{7f}\"}\n\t\u{8}\u{1f}";
        let tags = vec![vec!["d".to_owned(), "x \"quoted\"".to_owned()], vec!["e".to_owned()]];
        let draft = EventDraft { kind: 30_078, created_at: UnixSeconds(5), tags, content: content.to_owned() };
        let signed = pen.sign(&draft);
        let event = nostr_sdk::Event::from_json(&signed.json).unwrap();
        event.verify().unwrap();
        assert_eq!((event.id.to_hex(), event.content.as_str()), (signed.id.to_string(), content));
        assert!(NostrPen::of(&Digest32::default()).is_none());
        assert!(!format!("{pen:?}").contains("keys"));
    }
}
