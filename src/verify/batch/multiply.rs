//! Sums of multiples of points of secp256k1 (Pippenger's method): points are sorted into buckets by the digits of their factors, so
//! that a batch costs additions of points and next to no doublings.

use k256::ProjectivePoint;
use k256::elliptic_curve::group::Group;

use super::adder::{Adder, Plane};

/// Bits of a factor.
const BITS: usize = 128;
/// The widest digit that is tried.
const WIDEST: usize = 15;
/// How many points go through the buckets at a time: as many as the second cache holds.
const AT_ONCE: usize = 1 << 15;

/// A point and what it is multiplied by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term<T> {
    pub(super) point: T,
    pub(super) factor: u128,
}

/// True when the multiples add up to nothing.
pub(super) fn vanishes<P: Plane>(plane: P, terms: &[Term<P::Point>]) -> bool {
    sum(plane, terms).is_some_and(|sum| bool::from(sum.is_identity()))
}

/// The sum of all multiples. `None` is impossible; were it not, nothing would be accepted because of it.
fn sum<P: Plane>(plane: P, terms: &[Term<P::Point>]) -> Option<ProjectivePoint> {
    let width = width(terms.len());
    let windows = windows(width);
    let digits = digits(terms, width, windows);
    let mut adder = Adder::over(plane);
    // What stands at each bit: two points at most.
    let mut bits = vec![ProjectivePoint::IDENTITY; windows * width];
    let group = (AT_ONCE / terms.len().max(1)).max(1);
    for (at, digits) in digits.chunks(group * terms.len().max(1)).enumerate() {
        let sums = buckets(&mut adder, terms, digits, width)?;
        for (window, sums) in sums.chunks(width).enumerate() {
            let lowest = (at * group + window) * width;
            bits[lowest] += P::to_projective(&sums[0])?;
            for (bit, sum) in sums[1..].iter().enumerate() {
                bits[lowest + bit] += P::to_projective(sum)?;
            }
        }
    }
    Some(bits.iter().rev().fold(ProjectivePoint::IDENTITY, |sum, bit| sum.double() + bit))
}

/// How many digits a factor has. The highest keeps two bits free: one for its sign, one for what is carried.
const fn windows(width: usize) -> usize {
    (BITS + 1) / width + 1
}

/// The width of digits that takes the fewest additions: in each window one a term, and one a bucket to add up the buckets.
fn width(terms: usize) -> usize {
    (2..=WIDEST).min_by_key(|width| windows(*width) * (terms + (1 << (width - 1)))).unwrap_or(2)
}

/// The digits of all factors from the lowest on, window by window: from -2^(width-1) to 2^(width-1) - 1.
fn digits<T>(terms: &[Term<T>], width: usize, windows: usize) -> Vec<i16> {
    let mut digits = vec![0; windows * terms.len()];
    let (base, half) = (1_i32 << width, 1_i32 << (width - 1));
    for (at, term) in terms.iter().enumerate() {
        let mut rest = term.factor;
        let mut carry = 0;
        for window in 0..windows {
            let digit = i32::from(low(rest) & low_mask(width)) + carry;
            rest = rest.checked_shr(u32::try_from(width).unwrap_or(u32::MAX)).unwrap_or(0);
            carry = i32::from(digit >= half);
            // Within i16, because no digit is wider than 15 bits.
            digits[window * terms.len() + at] = i16::try_from(digit - carry * base).unwrap_or_default();
        }
    }
    digits
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are what is asked for")]
const fn low(wide: u128) -> u16 {
    wide as u16
}

const fn low_mask(width: usize) -> u16 {
    (1 << width) - 1
}

/// For each of some windows `width` sums: that of all points, and those of the points whose digit, less one in size, has bit 0, bit
/// 1, and so on. A point whose digit is negative counts as its negative.
fn buckets<P: Plane>(
    adder: &mut Adder<P>,
    terms: &[Term<P::Point>],
    digits: &[i16],
    width: usize,
) -> Option<Vec<P::Point>> {
    let half = 1_usize << (width - 1);
    let windows = digits.len() / terms.len().max(1);
    let (lengths, sorted) = sort(digits, terms.len(), half);
    let mut points = adder.segments(lengths, |at| {
        let entry = sorted[at as usize];
        let point = terms[entry as usize >> 1].point;
        if entry & 1 == 1 { P::negative(&point) } else { point }
    })?;
    // The upper half of the buckets is added to the lower half, then again, until one is left: the sum of all. What was the
    // upper half each time are the buckets with one bit.
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    for bit in (0..width - 1).rev() {
        let size = 1 << bit;
        let lower = (0..windows).flat_map(|window| (0..size).map(move |at| window * half + at));
        adder.fold(&mut points, lower.map(|at| (place(at), place(at + size))))?;
    }
    let mut lengths = Vec::with_capacity(windows * width);
    for _ in 0..windows {
        lengths.push(1);
        lengths.extend((0..width - 1).map(|bit| 1_u32 << bit));
    }
    adder.segments(lengths, |at| points[at as usize])
}

/// How many points each bucket of each window has, and the points in that order: the place of the term, and whether it is negated.
fn sort(digits: &[i16], terms: usize, half: usize) -> (Vec<u32>, Vec<u32>) {
    let windows = digits.len() / terms.max(1);
    let mut lengths = vec![0_u32; windows * half];
    let bucket = |window: usize, digit: i16| window * half + usize::from(digit.unsigned_abs()) - 1;
    let filled = || {
        let places = (0..windows).flat_map(|window| (0..terms).map(move |at| (window, at)));
        places.zip(digits).filter(|(_, digit)| **digit != 0)
    };
    for ((window, _), digit) in filled() {
        lengths[bucket(window, *digit)] += 1;
    }
    let mut next = Vec::with_capacity(lengths.len());
    let mut all = 0;
    for length in &lengths {
        next.push(all);
        all += length;
    }
    let mut sorted = vec![0_u32; all as usize];
    for ((window, at), digit) in filled() {
        let next = &mut next[bucket(window, *digit)];
        sorted[*next as usize] = u32::try_from(at).unwrap_or(u32::MAX) << 1 | u32::from(*digit < 0);
        *next += 1;
    }
    (lengths, sorted)
}

#[cfg(test)]
mod tests {
    use k256::Scalar;
    use k256::elliptic_curve::sec1::ToEncodedPoint;

    use super::super::affine::{OneByOne, Point};
    use super::*;
    use crate::verify::lanes::{InLanes, line_of, machines};

    fn point(of: ProjectivePoint) -> Point {
        Point::from_uncompressed(of.to_affine().to_encoded_point(false).as_bytes().try_into().unwrap()).unwrap()
    }

    /// One by one, and in lanes.
    fn checked(terms: &[(ProjectivePoint, u128)]) {
        let expected: ProjectivePoint = terms.iter().map(|(point, factor)| *point * Scalar::from(*factor)).sum();
        summed(OneByOne::default, terms, expected, point);
        for machine in machines().into_iter().flatten() {
            summed(|| InLanes::on(machine), terms, expected, |it| line_of(&point(it)));
        }
    }

    fn summed<P: Plane>(
        plane: impl Fn() -> P,
        terms: &[(ProjectivePoint, u128)],
        expected: ProjectivePoint,
        point: impl Fn(ProjectivePoint) -> P::Point,
    ) {
        let terms: Vec<Term<P::Point>> =
            terms.iter().map(|(it, factor)| Term { point: point(*it), factor: *factor }).collect();
        assert_eq!(sum(plane(), &terms).unwrap(), expected, "{} terms", terms.len());
        assert_eq!(vanishes(plane(), &terms), expected == ProjectivePoint::IDENTITY);
    }

    #[test]
    fn sums_are_those_of_multiples_taken_one_by_one() {
        let base = ProjectivePoint::GENERATOR;
        let edges = [0, 1, 2, 3, u128::MAX, u128::MAX - 1, 1 << 127, (1 << 127) - 1, 0x8888 << 64, 1 << 64];
        for factor in edges {
            checked(&[(base, factor)]);
            checked(&[(base, factor), (base, factor), (-base, 1)]);
            checked(&[(base, factor), (-base, factor)]);
        }
        let mut terms = Vec::new();
        let (mut point, mut factor) = (base, 3_u128);
        for count in [1, 2, 5, 20, 70, 200, 600] {
            while terms.len() < count {
                terms.push((point, factor));
                point = point.double() + base;
                factor = factor.wrapping_mul(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0105).rotate_left(29);
            }
            checked(&terms);
        }
        // Every bucket has equal points and opposite ones.
        let same: Vec<(ProjectivePoint, u128)> =
            (0..200).map(|at| (if at % 3 == 0 { -base } else { base }, [7, 9, u128::MAX][at % 3])).collect();
        checked(&same);
        checked(&[]);
    }

    #[test]
    fn every_width_gives_the_digits_back() {
        let factors = [0, 1, u128::MAX, u128::MAX / 3, 1 << 127, 0x0123_4567_89ab_cdef_0011_2233_4455_6677];
        let terms: Vec<Term<Point>> = factors.map(|factor| Term { point: Point::INFINITY, factor }).to_vec();
        for width in 2..=WIDEST {
            let windows = windows(width);
            let digits = digits(&terms, width, windows);
            for (at, factor) in factors.iter().enumerate() {
                // Modulo 2^128 from the highest window down, which has its sum beyond that range.
                let sum = (0..windows).rev().fold(0_i128, |sum, window| {
                    let digit = i128::from(digits[window * terms.len() + at]);
                    sum.wrapping_mul(1 << width).wrapping_add(digit)
                });
                assert_eq!(sum.cast_unsigned(), *factor, "{width}");
                assert!(digits[(windows - 1) * terms.len() + at] >= 0, "nothing is carried beyond the last window");
            }
        }
    }
}
