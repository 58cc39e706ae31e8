//! Answers to challenges (NIP-42), only for those who configured a key.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bitcoin::key::Keypair;
use bitcoin::secp256k1::{Message, Secp256k1, SignOnly, rand};
use serde_json::json;

use super::super::SourceError;
use super::super::limits::AUTH_KEY_BYTES_MAX;
use super::RelayAuth;
use crate::domain::{Digest32, sha256};

/// Kind of an authentication event.
const KIND: u16 = 22_242;

/// A key, and the relay it speaks to.
pub(super) struct Auth {
    secp: Secp256k1<SignOnly>,
    keys: Keypair,
    relay: String,
}

impl fmt::Debug for Auth {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("relay", &self.relay).finish_non_exhaustive()
    }
}

impl Auth {
    /// Reads or makes the key.
    ///
    /// # Errors
    /// [`SourceError::Exposed`] for a key file that others can read, [`SourceError::Misconfigured`] for one without a
    /// key in hex.
    pub(super) fn new(plan: &RelayAuth, relay: &str) -> Result<Self, SourceError> {
        let secp = Secp256k1::signing_only();
        let keys = match plan {
            RelayAuth::Throwaway => Keypair::new(&secp, &mut rand::thread_rng()),
            RelayAuth::KeyFile(path) => {
                let bad = || SourceError::Misconfigured {
                    what: "key file without a key",
                    address: path.display().to_string(),
                };
                let secret = Digest32::from_hex(read(path)?.trim()).map_err(|_| bad())?;
                Keypair::from_seckey_slice(&secp, secret.as_bytes()).map_err(|_| bad())?
            }
        };
        Ok(Self { secp, keys, relay: relay.to_owned() })
    }

    /// The AUTH message for a challenge.
    pub(super) fn answer(&self, challenge: &str) -> Option<String> {
        let public = self.keys.x_only_public_key().0.to_string();
        let tags = json!([["relay", self.relay], ["challenge", challenge]]);
        let created_at = now()?;
        let id = sha256(json!([0, public, created_at, KIND, tags, ""]).to_string().as_bytes());
        let signature = self.secp.sign_schnorr(&Message::from_digest(id.0), &self.keys);
        let event = json!({
            "id": id.to_hex(), "pubkey": public, "created_at": created_at, "kind": KIND, "tags": tags, "content": "",
            "sig": signature.to_string(),
        });
        Some(json!(["AUTH", event]).to_string())
    }
}

#[expect(clippy::disallowed_methods, reason = "relays refuse answers that are not dated now; nothing else reads it")]
fn now() -> Option<u64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().map(|since| since.as_secs())
}

fn read(path: &Path) -> Result<String, SourceError> {
    let shown = || path.display().to_string();
    let io = |source| SourceError::Io { path: shown(), source };
    let file = File::open(path).map_err(io)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The opened file is judged, not the path: it can't be swapped in between.
        if file.metadata().map_err(io)?.permissions().mode() & 0o077 != 0 {
            return Err(SourceError::Exposed { file: shown() });
        }
    }
    let mut text = String::new();
    file.take(AUTH_KEY_BYTES_MAX).read_to_string(&mut text).map_err(io)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_library_accepts_the_answer() {
        use nostr_sdk::JsonUtil as _;
        let auth = Auth::new(&RelayAuth::Throwaway, "wss://relay.example/").unwrap();
        let challenge = "a \"quoted\" \u{e9}\u{1f}\u{7f} challenge";
        let message: Vec<serde_json::Value> = serde_json::from_str(&auth.answer(challenge).unwrap()).unwrap();
        assert_eq!(message[0], "AUTH");
        let event = nostr_sdk::Event::from_json(message[1].to_string()).unwrap();
        event.verify().unwrap();
        assert_eq!(event.kind.as_u16(), 22_242);
        let tags: Vec<Vec<String>> = event.tags.iter().map(|tag| tag.clone().to_vec()).collect();
        let expected = [["relay", "wss://relay.example/"], ["challenge", challenge]];
        assert_eq!(tags, expected.map(|tag| tag.map(str::to_owned).to_vec()));
        assert!(!format!("{auth:?}").contains("keys"));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused_and_so_is_what_is_no_key() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        let plan = RelayAuth::KeyFile(file.clone());
        let load = |text: &str, mode: u32| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            Auth::new(&plan, "wss://relay.example").map(|auth| auth.keys.x_only_public_key().0.to_string())
        };
        // The first vector of BIP-340: secret 3.
        let public = "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9";
        assert_eq!(load(&format!("{:064x}\n", 3), 0o600).unwrap(), public);
        for mode in [0o640, 0o604, 0o620] {
            assert!(matches!(load(&format!("{:064x}", 3), mode), Err(SourceError::Exposed { .. })), "{mode:o}");
        }
        for text in ["", "nsec1", &"0".repeat(64), &"f".repeat(64), &"1".repeat(63)] {
            assert!(matches!(load(text, 0o600), Err(SourceError::Misconfigured { .. })), "{text}");
        }
    }
}
