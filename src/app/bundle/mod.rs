//! Divergence bundles: one divergence with the evidence that shows it, to be judged again by anybody (docs/bundle.md).

mod assemble;
mod case;
mod disclosed;
mod export;
mod find;
mod format;
mod grounds;
mod headers;
mod prefix;
mod privacy;
mod reach;
mod read;
mod reproduce;
mod shrink;

mod verify;

pub use export::{ExportWanted, Exported, HeldBack, Made, export_bundles};
pub use format::{BUNDLE_BYTES_MAX, looks_like_bundle};
pub use verify::{JudgedBundle, OwnTrust, verify_bundle};
