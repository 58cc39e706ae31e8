//! A finished run of which nothing changed: its conclusion stands, and nothing is judged again
//! (docs/adr/0032-what-did-not-change.md). Every byte is read; none is trusted that this user did not finish.

mod memory;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant as Clock};

use super::as_of::AsOfWanted;
use super::audit::{MANIFEST, evidence_stands};
use super::conclude::JudgedInputs;
use super::finished::REPORT;
use super::observer::{Event, Observer};
use super::options::RunOptions;
use super::plan::Plan;
use super::render::with_report;
use super::run::{Found, RunFolder};
use super::sources::needs_sockets;
use crate::domain::{Digest32, Media, Sha256Stream, UnixSeconds, sha256};
use crate::report::summary_text;
use crate::substrate::print_of;

pub use self::memory::Memory;
pub(super) use self::memory::{AsOfBlock, Entry, remember};

/// Bytes read at a time of a file whose digest is asked for.
const PIECE_BYTES: usize = 256 * 1024;

/// What stands.
#[derive(Debug)]
pub struct Unchanged {
    /// When the run ended, by its clock.
    pub finished_at: UnixSeconds,
    /// The report's summary for people.
    pub summary: String,
    /// Its sentence.
    pub sentence: String,
    /// Where it stands.
    pub report: PathBuf,
    /// The exit code that it gives.
    pub exit_code: u8,
}

/// Why everything is done anew.
type Changed = &'static str;

/// The conclusion of the finished run in the folder, where this command would come to the same: this user finished it with this
/// executable, every file of it is as it was left, and configuration, as-of and the files that would be read are what they were.
/// `None` where anything differs, can't be read, or has to be asked for. Writes nothing, contacts nobody.
pub fn unchanged(plan: &Plan, options: &RunOptions, observer: &dyn Observer) -> Option<Unchanged> {
    match look(plan, options, observer) {
        Ok(stands) => Some(stands),
        Err(what) => {
            tracing::debug!(what, "judging anew");
            None
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever is late by looking is late; no report says how long it took")]
fn look(plan: &Plan, options: &RunOptions, observer: &dyn Observer) -> Result<Unchanged, Changed> {
    let began = Clock::now();
    let memory = options.memory.as_ref().ok_or("nothing is remembered")?;
    if !options.yes || options.expect_root.is_some() {
        return Err("it was not asked for");
    }
    let folder = RunFolder::at(&options.run);
    let Ok(Found::Finished(record)) = folder.look() else { return Err("no finished run") };
    let entry = memory.entry(&folder, options.checks).ok_or("this user did not finish it with this executable")?;
    for (name, digest) in &entry.written {
        if file_sha256(&folder.root().join(name)) != Some(*digest) {
            return Err("a file of the run");
        }
    }
    let inputs = inputs_now(plan, options, &entry).ok_or("the as-of, or what is read beside the configuration")?;
    if inputs.to_text().ok().map(|text| sha256(text.as_bytes())) != entry.written.get("evidence/inputs.json").copied() {
        return Err("the configuration");
    }
    observer.event(Event::Stage { name: "compare", total: None });
    thread::scope(|scope| {
        let files = scope.spawn(|| options.command != "drill" || same_files(plan, &entry));
        // Down to the content address of every record: what rotted on the disk before the manifest was made shows too.
        let evidence = evidence_stands(&options.run).map_err(|_| "the evidence");
        evidence.and(files.join().unwrap_or(false).then_some(()).ok_or("the files that are read"))
    })?;
    if plan.budgets.missed(millis(began.elapsed()), &[]).rto {
        return Err("it takes too long");
    }
    with_report(&folder.report(), |document| {
        let verdict = &document.head.verdict;
        Ok(Unchanged {
            finished_at: UnixSeconds(record.finished_at.unwrap_or(record.started_at)),
            summary: summary_text(document),
            sentence: verdict.sentence.clone(),
            report: folder.report(),
            exit_code: verdict.exit_code,
        })
    })
    .map_err(|_| REPORT)
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// What the run would be judged by now; `None` where only the evidence can say.
fn inputs_now(plan: &Plan, options: &RunOptions, entry: &Entry) -> Option<JudgedInputs> {
    let as_of = match options.as_of {
        Some(AsOfWanted::Time(time)) => Some(time),
        Some(AsOfWanted::Block(height)) => entry.block.filter(|block| block.height == height).map(|block| block.time),
        None => entry.as_of.by(options.clock),
    }?;
    if !plan.history.is_empty() {
        return None;
    }
    JudgedInputs::of(plan, options, as_of).ok()
}

/// Nobody would be asked but local files, and those are what they were.
fn same_files(plan: &Plan, entry: &Entry) -> bool {
    let Some(known) = &entry.files else { return false };
    // A snapshot is taken apart by rules of its own.
    if needs_sockets(plan) || plan.files.contains_key(&Media::Snapshot) || plan.files.len() != known.len() {
        return false;
    }
    thread::scope(|scope| {
        let is_same = |(media, paths): (&Media, &Vec<PathBuf>)| {
            let was = known.get(media.name());
            was.is_some() && print_of(*media, paths).as_ref() == was
        };
        let looks: Vec<_> = plan.files.iter().map(|files| scope.spawn(move || is_same(files))).collect();
        // All are waited for, whatever the first says.
        let same: Vec<bool> = looks.into_iter().map(|look| look.join().unwrap_or(false)).collect();
        same.into_iter().all(|same| same)
    })
}

/// The digest of a regular file.
fn file_sha256(path: &Path) -> Option<Digest32> {
    path.symlink_metadata().ok().filter(fs::Metadata::is_file)?;
    let mut file = fs::File::open(path).ok()?;
    let (mut hasher, mut piece) = (Sha256Stream::default(), vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece).ok()? {
            0 => return Some(hasher.finish()),
            read => hasher.update(piece.get(..read)?),
        }
    }
}

/// The digests of what a finished run wrote, but the evidence itself, which the manifest among it names.
fn written(folder: &RunFolder) -> Option<BTreeMap<String, Digest32>> {
    let own =
        ["run.json", REPORT, "queues/needs-anchor.ndjson", MANIFEST, "evidence/inputs.json", "evidence/custody.jsonl"];
    let renderings = crate::report::Rendering::FILES.iter().map(|(file, _)| *file);
    let names = own.into_iter().chain(renderings);
    names.map(|name| Some((name.to_owned(), file_sha256(&folder.root().join(name))?))).collect()
}
