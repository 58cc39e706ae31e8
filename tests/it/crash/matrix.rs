//! Every point of a command by every mode, and every power cut: what stands there afterwards is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Mutex;
use std::thread::available_parallelism;

use reledger::domain::Digest32;
use tempfile::tempdir;

use super::disk::{BYTES, Bytes, Disk, NAMES, Names, digest, lay, tree_of};
use super::shim::{Call, Lack, Mode, Strike, calls, is_killed, shimmed};
use crate::support::{Lcg, code, copy_folder, shown, side_by_side_by, stderr};

/// What must stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Must {
    /// The old state or the new one.
    Either,
    /// One of the two, and nothing half made beside it: the command ended by itself, and said that it failed.
    Clean,
    /// The new one: the command said that it is done.
    New,
}

/// Looks at what stands there, and goes on with it; what is wrong, if anything.
pub(crate) type Judge<'s> = dyn Fn(&Path, Must) -> Result<(), String> + Sync + 's;

/// One command in one place.
pub(crate) struct Scene<'s> {
    pub(crate) name: &'s str,
    /// What stands there before.
    pub(crate) template: &'s Path,
    /// The command, in a copy of it.
    pub(crate) args: &'s (dyn Fn(&Path) -> Vec<String> + Sync),
    /// How it ends where nothing is in its way.
    pub(crate) ends: i32,
    pub(crate) judge: &'s Judge<'s>,
    /// What the system can't do.
    pub(crate) lacks: Option<Lack>,
    /// One case in so many is tried where not all are asked for.
    pub(crate) share: usize,
}

/// One point and one mode.
#[derive(Debug, Clone, Copy)]
struct Case {
    number: usize,
    mode: Mode,
}

/// What may be left of one moment by a power cut.
struct Cut {
    /// Calls that were made before it.
    made: usize,
    names: Names,
    bytes: Bytes,
    must: Must,
    place: PathBuf,
}

/// What was tried of a command.
pub(crate) struct Figures {
    pub(crate) points: usize,
    pub(crate) cases: usize,
    pub(crate) cuts: usize,
}

/// True when every case is asked for, and not a share.
pub(crate) fn is_all() -> bool {
    #[expect(clippy::disallowed_methods, reason = "the campaign's size is the caller's")]
    let asked = std::env::var("RELEDGER_CRASH");
    asked.is_ok_and(|word| word == "all")
}

/// Tries a scene, prints what was tried, and fails with everything that is wrong.
pub(crate) fn tried(scene: &Scene<'_>) -> Figures {
    let folder = tempdir().unwrap();
    // Without links: the shim compares paths as text.
    let place = folder.path().canonicalize().unwrap();
    let (before, all) = counted(scene, &place);
    let cases = share(scene, cases(&all));
    let (cuts, drawn) = cuts(&place, before, &all);
    let cuts = share(scene, cuts);
    let judged = Mutex::new(BTreeSet::new());
    let workers = available_parallelism().map_or(1, usize::from) * 2;
    let struck = side_by_side_by(workers, &cases, |_, case| {
        let said = strike(scene, *case, &place.join(format!("{}-{}", case.mode.name(), case.number)), &judged);
        said.map_err(|what| {
            format!("{} at call {}, {}: {what}", case.mode.name(), case.number, told(&all, case.number))
        })
    });
    let lost = side_by_side_by(workers, &cuts, |_, cut| {
        let said = (scene.judge)(&cut.place, cut.must);
        let told = told(&all, cut.made + 1);
        said.map_err(|what| {
            format!("power cut before call {}, {told}, {:?} {:?}: {what}", cut.made + 1, cut.names, cut.bytes)
        })
    });
    let wrong: Vec<String> = struck.into_iter().chain(lost).filter_map(Result::err).collect();
    let figures = Figures { points: all.len(), cases: cases.len(), cuts: cuts.len() };
    let states = judged.into_inner().unwrap().len() + figures.cuts;
    println!(
        "crash matrix, {}: {} points ({}); {} cases; {drawn} power cuts come to {} other states; {states} judged; {} wrong",
        scene.name,
        figures.points,
        kinds(&all),
        figures.cases,
        figures.cuts,
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}:\n{}", scene.name, wrong[..wrong.len().min(25)].join("\n"));
    figures
}

fn told(all: &[Call], number: usize) -> String {
    all.get(number - 1).map_or_else(|| "the end".to_owned(), |call| format!("{} {}", call.name, call.path.display()))
}

fn kinds(all: &[Call]) -> String {
    let mut counts = BTreeMap::new();
    for call in all {
        *counts.entry(call.name.as_str()).or_insert(0) += 1;
    }
    counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

/// A share of what is listed, drawn from a seed; all of it where that is asked for.
fn share<T>(scene: &Scene<'_>, mut all: Vec<T>) -> Vec<T> {
    if !is_all() && scene.share > 1 {
        Lcg(20_261_122).shuffle(&mut all);
        all.truncate(all.len().div_ceil(scene.share));
    }
    all
}

/// The command with nothing in its way: the disk before it, and its calls.
fn counted(scene: &Scene<'_>, place: &Path) -> (Disk, Vec<Call>) {
    let (root, trace) = (place.join("whole"), place.join("whole.trace"));
    copy_folder(scene.template, &root);
    let before = Disk::of(&root);
    let strike = Strike { lacks: scene.lacks, ..Strike::counting(&root, &trace) };
    let output = shimmed(&strike, &(scene.args)(&root)).output().unwrap();
    assert_eq!(code(&output), scene.ends, "{}", shown(&output));
    let all = calls(&trace);
    assert!(!all.is_empty(), "{}: the shim saw nothing", scene.name);
    (scene.judge)(&root, Must::New).unwrap_or_else(|what| panic!("{} undisturbed: {what}", scene.name));
    (before, all)
}

fn cases(all: &[Call]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (at, call) in all.iter().enumerate() {
        let name = call.name.as_str();
        let mut add = |mode| cases.push(Case { number: at + 1, mode });
        add(Mode::Kill);
        add(Mode::After);
        if name == "write" && call.length > 1 {
            add(Mode::Torn);
        }
        // To remove a name needs no room.
        if !["unlink", "rmdir"].contains(&name) {
            add(Mode::NoSpace);
        }
        if ["create", "open", "cut", "write", "mkdir", "length"].contains(&name) {
            add(Mode::Full);
        }
        add(Mode::Broken);
    }
    cases
}

/// Every state that a power cut may leave, each once, and how many there were with those that are the same.
fn cuts(place: &Path, mut disk: Disk, all: &[Call]) -> (Vec<Cut>, usize) {
    let (mut seen, mut cuts, mut drawn) = (BTreeSet::new(), Vec::new(), 0);
    for made in 0..=all.len() {
        if let Some(call) = made.checked_sub(1).map(|before| &all[before]) {
            disk.repeat(call);
        }
        let must = if made == all.len() { Must::New } else { Must::Either };
        for (names, bytes) in NAMES.into_iter().flat_map(|names| BYTES.map(|bytes| (names, bytes))) {
            drawn += 1;
            if seen.insert((disk.digest_left(names, bytes), must)) {
                let place = place.join(format!("cut-{made}-{names:?}-{bytes:?}"));
                lay(&disk.left(names, bytes), &place);
                cuts.push(Cut { made, names, bytes, must, place });
            }
        }
    }
    (cuts, drawn)
}

/// One case: the command is struck, and what stands there then is judged, each state once.
fn strike(
    scene: &Scene<'_>,
    case: Case,
    root: &Path,
    judged: &Mutex<BTreeSet<(Digest32, Must)>>,
) -> Result<(), String> {
    copy_folder(scene.template, root);
    let mut model = Disk::of(root);
    let trace = root.with_extension("trace");
    let strike = Strike { at: Some((case.number, case.mode)), lacks: scene.lacks, ..Strike::counting(root, &trace) };
    let output = shimmed(&strike, &(scene.args)(root)).output().unwrap();
    let must = ended(scene, case, &output)?;
    for call in calls(&trace) {
        model.repeat(&call);
    }
    let state = digest(&tree_of(root));
    if model.digest_left(Names::Kept, Bytes::Kept) != state {
        return Err("the model of the disk has something else than the disk".to_owned());
    }
    let is_new = judged.lock().unwrap().insert((state, must));
    let said = if is_new { (scene.judge)(root, must) } else { Ok(()) };
    fs::remove_dir_all(root).unwrap();
    said.map_err(|what| format!("{what}\n{}", shown(&output)))
}

/// How it ended: killed, or with the documented code and one clear line, or whole.
fn ended(scene: &Scene<'_>, case: Case, output: &Output) -> Result<Must, String> {
    if is_killed(output) {
        return if case.mode.is_failure() { Err("killed".to_owned()) } else { Ok(Must::Either) };
    }
    let (ended, told) = (code(output), stderr(output));
    if ended == scene.ends {
        return Ok(Must::New);
    }
    let cause = if case.mode == Mode::Broken { "Input/output error" } else { "No space left on device" };
    let lines = told.lines().filter(|line| line.starts_with("reledger: ")).count();
    if ended == 74 && lines == 1 && told.contains(cause) && !told.contains("panicked") {
        return Ok(Must::Clean);
    }
    Err(format!("it should end with 74 and one line that says {cause}:\n{}", shown(output)))
}
