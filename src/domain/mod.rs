//! # domain: the vocabulary every other room speaks
//!
//! Purpose: ids, amounts, times, heights, coverage, findings, divergence codes, domain-separated digests, Merkle trees.
//! May import: nothing
//! External crates: bitcoin, faster_hex, serde, serde_json, sha2, thiserror
//! Never: parse foreign formats
//! Invariants: an id is fixed-width and prints as lower-case hex; arithmetic on money and time is checked.

mod acknowledgement;
mod amount;
mod backing;
mod bisect;
mod by_digest;
mod caps;
mod chain;
mod code;
mod coverage;
mod detection;
mod digest;
mod evidence;
mod few;
mod finding;
mod id;
mod lost_store;
mod merkle;
mod merkle_proof;
mod month;
mod names;
mod outcome;
mod packed;
mod place;
mod policy;
mod population;
mod profile;
mod sample;
mod source_sets;
mod sum_proof;
mod sum_tree;
mod text;
mod time;

pub use acknowledgement::{
    ACKNOWLEDGEMENT_SCHEMA, ACKNOWLEDGEMENT_SECONDS_MAX, Acknowledgement, Signature64, SignedStatement, Statement,
    WITHDRAWAL_SCHEMA, Withdrawal,
};
pub use amount::{AmountError, MAX_SUPPLY_MSAT, Msat, MsatDelta, Sats};
pub use backing::{Backing, Certificate, Enumeration, LOG_CLOSING_POSITION, PageNote, Position, Window};
pub use bisect::{Parted, part};
pub use by_digest::ByDigest;
pub use caps::{CapLimits, CapWindow, Caps, DatedLimits};
pub use chain::{AsOf, BlockHash, BlockHeight, MerkleRootHash, Tip};
pub use code::{Code, Severity, Step};
pub use coverage::{CompletenessBasis, Coverage, FetchReceipt, Sign, Slice, SliceEnd, SourceId, relay_spelling};
pub use detection::{Ratio, detection_by_money, detection_by_users};
pub use digest::{Digest32, Sha256Stream, TaggedHasher, sha256};
pub use evidence::{Addressed, Media, RawEvidence, Sighting};
pub use few::Few;
pub use finding::{Divergence, EvidenceRef, Finding, State, Subject};
pub use id::{
    AttestationId, BindingId, DescriptorId, EnvelopeId, EvidenceId, FederationSlug, HexError, KeyId, NostrEventId,
    OperationId, PaymentHash, ProjectKey, PublicKey32, SiteName, Subtype, UserKey, WindowId,
};
pub use lost_store::LostStore;
pub use merkle::{MerkleTree, leaf_hash, merkle_root};
pub use merkle_proof::{MERKLE_PATH_MAX, TreeHead, consistency_path, inclusion_path, is_consistent, is_included};
pub use month::Month;
pub use names::Names;
pub use outcome::{Condition, ExitCode, Outcome};
pub(crate) use packed::{Packed, packed_choice, packed_newtype, packed_struct};
pub use place::{PlaceError, bracketed, host_and_port, percent_decoded};
pub use policy::{
    Checkpoint, CompromisedKey, Direction, FederationAudit, FeeBearer, HeaderPolicy, KnownGap, ObservedCustody,
    PinnedKey, Requirement, SettlementKind, TrustPolicy,
};
pub use population::{Counts, Population};
pub use sample::{Beacon, Sampling, draw_money_units, draw_sample};
pub use source_sets::SourceSets;
pub use sum_proof::{SumClaim, SumFault, SumPath, SumProof, SumRoot};
pub use sum_tree::{SumNode, SumTree, sum_node, sum_root};
pub use text::{inert, inert_limited};
pub use time::{TimeError, UnixMicros, UnixSeconds};
