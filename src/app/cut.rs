//! From a signed snapshot to the instant that a replay begins at (docs/adr/0014-cursors-and-replay.md).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::error::AppError;
use crate::domain::{Digest32, EvidenceId, Media, PublicKey32, UnixSeconds, sha256};
use crate::evidence::checkpoint::CheckpointClaim;
use crate::evidence::snapshot::{SnapshotManifest, SnapshotOutline};
use crate::evidence::{Claim, Decoded, decode};
use crate::seal::{SealJudge, SealTrust};
use crate::store::EvidenceStore;

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
pub(super) fn cut(
    store: &dyn EvidenceStore,
    keys: &BTreeSet<PublicKey32>,
    outline: &SnapshotOutline,
) -> Result<Cut, AppError> {
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
        let mut judge = SealJudge::new(SealTrust::of(keys));
        judge.checkpoint(*id, claim);
        judge.finish().checkpoints.accepted > 0
    });
    Ok(sealed.map(|(_, claim)| claim.as_of).max().map_or(Cut::Unnamed, Cut::At))
}
