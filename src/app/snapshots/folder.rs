//! A folder of snapshots: names that say when and what, and the archives that have them.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::domain::{Digest32, UnixSeconds};

/// Digits of the manifest's digest in a name.
const DIGITS: usize = 16;
/// How a name ends.
const SUFFIX: &str = ".tar.zst";
/// What an encrypted one's name ends with besides.
const ENCRYPTED: &str = ".age";
/// The lock's name. It stays: a name that goes away could be locked twice.
const LOCK: &str = ".lock";
/// How often the lock is tried, and how long is waited between.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);

/// What a snapshot's name says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotName {
    /// When it was made.
    pub at: UnixSeconds,
    /// The first digits of its manifest's sha256.
    pub content: String,
    /// It is encrypted for somebody.
    pub is_encrypted: bool,
}

impl SnapshotName {
    /// The name of a snapshot with that manifest, made then.
    pub(super) fn of(at: UnixSeconds, manifest: &Digest32) -> Self {
        let content = manifest.to_hex().chars().take(DIGITS).collect();
        Self { at, content, is_encrypted: false }
    }

    /// `20261002T000000Z-0123456789abcdef.tar.zst`.
    pub fn to_file_name(&self) -> String {
        let at: String = self.at.to_string().chars().filter(|one| !matches!(one, '-' | ':')).collect();
        format!("{at}-{}{SUFFIX}{}", self.content, if self.is_encrypted { ENCRYPTED } else { "" })
    }

    /// The name of that file, read as [`Self::parse`] does.
    pub(in crate::app) fn of_path(path: &Path) -> Option<Self> {
        Self::parse(&path.file_name()?.to_string_lossy())
    }

    /// Reads a name; `None` for one that we do not give.
    pub fn parse(name: &str) -> Option<Self> {
        let plain = name.strip_suffix(ENCRYPTED);
        let (at, content) = plain.unwrap_or(name).strip_suffix(SUFFIX)?.split_once('-')?;
        let (day, time) = at.split_once('T')?;
        let part = |text: &str, from: usize, to: usize| text.get(from..to).map(str::to_owned);
        let spelled = format!(
            "{}-{}-{}T{}:{}:{}",
            part(day, 0, 4)?,
            part(day, 4, 6)?,
            day.get(6..)?,
            part(time, 0, 2)?,
            part(time, 2, 4)?,
            time.get(4..)?
        );
        let named = Self { at: spelled.parse().ok()?, content: content.to_owned(), is_encrypted: plain.is_some() };
        // One spelling: whatever reads as the same is not ours.
        let is_digest =
            content.len() == DIGITS && content.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (is_digest && named.to_file_name() == name).then_some(named)
    }
}

/// The snapshots of a folder by their names, oldest first. Links, folders and other names are passed over.
///
/// # Errors
/// [`AppError::Config`] for a folder that is not there.
pub fn snapshots_in(folder: &Path) -> Result<Vec<(SnapshotName, PathBuf)>, AppError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(AppError::missing(folder))? {
        let entry = entry.map_err(AppError::io("read", folder))?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if let Some(name) = SnapshotName::of_path(&entry.path()).filter(|_| is_file) {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// One maker at a time: two would give two archives one number.
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Waits for the folder, and takes it.
    ///
    /// # Errors
    /// [`AppError::Busy`] when somebody holds it longer than a moment; [`AppError::Io`].
    pub(super) fn take(folder: &Path, cancel: &Cancel) -> Result<Self, AppError> {
        let path = folder.join(LOCK);
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(AppError::io("open", &path))?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(AppError::io("lock", &path)(error)),
            }
            cancel.check()?;
            std::thread::sleep(PAUSE);
        }
        Err(AppError::Busy {
            what: format!("another process is at the snapshots in {}", folder.display()),
            hint: "wait for it, and try again".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sha256;

    #[test]
    fn a_name_says_when_and_what_and_has_one_spelling() {
        let named = SnapshotName::of("2026-10-02T03:04:05Z".parse().unwrap(), &sha256(b"abc"));
        let name = named.to_file_name();
        assert_eq!(name, "20261002T030405Z-ba7816bf8f01cfea.tar.zst");
        assert_eq!(SnapshotName::parse(&name), Some(named.clone()));
        let encrypted = SnapshotName { is_encrypted: true, ..named };
        assert_eq!(encrypted.to_file_name(), "20261002T030405Z-ba7816bf8f01cfea.tar.zst.age");
        assert_eq!(SnapshotName::parse(&encrypted.to_file_name()), Some(encrypted));
        for other in [
            "20261002T030405Z-ba7816bf8f01cfe.tar.zst",
            "20261002T030405Z-BA7816bf8f01cfea.tar.zst",
            "20261302T030405Z-ba7816bf8f01cfea.tar.zst",
            "20261002T030405.0Z-ba7816bf8f01cfea.tar.zst",
            "2026-10-02T03:04:05Z-ba7816bf8f01cfea.tar.zst",
            ".20261002T030405Z-ba7816bf8f01cfea.tar.zst",
            "20261002T030405Z-ba7816bf8f01cfea.tar",
            "20261002T030405Z-ba7816bf8f01cfea.tar.zst.age.age",
            "\u{e9}0261002T030405Z-ba7816bf8f01cfea.tar.zst",
        ] {
            assert_eq!(SnapshotName::parse(other), None, "{other}");
        }
    }
}
