//! Points of the curve of Ed25519, -x^2 + y^2 = 1 + d x^2 y^2 (RFC 8032, 5.1), and the one way to add them: its law has no exceptions,
//! so that equal, opposite and neutral points need no care.

use std::sync::LazyLock;

use super::field::{Field, inverses, times};

/// d, which is -121665 / 121666.
static D: LazyLock<Field> =
    LazyLock::new(|| times(Field::ZERO.minus(Field::small(121_665)), Field::small(121_666).inverse()));

/// A point that points are added to: X / Z, Y / Z, and T = X Y / Z.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    x: Field,
    y: Field,
    z: Field,
    t: Field,
}

/// A point that is added: (y + x) / 2, (y - x) / 2, d x y.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    sum: Field,
    difference: Field,
    product: Field,
}

/// A point by its coordinates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Affine {
    x: Field,
    y: Field,
}

impl Affine {
    /// The point with that encoding (RFC 8032, 5.1.3). `None` for what is none, and for an encoding that is not the only one.
    pub(super) fn decode(bytes: [u8; 32]) -> Option<Self> {
        let y = Field::from_bytes(bytes);
        let square = times(y, y);
        let (over, under) = (square.minus(Field::ONE).carried(), times(*D, square).plus(Field::ONE).carried());
        let cube = times(times(under, under), under);
        let x = times(times(over, cube), times(over, times(times(cube, cube), under)).root_power());
        // One of x and x times a root of -1 is the root, if there is one.
        let root = times(Field::small(2).root_power(), Field::small(2).root_power());
        let root = times(root.plus(root), Field::ONE);
        let found = [x, times(x, root)].into_iter().map(|x| Self { x, y }).find(|point| point.is_on_curve())?;
        let negative = Self { x: Field::ZERO.minus(found.x).carried(), y };
        [found, negative].into_iter().find(|point| point.encode() == bytes)
    }

    /// The one encoding of the point (RFC 8032, 5.1.2).
    pub(super) fn encode(self) -> [u8; 32] {
        let mut bytes = self.y.to_bytes();
        bytes[31] |= u8::from(self.x.is_negative()) << 7;
        bytes
    }

    pub(super) fn is_on_curve(self) -> bool {
        let (x, y) = (times(self.x, self.x), times(self.y, self.y));
        let right = times(times(*D, x), y).plus(Field::ONE).carried();
        y.minus(x).carried().equals(right)
    }

    pub(super) fn term(self) -> Term {
        static HALF: LazyLock<Field> = LazyLock::new(|| Field::small(2).inverse());
        Term {
            sum: times(self.y.plus(self.x), *HALF),
            difference: times(self.y.minus(self.x), *HALF),
            product: times(times(self.x, self.y), *D),
        }
    }

    /// The points that all of these are.
    pub(super) fn of_all(running: &[Running]) -> Vec<Self> {
        let divisors: Vec<Field> = running.iter().map(|point| point.z).collect();
        let all = running.iter().zip(inverses(&divisors));
        all.map(|(point, inverse)| Self { x: times(point.x, inverse), y: times(point.y, inverse) }).collect()
    }
}

impl Term {
    /// Its three numbers, each with the lowest byte first.
    pub(super) fn numbers(&self) -> [[u8; 32]; 3] {
        [self.sum, self.difference, self.product].map(Field::to_bytes)
    }
}

impl Running {
    pub(super) const NEUTRAL: Self = Self { x: Field::ZERO, y: Field::ONE, z: Field::ONE, t: Field::ZERO };

    /// This point and that one, or its negative: seven multiplications ("Twisted Edwards Curves Revisited", 3.1, with a = -1, every factor
    /// of 2 taken into the term).
    #[inline]
    pub(super) fn add(&mut self, term: &Term, negative: bool) {
        let (sum, difference) = if negative { (term.difference, term.sum) } else { (term.sum, term.difference) };
        let lower = times(self.y.minus(self.x), difference);
        let upper = times(self.y.plus(self.x), sum);
        let cross = times(self.t, term.product);
        let (less, more) = (self.z.minus(cross), self.z.plus(cross));
        let (f, g) = if negative { (more, less) } else { (less, more) };
        let (e, h) = (upper.minus(lower), upper.plus(lower));
        *self = Self { x: times(e, f), y: times(g, h), z: times(f, g), t: times(e, h) };
    }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::Scalar;
    use curve25519_dalek::constants::EIGHT_TORSION;
    use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};

    use super::*;

    fn some() -> Vec<EdwardsPoint> {
        let mut points: Vec<EdwardsPoint> = EIGHT_TORSION.to_vec();
        for number in [1_u64, 2, 3, 77, u64::MAX] {
            let point = EdwardsPoint::mul_base(&Scalar::from(number));
            points.extend([point, -point, point + EIGHT_TORSION[1]]);
        }
        points
    }

    #[test]
    fn the_law_is_that_of_the_library_for_every_pair_of_points() {
        for left in some() {
            for right in some() {
                let term = Affine::decode(right.compress().to_bytes()).unwrap().term();
                let mut sums = [Running::NEUTRAL; 2];
                for (sum, negative) in sums.iter_mut().zip([false, true]) {
                    sum.add(&Affine::decode(left.compress().to_bytes()).unwrap().term(), false);
                    sum.add(&term, negative);
                }
                let found: Vec<[u8; 32]> = Affine::of_all(&sums).into_iter().map(Affine::encode).collect();
                assert_eq!(found, [left + right, left - right].map(|point| point.compress().to_bytes()));
            }
        }
    }

    #[test]
    fn what_is_no_point_or_is_encoded_another_way_is_not_decoded() {
        let mut refused = 0;
        for first in 0..=u8::MAX {
            let mut bytes = [0x11; 32];
            bytes[0] = first;
            let point = CompressedEdwardsY(bytes).decompress();
            assert_eq!(Affine::decode(bytes).map(Affine::encode), point.map(|point| point.compress().to_bytes()));
            refused += u32::from(point.is_none());
        }
        assert!(refused > 100, "half of all ordinates are those of no point");
        // 2^255 - 18 for y = 1, and the neutral point with a sign.
        let mut long = [0xff; 32];
        (long[0], long[31]) = (0xee, 0x7f);
        let mut signed = [0; 32];
        (signed[0], signed[31]) = (1, 0x80);
        for bytes in [long, signed] {
            assert!(CompressedEdwardsY(bytes).decompress().is_some(), "the library takes it");
            assert!(Affine::decode(bytes).is_none());
        }
    }
}
