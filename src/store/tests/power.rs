//! Cut power: a recorded log of disk operations is replayed up to each point, and what was not synced by then is lost,
//! kept, or kept in part. Everything acknowledged before the cut must still be there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::super::disk::{Disk, RealDisk};
use super::super::{Engine, LogStore};
use super::{Contents, Run, SEGMENT_BYTES, model, script};

#[derive(Debug, Clone)]
enum Operation {
    Create(String),
    Write(u64, Vec<u8>),
    Sync,
    Rename(String, String),
    SyncDir,
    /// The script's steps up to here were acknowledged.
    Acknowledged(usize),
}

/// Does what it is told and writes it down. The log writes one file at a time: the one created last.
#[derive(Default)]
struct Recorder(Mutex<Vec<Operation>>);

impl Recorder {
    fn note(&self, operation: Operation) {
        self.0.lock().unwrap().push(operation);
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

impl Disk for Recorder {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.note(Operation::Create(name(path)));
        RealDisk.create(path)
    }

    fn write(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.note(Operation::Write(offset, bytes.to_vec()));
        RealDisk.write(file, offset, bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.note(Operation::Sync);
        RealDisk.sync(file)
    }

    fn truncate(&self, _: &File, _: u64) -> io::Result<()> {
        unreachable!("an undisturbed run cuts nothing")
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note(Operation::Rename(name(from), name(to)));
        RealDisk.rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if path.ends_with("segments") {
            self.note(Operation::SyncDir);
        }
        RealDisk.sync_dir(path)
    }
}

/// What became of writes that were not synced when the power went.
#[derive(Debug, Clone, Copy)]
enum Unsynced {
    Lost,
    Kept,
    /// The file has its length, but every second block of 64 bytes is zeros.
    Odd,
    Even,
}

impl Unsynced {
    fn apply(self, file: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
        let start = usize::try_from(offset).unwrap();
        let keep = |at: usize| match self {
            Self::Lost => false,
            Self::Kept => true,
            Self::Odd => !((start + at) / 64).is_multiple_of(2),
            Self::Even => ((start + at) / 64).is_multiple_of(2),
        };
        if !matches!(self, Self::Lost) && file.len() < start + bytes.len() {
            file.resize(start + bytes.len(), 0);
        }
        for (at, byte) in bytes.iter().enumerate().filter(|(at, _)| keep(*at)) {
            file[start + at] = *byte;
        }
    }
}

/// The durable bytes of a file, and the writes that were not synced.
type Drive = (Vec<u8>, Vec<(u64, Vec<u8>)>);

/// The files after a cut. Files are told by the order of creation, names by what the folder says.
fn after_cut(operations: &[Operation], unsynced: Unsynced, names_kept: bool) -> BTreeMap<String, Vec<u8>> {
    let mut files: Vec<Drive> = Vec::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut durable_names = names.clone();
    for operation in operations {
        match operation {
            Operation::Create(name) => {
                names.insert(name.clone(), files.len());
                files.push(Default::default());
            }
            Operation::Write(offset, bytes) => files.last_mut().unwrap().1.push((*offset, bytes.clone())),
            Operation::Sync => {
                let (durable, pending) = files.last_mut().unwrap();
                for (offset, bytes) in pending.drain(..) {
                    Unsynced::Kept.apply(durable, offset, &bytes);
                }
            }
            Operation::Rename(from, to) => {
                let file = names.remove(from).unwrap();
                names.insert(to.clone(), file);
            }
            Operation::SyncDir => durable_names = names.clone(),
            Operation::Acknowledged(_) => {}
        }
    }
    let names = if names_kept { names } else { durable_names };
    let content = |file: usize| {
        let (durable, pending) = &files[file];
        let mut bytes = durable.clone();
        for (offset, written) in pending {
            unsynced.apply(&mut bytes, *offset, written);
        }
        bytes
    };
    names.into_iter().map(|(name, file)| (name, content(file))).collect()
}

fn record() -> Vec<Operation> {
    let run = Run::new();
    let disk = Arc::new(Recorder::default());
    let mut store =
        LogStore::open_on(disk.clone(), &run.evidence(), &run.state(), &Engine::Memory, SEGMENT_BYTES).unwrap();
    for (done, act) in script().iter().enumerate() {
        act.on(&mut store).unwrap();
        disk.note(Operation::Acknowledged(done + 1));
    }
    disk.0.lock().unwrap().clone()
}

fn restore(files: &BTreeMap<String, Vec<u8>>) -> Run {
    let run = Run::new();
    let segments: PathBuf = run.segments();
    std::fs::create_dir_all(&segments).unwrap();
    for (name, bytes) in files {
        std::fs::write(segments.join(name), bytes).unwrap();
    }
    run
}

#[test]
fn no_cut_of_power_loses_acknowledged_evidence() {
    let operations = record();
    let model = model();
    let undisturbed = &model[model.len() - 1];
    assert!(operations.len() > 50, "{} operations", operations.len());
    for cut in 0..=operations.len() {
        let before = &operations[..cut];
        let acknowledged = before.iter().rev().find_map(|operation| match operation {
            Operation::Acknowledged(steps) => Some(*steps),
            _ => None,
        });
        for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Odd, Unsynced::Even] {
            for names_kept in [false, true] {
                let what = format!("cut after operation {cut}, {unsynced:?}, names kept: {names_kept}");
                let run = restore(&after_cut(before, unsynced, names_kept));
                let mut store =
                    LogStore::open_with(&run.evidence(), &run.state(), &Engine::Memory, SEGMENT_BYTES).expect(&what);
                let held = Contents::of(&store).expect(&what);
                assert!(held.keeps(&model[acknowledged.unwrap_or(0)]), "{what}");
                for act in script() {
                    act.on(&mut store).expect(&what);
                }
                assert_eq!(&Contents::of(&store).expect(&what), undisturbed, "{what}");
            }
        }
    }
}
