//! The header chain by itself: fetched into a run, judged as a whole, and its tip against the clock.

use std::path::PathBuf;

use super::chain::{HeldChain, gather};
use super::error::AppError;
use super::observer::Cancel;
use super::run::RunFolder;
use crate::domain::{BlockHeight, Code, HeaderPolicy, Tip, UnixSeconds};
use crate::verify::HeaderTrust;

#[cfg(feature = "net")]
pub use sync::{HeaderSync, sync_headers};

/// Old enough that the chain at hand is hardly the newest: a block takes longer than this about once in three years
/// (`e^-12` of ten-minute blocks).
pub const TIP_AGE_SECONDS_MAX: i64 = 2 * 3600;
/// Blocks may be dated so far ahead of real time (Bitcoin Core, `MAX_FUTURE_BLOCK_TIME`).
pub const TIP_FUTURE_SECONDS_MAX: i64 = 2 * 3600;

/// A header that breaks a rule, or bytes that are no headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadHeaders {
    /// `HDR_INVALID` or `SRC_PARSE`.
    pub code: &'static str,
    /// Where, when that is known.
    pub height: Option<u32>,
    /// What is wrong.
    pub explanation: String,
    /// What the rule wants; may hold foreign text, still raw.
    pub expected: String,
    /// What stands there; may hold foreign text, still raw.
    pub observed: String,
}

/// What the headers at hand come to.
#[derive(Debug, Clone, Default)]
pub struct HeadersJudged {
    /// Distinct headers.
    pub headers: u64,
    /// Of these: at a height and valid.
    pub accepted: u64,
    /// Of these: at no known height.
    pub unplaced: u64,
    /// Of these: breaking a rule, or on top of one that does.
    pub rejected: u64,
    /// The most-work chain through the checkpoint.
    pub chain: Option<ChainFound>,
    /// Headers that hold and stand beside it or below it.
    pub beside: u64,
    /// Lowest height first; where it is not known, last. At most one for each piece of evidence.
    pub bad: Vec<BadHeaders>,
}

/// The most-work chain through the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainFound {
    /// Its lowest header.
    pub from: BlockHeight,
    /// Its best header.
    pub tip: Tip,
    /// Headers in it.
    pub headers: u64,
    /// Expected number of hashes behind it, capped at 128 bits.
    pub work: u128,
    /// How the tip is trusted.
    pub trust: &'static str,
    /// The checkpoint that it goes through.
    pub checkpoint: BlockHeight,
}

/// Judges headers: of these files, and of a run's evidence. Contacts nobody.
///
/// # Errors
/// [`AppError::Source`] for a file that can't be read; [`AppError`] for local failures.
pub fn verify_headers(
    files: &[PathBuf],
    run: Option<&RunFolder>,
    policy: &HeaderPolicy,
    cancel: &Cancel,
) -> Result<HeadersJudged, AppError> {
    Ok(judged(&gather(files, run, cancel)?.judge(policy), policy))
}

fn judged(held: &HeldChain, policy: &HeaderPolicy) -> HeadersJudged {
    let chain = held.chain.extent().map(|extent| ChainFound {
        from: extent.from,
        tip: extent.tip,
        headers: extent.headers,
        work: extent.work,
        trust: held.chain.at(extent.tip.height).map_or(HeaderTrust::Isolated, |header| header.trust).name(),
        checkpoint: policy.checkpoint.height,
    });
    let in_chain = chain.map_or(0, |chain| chain.headers);
    let mut bad: Vec<BadHeaders> = held
        .findings
        .iter()
        .filter(|finding| finding.code != Code::Unverifiable)
        .map(|finding| BadHeaders {
            code: finding.code.name(),
            height: finding.subject.get("height").and_then(|height| height.parse().ok()),
            explanation: finding.explanation.clone(),
            expected: finding.expected.clone(),
            observed: finding.observed.clone(),
        })
        .collect();
    bad.sort_by_key(|bad| (bad.height.is_none(), bad.height));
    HeadersJudged {
        headers: held.counts.unique,
        accepted: held.counts.accepted,
        unplaced: held.counts.pending,
        rejected: held.counts.rejected,
        chain,
        beside: held.counts.accepted.saturating_sub(in_chain),
        bad,
    }
}

/// The best header against the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TipAge {
    /// The tip.
    pub chain: ChainFound,
    /// Seconds since its own time; negative for one from the future.
    pub age: i64,
    /// It is older than [`TIP_AGE_SECONDS_MAX`].
    pub stale: bool,
    /// It is further in the future than [`TIP_FUTURE_SECONDS_MAX`]: the clock is wrong, or the header.
    pub future: bool,
}

/// The tip of what was judged, against the clock; `None` without a chain.
pub fn tip_age(judged: &HeadersJudged, now: UnixSeconds) -> Option<TipAge> {
    let chain = judged.chain?;
    let age = now.0.saturating_sub(chain.tip.time.0);
    Some(TipAge { chain, age, stale: age > TIP_AGE_SECONDS_MAX, future: age < -TIP_FUTURE_SECONDS_MAX })
}

#[cfg(feature = "net")]
mod sync {
    use super::{AppError, BlockHeight, Cancel, HeadersJudged, judged};
    use crate::app::chain::{Runs, offline};
    use crate::app::drill::Session;
    use crate::app::observer::{Event, Observer};
    use crate::app::sources::sockets;
    use crate::app::{Plan, RunOptions};
    use crate::domain::SliceEnd;
    use crate::ingest::Ingest;
    use crate::substrate::{Captured, EvidenceSource as _, HeadersPlan, HeadersSource, HttpLimits, Sink, Stopped};

    /// Headers that a node gives at once: pieces of evidence begin at the checkpoint and every so many headers above.
    const PIECE: u32 = 2_000;
    /// Headers below the tip that are asked for again: a reorganisation may have replaced them.
    const OVERLAP: u32 = 144;
    const HEADER_BYTES: usize = 80;

    /// What a sync brought.
    #[derive(Debug, Clone)]
    pub struct HeaderSync {
        /// First height asked for.
        pub from: BlockHeight,
        /// Headers received.
        pub received: u64,
        /// The sources asked, and why each ended; empty for one that gave all it has.
        pub sources: Vec<(String, String)>,
        /// At least one source gave its chain to the end.
        pub whole: bool,
        /// What the run's headers come to now.
        pub judged: HeadersJudged,
    }

    /// Fetches the chain from the configured node, or else from the configured explorer, into the run's evidence: from the
    /// checkpoint, or from shortly below the tip that the run holds already.
    ///
    /// # Errors
    /// [`AppError::Config`] without a source; [`AppError::Source`] under `--offline`; [`AppError::Refused`] for a finished
    /// run without `yes`; [`AppError`] for local failures.
    pub fn sync_headers(
        plan: &Plan,
        options: &RunOptions,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<HeaderSync, AppError> {
        let Some(address) = plan.bitcoin_rest.as_ref().or(plan.esplora.as_ref()) else {
            return Err(AppError::Config {
                what: "the configuration names no source of headers".to_owned(),
                hint: "set `headers.bitcoin_rest` or `headers.esplora`".to_owned(),
            });
        };
        if options.offline {
            return Err(offline(address));
        }
        let mut session = Session::open(plan, options, observer, cancel)?;
        let policy = &plan.policy.headers;
        let mut held = Runs::new(cancel);
        held.stored(session.store())?;
        let before = held.judge(policy).chain.extent().map(|extent| extent.tip.height);
        let from = resume_at(policy.checkpoint.height, before);
        let runtime = sockets()?;
        let wanted = HeadersPlan {
            rest: plan.bitcoin_rest.clone(),
            esplora: plan.esplora.clone(),
            from,
            heights: None,
            allow_plaintext: plan.allow_plaintext,
            http: HttpLimits::bulk(),
        };
        let mut source = HeadersSource::new(wanted, runtime.handle().clone())?;
        observer.event(Event::Stage { name: "headers", total: None });
        let mut sink = Syncing { ingest: Ingest::new(session.store()), received: 0, failure: None, observer, cancel };
        let fetched = source.fetch(&mut sink);
        let (received, failure) = (sink.received, sink.failure.take());
        sink.ingest.flush()?;
        if let Some(error) = failure {
            return Err(error);
        }
        cancel.check()?;
        let receipts = fetched?;
        let whole = receipts.iter().any(|receipt| receipt.end == SliceEnd::Ended && receipt.reason.is_empty());
        let sources = receipts.iter().map(|receipt| (receipt.source.0.clone(), receipt.reason.clone())).collect();
        let mut ingest = Ingest::new(session.store());
        for receipt in receipts {
            ingest.receipt(receipt)?;
        }
        ingest.flush()?;
        drop(ingest);
        session.seal()?;
        let mut held = Runs::new(cancel);
        held.stored(session.store())?;
        Ok(HeaderSync { from, received, sources, whole, judged: judged(&held.judge(policy), policy) })
    }

    /// A whole number of pieces above the checkpoint, and at least the overlap below the tip.
    fn resume_at(checkpoint: BlockHeight, tip: Option<BlockHeight>) -> BlockHeight {
        let above = tip.map_or(0, |tip| tip.0.saturating_sub(checkpoint.0).saturating_sub(OVERLAP));
        BlockHeight(checkpoint.0.saturating_add(above / PIECE * PIECE))
    }

    struct Syncing<'a> {
        ingest: Ingest<'a>,
        received: u64,
        failure: Option<AppError>,
        observer: &'a dyn Observer,
        cancel: &'a Cancel,
    }

    impl Sink for Syncing<'_> {
        fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
            let headers = captured.evidence.bytes.len() / HEADER_BYTES;
            let (evidence, sighting) = captured.addressed();
            if let Err(error) = self.ingest.accept(evidence, sighting) {
                self.failure = Some(error.into());
                return Err(Stopped);
            }
            self.received = self.received.saturating_add(u64::try_from(headers).unwrap_or(u64::MAX));
            self.observer.event(Event::Progress { done: self.received });
            Ok(())
        }

        fn cancelled(&self) -> bool {
            self.cancel.is_cancelled()
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_sync_goes_on_shortly_below_the_tip_and_where_pieces_begin() {
            let at = |checkpoint, tip: Option<u32>| resume_at(BlockHeight(checkpoint), tip.map(BlockHeight)).0;
            assert_eq!(at(0, None), 0);
            assert_eq!(at(0, Some(2_143)), 0);
            assert_eq!(at(0, Some(2_144)), 2_000);
            assert_eq!(at(0, Some(900_000)), 898_000);
            assert_eq!(at(840_000, Some(900_000)), 898_000);
            assert_eq!(at(840_001, Some(900_000)), 898_001);
            assert_eq!(at(900_000, Some(5)), 900_000);
        }
    }
}
