//! Whoever judges: offers the signatures of a run in slices, works on them like everybody else, and merges what comes back.

use std::thread;
use std::time::Duration;

use super::bring_up::bring_up;
use super::knowledge::{Tool, Vouched, keys_to_bytes, vouch};
use crate::app::error::AppError;
use crate::app::judge::Share;
use crate::app::observer::{Cancel, Event, Observer};
use crate::app::options::RunOptions;
use crate::domain::{Digest32, TaggedHasher, TrustPolicy};
use crate::seal::evidence_root_of;
use crate::store::{EvidenceStore, Queue, SharedCopy, Slice, Work};
use crate::verify::Genuine;
use crate::verify::keys::KeyRing;

/// The first wait for slices that others hold; each next one is twice as long, up to [`WAIT_MAX`].
pub(super) const WAIT: Duration = Duration::from_millis(5);
/// The longest wait between two looks.
pub(super) const WAIT_MAX: Duration = Duration::from_millis(500);

/// The process that judges, at the queue of its run.
pub(super) struct Coordinator {
    queue: Queue,
    copy: SharedCopy,
    tool: Tool,
    /// Knows nothing; how what nobody vouched for is checked.
    nothing: Genuine,
}

impl Coordinator {
    /// At a queue, with the rows of the run.
    pub(super) fn new(queue: Queue, copy: SharedCopy, options: &RunOptions) -> Self {
        Self { queue, copy, tool: Tool::own(options.actor.tool.sha256()), nothing: Genuine::checking(options.checks) }
    }

    fn work(&self, policy: &TrustPolicy, ring: &KeyRing, root: Digest32) -> Work {
        let keys = keys_to_bytes(ring);
        let mut hasher = TaggedHasher::new("reledger/work/1");
        // The evidence root commits to the headers and the key sets too.
        hasher.field(self.tool.version.as_bytes()).field(self.tool.build.as_bytes()).field(policy.digest().as_bytes());
        hasher.field(root.as_bytes()).field(&keys);
        let number = hasher.finish().as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let (tool, build) = (self.tool.version.clone(), self.tool.build.clone());
        Work { run: self.copy.run(), work: (number >> 1).cast_signed(), tool, build, keys }
    }

    /// Works until no slice is open. One that somebody else holds is waited for: until it is done, or its time is over and it
    /// is taken like any other.
    fn finish_all(
        &mut self,
        work: &Work,
        ring: &KeyRing,
        threads: &rayon::ThreadPool,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<u64, AppError> {
        let (mut checks, mut done, mut wait) = (0, 0, WAIT);
        loop {
            cancel.check()?;
            if let Some(lease) = self.queue.lease(work)? {
                let found = vouch(&mut self.queue, &lease, (ring, &self.nothing), threads, cancel)?;
                checks += found.checks;
                self.queue.finish(&lease, &found.vouched.to_bytes())?;
                done += u64::from(lease.items);
                observer.event(Event::Progress { done });
                wait = WAIT;
            } else if self.queue.open_slices(work)? == 0 {
                return Ok(checks);
            } else {
                thread::sleep(wait);
                wait = (wait * 2).min(WAIT_MAX);
            }
        }
    }

    /// Takes over what holds together: what was read must be exactly the evidence of our own log.
    fn merge(&mut self, work: &Work, slices: &[Slice]) -> Result<Genuine, AppError> {
        let mut genuine = self.nothing.anew();
        for slice in slices {
            let told = self.queue.result(work, slice.number)?.and_then(|(bytes, _)| Vouched::of_bytes(&bytes));
            if let Some(told) = told.filter(|told| told.root == slice.root && told.items == u64::from(slice.items)) {
                genuine.learn(told.marks);
            } else {
                tracing::warn!(
                    slice = slice.number,
                    "the shared store holds other evidence than the run: checked here"
                );
                self.queue.forget(work, slice.number)?;
            }
        }
        Ok(genuine)
    }
}

impl Share for Coordinator {
    fn learn(
        &mut self,
        store: &dyn EvidenceStore,
        (policy, ring): (&TrustPolicy, &KeyRing),
        threads: &rayon::ThreadPool,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Genuine, AppError> {
        let root = evidence_root_of(store)?;
        let work = self.work(policy, ring, root);
        observer.event(Event::Stage { name: "copy", total: None });
        let queue = &mut self.queue;
        let slices = bring_up(store, &mut self.copy, threads, cancel, &mut |slices| queue.offer(&work, slices))?;
        let items = slices.iter().map(|slice| u64::from(slice.items)).sum();
        observer.event(Event::Stage { name: "share", total: Some(items) });
        let checks = self.finish_all(&work, ring, threads, observer, cancel)?;
        let genuine = self.merge(&work, &slices)?;
        self.queue.close(&work)?;
        tracing::info!(checks, known = genuine.marks().len(), "signatures were checked by all who share the store");
        observer.event(Event::Stage { name: "verify", total: Some(store.len()) });
        Ok(genuine)
    }
}
