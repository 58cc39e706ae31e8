//! The main job: from an empty folder to a verdict. Also its halves, `capture` and `rebuild`.

use std::path::PathBuf;
use std::time::Instant as Clock;

use super::capture::capture;
use super::conclude::{Conclusion, INPUTS_SCHEMA, JudgedInputs, as_of_from_evidence};
use super::error::AppError;
use super::finish::finish;
use super::judge::{SideTables, judge, side_tables, worker_threads};
use super::observer::{Cancel, Observer};
use super::plan::Plan;
use super::run::{Found, RunFolder, RunRecord};
use super::sources::{SourceKit, can_upgrade, first_sources, upgrade_sources};
use crate::domain::{Severity, UnixSeconds};
use crate::seal::evidence_root;
use crate::store::{Engine, EvidenceStore, LogStore};
use crate::verify::VerifiedSet;

/// How often proofs are upgraded and named headers fetched: a reply can name another header or calendar once (OTS 8).
const UPGRADE_ROUNDS_MAX: usize = 3;

/// What the caller decides about a run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The command's name, for the record.
    pub command: &'static str,
    /// The run's folder.
    pub run: PathBuf,
    /// Judge for this instant; `None` takes it from the evidence, capped by the clock.
    pub as_of: Option<UnixSeconds>,
    /// The clock: caps a derived as-of and stands in `run.json`.
    pub clock: UnixSeconds,
    /// An open divergence at least this bad fails the run.
    pub fail_on: Severity,
    /// Any invalid item fails the run.
    pub fail_on_invalid: bool,
    /// Users stand in clear in the report.
    pub reveal_users: bool,
    /// No sockets at all.
    pub offline: bool,
    /// Go on in a finished folder.
    pub yes: bool,
    /// Worker threads; 0 is one per core.
    pub jobs: usize,
    /// Stop fetching after so many seconds; the run is then incomplete.
    pub max_seconds: Option<u64>,
}

/// What a finished run leaves in memory.
#[derive(Debug)]
pub struct Finished {
    /// The conclusion, ready to be rendered.
    pub conclusion: Conclusion,
    /// Where the report stands.
    pub report: PathBuf,
}

/// From empty: capture, verify, ingest, rebuild, reconcile, report.
///
/// # Errors
/// [`AppError`] for local failures. What is wrong with the world stands in the report.
pub fn drill(
    plan: &Plan,
    options: &RunOptions,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Finished, AppError> {
    let mut session = Session::open(plan, options, observer, cancel)?;
    session.capture_all()?;
    session.conclude()
}

/// Fetch only. Returns how many pieces of evidence are held.
///
/// # Errors
/// [`AppError`].
pub fn capture_only(
    plan: &Plan,
    options: &RunOptions,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<(u64, SideTables), AppError> {
    let mut session = Session::open(plan, options, observer, cancel)?;
    session.capture_all()?;
    session.store.seal_segments()?;
    Ok((session.store.len(), side_tables(&session.store)?))
}

/// Verify, rebuild, reconcile and report from what was captured. No network.
///
/// # Errors
/// [`AppError`].
pub fn rebuild_only(
    plan: &Plan,
    options: &RunOptions,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Finished, AppError> {
    Session::open(plan, options, observer, cancel)?.conclude()
}

/// One process at work on one folder.
struct Session<'a> {
    plan: &'a Plan,
    options: &'a RunOptions,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
    folder: RunFolder,
    store: LogStore,
    record: RunRecord,
    threads: rayon::ThreadPool,
    began: Clock,
}

impl<'a> Session<'a> {
    #[expect(clippy::disallowed_methods, reason = "durations go into run.json and the recovery time objective")]
    fn open(
        plan: &'a Plan,
        options: &'a RunOptions,
        observer: &'a dyn Observer,
        cancel: &'a Cancel,
    ) -> Result<Self, AppError> {
        let folder = RunFolder::at(&options.run);
        let resumed = match folder.look()? {
            Found::Fresh => 0,
            Found::Unfinished(record) => record.resumed + 1,
            Found::Finished(record) if options.yes => record.resumed + 1,
            Found::Finished(_) => {
                return Err(AppError::Refused {
                    what: format!("{} holds a finished run", options.run.display()),
                    hint: "use --yes to run again into it, or another --run folder".to_owned(),
                });
            }
        };
        folder.create()?;
        let engine = Engine::from_url(&plan.store).map_err(|error| AppError::Config {
            what: format!("`store.url`: {error}"),
            hint: "use redb:, sled: or memory:".to_owned(),
        })?;
        let store = LogStore::open(&folder.evidence(), &folder.state(), engine)?;
        let record = RunRecord {
            status: "running".to_owned(),
            command: options.command.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: options.clock.0,
            finished_at: None,
            stages: Vec::new(),
            resumed,
            exit_code: None,
            host: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            jobs: options.jobs,
        };
        folder.write_record(&record)?;
        let threads = worker_threads(options.jobs)?;
        Ok(Self { plan, options, observer, cancel, folder, store, record, threads, began: Clock::now() })
    }

    fn judge(&self, tables: &SideTables) -> Result<VerifiedSet, AppError> {
        judge(&self.store, &self.plan.policy, tables, &self.threads, self.observer, self.cancel)
    }

    fn capture_all(&mut self) -> Result<(), AppError> {
        let mut kit = SourceKit::new(self.plan, self.options)?;
        self.timed("capture", |session| {
            let sources = first_sources(session.plan, &kit)?;
            capture(sources, &mut session.store, session.observer, session.cancel).map(drop)
        })?;
        let rounds = if can_upgrade(self.plan) { UPGRADE_ROUNDS_MAX } else { 0 };
        for _ in 0..rounds {
            let tables = side_tables(&self.store)?;
            let set = self.judge(&tables)?;
            let sources = upgrade_sources(self.plan, &mut kit, &set)?;
            if sources.is_empty() {
                break;
            }
            let before = self.store.len();
            self.timed("upgrade", |session| {
                capture(sources, &mut session.store, session.observer, session.cancel).map(drop)
            })?;
            if self.store.len() == before {
                break;
            }
        }
        Ok(())
    }

    fn conclude(mut self) -> Result<Finished, AppError> {
        let tables = side_tables(&self.store)?;
        let set = self.timed("verify", |session| session.judge(&tables))?;
        let judged = self.judged_inputs(&set);
        let root = evidence_root(&self.store.ids()?);
        let conclusion = self.timed("rebuild", |_| Ok(Conclusion::draw(set, &tables, &judged, root)))?;
        self.cancel.check()?;
        self.store.seal_segments()?;
        finish(&self.folder, &self.store, &judged, &conclusion)?;
        self.record.status = "finished".to_owned();
        self.record.exit_code = Some(conclusion.outcome().exit_code().0);
        let elapsed = i64::try_from(self.began.elapsed().as_secs()).unwrap_or(i64::MAX);
        self.record.finished_at = Some(self.options.clock.0.saturating_add(elapsed));
        self.folder.write_record(&self.record)?;
        Ok(Finished { conclusion, report: self.folder.report() })
    }

    fn judged_inputs(&self, set: &VerifiedSet) -> JudgedInputs {
        let as_of = self.options.as_of.unwrap_or_else(|| as_of_from_evidence(set, self.options.clock));
        JudgedInputs {
            schema: INPUTS_SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            policy: self.plan.policy.clone(),
            declared: self.plan.declared.clone(),
            config_sha256: self.plan.config_sha256,
            as_of,
            fail_on: self.options.fail_on,
            fail_on_invalid: self.options.fail_on_invalid,
            reveal_users: self.options.reveal_users,
            rpo_seconds: self.plan.rpo_seconds,
            rto_missed: self.plan.rto_seconds.is_some_and(|limit| self.began.elapsed().as_secs() > limit),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "durations go into run.json only")]
    fn timed<T>(&mut self, stage: &str, work: impl FnOnce(&mut Self) -> Result<T, AppError>) -> Result<T, AppError> {
        let began = Clock::now();
        let result = work(self)?;
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.record.stages.push((stage.to_owned(), millis));
        Ok(result)
    }
}
