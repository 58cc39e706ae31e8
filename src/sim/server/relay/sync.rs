//! Set reconciliation (NIP-77, Negentropy protocol v1), the relay's side.

use negentropy::{Id, Negentropy, NegentropyStorageVector};

use crate::sim::nostr::SimEvent;

/// Largest answer in bytes; a longer one is finished in the next round.
const FRAME_BYTES: u64 = 60_000;

/// The relay's set of one reconciliation.
#[derive(Debug)]
pub(super) struct Reconciliation(NegentropyStorageVector);

impl Reconciliation {
    pub(super) fn over<'a>(events: impl Iterator<Item = &'a SimEvent>) -> Self {
        let mut storage = NegentropyStorageVector::new();
        for event in events {
            // Negentropy knows no time before 1970; what can't be put in is missing, as on any relay.
            if let Ok(at) = u64::try_from(event.created_at.0) {
                // An insertion fails only after the sealing below.
                let _ = storage.insert(at, Id::from_byte_array(*event.id.0.as_bytes()));
            }
        }
        let _ = storage.seal();
        Self(storage)
    }

    /// The answer to one message, both in hex; or why there is none.
    pub(super) fn answer(&self, hex: &str) -> Result<String, String> {
        let mut message = vec![0; hex.len() / 2];
        faster_hex::hex_decode(hex.as_bytes(), &mut message).map_err(|_| "invalid: not hex".to_owned())?;
        let refused = |error: negentropy::Error| format!("invalid: {error}");
        let mut side = Negentropy::borrowed(&self.0, FRAME_BYTES).map_err(refused)?;
        side.reconcile(&message).map(|bytes| faster_hex::hex_string(&bytes)).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        let empty = Reconciliation::over(std::iter::empty());
        for hex in ["", "6", "zz", "00"] {
            assert!(empty.answer(hex).is_err_and(|reason| reason.starts_with("invalid: ")), "{hex}");
        }
        assert_eq!(empty.answer("61"), Ok("61".to_owned()), "two empty sets are equal");
    }
}
