//! Whoever judges: offers the signatures of a run in slices, works on them like everybody else, and merges what comes back.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::knowledge::{Tool, Vouched, keys_to_bytes, vouch};
use crate::app::error::AppError;
use crate::app::judge::Share;
use crate::app::observer::{Cancel, Event, Observer};
use crate::app::options::RunOptions;
use crate::domain::{Digest32, EvidenceId, MerkleTree, TaggedHasher, TrustPolicy, merkle_root};
use crate::seal::evidence_root;
use crate::store::{Address, EvidenceStore, Queue, Slice, Work};
use crate::verify::keys::KeyRing;
use crate::verify::{Checks, Genuine};

/// Pieces of evidence in a slice, a power of two so that slices are whole subtrees: the least that is worth a lease.
const SLICE_MIN: usize = 16;
/// A quarter of a second of work.
const SLICE_MAX: usize = 4_096;
/// Slices of a run, while it is small: enough that several workers have something to do to the end.
const SLICES: usize = 64;
/// The first wait for slices that others hold; each next one is twice as long, up to [`WAIT_MAX`].
pub(super) const WAIT: Duration = Duration::from_millis(5);
/// The longest wait between two looks.
pub(super) const WAIT_MAX: Duration = Duration::from_millis(500);

/// The process that judges, at the queue of its run.
pub(super) struct Coordinator {
    queue: Queue,
    run: i64,
    tool: Tool,
    /// How what nobody vouched for is checked.
    checks: Checks,
}

impl Coordinator {
    /// Connects.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub(super) fn open(address: &Arc<Address>, run: i64, options: &RunOptions) -> Result<Self, AppError> {
        let (tool, checks) = (Tool::own(options.actor.tool_sha256), options.checks);
        Ok(Self { queue: Queue::open(address, "coordinator")?, run, tool, checks })
    }

    fn work(&self, policy: &TrustPolicy, ring: &KeyRing, root: Digest32) -> Work {
        let keys = keys_to_bytes(ring);
        let mut hasher = TaggedHasher::new("reledger/work/1");
        // The evidence root commits to the headers and the key sets too.
        hasher.field(self.tool.version.as_bytes()).field(self.tool.build.as_bytes()).field(policy.digest().as_bytes());
        hasher.field(root.as_bytes()).field(&keys);
        let number = hasher.finish().as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let (tool, build) = (self.tool.version.clone(), self.tool.build.clone());
        Work { run: self.run, work: (number >> 1).cast_signed(), tool, build, keys }
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
                let found = vouch(&mut self.queue, &lease, ring, threads, cancel)?;
                checks += found.checks;
                self.queue.finish(&lease, &found.vouched.to_bytes())?;
                done += u64::from(lease.slice.items);
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
    fn merge(&mut self, work: &Work, ids: &[EvidenceId], size: usize) -> Result<(Genuine, Digest32), AppError> {
        let (mut genuine, mut tree) = (Genuine::checking(self.checks), MerkleTree::new());
        for (slice, own) in slices(ids, size).zip(ids.chunks(size)) {
            let root = merkle_root(own.iter().map(EvidenceId::as_bytes));
            let told = self.queue.result(work, slice.number)?.and_then(|(bytes, _)| Vouched::of_bytes(&bytes));
            if let Some(told) = told.filter(|told| told.root == root && told.items == own.len() as u64) {
                tree.push_hash(told.root);
                genuine.learn(told.marks);
            } else {
                tracing::warn!(
                    slice = slice.number,
                    "the shared store holds other evidence than the run: checked here"
                );
                tree.push_hash(root);
                self.queue.forget(work, slice.number)?;
            }
        }
        Ok((genuine, tree.root()))
    }
}

/// The slices of these ids, which ascend.
fn slices(ids: &[EvidenceId], size: usize) -> impl Iterator<Item = Slice> {
    ids.chunks(size).zip(0_u32..).filter_map(|(ids, number)| {
        let (first, last) = (*ids.first()?, *ids.last()?);
        Some(Slice { number, first, last, items: u32::try_from(ids.len()).ok()? })
    })
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
        let ids = store.ids()?;
        let root = evidence_root(&ids);
        let size = (ids.len() / SLICES).next_power_of_two().clamp(SLICE_MIN, SLICE_MAX);
        let work = self.work(policy, ring, root);
        self.queue.offer(&work, &slices(&ids, size).collect::<Vec<_>>())?;
        observer.event(Event::Stage { name: "share", total: Some(ids.len() as u64) });
        let checks = self.finish_all(&work, ring, threads, observer, cancel)?;
        let (genuine, merged) = self.merge(&work, &ids, size)?;
        if merged != root {
            return Err(AppError::Internal("the roots of the slices do not come to the evidence root".to_owned()));
        }
        self.queue.close(&work)?;
        tracing::info!(checks, known = genuine.marks().len(), "signatures were checked by all who share the store");
        observer.event(Event::Stage { name: "verify", total: Some(store.len()) });
        Ok(genuine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_of_slices_come_to_the_root_of_all_whatever_their_number() {
        let ids: Vec<EvidenceId> = (0..200_u8).map(|byte| EvidenceId::from_bytes([byte; 32])).collect();
        for count in [0, 1, 15, 16, 17, 31, 32, 33, 100, 127, 128, 129, 200] {
            for size in [16, 32, 64] {
                let ids = &ids[..count];
                let mut tree = MerkleTree::new();
                for own in ids.chunks(size) {
                    tree.push_hash(merkle_root(own.iter().map(EvidenceId::as_bytes)));
                }
                assert_eq!(tree.root(), evidence_root(ids), "{count} ids in slices of {size}");
                assert_eq!(slices(ids, size).map(|slice| slice.items as usize).sum::<usize>(), count);
            }
        }
    }
}
