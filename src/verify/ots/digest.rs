//! The digest of a file as a detached proof names it.

use bitcoin::hashes::{Hash as _, HashEngine as _, ripemd160, sha1};
use sha2::{Digest as _, Sha256};

use crate::evidence::ots::FileHash;

/// A file's bytes on their way into a digest.
pub struct FileDigest(Engine);

enum Engine {
    Sha1(sha1::HashEngine),
    Ripemd160(ripemd160::HashEngine),
    Sha256(Sha256),
}

impl FileDigest {
    /// Of no bytes yet.
    pub fn new(hash: FileHash) -> Self {
        Self(match hash {
            FileHash::Sha1 => Engine::Sha1(sha1::Hash::engine()),
            FileHash::Ripemd160 => Engine::Ripemd160(ripemd160::Hash::engine()),
            FileHash::Sha256 => Engine::Sha256(Sha256::new()),
        })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Engine::Sha1(engine) => engine.input(bytes),
            Engine::Ripemd160(engine) => engine.input(bytes),
            Engine::Sha256(engine) => engine.update(bytes),
        }
    }

    /// The digest: 20 or 32 bytes.
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            Engine::Sha1(engine) => sha1::Hash::from_engine(engine).to_byte_array().to_vec(),
            Engine::Ripemd160(engine) => ripemd160::Hash::from_engine(engine).to_byte_array().to_vec(),
            Engine::Sha256(engine) => engine.finalize().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4 and the RIPEMD-160 paper: the digests of "abc".
    #[test]
    fn digests_agree_with_published_vectors_however_the_bytes_come() {
        for (hash, expected) in [
            (FileHash::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (FileHash::Ripemd160, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
            (FileHash::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            let mut digest = FileDigest::new(hash);
            digest.update(b"a");
            digest.update(b"bc");
            assert_eq!(faster_hex::hex_string(&digest.finish()), expected);
        }
    }
}
