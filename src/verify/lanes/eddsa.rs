//! Ed25519 under keys whose multiples are there, eight signatures at a time.

use archmage::{X64V4xToken, arcane, rite};

use super::edwards25519::{Running, Term};
use super::picked::{Picked, eights};
use super::vector::LANES;
use super::{Equation, Multiples, Triple};
use crate::verify::fixed_base::digits::{count, largest};

/// True for those whose difference, so many times the base less so many times the key, is encoded as their nonce.
///
/// The point is subtracted, and not its number negated: a key with a part of small order tells -k from the number that it is equal to.
#[arcane]
pub(in crate::verify) fn hold(
    _: X64V4xToken,
    base: Multiples<'_, Triple>,
    signer: Multiples<'_, Triple>,
    equations: &[Equation],
) -> Vec<bool> {
    let mut sums = Vec::with_capacity(equations.len().div_ceil(LANES));
    for eight in eights(equations) {
        let sum = add(Running::neutral(), base, &eight.map(|equation| equation.of_base), false);
        sums.push(add(sum, signer, &eight.map(|equation| equation.of_key), true));
    }
    let mut answers = Vec::with_capacity(8 * sums.len());
    for (sum, eight) in Running::affine(&sums).iter().zip(eights(equations)) {
        let good = sum.encoded_as(&eight.map(|equation| equation.nonce));
        answers.extend((0..LANES).map(|lane| good >> lane & 1 == 1));
    }
    answers.truncate(equations.len());
    answers
}

#[rite(v4x)]
fn add(mut sum: Running, multiples: Multiples<'_, Triple>, numbers: &[[u8; 32]; LANES], negative: bool) -> Running {
    let mut carries = [0; LANES];
    for at in 0..count(multiples.width) {
        let row = &multiples.points[at * largest(multiples.width)..][..largest(multiples.width)];
        let picked = Picked::at(at, multiples.width, numbers, &mut carries);
        let terms = Term::of(picked.places.map(|place| &row[place]));
        let sign = if negative { !picked.negative } else { picked.negative };
        sum = sum.add(&terms, sign, picked.none);
    }
    sum
}
