//! One state of a run, held still while it is packed: the last that was finished, also while a process works on the next one.
//!
//! A process that goes on in a finished run only adds segments until it is done; then it replaces manifest, inputs, report and
//! renderings, each by a rename, and its record last. So whoever holds the files of one state open reads that state, whatever
//! comes after; what has to be known is that they were opened between two such turns (ADR 27).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::contents::{FILES, measure};
use crate::app::audit::{MANIFEST, manifest_of, read};
use crate::app::custody_log::{CUSTODY_PATH, CustodyLog};
use crate::app::error::AppError;
use crate::app::finished::{FinishedRun, REPORT, not_finished, record_bytes, record_of};
use crate::app::links::member;
use crate::app::observer::Cancel;
use crate::app::run::{RunFolder, RunRecord};
use crate::domain::{Digest32, sha256};
use crate::evidence::snapshot::SnapshotMember;
use crate::seal::{Manifest, Member};

/// How often it is looked again at a run that turns over, and how long is waited before.
const LOOKS: u32 = 150;
const PAUSE: Duration = Duration::from_millis(200);
/// The record's name in the run's folder.
const RECORD: &str = "run.json";
/// What the report is a function of besides the evidence.
const INPUTS: &str = "evidence/inputs.json";

/// The state.
pub(super) struct Frozen {
    /// Every file of it, measured, in order of name.
    pub(super) members: Vec<SnapshotMember>,
    /// Its report.
    pub(super) report: Value,
    /// True when another run is on in the folder, or was and never came to its end.
    pub(super) is_live: bool,
    mark: Mark,
    sources: BTreeMap<String, Source>,
}

enum Source {
    /// Opened: a rename over its name changes nothing for who holds it.
    Held(File),
    /// The part of a file that belongs to the state.
    Bytes(Vec<u8>),
    /// Never changed once it has its name.
    Segment(PathBuf),
}

impl Source {
    fn open(&self) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::Held(file) => {
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(0))?;
                Box::new(file)
            }
            Self::Bytes(bytes) => Box::new(Cursor::new(bytes.clone())),
            Self::Segment(path) => Box::new(File::open(path)?),
        })
    }
}

impl Frozen {
    /// Holds the last finished state of the run.
    ///
    /// # Errors
    /// [`AppError::Config`] for a folder in which no run was ever finished; [`AppError::Untrusted`] when a member of it is not
    /// what its manifest says; [`AppError::Busy`] when it turned over each time it was looked at; [`AppError::Io`].
    pub(super) fn of(run: &Path, cancel: &Cancel) -> Result<Self, AppError> {
        for _ in 0..LOOKS {
            if let Some(held) = Held::look(run)? {
                return held.measured(run);
            }
            cancel.check()?;
            std::thread::sleep(PAUSE);
        }
        Err(busy(run))
    }

    /// Holds every byte of the evidence against the manifest, and every record against its id. Of a state that another run goes on
    /// from the members were measured when it was held.
    ///
    /// # Errors
    /// [`AppError::Untrusted`] naming the member; [`AppError::Busy`] when somebody began to write meanwhile; [`AppError::Io`].
    pub(super) fn verify(&self, run: &Path) -> Result<(), AppError> {
        if self.is_live {
            return Ok(());
        }
        // Somebody may have begun, or ended, while everything was read.
        FinishedRun::verified(run).map(drop).map_err(|error| if self.mark.stands(run) { error } else { busy(run) })
    }

    /// True when the run is at another state, or on the way to one.
    pub(super) fn is_over(&self, run: &Path) -> bool {
        !self.mark.stands(run)
    }

    /// The content of a member, as it was when the state was held.
    ///
    /// # Errors
    /// Those of the file.
    pub(super) fn open(&self, name: &str) -> io::Result<Box<dyn Read>> {
        self.sources.get(name).ok_or_else(|| io::Error::other("no member of the state"))?.open()
    }
}

/// What is said when somebody writes.
pub(super) fn busy(run: &Path) -> AppError {
    AppError::Busy {
        what: format!("{} was written while it was read; no snapshot was made", run.display()),
        hint: "wait for the other process, or resume the run with the command that began it; and make it again"
            .to_owned(),
    }
}

/// What every turn to another state changes: the manifest first, then a line of the log, and the record last.
#[derive(PartialEq, Eq)]
struct Mark {
    record: Vec<u8>,
    manifest: Vec<u8>,
    custody: Option<Vec<u8>>,
}

impl Mark {
    fn of(run: &Path) -> Result<Self, AppError> {
        let record = record_bytes(run)?.ok_or_else(|| not_finished(run))?;
        let path = run.join(CUSTODY_PATH);
        let custody = if path.exists() { Some(read(run, CUSTODY_PATH)?) } else { None };
        Ok(Self { record, manifest: read(run, MANIFEST)?, custody })
    }

    /// True when the run is still where it was.
    fn stands(&self, run: &Path) -> bool {
        Self::of(run).is_ok_and(|now| now == *self)
    }
}

/// Files of one state, opened.
struct Held {
    record: RunRecord,
    manifest: Manifest,
    mark: Mark,
    sources: BTreeMap<String, Source>,
    report_told: Option<Digest32>,
    is_live: bool,
}

impl Held {
    /// Opens them; `None` when the state turned over meanwhile, or is about to.
    fn look(run: &Path) -> Result<Option<Self>, AppError> {
        let first = record_bytes(run)?.ok_or_else(|| not_finished(run))?;
        let (record, is_live) = state_of(run, &first)?;
        let mark = Mark::of(run)?;
        if mark.record != first {
            return Ok(None);
        }
        if !is_live && let Err(error) = FinishedRun::read(run) {
            // Somebody may have begun, or ended, while everything was read.
            return if mark.stands(run) { Err(error) } else { Ok(None) };
        }
        let manifest = manifest_of(&mark.manifest)?;
        let log = CustodyLog::until(&RunFolder::at(run), record.custody_head)?;
        let told = log.as_ref().map(CustodyLog::manifest_sha256);
        if told.is_some_and(|told| told != Some(sha256(&mark.manifest))) {
            // The next state is being written, over this one.
            return Ok(None);
        }
        let mut sources = BTreeMap::new();
        // Backwards: the newest checkpoint before its chain, and that before the list, which is written in the other order.
        for name in FILES.into_iter().rev() {
            let source = match (name, &log) {
                (RECORD, _) => Some(Source::Bytes(if is_live { record.to_bytes()? } else { mark.record.clone() })),
                (CUSTODY_PATH, Some(log)) => Some(Source::Bytes(log.to_bytes())),
                (CUSTODY_PATH, None) => None,
                _ => held(&run.join(name), name)?,
            };
            sources.extend(source.map(|source| (name.to_owned(), source)));
        }
        // The next state's inputs are written before its manifest.
        let is_next = is_live && !fits(&manifest, &sources, run)?;
        if is_next || Mark::of(run)? != mark {
            return Ok(None);
        }
        let report_told = log.as_ref().and_then(CustodyLog::report_sha256);
        Ok(Some(Self { record, manifest, mark, sources, report_told, is_live }))
    }

    /// Measures them, and holds what the manifest and the log tell against that.
    fn measured(mut self, run: &Path) -> Result<Frozen, AppError> {
        let untrusted = |what: String| AppError::Untrusted { what: format!("checksum_error: {what}") };
        debug_assert!(self.record.is_finished());
        for member in &self.manifest.members {
            let name = format!("evidence/{}", member.name);
            if member.name.starts_with("segments/") {
                self.sources.insert(name.clone(), Source::Segment(run.join(&name)));
            }
        }
        let told: BTreeMap<&str, &Member> =
            self.manifest.members.iter().map(|member| (member.name.as_str(), member)).collect();
        let mut members = Vec::with_capacity(self.sources.len());
        for (name, source) in &self.sources {
            let sealed = name.strip_prefix("evidence/").and_then(|inner| told.get(inner));
            members.push(match (source, sealed) {
                // Held against the manifest with everything else before the archive has a name, and while it is packed.
                (Source::Segment(_), Some(sealed)) if !self.is_live => {
                    SnapshotMember { name: name.clone(), sha256: sealed.sha256, size: sealed.size }
                }
                _ => measure(name, || source.open()).map_err(AppError::io("read", &run.join(name)))?,
            });
        }
        for sealed in &self.manifest.members {
            let name = format!("evidence/{}", sealed.name);
            let found = members.iter().find(|one| one.name == name);
            if found.is_none_or(|found| (found.sha256, found.size) != (sealed.sha256, sealed.size)) {
                return Err(untrusted(format!("evidence member {} is not what the manifest says", sealed.name)));
            }
        }
        let report = self.sources.get(REPORT).ok_or_else(|| untrusted(format!("{REPORT} is missing")))?;
        let mut bytes = Vec::new();
        let whole = report.open().and_then(|mut reader| reader.read_to_end(&mut bytes));
        whole.map_err(AppError::io("read", &run.join(REPORT)))?;
        let report: Value =
            serde_json::from_slice(&bytes).map_err(|_| untrusted(format!("{REPORT} is no JSON document")))?;
        if member::<Digest32>(&report["inputs"], "evidence_root") != Some(self.manifest.evidence_root) {
            return Err(untrusted(format!("{REPORT} is about other evidence than {MANIFEST} seals")));
        }
        let digest = members.iter().find(|one| one.name == REPORT).map(|one| one.sha256);
        if self.report_told.is_some_and(|told| Some(told) != digest) {
            return Err(untrusted(format!("{REPORT} is not the report that {CUSTODY_PATH} tells of")));
        }
        Ok(Frozen { members, report, is_live: self.is_live, mark: self.mark, sources: self.sources })
    }
}

/// Whether the inputs are those of the manifest.
fn fits(manifest: &Manifest, sources: &BTreeMap<String, Source>, run: &Path) -> Result<bool, AppError> {
    let sealed = manifest.members.iter().find(|member| format!("evidence/{}", member.name) == INPUTS);
    let (Some(sealed), Some(source)) = (sealed, sources.get(INPUTS)) else { return Ok(false) };
    let found = measure(INPUTS, || source.open()).map_err(AppError::io("read", &run.join(INPUTS)))?;
    Ok(found.sha256 == sealed.sha256)
}

/// The record of the last finished state, and whether something began after it.
fn state_of(run: &Path, bytes: &[u8]) -> Result<(RunRecord, bool), AppError> {
    let record = record_of(bytes)?;
    if record.is_finished() {
        return Ok((record, false));
    }
    let before = record.finished_before.ok_or_else(|| not_finished(run))?;
    Ok((*before, true))
}

/// A file of the run, opened; `None` for one that it does not have.
fn held(path: &Path, name: &str) -> Result<Option<Source>, AppError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(AppError::io("read", path)(error)),
        Ok(found) if !found.is_file() => {
            return Err(AppError::Untrusted { what: format!("checksum_error: {name} is no regular file") });
        }
        Ok(_) => {}
    }
    Ok(Some(Source::Held(File::open(path).map_err(AppError::io("open", path))?)))
}
