//! A Bitcoin header chain of its own at the lowest difficulty: times first, then Merkle roots, then work.

use std::collections::BTreeMap;

use bitcoin::hashes::{Hash as _, sha256d};

use super::rng::Rng;
use super::time::{AS_OF, DAY, MINUTE, Millis, START};

/// The easiest target in compact form; every header carries it.
pub(super) const POW_LIMIT_BITS: u32 = 0x207f_ffff;
/// A block counts as final for the calendar when so many follow it. Two more than Bitcoin's customary six.
pub(super) const CONFIRMATIONS: usize = 8;

/// Header times in seconds, by height.
pub(super) struct BlockTimes(Vec<i64>);

impl BlockTimes {
    /// Times from a day before history until shortly before the as-of.
    ///
    /// Spacing averages 604 seconds and its jitter cancels in pairs, so any 2015 spacings last longer than two weeks: each
    /// retarget asks for an easier target than the limit and stays at the limit. Times only rise, which keeps them above
    /// the median of the eleven before.
    pub(super) fn plan(seed: u64) -> Self {
        let mut rng = Rng::new(seed, "block times");
        let end = (AS_OF - 4 * MINUTE) / 1000;
        let mut times = vec![(START - DAY) / 1000];
        let mut last = (START - DAY) / 1000;
        let mut jitter = 0;
        loop {
            jitter = if times.len() % 2 == 1 { rng.range(-540, 540) } else { -jitter };
            last += 604 + jitter;
            if last > end {
                return Self(times);
            }
            times.push(last);
        }
    }

    /// How many headers there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The lowest height whose header is not earlier than `at`; `len()` when there is none.
    pub(super) fn height_from(&self, at: Millis) -> usize {
        self.0.partition_point(|time| time * 1000 < at)
    }

    /// The time of the header at that height.
    pub(super) fn at(&self, height: usize) -> Option<Millis> {
        self.0.get(height).map(|seconds| seconds * 1000)
    }

    /// Whether a block at that height is deep enough to be called final.
    pub(super) fn is_final(&self, height: usize) -> bool {
        height + CONFIRMATIONS < self.0.len()
    }
}

/// Mines the chain. `roots` holds the Merkle roots of blocks that anchor something; all others get one of their own.
pub(super) fn mine(seed: u64, times: &BlockTimes, roots: &BTreeMap<usize, [u8; 32]>) -> Vec<[u8; 80]> {
    let salt = Rng::new(seed, "merkle roots").bytes::<32>();
    let mut headers = Vec::with_capacity(times.len());
    let mut previous = [0_u8; 32];
    for (height, time) in times.0.iter().enumerate() {
        let root = roots.get(&height).copied().unwrap_or_else(|| filler(&salt, height));
        let (header, hash) = mine_one(&previous, &root, u32::try_from(*time).unwrap_or(u32::MAX));
        previous = hash;
        headers.push(header);
    }
    headers
}

/// The Merkle root of a block that anchors nothing. A hash, because a generator's draws cost more than one.
fn filler(salt: &[u8; 32], height: usize) -> [u8; 32] {
    let mut block = [0; 40];
    block[..32].copy_from_slice(salt);
    block[32..].copy_from_slice(&u64::try_from(height).unwrap_or(u64::MAX).to_le_bytes());
    sha256d::Hash::hash(&block).to_byte_array()
}

/// A header on top of that block, and its hash.
pub(super) fn mine_one(previous: &[u8; 32], root: &[u8; 32], time: u32) -> ([u8; 80], [u8; 32]) {
    let mut header = [0; 80];
    header[..4].copy_from_slice(&0x2000_0000_u32.to_le_bytes());
    header[4..36].copy_from_slice(previous);
    header[36..68].copy_from_slice(root);
    header[68..72].copy_from_slice(&time.to_le_bytes());
    header[72..76].copy_from_slice(&POW_LIMIT_BITS.to_le_bytes());
    let mut nonce = 0_u32;
    loop {
        header[76..].copy_from_slice(&nonce.to_le_bytes());
        let hash = block_hash(&header);
        // The hash is a little-endian number. The target is 0x7fffff followed by zero bits, so a hash whose top byte is
        // below 0x7f meets it: every second one does, and the nonces of one header never run out.
        if hash[31] < 0x7f {
            return (header, hash);
        }
        nonce = nonce.wrapping_add(1);
    }
}

/// Double SHA-256 in internal byte order.
pub(super) fn block_hash(header: &[u8; 80]) -> [u8; 32] {
    sha256d::Hash::hash(header).to_byte_array()
}

/// The hash as explorers print it: byte-reversed hex.
pub(super) fn block_hash_hex(header: &[u8; 80]) -> String {
    let mut hash = block_hash(header);
    hash.reverse();
    faster_hex::hex_string(&hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_lasts_longer_than_two_weeks() {
        let times = BlockTimes::plan(3);
        assert!((17_000..18_000).contains(&times.len()), "{}", times.len());
        assert!(times.0.windows(2).all(|pair| pair[0] < pair[1]));
        for first in (0..times.len()).step_by(2016).filter(|first| first + 2015 < times.len()) {
            assert!(times.0[first + 2015] - times.0[first] >= 14 * 86_400);
        }
    }

    #[test]
    fn heights_are_found_by_time() {
        let times = BlockTimes::plan(3);
        let at = times.at(100).unwrap();
        assert_eq!((times.height_from(at), times.height_from(at + 1)), (100, 101));
        assert_eq!(times.height_from(AS_OF), times.len());
        assert!(!times.is_final(times.len() - CONFIRMATIONS) && times.is_final(times.len() - CONFIRMATIONS - 1));
    }
}
