//! Snapshots of a run: made, judged, looked into, restored, and thinned out (docs/snapshot.md).

mod contents;
mod create;
mod folder;
mod frozen;
mod judge;
mod prune;
mod restore;
mod staging;

pub use create::{CreatedSnapshot, SnapshotOptions, create_snapshot};
pub use folder::{SnapshotName, snapshots_in};
pub use judge::{
    InspectedSnapshot, JudgedSnapshot, SnapshotFault, SnapshotVerdict, inspect_snapshot, verify_snapshots,
};
pub use prune::{KeptFor, PruneOptions, PrunedSnapshot, Retention, prune_snapshots};
pub use restore::{RestoreOptions, RestoreTrust, Restored, restore_snapshot};

pub(super) use judge::checked_snapshot;
pub(super) use restore::restore_by;
