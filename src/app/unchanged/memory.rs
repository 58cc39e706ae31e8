//! What one user remembers of the runs that they finished: a small file for each, outside of the runs' folders, so that no folder
//! from elsewhere can bring it along.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::written;
use crate::app::as_of::Derived;
use crate::app::error::AppError;
use crate::app::options::Checks;
use crate::app::run::{RunFolder, write_private};
use crate::domain::{BlockHeight, Digest32, Media, UnixSeconds, sha256};

/// The form of an entry.
const SCHEMA: &str = "reledger/memory/1";
/// Runs that are remembered; of more the oldest are forgotten.
const ENTRIES_MAX: usize = 256;

/// Where a user keeps what they remember, and which executable acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// A folder of the user's own.
    pub dir: PathBuf,
    /// The digest of the executable.
    pub tool_sha256: Digest32,
}

/// What is remembered of one finished run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct Entry {
    schema: String,
    /// The executable that judged.
    tool_sha256: Digest32,
    /// Signatures were checked in batches. Whoever then asks for single checks wants to know for himself.
    in_batches: bool,
    /// What it left in the folder, by name; the evidence is named by the manifest among it.
    pub(super) written: BTreeMap<String, Digest32>,
    /// The as-of when none is given.
    pub(super) as_of: Derived,
    /// The block that gave the as-of, where it was asked for by height.
    pub(super) block: Option<AsOfBlock>,
    /// Digests of the local files that were read, by media; `None` where others were asked, or a file was not read to its end.
    pub(super) files: Option<BTreeMap<String, Digest32>>,
}

/// A height and the time of its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct AsOfBlock {
    pub(in crate::app) height: BlockHeight,
    pub(in crate::app) time: UnixSeconds,
}

impl Memory {
    /// What is remembered of the run that ended with this record.
    pub(super) fn entry(&self, folder: &RunFolder, checks: Checks) -> Option<Entry> {
        let entry: Entry = serde_json::from_slice(&fs::read(self.path(folder)?).ok()?).ok()?;
        let is_ours = entry.schema == SCHEMA && entry.tool_sha256 == self.tool_sha256;
        (is_ours && entry.in_batches == (checks == Checks::Batch)).then_some(entry)
    }

    /// No two runs end with the same record: it has the clock, and the head of a custody log.
    fn path(&self, folder: &RunFolder) -> Option<PathBuf> {
        let record = fs::read(folder.root().join("run.json")).ok()?;
        Some(self.dir.join(format!("{}.json", sha256(&record))))
    }

    /// Forgets the oldest of too many.
    fn forget(&self) -> std::io::Result<()> {
        let mut entries: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                entries.push((path.metadata()?.modified()?, path));
            }
        }
        entries.sort();
        let excess = entries.len().saturating_sub(ENTRIES_MAX);
        entries.iter().take(excess).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// Remembers a run that was just finished. A memory that can't be written costs the next run time, and this one nothing.
pub(in crate::app) fn remember(
    (memory, checks): (&Memory, Checks),
    folder: &RunFolder,
    as_of: Derived,
    block: Option<AsOfBlock>,
    files: &BTreeMap<Media, Digest32>,
) {
    let kept = || -> Option<Result<(), AppError>> {
        let files = files.iter().map(|(media, print)| (media.name().to_owned(), *print)).collect();
        let files = Some(files).filter(|files: &BTreeMap<_, _>| !files.is_empty());
        let (schema, tool_sha256) = (SCHEMA.to_owned(), memory.tool_sha256);
        let in_batches = checks == Checks::Batch;
        let entry = Entry { schema, tool_sha256, in_batches, written: written(folder)?, as_of, block, files };
        let bytes = serde_json::to_vec_pretty(&entry).ok()?;
        Some(write_private(&memory.path(folder)?, &bytes))
    };
    match kept() {
        Some(Ok(())) => drop(memory.forget()),
        Some(Err(error)) => tracing::debug!(%error, "this run is not remembered"),
        None => tracing::debug!("this run is not remembered: it changed when it was finished"),
    }
}
