//! Many signatures at once: the sum of many verification equations, each times a coefficient that nobody could choose.
//!
//! A sum that vanishes accepts its signatures; one that does not is split, and the single verifier (libsecp256k1,
//! `verify_strict`) judges what is left. So every `false` is the single verifier's, and every `true` is one that it would
//! give too, except with probability 2^-128 (docs/adr/0028). Nothing here keeps state: the same items give the same answers.

pub(super) mod adder;
pub(super) mod affine;
pub(super) mod bip340;
mod coefficients;
pub(super) mod eddsa;
pub(super) mod endomorphism;
mod multiply;
pub(super) mod sift;
mod subset_sums;
#[cfg(test)]
pub(super) mod tests;

pub use bip340::{SchnorrCheck, schnorr};
pub use eddsa::{Ed25519Check, ed25519};
