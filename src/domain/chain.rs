//! Bitcoin heights and hashes, and the instant a state is rebuilt for.

use std::fmt;
use std::str::FromStr;

use super::digest::Digest32;
use super::id::HexError;
use super::time::UnixSeconds;

/// Height of a block; genesis is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct BlockHeight(pub u32);

impl fmt::Display for BlockHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! reversed_hash {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            /// Prints byte-reversed, as block explorers and Bitcoin Core do.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut reversed = self.0;
                reversed.reverse();
                fmt::Display::fmt(&Digest32(reversed), f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
        impl FromStr for $name {
            type Err = HexError;
            fn from_str(text: &str) -> Result<Self, HexError> {
                let mut bytes = Digest32::from_hex(text)?.0;
                bytes.reverse();
                Ok(Self(bytes))
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

reversed_hash!(
    /// Double SHA-256 of an 80-byte header, in internal byte order.
    BlockHash
);
reversed_hash!(
    /// The Merkle root field of a header (bytes 36..68), in internal byte order.
    MerkleRootHash
);

/// The best known block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Tip {
    /// Its height.
    pub height: BlockHeight,
    /// Its hash.
    pub hash: BlockHash,
    /// Its own timestamp (BIP-0113 allows it to be off by hours).
    pub time: UnixSeconds,
}

/// The instant that ledgers are rebuilt for. Nothing later counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AsOf {
    /// Facts claimed after this time are not counted.
    pub time: UnixSeconds,
    /// The best header known, if any.
    pub tip: Option<Tip>,
}
