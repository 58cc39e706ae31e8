//! Registers of eight numbers of 64 bits, and how numbers of 256 bits get into them: one register holds the same part of eight of them.

use core::arch::x86_64::{
    __m256i, __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_castsi256_si512, _mm512_cmpeq_epi64_mask,
    _mm512_inserti64x4, _mm512_mask_blend_epi64, _mm512_or_si512, _mm512_permutex2var_epi64, _mm512_set_epi64,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_shrdi_epi64, _mm512_shuffle_i64x2, _mm512_slli_epi64,
    _mm512_srli_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

use archmage::intrinsics::x86_64::{_mm256_loadu_si256, _mm512_loadu_si512, _mm512_storeu_si512};
use archmage::rite;

use super::Words;

/// As many numbers as a register holds.
pub(super) const LANES: usize = 8;

/// A register: a number of 64 bits in each lane.
pub(super) type Eight = __m512i;
/// One bit for each lane.
pub(super) type Mask = u8;
/// Bits of a limb: what the multiplier takes.
pub(super) const LIMB: u32 = 52;
/// The bits of a limb.
pub(super) const LOW: i64 = (1 << LIMB) - 1;

#[rite(v4x)]
pub(super) fn splat(number: i64) -> Eight {
    _mm512_set1_epi64(number)
}

/// The words of eight numbers, limb by limb.
#[rite(v4x)]
pub(super) fn limbs(words: [Eight; 4]) -> [Eight; 5] {
    let low = splat(LOW);
    [
        _mm512_and_si512(words[0], low),
        _mm512_and_si512(_mm512_shrdi_epi64::<52>(words[0], words[1]), low),
        _mm512_and_si512(_mm512_shrdi_epi64::<40>(words[1], words[2]), low),
        _mm512_and_si512(_mm512_shrdi_epi64::<28>(words[2], words[3]), low),
        _mm512_srli_epi64::<16>(words[3]),
    ]
}

/// The limbs of eight numbers below 2^256, word by word.
#[rite(v4x)]
pub(super) fn words(limbs: &[Eight; 5]) -> [Eight; 4] {
    let [a, b, c, d, e] = *limbs;
    [
        _mm512_or_si512(a, _mm512_slli_epi64::<52>(b)),
        _mm512_or_si512(_mm512_srli_epi64::<12>(b), _mm512_slli_epi64::<40>(c)),
        _mm512_or_si512(_mm512_srli_epi64::<24>(c), _mm512_slli_epi64::<28>(d)),
        _mm512_or_si512(_mm512_srli_epi64::<36>(d), _mm512_slli_epi64::<16>(e)),
    ]
}

/// Eight numbers, word by word.
#[rite(v4x)]
pub(super) fn gathered(numbers: &[Words; LANES]) -> [Eight; 4] {
    let mut words = [_mm512_setzero_si512(); 4];
    for (at, word) in words.iter_mut().enumerate() {
        let of_all: [u64; LANES] = core::array::from_fn(|lane| numbers[lane][at]);
        *word = _mm512_loadu_si512(&of_all);
    }
    words
}

/// Eight lines, word by word.
#[rite(v4x)]
pub(super) fn lines(lines: [&[u64; 8]; LANES]) -> [Eight; 8] {
    transposed(&loaded(lines))
}

/// Two numbers in each lane, word by word, as eight lines.
#[rite(v4x)]
pub(super) fn scattered(x: [Eight; 4], y: [Eight; 4]) -> [[u64; 8]; LANES] {
    let rows = transposed(&[x[0], x[1], x[2], x[3], y[0], y[1], y[2], y[3]]);
    let mut lines = [[0; 8]; LANES];
    for (line, row) in lines.iter_mut().zip(rows) {
        _mm512_storeu_si512(line, row);
    }
    lines
}

/// Rows as columns.
#[rite(v4x)]
fn transposed(rows: &[Eight; 8]) -> [Eight; 8] {
    let first = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
    let second = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
    let mut columns = [_mm512_setzero_si512(); 8];
    for odd in 0..2 {
        let pair = |at: usize| {
            let (left, right) = (rows[at], rows[at + 1]);
            if odd == 0 { _mm512_unpacklo_epi64(left, right) } else { _mm512_unpackhi_epi64(left, right) }
        };
        let (a, b, c, d) = (pair(0), pair(2), pair(4), pair(6));
        // Words 0 and 4 (or 1 and 5) of four rows, then 2 and 6 (3 and 7).
        for (half, index) in [(0, first), (2, second)] {
            let (upper, lower) = (_mm512_permutex2var_epi64(a, index, b), _mm512_permutex2var_epi64(c, index, d));
            columns[odd + half] = _mm512_shuffle_i64x2::<0x44>(upper, lower);
            columns[odd + half + 4] = _mm512_shuffle_i64x2::<0xee>(upper, lower);
        }
    }
    columns
}

#[rite(v4x)]
fn loaded(lines: [&[u64; 8]; LANES]) -> [Eight; 8] {
    let mut rows = [_mm512_setzero_si512(); 8];
    for (row, line) in rows.iter_mut().zip(lines) {
        *row = _mm512_loadu_si512(line);
    }
    rows
}

/// Eight numbers out of eight places, word by word.
#[rite(v4x)]
pub(super) fn quarters(numbers: [&Words; LANES]) -> [Eight; 4] {
    let mut rows = [_mm512_setzero_si512(); 4];
    for (at, row) in rows.iter_mut().enumerate() {
        let (left, right): (__m256i, __m256i) = (_mm256_loadu_si256(numbers[at]), _mm256_loadu_si256(numbers[at + 4]));
        *row = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(left), right);
    }
    let first = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
    let second = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
    let (a, b) = (_mm512_unpacklo_epi64(rows[0], rows[1]), _mm512_unpacklo_epi64(rows[2], rows[3]));
    let (c, d) = (_mm512_unpackhi_epi64(rows[0], rows[1]), _mm512_unpackhi_epi64(rows[2], rows[3]));
    [
        _mm512_permutex2var_epi64(a, first, b),
        _mm512_permutex2var_epi64(c, first, d),
        _mm512_permutex2var_epi64(a, second, b),
        _mm512_permutex2var_epi64(c, second, d),
    ]
}

/// The limbs where no bit is set, the others where one is.
#[rite(v4x)]
pub(super) fn chosen(mask: Mask, unset: &[Eight; 5], set: &[Eight; 5]) -> [Eight; 5] {
    let mut limbs = *unset;
    for (limb, set) in limbs.iter_mut().zip(set) {
        *limb = _mm512_mask_blend_epi64(mask, *limb, *set);
    }
    limbs
}

/// The lanes in which all limbs are the same.
#[rite(v4x)]
pub(super) fn same(left: &[Eight; 5], right: &[Eight; 5]) -> Mask {
    left.iter().zip(right).fold(Mask::MAX, |mask, (left, right)| mask & _mm512_cmpeq_epi64_mask(*left, *right))
}

/// The lanes whose lowest bit is set.
#[rite(v4x)]
pub(super) fn odd(limbs: &[Eight; 5]) -> Mask {
    let one = splat(1);
    _mm512_cmpeq_epi64_mask(_mm512_and_si512(limbs[0], one), one)
}

#[rite(v4x)]
pub(super) fn added(left: &[Eight; 5], right: &[Eight; 5]) -> [Eight; 5] {
    let mut sum = *left;
    for (limb, right) in sum.iter_mut().zip(right) {
        *limb = _mm512_add_epi64(*limb, *right);
    }
    sum
}

/// The lanes that hold this number.
#[rite(v4x)]
pub(super) fn equal_to(numbers: Eight, number: i64) -> Mask {
    _mm512_cmpeq_epi64_mask(numbers, splat(number))
}

/// A small number for each lane.
#[rite(v4x)]
pub(super) fn each(numbers: [usize; LANES]) -> Eight {
    _mm512_loadu_si512(&numbers.map(|number| number as u64))
}
