//! NIP-01 events: serialisation, id, BIP-340 signature.

use std::collections::BTreeMap;

use bitcoin::key::Keypair;
use bitcoin::secp256k1::{All, Message, Secp256k1, XOnlyPublicKey, schnorr};

use super::json::{Object, array, quoted, texts};
use super::keys::{schnorr_hex, x_only_hex};
use crate::domain::{NostrEventId, UnixSeconds, sha256};

/// A signed NIP-01 event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimEvent {
    /// sha256 of the serialisation.
    pub id: NostrEventId,
    /// x-only key, 64 hex digits.
    pub pubkey: String,
    /// Claimed time.
    pub created_at: UnixSeconds,
    /// Kind number.
    pub kind: u16,
    /// Tags.
    pub tags: Vec<Vec<String>>,
    /// Content.
    pub content: String,
    /// BIP-340 signature, 128 hex digits.
    pub sig: String,
}

impl SimEvent {
    /// The event as one line of an archive: members in alphabetical order, compact (FORMATS 2.2).
    pub fn line(&self) -> String {
        Object::new()
            .text("content", &self.content)
            .plain("created_at", self.created_at.0)
            .text("id", self.id.to_string())
            .plain("kind", self.kind)
            .text("pubkey", &self.pubkey)
            .text("sig", &self.sig)
            .raw("tags", tags_json(&self.tags))
            .compact()
    }

    /// Reads an event that somebody sends; `None` for what is none. Nothing of it is checked.
    pub(super) fn from_json(value: &serde_json::Value) -> Option<Self> {
        let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        Some(Self {
            id: text("id")?.parse().ok()?,
            pubkey: text("pubkey")?,
            created_at: UnixSeconds(value.get("created_at")?.as_i64()?),
            kind: u16::try_from(value.get("kind")?.as_u64()?).ok()?,
            tags: value.get("tags")?.as_array()?.iter().map(list).collect::<Option<_>>()?,
            content: text("content")?,
            sig: text("sig")?,
        })
    }

    /// True when the id is that of the event, and its author signed it.
    pub(super) fn holds(&self) -> bool {
        let (kind, created_at) = (self.kind, self.created_at.0);
        let draft = Draft { kind, created_at, tags: self.tags.clone(), content: self.content.clone() };
        let Ok(key) = self.pubkey.parse::<XOnlyPublicKey>() else { return false };
        let Ok(sig) = self.sig.parse::<schnorr::Signature>() else { return false };
        let message = Message::from_digest(*self.id.as_bytes());
        draft.id(&self.pubkey) == self.id && Secp256k1::verification_only().verify_schnorr(&sig, &message, &key).is_ok()
    }

    /// What a relay keeps one of: kind, author and `d` of an addressable event (NIP-01).
    pub(super) fn place(&self) -> Option<(u16, &str, &str)> {
        let addressable = (30_000..40_000).contains(&self.kind);
        addressable.then(|| (self.kind, self.pubkey.as_str(), self.tag_values("d").next().unwrap_or_default()))
    }

    /// The values of the tags of that name.
    pub fn tag_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.tags
            .iter()
            .filter(move |tag| tag.first().is_some_and(|first| first == name))
            .filter_map(|tag| tag.get(1).map(String::as_str))
    }
}

/// An event before it is signed.
pub(super) struct Draft {
    pub(super) kind: u16,
    pub(super) created_at: i64,
    pub(super) tags: Vec<Vec<String>>,
    pub(super) content: String,
}

/// A tag from its parts.
pub(super) fn tag<const N: usize>(parts: [&str; N]) -> Vec<String> {
    parts.into_iter().map(str::to_owned).collect()
}

impl Draft {
    /// The id it has under that key: sha256 of the serialisation.
    pub(super) fn id(&self, pubkey: &str) -> NostrEventId {
        let serialised = array([
            "0".to_owned(),
            quoted(pubkey),
            self.created_at.to_string(),
            self.kind.to_string(),
            tags_json(&self.tags),
            quoted(&self.content),
        ]);
        NostrEventId(sha256(serialised.as_bytes()))
    }
}

/// Signs a draft (NIP-01, BIP-340).
pub(super) fn sign(secp: &Secp256k1<All>, pair: &Keypair, draft: Draft) -> SimEvent {
    let pubkey = x_only_hex(pair);
    let id = draft.id(&pubkey);
    SimEvent {
        id,
        sig: schnorr_hex(secp, pair, id.0.0),
        pubkey,
        created_at: UnixSeconds(draft.created_at),
        kind: draft.kind,
        tags: draft.tags,
        content: draft.content,
    }
}

fn tags_json(tags: &[Vec<String>]) -> String {
    array(tags.iter().map(texts))
}

/// A NIP-01 filter.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    ids: Option<Vec<String>>,
    authors: Option<Vec<String>>,
    kinds: Option<Vec<u16>>,
    since: Option<i64>,
    until: Option<i64>,
    /// Single-letter tags and their values.
    tags: BTreeMap<String, Vec<String>>,
    /// Most events asked for.
    pub(super) limit: Option<usize>,
}

impl Filter {
    /// Reads a filter; `None` when it is no object or a member has the wrong type. Unknown members are passed over.
    pub(super) fn from_json(value: &serde_json::Value) -> Option<Self> {
        let mut filter = Self::default();
        for (name, value) in value.as_object()? {
            match name.as_str() {
                "ids" => filter.ids = Some(list(value)?),
                "authors" => filter.authors = Some(list(value)?),
                "kinds" => {
                    let kinds = value.as_array()?.iter().map(|kind| u16::try_from(kind.as_u64()?).ok());
                    filter.kinds = Some(kinds.collect::<Option<_>>()?);
                }
                "since" => filter.since = Some(value.as_i64()?),
                "until" => filter.until = Some(value.as_i64()?),
                "limit" => filter.limit = Some(usize::try_from(value.as_u64()?).unwrap_or(usize::MAX)),
                tag if tag.starts_with('#') => {
                    filter.tags.insert(tag.trim_start_matches('#').to_owned(), list(value)?);
                }
                _ => {}
            }
        }
        Some(filter)
    }

    /// Whether the event is asked for.
    pub(super) fn matches(&self, event: &SimEvent) -> bool {
        let id = event.id.to_string();
        self.ids.as_ref().is_none_or(|ids| ids.contains(&id))
            && self.authors.as_ref().is_none_or(|authors| authors.contains(&event.pubkey))
            && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind))
            && self.since.is_none_or(|since| event.created_at.0 >= since)
            && self.until.is_none_or(|until| event.created_at.0 <= until)
            && self
                .tags
                .iter()
                .all(|(name, wanted)| event.tag_values(name).any(|value| wanted.iter().any(|wanted| wanted == value)))
    }
}

fn list(value: &serde_json::Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::keys::KeyMaker;

    fn event() -> SimEvent {
        let keys = KeyMaker::new(4);
        let tags = vec![tag(["d", "oc-me-event:x"]), tag(["t", "one"])];
        let draft = Draft { kind: 30_087, created_at: 1_780_000_000, tags, content: "a\n\"b\" \u{e9}".to_owned() };
        sign(&keys.secp, &keys.keypair("n"), draft)
    }

    #[test]
    fn another_client_accepts_the_event() {
        use nostr_sdk::JsonUtil as _;
        let read = nostr_sdk::Event::from_json(event().line()).unwrap();
        assert!(read.verify().is_ok());
    }

    #[test]
    fn a_filter_takes_what_it_names_and_nothing_else() {
        let event = event();
        let matches = |text: &str| Filter::from_json(&serde_json::from_str(text).unwrap()).unwrap().matches(&event);
        for text in [
            "{}",
            r##"{"#d":["oc-me-event:x","y"],"kinds":[1,30087]}"##,
            r#"{"since":1780000000,"until":1780000000,"limit":0}"#,
        ] {
            assert!(matches(text), "{text}");
        }
        for text in [
            r#"{"kinds":[30078]}"#,
            r##"{"#d":["oc-me-event:y"]}"##,
            r#"{"since":1780000001}"#,
            r#"{"until":1779999999}"#,
            r#"{"authors":["00"]}"#,
            r#"{"ids":[]}"#,
        ] {
            assert!(!matches(text), "{text}");
        }
        assert!(Filter::from_json(&serde_json::json!({"kinds": ["x"]})).is_none());
        assert!(Filter::from_json(&serde_json::json!([])).is_none());
    }
}
