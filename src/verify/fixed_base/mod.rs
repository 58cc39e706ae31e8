//! Signatures under keys that sign often, each judged by itself: what is multiplied again and again has its multiples in a table, so
//! that a verification is some sixty additions and no doubling.
//!
//! The equation is the single verifier's own, without any coefficient and for one signature at a time; only the way to its sum
//! is another. What does not hold is judged by the single verifier (libsecp256k1, `verify_strict`), and so is whoever
//! signs seldom (docs/adr/0035).

pub(super) mod digits;
mod eddsa;
mod edwards;
mod field;
mod schnorr;
mod tables;
#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;

use rayon::prelude::*;

use super::batch::{Ed25519Check, SchnorrCheck};
use tables::{Kept, Table};

pub use tables::Tables;

/// Signatures that are summed up side by side, at most: they share inversions, and each digit's part of a table.
const AT_ONCE: usize = 512;
/// The same where each is judged by itself.
const ALONE_AT_ONCE: usize = 128;

/// Judges BIP-340 signatures on all cores: one answer for each, in their order, the one that libsecp256k1 gives.
pub fn schnorr(items: &[SchnorrCheck], tables: &Tables) -> Vec<bool> {
    let strangers_hold = |items: &[&SchnorrCheck]| schnorr::strangers_hold(tables.machine?, items);
    answers(items, &|item| &item.key, &tables.authors, &schnorr::hold, &strangers_hold, &SchnorrCheck::holds)
}

/// Judges Ed25519 signatures on all cores: one answer for each, in their order, the one that `verify_strict` gives, and `false`
/// for a key that is no point.
pub fn ed25519(items: &[Ed25519Check], tables: &Tables) -> Vec<bool> {
    answers(items, &|item| &item.key, &tables.signers, &eddsa::hold, &|_| None, &Ed25519Check::holds)
}

fn answers<C: Sync, T: Table>(
    items: &[C],
    key: &(impl Fn(&C) -> &[u8; 32] + Sync),
    tables: &Kept<T>,
    hold: &(impl Fn(&T, &[&C]) -> Vec<bool> + Sync),
    strangers_hold: &(impl Fn(&[&C]) -> Option<Vec<bool>> + Sync),
    single: &(impl Fn(&C) -> bool + Sync),
) -> Vec<bool> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.par_sort_unstable_by_key(|at| (key(&items[*at]), *at));
    let groups: Vec<&[usize]> = order.chunk_by(|left, right| key(&items[*left]) == key(&items[*right])).collect();
    let tabled: Vec<Option<Arc<T>>> =
        groups.par_iter().map(|places| tables.worth(key(&items[places[0]]), places.len())).collect();
    let mut alone = Vec::new();
    let mut tasks = Vec::new();
    for (places, table) in groups.iter().zip(&tabled) {
        match table {
            Some(table) => tasks.extend(places.chunks(AT_ONCE).map(|places| (places, Some(table)))),
            None => alone.extend_from_slice(places),
        }
    }
    tasks.extend(alone.chunks(ALONE_AT_ONCE).map(|places| (places, None)));
    // Tasks are of very different sizes: halves of their list would not be halves of the work.
    let judged: Vec<(usize, bool)> = (tasks.par_iter().with_max_len(1))
        .flat_map_iter(|(places, table)| {
            let checks: Vec<&C> = places.iter().map(|at| &items[*at]).collect();
            let held = match table {
                Some(table) => Some(hold(table, &checks)),
                None if checks.len() > 1 => strangers_hold(&checks),
                None => None,
            };
            let held = held.unwrap_or_else(|| vec![false; checks.len()]);
            places.iter().zip(held).map(|(at, held)| (*at, held || single(&items[*at]))).collect::<Vec<_>>()
        })
        .collect();
    let mut answers = vec![false; items.len()];
    for (at, holds) in judged {
        answers[at] = holds;
    }
    answers
}
