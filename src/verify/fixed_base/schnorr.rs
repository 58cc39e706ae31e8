//! BIP-340 under one key: `s G - e P` out of a table of multiples of G and one of P, without a doubling.

use std::sync::OnceLock;

use k256::elliptic_curve::PrimeField;
use k256::elliptic_curve::group::Curve;
use k256::elliptic_curve::sec1::ToEncodedPoint;
use k256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};

use super::digits::{count, digit, largest};
use crate::domain::sha256;
use crate::verify::batch::SchnorrCheck;
use crate::verify::batch::adder::Adder;
use crate::verify::batch::affine::{OneByOne, Point};
use crate::verify::batch::bip340::{challenge, lift};
use crate::verify::batch::endomorphism::Endomorphism;
use crate::verify::lanes::{self, Detour, Equation, Line, Machine, Stranger, Words};

/// Bits of a digit of what an author is multiplied by: a table of 653 kB, of 475 for lanes.
pub(super) const WIDTH: usize = 9;
/// The same for the generator, whose table is made once and serves everybody: 1.2 MB, or 0.9.
const GENERATOR: usize = 10;

/// Multiples of one point: for each digit the point times 1, 2, ... times what the digit stands for.
#[derive(Debug)]
pub(super) struct Table {
    width: usize,
    points: Points,
}

/// The form in which they are added.
#[derive(Debug)]
enum Points {
    OneByOne(Vec<Point>),
    Lanes(Vec<Line>, Machine),
}

impl Table {
    /// Of the author with this abscissa, for additions one by one or in the lanes of a machine. `None` when there is none.
    pub(super) fn wide(key: &[u8; 32], width: usize, machine: Option<Machine>) -> Option<Self> {
        Self::make(lift(key)?.to_projective()?, width, machine)
    }

    fn generator(machine: Option<Machine>) -> Option<&'static Self> {
        static TABLES: [OnceLock<Option<Table>>; 2] = [const { OnceLock::new() }; 2];
        TABLES[usize::from(machine.is_some())]
            .get_or_init(|| Self::make(ProjectivePoint::GENERATOR, GENERATOR, machine))
            .as_ref()
    }

    /// The form for lanes.
    fn in_lanes(&self) -> Option<(lanes::Multiples<'_, Line>, Machine)> {
        match &self.points {
            Points::Lanes(points, machine) => Some((lanes::Multiples { width: self.width, points }, *machine)),
            Points::OneByOne(_) => None,
        }
    }

    fn make(point: ProjectivePoint, width: usize, machine: Option<Machine>) -> Option<Self> {
        let mut powers = vec![point];
        for _ in 1..count(width) {
            let last = powers.last()?;
            powers.push((0..width).fold(*last, |point, _| point.double()));
        }
        let affine = affine(&powers)?;
        // 1; 1 and 2; 1 to 4: what is there, and that again on top of its last.
        let mut rows: Vec<Vec<Point>> = affine.into_iter().map(|point| vec![point]).collect();
        let mut adder = Adder::over(OneByOne::default());
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
        let points = rows.into_iter().flatten().map(Point::weak);
        let points = match machine {
            Some(machine) => Points::Lanes(points.map(|point| lanes::line_of(&point)).collect(), machine),
            None => Points::OneByOne(points.collect()),
        };
        Some(Self { width, points })
    }

    /// Adds to each sum the multiple of this point by the number beside it (lowest byte first).
    fn add(&self, adder: &mut Adder<OneByOne>, sums: &mut Vec<Point>, numbers: &[[u8; 32]]) -> Option<()> {
        let Points::OneByOne(points) = &self.points else { return None };
        let multiple = |at: usize, digit: i32| {
            let Some(size) = (digit.unsigned_abs() as usize).checked_sub(1) else { return Point::INFINITY };
            let point = points[at * largest(self.width) + size];
            if digit < 0 { point.negative() } else { point }
        };
        let mut digits = vec![(0, 0); numbers.len()];
        for at in 0..count(self.width) {
            for (number, held) in numbers.iter().zip(&mut digits) {
                *held = digit(number, at, self.width, held.1);
            }
            adder.add_to(sums, |number| multiple(at, digits[number].0))?;
        }
        Some(())
    }
}

/// Points by their coordinates.
fn affine(points: &[ProjectivePoint]) -> Option<Vec<Point>> {
    let mut affine = vec![AffinePoint::IDENTITY; points.len()];
    ProjectivePoint::batch_normalize(points, &mut affine);
    affine
        .iter()
        .map(|point| Point::from_uncompressed(point.to_encoded_point(false).as_bytes().try_into().ok()?))
        .collect()
}

/// True for those that hold under the table's author; a `false` is for libsecp256k1 to confirm.
pub(super) fn hold(table: &Table, items: &[&SchnorrCheck]) -> Vec<bool> {
    match table.in_lanes() {
        Some((multiples, machine)) => hold_in_lanes(multiples, machine, items),
        None => sums(table, items).map(|sums| lifted(&sums, items)),
    }
    .unwrap_or_else(|| vec![false; items.len()])
}

fn lifted(sums: &[Option<Point>], items: &[&SchnorrCheck]) -> Vec<bool> {
    let sums = items.iter().zip(sums);
    sums.map(|(item, sum)| sum.is_some_and(|sum| sum.is_lift_of(&item.signature[..32]))).collect()
}

/// `s G - e P` of each item; none where `s` is no number of the group.
fn sums(table: &Table, items: &[&SchnorrCheck]) -> Option<Vec<Option<Point>>> {
    let (mut of_base, mut of_author, mut good) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        let s = s(item);
        good.push(s.is_some());
        of_base.push(reversed(&s.unwrap_or_default()));
        of_author.push(reversed(&-challenge(item)));
    }
    let (mut adder, mut sums) = (Adder::over(OneByOne::default()), vec![Point::INFINITY; items.len()]);
    Table::generator(None)?.add(&mut adder, &mut sums, &of_base)?;
    table.add(&mut adder, &mut sums, &of_author)?;
    Some(sums.into_iter().zip(good).map(|(sum, good)| good.then_some(sum)).collect())
}

fn hold_in_lanes(author: lanes::Multiples<'_, Line>, machine: Machine, items: &[&SchnorrCheck]) -> Option<Vec<bool>> {
    static DETOUR: OnceLock<Option<Detour>> = OnceLock::new();
    let detour = DETOUR.get_or_init(|| detour(0)).as_ref()?;
    let (base, _) = Table::generator(Some(machine))?.in_lanes()?;
    let (mut equations, mut good) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
    for item in items {
        let s = s(item);
        good.push(s.is_some());
        let (of_base, of_key) = (reversed(&s.unwrap_or_default()), reversed(&-challenge(item)));
        equations.push(Equation { of_base, of_key, nonce: nonce(item) });
    }
    let held = lanes::schnorr::hold(machine, base, author, detour, &equations);
    Some(held.into_iter().zip(good).map(|(held, good)| held && good).collect())
}

/// The same for authors of whom there are no multiples, in the lanes of the machine.
pub(super) fn strangers_hold(machine: Machine, items: &[&SchnorrCheck]) -> Vec<bool> {
    strangers(machine, items).unwrap_or_else(|| vec![false; items.len()])
}

fn strangers(machine: Machine, items: &[&SchnorrCheck]) -> Option<Vec<bool>> {
    static DETOUR: OnceLock<Option<Detour>> = OnceLock::new();
    let detour = DETOUR.get_or_init(|| detour(128)).as_ref()?;
    let (base, _) = Table::generator(Some(machine))?.in_lanes()?;
    let endomorphism = Endomorphism::new()?;
    let mut strangers = Vec::with_capacity(items.len());
    let mut places = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let Some(s) = s(item) else { continue };
        let (first, second) = endomorphism.split(&-challenge(item))?;
        strangers.push(Stranger {
            key: lanes::words_of(&item.key),
            of_base: reversed(&s),
            of_key: [first, second].map(|half| (half.negative, half.size)),
            nonce: nonce(item),
        });
        places.push(at);
    }
    let mut answers = vec![false; items.len()];
    let held = lanes::schnorr::strangers_hold(machine, base, detour, &strangers);
    for (at, held) in places.into_iter().zip(held) {
        answers[at] = held;
    }
    Some(answers)
}

fn s(item: &SchnorrCheck) -> Option<Scalar> {
    Scalar::from_repr(*FieldBytes::from_slice(&item.signature[32..])).into()
}

fn nonce(item: &SchnorrCheck) -> Words {
    lanes::words_of(item.signature.first_chunk().unwrap_or(&[0xff; 32]))
}

/// The detour of sums that are doubled so many times.
fn detour(doublings: usize) -> Option<Detour> {
    let nobody = lift(sha256(b"reledger/lanes/detour/1").as_bytes())?.to_projective()?;
    let end = (0..doublings).fold(nobody, |point, _| point.double());
    let [start, back] = affine(&[nobody, -end])?.try_into().ok()?;
    Some(Detour { start: lanes::line_of(&start), back: lanes::line_of(&back) })
}

fn reversed(scalar: &Scalar) -> [u8; 32] {
    let mut bytes: [u8; 32] = scalar.to_repr().into();
    bytes.reverse();
    bytes
}
