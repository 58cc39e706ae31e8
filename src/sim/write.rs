//! A world as files, with the configuration that reads them.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};

use super::carrier::ProofFiles;
use super::config::{
    Addresses, PASSWORD_FILE, PAST_KEYS, SECOND_ARCHIVE, SERVED_ARCHIVE, SERVED_STALE, STALE_HEADERS, files_toml,
    loopback_toml,
};
use super::lines::{Lines, Sheet};
use super::noise::Noise;
use super::oracle::expect;
use super::press::Press;
use super::scene::Scene;
use super::server::{BehaviourError, PASSWORD, Serving};
use super::staging::{Place, Replace};
use super::watch::{Pace, Stopped, Unwatched, Watch};
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
    /// A folder holds what is not a world of ours.
    #[error("{dir} holds more than a simulated world: {by}")]
    Occupied {
        /// Which one.
        dir: PathBuf,
        /// The first entry that no world has, or that no configuration of a world names.
        by: String,
    },
    /// Somebody else writes to a folder.
    #[error("another process writes to {dir}")]
    Locked {
        /// Which one.
        dir: PathBuf,
    },
    /// A folder holds parts of two worlds, and what it held before could not be put back.
    #[error("put back what was in {dir}")]
    Torn {
        /// Which one.
        dir: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// There are fewer ports from the first one on than servers.
    #[error("{needed} ports are needed from {first} on, and the last one is 65535")]
    Ports {
        /// The first port.
        first: u16,
        /// How many servers there are.
        needed: u16,
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
    /// The work was told to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A server ended before it was told to.
    #[error("serve on loopback: {0}")]
    Server(String),
}

impl From<Infallible> for SimError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Largest world that is held whole to ask the oracle about it.
pub const EXPECTED_MAX: u32 = 20_000;

/// The oracle's answer beside a world's inputs.
const EXPECTED_FILE: &str = "expected.json";

/// What a written world comes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// `expected.json` says what must be reported.
    Expected,
    /// The world is larger than [`EXPECTED_MAX`]: nobody says.
    Unstated,
}

/// The configuration of a world as files.
const FILES_CONFIG: &str = "reledger.toml";
/// The configuration of a served world.
const LOOPBACK_CONFIG: &str = "reledger-loopback.toml";
/// Configurations that a written world has.
pub(super) const CONFIGS: [&str; 2] = [FILES_CONFIG, LOOPBACK_CONFIG];

/// Every name on top of a written world. The folder of a run in it, under its default name, is never touched.
pub(super) const NAMES: [&str; 18] = [
    "activity",
    "balances.jsonl",
    "configs",
    "custody.jsonl",
    EXPECTED_FILE,
    "gateway",
    PASSWORD_FILE,
    "headers",
    "headers-stale",
    "keys",
    PAST_KEYS,
    "nostr",
    "nostr-past",
    "ots",
    "ots-upgraded",
    LOOPBACK_CONFIG,
    "reledger-run",
    FILES_CONFIG,
];

/// What an oracle said of the world that was there before is not true of the next.
const FORGOTTEN: &[&str] = &[EXPECTED_FILE];

/// Writes the world below `dir`, with `reledger.toml` on top. Nothing is there before everything is.
///
/// # Errors
/// [`SimError::Write`] when a folder or file can't be written, [`SimError::Locked`] when somebody else writes there; then
/// nothing of the world is there.
pub fn write(world: &World, dir: &Path) -> Result<(), SimError> {
    let place = Place::take(dir, Replace::Anything)?;
    place.fill(FORGOTTEN, |stage| write_files(world, Lines::of(world), stage, &Unwatched))
}

/// Makes the world of that seed with `events` billable events and writes it to the place, the same bytes as [`write`] does.
/// A small one is held whole, and `expected.json` beside its inputs is what the oracle expects of it; a large one goes to
/// its files line by line, at a few hundred bytes of memory an event.
///
/// # Errors
/// [`SimError::Write`] when a folder or file can't be written, [`SimError::Stopped`] when the watch says stop; then nothing
/// of the world is there.
pub fn write_seeded<W>(seed: u64, events: u32, noise: &Noise, place: Place, watch: &W) -> Result<Written, SimError>
where
    W: Watch<Stop = Stopped>,
{
    if events > EXPECTED_MAX {
        write_large(seed, events, *noise, place, watch)?;
        return Ok(Written::Unstated);
    }
    let scene = Scene::of(Press::set((seed, events), *noise, true, watch)?.into_world());
    let expectation = expect(&scene);
    place.fill(FORGOTTEN, |stage| {
        write_files(&scene.world, Lines::of(&scene.world), stage, watch)?;
        let text = serde_json::to_string_pretty(&expectation)
            .map_err(|error| SimError::Write { path: stage.join(EXPECTED_FILE), source: error.into() })?;
        put(stage, EXPECTED_FILE, text + "\n")
    })?;
    Ok(Written::Expected)
}

/// As [`write_seeded`] for a world of any size, without the oracle.
pub(super) fn write_large<W>(seed: u64, events: u32, noise: Noise, place: Place, watch: &W) -> Result<(), SimError>
where
    W: Watch,
    SimError: From<W::Stop>,
{
    let press = Press::set((seed, events), noise, false, watch)?;
    let log = press.payment_log();
    place.fill(FORGOTTEN, |stage| write_files(&press.shell, Lines::from(&press, &log), stage, watch))
}

fn write_files<W: Watch>(world: &World, lines: Lines<'_>, dir: &Path, watch: &W) -> Result<(), SimError>
where
    SimError: From<W::Stop>,
{
    write_common(world, dir)?;
    let mut pace = Pace::new(watch, "write", lines.total);
    let mut first = Sheet::new(dir, "nostr/events.jsonl")?;
    for event in lines.events {
        pace.step()?;
        first.line(&event.line())?;
    }
    // The archive with every event repeats some, and so does a second one.
    let mut second = if lines.has_archive { Some(Sheet::new(dir, SECOND_ARCHIVE)?) } else { None };
    for (index, event) in lines.archived.enumerate() {
        pace.step()?;
        second.as_mut().filter(|_| index % 2 == 0).unwrap_or(&mut first).line(&event.line())?;
    }
    first.end()?;
    second.map_or(Ok(()), Sheet::end)?;
    put_proofs(dir, "ots-upgraded", &world.upgraded)?;
    put(dir, "headers/0.headers", world.headers.concat())?;
    if !world.stale.is_empty() {
        put(dir, STALE_HEADERS, world.stale.concat())?;
    }
    let mut settlements = Sheet::new(dir, "gateway/settlements.jsonl")?;
    for line in lines.settlements {
        pace.step()?;
        settlements.line(&line)?;
    }
    settlements.end()?;
    let mut log = Sheet::new(dir, "gateway/payment_log.json")?;
    let entries = lines.payment_log.map(|entry| {
        pace.step()?;
        Ok(entry.json)
    });
    log.array(entries)?;
    log.end()?;
    let mut invoices = Sheet::new(dir, "gateway/invoices.json")?;
    invoices.array(world.invoices.iter().map(Ok))?;
    invoices.end()?;
    for document in world.key_sets.iter().chain([&world.auth_key_set]) {
        put_document(dir, "keys", document)?;
    }
    put(dir, FILES_CONFIG, files_toml(world, lines.has_archive))
}

/// Writes what a served world keeps as files below `dir`, and `reledger-loopback.toml`, which points at the servers.
/// Returns the configuration's text.
///
/// # Errors
/// [`SimError::Write`] when a folder or file can't be written, [`SimError::Locked`] when somebody else writes there.
pub fn serve_toml(serving: &Serving, world: &World, dir: &Path) -> Result<String, SimError> {
    Place::take(dir, Replace::Anything)?.fill(&[], |stage| put_served(serving, world, stage))
}

/// Writes a served world to the place in both forms: as files, and as [`serve_toml`] does.
///
/// # Errors
/// [`SimError::Write`] when a folder or file can't be written; then nothing of the world is there.
pub fn write_served(serving: &Serving, world: &World, place: Place) -> Result<(), SimError> {
    place.fill(FORGOTTEN, |stage| {
        write_files(world, Lines::of(world), stage, &Unwatched)?;
        put_served(serving, world, stage).map(drop)
    })
}

fn put_served(serving: &Serving, world: &World, dir: &Path) -> Result<String, SimError> {
    write_common(world, dir)?;
    put(dir, PASSWORD_FILE, format!("{PASSWORD}\n"))?;
    keep_private(&dir.join(PASSWORD_FILE))?;
    if let Some((_, past)) = world.key_sets.split_last() {
        past.iter().try_for_each(|document| put_document(dir, PAST_KEYS, document))?;
    }
    if !world.stale.is_empty() {
        put(dir, SERVED_STALE, world.stale.concat())?;
    }
    if !world.archived.is_empty() {
        put(dir, SERVED_ARCHIVE, lines(world.archived.iter().map(super::SimEvent::line)))?;
    }
    let text = loopback_toml(world, &Addresses::of(serving));
    put(dir, LOOPBACK_CONFIG, &text)?;
    Ok(text)
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
    use crate::sim::staging::names_in;

    fn place(dir: &Path) -> Place {
        Place::take(dir, Replace::World).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        names_in(dir).unwrap()
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

    /// Every file below a folder, by relative path.
    fn files(dir: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
        let mut found = std::collections::BTreeMap::new();
        let mut folders = vec![dir.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    #[test]
    fn a_world_leaves_line_by_line_as_it_leaves_whole() {
        let everything = Noise { lag: 30, duplicates: 40, reorder: true, slow_calendars: 40, reorg_depth: 3 };
        for (seed, events) in [(1, 10), (2, 61), (3, 40), (4, 300)] {
            for noise in [Noise::default(), Noise::seeded(seed), everything] {
                let (held, large) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
                write(&World::generate_with(seed, events, &noise), held.path()).unwrap();
                write_large(seed, events, noise, place(large.path()), &Unwatched).unwrap();
                let (held, large) = (files(held.path()), files(large.path()));
                assert_eq!(held.keys().collect::<Vec<_>>(), large.keys().collect::<Vec<_>>());
                for (name, bytes) in &held {
                    assert!(large[name] == *bytes, "{seed} {events} {noise:?} {}", name.display());
                }
            }
        }
    }

    /// Says stop at the n-th look.
    struct Impatient(std::cell::Cell<u32>);

    impl Watch for Impatient {
        type Stop = Stopped;

        fn stage(&self, _: &'static str, _: u64) {}

        fn done(&self, _: u64) -> Result<(), Stopped> {
            self.0.set(self.0.get() - 1);
            if self.0.get() == 0 { Err(Stopped) } else { Ok(()) }
        }
    }

    #[test]
    fn a_stop_at_any_time_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("world");
        write_seeded(1, 10, &Noise::default(), place(&dir), &Impatient(u32::MAX.into())).unwrap();
        let before = files(&dir);
        assert!(before.contains_key(Path::new(EXPECTED_FILE)));
        for looks in 1..100_u32 {
            let written = write_seeded(2, 600, &Noise::default(), place(&dir), &Impatient(looks.into()));
            if written.is_ok() {
                assert!(looks > 5, "nothing was ever looked at");
                assert!(files(&dir) != before);
                return;
            }
            assert!(matches!(written, Err(SimError::Stopped(_))), "{written:?}");
            assert_eq!(names(folder.path()), ["world"], "{looks}");
            assert!(files(&dir) == before, "{looks}");
        }
        panic!("it never ended");
    }

    #[test]
    fn what_was_expected_of_another_world_does_not_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(EXPECTED_FILE);
        write_seeded(1, 10, &Noise::default(), place(folder.path()), &Impatient(u32::MAX.into())).unwrap();
        assert!(path.exists());
        write_large(2, 10, Noise::default(), place(folder.path()), &Unwatched).unwrap();
        assert!(!path.exists());
        write_seeded(1, 10, &Noise::default(), place(folder.path()), &Impatient(u32::MAX.into())).unwrap();
        write(&World::generate(2, 10), folder.path()).unwrap();
        assert!(!path.exists());
    }
}
