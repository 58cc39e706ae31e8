//! Consensus rules from parents to children, then the choice among forks (OTS 4.2, 4.3).

use bitcoin::Target;

use super::forest::{Forest, Offence, text};
use super::place::is_mainnet;
use super::{HeaderChain, Row, pow};
use crate::domain::{BlockHash, BlockHeight, Checkpoint, HeaderPolicy, Tip, UnixSeconds};
use crate::verify::HeaderTrust;
use crate::verify::epochs::{self, EPOCH_LEN};

/// Headers whose median time a new one must exceed (BIP-0113 names it median-time-past).
const MEDIAN_SPAN: usize = 11;

/// Judges every placed header, parents first.
pub(super) fn apply(forest: &mut Forest, policy: &HeaderPolicy) {
    let Some(limit) = pow::target(policy.pow_limit) else { return };
    let judge = Judge { policy, limit, mainnet: is_mainnet(policy) };
    for position in 0..forest.order.len() {
        let at = forest.order[position];
        let Some(height) = forest.height(at) else { continue };
        let parent = forest.nodes[at].parent;
        if parent.is_some_and(|parent| forest.nodes[parent].invalid) {
            forest.nodes[at].invalid = true;
        } else if let Some(offence) = judge.offence(forest, at, height) {
            forest.offend_node(at, offence);
        }
        let chained = !forest.nodes[at].invalid && reaches_checkpoint(forest, at, height, policy.checkpoint);
        let node = &mut forest.nodes[at];
        node.chained = chained;
        node.pinned &= !node.invalid;
    }
}

/// True for the checkpoint itself and for what builds on it.
fn reaches_checkpoint(forest: &Forest, at: usize, height: u32, checkpoint: Checkpoint) -> bool {
    let node = &forest.nodes[at];
    let builds_on_it = node.parent.map_or_else(
        || {
            let root_prev = forest.trees[node.tree].root_prev;
            root_prev == checkpoint.hash.0 && height.checked_sub(1) == Some(checkpoint.height.0)
        },
        |parent| forest.nodes[parent].chained,
    );
    builds_on_it || (node.hash == checkpoint.hash.0 && height == checkpoint.height.0)
}

struct Judge<'a> {
    policy: &'a HeaderPolicy,
    limit: Target,
    mainnet: bool,
}

impl Judge<'_> {
    fn offence(&self, forest: &Forest, at: usize, height: u32) -> Option<Offence> {
        self.pinned_hash(forest, at, height)
            .or_else(|| self.bits(forest, at, height))
            .or_else(|| median_time(forest, at, height))
    }

    fn pinned_hash(&self, forest: &Forest, at: usize, height: u32) -> Option<Offence> {
        let checkpoint = self.policy.checkpoint;
        let pinned = if height == checkpoint.height.0 {
            Some(checkpoint.hash)
        } else {
            epochs::hash_at(BlockHeight(height)).filter(|_| self.mainnet)
        };
        let hash = forest.nodes[at].hash;
        let expected = pinned.filter(|pinned| pinned.0 != hash)?;
        Some(offence("pinned header", height, expected.to_string(), text(hash)))
    }

    fn bits(&self, forest: &Forest, at: usize, height: u32) -> Option<Offence> {
        let bits = forest.nodes[at].bits;
        let wrong = |expected: String| Some(offence("target", height, expected, format!("bits {bits:08x}")));
        if let Some(pinned) = epochs::bits_at(BlockHeight(height)).filter(|_| self.mainnet && height != 0)
            && pinned != bits
        {
            return wrong(format!("bits {pinned:08x}"));
        }
        let parent = forest.nodes[at].parent?;
        let last = &forest.nodes[parent];
        if !height.is_multiple_of(EPOCH_LEN) {
            return if last.bits == bits { None } else { wrong(format!("bits {:08x}", last.bits)) };
        }
        let last_target = pow::target(last.bits)?;
        if let Some(first) = ancestor(forest, parent, EPOCH_LEN - 1) {
            let expected = pow::retarget(last_target, forest.nodes[first].time, last.time, self.limit);
            return if expected == bits { None } else { wrong(format!("bits {expected:08x}")) };
        }
        // The epoch began before the first known header: only the bounds of a retarget are known.
        let (hardest, easiest) = pow::retarget_bounds(last_target, self.limit)?;
        let target = pow::target(bits)?;
        if (hardest..=easiest).contains(&target) {
            return None;
        }
        wrong(format!("at most four times bits {:08x}, either way", last.bits))
    }
}

/// A header's time exceeds the median of the eleven before it. Fewer are enough only when the chain begins there.
fn median_time(forest: &Forest, at: usize, height: u32) -> Option<Offence> {
    let mut times = [0; MEDIAN_SPAN];
    let mut count = 0;
    let mut next = forest.nodes[at].parent;
    while let Some(earlier) = next.filter(|_| count < MEDIAN_SPAN) {
        times[count] = forest.nodes[earlier].time;
        count += 1;
        next = forest.nodes[earlier].parent;
    }
    let reaches_genesis = usize::try_from(height) == Ok(count);
    if count == 0 || (count < MEDIAN_SPAN && !reaches_genesis) {
        return None;
    }
    let (times, time) = (&mut times[..count], forest.nodes[at].time);
    // Nearly every header is later than all of them, and so than their median.
    if times.iter().all(|earlier| *earlier < time) {
        return None;
    }
    times.sort_unstable();
    let median = times[count / 2];
    (time <= median)
        .then(|| offence("median time past", height, format!("a time after {median}"), format!("time {time}")))
}

fn offence(rule: &'static str, height: u32, expected: String, observed: String) -> Offence {
    Offence { rule, height: Some(BlockHeight(height)), expected, observed }
}

fn ancestor(forest: &Forest, mut at: usize, steps: u32) -> Option<usize> {
    for _ in 0..steps {
        at = forest.nodes[at].parent?;
    }
    Some(at)
}

/// Takes the most-work chain through the checkpoint, and every other header that holds beside it.
pub(super) fn harvest(forest: &Forest, policy: &HeaderPolicy) -> HeaderChain {
    let mut chain = HeaderChain::empty(policy);
    chain.runs.clone_from(&forest.runs);
    let mut in_main = vec![false; forest.nodes.len()];
    if let Some(best) = most_work(forest) {
        let mut path: Vec<usize> = std::iter::successors(Some(best), |at| forest.nodes[*at].parent).collect();
        path.reverse();
        // Ancestors of the checkpoint belong to the chain as far down as they hold.
        let from = path.iter().rposition(|at| forest.nodes[*at].invalid).map_or(0, |last| last + 1);
        chain.main = path[from..].iter().map(|at| row(forest, *at)).collect();
        chain.main_start = forest.height(path[from]).unwrap_or(0);
        for at in &path[from..] {
            in_main[*at] = true;
        }
        let tip = &forest.nodes[best];
        let height = BlockHeight(forest.height(best).unwrap_or(0));
        chain.tip = Some(Tip { height, hash: BlockHash(tip.hash), time: UnixSeconds(tip.time.into()) });
    }
    let beside = forest.order.iter().filter(|at| !in_main[**at] && !forest.nodes[**at].invalid);
    chain.others = beside.filter_map(|at| Some((forest.height(*at)?, row(forest, *at)))).collect();
    chain.others.sort_unstable_by(|(a_height, a), (b_height, b)| {
        (a_height, b.trust, b.pinned, a.hash).cmp(&(b_height, a.trust, a.pinned, b.hash))
    });
    chain
}

/// The header with the most work since the checkpoint. Equal work falls to the lower hash: arrival must not decide.
fn most_work(forest: &Forest) -> Option<usize> {
    let mut works = vec![0_u128; forest.nodes.len()];
    let mut best: Option<usize> = None;
    let (mut bits, mut step) = (0, 0);
    for at in forest.order.iter().copied().filter(|at| forest.nodes[*at].chained) {
        let node = &forest.nodes[at];
        if node.bits != bits {
            (bits, step) = (node.bits, pow::target(node.bits).map_or(0, pow::work));
        }
        // Work before the checkpoint is common to all and left out.
        let before = node.parent.filter(|parent| forest.nodes[*parent].chained).map_or(0, |parent| works[parent]);
        works[at] = before.saturating_add(step);
        let better = best.is_none_or(|best| {
            (works[at], std::cmp::Reverse(reversed(node.hash)))
                > (works[best], std::cmp::Reverse(reversed(forest.nodes[best].hash)))
        });
        if better {
            best = Some(at);
        }
    }
    best
}

fn reversed(mut hash: [u8; 32]) -> [u8; 32] {
    hash.reverse();
    hash
}

fn row(forest: &Forest, at: usize) -> Row {
    let node = &forest.nodes[at];
    let trust = match (node.chained, node.pinned) {
        (true, _) => HeaderTrust::Chain,
        (false, true) => HeaderTrust::PinnedEpoch,
        (false, false) => HeaderTrust::Isolated,
    };
    let run = forest.run_of(at);
    Row { hash: node.hash, root: node.root, time: node.time, bits: node.bits, run, trust, pinned: node.pinned }
}
