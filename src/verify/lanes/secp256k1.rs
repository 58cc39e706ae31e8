//! Points of secp256k1, y^2 = x^3 + 7, eight at a time, in Jacobian coordinates: X / Z^2 and Y / Z^3.
//!
//! Additions are those of two points with two abscissae. Where they have one, Z becomes zero and stays it, and whoever ends with
//! zero is not accepted: the libraries judge it.

use archmage::rite;

use super::field::{Field, Prime, inverses};
use super::vector::{Mask, gathered, limbs, lines, odd, same, scattered, words};
use super::{Line, Words};

/// The prime of the field.
#[derive(Debug, Clone, Copy)]
pub(super) struct P;

impl Prime for P {
    const BITS: u32 = 256;
    const LESS: i64 = 0x1_0000_03d1;
}

/// A coordinate.
pub(super) type Coordinate = Field<P>;

/// Points by their coordinates: sizes 1 and at most 2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Affine {
    pub(super) x: Coordinate,
    pub(super) y: Coordinate,
}

/// Points that others are added to: sizes of 10 at most, and 2 for z.
#[derive(Debug, Clone, Copy)]
pub(super) struct Jacobian {
    pub(super) x: Coordinate,
    pub(super) y: Coordinate,
    pub(super) z: Coordinate,
}

impl Affine {
    /// Those lines' points, the negative ones in the lanes of the mask.
    #[rite(v4x)]
    pub(super) fn of(points: [&Line; 8], negative: Mask) -> Self {
        let words = lines(points.map(|line| &line.0));
        let x = Field::new(limbs([words[0], words[1], words[2], words[3]]));
        let y = Field::new(limbs([words[4], words[5], words[6], words[7]]));
        Self { x, y }.negative_in(negative)
    }

    /// The points with these abscissae and even ordinates (`lift_x` of BIP-340), and the lanes in which there is one: not those whose
    /// number is no root's, or not below the prime.
    #[rite(v4x)]
    pub(super) fn lifted(abscissae: &[Words; 8]) -> (Self, Mask) {
        let abscissa = limbs(gathered(abscissae));
        let x = Coordinate::new(abscissa);
        let square = x.square().times(&x).plus(&Field::small(7)).carried();
        let y = root(&square);
        let found = y.square().equals(&square) & same(&x.canonical(), &abscissa);
        let turned = odd(&y.canonical());
        (Self { x, y: y.negative_in(turned) }, found)
    }

    /// The negatives of points with ordinates of size 1, in these lanes.
    #[rite(v4x)]
    pub(super) fn negative_in(self, mask: Mask) -> Self {
        Self { y: self.y.negative_in(mask), ..self }
    }

    /// This one where no bit is set, the other where one is.
    #[rite(v4x)]
    pub(super) fn or(&self, mask: Mask, other: &Self) -> Self {
        Self { x: self.x.or(mask, &other.x), y: self.y.or(mask, &other.y) }
    }

    /// The eight points, each in a line of its own.
    #[rite(v4x)]
    pub(super) fn lines(&self) -> [Line; 8] {
        scattered(words(&self.x.canonical()), words(&self.y.canonical())).map(Line)
    }

    #[rite(v4x)]
    pub(super) fn jacobian(self) -> Jacobian {
        Jacobian { x: self.x, y: self.y, z: Field::small(1) }
    }
}

impl Jacobian {
    /// The double, by three multiplications and four squares.
    #[rite(v4x)]
    pub(super) fn double(&self) -> Self {
        let square = self.x.square();
        let slope = square.sum().shifted::<1>().plus(&square).carried();
        let ordinate = self.y.square();
        let product = self.x.times(&ordinate).sum().shifted::<2>().carried();
        let twice = product.sum().shifted::<1>().carried();
        // Sizes: the slope 3, the product 4, twice 8.
        let x = slope.square().minus(&twice, 9).carried();
        let fourth = ordinate.square().sum().shifted::<3>().carried();
        let y = slope.times(&product.minus(&x, 11).carried()).minus(&fourth, 9).carried();
        let z = self.y.times(&self.z).sum().shifted::<1>().carried();
        Self { x, y, z }
    }

    /// The sum with another, by eight multiplications and three squares; what was there stays in the lanes of the mask.
    #[rite(v4x)]
    pub(super) fn add(&self, other: &Affine, stays: Mask) -> Self {
        let square = self.z.square();
        let across = other.x.times(&square).minus(&self.x, 11).carried();
        let up = other.y.times(&square.times(&self.z)).minus(&self.y, 11).carried();
        let across2 = across.square();
        let across3 = across.times(&across2);
        let middle = self.x.times(&across2);
        let taken = middle.sum().shifted::<1>().plus(&across3).carried();
        let x = up.square().minus(&taken, 4).carried();
        let y = up.times(&middle.minus(&x, 6).carried()).minus(&self.y.times(&across3), 2).carried();
        let sum = Self { x, y, z: self.z.times(&across) };
        if stays == 0 { sum } else { sum.or(stays, self) }
    }

    #[rite(v4x)]
    fn or(&self, mask: Mask, other: &Self) -> Self {
        Self { x: self.x.or(mask, &other.x), y: self.y.or(mask, &other.y), z: self.z.or(mask, &other.z) }
    }

    /// The coordinates of all, of size 1, and the lanes that have some: not those where Z is zero.
    #[rite(v4x)]
    pub(super) fn affine(points: &[Self]) -> Vec<(Affine, Mask)> {
        let zeros: Vec<Mask> = points.iter().map(|point| point.z.zeros()).collect();
        let divisors: Vec<Coordinate> =
            points.iter().zip(&zeros).map(|(point, zeros)| point.z.or(*zeros, &Field::small(1))).collect();
        let inverses = inverses(&divisors, |number| inverse(number));
        let mut affine = Vec::with_capacity(points.len());
        for ((point, inverse), zeros) in points.iter().zip(&inverses).zip(zeros) {
            let square = inverse.square();
            let point = Affine { x: point.x.times(&square), y: point.y.times(&square.times(inverse)) };
            affine.push((point, !zeros));
        }
        affine
    }
}

/// The lanes whose point has this abscissa and an even ordinate, and lies on the curve.
#[rite(v4x)]
pub(super) fn lifts(point: &Affine, abscissae: &[Words; 8]) -> Mask {
    let expected = limbs(gathered(abscissae));
    let square = point.x.square().times(&point.x).plus(&Field::small(7)).carried();
    same(&point.x.canonical(), &expected) & !odd(&point.y.canonical()) & point.y.square().equals(&square)
}

/// To the powers 2^223 - 1, 2^22 - 1 and 3.
#[rite(v4x)]
fn powers(number: &Coordinate) -> (Coordinate, Coordinate, Coordinate) {
    let to_2 = number.square().times(number);
    let to_3 = to_2.square().times(number);
    let to_6 = to_3.squares(3).times(&to_3);
    let to_9 = to_6.squares(3).times(&to_3);
    let to_11 = to_9.squares(2).times(&to_2);
    let to_22 = to_11.squares(11).times(&to_11);
    let to_44 = to_22.squares(22).times(&to_22);
    let to_88 = to_44.squares(44).times(&to_44);
    let to_176 = to_88.squares(88).times(&to_88);
    let to_220 = to_176.squares(44).times(&to_44);
    (to_220.squares(3).times(&to_3), to_22, to_2)
}

/// To the power (p + 1) / 4: a root, where there is one.
#[rite(v4x)]
fn root(number: &Coordinate) -> Coordinate {
    let (high, middle, low) = powers(number);
    high.squares(23).times(&middle).squares(6).times(&low).squares(2)
}

/// To the power p - 2: the inverse, and zero of zero.
#[rite(v4x)]
pub(super) fn inverse(number: &Coordinate) -> Coordinate {
    let (high, middle, low) = powers(number);
    high.squares(23).times(&middle).squares(5).times(number).squares(3).times(&low).squares(2).times(number)
}
