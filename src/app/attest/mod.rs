//! Attestations of finished runs (docs/attest.md): signed, judged, stamped on calendars, published on relays and fetched back.

mod file;
#[cfg(feature = "net")]
mod post;
#[cfg(feature = "net")]
mod published;
mod sign;
#[cfg(feature = "net")]
mod stamp;
mod verify;

pub use file::{ATTESTATION_FILE, attestation_proof, nostr_author, read_attestation, read_proof};
pub(super) use file::{envelope_in, looks_like_envelope};
#[cfg(feature = "net")]
pub use post::{PostedTo, Publication, ReportEvent, publish_attestation};
#[cfg(feature = "net")]
pub use published::{EventWanted, FoundEvent, find_attestation};
pub use sign::{SignOptions, SignState, SignedRun, sign_run};
#[cfg(feature = "net")]
pub use stamp::{Stamped, SubmittedTo, stamp_file};
pub use verify::{
    AttestationFault, AttestationTrust, Compared, EventCarrier, HeadersAtHand, JudgedAttestation, judge_attestation,
};
