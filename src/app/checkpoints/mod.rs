//! Checkpoints of a run: made, judged, proven from, and sewn together after a restore (docs/checkpoint.md).

mod create;
mod file;
mod judge;
mod proofs;
mod prove;
mod stitch;

pub use create::{CheckpointOptions, CreatedCheckpoint, create_checkpoint};
pub use file::{ADMITTED_FILE, CHAIN_FILE};
pub use judge::{
    ChainFault, ChainLink, ChainVerdict, ChainWanted, KeyTerm, SealTerms, latest_checkpoint, verify_chain,
};
pub use proofs::JudgedCheckpointProof;
pub use prove::{ProofWanted, prove_checkpoint};
pub use stitch::{Stitched, stitch_chain};

pub(super) use proofs::{is_meant, judge as judge_proof, split};
