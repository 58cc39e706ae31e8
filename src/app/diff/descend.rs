//! Two runs judged again, and their trees compared from the root down to the first record that differs.

use std::convert::Infallible;
use std::path::Path;

use serde_json::{Value, json};

use super::shown;
use crate::app::coverage::{Survey, Wanted};
use crate::app::error::AppError;
use crate::app::explain::{Hidden, leaf_hash};
use crate::app::observer::{Cancel, Observer};
use crate::domain::{Digest32, SumNode, UnixSeconds, UserKey, merkle_root, part, sum_node};
use crate::ledger::LedgerLeaves;
use crate::reconcile::balances;
use crate::report::canonical_json;
use crate::seal::seal;

/// On which side of a comparison something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Only in the first.
    Left,
    /// Only in the second.
    Right,
    /// On both, and not the same.
    Both,
}

/// One leaf of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its hash in the tree.
    pub hash: Digest32,
    /// The canonical leaf, users replaced; of the balance tree `{"sats","user"}`.
    pub leaf: String,
}

/// Where two trees part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstDifference {
    /// The ledger or register, or `balances`.
    pub tree: String,
    /// The place of the first leaf that differs, from 0.
    pub index: u64,
    /// Leaves of both trees.
    pub leaves: (u64, u64),
    /// Pairs of nodes that were compared, the roots among them.
    pub comparisons: u32,
    /// Which side has a record that the other lacks, as far as these two show.
    pub side: Side,
    /// What stands at that place in the first.
    pub left: Option<Record>,
    /// What stands at that place in the second.
    pub right: Option<Record>,
}

/// One run's trees.
struct Trees {
    ledgers: Vec<LedgerLeaves>,
    /// Ascending.
    accounts: Vec<(UserKey, i128)>,
    hidden: Hidden,
}

/// Finds the first difference of every tree of two runs.
pub(super) fn descend(
    (left, right): (&Path, &Path),
    state_roots: &(String, String),
    (jobs, reveal): (usize, bool),
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Vec<FirstDifference>, AppError> {
    let survey =
        |run: &Path| Survey::of(run, Wanted::Recorded(None), (None, UnixSeconds::default(), jobs), observer, cancel);
    let one = survey(left)?;
    // A user has one pseudonym in this answer: that of the first run's evidence.
    let names = one.evidence_root;
    let one = trees(&one, names, (left, &state_roots.0), reveal)?;
    let two = trees(&survey(right)?, names, (right, &state_roots.1), reveal)?;
    let mut found: Vec<FirstDifference> =
        one.ledgers.iter().zip(&two.ledgers).filter_map(|(left, right)| ledger((left, right), (&one, &two))).collect();
    found.extend(accounts(&one, &two));
    Ok(found)
}

fn trees(survey: &Survey, names: Digest32, (run, told): (&Path, &str), reveal: bool) -> Result<Trees, AppError> {
    if seal(&survey.ledgers.views()).state_root.to_hex() != told {
        return Err(AppError::Unestablished {
            what: format!("the evidence of {} gives another state root than its report has", shown(run)),
            hint: "`reledger audit DIR` draws its report again; `reledger rebuild` makes a new one".to_owned(),
        });
    }
    let input = survey.input();
    let accounts = balances(&input).iter().map(|(user, balance)| (user.clone(), balance.total())).collect();
    let ledgers = survey.ledgers.leaves(&survey.set, &survey.policy, survey.as_of);
    Ok(Trees { ledgers, accounts, hidden: Hidden::of(&survey.set, names, reveal) })
}

/// The lists are in memory, so their lengths fit.
fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn length<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// A part of a list, if it is there.
fn range<T>(list: &[T], first: u64, size: u64) -> &[T] {
    list.get(place(first)..place(first.saturating_add(size))).unwrap_or_default()
}

fn first_difference<T>(left: &[T], right: &[T], node: impl Fn(&[T], u64) -> Option<[u8; 32]>) -> (u64, u32) {
    let is_equal = |first, size| {
        let nodes = [left, right].map(|list| node(range(list, first, size), first));
        Ok::<bool, Infallible>(nodes[0] == nodes[1])
    };
    let Ok(parted) = part((length(left), length(right)), is_equal);
    (parted.index, parted.comparisons.saturating_add(1))
}

fn ledger((left, right): (&LedgerLeaves, &LedgerLeaves), (one, two): (&Trees, &Trees)) -> Option<FirstDifference> {
    if left.leaves.len() == right.leaves.len() && merkle_root(&left.leaves) == merkle_root(&right.leaves) {
        return None;
    }
    let (index, comparisons) = first_difference(&left.leaves, &right.leaves, |leaves, _| Some(merkle_root(leaves).0));
    let (own, other) = (left.leaves.get(place(index)), right.leaves.get(place(index)));
    let side = match (own, other) {
        (Some(_), None) => Side::Left,
        (None, Some(_)) => Side::Right,
        // What stands further on in the other list was moved there by a record that is missing here.
        (Some(own), Some(other)) if right.leaves.contains(own) && !left.leaves.contains(other) => Side::Right,
        (Some(own), Some(other)) if left.leaves.contains(other) && !right.leaves.contains(own) => Side::Left,
        _ => Side::Both,
    };
    let record = |leaf: &Vec<u8>, hidden: &Hidden| {
        let value: Value = serde_json::from_slice(leaf).unwrap_or_default();
        Record { hash: leaf_hash(leaf), leaf: canonical(&hidden.value("", value)) }
    };
    Some(FirstDifference {
        tree: left.name.to_owned(),
        index,
        leaves: (length(&left.leaves), length(&right.leaves)),
        comparisons,
        side,
        left: own.map(|leaf| record(leaf, &one.hidden)),
        right: other.map(|leaf| record(leaf, &two.hidden)),
    })
}

fn canonical(value: &Value) -> String {
    String::from_utf8_lossy(&canonical_json(value)).trim_end().to_owned()
}

/// The balance trees. Users ascend, so the lower of two different ones is not on the other side.
fn accounts(one: &Trees, two: &Trees) -> Option<FirstDifference> {
    let (left, right) = (&one.accounts, &two.accounts);
    let node = |users: &[(UserKey, i128)], first| {
        let SumNode { hash, .. } = sum_node(first, users.iter().map(|(user, sats)| (user, *sats)))?;
        Some(hash.0)
    };
    if left.len() == right.len() && node(left, 0) == node(right, 0) {
        return None;
    }
    let (index, comparisons) = first_difference(left, right, node);
    let (own, other) = (left.get(place(index)), right.get(place(index)));
    let side = match (own, other) {
        (Some((user, _)), Some((other, _))) if user == other => Side::Both,
        (Some((user, _)), Some((other, _))) if user > other => Side::Right,
        (None, _) => Side::Right,
        _ => Side::Left,
    };
    let record = |(user, sats): &(UserKey, i128), hidden: &Hidden| Record {
        hash: SumNode::leaf(index, user.as_str(), *sats).hash,
        leaf: canonical(&json!({"user": hidden.name(user.as_str()), "sats": sats.to_string()})),
    };
    Some(FirstDifference {
        tree: "balances".to_owned(),
        index,
        leaves: (length(left), length(right)),
        comparisons,
        side,
        left: own.map(|leaf| record(leaf, &one.hidden)),
        right: other.map(|leaf| record(leaf, &two.hidden)),
    })
}
