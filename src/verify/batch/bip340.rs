//! BIP-340 in batches (its section "Batch Verification").

use std::cell::RefCell;
use std::sync::LazyLock;

use bitcoin::secp256k1::PublicKey;
use k256::elliptic_curve::ff::PrimeField;
use k256::elliptic_curve::ops::Reduce;
use k256::elliptic_curve::point::AffineCoordinates;
use k256::{AffinePoint, FieldBytes, Scalar, U256};

use super::adder::Plane;
use super::affine::{OneByOne, Point};
use super::coefficients::Coefficients;
use super::endomorphism::{Endomorphism, Half};
use super::multiply::{Term, vanishes};
use super::sift::{answers, sift};
use crate::domain::{Sha256Stream, sha256};
use crate::verify::lanes::{InLanes, Machine, machine};
use crate::verify::nostr::bip340_holds;

/// Fewer are quicker judged one by one.
const LEAST: usize = 32;
/// More in one batch gain little, and leave the caches.
pub(in crate::verify) const MOST: usize = 16_384;

/// A BIP-340 signature that is to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchnorrCheck {
    /// The author: an abscissa.
    pub key: [u8; 32],
    /// What was signed: the id of an event.
    pub message: [u8; 32],
    /// The abscissa of the nonce, then `s`.
    pub signature: [u8; 64],
}

/// Judges signatures on all cores: one answer for each, in their order, the one that libsecp256k1 gives.
///
/// A `false` always is libsecp256k1's own. A `true` may be that of a batch, which is wrong with probability 2^-128
/// (docs/adr/0028). The cost falls with the size of the batch and with the number of authors; from 1,000 on it pays well.
pub fn schnorr(items: &[SchnorrCheck]) -> Vec<bool> {
    schnorr_on(machine(), items)
}

/// The same in the lanes of a machine, or one by one.
pub(in crate::verify) fn schnorr_on(machine: Option<Machine>, items: &[SchnorrCheck]) -> Vec<bool> {
    answers(items, MOST, |item| &item.key, |batch| judge(machine, batch))
}

/// Judges a batch on this core; items with equal keys lie side by side.
pub(in crate::verify) fn judge(machine: Option<Machine>, items: &[&SchnorrCheck]) -> Vec<bool> {
    let judged = match machine {
        _ if items.len() < LEAST => None,
        Some(machine) => sifted(&|| InLanes::on(machine), items),
        None => sifted(&OneByOne::default, items),
    };
    judged.unwrap_or_else(|| items.iter().map(|item| item.holds()).collect())
}

/// One signature whose parts are what they should be.
struct Prepared<'a, T> {
    at: usize,
    item: &'a SchnorrCheck,
    key: T,
    nonce: T,
    challenge: Scalar,
    s: Scalar,
}

fn sifted<P: Plane>(plane: &impl Fn() -> P, items: &[&SchnorrCheck]) -> Option<Vec<bool>> {
    let endomorphism = Endomorphism::new()?;
    let prepared = prepared(&plane(), items);
    // Whoever is not prepared is for libsecp256k1.
    let mut answers: Vec<Option<bool>> = vec![None; items.len()];
    // Used again by each batch: allocating it costs more than filling it.
    let terms = RefCell::new(Vec::with_capacity(2 * items.len()));
    let holds =
        |batch: &[Prepared<P::Point>]| equation(plane(), batch, &endomorphism, &mut terms.borrow_mut()) == Some(true);
    sift(&prepared, LEAST, &holds, &|it| it.item.holds(), &mut |it, good| answers[it.at] = Some(good));
    Some(answers.iter().zip(items).map(|(answer, item)| answer.unwrap_or_else(|| item.holds())).collect())
}

/// Those that the standard does not refuse before its equation.
fn prepared<'a, P: Plane>(plane: &P, items: &[&'a SchnorrCheck]) -> Vec<Prepared<'a, P::Point>> {
    let authors: Vec<[u8; 32]> = items.chunk_by(|left, right| left.key == right.key).map(|same| same[0].key).collect();
    let nonces: Vec<[u8; 32]> = items.iter().map(|item| *item.signature.first_chunk().unwrap_or(&[0xff; 32])).collect();
    let (mut authors, nonces) = (plane.lifted(&authors).into_iter(), plane.lifted(&nonces));
    let mut prepared = Vec::with_capacity(items.len());
    let mut key = None;
    for (at, (item, nonce)) in items.iter().zip(nonces).enumerate() {
        if at == 0 || items[at - 1].key != item.key {
            key = authors.next().flatten();
        }
        let s: Option<Scalar> = Scalar::from_repr(*FieldBytes::from_slice(&item.signature[32..])).into();
        if let (Some(key), Some(nonce), Some(s)) = (key, nonce, s) {
            prepared.push(Prepared { at, item, key, nonce, challenge: challenge(item), s });
        }
    }
    prepared
}

impl SchnorrCheck {
    /// What libsecp256k1 says: the judge of every rejection.
    pub(in crate::verify) fn holds(&self) -> bool {
        bip340_holds(&self.key, &self.message, &self.signature)
    }
}

/// The challenge of BIP-340.
pub(in crate::verify) fn challenge(item: &SchnorrCheck) -> Scalar {
    static TAG: LazyLock<Sha256Stream> = LazyLock::new(|| {
        let tag = sha256(b"BIP0340/challenge");
        let mut hash = Sha256Stream::default();
        hash.update(tag.as_bytes());
        hash.update(tag.as_bytes());
        hash
    });
    let mut hash = TAG.clone();
    hash.update(&item.signature[..32]);
    hash.update(&item.key);
    hash.update(&item.message);
    <Scalar as Reduce<U256>>::reduce_bytes(FieldBytes::from_slice(hash.finish().as_bytes()))
}

/// The point with this abscissa and an even ordinate: `lift_x` of BIP-340. The root is libsecp256k1's, which takes two thirds of
/// the time of `k256`, and is what the single verifier goes by.
pub(in crate::verify) fn lift(x: &[u8]) -> Option<Point> {
    let mut compressed = [2; 33];
    compressed[1..].copy_from_slice(x);
    let key = PublicKey::from_slice(&compressed).ok()?;
    Point::from_uncompressed(&key.serialize_uncompressed())
}

/// True when the sum of a (s G - R - e P) over all items vanishes, each with its own a. Items of one author lie side by side.
fn equation<P: Plane>(
    plane: P,
    batch: &[Prepared<P::Point>],
    endomorphism: &Endomorphism,
    terms: &mut Vec<Term<P::Point>>,
) -> Option<bool> {
    let parts = batch.iter().flat_map(|it| [&it.item.key[..], &it.item.message, &it.item.signature]);
    let mut coefficients = Coefficients::of("reledger/batch/bip340/1", parts);
    terms.clear();
    let mut base = Scalar::ZERO;
    let mut multiple = Scalar::ZERO;
    for (at, it) in batch.iter().enumerate() {
        let factor = coefficients.draw();
        terms.push(Term { point: it.nonce, factor });
        let factor = Scalar::from(factor);
        base -= factor * it.s;
        multiple += factor * it.challenge;
        if batch.get(at + 1).is_none_or(|next| next.item.key != it.item.key) {
            add::<P>(terms, it.key, &multiple, endomorphism)?;
            multiple = Scalar::ZERO;
        }
    }
    // The abscissa of the generator, whose ordinate is even.
    let generator: [u8; 32] = AffinePoint::GENERATOR.x().into();
    let generator = plane.lifted(&[generator]).pop()??;
    add::<P>(terms, generator, &base, endomorphism)?;
    Some(vanishes(plane, terms))
}

/// Adds a multiple by 256 bits as two by 128.
fn add<P: Plane>(
    terms: &mut Vec<Term<P::Point>>,
    point: P::Point,
    factor: &Scalar,
    endomorphism: &Endomorphism,
) -> Option<()> {
    let (first, second) = endomorphism.split(factor)?;
    let signed = |half: Half, point: P::Point| {
        let point = if half.negative { P::negative(&point) } else { point };
        Term { point, factor: half.size }
    };
    terms.push(signed(first, point));
    terms.push(signed(second, P::image(&point, endomorphism)));
    Some(())
}

/// True when a batch of this one item holds, added one by one and in lanes: what no single verifier corrects.
#[cfg(test)]
pub(super) fn holds_alone(item: &SchnorrCheck) -> bool {
    fn alone<P: Plane>(plane: P, item: &SchnorrCheck) -> bool {
        let (endomorphism, mut terms) = (Endomorphism::new().unwrap(), Vec::new());
        let prepared = prepared(&plane, &[item]);
        !prepared.is_empty() && equation(plane, &prepared, &endomorphism, &mut terms) == Some(true)
    }
    let holds = alone(OneByOne::default(), item);
    for machine in crate::verify::lanes::machines().into_iter().flatten() {
        assert_eq!(alone(InLanes::on(machine), item), holds);
    }
    holds
}
