//! Snapshots of a run: made, judged, looked into, restored, and thinned out (docs/snapshot.md).

mod contents;
mod cover;
mod create;
mod folder;
mod frozen;
mod judge;
mod prune;
mod restore;
mod staging;

pub use cover::{Identities, Recipients};
pub use create::{CreatedSnapshot, SnapshotOptions, create_snapshot, create_snapshot_for};
pub use folder::{SnapshotName, snapshots_in};
pub use judge::{
    InspectedSnapshot, JudgedSnapshot, SnapshotFault, SnapshotVerdict, inspect_snapshot, verify_snapshots,
    verify_snapshots_with,
};
pub use prune::{KeptFor, PruneOptions, PrunedSnapshot, Retention, prune_snapshots};
pub use restore::{RestoreOptions, RestoreTrust, Restored, restore_snapshot, restore_snapshot_with};

pub(super) use contents::SCHEMA_CURSOR;
pub(super) use judge::checked_snapshot;
pub(super) use restore::restore_by;
