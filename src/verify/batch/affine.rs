//! Sums of pairs of points of secp256k1, many at a time: affine addition costs one inversion, and many cost one together.
//!
//! Six multiplications a sum instead of eleven. The field is that of `k256` with its rule of magnitudes: what is stored here
//! has abscissae of magnitude 1 and ordinates of at most 2, and a debug build of `k256` stops where the rule is broken.

use k256::elliptic_curve::sec1::FromEncodedPoint;
use k256::{AffinePoint, EncodedPoint, FieldBytes, FieldElement, ProjectivePoint};

use super::adder::Plane;
use super::bip340::lift;
use super::endomorphism::Endomorphism;

/// Pairs that share an inversion. More would make it cheaper still and leave the nearest cache.
const SHARED: usize = 512;

/// A point of the curve.
#[derive(Debug, Clone, Copy)]
pub(in crate::verify) struct Point {
    x: FieldElement,
    y: FieldElement,
    finite: bool,
}

impl Point {
    pub(in crate::verify) const INFINITY: Self = Self { x: FieldElement::ZERO, y: FieldElement::ZERO, finite: false };

    /// Reads 0x04, x, y. What comes from elsewhere than a library's own check of the curve must not be given.
    pub(in crate::verify) fn from_uncompressed(bytes: &[u8; 65]) -> Option<Self> {
        let coordinate = |from: usize| {
            let bytes = FieldBytes::from_slice(&bytes[from..from + 32]);
            Option::<FieldElement>::from(FieldElement::from_bytes(bytes))
        };
        Some(Self { x: coordinate(1)?, y: coordinate(33)?, finite: true })
    }

    /// The point of the group law of `k256`. `None` when it does not lie on the curve.
    pub(in crate::verify) fn to_projective(self) -> Option<ProjectivePoint> {
        if !self.finite {
            return Some(ProjectivePoint::IDENTITY);
        }
        let encoded = EncodedPoint::from_affine_coordinates(&self.x.to_bytes(), &self.y.to_bytes(), false);
        let affine: Option<AffinePoint> = Option::from(AffinePoint::from_encoded_point(&encoded));
        affine.map(ProjectivePoint::from)
    }

    /// Its coordinates, the highest byte first.
    pub(in crate::verify) fn coordinates(&self) -> [[u8; 32]; 2] {
        [self.x.to_bytes().into(), self.y.to_bytes().into()]
    }

    /// True for the point with this abscissa and an even ordinate: `lift_x` of BIP-340. A point off the curve is none.
    pub(in crate::verify) fn is_lift_of(self, x: &[u8]) -> bool {
        let (abscissa, ordinate) = (self.x.normalize(), self.y.normalize());
        let on_curve = ordinate.square() + (abscissa.square().mul(&abscissa) + FieldElement::from_u64(7)).negate(2);
        self.finite
            && abscissa.to_bytes().as_slice() == x
            && !bool::from(ordinate.is_odd())
            && bool::from(on_curve.normalizes_to_zero())
    }

    /// The same point with an ordinate of magnitude 1.
    pub(in crate::verify) fn weak(self) -> Self {
        Self { y: self.y.normalize_weak(), ..self }
    }

    /// The negative of a point with an ordinate of magnitude 1.
    pub(in crate::verify) fn negative(self) -> Self {
        Self { y: self.y.negate(1), ..self }
    }
}

/// How the sum of a pair is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Two points with two abscissae.
    Chord,
    /// One point twice.
    Tangent,
    /// The other is not there, or infinity.
    Left,
    Right,
    /// A point and its negative.
    Cancel,
}

/// Additions one by one, with room for the work that is used again and again.
#[derive(Debug, Default)]
pub(in crate::verify) struct OneByOne {
    kinds: Vec<Kind>,
    divisors: Vec<FieldElement>,
    products: Vec<FieldElement>,
}

impl Plane for OneByOne {
    type Point = Point;
    const INFINITY: Point = Point::INFINITY;

    fn lifted(&self, abscissae: &[[u8; 32]]) -> Vec<Option<Point>> {
        abscissae.iter().map(|abscissa| lift(abscissa)).collect()
    }

    fn negative(point: &Point) -> Point {
        point.weak().negative()
    }

    fn image(point: &Point, endomorphism: &Endomorphism) -> Point {
        Point { x: endomorphism.image(&point.x), ..*point }
    }

    fn to_projective(point: &Point) -> Option<ProjectivePoint> {
        point.to_projective()
    }

    fn add(&mut self, pairs: &[(u32, u32)], point: &impl Fn(u32) -> Point, sums: &mut Vec<Point>) -> Option<()> {
        for pairs in pairs.chunks(SHARED) {
            let from = sums.len();
            sums.resize(from + pairs.len(), Point::INFINITY);
            let inverse = match self.divisors(pairs, point) {
                Some(inverse) => inverse,
                None => self.divisors_of_equals(pairs, point)?,
            };
            self.chords(pairs, point, inverse, &mut sums[from..]);
        }
        Some(())
    }
}

impl OneByOne {
    /// What each pair divides by, and the inverse of the product of all. `None` when one of them is zero.
    fn divisors(&mut self, pairs: &[(u32, u32)], point: &impl Fn(u32) -> Point) -> Option<FieldElement> {
        self.kinds.clear();
        self.divisors.clear();
        for (left, right) in pairs {
            let (left, right) = (point(*left), point(*right));
            let kind = match (left.finite, right.finite) {
                (true, true) => Kind::Chord,
                (_, false) => Kind::Left,
                (false, true) => Kind::Right,
            };
            self.kinds.push(kind);
            self.divisors.push(right.x + left.x.negate(1));
        }
        self.inverse()
    }

    /// The same where some pairs have one abscissa.
    fn divisors_of_equals(&mut self, pairs: &[(u32, u32)], point: &impl Fn(u32) -> Point) -> Option<FieldElement> {
        for (at, (left, right)) in pairs.iter().enumerate() {
            if self.kinds[at] != Kind::Chord || !bool::from(self.divisors[at].normalizes_to_zero()) {
                continue;
            }
            let (left, right) = (point(*left), point(*right));
            let same = bool::from((left.y + right.y.negate(2)).normalizes_to_zero());
            self.kinds[at] = if same { Kind::Tangent } else { Kind::Cancel };
            // Never zero: the order of the group is odd.
            self.divisors[at] = left.y.double();
        }
        self.inverse()
    }

    fn inverse(&mut self) -> Option<FieldElement> {
        self.products.clear();
        let mut product = FieldElement::ONE;
        let mut divides = false;
        for (kind, divisor) in self.kinds.iter().zip(&self.divisors) {
            self.products.push(product);
            if matches!(kind, Kind::Chord | Kind::Tangent) {
                product = product.mul(divisor);
                divides = true;
            }
        }
        if divides { Option::from(product.invert()) } else { Some(product) }
    }

    fn chords(&self, pairs: &[(u32, u32)], point: &impl Fn(u32) -> Point, inverse: FieldElement, sums: &mut [Point]) {
        let mut inverse = inverse;
        for at in (0..pairs.len()).rev() {
            let (left, right) = (point(pairs[at].0), point(pairs[at].1));
            let rise = match self.kinds[at] {
                Kind::Chord => right.y + left.y.negate(2),
                // The slope of y^2 = x^3 + 7 is 3 x^2 / 2 y.
                Kind::Tangent => left.x.square().mul_single(3),
                Kind::Left => {
                    sums[at] = left;
                    continue;
                }
                Kind::Right => {
                    sums[at] = right;
                    continue;
                }
                Kind::Cancel => continue,
            };
            let slope = rise.mul(&inverse.mul(&self.products[at]));
            inverse = inverse.mul(&self.divisors[at]);
            let x = (slope.square() + left.x.negate(1) + right.x.negate(1)).normalize_weak();
            let y = (slope.mul(&(left.x + x.negate(1))) + left.y.negate(2)).normalize_weak();
            sums[at] = Point { x, y, finite: true };
        }
    }
}

#[cfg(test)]
mod tests {
    use k256::elliptic_curve::sec1::ToEncodedPoint;

    use super::super::adder::Adder;
    use super::*;
    use crate::verify::lanes::{InLanes, Line, line_of, machines};

    fn point(of: ProjectivePoint) -> Point {
        let encoded = of.to_affine().to_encoded_point(false);
        encoded.as_bytes().try_into().map_or(Point::INFINITY, |bytes| Point::from_uncompressed(bytes).unwrap())
    }

    fn in_lanes(point: &Point) -> Line {
        if point.finite { line_of(point) } else { InLanes::INFINITY }
    }

    #[test]
    fn sums_are_those_of_the_group_law_also_where_points_are_equal_opposite_or_not_there() {
        let base = ProjectivePoint::GENERATOR;
        let some = [base, base + base, -base, base + base + base, ProjectivePoint::IDENTITY, -base - base];
        let mut pairs = Vec::new();
        for left in some {
            for right in some {
                pairs.push((left, right));
            }
        }
        // Alone, and with others that need no care; one by one, and in lanes.
        for repeat in [1, 40] {
            let all: Vec<(ProjectivePoint, ProjectivePoint)> =
                pairs.iter().copied().cycle().take(36 * repeat).collect();
            let points: Vec<Point> = all.iter().flat_map(|(left, right)| [point(*left), point(*right)]).collect();
            let sums = Adder::over(OneByOne::default()).segments(vec![2; all.len()], |at| points[at as usize]).unwrap();
            for ((left, right), sum) in all.iter().zip(sums) {
                assert_eq!(sum.to_projective().unwrap(), *left + *right);
            }
            for machine in machines().into_iter().flatten() {
                let lines: Vec<Line> = points.iter().map(in_lanes).collect();
                let mut adder = Adder::over(InLanes::on(machine));
                let sums = adder.segments(vec![2; all.len()], |at| lines[at as usize]).unwrap();
                for ((left, right), sum) in all.iter().zip(sums) {
                    assert_eq!(InLanes::to_projective(&sum).unwrap(), *left + *right);
                }
            }
        }
        for (left, right) in pairs {
            let points = [point(left).negative(), point(right)];
            let sums = Adder::over(OneByOne::default()).segments(vec![2], |at| points[at as usize]).unwrap();
            assert_eq!(sums[0].to_projective().unwrap(), right - left);
            assert_eq!(InLanes::to_projective(&InLanes::negative(&in_lanes(&points[1]))).unwrap(), -right);
        }
    }

    #[test]
    fn segments_of_every_length_are_added_up() {
        let mut powers = vec![ProjectivePoint::GENERATOR];
        for at in 0..40 {
            powers.push(powers[at].double() + ProjectivePoint::GENERATOR);
        }
        let points: Vec<Point> = powers.iter().map(|it| point(*it)).collect();
        let lengths = vec![0, 1, 2, 3, 0, 0, 4, 5, 7, 8, 9, 0];
        let sums = Adder::over(OneByOne::default()).segments(lengths.clone(), |at| points[at as usize]).unwrap();
        let mut from = 0;
        for (length, sum) in lengths.into_iter().zip(sums) {
            let end = from + length as usize;
            assert_eq!(sum.to_projective().unwrap(), powers[from..end].iter().copied().sum::<ProjectivePoint>());
            from = end;
        }
    }
}
