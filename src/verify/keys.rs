//! The key ring: which key a `kid` names, and in which host's set it was published.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::VerifyingKey;

use super::KnownKey;
use crate::domain::{Code, EvidenceId, Finding, KeyId, PublicKey32, Subject};
use crate::evidence::KeySet;

/// Keys by kid; each with the captures that show it.
type Published = BTreeMap<KeyId, BTreeMap<PublicKey32, BTreeSet<EvidenceId>>>;

/// All captured key sets together. The order in which they are added does not matter.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    envelope: Published,
    auth: Published,
    other: BTreeMap<KeyId, BTreeSet<String>>,
    /// Those of the envelope host's keys that are points of the curve, in order of their bytes: parsed once, for all envelopes.
    points: BTreeMap<KeyId, Vec<VerifyingKey>>,
}

/// What the ring knows about a kid that an envelope names.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyLookup<'r> {
    /// Those of the envelope host's keys that are points of the curve; more than one only after a `KEY_SET_REWRITTEN`.
    Envelope(&'r [VerifyingKey]),
    /// Published by the auth host only (KEY_WRONG_SET).
    AuthOnly,
    /// Published by the envelope host with another algorithm or curve only (KEY_ALG).
    Other(&'r BTreeSet<String>),
    /// In no captured set (KEY_UNKNOWN).
    Unknown,
}

impl KeyRing {
    /// Adds a captured set.
    pub fn add(&mut self, set: &KeySet, capture: EvidenceId) {
        let published = if set.auth { &mut self.auth } else { &mut self.envelope };
        for (kid, key) in &set.keys {
            published.entry(kid.clone()).or_default().entry(*key).or_default().insert(capture);
        }
        if !set.auth {
            for (kid, offer) in &set.other {
                self.other.entry(kid.clone()).or_default().insert(offer.clone());
            }
            for kid in set.keys.iter().map(|(kid, _)| kid) {
                let keys = self.envelope.get(kid).into_iter().flat_map(BTreeMap::keys);
                let points = keys.filter_map(|key| VerifyingKey::from_bytes(key.as_bytes()).ok()).collect();
                self.points.insert(kid.clone(), points);
            }
        }
    }

    /// The keys that sign envelopes, and nothing else of the ring: enough to check signatures, too little to judge.
    pub fn signers(&self) -> Vec<(KeyId, PublicKey32)> {
        let of = |(kid, keys): (&KeyId, &BTreeMap<PublicKey32, BTreeSet<EvidenceId>>)| {
            keys.keys().map(|key| (kid.clone(), *key)).collect::<Vec<_>>()
        };
        self.envelope.iter().flat_map(of).collect()
    }

    /// A ring of [`Self::signers`].
    pub fn of_signers(signers: impl IntoIterator<Item = (KeyId, PublicKey32)>) -> Self {
        let mut ring = Self::default();
        for (kid, key) in signers {
            ring.envelope.entry(kid).or_default().entry(key).or_default();
        }
        ring
    }

    /// Looks a kid up for an envelope.
    pub fn lookup(&self, kid: &KeyId) -> KeyLookup<'_> {
        if let Some(keys) = self.points.get(kid) {
            return KeyLookup::Envelope(keys);
        }
        if let Some(offers) = self.other.get(kid) {
            return KeyLookup::Other(offers);
        }
        if self.auth.contains_key(kid) { KeyLookup::AuthOnly } else { KeyLookup::Unknown }
    }

    /// Kids published with an unusable algorithm only.
    pub fn unusable(&self) -> impl Iterator<Item = &KeyId> {
        self.other.keys().filter(|kid| !self.envelope.contains_key(kid))
    }

    /// Every usable kid with a key. Of a rewritten kid the lowest key stands here, and the finding tells of the others.
    pub fn known(&self) -> BTreeMap<KeyId, KnownKey> {
        let mut known = BTreeMap::new();
        for (published, auth) in [(&self.auth, true), (&self.envelope, false)] {
            for (kid, keys) in published {
                let Some((key, _)) = keys.first_key_value() else { continue };
                let entry = known.entry(kid.clone()).or_insert(KnownKey { key: *key, envelope: false, auth: false });
                // The envelope host's key is the one that counts for envelopes.
                entry.key = *key;
                entry.auth |= auth;
                entry.envelope |= !auth;
            }
        }
        known
    }

    /// `KEY_SET_REWRITTEN` for every kid that one class of host has published with two keys.
    pub fn findings(&self) -> Vec<Finding> {
        let classes = [("envelope", &self.envelope), ("auth", &self.auth)];
        let rewritten = classes.into_iter().flat_map(|(class, published)| {
            published.iter().filter(|(_, keys)| keys.len() > 1).map(move |(kid, keys)| rewritten(class, kid, keys))
        });
        rewritten.collect()
    }
}

fn rewritten(class: &str, kid: &KeyId, keys: &BTreeMap<PublicKey32, BTreeSet<EvidenceId>>) -> Finding {
    let observed: Vec<String> = keys.keys().map(PublicKey32::to_string).collect();
    let finding = Finding::new(Code::KeySetRewritten, Subject::new("kid", kid).and("set", class))
        .with_values("one key for ever", observed.join(" "))
        .with_explanation("captures of this key set show different keys under one kid");
    keys.values()
        .filter_map(BTreeSet::first)
        .fold(finding, |finding, capture| finding.with_evidence(*capture, "key-set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(auth: bool, host: &str, keys: &[(&str, u8)]) -> KeySet {
        let keys = keys.iter().map(|(kid, key)| (KeyId::from(*kid), PublicKey32::from_bytes([*key; 32])));
        KeySet { auth, host: host.to_owned(), keys: keys.collect(), other: Vec::new() }
    }

    fn capture(number: u8) -> EvidenceId {
        EvidenceId::from_bytes([number; 32])
    }

    #[test]
    fn a_kid_with_two_keys_in_one_class_was_rewritten() {
        let mut ring = KeyRing::default();
        ring.add(&set(false, "me", &[("a", 1), ("b", 2)]), capture(1));
        ring.add(&set(false, "me", &[("a", 3), ("b", 2)]), capture(2));
        let findings = ring.findings();
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].code, findings[0].subject.get("kid")), (Code::KeySetRewritten, Some("a")));
        assert_eq!(findings[0].evidence.len(), 2);
        assert!(matches!(ring.lookup(&"a".into()), KeyLookup::Envelope(keys) if keys.len() == 2));
    }

    #[test]
    fn one_kid_in_both_classes_is_no_rewriting() {
        let mut ring = KeyRing::default();
        ring.add(&set(false, "me", &[("a", 1)]), capture(1));
        ring.add(&set(true, "auth", &[("a", 2), ("z", 9)]), capture(2));
        ring.add(&set(false, "mirror", &[("a", 1)]), capture(3));
        assert_eq!(ring.findings(), []);
        let known = ring.known();
        assert_eq!(known[&"a".into()], KnownKey { key: PublicKey32::from_bytes([1; 32]), envelope: true, auth: true });
        assert_eq!(ring.lookup(&"z".into()), KeyLookup::AuthOnly);
        assert_eq!(ring.lookup(&"y".into()), KeyLookup::Unknown);
    }
}
