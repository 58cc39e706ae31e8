//! BIP-340 under keys that sign once or twice, eight signatures at a time: what a key is multiplied by is split by the
//! endomorphism, so that there are 128 doublings.

use archmage::{X64V4xToken, arcane, rite};

use super::picked::{Picked, eights};
use super::schnorr::{add, compared};
use super::secp256k1::{Affine, Coordinate, Jacobian};
use super::vector::{LANES, Mask, each, equal_to, gathered, limbs};
use super::{Detour, Line, Multiples, Stranger, Words};
use crate::verify::batch::endomorphism::BETA;
use crate::verify::fixed_base::digits::largest;

/// Bits of a digit.
const WIDTH: usize = 4;
/// Digits of half a number.
const DIGITS: usize = 128 / WIDTH + 1;
/// Multiples of a key, from the first on.
const ENTRIES: usize = largest(WIDTH);

/// True for those whose sum is what their nonce is lifted to. The detour is one of 128 doublings.
#[arcane]
pub(in crate::verify) fn hold(
    _: X64V4xToken,
    base: Multiples<'_, Line>,
    detour: &Detour,
    strangers: &[Stranger],
) -> Vec<bool> {
    let eights: Vec<_> = eights(strangers).collect();
    let mut found = Vec::with_capacity(strangers.len());
    let mut multiples = Vec::with_capacity(eights.len() * ENTRIES);
    for eight in &eights {
        let (key, lifted) = Affine::lifted(&eight.map(|it| it.key));
        found.extend((0..LANES).map(|lane| lifted >> lane & 1 == 1));
        multiples.push(key.jacobian());
        multiples.push(key.jacobian().double());
        for _ in 2..ENTRIES {
            multiples.push(multiples[multiples.len() - 1].add(&key, 0));
        }
    }
    let multiples = Jacobian::affine(&multiples);
    let mut sums = Vec::with_capacity(eights.len());
    for (eight, multiples) in eights.iter().zip(multiples.chunks(ENTRIES)) {
        sums.push(of_keys(multiples, detour, &eight.map(|it| it.of_key)));
    }
    let of_base: Vec<_> = eights.iter().map(|eight| eight.map(|it| it.of_base)).collect();
    add(&mut sums, base, &of_base);
    let back = Affine::of([&detour.back; LANES], 0);
    for sum in &mut sums {
        *sum = sum.add(&back, 0);
    }
    let nonces: Vec<Words> = strangers.iter().map(|it| it.nonce).collect();
    let mut answers = compared(&sums, &nonces);
    for (answer, found) in answers.iter_mut().zip(found) {
        *answer &= found;
    }
    answers
}

/// The start of the detour, 2^128 times, and so many times each key.
#[rite(v4x)]
fn of_keys(multiples: &[(Affine, Mask)], detour: &Detour, halves: &[[(bool, u128); 2]; LANES]) -> Jacobian {
    let [d, c, b, a] = BETA;
    let beta = Coordinate::new(limbs(gathered(&[[a, b, c, d]; LANES])));
    let mut tables = [[Affine::of([&detour.start; LANES], 0); ENTRIES]; 2];
    for (at, (point, _)) in multiples.iter().enumerate() {
        tables[0][at] = *point;
        tables[1][at] = Affine { x: point.x.times(&beta), y: point.y };
    }
    let digits = [0, 1].map(|half| digits(&halves.map(|halves| halves[half])));
    let mut sum = Affine::of([&detour.start; LANES], 0).jacobian();
    for at in (0..DIGITS).rev() {
        for _ in 0..if at == DIGITS - 1 { 0 } else { WIDTH } {
            sum = sum.double();
        }
        for (table, digits) in tables.iter().zip(&digits) {
            let picked = &digits[at];
            sum = sum.add(&chosen(table, picked).negative_in(picked.negative), picked.none);
        }
    }
    sum
}

/// Digits of eight halves, the lowest first.
fn digits(halves: &[(bool, u128); LANES]) -> [Picked; DIGITS] {
    let mut numbers = [[0; 32]; LANES];
    let mut turned: Mask = 0;
    for (lane, (negative, size)) in halves.iter().enumerate() {
        numbers[lane][..16].copy_from_slice(&size.to_le_bytes());
        turned |= Mask::from(*negative) << lane;
    }
    let mut carries = [0; LANES];
    std::array::from_fn(|at| {
        let mut picked = Picked::at(at, WIDTH, &numbers, &mut carries);
        picked.negative ^= turned;
        picked
    })
}

/// Each lane's own multiple.
#[rite(v4x)]
fn chosen(table: &[Affine; ENTRIES], picked: &Picked) -> Affine {
    let places = each(picked.places);
    let mut point = table[0];
    for (at, other) in (1..).zip(&table[1..]) {
        let mask = equal_to(places, at);
        point = Affine { x: point.x.or(mask, &other.x), y: point.y.or(mask, &other.y) };
    }
    point
}
