//! A world as files, with the configuration that reads them.

use std::fs;
use std::path::{Path, PathBuf};

use super::carrier::ProofFiles;
use super::config::{
    Addresses, PASSWORD_FILE, PAST_KEYS, SECOND_ARCHIVE, SERVED_ARCHIVE, SERVED_STALE, STALE_HEADERS, files_toml,
    loopback_toml,
};
use super::json::array;
use super::server::{BehaviourError, PASSWORD, Serving};
use super::staging::staged;
use super::world::{Document, World};

/// The world could not be written or served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// A file or folder can't be written.
    #[error("write {path}")]
    Write {
        /// Which one.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A loopback port can't be opened.
    #[error("listen on 127.0.0.1, port {port}")]
    Listen {
        /// The port; 0 is any.
        port: u16,
        /// The cause.
        source: std::io::Error,
    },
    /// A server is to misbehave that is not there.
    #[error(transparent)]
    Behaviour(#[from] BehaviourError),
    /// A server ended before it was told to.
    #[error("serve on loopback: {0}")]
    Server(String),
}

/// Writes the world below `dir`, with `reledger.toml` on top. Nothing is there before everything is.
///
/// # Errors
/// [`SimError::Write`] when a folder or file can't be written; then nothing of the world is there.
pub fn write(world: &World, dir: &Path) -> Result<(), SimError> {
    staged(dir, |stage| write_files(world, stage))
}

fn write_files(world: &World, dir: &Path) -> Result<(), SimError> {
    write_common(world, dir)?;
    let (first, second) = archives(world);
    put(dir, "nostr/events.jsonl", first)?;
    if !second.is_empty() {
        put(dir, SECOND_ARCHIVE, second)?;
    }
    put_proofs(dir, "ots-upgraded", &world.upgraded)?;
    put(dir, "headers/0.headers", world.headers.concat())?;
    if !world.stale.is_empty() {
        put(dir, STALE_HEADERS, world.stale.concat())?;
    }
    put(dir, "gateway/settlements.jsonl", lines(world.settlements.iter().cloned()))?;
    put(dir, "gateway/payment_log.json", array(world.payment_log.iter().rev().map(|entry| &entry.json)))?;
    put(dir, "gateway/invoices.json", array(&world.invoices))?;
    for document in world.key_sets.iter().chain([&world.auth_key_set]) {
        put_document(dir, "keys", document)?;
    }
    put(dir, "reledger.toml", files_toml(world))
}

/// Writes what a served world keeps as files below `dir`, and `reledger-loopback.toml`, which points at the servers.
/// Returns the configuration's text.
///
/// # Errors
/// [`SimError::Write`] when a folder or file can't be written.
pub fn serve_toml(serving: &Serving, world: &World, dir: &Path) -> Result<String, SimError> {
    staged(dir, |stage| {
        write_common(world, stage)?;
        put(stage, PASSWORD_FILE, format!("{PASSWORD}\n"))?;
        keep_private(&stage.join(PASSWORD_FILE))?;
        if let Some((_, past)) = world.key_sets.split_last() {
            past.iter().try_for_each(|document| put_document(stage, PAST_KEYS, document))?;
        }
        if !world.stale.is_empty() {
            put(stage, SERVED_STALE, world.stale.concat())?;
        }
        if !world.archived.is_empty() {
            put(stage, SERVED_ARCHIVE, lines(world.archived.iter().map(super::SimEvent::line)))?;
        }
        let text = loopback_toml(world, &Addresses::of(serving));
        put(stage, "reledger-loopback.toml", &text)?;
        Ok(text)
    })
}

/// What both forms of a world read from files.
fn write_common(world: &World, dir: &Path) -> Result<(), SimError> {
    put_proofs(dir, "ots", &world.proofs)?;
    put(dir, "activity/activity.jsonl", lines(world.activity.iter().cloned()))?;
    if !world.custody.is_empty() {
        put(dir, "custody.jsonl", lines(world.custody.iter().cloned()))?;
    }
    put(dir, "balances.jsonl", lines(world.balances.iter().cloned()))?;
    for document in &world.configs {
        put_document(dir, "configs", document)?;
    }
    Ok(())
}

/// The archive with every event, and the one that repeats some.
fn archives(world: &World) -> (String, String) {
    let mut first = lines(world.events.iter().map(super::SimEvent::line));
    let mut second = String::new();
    for (index, event) in world.archived.iter().enumerate() {
        let archive = if index % 2 == 0 { &mut second } else { &mut first };
        archive.push_str(&event.line());
        archive.push('\n');
    }
    (first, second)
}

/// Each item on a line of its own.
pub(super) fn lines(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().fold(String::new(), |text, line| text + &line + "\n")
}

fn put_proofs(dir: &Path, folder: &str, proofs: &ProofFiles) -> Result<(), SimError> {
    let path = dir.join(folder);
    fs::create_dir_all(&path).map_err(|source| SimError::Write { path, source })?;
    for (digest, proof) in proofs {
        put(dir, &format!("{folder}/{digest}.ots"), proof)?;
    }
    Ok(())
}

fn put_document(dir: &Path, folder: &str, document: &Document) -> Result<(), SimError> {
    put(dir, &format!("{folder}/{}", document.name), &document.json)
}

fn put(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> Result<(), SimError> {
    let path = dir.join(name);
    let parent = path.parent().unwrap_or(dir);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&path, bytes))
        .map_err(|source| SimError::Write { path: path.clone(), source })
}

/// A key file that others can read is refused by the auditor (CONTRACT 1).
#[cfg(unix)]
fn keep_private(path: &Path) -> Result<(), SimError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .map_err(|source| SimError::Write { path: path.to_owned(), source })
}

#[cfg(not(unix))]
fn keep_private(_path: &Path) -> Result<(), SimError> {
    Ok(())
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
    fn a_second_world_takes_the_place_of_the_first() {
        let (once, twice) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (first, second) = (World::generate(1, 10), World::generate(3, 10));
        write(&first, twice.path()).unwrap();
        write(&second, twice.path()).unwrap();
        write(&second, once.path()).unwrap();
        for folder in [".", "ots", "keys", "configs"] {
            assert_eq!(names(&twice.path().join(folder)), names(&once.path().join(folder)), "{folder}");
        }
    }

    #[test]
    fn a_failure_leaves_nothing_half_written() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("world");
        // A name that no file system takes makes the last documents fail after all the others were written.
        let mut world = World::generate(1, 10);
        world.key_sets.push(Document { name: "x".repeat(300), json: String::new() });
        assert!(matches!(write(&world, &target), Err(SimError::Write { .. })));
        assert_eq!(names(folder.path()), [""; 0]);
    }
}
