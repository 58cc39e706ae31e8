//! Bitcoin headers: which of them hold, where they stand, and how far each may be trusted (OTS 4).
//!
//! Runs come in any order, overlap, repeat and lie about their heights. They are cut into nodes of a forest by their
//! links, each tree is given a height by the strongest thing that is known about it, every consensus rule that needs no
//! clock is applied from parents to children, and the most work from the checkpoint wins. Costs one double SHA-256 per
//! header and one sort: 900,000 headers take about a second on two busy cores, half of it hashing.

mod forest;
mod place;
mod pow;
mod rules;
#[cfg(test)]
pub(in crate::verify) mod testchain;
#[cfg(test)]
mod tests;

use super::HeaderTrust;
use crate::domain::{
    BlockHash, BlockHeight, Code, Counts, EvidenceId, Finding, HeaderPolicy, MerkleRootHash, Subject, Tip, UnixSeconds,
};
use crate::evidence::HeaderRun;

use forest::{Forest, Offence};

/// A header that holds, at a height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownHeader {
    /// Height; for an isolated header no more than a claim.
    pub height: BlockHeight,
    /// Block hash.
    pub hash: BlockHash,
    /// Merkle root field.
    pub root: MerkleRootHash,
    /// Its own timestamp.
    pub time: UnixSeconds,
    /// Compact target.
    pub bits: u32,
    /// How far it may be trusted.
    pub trust: HeaderTrust,
    /// The run that brought it; the lowest id when several did.
    pub evidence: EvidenceId,
}

/// A header as it is kept: 900,000 of them must stay small.
#[derive(Debug, Clone, Copy)]
struct Row {
    hash: [u8; 32],
    root: [u8; 32],
    time: u32,
    bits: u32,
    run: usize,
    trust: HeaderTrust,
    /// Some pinned hash or the checkpoint commits to it.
    pinned: bool,
}

/// The most-work chain at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Its lowest known header.
    pub from: BlockHeight,
    /// Its best header.
    pub tip: Tip,
    /// Headers in it.
    pub headers: u64,
    /// Expected number of hashes behind them, capped at 128 bits.
    pub work: u128,
}

/// All headers that hold: the most-work chain through the checkpoint, and those beside it.
#[derive(Debug, Clone)]
pub struct HeaderChain {
    runs: Vec<EvidenceId>,
    main_start: u32,
    main: Vec<Row>,
    /// Sorted by height, then strongest trust, then hash.
    others: Vec<(u32, Row)>,
    tip: Option<Tip>,
    min_depth: u32,
}

impl HeaderChain {
    /// Judges the runs. The result depends on the set of runs only.
    ///
    /// Counts are in distinct headers and leave `received` zero: accepted at a height, pending without one, rejected by a
    /// rule. Findings: `HDR_INVALID` for a run that breaks a rule or contradicts its claimed height (its other headers stay
    /// usable, each by its own merits), `UNVERIFIABLE` for a run that cannot be placed yet. The rule about times far in the
    /// future needs a clock and is not applied.
    pub fn build(runs: Vec<(EvidenceId, HeaderRun)>, policy: &HeaderPolicy) -> (Self, Vec<Finding>, Counts) {
        let mut forest = Forest::grow(runs, policy);
        place::place(&mut forest, policy);
        rules::apply(&mut forest, policy);
        let chain = rules::harvest(&forest, policy);
        (chain, verdicts(&forest), forest.counts())
    }

    /// A chain that knows nothing.
    pub fn empty(policy: &HeaderPolicy) -> Self {
        Self {
            runs: Vec::new(),
            main_start: 0,
            main: Vec::new(),
            others: Vec::new(),
            tip: None,
            min_depth: policy.min_depth,
        }
    }

    /// The header believed at that height: the most-work chain's, unless a pinned hash commits to another.
    pub fn at(&self, height: BlockHeight) -> Option<KnownHeader> {
        self.row_at(height).map(|row| self.known(height, row))
    }

    /// The best header of the chain through the checkpoint.
    pub fn tip(&self) -> Option<Tip> {
        self.tip
    }

    /// From where to where the chain through the checkpoint is known; `None` without one.
    pub fn extent(&self) -> Option<Extent> {
        let same_target = self.main.chunk_by(|a, b| a.bits == b.bits);
        let work = same_target.map(|rows| {
            let one = rows.first().and_then(|row| pow::target(row.bits)).map_or(0, pow::work);
            // A count of rows always fits 128 bits.
            one.saturating_mul(rows.len() as u128)
        });
        Some(Extent {
            from: BlockHeight(self.main_start),
            tip: self.tip?,
            headers: u64::try_from(self.main.len()).unwrap_or(u64::MAX),
            work: work.fold(0, u128::saturating_add),
        })
    }

    /// True when the header at that height cannot reasonably be replaced: a pinned hash commits to it, or it has the
    /// policy's `min_depth` confirmations (the block itself is the first) on the most-work chain.
    pub fn is_final(&self, height: BlockHeight) -> bool {
        let deep = |tip: Tip| {
            tip.height.0.checked_sub(height.0).is_some_and(|above| above.saturating_add(1) >= self.min_depth)
        };
        self.row_at(height)
            .is_some_and(|row| row.pinned || (row.trust == HeaderTrust::Chain && self.tip.is_some_and(deep)))
    }

    /// A header with that Merkle root that holds by itself and lost its height to another: an anchor on it is a reorg,
    /// not a forgery.
    pub fn stale_at(&self, height: BlockHeight, root: MerkleRootHash) -> Option<KnownHeader> {
        let best = self.row_at(height).map(|row| row.hash);
        let mut candidates = self.main_row(height.0).into_iter().chain(self.beside(height.0));
        let stale = candidates.find(|row| row.root == root.0 && best != Some(row.hash))?;
        Some(self.known(height, stale))
    }

    /// Every header that lost its height, lowest first.
    pub fn stale(&self) -> impl Iterator<Item = KnownHeader> {
        self.others.iter().filter_map(|(height, row)| {
            let height = BlockHeight(*height);
            let best = self.row_at(height).map(|row| row.hash);
            (best != Some(row.hash)).then(|| self.known(height, row))
        })
    }

    /// True when no header is known.
    pub fn is_empty(&self) -> bool {
        self.main.is_empty() && self.others.is_empty()
    }

    fn main_row(&self, height: u32) -> Option<&Row> {
        self.main.get(usize::try_from(height.checked_sub(self.main_start)?).ok()?)
    }

    fn beside(&self, height: u32) -> impl Iterator<Item = &Row> {
        let from = self.others.partition_point(|(other, _)| *other < height);
        self.others[from..].iter().take_while(move |(other, _)| *other == height).map(|(_, row)| row)
    }

    fn row_at(&self, height: BlockHeight) -> Option<&Row> {
        // Early chains are cheap to forge; a hash that is pinned is not, so it wins over a chain that has not yet reached
        // the next pinned height.
        let strongest = self.beside(height.0).find(|row| row.pinned);
        match self.main_row(height.0) {
            Some(row) if row.pinned || strongest.is_none() => Some(row),
            // A header of a chain that lost is not believed even above the winner's tip.
            _ => strongest.or_else(|| self.beside(height.0).find(|row| row.trust == HeaderTrust::Isolated)),
        }
    }

    fn known(&self, height: BlockHeight, row: &Row) -> KnownHeader {
        KnownHeader {
            height,
            hash: BlockHash(row.hash),
            root: MerkleRootHash(row.root),
            time: UnixSeconds(row.time.into()),
            bits: row.bits,
            trust: row.trust,
            evidence: self.runs[row.run],
        }
    }
}

/// One finding at most per run: its gravest, so that a hostile file cannot flood the report.
fn verdicts(forest: &Forest) -> Vec<Finding> {
    let verdict = |(run, id): (usize, &EvidenceId)| match forest.offence_of(run) {
        Some(offence) => Some(invalid(*id, offence)),
        None => forest.is_unplaced(run).then(|| unplaced(*id)),
    };
    forest.runs.iter().enumerate().filter_map(verdict).collect()
}

fn invalid(run: EvidenceId, offence: &Offence) -> Finding {
    let height = offence.height.map_or_else(|| "unknown".to_owned(), |height| height.to_string());
    let subject = Subject::new("run", run).and("height", height).and("rule", offence.rule);
    Finding::new(Code::HdrInvalid, subject)
        .with_values(&offence.expected, &offence.observed)
        .with_evidence(run, "header")
        .with_explanation(format!("a header breaks the rule: {}", offence.rule))
}

fn unplaced(run: EvidenceId) -> Finding {
    Finding::new(Code::Unverifiable, Subject::new("run", run).and("check", "header placement"))
        .with_values("a link to a known header, or a believable height", "neither")
        .with_evidence(run, "header")
        .with_explanation("the headers stand at no known height; nothing is anchored by them")
}
