//! The relay information document (NIP-11): hints, none of which is believed where a page shows otherwise.

use serde::Deserialize;

use crate::domain::{Digest32, sha256};

/// Our reconciliation messages, before hex: below what the strictest relays of the field take (CAPTURE 2.1).
const FRAME_BYTES: u64 = 60_000;
/// The protocol allows no smaller limit.
const FRAME_BYTES_MIN: u64 = 4_096;
/// Ids in one question (CAPTURE 2.5).
const IDS_MAX: u64 = 100;

/// What a relay says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Information {
    /// SHA-256 of the document as received.
    pub(super) digest: Option<Digest32>,
    /// Its page cap.
    pub(super) max_limit: Option<u64>,
    max_message_length: Option<u64>,
    nips: Option<Vec<u64>>,
}

impl Information {
    /// Reads a document; members of a wrong type are passed over, because half of a document is better than none.
    pub(super) fn read(bytes: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Document {
            #[serde(default)]
            limitation: serde_json::Value,
            #[serde(default)]
            supported_nips: serde_json::Value,
        }
        let digest = Some(sha256(bytes));
        let Ok(document) = serde_json::from_slice::<Document>(bytes) else {
            return Self { digest, ..Self::default() };
        };
        let limit = |name: &str| document.limitation.get(name)?.as_u64().filter(|value| *value > 0);
        let nips = document.supported_nips.as_array();
        Self {
            digest,
            max_limit: limit("max_limit"),
            max_message_length: limit("max_message_length"),
            nips: nips.map(|nips| nips.iter().filter_map(serde_json::Value::as_u64).collect()),
        }
    }

    /// True when it says that it knows the NIP.
    pub(super) fn claims(&self, nip: u64) -> bool {
        self.nips.as_ref().is_some_and(|nips| nips.contains(&nip))
    }

    /// True when it lists what it knows, and this is not in the list.
    pub(super) fn lacks(&self, nip: u64) -> bool {
        self.nips.as_ref().is_some_and(|nips| !nips.contains(&nip))
    }

    /// Largest reconciliation message of ours, before hex.
    pub(super) fn frame_bytes(&self) -> u64 {
        // Hex doubles, and the frame around it is small.
        let room = self.max_message_length.map_or(FRAME_BYTES, |length| length.saturating_sub(1_024) / 2);
        room.clamp(FRAME_BYTES_MIN, FRAME_BYTES)
    }

    /// The longest message that it takes, when it says so.
    pub(super) fn message_bytes(&self) -> Option<u64> {
        self.max_message_length
    }

    /// How many ids one question may name.
    pub(super) fn ids_per_question(&self) -> usize {
        // 64 digits, quotes and a comma.
        let room = self.max_message_length.map_or(IDS_MAX, |length| length.saturating_sub(256) / 67);
        usize::try_from(room.clamp(1, IDS_MAX)).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_nonsense_is_passed_over() {
        let text = br#"{"supported_nips":[1,11,"x",77],"limitation":{"max_limit":7,"max_message_length":2000}}"#;
        let read = Information::read(text);
        assert_eq!((read.max_limit, read.digest), (Some(7), Some(sha256(text))));
        assert!(read.claims(77) && !read.claims(45) && read.lacks(45) && !read.lacks(77));
        assert_eq!((read.frame_bytes(), read.ids_per_question()), (4_096, 26));
        for text in ["", "[]", "{}", r#"{"limitation":7}"#, r#"{"limitation":{"max_limit":0}}"#] {
            let read = Information::read(text.as_bytes());
            assert_eq!((read.max_limit, read.claims(77), read.lacks(77)), (None, false, false), "{text}");
            assert_eq!((read.frame_bytes(), read.ids_per_question()), (60_000, 100), "{text}");
        }
    }
}
