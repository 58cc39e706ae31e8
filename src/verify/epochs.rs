//! The pinned table of mainnet difficulty epochs: 17 KB against which headers can be judged without a whole chain
//! (OTS 4.3).
//!
//! `data/mainnet_epochs.bin` holds 473 rows of 36 bytes: the hash of the epoch's last header in internal byte order,
//! then the compact target of the *next* epoch, little-endian. It was derived from Electrum's mainnet checkpoints (MIT)
//! and agrees with bitcoinj's (Apache-2.0); the tests of this file derive it again from both.

use crate::domain::{BlockHash, BlockHeight};

/// Headers between two retargets.
pub(in crate::verify) const EPOCH_LEN: u32 = 2_016;

/// Compact target of the first epoch, the easiest that mainnet ever allows.
pub(in crate::verify) const MAINNET_POW_LIMIT: u32 = 0x1d00_ffff;

const ROW: usize = 36;
const TABLE: &[u8; 473 * ROW] = include_bytes!("data/mainnet_epochs.bin");

/// What the table says about one epoch.
pub(in crate::verify) struct PinnedEpoch {
    /// Height of its last header.
    pub(in crate::verify) last_height: BlockHeight,
    /// Hash of its last header.
    pub(in crate::verify) last_hash: BlockHash,
}

/// Every pinned epoch, lowest first.
pub(in crate::verify) fn all() -> impl Iterator<Item = PinnedEpoch> {
    let (rows, _) = TABLE.as_chunks::<ROW>();
    (1_u32..)
        .zip(rows)
        .map(|(count, row)| PinnedEpoch { last_height: BlockHeight(count * EPOCH_LEN - 1), last_hash: hash_of(row) })
}

/// The compact target that the table demands at that height.
pub(in crate::verify) fn bits_at(height: BlockHeight) -> Option<u32> {
    match height.0 / EPOCH_LEN {
        0 => Some(MAINNET_POW_LIMIT),
        epoch => row(epoch - 1).map(bits_of),
    }
}

/// The hash that the table demands at that height; only an epoch's last header has one.
pub(in crate::verify) fn hash_at(height: BlockHeight) -> Option<BlockHash> {
    let next = height.0.checked_add(1)?;
    next.is_multiple_of(EPOCH_LEN).then(|| row(height.0 / EPOCH_LEN).map(hash_of))?
}

/// The compact target of the last epoch that the table knows.
pub(in crate::verify) fn last_bits() -> u32 {
    TABLE.as_chunks::<ROW>().0.last().map_or(MAINNET_POW_LIMIT, bits_of)
}

fn row(epoch: u32) -> Option<&'static [u8; ROW]> {
    TABLE.as_chunks::<ROW>().0.get(usize::try_from(epoch).ok()?)
}

fn hash_of(row: &[u8; ROW]) -> BlockHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(&row[..32]);
    BlockHash(hash)
}

fn bits_of(row: &[u8; ROW]) -> u32 {
    u32::from_le_bytes([row[32], row[33], row[34], row[35]])
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use bitcoin::{CompactTarget, Target};

    use super::*;

    fn fixture(name: &str) -> String {
        let path = format!("{}/fixtures/ots/headers/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }

    /// A decimal of up to 78 digits as 32 big-endian bytes: JSON readers would round it to a double.
    fn big_endian(decimal: &str) -> [u8; 32] {
        let mut number = [0_u8; 32];
        for digit in decimal.bytes() {
            let mut carry = u32::from(digit - b'0');
            for byte in number.iter_mut().rev() {
                carry += u32::from(*byte) * 10;
                *byte = carry.to_le_bytes()[0];
                carry >>= 8;
            }
            assert_eq!(carry, 0, "{decimal} fits 256 bits");
        }
        number
    }

    #[test]
    fn the_table_is_electrums_checkpoint_list() {
        let text: String = fixture("electrum.mainnet.checkpoints.json").split_whitespace().collect();
        let rows: Vec<&str> = text.trim_matches(['[', ']']).split("],[").collect();
        let mut table = Vec::new();
        for row in rows {
            let (hash, target) = row.split_once(',').unwrap();
            table.extend(hash.trim_matches('"').parse::<BlockHash>().unwrap().0);
            let target = Target::from_be_bytes(big_endian(target));
            table.extend(target.to_compact_lossy().to_consensus().to_le_bytes());
        }
        assert_eq!(table, TABLE);
    }

    #[test]
    fn the_table_agrees_with_bitcoinjs_checkpoints() {
        let text = fixture("bitcoinj.mainnet.checkpoints.txt");
        let mut compared = 0;
        for line in text.lines().skip(3) {
            // 12 bytes of chain work, 4 of height, the 80-byte header.
            let block = base64::engine::general_purpose::STANDARD_NO_PAD.decode(line).unwrap();
            let height = BlockHeight(u32::from_be_bytes(block[12..16].try_into().unwrap()));
            let header = &block[16..];
            assert_eq!(header.len(), 80);
            assert_eq!(hash_at(BlockHeight(height.0 - 1)).unwrap().0, header[4..36]);
            assert_eq!(bits_at(height).unwrap().to_le_bytes(), header[72..76]);
            compared += 1;
        }
        assert_eq!(compared, 436);
    }

    #[test]
    fn only_known_epochs_are_pinned() {
        assert_eq!(hash_at(BlockHeight(2_014)), None);
        assert_eq!(hash_at(BlockHeight(2_016)), None);
        assert_eq!(all().last().unwrap().last_height, BlockHeight(953_567));
        assert!(hash_at(BlockHeight(953_567)).is_some());
        assert_eq!(hash_at(BlockHeight(953_567 + EPOCH_LEN)), None);
        assert_eq!(bits_at(BlockHeight(953_568)), Some(last_bits()));
        assert_eq!(bits_at(BlockHeight(953_568 + EPOCH_LEN)), None);
        assert_eq!((hash_at(BlockHeight(u32::MAX)), bits_at(BlockHeight(u32::MAX))), (None, None));
        assert!(Target::from_compact(CompactTarget::from_consensus(last_bits())) < Target::MAX);
    }
}
