//! Sums of many points of secp256k1, wherever and however they are added.

use std::fmt::Debug;

use k256::ProjectivePoint;

use super::endomorphism::Endomorphism;

/// The place of a point that is not there.
const NONE: u32 = u32::MAX;

/// A way to add points: one by one, or in the lanes of a machine.
pub(in crate::verify) trait Plane {
    /// A point of the curve, or infinity.
    type Point: Copy + Debug;
    const INFINITY: Self::Point;

    /// The points with these abscissae and even ordinates: `lift_x` of BIP-340.
    fn lifted(&self, abscissae: &[[u8; 32]]) -> Vec<Option<Self::Point>>;

    fn negative(point: &Self::Point) -> Self::Point;

    /// The point times lambda.
    fn image(point: &Self::Point, endomorphism: &Endomorphism) -> Self::Point;

    /// The point of the group law of `k256`. `None` when it does not lie on the curve.
    fn to_projective(point: &Self::Point) -> Option<ProjectivePoint>;

    /// Adds the sums of all pairs to the list, in their order.
    ///
    /// `None` is impossible (a product of what is not zero can't be zero); were it not, nothing would be accepted because of it.
    fn add(
        &mut self,
        pairs: &[(u32, u32)],
        point: &impl Fn(u32) -> Self::Point,
        sums: &mut Vec<Self::Point>,
    ) -> Option<()>;
}

/// Adds points in one plane, with room that is used again and again.
#[derive(Debug)]
pub(in crate::verify) struct Adder<P: Plane> {
    plane: P,
    pairs: Vec<(u32, u32)>,
    spare: Vec<P::Point>,
}

impl<P: Plane> Adder<P> {
    pub(in crate::verify) const fn over(plane: P) -> Self {
        Self { plane, pairs: Vec::new(), spare: Vec::new() }
    }

    /// Adds up the points of each segment: `lengths[0]` points from place 0 on, the next `lengths[1]`, and so on.
    ///
    /// `None` is impossible (a product of what is not zero can't be zero); were it not, nothing would be accepted because of it.
    pub(in crate::verify) fn segments(
        &mut self,
        mut lengths: Vec<u32>,
        first: impl Fn(u32) -> P::Point,
    ) -> Option<Vec<P::Point>> {
        let filled: Vec<bool> = lengths.iter().map(|length| *length > 0).collect();
        self.halve(&mut lengths);
        let mut points = Vec::new();
        self.add(&first, &mut points)?;
        let mut halved = Vec::new();
        while lengths.iter().any(|length| *length > 1) {
            self.halve(&mut lengths);
            self.add(&|at: u32| points[at as usize], &mut halved)?;
            std::mem::swap(&mut points, &mut halved);
        }
        let mut sums = points.into_iter();
        Some(filled.into_iter().map(|filled| if filled { sums.next() } else { None }.unwrap_or(P::INFINITY)).collect())
    }

    /// Adds to the point at the first place of each pair the one at the second. No place may be in two pairs.
    pub(super) fn fold(&mut self, points: &mut [P::Point], pairs: impl Iterator<Item = (u32, u32)>) -> Option<()> {
        self.pairs.clear();
        self.pairs.extend(pairs);
        let mut sums = Vec::new();
        self.add(&|at: u32| points[at as usize], &mut sums)?;
        for ((lower, _), sum) in self.pairs.iter().zip(sums) {
            points[*lower as usize] = sum;
        }
        Some(())
    }

    /// Adds to each sum its term.
    pub(in crate::verify) fn add_to(
        &mut self,
        sums: &mut Vec<P::Point>,
        term: impl Fn(usize) -> P::Point,
    ) -> Option<()> {
        let count = u32::try_from(sums.len()).ok()?;
        self.pairs.clear();
        self.pairs.extend((0..count).map(|at| (at, at + count)));
        let mut added = std::mem::take(&mut self.spare);
        let done =
            self.add(&|at: u32| if at < count { sums[at as usize] } else { term((at - count) as usize) }, &mut added);
        std::mem::swap(sums, &mut added);
        self.spare = added;
        done
    }

    /// Pairs the points of each segment. A last one without a neighbour stays what it is.
    fn halve(&mut self, lengths: &mut [u32]) {
        self.pairs.clear();
        let mut from = 0;
        for length in lengths {
            let end = from + *length;
            self.pairs.extend((from..end).step_by(2).map(|at| (at, if at + 1 < end { at + 1 } else { NONE })));
            *length = length.div_ceil(2);
            from = end;
        }
    }

    /// The sums of all pairs, in their order.
    fn add(&mut self, point: &impl Fn(u32) -> P::Point, sums: &mut Vec<P::Point>) -> Option<()> {
        sums.clear();
        self.plane.add(&self.pairs, &|at: u32| if at == NONE { P::INFINITY } else { point(at) }, sums)
    }
}
