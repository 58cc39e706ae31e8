//! Honest noise: what networks do to an honest operator's records. None of it may look like a fault.

use super::anchor::{Anchored, block};
use super::chain::{BlockTimes, block_hash, block_hash_hex, mine_one};
use super::ots::{Branch, Confirmation, lowest};
use super::rng::Rng;

/// How much noise a world has. Shares are percentages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Noise {
    /// Carriers that are published hours or days after they were signed, up to ten.
    pub lag: u8,
    /// Events that archives hold once more, and older versions of carriers that only archives still hold.
    pub duplicates: u8,
    /// Whether lines come in no order.
    pub reorder: bool,
    /// Hours whose calendars take up to a day and a half, so that more proofs are pending, within their budget.
    pub slow_calendars: u8,
    /// Blocks of a branch that lost, 0 to 5.
    pub reorg_depth: u8,
}

impl Noise {
    /// A mix for that seed; every kind is absent in some.
    pub fn seeded(seed: u64) -> Self {
        let mut rng = Rng::new(seed, "noise");
        let mut share = |most: u64| {
            let drawn = if rng.chance(25) { 0 } else { 1 + rng.below(most) };
            u8::try_from(drawn).unwrap_or(0)
        };
        let (lag, duplicates, slow_calendars) = (share(40), share(30), share(60));
        let reorg_depth = u8::try_from(rng.below(6)).unwrap_or(0);
        Self { lag, duplicates, reorder: rng.chance(60), slow_calendars, reorg_depth }
    }
}

/// A branch of the header chain that lost.
pub(super) struct Stale {
    /// Its headers, the first on top of a block of the chain that won.
    pub(super) headers: Vec<[u8; 80]>,
    /// The anchored subject whose proof was anchored in its first block, and that way.
    pub(super) proof: Option<(usize, Branch)>,
    /// The hash of the first block as explorers print it.
    pub(super) hash: String,
}

/// The branch of that many blocks beside an anchor of one of the first `subjects`; in every second world that one was first
/// anchored in it.
pub(super) fn stale(
    seed: u64,
    depth: u8,
    subjects: usize,
    anchored: &Anchored,
    headers: &[[u8; 80]],
    times: &BlockTimes,
) -> Option<Stale> {
    let mut rng = Rng::new(seed, "stale branch");
    let depth = usize::from(depth);
    if depth == 0 {
        return None;
    }
    let final_height = |subject| {
        let (_, confirmation) = lowest(anchored.branches(subject))?;
        times.is_final(confirmation.height + depth).then_some(confirmation.height)
    };
    let final_ones = || (0..subjects).filter(|subject| final_height(*subject).is_some());
    let chosen = final_ones().nth(rng.index(final_ones().count()))?;
    let (branch, confirmation) = lowest(anchored.branches(chosen))?;
    let height = confirmation.height;
    let (root, ways) = block(&[branch.commitment.as_slice()], &mut rng);
    let mut previous = block_hash(headers.get(height.checked_sub(1)?)?);
    let mut lost = Vec::with_capacity(depth);
    for number in 0..depth {
        let root = if number == 0 { root } else { rng.bytes() };
        // A second after the block that won at this height: later than the median of the eleven before.
        let time = times.at(height + number)? / 1_000 + 1;
        let (header, hash) = mine_one(&previous, &root, u32::try_from(time).unwrap_or(u32::MAX));
        lost.push(header);
        previous = hash;
    }
    let ops = ways.into_iter().next()?;
    let moved = Branch { confirmation: Some(Confirmation { ops, height }), ..branch.clone() };
    let hash = lost.first().map(block_hash_hex).unwrap_or_default();
    Some(Stale { hash, headers: lost, proof: rng.chance(50).then_some((chosen, moved)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_cover_every_depth_and_leave_every_kind_out_at_times() {
        let mixes: Vec<Noise> = (0..200).map(Noise::seeded).collect();
        for depth in 0..=5 {
            assert!(mixes.iter().any(|mix| mix.reorg_depth == depth), "{depth}");
        }
        assert!(mixes.iter().all(|mix| mix.reorg_depth <= 5 && mix.lag <= 40 && mix.slow_calendars <= 60));
        let without = |kind: fn(&Noise) -> bool| mixes.iter().filter(|mix| kind(mix)).count();
        assert!((20..90).contains(&without(|mix| mix.lag == 0)));
        assert!((20..90).contains(&without(|mix| mix.duplicates == 0)));
        assert!((20..90).contains(&without(|mix| mix.slow_calendars == 0)));
        assert!((50..120).contains(&without(|mix| !mix.reorder)));
        assert_eq!(Noise::seeded(4), Noise::seeded(4));
    }
}
