//! Coefficients that nobody who makes signatures can choose: hashes of all of them.

use crate::domain::{Sha256Stream, TaggedHasher};

/// Takes in a batch, and gives 128-bit numbers that depend on every byte of it.
#[derive(Debug)]
pub(super) struct Coefficients {
    /// The digest of the whole batch.
    seed: [u8; 32],
    counter: u64,
    spare: Option<u128>,
}

impl Coefficients {
    /// Begins the stream that belongs to these parts, in this order, under the tag of a scheme.
    pub(super) fn of<'a>(tag: &str, parts: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut hasher = TaggedHasher::new(tag);
        for part in parts {
            hasher.field(part);
        }
        Self { seed: *hasher.finish().as_bytes(), counter: 0, spare: None }
    }

    /// The next number. Two come out of one digest.
    pub(super) fn draw(&mut self) -> u128 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let mut hasher = Sha256Stream::default();
        hasher.update(&self.seed);
        hasher.update(&self.counter.to_be_bytes());
        self.counter += 1;
        let digest = hasher.finish();
        let (left, right) = digest.as_bytes().split_at(16);
        self.spare = Some(number(right));
        number(left)
    }
}

fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}
