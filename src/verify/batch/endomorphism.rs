//! The endomorphism of secp256k1: (x, y) to (beta x, y) is a multiplication by lambda, so a factor of 256 bits is two of 128.

use k256::elliptic_curve::ff::PrimeField;
use k256::{FieldBytes, FieldElement, Scalar};

/// A cube root of one modulo the order of the group, with the constants of a short basis of the lattice of all (a, b) with
/// a + b lambda = 0 (Gallant, Lambert, Vanstone, CRYPTO 2001). The tests hold them to what defines them.
const LAMBDA: [u64; 4] = [0x5363_ad4c_c05c_30e0, 0xa526_1c02_8812_645a, 0x122e_22ea_2081_6678, 0xdf02_967c_1b23_bd72];
/// The cube root of one modulo the prime of the field that belongs to it.
pub(in crate::verify) const BETA: [u64; 4] =
    [0x7ae9_6a2b_657c_0710, 0x6e64_479e_ac34_34e9, 0x9cf0_4975_12f5_8995, 0xc139_6c28_7195_01ee];
const MINUS_B1: [u64; 4] = [0, 0, 0xe443_7ed6_010e_8828, 0x6f54_7fa9_0abf_e4c3];
const MINUS_B2: [u64; 4] = [u64::MAX, 0xffff_ffff_ffff_fffe, 0x8a28_0ac5_0774_346d, 0xd765_cda8_3db1_562c];
/// 2^384 times b2 and -b1 over the order, rounded.
const G1: [u64; 4] = [0x3086_d221_a7d4_6bcd, 0xe86c_90e4_9284_eb15, 0x3daa_8a14_71e8_ca7f, 0xe893_209a_45db_b031];
const G2: [u64; 4] = [0xe443_7ed6_010e_8828, 0x6f54_7fa9_0abf_e4c4, 0x2212_08ac_9df5_06c6, 0x1571_b4ae_8ac4_7f71];

/// A factor below 2^128 in size, with its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) struct Half {
    pub(in crate::verify) negative: bool,
    pub(in crate::verify) size: u128,
}

/// The constants in the form in which they are multiplied.
#[derive(Debug)]
pub(in crate::verify) struct Endomorphism {
    beta: FieldElement,
    lambda: Scalar,
    minus_b1: Scalar,
    minus_b2: Scalar,
}

impl Endomorphism {
    /// Makes the constants. `None` is impossible: all are below the modulus they belong to.
    pub(in crate::verify) fn new() -> Option<Self> {
        Some(Self {
            beta: Option::from(FieldElement::from_bytes(&bytes(BETA)))?,
            lambda: scalar(LAMBDA)?,
            minus_b1: scalar(MINUS_B1)?,
            minus_b2: scalar(MINUS_B2)?,
        })
    }

    /// The abscissa of lambda times a point with this abscissa; the ordinate stays.
    pub(in crate::verify) fn image(&self, x: &FieldElement) -> FieldElement {
        x.mul(&self.beta)
    }

    /// Splits a factor into (a, b) with a + b lambda equal to it.
    ///
    /// `None` is impossible by the bounds of the basis; were it not, nothing would be accepted because of it.
    pub(in crate::verify) fn split(&self, factor: &Scalar) -> Option<(Half, Half)> {
        let limbs = limbs(&factor.to_repr());
        let c1 = Scalar::from(high(limbs, G1)) * self.minus_b1;
        let c2 = Scalar::from(high(limbs, G2)) * self.minus_b2;
        let second = c1 + c2;
        let first = *factor - second * self.lambda;
        Some((half(&first)?, half(&second)?))
    }
}

/// The number or its negative, whichever has 128 bits.
fn half(scalar: &Scalar) -> Option<Half> {
    let small = |it: &Scalar| match limbs(&it.to_repr()) {
        [0, 0, high, low] => Some(u128::from(high) << 64 | u128::from(low)),
        _ => None,
    };
    match small(scalar) {
        Some(size) => Some(Half { negative: false, size }),
        None => small(&-*scalar).map(|size| Half { negative: true, size }),
    }
}

/// The product over 2^384, rounded. Limbs have the highest first.
fn high(left: [u64; 4], right: [u64; 4]) -> u128 {
    let mut product = [0_u64; 8];
    for (i, a) in left.iter().rev().enumerate() {
        let mut carry = 0_u64;
        for (j, b) in right.iter().rev().enumerate() {
            // At most (2^64 - 1)^2 + 2 (2^64 - 1) = 2^128 - 1.
            let sum = u128::from(*a) * u128::from(*b) + u128::from(product[i + j]) + u128::from(carry);
            (product[i + j], carry) = (low_limb(sum), low_limb(sum >> 64));
        }
        product[i + 4] = carry;
    }
    // The constants leave the highest bits free, so that rounding up does not overflow.
    (u128::from(product[7]) << 64 | u128::from(product[6])).wrapping_add(u128::from(product[5] >> 63))
}

#[expect(clippy::cast_possible_truncation, reason = "the low limb is what is asked for")]
const fn low_limb(wide: u128) -> u64 {
    wide as u64
}

fn scalar(limbs: [u64; 4]) -> Option<Scalar> {
    Option::from(Scalar::from_repr(bytes(limbs)))
}

fn bytes(limbs: [u64; 4]) -> FieldBytes {
    let mut bytes = FieldBytes::default();
    for (at, limb) in limbs.iter().enumerate() {
        bytes[8 * at..8 * at + 8].copy_from_slice(&limb.to_be_bytes());
    }
    bytes
}

fn limbs(bytes: &FieldBytes) -> [u64; 4] {
    let mut limbs = [0; 4];
    for (at, byte) in bytes.iter().enumerate() {
        limbs[at / 8] = limbs[at / 8] << 8 | u64::from(*byte);
    }
    limbs
}

#[cfg(test)]
mod tests {
    use k256::elliptic_curve::sec1::ToEncodedPoint;
    use k256::{ProjectivePoint, Scalar};

    use super::*;

    #[test]
    fn lambda_and_beta_are_cube_roots_of_one_that_belong_together() {
        let endomorphism = Endomorphism::new().unwrap();
        assert_eq!(endomorphism.lambda * endomorphism.lambda * endomorphism.lambda, Scalar::ONE);
        assert_ne!(endomorphism.lambda, Scalar::ONE);
        let cube = endomorphism.beta.square().mul(&endomorphism.beta);
        assert_eq!(cube.to_bytes(), FieldElement::ONE.to_bytes());
        let coordinates = |point: ProjectivePoint| {
            let encoded = point.to_affine().to_encoded_point(false);
            (*encoded.x().unwrap(), *encoded.y().unwrap())
        };
        let (x, y) = coordinates(ProjectivePoint::GENERATOR);
        let image = endomorphism.image(&FieldElement::from_bytes(&x).unwrap()).to_bytes();
        assert_eq!(coordinates(ProjectivePoint::GENERATOR * endomorphism.lambda), (image, y));
    }

    #[test]
    fn every_factor_is_its_halves() {
        let endomorphism = Endomorphism::new().unwrap();
        let value = |half: Half| {
            let size = Scalar::from(half.size);
            if half.negative { -size } else { size }
        };
        let mut factor = Scalar::from(7_u64);
        let edges = [Scalar::ZERO, Scalar::ONE, -Scalar::ONE, endomorphism.lambda, -endomorphism.lambda];
        let halves = Scalar::from(u128::MAX);
        let drawn = (0..2_000).map(|_| {
            factor = factor.square() + Scalar::ONE;
            factor
        });
        for factor in edges.into_iter().chain([halves, -halves, halves + Scalar::ONE]).chain(drawn) {
            let (first, second) = endomorphism.split(&factor).unwrap();
            assert_eq!(value(first) + value(second) * endomorphism.lambda, factor);
        }
    }
}
