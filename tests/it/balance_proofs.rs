//! Goal: a proof about a balance holds exactly when it is true of the tree that the document specifies.
//! Method: a naive tree written from docs/state-root.md, section 5, alone; all trees of 0 to 33 users, all users and all gaps
//! between them; and forgeries of every part of a proof.

use reledger::domain::{Digest32, SumClaim, SumFault, SumNode, SumPath, SumProof, SumRoot, sum_root};
use reledger::seal::{check_balance_proof, write_balance_proof};
use sha2::{Digest as _, Sha256};

const USERS_MAX: usize = 33;

type Node = ([u8; 32], i128);

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let bytes: Vec<u8> = parts.concat();
    Sha256::digest(&bytes).into()
}

/// Every level of the tree, the leaves first, as the document builds it: pairs, and an odd node as it is.
fn levels(users: &[(String, i128)]) -> Vec<Vec<Node>> {
    let leaf = |(at, (user, sats)): (usize, &(String, i128))| {
        let (place, length) = ((at as u64).to_be_bytes(), (user.len() as u64).to_be_bytes());
        (hash(&[&[0], &place, &length, user.as_bytes(), &sats.to_be_bytes()]), *sats)
    };
    let mut levels = vec![users.iter().enumerate().map(leaf).collect::<Vec<Node>>()];
    while levels.last().unwrap().len() > 1 {
        let above = levels.last().unwrap().chunks(2).map(|pair| match pair {
            [l, r] => (hash(&[&[1], &l.0, &l.1.to_be_bytes(), &r.0, &r.1.to_be_bytes()]), l.1 + r.1),
            odd => odd[0],
        });
        let above = above.collect();
        levels.push(above);
    }
    levels
}

fn naive_root(users: &[(String, i128)]) -> Node {
    levels(users).last().unwrap().first().copied().unwrap_or((hash(&[]), 0))
}

fn naive_path(users: &[(String, i128)], at: usize) -> Vec<Node> {
    let mut place = at;
    let mut path = Vec::new();
    for level in levels(users) {
        path.extend(level.get(place ^ 1));
        place /= 2;
    }
    path
}

/// The document's loop, and nothing else.
fn naive_holds(root: Node, count: u64, (at, user, sats): (u64, &str, i128), path: &[Node]) -> bool {
    if at >= count || path.iter().any(|(_, sum)| *sum < 0) {
        return false;
    }
    let length = (user.len() as u64).to_be_bytes();
    let mut node = (hash(&[&[0], &at.to_be_bytes(), &length, user.as_bytes(), &sats.to_be_bytes()]), sats);
    let (mut place, mut last, mut rest) = (at, count - 1, path.iter());
    while last > 0 {
        let pair = if place % 2 == 1 {
            let Some(left) = rest.next() else { return false };
            Some((*left, node))
        } else if place < last {
            let Some(right) = rest.next() else { return false };
            Some((node, *right))
        } else {
            None
        };
        if let Some((l, r)) = pair {
            let Some(sum) = l.1.checked_add(r.1) else { return false };
            node = (hash(&[&[1], &l.0, &l.1.to_be_bytes(), &r.0, &r.1.to_be_bytes()]), sum);
        }
        (place, last) = (place / 2, last / 2);
    }
    rest.next().is_none() && node == root
}

fn bare(node: &SumNode) -> Node {
    (node.hash.0, node.sum)
}

fn agrees(proof: &SumProof) -> bool {
    let ours = |leaf: &SumPath| {
        let siblings: Vec<Node> = leaf.siblings.iter().map(bare).collect();
        let root = bare(&proof.root.node);
        naive_holds(root, proof.root.count, (leaf.index, &leaf.user, leaf.sats), &siblings)
    };
    proof.leaves.iter().all(ours)
}

/// Users `b01`, `b03`, ..: a name fits before, between and behind them.
fn users(count: usize) -> Vec<(String, i128)> {
    (0..count).map(|at| (format!("b{:03}", 2 * at + 1), i128::try_from(at * at % 11).unwrap())).collect()
}

#[test]
fn every_user_and_every_gap_of_small_trees_is_proven_as_the_document_says() {
    for count in 0..=USERS_MAX {
        let users = users(count);
        let root = naive_root(&users);
        assert_eq!(bare(&sum_root(users.iter().cloned()).unwrap()), root, "{count} users");
        for at in 0..=2 * count {
            let user = format!("b{at:03}");
            let proof = SumProof::of(&users, &user).unwrap();
            assert_eq!((bare(&proof.root.node), proof.root.count), (root, count as u64));
            assert_eq!(proof.check(), Ok(()), "{user} of {count}");
            assert!(agrees(&proof), "{user} of {count}");
            for leaf in &proof.leaves {
                let place = usize::try_from(leaf.index).unwrap();
                assert_eq!(leaf.siblings.iter().map(bare).collect::<Vec<_>>(), naive_path(&users, place));
            }
            let owed = users.iter().find(|(other, _)| *other == user).map(|(_, sats)| *sats);
            assert_eq!(proof.claim, owed.map_or(SumClaim::Absent, SumClaim::Included));
            let bytes = write_balance_proof(&proof);
            assert_eq!(check_balance_proof(&bytes).unwrap(), proof);
        }
    }
}

/// The vector of the document.
#[test]
fn the_documents_example_is_what_both_implementations_give() {
    let users: Vec<(String, i128)> = [("a", 5), ("b", 0), ("d", 7)].map(|(user, sats)| (user.to_owned(), sats)).into();
    let hex = |node: &Node| Digest32(node.0).to_hex();
    let document = include_str!("../../docs/state-root.md");
    let levels = levels(&users);
    for node in levels[0].iter().chain(&levels[1][..1]).chain(levels.last().unwrap()) {
        assert!(document.contains(&hex(node)), "{}", hex(node));
    }
    assert_eq!(bare(&sum_root(users.iter().cloned()).unwrap()), naive_root(&users));
}

/// Refused by both implementations where the fault is in a path, and for the reason given.
fn refused(proof: &SumProof, fault: SumFault) {
    assert_eq!(proof.check(), Err(fault), "{proof:?}");
    if fault != SumFault::OtherClaim {
        assert!(!agrees(proof), "{proof:?}");
    }
    assert!(check_balance_proof(&write_balance_proof(proof)).is_err());
}

#[test]
fn no_part_of_an_inclusion_can_be_changed() {
    for count in 1..=USERS_MAX {
        let users = users(count);
        for (user, sats) in &users {
            let honest = SumProof::of(&users, user).unwrap();
            let forge = |change: &dyn Fn(&mut SumProof)| {
                let mut forged = honest.clone();
                change(&mut forged);
                forged
            };
            let leaf = honest.leaves[0].clone();
            // Another balance, claimed and in the leaf; or only claimed.
            refused(
                &forge(&|proof| {
                    proof.claim = SumClaim::Included(sats + 1);
                    proof.leaves[0].sats += 1;
                }),
                SumFault::OtherRoot,
            );
            refused(&forge(&|proof| proof.claim = SumClaim::Included(sats + 1)), SumFault::OtherClaim);
            // Another user's leaf for this user's.
            refused(&forge(&|proof| proof.user.push('x')), SumFault::OtherClaim);
            refused(&forge(&|proof| proof.root.node.sum += 1), SumFault::OtherTotal);
            refused(&forge(&|proof| proof.root.node.hash.0[0] ^= 1), SumFault::OtherRoot);
            refused(&forge(&|proof| proof.root.count = leaf.index), SumFault::OutsideTree);
            let extra = SumNode { hash: Digest32([7; 32]), sum: 0 };
            refused(&forge(&|proof| proof.leaves[0].siblings.push(extra)), SumFault::PathLength);
            for at in 0..leaf.siblings.len() {
                refused(&forge(&|proof| proof.leaves[0].siblings[at].sum += 1), SumFault::OtherRoot);
                refused(&forge(&|proof| proof.leaves[0].siblings[at].hash.0[31] ^= 1), SumFault::OtherRoot);
                refused(&forge(&|proof| proof.leaves[0].siblings[at].sum = -1), SumFault::NegativeSibling);
                let shorter = forge(&|proof| {
                    proof.leaves[0].siblings.remove(at);
                });
                refused(&shorter, SumFault::PathLength);
                let other = (at + 1) % leaf.siblings.len();
                if leaf.siblings[at] != leaf.siblings[other] {
                    refused(&forge(&|proof| proof.leaves[0].siblings.swap(at, other)), SumFault::OtherRoot);
                }
            }
        }
    }
}

#[test]
fn a_shifted_place_is_refused_whatever_path_goes_with_it() {
    // Every shape up to two full levels, and those around the next powers of two.
    for count in (2..=9).chain([15, 16, 17, USERS_MAX]) {
        let users = users(count);
        for at in 0..count {
            for other in (0..count).filter(|other| *other != at) {
                let mut forged = SumProof::of(&users, &users[at].0).unwrap();
                forged.leaves[0].index = other as u64;
                assert!(forged.check().is_err() && !agrees(&forged), "{at} as {other} of {count}");
                forged.leaves[0].siblings = naive_path(&users, other)
                    .iter()
                    .map(|(hash, sum)| SumNode { hash: Digest32(*hash), sum: *sum })
                    .collect();
                refused(&forged, SumFault::OtherRoot);
            }
        }
    }
}

#[test]
fn a_swapped_side_is_refused() {
    // With two users: the right one's path offered as the left one's, and the node built the other way around.
    let users = users(2);
    let left = SumProof::of(&users, &users[0].0).unwrap();
    let right = SumProof::of(&users, &users[1].0).unwrap();
    let mut forged = left.clone();
    forged.leaves[0].siblings.clone_from(&right.leaves[0].siblings);
    refused(&forged, SumFault::OtherRoot);
    let (l, r) = (right.leaves[0].siblings[0], left.leaves[0].siblings[0]);
    let turned = SumNode::over(&r, &l).unwrap();
    let mut forged = left;
    forged.root = SumRoot { node: turned, count: 2 };
    refused(&forged, SumFault::OtherRoot);
}

#[test]
fn sums_beyond_128_bits_are_refused_and_never_wrap() {
    let leaf = SumNode::leaf(0, "a", 1);
    let beside = SumNode { hash: Digest32([9; 32]), sum: i128::MAX };
    // The hash is right and the total is what wrapping would give.
    let hash =
        hash(&[&[1], leaf.hash.as_bytes(), &leaf.sum.to_be_bytes(), beside.hash.as_bytes(), &beside.sum.to_be_bytes()]);
    let path = SumPath { index: 0, user: "a".to_owned(), sats: 1, siblings: vec![beside] };
    let node = SumNode { hash: Digest32(hash), sum: i128::MIN };
    let root = SumRoot { node, count: 2 };
    let forged = SumProof { root, user: "a".to_owned(), claim: SumClaim::Included(1), leaves: vec![path] };
    refused(&forged, SumFault::Overflow);
}

#[test]
fn an_absence_needs_the_very_neighbours() {
    for count in 1..=USERS_MAX {
        let users = users(count);
        for at in (0..=2 * count).step_by(2) {
            let user = format!("b{at:03}");
            let honest = SumProof::of(&users, &user).unwrap();
            // Any other choice of leaves, each with its honest path, is no proof.
            let path = |place: usize| SumPath::of(&users, place).unwrap();
            let paths: Vec<SumPath> = (0..count).map(path).collect();
            let right: Vec<u64> = honest.leaves.iter().map(|leaf| leaf.index).collect();
            // Of larger trees the ends and what stands around the gap.
            let is_near = |place: &usize| count < 10 || place.abs_diff(at / 2) < 4 || [0, count - 1].contains(place);
            for one in (0..count).filter(is_near) {
                let mut alone = honest.clone();
                alone.leaves = vec![paths[one].clone()];
                assert_eq!(alone.check().is_ok(), right == [one as u64], "{user} of {count} by {one}");
                for two in (0..count).filter(is_near) {
                    let mut both = honest.clone();
                    both.leaves = vec![paths[one].clone(), paths[two].clone()];
                    let wanted = right == [one as u64, two as u64];
                    assert_eq!(both.check().is_ok(), wanted, "{user} of {count} by {one} and {two}");
                }
            }
            let mut none = honest.clone();
            none.leaves.clear();
            refused(&none, SumFault::OtherClaim);
        }
    }
}

#[test]
fn nobody_who_is_there_is_shown_absent_and_no_name_stands_twice() {
    let users = users(9);
    for (user, _) in &users {
        let mut forged = SumProof::of(&users, user).unwrap();
        forged.claim = SumClaim::Absent;
        refused(&forged, SumFault::OtherClaim);
    }
    // A tree that lists a name twice: between both stands nobody, the name itself neither.
    let twice: Vec<(String, i128)> =
        [("a", 1), ("b", 2), ("b", 3), ("c", 4)].map(|(user, sats)| (user.to_owned(), sats)).into();
    let root = SumRoot { node: sum_root(twice.iter().cloned()).unwrap(), count: 4 };
    for places in [[0, 1], [1, 2], [2, 3]] {
        let leaves = places.map(|place| SumPath::of(&twice, place).unwrap()).into();
        let forged = SumProof { root, user: "b".to_owned(), claim: SumClaim::Absent, leaves };
        refused(&forged, SumFault::OtherClaim);
    }
}

#[test]
fn a_debt_is_noticed_by_whoever_stands_beside_it_and_hides_from_no_one_else() {
    let mut users = users(8);
    users[2].1 = -1_000;
    let holds = |at: usize| SumProof::of(&users, &users[at].0).unwrap().check();
    // The debtor's own leaf is plain; the sibling leaf, the sibling pair and the other half see a sum below zero.
    assert_eq!(holds(2), Ok(()));
    for at in [0, 1, 3, 4, 5, 6, 7] {
        assert_eq!(holds(at), Err(SumFault::NegativeSibling), "{at}");
    }
    // One that its sibling covers is noticed by that sibling alone.
    users[2].1 = -1;
    let holds = |at: usize| SumProof::of(&users, &users[at].0).unwrap().check();
    assert!(users[3].1 > 1);
    assert_eq!((0..8).filter(|at| holds(*at).is_err()).collect::<Vec<_>>(), [3]);
}

#[test]
fn an_absence_from_an_empty_tree_is_of_the_empty_tree_only() {
    let none: [(String, i128); 0] = [];
    let honest = SumProof::of(&none, "a").unwrap();
    assert_eq!(honest.check(), Ok(()));
    for change in [
        (|proof| proof.root.count = 1) as fn(&mut SumProof),
        |proof| proof.root.node.sum = 1,
        |proof| proof.root.node.hash.0[0] ^= 1,
        |proof| proof.claim = SumClaim::Included(0),
    ] {
        let mut forged = honest.clone();
        change(&mut forged);
        refused(&forged, SumFault::OtherClaim);
    }
}
