//! BIP-340 in batches (its section "Batch Verification").

use std::cell::RefCell;
use std::sync::LazyLock;

use bitcoin::secp256k1::PublicKey;
use k256::elliptic_curve::ff::PrimeField;
use k256::elliptic_curve::ops::Reduce;
use k256::elliptic_curve::sec1::ToEncodedPoint;
use k256::{AffinePoint, FieldBytes, Scalar, U256};

use super::affine::Point;
use super::coefficients::Coefficients;
use super::endomorphism::{Endomorphism, Half};
use super::multiply::{Term, vanishes};
use super::sift::{answers, sift};
use crate::domain::{Sha256Stream, sha256};
use crate::verify::nostr::bip340_holds;

/// Fewer are quicker judged one by one.
const LEAST: usize = 32;
/// More in one batch gain little, and leave the caches.
const MOST: usize = 16_384;

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
    answers(items.len(), MOST, |at| &items[at].key, |places| judge(items, places))
}

/// One signature whose parts are what they should be.
struct Prepared<'a> {
    at: usize,
    item: &'a SchnorrCheck,
    key: Point,
    nonce: Point,
    challenge: Scalar,
    s: Scalar,
}

fn judge(items: &[SchnorrCheck], places: &[usize]) -> Vec<(usize, bool)> {
    let mut judged = Vec::with_capacity(places.len());
    let (Some(endomorphism), true) = (Endomorphism::new(), places.len() >= LEAST) else {
        return places.iter().map(|at| (*at, items[*at].holds())).collect();
    };
    let mut prepared: Vec<Prepared> = Vec::with_capacity(places.len());
    let mut author: Option<([u8; 32], Option<Point>)> = None;
    for at in places {
        let item = &items[*at];
        let key = match &author {
            Some((bytes, key)) if *bytes == item.key => *key,
            _ => lift(&item.key),
        };
        author = Some((item.key, key));
        match prepare(*at, item, key) {
            Some(good) => prepared.push(good),
            None => judged.push((*at, item.holds())),
        }
    }
    // Used again by each batch: allocating it costs more than filling it.
    let terms = RefCell::new(Vec::with_capacity(2 * places.len()));
    let holds = |batch: &[Prepared]| equation(batch, &endomorphism, &mut terms.borrow_mut()) == Some(true);
    sift(&prepared, LEAST, &holds, &|it: &Prepared| it.item.holds(), &mut |it, good| judged.push((it.at, good)));
    judged
}

impl SchnorrCheck {
    /// What libsecp256k1 says: the judge of every rejection.
    pub(in crate::verify) fn holds(&self) -> bool {
        bip340_holds(&self.key, &self.message, &self.signature)
    }
}

/// `None` where the standard refuses, or where libsecp256k1 should say what it thinks.
fn prepare(at: usize, item: &SchnorrCheck, key: Option<Point>) -> Option<Prepared<'_>> {
    let (nonce, s) = item.signature.split_at(32);
    Some(Prepared {
        at,
        item,
        key: key?,
        nonce: lift(nonce)?,
        challenge: challenge(item),
        s: Option::from(Scalar::from_repr(*FieldBytes::from_slice(s)))?,
    })
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
fn equation(batch: &[Prepared], endomorphism: &Endomorphism, terms: &mut Vec<Term>) -> Option<bool> {
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
            add(terms, it.key, &multiple, endomorphism)?;
            multiple = Scalar::ZERO;
        }
    }
    let generator = AffinePoint::GENERATOR.to_encoded_point(false);
    add(terms, Point::from_uncompressed(generator.as_bytes().try_into().ok()?)?, &base, endomorphism)?;
    Some(vanishes(terms))
}

/// Adds a multiple by 256 bits as two by 128.
fn add(terms: &mut Vec<Term>, point: Point, factor: &Scalar, endomorphism: &Endomorphism) -> Option<()> {
    let (first, second) = endomorphism.split(factor)?;
    let signed = |half: Half, point: Point| {
        let point = if half.negative { point.negative().weak() } else { point };
        Term { point, factor: half.size }
    };
    terms.push(signed(first, point));
    terms.push(signed(second, point.over(|x| endomorphism.image(x))));
    Some(())
}

/// True when a batch of this one item holds: what no single verifier corrects.
#[cfg(test)]
pub(super) fn holds_alone(item: &SchnorrCheck) -> bool {
    let (endomorphism, mut terms) = (Endomorphism::new().unwrap(), Vec::new());
    prepare(0, item, lift(&item.key)).is_some_and(|it| equation(&[it], &endomorphism, &mut terms) == Some(true))
}
