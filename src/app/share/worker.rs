//! `reledger worker`: a process without a run's folder that checks signatures for those that have one.

use std::sync::Arc;
use std::thread;

use super::coordinate::{WAIT, WAIT_MAX};
use super::knowledge::{Tool, keys_of_bytes, vouch};
use crate::app::error::AppError;
use crate::app::executable::Executable;
use crate::app::judge::worker_threads;
use crate::app::observer::{Cancel, Event, Observer};
use crate::store::{Address, Queue, Work};
use crate::verify::{Checks, Genuine};

/// For whom to work, and how.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// The shared store.
    pub store: Arc<Address>,
    /// Threads; 0 is one per core.
    pub jobs: usize,
    /// How signatures are checked. No verdict depends on it.
    pub checks: Checks,
    /// End when nothing is left, instead of waiting for more.
    pub once: bool,
    /// The executable that runs.
    pub tool: Executable,
}

/// What a worker did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Worked {
    /// Slices whose result was taken.
    pub slices: u64,
    /// Slices that somebody else had taken over before the result was there.
    pub late: u64,
    /// Pieces of evidence in the slices whose result was taken.
    pub items: u64,
    /// Signatures that were checked.
    pub checks: u64,
}

/// Takes slices until nothing is left, or until told to stop.
///
/// # Errors
/// [`AppError::Store`] for a store that can't be used; [`AppError::Config`] when the only work there is wants another build of
/// the program; [`AppError::Interrupted`], with the slice given back.
pub fn work(options: &WorkerOptions, observer: &dyn Observer, cancel: &Cancel) -> Result<Worked, AppError> {
    let threads = worker_threads(options.jobs)?;
    let mut queue = Queue::open(&options.store, "worker")?;
    let own = Tool::own(options.tool.sha256());
    let (mut worked, mut wait) = (Worked::default(), WAIT);
    observer.event(Event::Stage { name: "work", total: None });
    let nothing = Genuine::checking(options.checks);
    loop {
        cancel.check()?;
        let works = queue.works()?;
        let of = |work: &Work| Tool { version: work.tool.clone(), build: work.build.clone() };
        let (fit, unfit): (Vec<Work>, Vec<Work>) = works.into_iter().partition(|work| of(work) == own);
        if let (Some(work), true) = (unfit.first(), fit.is_empty()) {
            return Err(AppError::Config {
                what: format!("worker {own} can't work for a run of {}", of(work)),
                hint: "start the same executable on every machine".to_owned(),
            });
        }
        let before = worked;
        for work in &fit {
            on_one(&mut queue, (work, &nothing), &mut worked, &threads, observer, cancel)?;
        }
        if worked != before {
            wait = WAIT;
        } else if options.once {
            return Ok(worked);
        } else {
            thread::sleep(wait);
            wait = (wait * 2).min(WAIT_MAX);
        }
    }
}

/// Takes slices of one work until none is to be had.
fn on_one(
    queue: &mut Queue,
    (work, nothing): (&Work, &Genuine),
    worked: &mut Worked,
    threads: &rayon::ThreadPool,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<(), AppError> {
    let ring = keys_of_bytes(&work.keys);
    loop {
        cancel.check()?;
        let Some(lease) = queue.lease(work)? else { return Ok(()) };
        let done = vouch(queue, &lease, (&ring, nothing), threads, cancel)?;
        worked.checks += done.checks;
        if queue.finish(&lease, &done.vouched.to_bytes())? {
            worked.slices += 1;
            worked.items += done.vouched.items;
        } else {
            tracing::warn!(slice = lease.slice, attempt = lease.attempt, "came too late: somebody else has it");
            worked.late += 1;
        }
        observer.event(Event::Progress { done: worked.items });
    }
}
