//! Every byte of a log checked, without opening it to write.

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::StoreError;
use super::footer::Trailer;
use super::segment::{damaged, sealed_path};
use super::tail::Survey;

/// Checks every byte of the sealed segments, on all cores: nothing of one depends on another.
pub(super) fn check_sealed(dir: &Path, sealed: &[Trailer]) -> Result<(), StoreError> {
    let check = |trailer: &Trailer| {
        let path = sealed_path(dir, trailer.segment);
        let survey = whole(&path, trailer.segment, trailer.body_len)?;
        trailer.verify(&path, &survey.rows, survey.side)
    };
    let next = AtomicUsize::new(0);
    let checking = || {
        let mine = std::iter::from_fn(|| sealed.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.map(|trailer| check(trailer).map_err(|error| (trailer.segment, error))).find_map(Result::err)
    };
    let failed = thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads: Vec<_> = (0..cores.min(sealed.len())).map(|_| scope.spawn(checking)).collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        // Segments are taken in order, so that the first that is damaged is among what is found, whoever was faster.
        ended.flatten().min_by_key(|(segment, _)| *segment)
    });
    failed.map_or(Ok(()), |(_, error)| Err(error))
}

/// Every record of one segment up to `end`, each checked.
pub(super) fn whole(path: &Path, segment: u32, end: u64) -> Result<Survey, StoreError> {
    let survey = Survey::of(path, segment, end)?;
    match survey.bad {
        None => Ok(survey),
        Some((offset, what)) => Err(damaged(path, offset, what)),
    }
}
