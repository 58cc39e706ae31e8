//! The main job: from an empty folder to a verdict. Also its halves, `capture` and `rebuild`.

mod budgets;
mod handled;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant as Clock};

use super::acknowledgements;
use super::again::RelayAsk;
use super::as_of::{AsOfWanted, as_of_from_evidence, block_time};
use super::audit::sealed_store;
use super::beacon::beacon;
use super::capture::{Checking, Limit, capture};
use super::conclude::{Conclusion, JudgedInputs};
use super::coverage::Captured;
use super::cursors::advance;
use super::custody_log::{CustodyLog, Deed};
use super::documents;
use super::earlier::{Now, compare};
use super::error::AppError;
use super::expected::Expected;
use super::finish::finish;
use super::ground::{suffices, superseded};
use super::judge::{Known, Share, SideTables, judge_knowing, receipts, side_tables, worker_threads};
use super::observer::{Cancel, Observer};
use super::options::RunOptions;
use super::plan::Plan;
use super::recorded::Book;
use super::render::write_renderings;
use super::run::{Found, RunFolder, RunRecord, peak_memory_kib};
use super::sample;
use super::share;
use super::sources::{SourceKit, first_sources, upgrade_sources};
use super::takedowns::{d_tags, read_logs};
use crate::domain::{Digest32, Media, UnixSeconds};
use crate::ingest::{Ingest, IngestTotals};
use crate::seal::evidence_root_of;
use crate::store::{EvidenceStore, LogStore};
use crate::substrate::EvidenceSource;
use crate::verify::{Genuine, VerifiedSet};

pub use self::budgets::{Course, StageTime};

/// How often proofs are upgraded and named headers fetched: a reply can name another header or calendar once (OTS 8).
const UPGRADE_ROUNDS_MAX: usize = 3;

/// What a finished run leaves in memory.
#[derive(Debug)]
pub struct Finished {
    /// The conclusion, ready to be rendered.
    pub conclusion: Conclusion,
    /// The report's summary for people.
    pub summary: String,
    /// Where the report stands.
    pub report: PathBuf,
    /// The state root held against the expected one, where one was given.
    pub expected: Option<Expected>,
    /// How long it took against what it may take, and what it brought.
    pub course: Course,
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
    let judged = session.capture_all(None)?;
    session.conclude(judged)
}

/// Fetch only.
///
/// # Errors
/// [`AppError`].
pub fn capture_only(
    plan: &Plan,
    options: &RunOptions,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Captured, AppError> {
    let mut session = Session::open(plan, options, observer, cancel)?;
    session.capture_all(None)?;
    session.store.seal_segments()?;
    session.record.peak_memory_kib = peak_memory_kib();
    let store = &session.store;
    let (receipts, root) = session.threads.join(|| receipts(store), || evidence_root_of(store));
    let captured = Captured::of(plan, receipts?, store.len(), session.time_boxed);
    session.captured(root?, Some(captured.condition.map_or(0, |condition| condition.exit_code().0)))?;
    Ok(captured)
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
    Session::resume(plan, options, observer, cancel)?.conclude(None)
}

/// One process at work on one folder.
pub(super) struct Session<'a> {
    plan: &'a Plan,
    options: &'a RunOptions,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
    folder: RunFolder,
    pub(super) store: LogStore,
    pub(super) record: RunRecord,
    book: Book,
    log: CustodyLog,
    threads: rayon::ThreadPool,
    genuine: Genuine,
    /// What local files came to.
    prints: BTreeMap<Media, Digest32>,
    /// Those who check signatures too, until they were asked.
    share: Option<Box<dyn Share>>,
    began: Clock,
    limit: Limit,
    time_boxed: bool,
    /// What was taken in so far.
    taken: IngestTotals,
    /// Milliseconds of work that this session goes on from.
    prior_millis: u64,
}

impl<'a> Session<'a> {
    /// As [`Self::open`], on a folder that holds evidence already.
    pub(super) fn resume(
        plan: &'a Plan,
        options: &'a RunOptions,
        observer: &'a dyn Observer,
        cancel: &'a Cancel,
    ) -> Result<Self, AppError> {
        if !RunFolder::at(&options.run).evidence().is_dir() {
            return Err(AppError::Config {
                what: format!("{} holds no captured evidence", options.run.display()),
                hint: "run `reledger capture` into it first, or name another folder with --run".to_owned(),
            });
        }
        Self::open(plan, options, observer, cancel)
    }

    /// The run's evidence.
    #[cfg(feature = "net")]
    pub(super) fn store(&mut self) -> &mut LogStore {
        &mut self.store
    }

    /// What the evidence comes to now.
    #[cfg(feature = "net")]
    pub(super) fn judged(&mut self) -> Result<VerifiedSet, AppError> {
        let tables = side_tables(&self.store)?;
        self.judge(&tables)
    }

    /// Takes the folder, and says in it that a run is on.
    #[expect(clippy::disallowed_methods, reason = "durations go into run.json and the recovery time objective")]
    pub(super) fn open(
        plan: &'a Plan,
        options: &'a RunOptions,
        observer: &'a dyn Observer,
        cancel: &'a Cancel,
    ) -> Result<Self, AppError> {
        let folder = RunFolder::at(&options.run);
        let before = match folder.look()? {
            Found::Fresh => None,
            Found::Unfinished(record) => Some(record),
            Found::Finished(record) if options.yes => Some(record),
            Found::Finished(_) => {
                return Err(AppError::Refused {
                    what: format!("{} holds a finished run", options.run.display()),
                    hint: "use --yes to run again into it, or another --run folder".to_owned(),
                });
            }
        };
        // A mistyped path should not show only after an hour of fetching.
        read_logs(&plan.transparency)?;
        acknowledgements::recorded(plan)?;
        plan.history.iter().try_for_each(|run| sealed_store(run).map(drop))?;
        folder.create()?;
        let (store, share) = share::open(plan, options, &folder)?;
        // Before anything is fetched: to go on over a log that was tampered with would bury that.
        let log = CustodyLog::open(&folder, before.as_deref())?;
        let before = before.map(|before| *before);
        let finished_before = match &before {
            Some(record) if record.is_finished() => Some(Box::new(record.clone())),
            Some(record) => record.finished_before.clone(),
            None => None,
        };
        let record = RunRecord {
            resumed: before.as_ref().map_or(0, |before| before.resumed + 1),
            jobs: options.jobs,
            custody_head: log.head(),
            rto_budget_seconds: plan.budgets.rto_seconds,
            rpo_budget_seconds: plan.budgets.rpo_seconds,
            stage_budget_seconds: plan.budgets.stages.clone(),
            restore_millis: before.as_ref().and_then(|before| before.restore_millis),
            captured: before.as_ref().map(|before| before.captured.clone()).unwrap_or_default(),
            documents: before.map(|before| before.documents).unwrap_or_default(),
            finished_before,
            ..RunRecord::running(options.command, options.clock)
        };
        folder.write_record(&record)?;
        let threads = worker_threads(options.jobs)?;
        let began = Clock::now();
        let until = options.max_seconds.and_then(|seconds| began.checked_add(Duration::from_secs(seconds)));
        let limit = Limit { cancel: cancel.clone(), until };
        let time_boxed = false;
        Ok(Self {
            plan,
            options,
            observer,
            cancel,
            folder,
            store,
            record,
            book: Book::default(),
            log,
            threads,
            genuine: Genuine::checking(options.checks),
            prints: BTreeMap::new(),
            share,
            began,
            limit,
            time_boxed,
            taken: IngestTotals::default(),
            prior_millis: 0,
        })
    }

    /// Captures, relays as `asks` says or whole, then asks for what the proofs still want. Gives back the last judgement
    /// when nothing came after it.
    pub(super) fn capture_all(&mut self, asks: Option<Vec<RelayAsk>>) -> Result<Option<VerifiedSet>, AppError> {
        let mut kit = SourceKit::new(self.plan, self.options, &self.store)?;
        let sources = first_sources(self.plan, &kit, asks)?;
        self.fetch("capture", sources)?;
        self.prints = kit.prints();
        documents::add(&mut self.record.documents, &kit.seen, self.options.clock);
        documents::add_past(&mut self.record.documents, &self.plan.history);
        self.folder.write_record(&self.record)?;
        let judged = self.upgrade(&mut kit)?;
        let judged = self.ask_sample(&kit, judged)?;
        self.settle()?;
        Ok(judged)
    }

    /// Asks for what the proofs still want, round by round. Gives back the last judgement when nothing came after it.
    pub(super) fn upgrade(&mut self, kit: &mut SourceKit) -> Result<Option<VerifiedSet>, AppError> {
        if !kit.can_upgrade(self.plan) {
            return Ok(None);
        }
        for _ in 0..UPGRADE_ROUNDS_MAX {
            let tables = side_tables(&self.store)?;
            let set = self.judge(&tables)?;
            let sources = upgrade_sources(self.plan, kit, &set)?;
            if sources.is_empty() {
                return Ok(Some(set));
            }
            if self.limit.is_over() {
                self.time_boxed = true;
                return Ok(Some(set));
            }
            let before = self.store.len();
            self.fetch("upgrade", sources)?;
            self.store.put_side(&kit.tries()?)?;
            if self.store.len() == before {
                // Receipts may be new, which are read again; sightings are counted in the judgement.
                let unchanged = side_tables(&self.store)?.sightings == tables.sightings;
                return Ok(unchanged.then_some(set));
            }
        }
        Ok(None)
    }

    /// Asks for the balances of the sample. Gives back the judgement when nothing was asked.
    fn ask_sample(&mut self, kit: &SourceKit, judged: Option<VerifiedSet>) -> Result<Option<VerifiedSet>, AppError> {
        if self.plan.balance_api.is_none() {
            return Ok(judged);
        }
        let tables = side_tables(&self.store)?;
        let set = judged.map_or_else(|| self.judge(&tables), Ok)?;
        let users = sample::users(self.plan, &self.store, (&set, &tables), self.as_of(&set)?)?;
        self.fetch("sample", sample::sources(self.plan, kit, users)?)?;
        Ok(None)
    }

    fn fetch(&mut self, stage: &'static str, sources: Vec<Box<dyn EvidenceSource>>) -> Result<(), AppError> {
        let sources = sources.into_iter().map(|source| self.book.keeps(source)).collect();
        self.timed(stage, |session| {
            let at_once = session.share.is_none();
            let checking = Checking { genuine: &mut session.genuine, threads: &session.threads, at_once };
            let store = &mut session.store;
            let taken = capture(stage, sources, store, checking, session.observer, &session.limit)?;
            session.took(taken);
            session.record.signature_checks = session.genuine.checks();
            Ok(())
        })
    }

    /// Marks receipts that this session's speak for, and notes when it began for each source that answered completely.
    fn settle(&mut self) -> Result<(), AppError> {
        let received = self.book.receipts();
        if self.record.resumed > 0 {
            let earlier = receipts(&self.store)?;
            let mut ingest = Ingest::new(&mut self.store);
            superseded(&earlier, &received).into_iter().try_for_each(|receipt| ingest.receipt(receipt))?;
        }
        for source in self.book.sources() {
            let mut own = received.iter().filter(|receipt| receipt.source == source);
            if own.all(|receipt| suffices(self.plan, receipt)) {
                self.record.captured.insert(source.0, self.options.clock.0);
            }
        }
        Ok(())
    }

    fn judge(&mut self, tables: &SideTables) -> Result<VerifiedSet, AppError> {
        self.timed("verify", |session| {
            let share = session.share.take();
            let known = Known { policy: &session.plan.policy, genuine: &session.genuine, tables, share };
            let judged = judge_knowing(&session.store, known, &session.threads, session.observer, session.cancel);
            let (set, learned) = judged?;
            session.genuine = learned.unwrap_or_else(|| std::mem::take(&mut session.genuine));
            Ok(set)
        })
    }

    pub(super) fn conclude(mut self, judged_already: Option<VerifiedSet>) -> Result<Finished, AppError> {
        let (tables, root) = self.threads.join(|| side_tables(&self.store), || evidence_root_of(&self.store));
        let (mut tables, root) = (tables?, root?);
        let set = match judged_already {
            Some(set) => set,
            None => self.judge(&tables)?,
        };
        // Everything is judged; ledgers and reconciliation want the room.
        self.genuine = Genuine::checking(self.options.checks);
        let mut judged = self.judged_inputs(&set, &tables)?;
        tables.d_tags = d_tags(&self.store, &judged.declared)?;
        judged.declared.beacon = beacon(&self.store, &judged.policy.headers, &judged.declared, judged.as_of)?;
        let conclusion = self.draw(set, &tables, &mut judged, root)?;
        self.cancel.check()?;
        let (reached, coverage) = (self.book.receipts(), &conclusion.reconciliation().coverage);
        advance(&mut self.store, &reached, coverage, (conclusion.set(), &tables), self.options.clock)?;
        self.store.seal_segments()?;
        let sealed = finish(&self.folder, &self.store, &judged, &conclusion)?;
        let expected = self.options.expect_root.map(|root| Expected::of(root, &conclusion));
        let own = conclusion.outcome().exit_code();
        let exit_code = expected.as_ref().map_or(own, Expected::exit_code).0;
        self.handled(Deed::Seal, (root, self.store.len()), Some(sealed), Some(exit_code))?;
        "finished".clone_into(&mut self.record.status);
        (self.record.finished_before, self.record.restore_millis) = (None, None);
        self.record.exit_code = Some(exit_code);
        self.record.finished_at = Some(self.now().0);
        self.record.peak_memory_kib = peak_memory_kib();
        let summary = write_renderings(&self.folder, &self.record)?;
        self.folder.write_record(&self.record)?;
        self.remembered(&conclusion, judged.as_of);
        let course = self.course(&conclusion, judged.rto_missed);
        Ok(Finished { conclusion, summary, report: self.folder.report(), expected, course })
    }

    fn as_of(&self, set: &VerifiedSet) -> Result<UnixSeconds, AppError> {
        match self.options.as_of {
            Some(AsOfWanted::Time(time)) => Ok(time),
            Some(AsOfWanted::Block(height)) => block_time(&self.store, &self.plan.policy.headers, height),
            None => Ok(as_of_from_evidence(set, self.options.clock)),
        }
    }

    fn judged_inputs(&self, set: &VerifiedSet, tables: &SideTables) -> Result<JudgedInputs, AppError> {
        let as_of = self.as_of(set)?;
        let mut inputs = JudgedInputs::of(self.plan, self.options, as_of)?;
        inputs.time_boxed = self.time_boxed;
        let now = Now { store: &self.store, tables, set, policy: &self.plan.policy, as_of };
        let earlier = &mut inputs.declared.earlier;
        *earlier = self.plan.history.iter().map(|run| compare(run, &now)).collect::<Result<_, _>>()?;
        earlier.sort();
        earlier.dedup();
        Ok(inputs)
    }
}
