//! The calendar: hourly batches of digests, one tree per Bitcoin block, proofs for each digest (OTS 2.3).

use std::collections::BTreeMap;

use super::chain::BlockTimes;
use super::ots::{Confirmation, Hashing, Op, run, tree};
use super::rng::Rng;
use super::time::{HOUR, MINUTE, Millis, seconds};

/// A digest that was submitted at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    pub(super) digest: [u8; 32],
    pub(super) at: Millis,
}

/// The way from a digest to a block.
#[derive(Debug, Clone)]
pub(super) struct Anchor {
    /// From the digest to the commitment.
    pub(super) head: Vec<Op>,
    /// The message that the calendar indexes.
    pub(super) commitment: Vec<u8>,
    /// When the calendar took it, in Unix seconds.
    pub(super) submitted_at: i64,
    /// Absent while the calendar waits for the block or for confirmations.
    pub(super) confirmation: Option<Confirmation>,
}

/// All anchors, and the Merkle roots they put into blocks.
pub(super) struct Anchored {
    /// By digest.
    pub(super) anchors: BTreeMap<[u8; 32], Anchor>,
    /// Merkle roots by height.
    pub(super) roots: BTreeMap<usize, [u8; 32]>,
}

struct Batch {
    anchors: Vec<([u8; 32], Vec<Op>)>,
    commitment: Vec<u8>,
    submitted_at: i64,
}

/// Anchors every subject 20 minutes to an hour after its hour ends, in the block that follows.
pub(super) fn anchor(seed: u64, subjects: &[Subject], times: &BlockTimes) -> Anchored {
    let mut rng = Rng::new(seed, "calendar");
    let mut hours: BTreeMap<i64, Vec<[u8; 32]>> = BTreeMap::new();
    for subject in subjects {
        hours.entry(subject.at.div_euclid(HOUR)).or_default().push(subject.digest);
    }
    let mut blocks: BTreeMap<usize, Vec<Batch>> = BTreeMap::new();
    for (hour, mut digests) in hours {
        digests.sort_unstable();
        digests.dedup();
        let at = (hour + 1) * HOUR;
        let height = times.height_from(at + rng.range(20, 60) * MINUTE);
        blocks.entry(height).or_default().push(batch(&digests, at, &mut rng));
    }
    let mut anchored = Anchored { anchors: BTreeMap::new(), roots: BTreeMap::new() };
    for (height, batches) in blocks {
        let (root, ways) = block(&batches, &mut rng);
        if height < times.len() {
            anchored.roots.insert(height, root);
        }
        for (batch, ops) in batches.into_iter().zip(ways) {
            let confirmation = times.is_final(height).then_some(Confirmation { ops, height });
            for (digest, head) in batch.anchors {
                let anchor = Anchor {
                    head,
                    commitment: batch.commitment.clone(),
                    submitted_at: batch.submitted_at,
                    confirmation: confirmation.clone(),
                };
                anchored.anchors.insert(digest, anchor);
            }
        }
    }
    anchored
}

/// One calendar commitment over the digests of an hour and over digests of strangers.
fn batch(digests: &[[u8; 32]], at: Millis, rng: &mut Rng) -> Batch {
    let salted: Vec<Vec<Op>> =
        digests.iter().map(|_| vec![Op::Append(rng.bytes::<16>().to_vec()), Op::Sha256]).collect();
    let mut leaves: Vec<[u8; 32]> = digests.iter().zip(&salted).map(|(digest, ops)| to_32(&run(ops, digest))).collect();
    leaves.extend((0..=rng.below(6)).map(|_| rng.bytes::<32>()));
    let (root, paths) = tree(&leaves, Hashing::Once);
    let prefix = u32::try_from(seconds(at)).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    let to_commitment = [Op::Prepend(prefix), Op::Append(rng.bytes::<8>().to_vec())];
    let commitment = run(&to_commitment, &root);
    let anchors = digests
        .iter()
        .zip(salted)
        .zip(paths)
        .map(|((digest, salted), path)| (*digest, [salted, path, to_commitment.to_vec()].concat()))
        .collect();
    Batch { anchors, commitment, submitted_at: seconds(at) }
}

/// The block that commits to these batches: its Merkle root, and the way of each commitment to it.
fn block(batches: &[Batch], rng: &mut Rng) -> ([u8; 32], Vec<Vec<Op>>) {
    let leaves: Vec<[u8; 32]> = batches.iter().map(|batch| to_32(&run(&[Op::Sha256], &batch.commitment))).collect();
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
    use crate::sim::time::{AS_OF, START};

    #[test]
    fn every_way_ends_in_its_block_and_the_youngest_have_none() {
        let times = BlockTimes::plan(9);
        let subjects: Vec<Subject> = (0..40_u8)
            .map(|index| Subject { digest: [index; 32], at: START + i64::from(index / 2) * 20 * MINUTE })
            .chain([Subject { digest: [99; 32], at: AS_OF - HOUR }])
            .collect();
        let anchored = anchor(9, &subjects, &times);
        assert_eq!(anchored.anchors.len(), 41);
        for subject in &subjects {
            let anchor = &anchored.anchors[&subject.digest];
            assert_eq!(run(&anchor.head, &subject.digest), anchor.commitment);
            assert_eq!(anchor.commitment.len(), 44);
            let Some(confirmation) = &anchor.confirmation else {
                assert_eq!(subject.digest, [99; 32]);
                continue;
            };
            let end = run(&confirmation.ops, &anchor.commitment);
            assert_eq!(end, anchored.roots[&confirmation.height]);
            let delay = times.at(confirmation.height).unwrap() - subject.at;
            assert!((20 * MINUTE..3 * HOUR).contains(&delay), "{delay}");
        }
    }
}
