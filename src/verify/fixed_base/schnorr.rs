//! BIP-340 under one key: `s G - e P` out of a table of multiples of G and one of P, without a doubling.

use std::sync::OnceLock;

use k256::elliptic_curve::PrimeField;
use k256::elliptic_curve::group::Curve;
use k256::elliptic_curve::sec1::ToEncodedPoint;
use k256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};

use super::digits::{count, digit, largest};
use crate::verify::batch::SchnorrCheck;
use crate::verify::batch::affine::{Adder, Point};
use crate::verify::batch::bip340::{challenge, lift};

/// Bits of a digit of what an author is multiplied by: a table of 653 kB.
pub(super) const WIDTH: usize = 9;
/// The same for the generator, whose table is made once and serves everybody: 1.2 MB.
const GENERATOR: usize = 10;

/// Multiples of one point.
#[derive(Debug)]
pub(super) struct Table {
    width: usize,
    /// For each digit the point times 1, 2, ... times what the digit stands for.
    points: Vec<Point>,
}

impl Table {
    /// Of the author with this abscissa. `None` when there is none.
    pub(super) fn wide(key: &[u8; 32], width: usize) -> Option<Self> {
        Self::make(lift(key)?.to_projective()?, width)
    }

    fn generator() -> Option<&'static Self> {
        static TABLE: OnceLock<Option<Table>> = OnceLock::new();
        TABLE.get_or_init(|| Self::make(ProjectivePoint::GENERATOR, GENERATOR)).as_ref()
    }

    fn make(point: ProjectivePoint, width: usize) -> Option<Self> {
        let mut powers = vec![point];
        for _ in 1..count(width) {
            let last = powers.last()?;
            powers.push((0..width).fold(*last, |point, _| point.double()));
        }
        let mut affine = vec![AffinePoint::IDENTITY; powers.len()];
        ProjectivePoint::batch_normalize(&powers, &mut affine);
        let affine: Vec<Point> = affine
            .iter()
            .map(|point| Point::from_uncompressed(point.to_encoded_point(false).as_bytes().try_into().ok()?))
            .collect::<Option<_>>()?;
        // 1; 1 and 2; 1 to 4: what is there, and that again on top of its last.
        let mut rows: Vec<Vec<Point>> = affine.into_iter().map(|point| vec![point]).collect();
        let mut adder = Adder::default();
        while rows[0].len() < largest(width) {
            let half = rows[0].len();
            let place = |at: u32| (at as usize / 2 / half, at as usize / 2 % half, at % 2 == 1);
            let sums = adder.segments(vec![2; rows.len() * half], |at| {
                let (row, column, is_last) = place(at);
                rows[row][if is_last { half - 1 } else { column }]
            })?;
            for (row, sums) in rows.iter_mut().zip(sums.chunks(half)) {
                row.extend_from_slice(sums);
            }
        }
        Some(Self { width, points: rows.into_iter().flatten().map(Point::weak).collect() })
    }

    /// That digit's multiple.
    fn multiple(&self, at: usize, digit: i32) -> Point {
        let Some(size) = (digit.unsigned_abs() as usize).checked_sub(1) else { return Point::INFINITY };
        let point = self.points[at * largest(self.width) + size];
        if digit < 0 { point.negative() } else { point }
    }

    /// Adds to each sum the multiple of this point by the number beside it (lowest byte first).
    fn add(&self, adder: &mut Adder, sums: &mut Vec<Point>, numbers: &[[u8; 32]]) -> Option<()> {
        let mut digits = vec![(0, 0); numbers.len()];
        for at in 0..count(self.width) {
            for (number, held) in numbers.iter().zip(&mut digits) {
                *held = digit(number, at, self.width, held.1);
            }
            adder.add_to(sums, |number| self.multiple(at, digits[number].0))?;
        }
        Some(())
    }
}

/// True for those that hold under the table's author; a `false` is for libsecp256k1 to confirm.
pub(super) fn hold(table: &Table, items: &[&SchnorrCheck]) -> Vec<bool> {
    sums(table, items).map_or_else(
        || vec![false; items.len()],
        |sums| {
            items
                .iter()
                .zip(sums)
                .map(|(item, sum)| sum.is_some_and(|sum| sum.is_lift_of(&item.signature[..32])))
                .collect()
        },
    )
}

/// `s G - e P` of each item; none where `s` is no number of the group.
fn sums(table: &Table, items: &[&SchnorrCheck]) -> Option<Vec<Option<Point>>> {
    let (mut of_base, mut of_author, mut good) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        let s: Option<Scalar> = Scalar::from_repr(*FieldBytes::from_slice(&item.signature[32..])).into();
        good.push(s.is_some());
        of_base.push(reversed(&s.unwrap_or_default()));
        of_author.push(reversed(&-challenge(item)));
    }
    let (mut adder, mut sums) = (Adder::default(), vec![Point::INFINITY; items.len()]);
    Table::generator()?.add(&mut adder, &mut sums, &of_base)?;
    table.add(&mut adder, &mut sums, &of_author)?;
    Some(sums.into_iter().zip(good).map(|(sum, good)| good.then_some(sum)).collect())
}

fn reversed(scalar: &Scalar) -> [u8; 32] {
    let mut bytes: [u8; 32] = scalar.to_repr().into();
    bytes.reverse();
    bytes
}
