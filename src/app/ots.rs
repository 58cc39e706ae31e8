//! Proofs as files: shown, judged, upgraded; and the proofs of a run that wait for too long.

#[cfg(feature = "net")]
mod answers;
#[cfg(feature = "net")]
mod asking;
mod file;
mod info;
#[cfg(feature = "net")]
mod keep;
mod overdue;
#[cfg(feature = "net")]
mod run;
#[cfg(feature = "net")]
mod upgrade;
mod verify;

pub use file::FileFault;
pub use info::{ProofInfo, TreeLine, proof_info};
pub use overdue::{Overdue, Unanchored, WaitingProof, overdue_proofs};
#[cfg(feature = "net")]
pub use run::{RunUpgrade, upgrade_run};
#[cfg(feature = "net")]
pub use upgrade::{CalendarCounts, UpgradeOptions, UpgradeResult, UpgradeState, UpgradedFile, upgrade_files};
pub(super) use verify::verify_proof_bytes;
pub use verify::{AnchorFound, JudgedProof, PendingFound, ProofVerdict, Target, VerifyProofs, verify_proofs};
