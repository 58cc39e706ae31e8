//! What one user remembers of the runs that they finished: a small file for each, outside of the runs' folders, so that no folder
//! from elsewhere can bring it along.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::written;
use crate::app::as_of::Derived;
use crate::app::error::AppError;
use crate::app::executable::Executable;
use crate::app::options::Checks;
use crate::app::run::{RunFolder, write_private};
use crate::domain::{BlockHeight, Digest32, Media, UnixSeconds, sha256};

/// What an entry of any version calls itself.
const FORM: &str = "reledger/memory/";
/// The form of an entry.
const SCHEMA: &str = "reledger/memory/1";
/// Runs that are remembered; of more the oldest are forgotten.
const ENTRIES_MAX: usize = 256;

/// Where a user keeps what they remember, and which executable acts.
#[derive(Debug, Clone)]
pub struct Memory {
    /// A folder of the user's own.
    pub dir: PathBuf,
    /// The executable.
    pub tool: Executable,
}

/// What is remembered of one finished run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct Entry {
    schema: String,
    /// The executable that judged.
    tool_sha256: Digest32,
    /// How signatures were checked. Whoever asks for another way wants to know for himself.
    checks: Checks,
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
        let path = self.path(folder)?;
        let found = path.symlink_metadata().ok()?;
        if !(is_own_folder(&self.dir) && found.is_file() && is_own(&found)) {
            tracing::debug!(dir = %self.dir.display(), "what others can write is no memory");
            return None;
        }
        let entry: Entry = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let is_ours = entry.schema == SCHEMA && Some(entry.tool_sha256) == self.tool.sha256();
        (is_ours && entry.checks == checks).then_some(entry)
    }

    /// No two runs end with the same record: it has the clock, and the head of a custody log.
    fn path(&self, folder: &RunFolder) -> Option<PathBuf> {
        let record = fs::read(folder.root().join("run.json")).ok()?;
        Some(self.dir.join(format!("{}.json", sha256(&record))))
    }

    /// Forgets the oldest of too many. The folder may hold whatever else its user keeps there, which is nobody's to remove.
    fn forget(&self) -> io::Result<()> {
        let mut entries: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let found = path.symlink_metadata()?;
            if is_entry_name(&path) && found.is_file() {
                entries.push((found.modified()?, path));
            }
        }
        entries.sort();
        let excess = entries.len().saturating_sub(ENTRIES_MAX);
        let old = entries.iter().take(excess).map(|(_, path)| path).filter(|path| is_entry(path));
        old.into_iter().try_for_each(fs::remove_file)
    }
}

/// Whether a file may be an entry by its name.
fn is_entry_name(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    path.extension().is_some_and(|extension| extension == "json")
        && stem.is_some_and(|stem| stem.parse::<Digest32>().is_ok())
}

/// Whether it is one by what it says, of whatever version.
fn is_entry(path: &Path) -> bool {
    #[derive(Deserialize)]
    struct Form {
        schema: String,
    }
    let form = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Form>(&bytes).ok());
    form.is_some_and(|form| form.schema.starts_with(FORM))
}

/// Whether the folder is there, this user's, and nobody else can put anything into it.
fn is_own_folder(dir: &Path) -> bool {
    dir.metadata().is_ok_and(|found| found.is_dir() && is_own(&found))
}

/// Whether nobody else can have written it. Where the system knows no owners, its folders for users are trusted.
fn is_own(found: &fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        #[cfg(target_os = "linux")]
        if found.uid() != rustix::process::geteuid().as_raw() {
            return false;
        }
        found.mode() & 0o022 == 0
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        true
    }
}

/// Makes the folder, for this user alone. One that others can write to is refused: what they put there under a name of ours would be
/// written through.
fn make_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)?;
    let others = || io::Error::new(io::ErrorKind::PermissionDenied, "others can write to it");
    if is_own_folder(dir) { Ok(()) } else { Err(others()) }
}

/// Remembers a run that was just finished, and left what has these digests, by name. A memory that can't be written costs the next run
/// time, and this one nothing.
pub(in crate::app) fn remember(
    (memory, checks): (&Memory, Checks),
    (folder, left): (&RunFolder, &[(&str, Option<Digest32>)]),
    as_of: Derived,
    block: Option<AsOfBlock>,
    files: &BTreeMap<Media, Digest32>,
) {
    let kept = || -> Option<Result<(), AppError>> {
        let files = files.iter().map(|(media, print)| (media.name().to_owned(), *print)).collect();
        let files = Some(files).filter(|files: &BTreeMap<_, _>| !files.is_empty());
        let (schema, tool_sha256) = (SCHEMA.to_owned(), memory.tool.sha256()?);
        let written = written(folder)?;
        // What somebody put into its place meanwhile was never judged.
        left.iter().all(|(name, digest)| digest.is_some() && written.get(*name).copied() == *digest).then_some(())?;
        let entry = Entry { schema, tool_sha256, checks, written, as_of, block, files };
        let bytes = serde_json::to_vec_pretty(&entry).ok()?;
        let path = memory.path(folder)?;
        let made = make_private(&memory.dir).map_err(AppError::io("create", &memory.dir));
        Some(made.and_then(|()| write_private(&path, &bytes)))
    };
    match kept() {
        Some(Ok(())) => drop(memory.forget()),
        Some(Err(error)) => tracing::debug!(%error, "this run is not remembered"),
        None => tracing::debug!("this run is not remembered: it changed when it was finished"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Rendering;

    #[test]
    fn what_was_put_into_the_place_of_what_a_run_left_is_not_remembered() {
        let place = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(&place.path().join("run"));
        folder.create().unwrap();
        let own = ["run.json", "report.json", "queues/needs-anchor.ndjson", "evidence/manifest.json"];
        let evidence = ["evidence/inputs.json", "evidence/custody.jsonl"];
        let renderings = Rendering::FILES.iter().map(|(file, _)| *file);
        for name in own.into_iter().chain(evidence).chain(renderings) {
            folder.write(name, name.as_bytes()).unwrap();
        }
        fs::write(place.path().join("tool"), b"tool").unwrap();
        let memory = Memory { dir: place.path().join("cache"), tool: Executable::at(place.path().join("tool")) };
        let as_of = Derived { at: UnixSeconds(1), next: None };
        let is_remembered = |report: Option<Digest32>| {
            let left = [("report.json", report)];
            remember((&memory, Checks::Single), (&folder, &left), as_of, None, &BTreeMap::new());
            memory.entry(&folder, Checks::Single).is_some()
        };
        assert!(!is_remembered(Some(sha256(b"what was written"))));
        assert!(!is_remembered(None));
        assert!(is_remembered(Some(sha256(b"report.json"))));
    }
}
