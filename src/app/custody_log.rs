//! The custody log of a run's evidence: who did what to the folder, when, with which executable, and what stood in it
//! afterwards (docs/chain-of-custody.md). It has a wall clock, so it is no member of the manifest, and no report depends on it.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::error::AppError;
use super::executable::Executable;
use super::links::{Form, Links, member};
use super::run::{RunFolder, RunRecord};
use crate::domain::{Digest32, UnixSeconds, inert, inert_limited};
use crate::report::canonical_json;

/// The schema name of a line.
const SCHEMA: &str = "reledger/custody-log/1";
/// The log's name in the evidence folder.
pub(super) const CUSTODY_FILE: &str = "custody.jsonl";
/// The log's name in the run's folder.
pub(super) const CUSTODY_PATH: &str = "evidence/custody.jsonl";

/// Who acts, as far as it was said.
#[derive(Debug, Clone, Default)]
pub struct Actor {
    /// A name that somebody gave; empty for none. Nothing is taken from the system.
    pub by: String,
    /// The executable that runs.
    pub tool: Executable,
}

/// What was done to a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Evidence or notes about it were taken in; the folder is not sealed.
    Capture,
    /// The evidence was judged, reported and sealed.
    Seal,
    /// Notes were added to sealed evidence, which was sealed again; the report is the old one.
    Reseal,
    /// The folder was made of a snapshot.
    Restore,
}

impl Deed {
    const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Seal => "seal",
            Self::Reseal => "reseal",
            Self::Restore => "restore",
        }
    }
}

/// One line, before it is one.
pub(super) struct Handled<'a> {
    pub(super) deed: Deed,
    pub(super) actor: &'a Actor,
    pub(super) at: UnixSeconds,
    pub(super) command: &'a str,
    /// How often the run was gone on with.
    pub(super) resumed: u32,
    /// Evidence root and count.
    pub(super) evidence: (Digest32, u64),
    /// Of the manifest, where the folder is sealed.
    pub(super) manifest_sha256: Option<Digest32>,
    /// Digest, state root and outcome of the report that was written.
    pub(super) report: Option<Value>,
    /// The state root that had to come out, where one was given.
    pub(super) expected_root: Option<Digest32>,
    /// Where the command's own exit code is known by then.
    pub(super) exit_code: Option<u8>,
    /// Of the snapshot that the folder was made of.
    pub(super) archive_sha256: Option<Digest32>,
}

/// The log of one run, verified.
#[derive(Debug, Clone)]
pub struct CustodyLog {
    path: PathBuf,
    links: Links,
    /// What the folder's record says of an action that never ended.
    interrupted: Option<Value>,
}

impl CustodyLog {
    /// Reads the log to write in it. The caller holds the folder.
    ///
    /// # Errors
    /// [`AppError::Untrusted`] when a line was altered or is missing, also against what `run.json` remembers.
    pub(super) fn open(folder: &RunFolder, record: Option<&RunRecord>) -> Result<Self, AppError> {
        let log = Self::read(folder)?;
        if log.links.torn() > 0 {
            // Not a note of the progress, which can be switched off.
            tracing::warn!(bytes = log.links.torn(), "{CUSTODY_PATH} ends in a torn line, which the next line cuts");
        }
        if let Some(head) = record.and_then(|record| record.custody_head).filter(|head| !log.links.has(head)) {
            log.links.ends_with(&head)?;
        }
        // An earlier version did not say whether it ended.
        let interrupted = record.filter(|record| record.ended == Some(false));
        let interrupted = interrupted.map(|record| json!({"command": record.command, "started_at": record.started_at}));
        Ok(Self { interrupted, ..log })
    }

    fn read(folder: &RunFolder) -> Result<Self, AppError> {
        let path = folder.evidence().join(CUSTODY_FILE);
        // Of a link the bytes stand elsewhere, where nobody looks after them; of a pipe nowhere.
        if let Some(found) = path.symlink_metadata().ok().filter(|found| !found.is_file()) {
            let what = if found.is_symlink() { "is a link" } else { "is no file" };
            return Err(AppError::Untrusted { what: format!("checksum_error: {CUSTODY_PATH} {what}") });
        }
        let links = Links::read(&path, Form { schema: SCHEMA, name: CUSTODY_PATH.to_owned() })?;
        Ok(Self { path, links, interrupted: None })
    }

    /// The log of a finished run whose manifest has that digest; `None` for a run of an earlier version.
    ///
    /// # Errors
    /// [`AppError::Untrusted`] when it is broken, torn, or does not end with the manifest at hand.
    pub(super) fn of_finished(
        folder: &RunFolder,
        record: Option<&RunRecord>,
        manifest_sha256: &Digest32,
    ) -> Result<Option<Self>, AppError> {
        let untrusted = |what: String| AppError::Untrusted { what: format!("checksum_error: {CUSTODY_PATH} {what}") };
        let head = record.and_then(|record| record.custody_head);
        let log = Self::read(folder)?;
        if !log.path.exists() {
            let lost = "is missing, and run.json tells of it".to_owned();
            return head.map_or(Ok(None), |_| Err(untrusted(lost)));
        }
        log.links.unbroken()?;
        if let Some(head) = head {
            log.links.ends_with(&head)?;
        }
        let number = log.links.lines().len();
        let last = log.links.lines().last().ok_or_else(|| untrusted("has no line".to_owned()))?;
        if member::<Digest32>(&last["evidence"], "manifest_sha256") != Some(*manifest_sha256) {
            return Err(untrusted(format!("line {number} tells of another evidence/manifest.json than stands there")));
        }
        Ok(Some(log))
    }

    /// The log up to the line of that digest, whatever somebody adds behind it; `None` where there is no log and none is told of.
    ///
    /// # Errors
    /// [`AppError::Untrusted`] when it is broken, or has no such line.
    pub(super) fn until(folder: &RunFolder, head: Option<Digest32>) -> Result<Option<Self>, AppError> {
        let mut log = Self::read(folder)?;
        match head {
            None if !log.path.exists() => Ok(None),
            None => Ok(Some(log)),
            Some(head) => {
                log.links.cut_behind(&head)?;
                Ok(Some(log))
            }
        }
    }

    /// The bytes of its lines.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.entries().iter().flat_map(canonical_json).collect()
    }

    /// The manifest that the last line tells of.
    pub(super) fn manifest_sha256(&self) -> Option<Digest32> {
        member(&self.entries().last()?["evidence"], "manifest_sha256")
    }

    /// Every line, in order.
    pub fn entries(&self) -> &[Value] {
        self.links.lines()
    }

    /// The digest of the last line.
    pub fn head(&self) -> Option<Digest32> {
        self.links.head()
    }

    /// The report that the last seal made.
    pub(super) fn report_sha256(&self) -> Option<Digest32> {
        self.entries().iter().rev().find_map(|entry| member(&entry["report"], "sha256"))
    }

    /// Whether the folder was once made of the snapshot with that digest.
    pub(super) fn was_restored_from(&self, archive: Digest32) -> bool {
        self.entries().iter().any(|entry| entry["action"] == Deed::Restore.name() && archive_of(entry) == Some(archive))
    }

    /// Adds a line, durably.
    ///
    /// # Errors
    /// [`AppError::Io`].
    pub(super) fn add(&mut self, handled: &Handled<'_>) -> Result<Digest32, AppError> {
        let Handled { deed, actor, at, command, resumed, evidence, manifest_sha256, report, .. } = handled;
        let line = json!({
            "action": deed.name(), "command": command, "at": at.0, "by": actor.by, "resumed": resumed,
            "tool": {
                "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION"),
                "sha256": actor.tool.sha256().map(|digest| digest.to_hex()),
            },
            "evidence": {
                "root": evidence.0.to_hex(), "items": evidence.1,
                "manifest_sha256": manifest_sha256.map(|digest| digest.to_hex()),
            },
            "report": report, "exit_code": handled.exit_code,
            "expected_root": handled.expected_root.map(|root| root.to_hex()),
            "interrupted": self.interrupted.take(), "cut_bytes": self.links.torn(),
        });
        let mut own = line.as_object().cloned().unwrap_or_else(Map::new);
        if let Some(archive) = handled.archive_sha256 {
            own.insert("archive_sha256".to_owned(), archive.to_hex().into());
        }
        self.links.add(&self.path, own)
    }

    /// One line about all of it, for people.
    pub fn sentence(&self) -> String {
        let entries = self.entries();
        let last = entries.last().map(entry_text).unwrap_or_default();
        let seals = entries.iter().filter(|entry| entry["action"] == "seal").count();
        let count = if entries.len() == 1 { "1 entry".to_owned() } else { format!("{} entries", entries.len()) };
        format!("custody log: {count} that hold on to each other, seals among them: {seals}; last: {last}")
    }
}

fn archive_of(entry: &Value) -> Option<Digest32> {
    member(entry, "archive_sha256")
}

/// One entry for people, on one line.
pub fn entry_text(entry: &Value) -> String {
    let text = |value: &Value| inert_limited(value.as_str().unwrap_or_default(), 200);
    let at = entry["at"].as_i64().map(|at| UnixSeconds(at).to_string()).unwrap_or_default();
    let by = match text(&entry["by"]) {
        by if by.is_empty() => "nobody named".to_owned(),
        by => by,
    };
    let tool = match text(&entry["tool"]["sha256"]) {
        digest if digest.is_empty() => "executable not known".to_owned(),
        digest => format!("executable {digest}"),
    };
    let mut line = format!(
        "{} {at} {} by `{}`, {by}, version {}, {tool}, {} items",
        entry["seq"],
        text(&entry["action"]),
        text(&entry["command"]),
        text(&entry["tool"]["version"]),
        entry["evidence"]["items"],
    );
    if let Some(archive) = archive_of(entry) {
        line.push_str(&format!(", from the snapshot {archive}"));
    }
    if let Some(outcome) = entry["report"]["outcome"].as_str() {
        line.push_str(&format!(", {}", inert_limited(outcome, 40)));
    }
    if let Some(code) = entry["exit_code"].as_u64() {
        line.push_str(&format!(", exit {code}"));
    }
    if let Some(root) = entry["expected_root"].as_str() {
        line.push_str(&format!(", state root expected: {}", inert_limited(root, 64)));
    }
    if entry["interrupted"].is_object() {
        line.push_str(&format!(", after `{}` that never ended", text(&entry["interrupted"]["command"])));
    }
    if let Some(bytes) = entry["cut_bytes"].as_u64().filter(|bytes| *bytes > 0) {
        line.push_str(&format!(", {bytes} bytes of a torn line cut before it"));
    }
    inert(&line)
}
