//! Ed25519 in batches that say what `verify_strict` says.
//!
//! A batch may hold although strict verification refuses one of its signatures: where a nonce or a key has a part of small order,
//! that part vanishes for one coefficient in eight, or against another's. So a batch is believed only when it is shown beside that
//! no nonce and no key in it has such a part. What is left is a group of prime order, where a batch is as good as BIP-340's.

use curve25519_dalek::Scalar;
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha512};

use super::coefficients::Coefficients;
use super::sift::{answers, sift};
use super::subset_sums::{multiples, subset_sums, torsion_free};

/// Fewer are quicker judged one by one: what shows the absence of small orders costs the same for any batch.
const LEAST: usize = 256;
/// More in one batch gain little, and leave the caches.
pub(in crate::verify) const MOST: usize = 16_384;

/// An Ed25519 signature that is to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ed25519Check<'a> {
    /// The signer's compressed point.
    pub key: [u8; 32],
    /// What was signed.
    pub message: &'a [u8],
    /// The compressed nonce, then `s`.
    pub signature: [u8; 64],
}

/// Judges signatures on all cores: one answer for each, in their order, the one that `verify_strict` of `ed25519-dalek` gives, and
/// `false` for a key that is no point.
///
/// A `false` always is that of `verify_strict`. A `true` may be that of a batch, which is wrong with probability 2^-128
/// (docs/adr/0028). From some 500 on it pays.
pub fn ed25519(items: &[Ed25519Check]) -> Vec<bool> {
    answers(items, MOST, |item| &item.key, judge)
}

/// One signature whose parts are what they should be.
struct Prepared<'a> {
    at: usize,
    item: &'a Ed25519Check<'a>,
    key: EdwardsPoint,
    nonce: EdwardsPoint,
    challenge: Scalar,
    s: Scalar,
}

/// Judges a batch on this core; items with equal keys lie side by side.
pub(in crate::verify) fn judge(items: &[&Ed25519Check]) -> Vec<bool> {
    if items.len() < LEAST {
        return items.iter().map(|item| item.holds()).collect();
    }
    let mut prepared: Vec<Prepared> = Vec::with_capacity(items.len());
    let mut key = None;
    for (at, item) in items.iter().enumerate() {
        if at == 0 || items[at - 1].key != item.key {
            key = point(item.key);
        }
        prepared.extend(prepare(at, item, key));
    }
    // Whoever is not prepared is for strict verification.
    let mut answers: Vec<Option<bool>> = vec![None; items.len()];
    let holds = |batch: &[Prepared]| holds(batch);
    sift(&prepared, LEAST, &holds, &|it| it.item.holds(), &mut |it, good| answers[it.at] = Some(good));
    answers.iter().zip(items).map(|(answer, item)| answer.unwrap_or_else(|| item.holds())).collect()
}

impl Ed25519Check<'_> {
    /// The second half of the signature; `None` where it is not below the order of the group.
    pub(in crate::verify) fn s(&self) -> Option<Scalar> {
        Scalar::from_canonical_bytes(*self.signature.last_chunk()?).into()
    }

    /// The hash of nonce, key and message, as a number of the group.
    pub(in crate::verify) fn challenge(&self) -> Scalar {
        let nonce = &self.signature[..32];
        let hash = Sha512::new().chain_update(nonce).chain_update(self.key).chain_update(self.message);
        Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
    }

    /// What `verify_strict` says: the judge of every rejection.
    pub(in crate::verify) fn holds(&self) -> bool {
        VerifyingKey::from_bytes(&self.key)
            .is_ok_and(|key| key.verify_strict(self.message, &Signature::from_bytes(&self.signature)).is_ok())
    }
}

/// `None` where strict verification refuses, or where it should say what it thinks.
fn prepare<'a>(at: usize, item: &'a Ed25519Check<'a>, key: Option<EdwardsPoint>) -> Option<Prepared<'a>> {
    let key = key?;
    let nonce = point(*item.signature.first_chunk()?)?;
    Some(Prepared { at, item, key, nonce, challenge: item.challenge(), s: item.s()? })
}

/// The point, unless its order is small or its encoding is not the only one. Strict verification compares encoded nonces.
fn point(bytes: [u8; 32]) -> Option<EdwardsPoint> {
    let canonical = is_canonical(&bytes);
    let point = CompressedEdwardsY(bytes).decompress().filter(|_| canonical)?;
    (!point.is_small_order()).then_some(point)
}

/// True when the ordinate is below 2^255 - 19. The other encoding that is not the only one, a sign for x = 0, belongs to points
/// of small order.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    !(*low >= 0xed && middle.iter().all(|byte| *byte == 0xff) && high & 0x7f == 0x7f)
}

/// True when the sum of z (s B - R - k A) over all items vanishes, each with its own z, and no R and no A has a part of small
/// order. Items under one key lie side by side.
fn holds(batch: &[Prepared]) -> bool {
    let parts = batch.iter().flat_map(|it| [&it.item.key[..], it.item.message, &it.item.signature]);
    let mut drawn = Coefficients::of("reledger/batch/ed25519/1", parts);
    let mut points: Vec<EdwardsPoint> = batch.iter().map(|it| it.nonce).collect();
    let mut coefficients: Vec<u128> = batch.iter().map(|_| drawn.draw()).collect();
    let mut base = Scalar::ZERO;
    let mut multiple = Scalar::ZERO;
    let mut keys = Vec::new();
    for (at, it) in batch.iter().enumerate() {
        let factor = Scalar::from(coefficients[at]);
        base += factor * it.s;
        multiple += factor * it.challenge;
        if batch.get(at + 1).is_none_or(|next| next.item.key != it.item.key) {
            // The key stands in the subsets too, under a coefficient of its own, which its multiple is relieved of.
            let own = drawn.draw();
            points.push(it.key);
            coefficients.push(own);
            keys.push((it.key, multiple - Scalar::from(own)));
            multiple = Scalar::ZERO;
        }
    }
    let sums = subset_sums(&points, &coefficients);
    keys.push((ED25519_BASEPOINT_POINT, -base));
    let rest =
        EdwardsPoint::vartime_multiscalar_mul(keys.iter().map(|(_, factor)| factor), keys.iter().map(|(key, _)| key));
    // The cheap half first: a batch with a bad signature stops here.
    (multiples(&sums) + rest).is_identity() && torsion_free(&sums)
}

/// True when a batch of this one item holds: what no single verifier corrects.
#[cfg(test)]
pub(super) fn holds_alone(item: &Ed25519Check) -> bool {
    prepare(0, item, point(item.key)).is_some_and(|it| holds(&[it]))
}
