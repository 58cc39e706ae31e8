//! SHA-256 digests, plain and domain-separated.

use std::fmt;
use std::str::FromStr;

use bitcoin::hashes::{Hash as _, sha256 as engine};
use sha2::{Digest as _, Sha256};

use super::id::HexError;

/// A 32-byte digest, printed as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest32(pub [u8; 32]);

impl Digest32 {
    /// The digest's bytes in the order they are hashed.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hex digits of either case.
    ///
    /// # Errors
    /// [`HexError`] when the text is not exactly 64 hex digits.
    pub fn from_hex(text: &str) -> Result<Self, HexError> {
        super::id::decode_hex(text).map(Self)
    }

    /// The lower-case hex form.
    pub fn to_hex(&self) -> String {
        faster_hex::hex_string(&self.0)
    }
}

impl fmt::Display for Digest32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        f.write_str(faster_hex::hex_encode(&self.0, &mut digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest32 {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        Self::from_hex(text)
    }
}

impl serde::Serialize for Digest32 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> serde::Deserialize<'de> for Digest32 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Messages from here on are hashed by `sha2`, which takes blocks where they lie: a message of 1 to 2 kB, as events are, in three
/// quarters of the time.
const LONG: usize = 256;

/// Single-round SHA-256 of the bytes.
pub fn sha256(bytes: &[u8]) -> Digest32 {
    if bytes.len() >= LONG {
        return Digest32(Sha256::digest(bytes).into());
    }
    // Compiled and optimised in its own crate. What is generic over digests is compiled in this one, and would take a debug
    // build, which hashes every header of a chain, fifteen times as long.
    Digest32(engine::Hash::hash(bytes).to_byte_array())
}

/// Single-round SHA-256 of bytes that come in parts and are not kept. How they are cut does not matter.
#[derive(Clone, Default)]
pub struct Sha256Stream(Sha256);

impl fmt::Debug for Sha256Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it took may be a secret.
        f.write_str("Sha256Stream { .. }")
    }
}

impl Sha256Stream {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Ends the digest.
    pub fn finish(self) -> Digest32 {
        Digest32(self.0.finalize().into())
    }
}

/// SHA-256 with domain separation: the tag and every field are length-prefixed (u64, big-endian).
///
/// No two different sequences of fields, and no two different tags, can feed the same bytes to the hash. The exact
/// construction is specified in `docs/state-root.md`, section 1.
#[derive(Clone)]
pub struct TaggedHasher(Sha256);

impl fmt::Debug for TaggedHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaggedHasher { .. }")
    }
}

impl TaggedHasher {
    /// Starts a digest under the tag, for example `reledger/evidence/1`.
    pub fn new(tag: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.field(tag.as_bytes());
        hasher
    }

    /// Adds one length-prefixed field.
    pub fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// Ends the digest.
    pub fn finish(self) -> Digest32 {
        Digest32(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_agrees_with_fips_180_4() {
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        for (message, digest) in [
            (b"".as_slice(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (two_blocks, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
        ] {
            assert_eq!(sha256(message).to_hex(), digest);
        }
    }

    #[test]
    fn a_million_bytes_have_their_digest_however_they_are_cut() {
        let message = vec![b'a'; 1_000_000];
        for cut in [1_000_000, 4_099, 64, 63] {
            let mut stream = Sha256Stream::default();
            message.chunks(cut).for_each(|part| stream.update(part));
            let expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
            assert_eq!(stream.finish().to_hex(), expected, "cut at {cut}");
        }
    }

    #[test]
    fn moving_a_byte_between_fields_changes_the_digest() {
        let digest = |a: &[u8], b: &[u8]| {
            let mut hasher = TaggedHasher::new("t");
            hasher.field(a).field(b);
            hasher.finish()
        };
        assert_ne!(digest(b"ab", b"c"), digest(b"a", b"bc"));
        assert_eq!(digest(b"ab", b"c"), digest(b"ab", b"c"));
    }
}
