//! BIP-340 under keys whose multiples are there, eight signatures at a time.

use archmage::{X64V4xToken, arcane, rite};

use super::picked::{Picked, eights};
use super::secp256k1::{Affine, Jacobian, lifts};
pub(in crate::verify) use super::strangers::hold as strangers_hold;
use super::vector::LANES;
use super::{Detour, Equation, Line, Multiples, Words};
use crate::verify::fixed_base::digits::{count, largest};

/// True for those whose sum is what their nonce is lifted to.
#[arcane]
pub(in crate::verify) fn hold(
    _: X64V4xToken,
    base: Multiples<'_, Line>,
    author: Multiples<'_, Line>,
    detour: &Detour,
    equations: &[Equation],
) -> Vec<bool> {
    let eights: Vec<_> = eights(equations).collect();
    let mut sums = vec![Affine::of([&detour.start; LANES], 0).jacobian(); eights.len()];
    let of_base: Vec<_> = eights.iter().map(|eight| eight.map(|equation| equation.of_base)).collect();
    add(&mut sums, base, &of_base);
    let of_key: Vec<_> = eights.iter().map(|eight| eight.map(|equation| equation.of_key)).collect();
    add(&mut sums, author, &of_key);
    let back = Affine::of([&detour.back; LANES], 0);
    for sum in &mut sums {
        *sum = sum.add(&back, 0);
    }
    let nonces: Vec<Words> = equations.iter().map(|equation| equation.nonce).collect();
    compared(&sums, &nonces)
}

/// Adds to each sum that multiple. Digit by digit: what all of them look up for one is near then.
#[rite(v4x)]
pub(super) fn add(sums: &mut [Jacobian], multiples: Multiples<'_, Line>, numbers: &[[[u8; 32]; LANES]]) {
    let mut carries = vec![[0; LANES]; sums.len()];
    for at in 0..count(multiples.width) {
        let row = &multiples.points[at * largest(multiples.width)..][..largest(multiples.width)];
        for ((sum, numbers), carries) in sums.iter_mut().zip(numbers).zip(&mut carries) {
            let picked = Picked::at(at, multiples.width, numbers, carries);
            let points = Affine::of(picked.places.map(|place| &row[place]), picked.negative);
            *sum = sum.add(&points, picked.none);
        }
    }
}

/// True where the sum is what the nonce is lifted to.
#[rite(v4x)]
pub(super) fn compared(sums: &[Jacobian], nonces: &[Words]) -> Vec<bool> {
    let mut answers = Vec::with_capacity(8 * sums.len());
    for ((sum, finite), nonces) in Jacobian::affine(sums).iter().zip(eights(nonces)) {
        let good = finite & lifts(sum, &nonces);
        answers.extend((0..LANES).map(|lane| good >> lane & 1 == 1));
    }
    answers.truncate(nonces.len());
    answers
}
