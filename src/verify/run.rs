//! The driver: keys and headers first, then everything that is judged by them.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use rayon::prelude::*;

use super::headers::HeaderChain;
use super::judge::{Bench, population};
use super::keys::KeyRing;
use super::merge::{Judged, Merge, Waiting, count};
use super::ots::{Replies, settle};
use super::{Fate, Genuine, VerifiedSet};
use crate::domain::{Counts, EvidenceId, KeyId, Media, RawEvidence, TrustPolicy};
use crate::evidence::{Claim, Decoded, HeaderRun, decode};
use crate::scratch::Scratch;

/// Media that the others are judged by: give all of them to [`Verifier::first_pass`].
pub const FIRST_PASS: &[Media] = &[Media::Jwks, Media::AuthJwks, Media::Headers];

/// All other media: give them to [`Verifier::second_pass`].
pub const SECOND_PASS: &[Media] = &[
    Media::NostrEvent,
    Media::OtsProof,
    Media::CalendarReply,
    Media::Settlement,
    Media::PaymentLogEntry,
    Media::Invoice,
    Media::ProjectConfig,
    Media::FederationDirectory,
    Media::Charter,
    Media::Custody,
    Media::Activity,
    Media::Balance,
    Media::Checkpoint,
    Media::Snapshot,
];

/// Batches that are judged side by side, beside one that waits: each is worth all cores for a while.
const SIDE_BY_SIDE: usize = 4;

/// Verifies a set of evidence in two passes. Batch size, order and thread count change nothing. Each piece is to be given once to
/// each pass, as a store's scan does.
///
/// Call [`Self::first_pass`] with all evidence of [`FIRST_PASS`], then [`Self::begin_second_pass`], then
/// [`Self::second_pass`] with all evidence of [`SECOND_PASS`], then [`Self::finish`].
pub struct Verifier<'p> {
    policy: &'p TrustPolicy,
    genuine: &'p Genuine,
    ring: KeyRing,
    runs: Vec<(EvidenceId, HeaderRun)>,
    headers: HeaderChain,
    header_counts: Counts,
    undecodable_keys: u64,
    merge: Merge,
}

impl<'p> Verifier<'p> {
    /// Starts with nothing known.
    pub fn new(policy: &'p TrustPolicy) -> Self {
        static NOTHING: OnceLock<Genuine> = OnceLock::new();
        Self::knowing(policy, NOTHING.get_or_init(Genuine::default))
    }

    /// Starts with signatures that need no second check; others are checked in the same way.
    pub fn knowing(policy: &'p TrustPolicy, genuine: &'p Genuine) -> Self {
        Self {
            policy,
            genuine,
            ring: KeyRing::default(),
            runs: Vec::new(),
            headers: HeaderChain::empty(&policy.headers),
            header_counts: Counts::default(),
            undecodable_keys: 0,
            merge: Merge::default(),
        }
    }

    /// Knows these signatures from now on.
    pub fn know(&mut self, genuine: &'p Genuine) {
        self.genuine = genuine;
    }

    /// Puts what is too much for memory there, from now on. To be called first.
    pub fn lay(&mut self, scratch: &Scratch) {
        self.merge.lay(scratch);
    }

    /// The keys of the first pass.
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// Takes key sets and headers. Evidence of other media is left alone.
    pub fn first_pass(&mut self, batch: &[(EvidenceId, RawEvidence)]) {
        for (evidence, raw) in of(batch, FIRST_PASS) {
            let findings = match decode(raw) {
                Decoded::Claim(claim, findings) => {
                    match *claim {
                        Claim::Jwks(set) => {
                            self.ring.add(&set, evidence);
                            self.merge.set.key_sets.push((evidence, set));
                        }
                        Claim::Headers(run) => self.runs.push((evidence, run)),
                        _ => {}
                    }
                    findings
                }
                Decoded::Undecodable(findings) => {
                    if population(raw.media) == "keys" {
                        self.undecodable_keys += 1;
                    } else {
                        count(&mut self.header_counts, Fate::Quarantined);
                    }
                    findings
                }
            };
            let findings = findings.into_iter().map(|finding| finding.with_evidence(evidence, "carrier"));
            self.merge.findings(evidence, findings.collect());
        }
    }

    /// Ends the first pass: connects all headers and compares all key sets.
    pub fn begin_second_pass(&mut self) {
        let mut runs = std::mem::take(&mut self.runs);
        runs.sort_by_key(|(evidence, _)| *evidence);
        let (headers, findings, counts) = HeaderChain::build(runs, &self.policy.headers);
        self.headers = headers;
        self.header_counts += counts;
        self.merge.set.findings.extend(findings);
        self.merge.set.findings.extend(self.ring.findings());
    }

    /// Decodes and judges a batch in parallel, and merges it.
    pub fn second_pass(&mut self, batch: &[(EvidenceId, RawEvidence)]) {
        let judged = self.genuine.checks_by().judge(&self.bench(), &of(batch, SECOND_PASS));
        for judged in judged {
            self.merge.take(judged);
        }
    }

    /// As [`Self::second_pass`], batch by batch: some are judged side by side, and merged when they are. Whoever asks merges, and should
    /// do nothing else.
    pub fn second_pass_over<B>(&mut self, batches: impl IntoIterator<Item = B>)
    where
        B: AsRef<[(EvidenceId, RawEvidence)]> + Send,
    {
        // A worker that waits for others may be the one that they wait for.
        if rayon::current_thread_index().is_some() {
            return batches.into_iter().for_each(|batch| self.second_pass(batch.as_ref()));
        }
        rayon::in_place_scope(|scope| self.judge_and_merge(scope, rayon::current_num_threads(), batches));
    }

    /// As [`Self::second_pass_over`]: judges in these threads.
    pub fn second_pass_on<B>(&mut self, threads: &rayon::ThreadPool, batches: impl IntoIterator<Item = B>)
    where
        B: AsRef<[(EvidenceId, RawEvidence)]> + Send,
    {
        if threads.current_thread_index().is_some() {
            return self.second_pass_over(batches);
        }
        threads.in_place_scope(|scope| self.judge_and_merge(scope, threads.current_num_threads(), batches));
    }

    fn bench(&self) -> Bench<'_> {
        Bench { policy: self.policy, ring: &self.ring, headers: &self.headers, genuine: self.genuine }
    }

    fn judge_and_merge<'s, B>(
        &'s mut self,
        scope: &rayon::Scope<'s>,
        threads: usize,
        batches: impl IntoIterator<Item = B>,
    ) where
        B: AsRef<[(EvidenceId, RawEvidence)]> + Send + 's,
    {
        let bench = Bench { policy: self.policy, ring: &self.ring, headers: &self.headers, genuine: self.genuine };
        let (checks, merge) = (self.genuine.checks_by(), &mut self.merge);
        let mut merge = |judged: Vec<Judged>| judged.into_iter().for_each(|judged| merge.take(judged));
        let (sender, judged) = channel();
        let mut under_way = 0;
        for batch in batches {
            if under_way > threads.min(SIDE_BY_SIDE) {
                under_way -= 1;
                judged.recv().into_iter().for_each(&mut merge);
            }
            under_way += 1;
            let landing = Landing { judged: Vec::new(), on: sender.clone() };
            scope.spawn(move |_| landing.with(checks.judge(&bench, &of(batch.as_ref(), SECOND_PASS))));
        }
        drop(sender);
        judged.into_iter().for_each(merge);
    }

    /// Judges what had to wait for all descriptors, completes pending proofs, counts, and brings all into order.
    pub fn finish(mut self) -> VerifiedSet {
        self.judge_waiting();
        self.merge.sort(self.policy);
        self.graft_replies();
        let set = &mut self.merge.set;
        set.keys = self.ring.known();
        set.key_sets.sort_by_key(|(evidence, _)| *evidence);
        set.tip = self.headers.tip();
        *set.population.of("headers") = self.header_counts;
        let keys = set.population.of("keys");
        self.ring.known().iter().for_each(|_| count(keys, Fate::Accepted));
        self.ring.unusable().for_each(|_: &KeyId| count(keys, Fate::Quarantined));
        (0..self.undecodable_keys).for_each(|_| count(keys, Fate::Quarantined));
        self.merge.finish()
    }

    fn judge_waiting(&mut self) {
        let waiting = std::mem::take(&mut self.merge.waiting);
        let bench = Bench { policy: self.policy, ring: &self.ring, headers: &self.headers, genuine: self.genuine };
        let descriptors = &self.merge.set.descriptors;
        let pieces: Vec<(EvidenceId, Waiting)> =
            waiting.into_iter().flat_map(|(id, claims)| claims.into_iter().map(move |claim| (id, claim))).collect();
        let judged: Vec<Judged> =
            pieces.into_par_iter().map(|(id, claim)| bench.judge_waiting(id, claim, descriptors)).collect();
        for judged in judged {
            self.merge.take(judged);
        }
    }

    /// Continues pending proofs with calendars' replies. A reply that answers nothing we hold stays pending.
    fn graft_replies(&mut self) {
        let held = std::mem::take(&mut self.merge.replies);
        let replies = Replies::new(held.iter().map(|(evidence, reply)| (*evidence, reply)));
        let mut unanswered: BTreeSet<EvidenceId> = held.keys().copied().collect();
        if held.is_empty() {
            return;
        }
        let mut completed = BTreeSet::new();
        let anchors = std::mem::take(&mut self.merge.set.anchors);
        self.merge.set.anchors = anchors.altered(|state| {
            let settled = settle(state, &replies, &self.headers, self.policy);
            self.merge.set.findings.extend(settled.findings);
            for (evidence, fate) in settled.fates {
                unanswered.remove(&evidence);
                self.merge.fate("calendar_replies", evidence.0, fate);
            }
            completed.extend(settled.completed);
        });
        // A proof whose own commitment a reply leads to a block is no longer pending.
        self.merge.complete_proofs(&completed);
        for evidence in unanswered {
            self.merge.fate("calendar_replies", evidence.0, Fate::Pending);
        }
    }
}

/// Hands on what a batch came to when its judging is over, and nothing if that panicked: whoever waits for it waits for no more.
struct Landing {
    judged: Vec<Judged>,
    on: Sender<Vec<Judged>>,
}

impl Landing {
    fn with(mut self, judged: Vec<Judged>) {
        self.judged = judged;
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        // Nobody is left where another panicked.
        let _ = self.on.send(std::mem::take(&mut self.judged));
    }
}

/// The batch's evidence of these media, in order of id.
fn of<'b>(batch: &'b [(EvidenceId, RawEvidence)], media: &[Media]) -> Vec<(EvidenceId, &'b RawEvidence)> {
    let mut wanted: Vec<_> = batch.iter().filter(|(_, raw)| media.contains(&raw.media)).collect();
    wanted.sort_by_key(|(evidence, _)| *evidence);
    wanted.dedup_by_key(|(evidence, _)| *evidence);
    wanted.into_iter().map(|(id, raw)| (*id, raw)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Counts, Media};
    use crate::verify::headers::testchain::{chain, policy};

    fn raw(media: Media, about: &str, bytes: &[u8]) -> (EvidenceId, RawEvidence) {
        let raw = RawEvidence { media, about: about.to_owned(), bytes: bytes.to_vec() };
        (raw.id(), raw)
    }

    fn verified(batch: &[(EvidenceId, RawEvidence)], policy: &TrustPolicy) -> VerifiedSet {
        let mut verifier = Verifier::new(policy);
        verifier.first_pass(batch);
        verifier.begin_second_pass();
        verifier.second_pass(batch);
        verifier.finish()
    }

    #[test]
    fn headers_and_records_that_are_none_are_counted_side_by_side() {
        let headers = chain(10);
        let policy = TrustPolicy { headers: policy(0, &headers[0]), ..TrustPolicy::orangecheck_2026_10() };
        let batch = [
            raw(Media::Headers, "0", headers.as_flattened()),
            raw(Media::Headers, "", b"no header"),
            raw(Media::Jwks, "", b"no key set"),
            raw(Media::NostrEvent, "", b"no event"),
        ];
        let set = verified(&batch, &policy);
        let counts = set.population.get("headers");
        assert_eq!(counts, Counts { unique: 12, accepted: 11, quarantined: 1, ..Counts::default() });
        for name in ["keys", "events"] {
            assert_eq!(set.population.get(name), Counts { unique: 1, quarantined: 1, ..Counts::default() }, "{name}");
        }
        // Each says which evidence it is about.
        assert_eq!(set.findings.len(), 3);
        assert!(set.findings.iter().all(|finding| finding.evidence.len() == 1), "{:?}", set.findings);
    }

    #[test]
    fn how_evidence_is_cut_and_how_many_judge_it_changes_nothing() {
        let path = format!("{}/fixtures/real/nostr/events.jsonl", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let batch: Vec<_> = text.lines().map(|line| raw(Media::NostrEvent, "", line.as_bytes())).collect();
        let policy = TrustPolicy::orangecheck_2026_10();
        let expected = verified(&batch, &policy);
        assert!(expected.population.get("events").unique > 1);
        for (threads, size) in [(1, 1), (1, 3), (2, 2), (3, 1), (8, batch.len())] {
            let threads = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut verifier = Verifier::new(&policy);
            verifier.begin_second_pass();
            verifier.second_pass_on(&threads, batch.chunks(size));
            // And by one of the threads themselves.
            let mut by_worker = Verifier::new(&policy);
            by_worker.begin_second_pass();
            threads.install(|| by_worker.second_pass_on(&threads, batch.chunks(size)));
            for set in [verifier.finish(), by_worker.finish()] {
                assert_eq!(set.findings, expected.findings);
                assert_eq!(set.population, expected.population);
            }
        }
    }

    #[test]
    fn a_batch_whose_judging_panics_is_waited_for_no_more() {
        let (on, judged) = channel();
        let landing = Landing { judged: Vec::new(), on: on.clone() };
        let panicked = std::thread::spawn(move || {
            let _landing = landing;
            panic!("a bug");
        });
        assert!(panicked.join().is_err());
        assert!(judged.recv().unwrap().is_empty());
        Landing { judged: Vec::new(), on }.with(vec![Judged::new(EvidenceId::from_bytes([1; 32]), Vec::new())]);
        assert_eq!(judged.recv().unwrap().len(), 1);
        assert!(judged.recv().is_err(), "nobody else is under way");
    }

    #[test]
    fn a_proof_is_counted_once_however_often_it_comes_and_others_beside_it() {
        let folder = format!("{}/fixtures/real/ots", env!("CARGO_MANIFEST_DIR"));
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let mut batch: Vec<_> =
            files.iter().map(|file| raw(Media::OtsProof, "", &std::fs::read(file).unwrap())).collect();
        let count = batch.len() as u64;
        assert!(count > 1);
        // The same proof under a name that is no digest: other evidence, no other proof.
        let again = raw(Media::OtsProof, "a copy", &batch[0].1.bytes);
        batch.push(again);
        let set = verified(&batch, &TrustPolicy::orangecheck_2026_10());
        assert_eq!(set.population.get("proofs").unique, count);
    }
}
