//! A finished run of which nothing changed: its conclusion stands, and nothing is judged again
//! (docs/adr/0032-what-did-not-change.md). Every byte is read; none is trusted that this user did not finish.

mod memory;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant as Clock};

use super::as_of::AsOfWanted;
use super::audit::{MANIFEST, evidence_stands};
use super::budgets::{Budgets, Missed};
use super::conclude::JudgedInputs;
use super::error::AppError;
use super::finished::REPORT;
use super::observer::{Event, Observer};
use super::options::RunOptions;
use super::plan::Plan;
use super::render::with_report;
use super::run::{Found, RunFolder};
use super::sources::needs_sockets;
use crate::domain::{Digest32, Media, Sha256Stream, UnixSeconds, sha256};
use crate::report::{Document, summary_text};
use crate::store::Engine;
use crate::substrate::print_of;

pub use self::memory::Memory;
pub(super) use self::memory::{AsOfBlock, Entry, remember};

/// Bytes read at a time of a file whose digest is asked for.
pub(super) const PIECE_BYTES: usize = 256 * 1024;

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
    /// The digest of the report that stands.
    report_sha256: Digest32,
}

impl Unchanged {
    /// Hands on the report that stands. Whatever came into its place since it was looked at is handed to nobody.
    ///
    /// # Errors
    /// [`AppError::Untrusted`] for another report; [`AppError`] as `then` has it.
    pub fn with_report<T>(&self, then: impl FnOnce(&Document<'_>) -> Result<T, AppError>) -> Result<T, AppError> {
        with_report(&self.report, |document| {
            if document.sha256 == self.report_sha256 { then(document) } else { Err(self.turned_over()) }
        })
    }

    /// Opens the report that stands, as [`Self::with_report`], to be copied byte for byte: a file that takes its name from now on is
    /// another one.
    ///
    /// # Errors
    /// [`AppError::Untrusted`] for another report; [`AppError::Io`].
    pub fn open_report(&self) -> Result<fs::File, AppError> {
        let mut file = fs::File::open(&self.report).map_err(AppError::io("read", &self.report))?;
        let sha256 = rest_sha256(&mut file).map_err(AppError::io("read", &self.report))?;
        file.rewind().map_err(AppError::io("read", &self.report))?;
        if sha256 == self.report_sha256 { Ok(file) } else { Err(self.turned_over()) }
    }

    fn turned_over(&self) -> AppError {
        let what = format!("checksum_error: {} changed while its conclusion was told", self.report.display());
        AppError::Untrusted { what }
    }
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
    // Whoever names an index that can't be had, or asks a server for it, hears what comes of that.
    if !Engine::from_url(&plan.store).is_ok_and(|engine| engine.is_here()) {
        return Err("the store");
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
    let stands = with_report(&folder.report(), |document| {
        let verdict = &document.head.verdict;
        Ok(Unchanged {
            finished_at: UnixSeconds(record.finished_at.unwrap_or(record.started_at)),
            summary: summary_text(document),
            sentence: verdict.sentence.clone(),
            report: folder.report(),
            exit_code: verdict.exit_code,
            report_sha256: document.sha256,
        })
    })
    .map_err(|_| REPORT)?;
    // What was read last is what is told; looking at the evidence can take a minute.
    if entry.written.get(REPORT) != Some(&stands.report_sha256) {
        return Err(REPORT);
    }
    // A state root that was expected then and not now: record and custody log would go on telling of another end.
    if record.exit_code != Some(stands.exit_code) {
        return Err("how it ended");
    }
    let took = millis(began.elapsed());
    if is_late(&plan.budgets, &record.stages, took) || has_no_time(options, took) {
        return Err("it takes too long");
    }
    Ok(stands)
}

/// Whether looking took more milliseconds than the recovery may take, or a stage that it stands for.
fn is_late(budgets: &Budgets, stages: &[(String, u64)], millis: u64) -> bool {
    let names: BTreeSet<&String> = stages.iter().map(|(name, _)| name).collect();
    let each: Vec<(String, u64)> = names.into_iter().map(|name| (name.clone(), millis)).collect();
    budgets.missed(millis, &each) != Missed::default()
}

/// Whether fetching would be over by then: sources that were not looked at in time were not heard.
fn has_no_time(options: &RunOptions, millis: u64) -> bool {
    options.max_seconds.is_some_and(|seconds| millis >= seconds.saturating_mul(1_000))
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
    rest_sha256(&mut fs::File::open(path).ok()?).ok()
}

/// The digest of what is left of a file.
pub(super) fn rest_sha256(file: &mut fs::File) -> io::Result<Digest32> {
    let (mut hasher, mut piece) = (Sha256Stream::default(), vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(piece.get(..read).unwrap_or_default()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Config;
    use crate::domain::Condition;

    #[test]
    fn who_looks_longer_than_a_stage_may_take_judges_and_stages_that_never_came_have_no_say() {
        let text = "[budgets]\nrto = \"10s\"\n[budgets.stages]\ncapture = \"2s\"\nsample = \"1s\"\n";
        let budgets = Budgets::of(Config::from_toml(text).unwrap().budgets.as_ref());
        let stages =
            |names: &[&str]| -> Vec<(String, u64)> { names.iter().map(|name| ((*name).to_owned(), 1)).collect() };
        let drill = stages(&["capture", "verify", "rebuild", "capture"]);
        assert!(!is_late(&budgets, &drill, 2_000));
        assert!(is_late(&budgets, &drill, 2_001));
        let rebuild = stages(&["verify", "rebuild"]);
        assert!(!is_late(&budgets, &rebuild, 10_000));
        assert!(is_late(&budgets, &rebuild, 10_001));
    }

    #[test]
    fn a_report_that_took_the_place_of_the_one_looked_at_is_handed_to_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join(REPORT);
        let told = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reports/10-1b73227.json");
        fs::copy(&told, &report).unwrap();
        let bytes = fs::read(&told).unwrap();
        let stands = Unchanged {
            finished_at: UnixSeconds(0),
            summary: String::new(),
            sentence: String::new(),
            report: report.clone(),
            exit_code: 0,
            report_sha256: sha256(&bytes),
        };
        let mut copied = Vec::new();
        stands.open_report().unwrap().read_to_end(&mut copied).unwrap();
        assert!(copied == bytes);
        assert_eq!(stands.with_report(|document| Ok(document.sha256)).unwrap(), sha256(&bytes));

        // White space more: a document that says the same, and is another.
        fs::write(&report, [&bytes[..], b"\n"].concat()).unwrap();
        assert_eq!(stands.open_report().unwrap_err().condition(), Condition::UntrustedInput);
        let other = stands.with_report(|_| Ok(())).unwrap_err();
        assert_eq!(other.condition(), Condition::UntrustedInput);
    }
}
