//! Points of the curve of Ed25519, -x^2 + y^2 = 1 + d x^2 y^2 (RFC 8032, 5.1), eight at a time. The law of addition has no exceptions.

use archmage::rite;

use super::field::{Field, Prime, inverses};
use super::vector::{Mask, gathered, limbs, lines, odd, quarters, same};
use super::{Triple, Words};

/// The prime of the field.
#[derive(Debug, Clone, Copy)]
pub(super) struct P;

impl Prime for P {
    const BITS: u32 = 255;
    const LESS: i64 = 19;
}

/// A coordinate.
pub(super) type Coordinate = Field<P>;

/// d, which is -121665 / 121666.
const D: Words = [0x75eb_4dca_1359_78a3, 0x0070_0a4d_4141_d8ab, 0x8cc7_4079_7779_e898, 0x5203_6cee_2b6f_fe73];

/// Points by their coordinates, of size 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Affine {
    pub(super) x: Coordinate,
    pub(super) y: Coordinate,
}

/// Points that are added: (y + x) / 2, (y - x) / 2, d x y.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    sum: Coordinate,
    difference: Coordinate,
    product: Coordinate,
}

/// Points that others are added to: X / Z, Y / Z, and T = X Y / Z, of size 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    x: Coordinate,
    y: Coordinate,
    z: Coordinate,
    t: Coordinate,
}

impl Term {
    #[rite(v4x)]
    pub(super) fn of(terms: [&Triple; 8]) -> Self {
        let words = lines(terms.map(|term| &term.0));
        Self {
            sum: Field::new(limbs([words[0], words[1], words[2], words[3]])),
            difference: Field::new(limbs([words[4], words[5], words[6], words[7]])),
            product: Field::new(limbs(quarters(terms.map(|term| &term.1)))),
        }
    }
}

impl Running {
    #[rite(v4x)]
    pub(super) fn neutral() -> Self {
        let (zero, one) = (Field::small(0), Field::small(1));
        Self { x: zero, y: one, z: one, t: zero }
    }

    /// The sum with another, or with its negative in those lanes, by seven multiplications ("Twisted Edwards Curves Revisited", 3.1,
    /// with a = -1, every factor of 2 taken into the term); what was there stays in the lanes of the other mask.
    #[rite(v4x)]
    pub(super) fn add(&self, term: &Term, negative: Mask, stays: Mask) -> Self {
        let (sum, difference) = (term.sum.or(negative, &term.difference), term.difference.or(negative, &term.sum));
        let lower = self.y.minus(&self.x, 2).carried().times(&difference);
        let upper = self.y.plus(&self.x).carried().times(&sum);
        let cross = self.t.times(&term.product);
        let (less, more) = (self.z.minus(&cross, 2).carried(), self.z.plus(&cross).carried());
        let (f, g) = (less.or(negative, &more), more.or(negative, &less));
        let (e, h) = (upper.minus(&lower, 2).carried(), upper.plus(&lower).carried());
        let sum = Self { x: e.times(&f), y: g.times(&h), z: f.times(&g), t: e.times(&h) };
        if stays == 0 { sum } else { sum.or(stays, self) }
    }

    #[rite(v4x)]
    fn or(&self, mask: Mask, other: &Self) -> Self {
        let (x, y) = (self.x.or(mask, &other.x), self.y.or(mask, &other.y));
        Self { x, y, z: self.z.or(mask, &other.z), t: self.t.or(mask, &other.t) }
    }

    /// The coordinates of all.
    #[rite(v4x)]
    pub(super) fn affine(points: &[Self]) -> Vec<Affine> {
        let divisors: Vec<Coordinate> = points.iter().map(|point| point.z).collect();
        let inverses = inverses(&divisors, |number| inverse(number));
        let mut affine = Vec::with_capacity(points.len());
        for (point, inverse) in points.iter().zip(&inverses) {
            affine.push(Affine { x: point.x.times(inverse), y: point.y.times(inverse) });
        }
        affine
    }
}

impl Affine {
    /// The lanes whose point has this encoding (RFC 8032, 5.1.2) and lies on the curve.
    #[rite(v4x)]
    pub(super) fn encoded_as(&self, encodings: &[Words; 8]) -> Mask {
        let mut ordinates = *encodings;
        let mut signs: Mask = 0;
        for (lane, words) in ordinates.iter_mut().enumerate() {
            signs |= Mask::from(words[3] >> 63 == 1) << lane;
            words[3] &= u64::MAX >> 1;
        }
        let alike = same(&self.y.canonical(), &limbs(gathered(&ordinates)));
        alike & !(odd(&self.x.canonical()) ^ signs) & self.on_curve()
    }

    #[rite(v4x)]
    fn on_curve(&self) -> Mask {
        let (x, y) = (self.x.square(), self.y.square());
        let right = x.times(&y).times(&d()).plus(&Field::small(1)).carried();
        y.minus(&x, 2).carried().equals(&right)
    }
}

#[rite(v4x)]
fn d() -> Coordinate {
    Field::new(limbs(gathered(&[D; 8])))
}

/// To the power p - 2: the inverse, and zero of zero.
#[rite(v4x)]
fn inverse(number: &Coordinate) -> Coordinate {
    let two = number.square();
    let nine = two.squares(2).times(number);
    let eleven = nine.times(&two);
    // 2^5 - 1, 2^10 - 1, and so on.
    let to_5 = eleven.square().times(&nine);
    let to_10 = to_5.squares(5).times(&to_5);
    let to_20 = to_10.squares(10).times(&to_10);
    let to_40 = to_20.squares(20).times(&to_20);
    let to_50 = to_40.squares(10).times(&to_10);
    let to_100 = to_50.squares(50).times(&to_50);
    let to_200 = to_100.squares(100).times(&to_100);
    to_200.squares(50).times(&to_50).squares(5).times(&eleven)
}
