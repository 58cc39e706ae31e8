//! The world's own pens: whoever makes a world dishonest has to sign what they change.

use bitcoin::key::Keypair;

use super::keys::{KeyMaker, Wallet, key_set, npub};
use super::nostr::{Draft, SimEvent, sign};
use super::world::World;

/// Signs with any key of a world, or with keys that nobody published. A label names a key: `env-2026-05`, `env-2026-07`
/// and `env-2026-08` (envelopes), `auth-2026-01`, `settlement`, `service` (the operator's Nostr key), `wallet N` (user N).
pub struct Hand(KeyMaker);

impl World {
    /// The pens of this world.
    pub fn hand(&self) -> Hand {
        Hand(KeyMaker::new(self.seed))
    }
}

impl Hand {
    /// The Ed25519 signature over the bytes, 128 hex digits.
    pub fn ed25519(&self, label: &str, bytes: &[u8]) -> String {
        self.0.ed25519(label).sign(bytes)
    }

    /// The Ed25519 public key, 64 hex digits.
    pub fn ed25519_public(&self, label: &str) -> String {
        self.0.ed25519(label).public_hex()
    }

    /// A key set of these Ed25519 keys, each under its label (RFC 7517).
    pub fn key_set(&self, labels: &[&str]) -> String {
        let keys: Vec<_> = labels.iter().map(|label| self.0.ed25519(label)).collect();
        key_set(&keys.iter().collect::<Vec<_>>())
    }

    /// A Nostr event by that key (NIP-01, BIP-340); `created_at` in Unix seconds.
    pub fn event(&self, label: &str, kind: u16, created_at: i64, tags: Vec<Vec<String>>, content: String) -> SimEvent {
        sign(&self.0.secp, &self.pair(label), Draft { kind, created_at, tags, content })
    }

    /// The P2WPKH address of that key.
    pub fn address(&self, label: &str) -> String {
        Wallet::segwit(self.pair(label)).address
    }

    /// The `npub` of that key (NIP-19).
    pub fn npub(&self, label: &str) -> String {
        npub(&self.pair(label))
    }

    /// A BIP-322 simple signature by that key's P2WPKH address.
    pub fn message(&self, label: &str, message: &str) -> String {
        Wallet::segwit(self.pair(label)).sign_message(&self.0.secp, message)
    }

    fn pair(&self, label: &str) -> Keypair {
        self.0.keypair(label)
    }
}
