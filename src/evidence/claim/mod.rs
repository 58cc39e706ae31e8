//! What decoded bytes assert. Nothing in this room is verified.

mod attest;
mod candidates;
mod custody;
mod documents;
mod envelope;
mod nostr;
mod packed;
mod proofs;
mod rails;

pub use attest::*;
pub use candidates::*;
pub use custody::*;
pub use documents::*;
pub use envelope::*;
pub use nostr::*;
pub use proofs::*;
pub use rails::*;

use crate::domain::Finding;

/// One decoded piece of evidence, or why it could not be decoded.
#[derive(Debug, Clone)]
pub enum Decoded {
    /// It decodes. Findings beside it do not stop it (for example `SIG_UNSIGNED_FIELDS`, `SRC_SECRET_PRESENT`).
    Claim(Box<Claim>, Vec<Finding>),
    /// It does not decode: bytes are kept, these findings say why (with `offset` inside the record where known).
    Undecodable(Vec<Finding>),
}

/// What a piece of evidence asserts.
#[derive(Debug, Clone)]
pub enum Claim {
    /// A NIP-01 event and what its coordinates and content say it carries.
    Nostr(NostrCarrier),
    /// An OpenTimestamps proof about a digest.
    Ots(OtsClaim),
    /// Consecutive headers.
    Headers(HeaderRun),
    /// A signed settlement.
    Settlement(Box<SettlementClaim>),
    /// A gateway log entry.
    PaymentLogEntry(PaymentLogEntry),
    /// A Lightning invoice record.
    Invoice(InvoiceRecord),
    /// A key set.
    Jwks(KeySet),
    /// A price config.
    ProjectConfig(ProjectConfig),
    /// A descriptor, graduation or rotation.
    Custody(CustodyClaim),
    /// An activity attestation bundle outside Nostr.
    Activity(EnvelopeCarrier),
    /// One user's reported balance.
    Balance(BalanceLine),
    /// What a balance statement says about itself.
    Statement(StatementClaim),
    /// The operator's list of federations.
    Directory(Vec<ListedFederation>),
    /// A federation's charter.
    Charter(Charter),
    /// A signed checkpoint.
    Checkpoint(Box<super::checkpoint::CheckpointClaim>),
    /// What was read of a snapshot.
    Snapshot(Box<super::snapshot::SnapshotOutline>),
}
