//! # seal: one digest for one state
//!
//! Purpose: the evidence root, each ledger's root, the state root, the manifest of a sealed evidence folder, statements about
//! a run and the envelopes they are signed in; makes, reads and judges checkpoint chains and snapshots.
//! May import: domain, evidence, store, ledger, reconcile
//! External crates: base64, ed25519_dalek, faster_hex, serde, serde_json, thiserror, zstd
//! Never: decide what is right
//! Invariants: INV-2 the same set gives the same root in any order; INV-6; the construction has a version and is specified
//! in docs/state-root.md; no member of a snapshot is read before its signature holds, unless the caller demands no
//! signature, and none is written anywhere: whoever wants to keep one is handed its bytes.

mod archive;
mod balance_proof;
mod chain;
mod checkpoint;
mod checkpoint_proof;
mod envelope;
mod judge;
mod manifest;
mod pack;
mod roots;
mod signature;
mod snapshots;
mod statement;
#[cfg(test)]
mod tests;

pub use archive::{Demand, MemberSink, is_sealed_by, is_snapshot, read_snapshot, snapshot_head, unpack_snapshot};
pub use balance_proof::{
    BALANCE_PROOF_BYTES_MAX, BALANCE_PROOF_SCHEMA, BalanceProofError, check_balance_proof, write_balance_proof,
};
pub use chain::check_checkpoint;
pub use checkpoint::{CheckpointBody, checkpoint_line};
pub use checkpoint_proof::{
    CHECKPOINT_PROOF_BYTES_MAX, CheckpointProof, CheckpointProofError, CheckpointProofKind, JudgedProof,
    check_checkpoint_proof, write_checkpoint_proof,
};
pub use envelope::{
    ENVELOPE_BYTES_MAX, Envelope, EnvelopeError, IN_TOTO_PAYLOAD, JudgedSignature, SignatureStanding,
    pre_authentication,
};
pub use judge::{SealJudge, SealJudgement};
pub use manifest::{MANIFEST_SCHEMA, Manifest, ManifestError, Member};
pub use pack::{manifest_message, pack_snapshot, signature_bytes};
pub use roots::{LedgerRoot, StateSeal, checked_evidence_root, evidence_root, evidence_root_of, seal};
pub use signature::{BadSeal, SealTrust, is_signature_failure, tagged};
pub use statement::{
    Attested, Predicate, REBUILD_PREDICATE, ReportHead, RunStatement, STATEMENT_TYPE, StatedVerdict, StatementError,
};
