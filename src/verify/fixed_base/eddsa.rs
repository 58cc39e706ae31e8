//! Ed25519 under one key: `s B - k A` out of a table of multiples of B and one of A, without a doubling.

use std::sync::OnceLock;

use curve25519_dalek::Scalar;
use curve25519_dalek::constants::{ED25519_BASEPOINT_COMPRESSED, EIGHT_TORSION};
use curve25519_dalek::edwards::CompressedEdwardsY;

use super::digits::{count, digit, largest};
use super::edwards::{Affine, Running, Term};
use crate::verify::batch::Ed25519Check;
use crate::verify::lanes::{self, Equation, Machine, Triple};

/// Bits of a digit of what a signer is multiplied by: a table of 891 kB, of 713 for lanes.
pub(super) const WIDTH: usize = 9;
/// The same for the base point, whose table is made once and serves everybody: 1.6 MB, or 1.3.
const BASE: usize = 10;

/// Multiples of one point: for each digit the point times 1, 2, ... times what the digit stands for.
#[derive(Debug)]
pub(super) struct Table {
    width: usize,
    points: Points,
}

/// The form in which they are added.
#[derive(Debug)]
enum Points {
    OneByOne(Vec<Term>),
    Lanes(Vec<Triple>, Machine),
}

impl Table {
    /// Of a signer, for additions one by one or in the lanes of a machine. `None` for what is no point, and for one of small
    /// order, which strict verification refuses.
    pub(super) fn wide(key: &[u8; 32], width: usize, machine: Option<Machine>) -> Option<Self> {
        let point = CompressedEdwardsY(*key).decompress()?;
        if point.is_small_order() { None } else { Self::make(key, width, machine) }
    }

    fn base(machine: Option<Machine>) -> Option<&'static Self> {
        static TABLES: [OnceLock<Option<Table>>; 2] = [const { OnceLock::new() }; 2];
        TABLES[usize::from(machine.is_some())]
            .get_or_init(|| Self::make(ED25519_BASEPOINT_COMPRESSED.as_bytes(), BASE, machine))
            .as_ref()
    }

    /// The form for lanes.
    fn in_lanes(&self) -> Option<(lanes::Multiples<'_, Triple>, Machine)> {
        match &self.points {
            Points::Lanes(points, machine) => Some((lanes::Multiples { width: self.width, points }, *machine)),
            Points::OneByOne(_) => None,
        }
    }

    fn make(point: &[u8; 32], width: usize, machine: Option<Machine>) -> Option<Self> {
        let mut term = Affine::decode(*point)?.term();
        let mut points = Vec::with_capacity(count(width) * largest(width));
        for _ in 0..count(width) {
            let mut multiple = Running::NEUTRAL;
            for _ in 0..largest(width) {
                multiple.add(&term, false);
                points.push(multiple);
            }
            // The largest is half of what the next digit counts in.
            let last = Affine::of_all(&[multiple])[0].term();
            multiple.add(&last, false);
            term = Affine::of_all(&[multiple])[0].term();
        }
        let terms = Affine::of_all(&points).into_iter().map(Affine::term);
        let points = match machine {
            Some(machine) => Points::Lanes(terms.map(|term| triple(&term)).collect(), machine),
            None => Points::OneByOne(terms.collect()),
        };
        Some(Self { width, points })
    }

    /// Adds to each sum the multiple of this point by the number beside it, or its negative.
    fn add(&self, sums: &mut [Running], numbers: &[Scalar], negative: bool) {
        let Points::OneByOne(points) = &self.points else { return };
        let mut carries = vec![0; numbers.len()];
        for at in 0..count(self.width) {
            let points = &points[at * largest(self.width)..];
            for ((number, carry), sum) in numbers.iter().zip(&mut carries).zip(&mut *sums) {
                let digit;
                (digit, *carry) = self::digit(number.as_bytes(), at, self.width, *carry);
                if let Some(size) = (digit.unsigned_abs() as usize).checked_sub(1) {
                    sum.add(&points[size], (digit < 0) != negative);
                }
            }
        }
    }
}

/// True for those that hold under the table's signer; a `false` is for `verify_strict` to confirm.
///
/// Strict verification compares the encoded nonce with that of `s B - k A`, and refuses one of small order. What is encoded
/// alike is the same point, so that the nonce need not be decoded.
pub(super) fn hold(table: &Table, items: &[&Ed25519Check]) -> Vec<bool> {
    match table.in_lanes() {
        Some((multiples, machine)) => hold_in_lanes(multiples, machine, items),
        None => hold_one_by_one(table, items),
    }
    .unwrap_or_else(|| vec![false; items.len()])
}

fn hold_in_lanes(signer: lanes::Multiples<'_, Triple>, machine: Machine, items: &[&Ed25519Check]) -> Option<Vec<bool>> {
    let (base, _) = Table::base(Some(machine))?.in_lanes()?;
    let mut good = Vec::with_capacity(items.len());
    let mut equations = Vec::with_capacity(items.len());
    for item in items {
        let (s, nonce) = (item.s(), item.signature.first_chunk()?);
        good.push(s.is_some() && !is_of_small_order(nonce));
        let (of_base, of_key) = (s.unwrap_or_default().to_bytes(), item.challenge().to_bytes());
        equations.push(Equation { of_base, of_key, nonce: lanes::words(nonce) });
    }
    let held = lanes::eddsa::hold(machine, base, signer, &equations);
    Some(held.into_iter().zip(good).map(|(held, good)| held && good).collect())
}

fn triple(term: &Term) -> Triple {
    let [sum, difference, product] = term.numbers().map(|number| lanes::words(&number));
    let mut pair = [0; 8];
    pair[..4].copy_from_slice(&sum);
    pair[4..].copy_from_slice(&difference);
    Triple(pair, product)
}

fn hold_one_by_one(table: &Table, items: &[&Ed25519Check]) -> Option<Vec<bool>> {
    let base = Table::base(None)?;
    let (mut of_base, mut of_signer, mut good) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        let s = item.s();
        good.push(s.is_some());
        of_base.push(s.unwrap_or_default());
        of_signer.push(item.challenge());
    }
    let mut sums = vec![Running::NEUTRAL; items.len()];
    base.add(&mut sums, &of_base, false);
    // The point is negated and not k: a key with a part of small order tells -k from the number that it is equal to.
    table.add(&mut sums, &of_signer, true);
    let same = |item: &Ed25519Check, sum: Affine| {
        item.signature[..32] == sum.encode() && sum.is_on_curve() && !is_of_small_order(&item.signature[..32])
    };
    let sums = Affine::of_all(&sums);
    Some(items.iter().zip(sums).zip(good).map(|((item, sum), good)| good && same(item, sum)).collect())
}

/// True for the encodings of the eight points whose order divides the cofactor.
fn is_of_small_order(encoded: &[u8]) -> bool {
    static ENCODED: OnceLock<[[u8; 32]; 8]> = OnceLock::new();
    let all = ENCODED.get_or_init(|| EIGHT_TORSION.map(|point| point.compress().to_bytes()));
    all.iter().any(|of_eight| of_eight == encoded)
}
