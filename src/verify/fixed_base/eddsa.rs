//! Ed25519 under one key: `s B - k A` out of a table of multiples of B and one of A, without a doubling.

use std::sync::OnceLock;

use curve25519_dalek::Scalar;
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::traits::Identity;
use sha2::{Digest, Sha512};

use super::digits::{count, digit, largest};
use crate::verify::batch::Ed25519Check;

/// Bits of a digit of what a signer is multiplied by: a table of 676 kB.
const SIGNER: usize = 8;
/// The same for the base point, whose table is made once and serves everybody: 2.1 MB.
const BASE: usize = 10;

/// Multiples of one point.
#[derive(Debug)]
pub(super) struct Table {
    width: usize,
    /// For each digit the point times 1, 2, ... times what the digit stands for.
    points: Vec<EdwardsPoint>,
}

impl Table {
    /// Of a signer. `None` for what is no point, and for one of small order, which strict verification refuses.
    pub(super) fn of(key: &[u8; 32]) -> Option<Self> {
        let point = CompressedEdwardsY(*key).decompress().filter(|point| !point.is_small_order())?;
        Some(Self::make(point, SIGNER))
    }

    fn base() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Self::make(ED25519_BASEPOINT_POINT, BASE))
    }

    fn make(mut point: EdwardsPoint, width: usize) -> Self {
        let mut points = Vec::with_capacity(count(width) * largest(width));
        for _ in 0..count(width) {
            let mut multiple = point;
            for _ in 1..largest(width) {
                points.push(multiple);
                multiple += point;
            }
            points.push(multiple);
            point = multiple + multiple;
        }
        Self { width, points }
    }

    /// Adds to each sum the multiple of this point by the number beside it.
    fn add(&self, sums: &mut [EdwardsPoint], numbers: &[Scalar]) {
        let mut carries = vec![0; numbers.len()];
        for at in 0..count(self.width) {
            let points = &self.points[at * largest(self.width)..];
            for ((number, carry), sum) in numbers.iter().zip(&mut carries).zip(&mut *sums) {
                let digit;
                (digit, *carry) = self::digit(number.as_bytes(), at, self.width, *carry);
                let Some(size) = (digit.unsigned_abs() as usize).checked_sub(1) else { continue };
                if digit < 0 {
                    *sum -= points[size];
                } else {
                    *sum += points[size];
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
    let (mut of_base, mut of_signer, mut good) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        let (nonce, s) = item.signature.split_at(32);
        let s: Option<Scalar> = s.try_into().ok().and_then(|s| Scalar::from_canonical_bytes(s).into());
        let hash = Sha512::new().chain_update(nonce).chain_update(item.key).chain_update(item.message);
        good.push(s.is_some());
        of_base.push(s.unwrap_or_default());
        of_signer.push(-Scalar::from_bytes_mod_order_wide(&hash.finalize().into()));
    }
    let mut sums = vec![EdwardsPoint::identity(); items.len()];
    Table::base().add(&mut sums, &of_base);
    table.add(&mut sums, &of_signer);
    let same = |item: &Ed25519Check, sum: &EdwardsPoint| {
        sum.compress().as_bytes() == &item.signature[..32] && !sum.is_small_order()
    };
    items.iter().zip(&sums).zip(good).map(|((item, sum), good)| good && same(item, sum)).collect()
}
