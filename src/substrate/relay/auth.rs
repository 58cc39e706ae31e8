//! Answers to challenges (NIP-42), only for those who configured a key.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::super::SourceError;
use super::super::limits::AUTH_KEY_BYTES_MAX;
use super::RelayAuth;
use super::author::{EventDraft, NostrPen};
use crate::domain::{Digest32, UnixSeconds};

/// Kind of an authentication event.
const KIND: u16 = 22_242;

/// A key, and the relay it speaks to.
pub(super) struct Auth {
    pen: NostrPen,
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
        let pen = match plan {
            RelayAuth::Throwaway => NostrPen::throwaway(),
            RelayAuth::KeyFile(path) => {
                let bad = || SourceError::Misconfigured {
                    what: "key file without a key",
                    address: path.display().to_string(),
                };
                let secret = Digest32::from_hex(read(path)?.trim()).map_err(|_| bad())?;
                NostrPen::of(&secret).ok_or_else(bad)?
            }
        };
        Ok(Self { pen, relay: relay.to_owned() })
    }

    /// The AUTH message for a challenge.
    pub(super) fn answer(&self, challenge: &str) -> Option<String> {
        answer(&self.pen, &self.relay, challenge)
    }
}

/// The AUTH message for a challenge of that relay.
pub(super) fn answer(pen: &NostrPen, relay: &str, challenge: &str) -> Option<String> {
    let tag = |name: &str, value: &str| vec![name.to_owned(), value.to_owned()];
    let tags = vec![tag("relay", relay), tag("challenge", challenge)];
    let event = pen.sign(&EventDraft { kind: KIND, created_at: now()?, tags, content: String::new() });
    // A signed event is JSON already.
    Some(format!("[\"AUTH\",{}]", event.json))
}

#[expect(clippy::disallowed_methods, reason = "relays refuse answers that are not dated now; nothing else reads it")]
fn now() -> Option<UnixSeconds> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok().map(UnixSeconds)
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
            Auth::new(&plan, "wss://relay.example").map(|auth| auth.pen.author().to_string())
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
