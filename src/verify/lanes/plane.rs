//! Sums of pairs of points, eight at a time, as batches need them: affine, with one inversion for many.

use archmage::{X64V4xToken, arcane, rite};

use super::field::{Field, inverses};
use super::secp256k1::{Affine, Coordinate, inverse};
use super::vector::{LANES, Mask};
use super::{Line, Words, picked::eights};

/// Points that are added. Infinity is the line of zeros: no point has the abscissa zero.
#[derive(Debug, Clone, Copy)]
struct Pair {
    left: Affine,
    right: Affine,
}

/// The sums of each left and right line; two of a kind, opposites and infinity included.
#[arcane]
pub(in crate::verify) fn sums(_: X64V4xToken, left: &[Line], right: &[Line], sums: &mut Vec<Line>) {
    let rows = left.len().div_ceil(LANES);
    let (mut divisors, mut kinds) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for (left, right) in eights(left).zip(eights(right)) {
        let (divisor, kind) = Pair::of(&left, &right).divisor();
        divisors.push(divisor);
        kinds.push(kind);
    }
    let inverses = inverses(&divisors, |number| inverse(number));
    let count = sums.len() + left.len();
    for ((left, right), (inverse, kinds)) in eights(left).zip(eights(right)).zip(inverses.iter().zip(&kinds)) {
        sums.extend_from_slice(&Pair::of(&left, &right).sum(inverse, kinds).lines());
    }
    sums.truncate(count);
}

/// The points with these abscissae and even ordinates, as lines, and whether there is one.
#[arcane]
pub(in crate::verify) fn lifted(_: X64V4xToken, abscissae: &[Words]) -> Vec<Option<Line>> {
    let mut lifted = Vec::with_capacity(abscissae.len() + LANES);
    for eight in eights(abscissae) {
        let (points, found) = Affine::lifted(&eight);
        lifted.extend(
            points.lines().into_iter().enumerate().map(|(lane, line)| (found >> lane & 1 == 1).then_some(line)),
        );
    }
    lifted.truncate(abscissae.len());
    lifted
}

impl Pair {
    #[rite(v4x)]
    fn of(left: &[Line; LANES], right: &[Line; LANES]) -> Self {
        Self { left: Affine::of(left.each_ref(), 0), right: Affine::of(right.each_ref(), 0) }
    }

    /// What the slope is divided by, one where nothing is; and what is special. The coordinates of lines are below the prime, so that
    /// two that are one have the same limbs.
    #[rite(v4x)]
    fn divisor(&self) -> (Coordinate, Kinds) {
        let across = self.right.x.minus(&self.left.x, 2).carried();
        let alike = self.left.x.has_limbs_of(&self.right.x);
        let (left, right) = (self.left.x.are_no_limbs(), self.right.x.are_no_limbs());
        if alike | left | right == 0 {
            return (across, Kinds::default());
        }
        // Two that are infinity have one abscissa too, and the sum is the left of them.
        let alike = alike & !left;
        let same = alike & self.left.y.has_limbs_of(&self.right.y);
        let kinds = Kinds { tangent: same, cancel: alike & !same, left: right, right: left & !right };
        let twice = self.left.y.plus(&self.left.y).carried();
        let divisor = across.or(kinds.tangent, &twice);
        (divisor.or(kinds.cancel | kinds.left | kinds.right, &Field::small(1)), kinds)
    }

    #[rite(v4x)]
    fn sum(&self, inverse: &Coordinate, kinds: &Kinds) -> Affine {
        let (left, right) = (&self.left, &self.right);
        let mut rise = right.y.minus(&left.y, 2).carried();
        if kinds.tangent != 0 {
            let square = left.x.square();
            rise = rise.or(kinds.tangent, &square.plus(&square).plus(&square).carried());
        }
        let slope = rise.times(inverse);
        let x = slope.square().minus(&left.x, 2).minus(&right.x, 2).carried();
        let y = slope.times(&left.x.minus(&x, 6).carried()).minus(&left.y, 2).carried();
        let mut sum = Affine { x, y };
        if kinds.cancel | kinds.left | kinds.right != 0 {
            let nothing = Affine { x: Field::small(0), y: Field::small(0) };
            sum = sum.or(kinds.cancel, &nothing).or(kinds.left, left).or(kinds.right, right);
        }
        sum
    }
}

/// What is special about a sum, lane by lane.
#[derive(Debug, Clone, Copy, Default)]
struct Kinds {
    /// A point twice.
    tangent: Mask,
    /// A point and its negative.
    cancel: Mask,
    /// The sum is the left one, or the right one: the other is infinity.
    left: Mask,
    right: Mask,
}
