//! Every operation on the disk fails in turn, in three ways: refused for space, failed, half done and reported failed.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::super::disk::{Disk, RealDisk};
use super::super::segment::open_path;
use super::super::{Engine, EvidenceStore as _, LogStore, StoreError};
use super::{Contents, Run, SEGMENT_BYTES, evidence, model, script};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    NoSpace,
    Failed,
    /// Half of a write, all of anything else, then an error.
    Torn,
}

/// Fails its n-th operation once. What comes after would succeed, so only the store's own refusal keeps it from going on.
struct FaultyDisk {
    at: u64,
    mode: Mode,
    count: AtomicU64,
    fired: Mutex<Option<String>>,
}

impl FaultyDisk {
    fn new(at: u64, mode: Mode) -> Arc<Self> {
        Arc::new(Self { at, mode, count: AtomicU64::new(0), fired: Mutex::new(None) })
    }

    fn fired(&self) -> Option<String> {
        self.fired.lock().unwrap().clone()
    }

    /// Runs the operation, or fails it when its turn has come.
    fn run<T>(&self, name: &str, whole: impl FnOnce() -> io::Result<T>, half: impl FnOnce()) -> io::Result<T> {
        if self.count.fetch_add(1, Ordering::Relaxed) != self.at {
            return whole();
        }
        *self.fired.lock().unwrap() = Some(name.to_owned());
        match self.mode {
            Mode::NoSpace => Err(io::ErrorKind::StorageFull.into()),
            Mode::Failed => Err(io::Error::other("input/output error")),
            Mode::Torn => {
                half();
                Err(io::Error::other("torn"))
            }
        }
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.run("create", || RealDisk.create(path), || drop(RealDisk.create(path)))
    }

    fn write(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let half = || RealDisk.write(file, offset, &bytes[..bytes.len() / 2]).unwrap();
        self.run("write", || RealDisk.write(file, offset, bytes), half)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.run("sync", || RealDisk.sync(file), || RealDisk.sync(file).unwrap())
    }

    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        self.run("truncate", || RealDisk.truncate(file, len), || RealDisk.truncate(file, len).unwrap())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run("rename", || RealDisk.rename(from, to), || RealDisk.rename(from, to).unwrap())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.run("sync_dir", || RealDisk.sync_dir(path), || RealDisk.sync_dir(path).unwrap())
    }

    fn before_index_commit(&self) -> io::Result<()> {
        self.run("index", || Ok(()), || ())
    }
}

/// Runs the script until it fails; returns the error and how many steps were acknowledged.
fn run_script(store: &mut LogStore) -> (usize, Option<StoreError>) {
    let script = script();
    for (done, act) in script.iter().enumerate() {
        if let Err(error) = act.on(store) {
            return (done, Some(error));
        }
    }
    (script.len(), None)
}

/// True when the fault fired, false when the run was over before its turn.
fn one_fault(engine: &Engine, at: u64, mode: Mode) -> bool {
    let what = format!("{engine:?}, operation {at}, {mode:?}");
    let model = model();
    let undisturbed = &model[model.len() - 1];
    let run = Run::new();
    let disk = FaultyDisk::new(at, mode);
    let opened = LogStore::open_on(disk.clone(), &run.evidence(), &run.state(), engine, SEGMENT_BYTES);
    let mut acknowledged = 0;
    match opened {
        Err(error) => assert!(matches!(error, StoreError::Io { .. }), "{what}: {error}"),
        Ok(mut store) => {
            let (done, error) = run_script(&mut store);
            acknowledged = done;
            if let Some(error) = error {
                assert!(matches!(error, StoreError::Io { .. }), "{what}: {error}");
                assert!(matches!(store.put(&[evidence(99)]), Err(StoreError::Poisoned)), "{what}");
                assert!(matches!(store.put_side(&[]), Err(StoreError::Poisoned)), "{what}");
                assert!(matches!(store.seal_segments(), Err(StoreError::Poisoned)), "{what}");
                assert!(matches!(store.ids(), Err(StoreError::Poisoned)), "{what}");
                assert!(matches!(store.cursor("x"), Err(StoreError::Poisoned)), "{what}");
            }
        }
    }
    let Some(operation) = disk.fired() else { return false };
    let what = format!("{what} ({operation})");

    // As it stands, and with the state folder lost too: both keep what was acknowledged, and converge.
    let stateless = run.copy();
    std::fs::remove_dir_all(stateless.state()).unwrap();
    for run in [run, stateless] {
        let mut store = LogStore::open_with(&run.evidence(), &run.state(), engine, SEGMENT_BYTES).expect(&what);
        let held = Contents::of(&store).expect(&what);
        assert!(held.keeps(&model[acknowledged]), "{what}: {acknowledged} steps were acknowledged");
        let made_up = held.evidence.iter().any(|(id, evidence)| undisturbed.evidence.get(id) != Some(evidence));
        assert!(!made_up, "{what}");
        let (_, error) = run_script(&mut store);
        assert!(error.is_none(), "{what}: {error:?}");
        assert_eq!(Contents::of(&store).expect(&what), *undisturbed, "{what}");
        store.seal_segments().expect(&what);
        drop(store);
        let audited = LogStore::open_read_only(&run.evidence()).expect(&what);
        assert_eq!(Contents::of(&audited).expect(&what), *undisturbed, "{what}");
    }
    true
}

fn every_fault(engine: &Engine, least: u64) {
    for mode in [Mode::NoSpace, Mode::Failed, Mode::Torn] {
        let mut count = 0;
        while one_fault(engine, count, mode) {
            count += 1;
        }
        assert!(count >= least, "{engine:?}, {mode:?}: only {count} operations failed");
    }
}

#[test]
fn no_failed_operation_loses_acknowledged_evidence_with_the_memory_index() {
    every_fault(&Engine::Memory, 40);
}

#[cfg(feature = "redb")]
#[test]
fn no_failed_operation_loses_acknowledged_evidence_with_the_redb_index() {
    every_fault(&Engine::Redb, 40);
}

#[cfg(feature = "sled")]
#[test]
fn no_failed_operation_loses_acknowledged_evidence_with_the_sled_index() {
    // More operations: its files are synced by the store after each flush.
    every_fault(&Engine::Sled, 60);
}

/// A killed run's log is read again; that is cut short at every operation; then bytes of the log go that were acknowledged before all this.
fn no_fault_while_the_log_is_read_again_forgets(engine: &Engine) {
    let run = Run::new();
    let mut store = LogStore::open(&run.evidence(), &run.state(), engine).unwrap();
    store.put(&(0..4).map(evidence).collect::<Vec<_>>()).unwrap();
    drop(store);
    let mut count = 0;
    loop {
        let what = format!("{engine:?}, operation {count}");
        let (whole, disk) = (run.copy(), FaultyDisk::new(count, Mode::NoSpace));
        let opened = LogStore::open_on(disk.clone(), &whole.evidence(), &whole.state(), engine, SEGMENT_BYTES);
        assert_eq!(opened.is_err(), disk.fired().is_some(), "{what}");
        drop(opened);
        let names = std::fs::read_dir(whole.state()).unwrap().map(|entry| entry.unwrap().file_name());
        let aside: Vec<_> = names.filter(|name| name.to_string_lossy().contains("set-aside")).collect();
        assert!(aside.is_empty(), "{what}: a full disk says nothing about the index: {aside:?}");
        let cut = whole.copy();
        let path = open_path(&cut.segments(), 1);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let opened = LogStore::open(&cut.evidence(), &cut.state(), engine).map(|store| store.len());
        assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{what}: {opened:?}");
        assert_eq!(LogStore::open(&whole.evidence(), &whole.state(), engine).expect(&what).len(), 4, "{what}");
        if disk.fired().is_none() {
            break;
        }
        count += 1;
    }
    assert!(count >= 5, "{engine:?}: only {count} operations failed");
}

#[cfg(feature = "redb")]
#[test]
fn what_was_acknowledged_is_not_forgotten_while_the_log_is_read_again_with_the_redb_index() {
    no_fault_while_the_log_is_read_again_forgets(&Engine::Redb);
}

#[cfg(feature = "sled")]
#[test]
fn what_was_acknowledged_is_not_forgotten_while_the_log_is_read_again_with_the_sled_index() {
    no_fault_while_the_log_is_read_again_forgets(&Engine::Sled);
}
