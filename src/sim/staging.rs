//! Folders that appear whole or not at all: everything is written aside first, then swapped in, and swapped back when that
//! fails. A folder that is not there is renamed into its place; one that is there is filled from a hidden folder inside it, so
//! that nothing ever crosses file systems.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::config::WORLD_HEADER;
use super::write::{CONFIGS, NAMES, SimError};

/// The folder aside, inside a folder that is there or that has no name to put beside it.
const INSIDE: &str = ".reledger-sim.partial";
/// Longest name that gets its folder aside beside it: file systems take 255 bytes.
const NAME_MAX: usize = 200;
/// Held by whoever writes.
const LOCK: &str = "lock";
/// Names of new entries, while they are swapped in.
const JOURNAL: &str = "swapping";
/// Others may finish and tidy up while the lock is taken; not that often.
const ATTEMPTS: u32 = 8;

/// What may be replaced in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// A world that this program wrote, when nothing else is there.
    World,
    /// Whatever has the names that are written.
    Anything,
}

/// A folder that only the holder writes to.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
    stage: PathBuf,
    /// The folder is not there and comes as a whole.
    whole: bool,
    /// The folder was made for this.
    made: bool,
    _lock: File,
}

impl Place {
    /// Takes the folder, which need not be there, and puts right what a killed process left in it.
    ///
    /// # Errors
    /// [`SimError::Locked`] when somebody else writes there, [`SimError::Occupied`] when something is there that may not be
    /// replaced, [`SimError::Torn`] and [`SimError::Write`] when the folder can't be made or put right.
    pub fn take(dir: &Path, replace: Replace) -> Result<Self, SimError> {
        for _ in 0..ATTEMPTS {
            let Some(place) = Self::attempt(dir)? else { continue };
            place.restore().map_err(|source| SimError::Torn { dir: dir.to_owned(), source })?;
            place.clear().map_err(failed(&place.stage))?;
            if replace == Replace::World && !place.whole {
                place.is_free()?;
            }
            return Ok(place);
        }
        Err(SimError::Locked { dir: dir.to_owned() })
    }

    /// Nothing when another writer ended meanwhile.
    fn attempt(dir: &Path) -> Result<Option<Self>, SimError> {
        let (stage, whole) = stage_of(dir);
        let made = !whole && !dir.exists();
        fs::create_dir_all(&stage).map_err(failed(dir))?;
        let path = stage.join(LOCK);
        let lock = match OpenOptions::new().write(true).create(true).truncate(false).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed(&path))?,
        };
        match lock.try_lock() {
            Ok(()) if !is_at(&lock, &path) => return Ok(None),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SimError::Locked { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(SimError::Write { path, source }),
        }
        let place = Self { dir: dir.to_owned(), stage, whole, made, _lock: lock };
        Ok((stage_of(dir).1 == whole).then_some(place))
    }

    /// Lets `fill` write into an empty folder, then puts what is in it into the place, and takes away what is `gone`.
    /// Entries of the same name are replaced; after a failure everything is as it was.
    ///
    /// # Errors
    /// What `fill` says; [`SimError::Write`] when something can't be moved, [`SimError::Torn`] when it can't be moved back.
    pub(super) fn fill<T>(self, gone: &[&str], fill: impl FnOnce(&Path) -> Result<T, SimError>) -> Result<T, SimError> {
        let new = self.new_entries();
        fs::create_dir(&new).map_err(failed(&self.dir))?;
        let value = fill(&new).map_err(|error| match error {
            // The place that the user named, not where we try.
            SimError::Write { path, source } => {
                let path = path.strip_prefix(&new).map(|name| self.dir.join(name)).unwrap_or(path);
                SimError::Write { path, source }
            }
            other => other,
        })?;
        self.install(gone, |from, to| fs::rename(from, to))?;
        Ok(value)
    }

    fn install(&self, gone: &[&str], rename: impl Fn(&Path, &Path) -> io::Result<()>) -> Result<(), SimError> {
        if self.whole {
            return rename(&self.new_entries(), &self.dir).map_err(failed(&self.dir));
        }
        self.swap(gone, rename).map_err(|source| match self.restore() {
            Ok(()) => SimError::Write { path: self.dir.clone(), source },
            Err(source) => SimError::Torn { dir: self.dir.clone(), source },
        })
    }

    /// The journal is there exactly as long as old and new are mixed.
    fn swap(&self, gone: &[&str], rename: impl Fn(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
        let (new, old, journal) = (self.new_entries(), self.old_entries(), self.stage.join(JOURNAL));
        let names = names_in(&new)?;
        fs::create_dir(&old)?;
        // A journal that is there is whole.
        let draft = self.draft();
        fs::write(&draft, names.join("\n"))?;
        fs::rename(draft, &journal)?;
        for name in names.iter().map(String::as_str).rev().chain(gone.iter().copied()) {
            if is_there(&self.dir.join(name))? {
                rename(&self.dir.join(name), &old.join(name))?;
            }
        }
        for name in &names {
            rename(&new.join(name), &self.dir.join(name))?;
        }
        fs::remove_file(journal)
    }

    /// Undoes a swap that did not come to its end.
    fn restore(&self) -> io::Result<()> {
        let journal = self.stage.join(JOURNAL);
        let names = match fs::read_to_string(&journal) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        let (new, old) = (self.new_entries(), self.old_entries());
        // What is no longer among the new ones has been moved.
        for name in names.lines().rev().filter(|name| Path::new(name).file_name() == Some(name.as_ref())) {
            if !is_there(&new.join(name))? && is_there(&self.dir.join(name))? {
                fs::rename(self.dir.join(name), new.join(name))?;
            }
        }
        for name in names_in(&old)? {
            fs::rename(old.join(&name), self.dir.join(name))?;
        }
        fs::remove_file(journal)
    }

    /// What is there is a world of ours and nothing else, or nothing.
    fn is_free(&self) -> Result<(), SimError> {
        let occupied = |by: &str| Err(SimError::Occupied { dir: self.dir.clone(), by: by.to_owned() });
        let mut names = names_in(&self.dir).map_err(failed(&self.dir))?;
        names.retain(|name| name != INSIDE);
        let is_foreign = |name: &&String| {
            let name = name.as_str();
            !NAMES.contains(&name) || CONFIGS.contains(&name) && !is_of_a_world(&self.dir.join(name))
        };
        match (names.iter().find(is_foreign), names.first()) {
            (Some(name), _) => occupied(name),
            (None, Some(name)) if !names.iter().any(|name| CONFIGS.contains(&name.as_str())) => occupied(name),
            _ => Ok(()),
        }
    }

    fn new_entries(&self) -> PathBuf {
        self.stage.join("new")
    }

    fn old_entries(&self) -> PathBuf {
        self.stage.join("old")
    }

    fn draft(&self) -> PathBuf {
        self.stage.join("draft")
    }

    fn clear(&self) -> io::Result<()> {
        for path in [self.new_entries(), self.old_entries(), self.draft()] {
            let removed = match fs::symlink_metadata(&path) {
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(&path),
                Ok(_) => fs::remove_file(&path),
                Err(error) => Err(error),
            };
            if let Err(error) = removed
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A swap that could not be undone is the next one's to undo.
        if self.stage.join(JOURNAL).exists() {
            return;
        }
        // What can't be removed is cleared by the next. The lock goes while it is held, and its folder only when empty: a
        // newcomer may have made another.
        let _ = self.clear();
        let _ = fs::remove_file(self.stage.join(LOCK));
        let _ = fs::remove_dir(&self.stage);
        if self.made {
            let _ = fs::remove_dir(&self.dir);
        }
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> SimError {
    let path = path.to_owned();
    move |source| SimError::Write { path, source }
}

/// The folder aside, and whether it is beside a folder that is not there.
fn stage_of(dir: &Path) -> (PathBuf, bool) {
    match (dir.file_name().and_then(|own| own.to_str()), dir.parent()) {
        (Some(own), Some(parent)) if own.len() <= NAME_MAX && fs::symlink_metadata(dir).is_err() => {
            (parent.join(format!(".{own}.partial")), true)
        }
        _ => (dir.join(INSIDE), false),
    }
}

/// Configurations last: when one is there, so is everything that it names.
pub(super) fn names_in(dir: &Path) -> io::Result<Vec<String>> {
    let names: io::Result<Vec<String>> =
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect();
    let mut names = names?;
    names.sort_by_key(|name| (CONFIGS.contains(&name.as_str()), name.clone()));
    Ok(names)
}

fn is_there(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a configuration begins as those of worlds do. What is no plain file is not opened: it may never answer.
fn is_of_a_world(path: &Path) -> bool {
    let mut head = vec![0; WORLD_HEADER.len()];
    fs::symlink_metadata(path).is_ok_and(|kind| kind.is_file())
        && File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok()
        && head == WORLD_HEADER.as_bytes()
}

/// False when the file was removed after it was opened.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let same = |one: &fs::Metadata, other: &fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
    file.metadata().is_ok_and(|own| fs::metadata(path).is_ok_and(|there| same(&own, &there)))
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        names_in(dir).unwrap()
    }

    /// Fills with `ots/new.ots`, `keys/new.json` and a configuration.
    fn world(stage: &Path) {
        for folder in ["ots", "keys"] {
            fs::create_dir(stage.join(folder)).unwrap();
            fs::write(stage.join(folder).join("new"), "new").unwrap();
        }
        fs::write(stage.join("reledger.toml"), "new").unwrap();
    }

    #[expect(clippy::unnecessary_wraps, reason = "what fills can fail")]
    fn filled(stage: &Path) -> Result<(), SimError> {
        world(stage);
        Ok(())
    }

    /// A folder with an older world and a note.
    fn older(dir: &Path) {
        for (name, text) in [("ots/old", "old"), ("expected.json", "old"), ("notes", "mine"), ("reledger.toml", "old")]
        {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn state(dir: &Path) -> (Vec<String>, Vec<String>, String) {
        (names(dir), names(&dir.join("ots")), fs::read_to_string(dir.join("reledger.toml")).unwrap())
    }

    #[test]
    fn what_is_filled_replaces_what_was_there_and_leaves_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("world");
        older(&dir);
        Place::take(&dir, Replace::Anything).unwrap().fill(&["expected.json"], filled).unwrap();
        let all = ["keys", "notes", "ots", "reledger.toml"].map(str::to_owned);
        assert_eq!(state(&dir), (all.into(), vec!["new".into()], "new".into()));
        assert_eq!(names(folder.path()), ["world"]);
    }

    #[test]
    fn a_failure_half_way_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(250);
        for name in ["world", &long] {
            let dir = folder.path().join(name);
            let failed = Place::take(&dir, Replace::World).unwrap().fill(&[], |stage| {
                fs::write(stage.join("half"), "half").unwrap();
                Err::<(), _>(SimError::Server("full".to_owned()))
            });
            assert!(failed.is_err());
            assert_eq!(names(folder.path()), Vec::<String>::new());
        }
    }

    #[test]
    fn what_a_kill_left_before_the_swap_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("world");
        let left = folder.path().join(".world.partial/new");
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("half"), "left by a kill").unwrap();
        fs::write(folder.path().join(".world.partial/draft"), "left by a kill").unwrap();
        Place::take(&dir, Replace::World).unwrap().fill(&[], filled).unwrap();
        assert_eq!((names(folder.path()), names(&dir).len()), (vec!["world".into()], 3));
    }

    /// Lets so many moves happen.
    fn failing_after(moves: u32) -> impl Fn(&Path, &Path) -> io::Result<()> {
        let left = std::cell::Cell::new(moves);
        move |from, to| {
            left.set(left.get().checked_sub(1).ok_or_else(|| io::Error::from(io::ErrorKind::CrossesDevices))?);
            fs::rename(from, to)
        }
    }

    #[test]
    fn a_swap_that_fails_or_is_killed_at_any_move_leaves_the_old_world() {
        let ready = |dir: &Path| {
            let place = Place::take(dir, Replace::Anything).unwrap();
            fs::create_dir(place.new_entries()).unwrap();
            world(&place.new_entries());
            place
        };
        // Three old entries go, three new ones come.
        for moves in 0..6 {
            let folder = tempfile::tempdir().unwrap();
            older(folder.path());
            let before = state(folder.path());
            let failed = ready(folder.path()).install(&["expected.json"], failing_after(moves));
            assert!(matches!(failed, Err(SimError::Write { .. })), "{moves}");
            assert_eq!(state(folder.path()), before, "failed after {moves}");
            let killed = ready(folder.path());
            assert!(killed.swap(&["expected.json"], failing_after(moves)).is_err());
            drop(killed);
            assert!(folder.path().join(INSIDE).exists());
            drop(Place::take(folder.path(), Replace::Anything).unwrap());
            assert_eq!(state(folder.path()), before, "killed after {moves}");
        }
        let folder = tempfile::tempdir().unwrap();
        older(folder.path());
        ready(folder.path()).install(&["expected.json"], failing_after(6)).unwrap();
        assert_eq!(state(folder.path()).2, "new");
    }

    #[test]
    fn one_writes_and_the_other_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".", "world"] {
            let dir = folder.path().join(name);
            let first = Place::take(&dir, Replace::World).unwrap();
            assert!(matches!(Place::take(&dir, Replace::World), Err(SimError::Locked { .. })), "{name}");
            drop(first);
            drop(Place::take(&dir, Replace::World).unwrap());
        }
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn only_worlds_are_replaced_unless_anything_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let by = || match Place::take(dir, Replace::World) {
            Ok(_) => None,
            Err(SimError::Occupied { by, .. }) => Some(by),
            Err(other) => panic!("{other}"),
        };
        let header = format!("{WORLD_HEADER}3, to be looked at as of 1.\n");
        assert_eq!(by(), None, "an empty folder");
        fs::create_dir(dir.join("keys")).unwrap();
        assert_eq!(by().as_deref(), Some("keys"), "a name of a world's, without a configuration");
        fs::write(dir.join("reledger.toml"), "# mine\n").unwrap();
        assert_eq!(by().as_deref(), Some("reledger.toml"));
        fs::write(dir.join("reledger.toml"), &header).unwrap();
        assert_eq!(by(), None, "a world");
        fs::write(dir.join("reledger-loopback.toml"), "# mine\n").unwrap();
        assert_eq!(by().as_deref(), Some("reledger-loopback.toml"));
        fs::write(dir.join("reledger-loopback.toml"), &header).unwrap();
        assert_eq!(by(), None);
        fs::write(dir.join("notes"), "mine").unwrap();
        assert_eq!(by().as_deref(), Some("notes"));
        assert!(Place::take(dir, Replace::Anything).is_ok());
    }
}
