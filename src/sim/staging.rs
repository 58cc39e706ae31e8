//! Folders that appear whole or not at all: everything is written beside its place first, then renamed into it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::write::SimError;

/// Fills a temporary folder beside `dir` and puts what is in it into `dir`. Entries of the same name are replaced; after a
/// failure nothing is left of the new ones.
///
/// # Errors
/// What `fill` says; [`SimError::Write`] when the folder can't be made or moved.
pub(super) fn staged<T>(dir: &Path, fill: impl FnOnce(&Path) -> Result<T, SimError>) -> Result<T, SimError> {
    let stage = stage_of(dir);
    let at =
        |path: &Path, done: io::Result<()>| done.map_err(|source| SimError::Write { path: path.to_owned(), source });
    // What a killed process left there is of no use to anybody.
    let cleared = match fs::remove_dir_all(&stage) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(&stage),
    };
    let result = at(&stage, cleared).and_then(|()| fill(&stage)).and_then(|value| {
        at(dir, install(&stage, dir))?;
        Ok(value)
    });
    if result.is_err() {
        // The first failure is the one that is told.
        let _ = fs::remove_dir_all(&stage);
    }
    result
}

fn stage_of(dir: &Path) -> PathBuf {
    let name = |name: &str| format!(".{name}.partial");
    match (dir.file_name().and_then(|own| own.to_str()), dir.parent()) {
        (Some(own), Some(parent)) => parent.join(name(own)),
        // `.` and `..` have no name of their own.
        _ => dir.join(name("reledger-sim")),
    }
}

fn install(stage: &Path, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let entries: io::Result<Vec<PathBuf>> = fs::read_dir(stage)?.map(|entry| Ok(entry?.path())).collect();
    let mut entries = entries?;
    // Configurations last: when one is there, so is everything that it names.
    entries.sort_by_key(|path| (path.extension().is_some_and(|extension| extension == "toml"), path.clone()));
    for from in entries {
        let Some(name) = from.file_name() else { continue };
        let to = dir.join(name);
        match fs::symlink_metadata(&to) {
            Ok(old) if old.is_dir() => fs::remove_dir_all(&to)?,
            Ok(_) if from.is_dir() => fs::remove_file(&to)?,
            _ => {}
        }
        fs::rename(&from, &to)?;
    }
    fs::remove_dir(stage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_filled_replaces_what_was_there_and_leaves_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("world");
        fs::create_dir_all(dir.join("ots")).unwrap();
        fs::write(dir.join("ots/old.ots"), "old").unwrap();
        fs::write(dir.join("notes"), "mine").unwrap();
        staged(&dir, |stage| {
            fs::create_dir(stage.join("ots")).unwrap();
            fs::write(stage.join("ots/new.ots"), "new").unwrap();
            Ok(())
        })
        .unwrap();
        assert_eq!(
            (names(&dir), names(&dir.join("ots"))),
            (vec!["notes".into(), "ots".into()], vec!["new.ots".into()])
        );
        assert_eq!(names(folder.path()), ["world"]);
    }

    #[test]
    fn a_failure_half_way_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("world");
        fs::create_dir(folder.path().join(".world.partial")).unwrap();
        fs::write(folder.path().join(".world.partial/old"), "left by a kill").unwrap();
        let failed = staged(&dir, |stage| {
            fs::write(stage.join("half"), "half").unwrap();
            Err::<(), _>(SimError::Server("full".to_owned()))
        });
        assert!(failed.is_err());
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}
