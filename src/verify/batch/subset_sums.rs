//! Sums of random subsets of points of edwards25519: what shows that no point among them has a part of small order.

use curve25519_dalek::Scalar;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::traits::{Identity, IsIdentity};

/// Bits of a coefficient, so as many subsets.
const BITS: usize = 128;
/// The widest piece of a coefficient that is tried.
const WIDEST: usize = 13;

/// For each bit from the lowest on, the sum of the points whose coefficient has it.
pub(super) fn subset_sums(points: &[EdwardsPoint], coefficients: &[u128]) -> Vec<EdwardsPoint> {
    let width = (2..=WIDEST).min_by_key(|width| BITS.div_ceil(*width) * (points.len() + (2 << *width))).unwrap_or(2);
    let mut sums = Vec::with_capacity(BITS);
    for lowest in (0..BITS).step_by(width) {
        let width = width.min(BITS - lowest);
        let mut buckets = vec![EdwardsPoint::identity(); 1 << width];
        for (point, coefficient) in points.iter().zip(coefficients) {
            let bucket = low(coefficient >> lowest) & ((1 << width) - 1);
            if bucket != 0 {
                buckets[bucket] += point;
            }
        }
        // The upper half are the buckets with the highest bit; added to the lower half, the next bit's are its upper half.
        let mut found: Vec<EdwardsPoint> = Vec::with_capacity(width);
        for bit in (0..width).rev() {
            let (lower, upper) = buckets.split_at_mut(1 << bit);
            found.push(upper.iter().sum());
            lower.iter_mut().zip(&*upper).for_each(|(lower, upper)| *lower += upper);
            buckets.truncate(1 << bit);
        }
        sums.extend(found.into_iter().rev());
    }
    sums
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are what is asked for")]
const fn low(wide: u128) -> usize {
    wide as u16 as usize
}

/// The sum of the points, each times its coefficient.
pub(super) fn multiples(sums: &[EdwardsPoint]) -> EdwardsPoint {
    sums.iter().rev().fold(EdwardsPoint::identity(), |sum, bit| sum + sum + bit)
}

/// True when every sum lies in the group of prime order.
///
/// A point with a part of small order stands in each subset with an even chance, whatever else does: a part t of it that is not
/// zero can't be missed in both the sum with it and the sum without it. So if there is one among the points, all `BITS` sums lie
/// in the group with probability 2^-BITS at most.
pub(super) fn torsion_free(sums: &[EdwardsPoint]) -> bool {
    // The order of the group less one, by which the library multiplies in variable time: four fifths of the time of
    // `EdwardsPoint::is_torsion_free`.
    let last = -Scalar::ONE;
    sums.iter().all(|sum| {
        let multiple = EdwardsPoint::vartime_double_scalar_mul_basepoint(&last, sum, &Scalar::ZERO);
        (multiple + sum).is_identity()
    })
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};

    use super::*;

    #[test]
    fn sums_are_those_of_the_chosen_points() {
        for count in [0, 1, 2, 9, 60, 300] {
            let points: Vec<EdwardsPoint> =
                (0..count).map(|at| ED25519_BASEPOINT_POINT * Scalar::from(at * at + 5_u64)).collect();
            let coefficients: Vec<u128> = (0..u128::from(count))
                .map(|at| match at {
                    0 => u128::MAX,
                    1 => 0,
                    _ => (at * at).wrapping_mul(0xfeed_0d0c_0b0a_0908_0706_0504_0302_0105),
                })
                .collect();
            let sums = subset_sums(&points, &coefficients);
            assert_eq!(sums.len(), BITS);
            for (bit, sum) in sums.iter().enumerate() {
                let chosen = points.iter().zip(&coefficients).filter(|(_, it)| *it >> bit & 1 == 1);
                assert_eq!(*sum, chosen.map(|(point, _)| point).sum());
            }
            let expected = points.iter().zip(&coefficients).map(|(point, it)| point * Scalar::from(*it)).sum();
            assert_eq!(multiples(&sums), expected);
        }
    }

    #[test]
    fn a_part_of_any_small_order_shows_and_nothing_else_does() {
        for (order, torsion) in EIGHT_TORSION.iter().enumerate() {
            for good in
                [EdwardsPoint::identity(), ED25519_BASEPOINT_POINT, -ED25519_BASEPOINT_POINT * Scalar::from(9_u8)]
            {
                let point = good + torsion;
                assert_eq!(point.is_torsion_free(), order == 0);
                assert_eq!(torsion_free(&[ED25519_BASEPOINT_POINT, point]), order == 0, "{order}");
            }
        }
    }
}
