//! What eight lanes look up for one digit of eight numbers.

use super::vector::{LANES, Mask};
use crate::verify::fixed_base::digits::digit;

/// One digit of each of eight numbers of 256 bits, whose lowest bytes come first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Picked {
    /// Which multiple: 0 is the point itself.
    pub(super) places: [usize; LANES],
    /// Where its negative is meant.
    pub(super) negative: Mask,
    /// Where nothing is.
    pub(super) none: Mask,
}

impl Picked {
    /// The digits at a place, with what is carried from the places below it.
    #[inline]
    pub(super) fn at(at: usize, width: usize, numbers: &[[u8; 32]; LANES], carries: &mut [i32; LANES]) -> Self {
        let mut picked = Self::default();
        for (lane, (number, carry)) in numbers.iter().zip(carries).enumerate() {
            let found;
            (found, *carry) = digit(number, at, width, *carry);
            picked.places[lane] = (found.unsigned_abs() as usize).saturating_sub(1);
            picked.negative |= Mask::from(found < 0) << lane;
            picked.none |= Mask::from(found == 0) << lane;
        }
        picked
    }
}

/// The items eight by eight; the last stands where there are no more.
pub(super) fn eights<T: Copy>(items: &[T]) -> impl Iterator<Item = [T; LANES]> {
    let (eights, rest) = items.as_chunks::<LANES>();
    let rest = rest.last().map(|last| std::array::from_fn(|lane| *rest.get(lane).unwrap_or(last)));
    eights.iter().copied().chain(rest)
}
