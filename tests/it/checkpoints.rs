//! Checkpoints of a run through the command: made, judged, proven from, sewn together. The chain's own rules, over bodies that
//! nobody made from a run, stand in `seals.rs`.

mod chain;
pub(crate) mod desk;
mod proofs;
