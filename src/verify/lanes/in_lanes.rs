//! The plane of batches in the lanes of a machine.

use k256::ProjectivePoint;

use super::{Line, Machine, line_of, plane, words_of};
use crate::verify::batch::adder::Plane;
use crate::verify::batch::affine::{OneByOne, Point};
use crate::verify::batch::endomorphism::Endomorphism;

/// Pairs that share an inversion.
const SHARED: usize = 1_024;
/// The prime of the field, its lowest 64 bits first.
const PRIME: [u64; 4] = [0xffff_fffe_ffff_fc2f, u64::MAX, u64::MAX, u64::MAX];

/// Additions in lanes, with room that is used again and again.
#[derive(Debug)]
pub(in crate::verify) struct InLanes {
    machine: Machine,
    left: Vec<Line>,
    right: Vec<Line>,
}

impl InLanes {
    pub(in crate::verify) const fn on(machine: Machine) -> Self {
        Self { machine, left: Vec::new(), right: Vec::new() }
    }
}

impl Plane for InLanes {
    type Point = Line;
    const INFINITY: Line = Line([0; 8]);

    fn lifted(&self, abscissae: &[[u8; 32]]) -> Vec<Option<Line>> {
        let words: Vec<_> = abscissae.iter().map(words_of).collect();
        plane::lifted(self.machine, &words)
    }

    fn negative(point: &Line) -> Line {
        let mut line = *point;
        if line.0[4..] != [0; 4] {
            let mut borrow = false;
            for (word, prime) in line.0[4..].iter_mut().zip(PRIME) {
                let (less, first) = prime.overflowing_sub(*word);
                let (less, second) = less.overflowing_sub(u64::from(borrow));
                (*word, borrow) = (less, first || second);
            }
        }
        line
    }

    fn image(point: &Line, endomorphism: &Endomorphism) -> Line {
        point_of(point).map_or(*point, |point| line_of(&OneByOne::image(&point, endomorphism)))
    }

    fn to_projective(point: &Line) -> Option<ProjectivePoint> {
        if point.0 == [0; 8] { Some(ProjectivePoint::IDENTITY) } else { point_of(point)?.to_projective() }
    }

    fn add(&mut self, pairs: &[(u32, u32)], point: &impl Fn(u32) -> Line, sums: &mut Vec<Line>) -> Option<()> {
        for pairs in pairs.chunks(SHARED) {
            self.left.clear();
            self.left.extend(pairs.iter().map(|(left, _)| point(*left)));
            self.right.clear();
            self.right.extend(pairs.iter().map(|(_, right)| point(*right)));
            plane::sums(self.machine, &self.left, &self.right, sums);
        }
        Some(())
    }
}

fn point_of(line: &Line) -> Option<Point> {
    let mut bytes = [4; 65];
    let (coordinates, _) = bytes[1..].as_chunks_mut::<8>();
    for (at, bytes) in coordinates.iter_mut().enumerate() {
        *bytes = line.0[at / 4 * 4 + 3 - at % 4].to_be_bytes();
    }
    Point::from_uncompressed(&bytes)
}
