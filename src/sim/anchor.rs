//! The calendars: hourly batches of digests, one tree per Bitcoin block, proofs for each digest (OTS 2.3).

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::billing::index;
use super::chain::BlockTimes;
use super::ots::{Branch, CALENDARS, Confirmation, Hashing, Op, Tree, run, tree};
use super::rng::Rng;
use super::time::{HOUR, MINUTE, Millis, seconds};

/// A digest that was submitted at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    pub(super) digest: [u8; 32],
    pub(super) at: Millis,
}

/// The way from a digest to a block.
pub(super) struct Anchor<'a> {
    /// From the digest to the message that was submitted to every calendar.
    pub(super) head: Vec<Op>,
    /// What each calendar made of it.
    pub(super) branches: &'a [Branch],
}

/// All anchors, and the Merkle roots they put into blocks. Subjects are named by their place in the list of them.
pub(super) struct Anchored {
    batches: Vec<Batch>,
    /// The batch and leaf of each subject.
    places: Vec<(u32, u32)>,
    /// Merkle roots by height.
    pub(super) roots: BTreeMap<usize, [u8; 32]>,
}

/// The digests of one hour, under one message.
struct Batch {
    salts: Vec<[u8; 16]>,
    tree: Tree,
    submitted_at: i64,
    branches: Vec<Branch>,
}

impl Anchored {
    /// What the calendars made of that subject.
    pub(super) fn branches(&self, subject: usize) -> &[Branch] {
        self.place(subject).map_or(&[], |(batch, _)| &batch.branches)
    }

    /// When the calendars took it, in Unix seconds.
    pub(super) fn submitted_at(&self, subject: usize) -> i64 {
        self.place(subject).map_or(0, |(batch, _)| batch.submitted_at)
    }

    /// The way of that subject.
    pub(super) fn anchor(&self, subject: usize) -> Anchor<'_> {
        let Some((batch, leaf)) = self.place(subject) else { return Anchor { head: Vec::new(), branches: &[] } };
        let salt = batch.salts.get(leaf).copied().unwrap_or_default();
        let salted = vec![Op::Append(salt.to_vec()), Op::Sha256];
        Anchor { head: [salted, batch.tree.path(leaf)].concat(), branches: &batch.branches }
    }

    /// Every branch there is.
    pub(super) fn all_branches(&self) -> impl Iterator<Item = &Branch> {
        self.batches.iter().flat_map(|batch| &batch.branches)
    }

    fn place(&self, subject: usize) -> Option<(&Batch, usize)> {
        let at = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
        let (batch, leaf) = *self.places.get(subject)?;
        Some((self.batches.get(at(batch))?, at(leaf)))
    }
}

/// Anchors every subject 20 minutes to an hour after its hour ends, in the block that follows. Two hours in five go to a
/// second calendar too, which is slower or has not answered yet. `slow` is the percentage of hours that wait for long.
pub(super) fn anchor(seed: u64, subjects: &[Subject], times: &BlockTimes, slow: u8) -> Anchored {
    let mut rng = Rng::new(seed, "calendar");
    let of = |at: u32| subjects.get(usize::try_from(at).unwrap_or(usize::MAX));
    let key = |at: &u32| of(*at).map(|subject| (subject.at.div_euclid(HOUR), subject.digest));
    let mut order: Vec<u32> = (0..index(subjects.len())).collect();
    order.sort_unstable_by_key(key);
    let mut places = vec![(0, 0); subjects.len()];
    let mut batches = Vec::new();
    // Which branch of which batch a block commits to.
    let mut blocks: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
    for submitted in order.chunk_by(|a, b| key(a).map(|(hour, _)| hour) == key(b).map(|(hour, _)| hour)) {
        let hour = submitted.first().and_then(key).map_or(0, |(hour, _)| hour);
        let mut digests: Vec<[u8; 32]> = submitted.iter().filter_map(|at| Some(of(*at)?.digest)).collect();
        digests.dedup();
        for at in submitted {
            let place = usize::try_from(*at).ok().and_then(|at| places.get_mut(at)).zip(of(*at));
            if let Some((place, subject)) = place {
                *place = (index(batches.len()), index(digests.partition_point(|digest| *digest < subject.digest)));
            }
        }
        let at = (hour + 1) * HOUR;
        let mut first = times.height_from(at + rng.range(20, 60) * MINUTE);
        if rng.chance(u64::from(slow)) {
            // A day and a half at most: inside the 48 hours that a calendar is given.
            first += rng.index(200);
        }
        let mut heights = vec![Some(first)];
        if rng.chance(40) {
            heights.push(rng.chance(80).then(|| first + 1 + rng.index(60)));
        }
        let batch = batch(&digests, at, heights.len(), &mut rng);
        for (place, height) in heights.into_iter().enumerate() {
            if let Some(height) = height {
                blocks.entry(height).or_default().push((batches.len(), place));
            }
        }
        batches.push(batch);
    }
    let roots = confirm(&mut batches, blocks, times, &mut rng);
    Anchored { batches, places, roots }
}

/// Fills the blocks with commitments; returns their Merkle roots.
fn confirm(
    batches: &mut [Batch],
    blocks: BTreeMap<usize, Vec<(usize, usize)>>,
    times: &BlockTimes,
    rng: &mut Rng,
) -> BTreeMap<usize, [u8; 32]> {
    let mut roots = BTreeMap::new();
    for (height, members) in blocks {
        let commitments: Vec<&[u8]> =
            members.iter().map(|(batch, place)| batches[*batch].branches[*place].commitment.as_slice()).collect();
        let (root, ways) = block(&commitments, rng);
        if height < times.len() {
            roots.insert(height, root);
        }
        for ((batch, place), ops) in members.into_iter().zip(ways) {
            batches[batch].branches[place].confirmation =
                times.is_final(height).then_some(Confirmation { ops, height });
        }
    }
    roots
}

/// One message over the digests of an hour and over digests of strangers, and so many calendars' commitments to it.
fn batch(digests: &[[u8; 32]], at: Millis, calendars: usize, rng: &mut Rng) -> Batch {
    let salts: Vec<[u8; 16]> = digests.iter().map(|_| rng.bytes()).collect();
    let salted = |(digest, salt): (&[u8; 32], &[u8; 16])| Sha256::new().chain_update(digest).chain_update(salt);
    let mut leaves: Vec<[u8; 32]> = digests.iter().zip(&salts).map(|pair| salted(pair).finalize().into()).collect();
    leaves.extend((0..=rng.below(6)).map(|_| rng.bytes::<32>()));
    let tree = Tree::new(leaves, Hashing::Once);
    let root = tree.root();
    let prefix = u32::try_from(seconds(at)).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    let first = rng.index(CALENDARS.len());
    let branches = CALENDARS.iter().cycle().skip(first).take(calendars).map(|calendar| {
        let ops = vec![Op::Prepend(prefix.clone()), Op::Append(rng.bytes::<8>().to_vec())];
        Branch { calendar, commitment: run(&ops, &root), ops, confirmation: None }
    });
    let branches = branches.collect();
    Batch { salts, tree, submitted_at: seconds(at), branches }
}

/// The block that commits to these messages: its Merkle root, and the way of each of them to it.
pub(super) fn block(commitments: &[&[u8]], rng: &mut Rng) -> ([u8; 32], Vec<Vec<Op>>) {
    let leaves: Vec<[u8; 32]> = commitments.iter().map(|commitment| to_32(&run(&[Op::Sha256], commitment))).collect();
    let (top, paths) = tree(&leaves, Hashing::Once);
    // A transaction that carries the tree's root, then the block's own tree over transaction ids.
    let transaction =
        [Op::Prepend(rng.bytes::<48>().to_vec()), Op::Append(rng.bytes::<35>().to_vec()), Op::Sha256, Op::Sha256];
    let txid = to_32(&run(&transaction, &top));
    let place = rng.index(8);
    let txids: Vec<[u8; 32]> = (0..8).map(|index| if index == place { txid } else { rng.bytes() }).collect();
    let (root, in_block) = tree(&txids, Hashing::Twice);
    let up = in_block.into_iter().nth(place).unwrap_or_default();
    let ways =
        paths.into_iter().map(|path| [vec![Op::Sha256], path, transaction.to_vec(), up.clone()].concat()).collect();
    (root, ways)
}

fn to_32(message: &[u8]) -> [u8; 32] {
    message.try_into().expect("every caller ends with a hash")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::ots::lowest;
    use crate::sim::time::{AS_OF, START};

    #[test]
    fn every_way_ends_in_its_block_and_the_youngest_have_none() {
        let times = BlockTimes::plan(9);
        let subjects: Vec<Subject> = (0..40_u8)
            .map(|index| Subject { digest: [index; 32], at: START + i64::from(index / 2) * 20 * MINUTE })
            .chain([Subject { digest: [99; 32], at: AS_OF - HOUR }])
            .collect();
        let anchored = anchor(9, &subjects, &times, 0);
        let mut calendars = std::collections::BTreeSet::new();
        for (index, subject) in subjects.iter().enumerate() {
            let anchor = anchored.anchor(index);
            for branch in anchor.branches {
                calendars.insert(branch.calendar);
                let message = run(&anchor.head, &subject.digest);
                assert_eq!(run(&branch.ops, &message), branch.commitment);
                assert_eq!(branch.commitment.len(), 44);
                let Some(confirmation) = &branch.confirmation else { continue };
                let end = run(&confirmation.ops, &branch.commitment);
                assert_eq!(end, anchored.roots[&confirmation.height]);
            }
            let Some((_, confirmation)) = lowest(anchor.branches) else {
                assert_eq!(subject.digest, [99; 32]);
                continue;
            };
            let delay = times.at(confirmation.height).unwrap() - subject.at;
            assert!((20 * MINUTE..3 * HOUR).contains(&delay), "{delay}");
        }
        assert!(calendars.len() > 1, "{calendars:?}");
    }
}
