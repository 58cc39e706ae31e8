//! Targets, work and retargets in 256 bits.

use bitcoin::hashes::Hash as _;
use bitcoin::{BlockHash, CompactTarget, Target};

/// Two weeks: what 2,016 blocks should take, in seconds.
const TIMESPAN: u32 = 14 * 24 * 3600;

/// The target that compact bits stand for; `None` for zero, negative and over-long encodings, as Bitcoin Core refuses.
pub(super) fn target(bits: u32) -> Option<Target> {
    // An exponent above 32 shifts past 256 bits; `from_compact` would wrap it.
    if bits >> 24 > 32 {
        return None;
    }
    Some(Target::from_compact(CompactTarget::from_consensus(bits))).filter(|target| *target != Target::ZERO)
}

/// True when the hash (internal order) meets the target.
pub(super) fn is_met(target: Target, hash: [u8; 32]) -> bool {
    target.is_met_by(BlockHash::from_byte_array(hash))
}

/// Expected number of hashes for one header, capped at 128 bits: all of mainnet's work so far fits 97.
pub(super) fn work(target: Target) -> u128 {
    let bytes = target.to_work().to_be_bytes();
    let (high, low) = bytes.split_at(16);
    let mut number = [0; 16];
    number.copy_from_slice(low);
    if high.iter().all(|byte| *byte == 0) { u128::from_be_bytes(number) } else { u128::MAX }
}

/// The next epoch's bits, from the times of the first and last header of this one (Bitcoin Core `pow.cpp`).
///
/// The difference is signed before it is clamped: `bitcoin` 0.32 subtracts unsigned times and wraps to the easiest target
/// when the last header is dated before the first (OTS 4.2).
pub(super) fn retarget(last: Target, first_time: u32, last_time: u32, limit: Target) -> u32 {
    let actual = i64::from(last_time) - i64::from(first_time);
    let clamped = actual.clamp(i64::from(TIMESPAN / 4), i64::from(TIMESPAN) * 4);
    scaled(last, u32::try_from(clamped).expect("clamped to positive values below 2^23"), limit)
}

/// The hardest and the easiest target that may follow an epoch whose first header is not known.
pub(super) fn retarget_bounds(last: Target, limit: Target) -> Option<(Target, Target)> {
    Some((target(scaled(last, TIMESPAN / 4, limit))?, target(scaled(last, TIMESPAN * 4, limit))?))
}

/// `last * seconds / TIMESPAN` without overflow, at most `limit`, in compact form.
fn scaled(last: Target, seconds: u32, limit: Target) -> u32 {
    let mut words = [0_u64; 9];
    let bytes = last.to_be_bytes();
    let (chunks, _) = bytes.as_chunks::<4>();
    let mut carry = 0;
    for (word, chunk) in words[1..].iter_mut().zip(chunks).rev() {
        let product = u64::from(u32::from_be_bytes(*chunk)) * u64::from(seconds) + carry;
        *word = product & u64::from(u32::MAX);
        carry = product >> 32;
    }
    words[0] = carry;
    let mut remainder = 0;
    for word in &mut words {
        let dividend = (remainder << 32) | *word;
        *word = dividend / u64::from(TIMESPAN);
        remainder = dividend % u64::from(TIMESPAN);
    }
    let next = if words[0] == 0 { from_words(&words).min(limit) } else { limit };
    next.to_compact_lossy().to_consensus()
}

fn from_words(words: &[u64; 9]) -> Target {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(&words[1..]) {
        let word = word.to_be_bytes();
        chunk.copy_from_slice(&word[4..]);
    }
    Target::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use bitcoin::params::Params;

    use super::*;
    use crate::domain::BlockHeight;
    use crate::verify::epochs::{EPOCH_LEN, MAINNET_POW_LIMIT, bits_at};

    fn known(bits: u32) -> Target {
        target(bits).unwrap()
    }

    #[test]
    fn retargets_agree_with_the_bitcoin_crate_on_every_pinned_target() {
        let limit = known(MAINNET_POW_LIMIT);
        for bits in (0..=473).filter_map(|epoch| bits_at(BlockHeight(epoch * EPOCH_LEN))) {
            for seconds in [1, TIMESPAN / 4 - 1, TIMESPAN / 3, TIMESPAN, TIMESPAN + 1, TIMESPAN * 3, TIMESPAN * 5] {
                let last = CompactTarget::from_consensus(bits);
                let theirs = CompactTarget::from_next_work_required(last, seconds.into(), &Params::BITCOIN);
                let ours = retarget(known(bits), 1_000, 1_000 + seconds, limit);
                assert_eq!(ours, theirs.to_consensus(), "{bits:08x} after {seconds} s");
            }
        }
    }

    /// OTS 4.2: the wrapped difference would give 1d00ffff.
    #[test]
    fn an_epoch_that_ends_before_it_began_quarters_the_target() {
        assert_eq!(retarget(known(0x1c65_4657), 1_000_000, 999_999, known(MAINNET_POW_LIMIT)), 0x1c19_5195);
    }

    #[test]
    fn easy_test_targets_do_not_overflow() {
        let limit = known(0x207f_ffff);
        assert_eq!(retarget(limit, 0, TIMESPAN * 4, limit), 0x207f_ffff);
        assert_eq!(retarget(limit, 0, TIMESPAN / 2, limit), 0x203f_ffff);
    }

    #[test]
    fn encodings_that_are_no_target_are_refused() {
        for bits in [0, 0x0100_0000, 0x1d80_0001, 0x2100_ffff, 0xff00_0001, 0x2080_0000] {
            assert_eq!(target(bits), None, "{bits:08x}");
        }
        assert!(target(0x207f_ffff).is_some());
        assert_eq!(work(known(MAINNET_POW_LIMIT)), 0x1_0001_0001);
    }
}
