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
    let eights: Vec<_> = eights(equations).collect();
    let mut sums = vec![Running::neutral(); eights.len()];
    let of_base: Vec<_> = eights.iter().map(|eight| eight.map(|equation| equation.of_base)).collect();
    add(&mut sums, base, &of_base, false);
    let of_key: Vec<_> = eights.iter().map(|eight| eight.map(|equation| equation.of_key)).collect();
    add(&mut sums, signer, &of_key, true);
    let mut answers = Vec::with_capacity(LANES * sums.len());
    for (sum, eight) in Running::affine(&sums).iter().zip(&eights) {
        let good = sum.encoded_as(&eight.map(|equation| equation.nonce));
        answers.extend((0..LANES).map(|lane| good >> lane & 1 == 1));
    }
    answers.truncate(equations.len());
    answers
}

/// Adds to each sum that multiple, or takes it away. Digit by digit: what all of them look up for one is near then.
#[rite(v4x)]
fn add(sums: &mut [Running], multiples: Multiples<'_, Triple>, numbers: &[[[u8; 32]; LANES]], negative: bool) {
    let mut carries = vec![[0; LANES]; sums.len()];
    for at in 0..count(multiples.width) {
        let row = &multiples.points[at * largest(multiples.width)..][..largest(multiples.width)];
        for ((sum, numbers), carries) in sums.iter_mut().zip(numbers).zip(&mut carries) {
            let picked = Picked::at(at, multiples.width, numbers, carries);
            let terms = Term::of(picked.places.map(|place| &row[place]));
            let sign = if negative { !picked.negative } else { picked.negative };
            *sum = sum.add(&terms, sign, picked.none);
        }
    }
}
