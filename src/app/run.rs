//! A run's folder (CONTRACT 4): who may write it, what is written atomically, when it counts as finished.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::documents::SeenDocument;
use super::error::AppError;
use crate::domain::{Digest32, UnixSeconds};

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    root: PathBuf,
}

/// `run.json`: everything that is not reproducible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// `running` or `finished`.
    pub status: String,
    /// The command that made it.
    pub command: String,
    /// The tool's version.
    pub version: String,
    /// Wall clock at the start, Unix seconds.
    pub started_at: i64,
    /// Wall clock at the end, Unix seconds.
    pub finished_at: Option<i64>,
    /// Milliseconds by stage.
    pub stages: Vec<(String, u64)>,
    /// How often it was resumed.
    pub resumed: u32,
    /// Exit code, once finished.
    pub exit_code: Option<u8>,
    /// Operating system and architecture.
    pub host: String,
    /// Worker threads asked for; 0 is one per core.
    pub jobs: usize,
    /// Peak resident memory in KiB, where the system tells.
    #[serde(default)]
    pub peak_memory_kib: Option<u64>,
    /// Signatures of events checked while fetching: each once, however many sources gave the event.
    #[serde(default)]
    pub signature_checks: u64,
    /// By source, the clock (Unix seconds) when the last capture began that it answered completely.
    #[serde(default)]
    pub captured: BTreeMap<String, i64>,
    /// Every version of a published document that was fetched into this folder, with its time.
    #[serde(default)]
    pub documents: Vec<SeenDocument>,
    /// The last line of the custody log when this was written; `None` before the first, and by earlier versions.
    #[serde(default)]
    pub custody_head: Option<Digest32>,
    /// Whether the command came to its end, as a capture does that leaves the run unfinished; `None` by earlier versions.
    #[serde(default)]
    pub ended: Option<bool>,
    /// The budget for the whole recovery, in seconds; `None` where none was set.
    #[serde(default)]
    pub rto_budget_seconds: Option<u64>,
    /// The budget for what may be lost, in seconds; `None` where none was set.
    #[serde(default)]
    pub rpo_budget_seconds: Option<u64>,
    /// The budgets of single stages, in seconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stage_budget_seconds: BTreeMap<String, u64>,
    /// Milliseconds of the restore that this run goes on from, until it is finished again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_millis: Option<u64>,
    /// The record of the last run that was finished here, while another one is on or never came to its end: a snapshot
    /// packs that state, whose sealed files stand until the next one is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_before: Option<Box<RunRecord>>,
}

impl RunRecord {
    /// The record of a command that begins at that instant and has not ended.
    pub(super) fn running(command: &str, clock: UnixSeconds) -> Self {
        Self {
            status: "running".to_owned(),
            command: command.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: clock.0,
            finished_at: None,
            stages: Vec::new(),
            resumed: 0,
            exit_code: None,
            host: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            jobs: 0,
            peak_memory_kib: None,
            signature_checks: 0,
            captured: BTreeMap::new(),
            documents: Vec::new(),
            custody_head: None,
            ended: Some(false),
            rto_budget_seconds: None,
            rpo_budget_seconds: None,
            stage_budget_seconds: BTreeMap::new(),
            restore_millis: None,
            finished_before: None,
        }
    }

    /// True for a run that came to its end.
    pub(super) fn is_finished(&self) -> bool {
        self.status == "finished"
    }

    /// What stands in `run.json`.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, AppError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| AppError::Internal(error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// How a folder was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is new or empty.
    Fresh,
    /// A run began here and did not finish.
    Unfinished(Box<RunRecord>),
    /// A run finished here.
    Finished(Box<RunRecord>),
}

impl RunFolder {
    /// Names a folder without touching it.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Makes the folder's structure.
    ///
    /// # Errors
    /// [`AppError::Io`].
    pub fn create(&self) -> Result<(), AppError> {
        for folder in [self.evidence(), self.state(), self.root.join("queues")] {
            create_folders(&folder)?;
        }
        Ok(())
    }

    /// What stands in the folder now.
    ///
    /// # Errors
    /// [`AppError::Refused`] when it holds something that is not a run; [`AppError::Io`].
    pub fn look(&self) -> Result<Found, AppError> {
        let record = self.root.join("run.json");
        match fs::read_to_string(&record) {
            Ok(text) => {
                let record: RunRecord = serde_json::from_str(&text).map_err(|_| AppError::Refused {
                    what: format!("{} is not the record of a run", record.display()),
                    hint: "choose another folder with --run".to_owned(),
                })?;
                let record = Box::new(record);
                Ok(if record.is_finished() { Found::Finished(record) } else { Found::Unfinished(record) })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.look_without_record(),
            Err(error) => Err(AppError::io("read", &record)(error)),
        }
    }

    fn look_without_record(&self) -> Result<Found, AppError> {
        let mut entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Fresh),
            Err(error) => return Err(AppError::io("open", &self.root)(error)),
        };
        // A crash between making the folders and writing the record leaves only our own names.
        let foreign = entries.any(|entry| {
            entry.is_ok_and(|entry| {
                let name = entry.file_name();
                !["evidence", "state", "queues"].iter().any(|own| name == *own)
                    && !is_temporary(&name.to_string_lossy())
            })
        });
        if foreign {
            return Err(AppError::Refused {
                what: format!("{} holds other files and no run", self.root.display()),
                hint: "choose an empty or new folder with --run".to_owned(),
            });
        }
        Ok(Found::Fresh)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every byte received.
    pub fn evidence(&self) -> PathBuf {
        self.root.join("evidence")
    }

    /// The embedded store: can be deleted and rebuilt.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The report.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.json")
    }

    /// Writes the record of the run.
    ///
    /// # Errors
    /// [`AppError::Io`].
    pub fn write_record(&self, record: &RunRecord) -> Result<(), AppError> {
        write_atomic(&self.root.join("run.json"), &record.to_bytes()?)
    }

    /// Writes a file of the run atomically, by whoever writes it piece by piece.
    ///
    /// # Errors
    /// [`AppError::Io`].
    pub fn write_by<T>(&self, name: &str, by: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> Result<T, AppError> {
        write_atomic_by(&self.root.join(name), by)
    }

    /// Writes a file of the run atomically.
    ///
    /// # Errors
    /// [`AppError::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), AppError> {
        write_atomic(&self.root.join(name), bytes)
    }
}

/// Peak resident memory of this process in KiB (`VmHWM`); `None` where there is no `/proc`.
pub(super) fn peak_memory_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn is_temporary(name: &str) -> bool {
    name.strip_suffix(".tmp").is_some_and(|name| name.starts_with('.'))
}

/// Writes a result where the user said: atomically into a regular file or through a link to one, straight into a device or pipe.
///
/// # Errors
/// [`AppError::Io`].
pub fn write_result(path: &Path, bytes: &[u8]) -> Result<(), AppError> {
    write_result_by(path, |out| out.write_all(bytes))
}

/// As [`write_result`], by whoever writes it piece by piece.
///
/// # Errors
/// [`AppError::Io`].
pub fn write_result_by<T>(path: &Path, by: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> Result<T, AppError> {
    match fs::metadata(path) {
        // A rename would put a regular file in the place of `/dev/full` or of a link.
        Ok(found) if found.is_file() => {
            let target = fs::canonicalize(path).map_err(AppError::io("write", path))?;
            write_atomic_by(&target, by)
        }
        Ok(_) => {
            let file = fs::OpenOptions::new().write(true).open(path);
            file.and_then(|file| buffered(file, by).map(|(_, done)| done)).map_err(AppError::io("write", path))
        }
        Err(_) => write_atomic_by(path, by),
    }
}

/// Everything through a buffer, down to the file.
fn buffered<T>(file: File, by: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<(File, T)> {
    let mut out = io::BufWriter::new(file);
    let done = by(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok((file, done))
}

/// As [`write_atomic`], making its folder, and readable by its owner only where the system knows owners: it names persons.
///
/// # Errors
/// [`AppError::Io`]; the old file stands then.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), AppError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_folders(folder)?;
    }
    let create = |beside: &Path| {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(beside)
    };
    write_beside(path, create, |out| out.write_all(bytes))
}

/// Makes a folder, and those above it that are missing, so that a power cut takes none of their names: whatever is made durable in
/// a folder is lost with the folder's own name.
///
/// # Errors
/// [`AppError::Io`].
pub(super) fn create_folders(folder: &Path) -> Result<(), AppError> {
    let missing = folder.ancestors().take_while(|one| !one.as_os_str().is_empty() && !one.exists()).count();
    fs::create_dir_all(folder).map_err(AppError::io("create", folder))?;
    // One that is there may have been made by a process that was killed before it came to this.
    for (at, one) in folder.ancestors().take(missing.max(1)).enumerate() {
        match sync_folder(parent_of(one)) {
            // Whose names may not be listed is not ours, and was there before us.
            Err(error) if at >= missing && error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced.map_err(AppError::io("sync the folder of", one))?,
        }
    }
    Ok(())
}

/// Makes the names in a folder durable. Where folders can't be opened as files, the system keeps names by itself.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The folder in which a name stands.
pub(super) fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes beside, syncs, renames, syncs the folder: a reader sees the old file or the new one, never half of it.
///
/// # Errors
/// [`AppError::Io`]; the old file stands then.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), AppError> {
    write_atomic_by(path, |out| out.write_all(bytes))
}

fn write_atomic_by<T>(path: &Path, by: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> Result<T, AppError> {
    write_beside(path, |beside| File::create(beside), by)
}

fn write_beside<T>(
    path: &Path,
    create: impl FnOnce(&Path) -> io::Result<File>,
    by: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> Result<T, AppError> {
    let folder = parent_of(path);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = folder.join(format!(".{name}.tmp"));
    let write = || -> io::Result<T> {
        let (file, done) = buffered(create(&beside)?, by)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder(folder)?;
        Ok(done)
    };
    write().map_err(|error| {
        // The half-written file is of no use to anyone; a failure to remove it changes nothing.
        let _ = fs::remove_file(&beside);
        AppError::io("write", path)(error)
    })
}
