//! Eight signatures side by side, where the machine multiplies eight numbers of 52 bits at once (AVX-512 IFMA: Intel since Ice Lake,
//! AMD since Zen 4).
//!
//! The equations are the single verifiers' own, one for each signature, as in `fixed_base`; what does not hold here is judged by
//! libsecp256k1 and `verify_strict` (docs/adr/0036).

#[cfg(target_arch = "x86_64")]
pub(super) mod eddsa;
#[cfg(target_arch = "x86_64")]
mod edwards25519;
#[cfg(not(target_arch = "x86_64"))]
mod elsewhere;
#[cfg(target_arch = "x86_64")]
mod field;
mod in_lanes;
#[cfg(target_arch = "x86_64")]
mod picked;
#[cfg(target_arch = "x86_64")]
mod plane;
#[cfg(target_arch = "x86_64")]
pub(super) mod schnorr;
#[cfg(target_arch = "x86_64")]
mod secp256k1;
#[cfg(target_arch = "x86_64")]
mod strangers;
#[cfg(target_arch = "x86_64")]
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod vector;

#[cfg(not(target_arch = "x86_64"))]
pub(super) use elsewhere::{Machine, eddsa, machine, plane, schnorr};
#[cfg(target_arch = "x86_64")]
pub(super) use here::{Machine, machine};
pub(super) use in_lanes::InLanes;

use super::batch::affine::Point;

/// A number of 256 bits, its lowest 64 first.
pub(super) type Words = [u64; 4];

/// A point by its coordinates: one line of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Line(pub(super) [u64; 8]);

/// What an Edwards point is added by: two numbers, and a third.
#[derive(Debug, Clone, Copy)]
pub(super) struct Triple(pub(super) [u64; 8], pub(super) Words);

/// Multiples of a point: for each digit of that width 1, 2, ... times what the digit stands for.
#[derive(Debug)]
pub(super) struct Multiples<'a, T> {
    pub(super) width: usize,
    pub(super) points: &'a [T],
}

impl<T> Clone for Multiples<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Multiples<'_, T> {}

/// A sum of one signature: so many times a base and so many times a key, the lowest byte first, and what it is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Equation {
    pub(super) of_base: [u8; 32],
    pub(super) of_key: [u8; 32],
    pub(super) nonce: Words,
}

/// The same under a key without a table: its abscissa, and two halves for so many times the key, each with its sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stranger {
    pub(super) key: Words,
    pub(super) of_base: [u8; 32],
    pub(super) of_key: [(bool, u128); 2],
    pub(super) nonce: Words,
}

/// A sum starts at a point that is nobody's and ends less what became of it, so that it need not start at infinity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detour {
    pub(super) start: Line,
    pub(super) back: Line,
}

/// A point as a line.
pub(super) fn line_of(point: &Point) -> Line {
    let [x, y] = point.coordinates().map(|coordinate| words_of(&coordinate));
    Line([x[0], x[1], x[2], x[3], y[0], y[1], y[2], y[3]])
}

/// A number whose lowest byte comes first, in words.
pub(super) fn words(bytes: &[u8; 32]) -> Words {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|at| u64::from_le_bytes(words[at]))
}

/// A number whose highest byte comes first, in words.
pub(super) fn words_of(bytes: &[u8; 32]) -> Words {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|at| u64::from_be_bytes(words[3 - at]))
}

#[cfg(target_arch = "x86_64")]
mod here {
    use archmage::{SimdToken as _, X64V4xToken};

    /// The proof that this machine has what lanes need.
    pub(in crate::verify) type Machine = X64V4xToken;

    /// Whether this machine has it. Without optimisation lanes are slower than the libraries, so that debug builds leave all to these.
    pub(in crate::verify) fn machine() -> Option<Machine> {
        if cfg!(debug_assertions) { None } else { Machine::summon() }
    }
}

/// What every test of lanes is asked on: additions one by one, and the lanes of this machine, also in a debug build.
#[cfg(test)]
pub(super) fn machines() -> Vec<Option<Machine>> {
    #[cfg(target_arch = "x86_64")]
    if let Some(machine) = <Machine as archmage::SimdToken>::summon() {
        return vec![None, Some(machine)];
    }
    eprintln!("SKIPPED: lanes, because this machine has no AVX-512 IFMA");
    vec![None]
}
