//! From a signed snapshot to the instant that a replay begins at (docs/adr/0014-cursors-and-replay.md).

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;

use super::error::AppError;
use super::observer::Cancel;
use super::plan::{Plan, config_error};
use crate::domain::{Code, Digest32, EvidenceId, Media, UnixSeconds, sha256};
use crate::evidence::checkpoint::CheckpointClaim;
use crate::evidence::snapshot::{SnapshotManifest, SnapshotOutline};
use crate::evidence::{Claim, Decoded, decode};
use crate::seal::{SealJudge, SealTrust, is_signature_failure, read_snapshot};
use crate::store::EvidenceStore;

/// Reads and verifies a snapshot, whole, before anything is written.
///
/// # Errors
/// [`AppError::Untrusted`] with `signature_mismatch` or `checksum_error`; [`AppError::Refused`] for an unsafe archive;
/// [`AppError::Config`] when no key is trusted or the file is not there; [`AppError::Interrupted`].
pub(super) fn verified_snapshot(path: &Path, plan: &Plan, cancel: &Cancel) -> Result<SnapshotOutline, AppError> {
    if plan.policy.seal_keys.is_empty() {
        let what = "`seal.trusted_keys` is empty, so no snapshot could be believed";
        return Err(config_error(what.to_owned(), "name the Ed25519 keys that seal, in hex"));
    }
    let trust = SealTrust::of(&plan.policy.seal_keys);
    let file = File::open(path).map_err(AppError::missing(path))?;
    let size = file.metadata().map_err(AppError::io("read", path))?.len();
    let outline = read_snapshot(file, size, trust, &|| cancel.is_cancelled()).map_err(AppError::io("read", path))?;
    let Some(outline) = outline else {
        cancel.check()?;
        return Err(AppError::Internal("reading a snapshot stopped by itself".to_owned()));
    };
    let mut judge = SealJudge::new(trust);
    judge.snapshot(EvidenceId(outline.file_sha256), &outline);
    let Some(finding) = judge.finish().findings.into_iter().next() else { return Ok(outline) };
    let what = format!("{}: {}", path.display(), finding.explanation);
    Err(match finding.code {
        Code::SnapUnsafe => {
            AppError::Refused { what, hint: "fetch the snapshot again from whoever made it".to_owned() }
        }
        _ if is_signature_failure(&finding) => AppError::Untrusted { what: format!("signature_mismatch: {what}") },
        _ => AppError::Untrusted { what: format!("checksum_error: {what}") },
    })
}

/// What is known about when a snapshot was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// It holds the state of this instant.
    At(UnixSeconds),
    /// Nothing says: the manifest itself names no instant.
    Unnamed,
}

/// The instant of the newest checkpoint that the snapshot contains: a member that is, byte for byte, a checkpoint line
/// which this run holds and a trusted key has signed.
///
/// # Errors
/// [`AppError::Store`].
pub(super) fn cut(store: &dyn EvidenceStore, plan: &Plan, outline: &SnapshotOutline) -> Result<Cut, AppError> {
    let manifest = outline.manifest().and_then(|bytes| SnapshotManifest::parse(&bytes).ok());
    let members: Vec<Digest32> = manifest.iter().flat_map(|manifest| &manifest.members).map(|m| m.sha256).collect();
    let mut lines: BTreeMap<EvidenceId, CheckpointClaim> = BTreeMap::new();
    store.scan(&[Media::Checkpoint], &mut |id, evidence| {
        let line = [evidence.bytes.as_slice(), b"\n"].concat();
        let is_member = members.contains(&sha256(&evidence.bytes)) || members.contains(&sha256(&line));
        if is_member
            && let Decoded::Claim(claim, _) = decode(&evidence)
            && let Claim::Checkpoint(claim) = *claim
        {
            lines.insert(id, *claim);
        }
        ControlFlow::Continue(())
    })?;
    let sealed = lines.into_iter().filter(|(id, claim)| {
        let mut judge = SealJudge::new(SealTrust::of(&plan.policy.seal_keys));
        judge.checkpoint(*id, claim);
        judge.finish().checkpoints.accepted > 0
    });
    Ok(sealed.map(|(_, claim)| claim.as_of).max().map_or(Cut::Unnamed, Cut::At))
}
